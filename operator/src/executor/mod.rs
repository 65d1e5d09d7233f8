//! Who makes the calls of a saga. `Direct` makes them here; a Step Functions executor will start the
//! state machines of the class, which run the same steps.

pub mod direct;

use comanda_saga::{Call, Outcome, Record};

use crate::error::Error;

/// Makes one call whose intent is recorded.
pub trait Executor {
    /// The outcome; `Unknown` when the answer was lost. Errors are of the set-up, not of the order.
    async fn run(&self, call: Call, record: &Record) -> Result<Outcome, Error>;
}
