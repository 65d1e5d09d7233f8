//! What the operator, the Lambdas and the state machine agree on.

use comanda_saga::{Identity, Phase, Record};
use serde::{Deserialize, Serialize};

/// Input of an execution: ids and the phase, never personal data. All else is read from the ledger.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ExecutionInput {
    /// Which order.
    pub order: OrderRef,
    /// Where the order is: the machine begins with that phase's first state.
    pub phase: Phase,
}

/// An order's identity, as executions and Lambdas are told it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OrderRef {
    /// The class's installation.
    pub installation: String,
    /// The namespace of the order.
    pub tenant: String,
    /// The order's id within its tenant.
    pub order_id: String,
}

impl ExecutionInput {
    /// The input of an execution that carries this order on from where it is.
    pub fn of(record: &Record) -> Self {
        let Identity { installation, tenant, order_id } = record.identity.clone();
        Self { order: OrderRef { installation, tenant, order_id }, phase: record.phase }
    }

    /// As JSON, the same for the same order and phase.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings serialise")
    }
}

/// The names that `ErrorEquals` of the state machine match.
pub mod errors {
    /// Nothing is proved: try again.
    pub const TRANSIENT: &str = "Comanda.Transient";
    /// The rules contradict each other: trying again is of no use.
    pub const DEFECT: &str = "Comanda.Defect";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::record;

    #[test]
    fn an_executions_input_reads_as_the_state_machine_takes_it() {
        let input = ExecutionInput::of(&record());
        let json = r#"{"order":{"installation":"bistro","tenant":"shop","orderId":"a-1"},"phase":"Pending"}"#;
        assert_eq!(input.to_json(), json);
        assert_eq!(serde_json::from_str::<ExecutionInput>(json).expect("the documented form"), input);
    }
}
