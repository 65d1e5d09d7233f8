//! What the operator, the Lambdas and the state machines agree on.

use comanda_saga::Identity;
use serde::{Deserialize, Serialize};

/// Input of every Step Functions execution and Lambda: ids only, never personal data. The work itself
/// is read from the ledger.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StepInput {
    /// Which order.
    pub identity: Identity,
    /// The owner's epoch when the execution was started: an execution of an earlier owner does nothing.
    pub epoch: u64,
    /// The journal's attempt at the phase: part of the execution's name.
    pub attempt: u32,
}

/// The names that `ErrorEquals` of the state machines match.
pub mod errors {
    /// Nothing is proved: try again.
    pub const TRANSIENT: &str = "Comanda.Transient";
    /// The order cannot go on: undo it.
    pub const TERMINAL: &str = "Comanda.Terminal";
    /// A person has to look.
    pub const NEEDS_PERSON: &str = "Comanda.NeedsPerson";
    /// Another owner has the order: stop without a trace.
    pub const FENCED: &str = "Comanda.Fenced";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_input_reads_as_the_state_machines_write_it() {
        let input: StepInput = serde_json::from_str(
            r#"{"identity":{"installation":"bistro","tenant":"shop","order_id":"a-1"},"epoch":2,"attempt":1}"#,
        )
        .expect("the documented form");
        assert_eq!(input.identity.to_string(), "bistro/shop/a-1");
        assert_eq!((input.epoch, input.attempt), (2, 1));
    }
}
