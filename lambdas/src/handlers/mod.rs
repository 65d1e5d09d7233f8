//! What a function does when it is called.

mod device_ack;
mod intake;
mod step;
mod stripe_webhook;
mod wait;

pub use device_ack::device_ack;
pub use intake::{Settings, take_in};
pub use step::step;
pub use stripe_webhook::stripe_webhook;
pub use wait::wait;

use comanda_saga::Identity;
use comanda_steps::calls;
use comanda_steps::ports::{Ledger, Loaded};

use crate::failure::Failure;

/// The order that an execution is about. Its record is kept for longer than any execution runs.
async fn load(ledger: &dyn Ledger, identity: &Identity) -> Result<Loaded, Failure> {
    let loaded = calls::load(ledger, identity).await?;
    loaded.ok_or_else(|| Failure::Defect(format!("the ledger has no order {identity}")))
}
