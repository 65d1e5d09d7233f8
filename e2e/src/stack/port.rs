//! Free TCP ports on the loopback address.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port between this look and
/// the server's bind.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports handed out by this process, never handed out twice.
static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port nobody listens on, for a server that cannot choose one by itself.
///
/// # Errors
/// When all of them are taken.
pub fn free_port() -> Result<u16> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let size = RANGE.end - RANGE.start;
    // Two runs on one machine start looking at different places.
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    let start = u16::try_from(nanos.wrapping_add(std::process::id()) % u32::from(size)).unwrap_or_default();
    (0..size)
        .map(|step| RANGE.start + (start + step) % size)
        // On all addresses: some servers cannot be told to bind the loopback address only.
        .find(|port| !taken.contains(port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .inspect(|port| {
            taken.insert(*port);
        })
        .context("no free TCP port from 20000 to 31999")
}
