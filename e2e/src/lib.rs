//! The local stack of real servers that the demo and the end-to-end tests run on.
//!
//! [`stack::Stack`] starts everything as child processes: etcd and kube-apiserver, an AWS emulator, a Stripe emulator
//! behind [`stripe_proxy`], and simulated [`devices`].

pub mod demo;
pub mod devices;
pub mod evidence;
pub mod fault_proxy;
pub mod function_host;
pub mod installation;
pub mod intake_server;
pub mod matrix;
pub mod soak;
pub mod stack;
pub mod stripe_proxy;
pub mod world;

/// This package's directory in the checkout at work. Cargo names it at run time; what was compiled in would name
/// another where checkouts share a target directory.
#[must_use]
pub fn package() -> std::path::PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), Into::into)
}
