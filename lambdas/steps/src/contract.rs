//! What the operator, the Lambdas and the state machine agree on.

use comanda_saga::driver::{Answer, Step, Stop};
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
        Self { order: OrderRef::from(&record.identity), phase: record.phase }
    }

    /// As JSON, the same for the same order and phase.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings serialise")
    }
}

impl OrderRef {
    /// The identity that it names.
    pub fn identity(&self) -> Identity {
        let Self { installation, tenant, order_id } = self.clone();
        Identity { installation, tenant, order_id }
    }
}

impl From<&Identity> for OrderRef {
    fn from(identity: &Identity) -> Self {
        let Identity { installation, tenant, order_id } = identity.clone();
        Self { installation, tenant, order_id }
    }
}

/// Input of a function that a state calls.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct StepInput {
    /// Which order.
    pub order: OrderRef,
    /// The execution's name. It acts only while the journal names it.
    pub execution: String,
    /// The state's name.
    pub step: String,
    /// How often this state was tried before.
    #[serde(default)]
    pub attempt: u32,
    /// The task token of a state that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a step answers to the machine, which goes on by it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct StepOutput {
    /// How it goes on.
    pub result: StepResult,
    /// Where the order is now.
    pub phase: Phase,
    /// Of `Waiting`: after how many seconds to call the step again, 1 to [`LONGEST_WAIT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Of `Waiting`: on whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Of `Stop`: why the execution ends before its order does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of `Stop`: what a person reads. No personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Longest time, in seconds, before a step that waits looks again: a wake that is lost costs no more.
pub const LONGEST_WAIT: i64 = 600;

/// The word of an answer.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// The step's part is done.
    Done,
    /// Somebody has to be waited for.
    Waiting,
    /// The order is to be undone.
    Undo,
    /// The execution ends here.
    Stop,
}

impl StepOutput {
    /// The answer of a step about an order, which waits until `due`, in seconds from now, where it does.
    pub fn of(step: Step, answer: Answer, record: &Record, due: Option<i64>) -> Self {
        let result = StepResult::Done;
        let blank =
            Self { result, phase: record.phase, seconds: None, who: None, reason: None, message: None };
        match answer {
            Answer::Done => blank,
            Answer::Undo => Self { result: StepResult::Undo, ..blank },
            Answer::Waiting => {
                let seconds = due.unwrap_or(LONGEST_WAIT).clamp(1, LONGEST_WAIT);
                let who = Some(awaited(step).to_owned());
                Self { result: StepResult::Waiting, seconds: Some(seconds), who, ..blank }
            }
            Answer::Stop(why) => {
                let reason: &'static str = why.into();
                let message = record.stall.as_ref().filter(|_| why == Stop::NeedsPerson);
                let message = message.map(|stall| stall.message.clone());
                Self { result: StepResult::Stop, reason: Some(reason.to_owned()), message, ..blank }
            }
        }
    }
}

/// Whom a step waits for.
fn awaited(step: Step) -> &'static str {
    match step {
        Step::AuthorizePayment => "customer",
        Step::RequestPreparation => "kitchen",
        Step::RequestDelivery => "courier",
        Step::RecallDevices => "devices",
        _ => "bank",
    }
}

/// The step that is called when the wait of a state ends; none for a state that waits for nobody.
pub fn waiting_step(state: &str) -> Option<Step> {
    match state {
        "AwaitCustomer" => Some(Step::AuthorizePayment),
        "AwaitKitchen" => Some(Step::RequestPreparation),
        "AwaitCourier" => Some(Step::RequestDelivery),
        "AwaitRecall" => Some(Step::RecallDevices),
        _ => None,
    }
}

/// A message of the wake queue: the order moved, waits or ended, or its customer cancels it. The ledger says which.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Which order.
    pub order: OrderRef,
    /// Whose execution says so; empty where nobody's does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub execution: String,
    /// Whether its customer may have cancelled it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
}

impl Wake {
    /// An execution says that something came of an order.
    pub fn by(order: &Identity, execution: &str) -> Self {
        Self { order: OrderRef::from(order), execution: execution.to_owned(), cancel: false }
    }

    /// The customer of an order asks for it to be cancelled.
    pub fn cancel(order: &Identity) -> Self {
        Self { order: OrderRef::from(order), execution: String::new(), cancel: true }
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
    use serde_json::json;

    use super::*;
    use crate::fixtures::record;

    #[test]
    fn an_executions_input_reads_as_the_state_machine_takes_it() {
        let input = ExecutionInput::of(&record());
        let json = r#"{"order":{"installation":"bistro","tenant":"shop","orderId":"a-1"},"phase":"Pending"}"#;
        assert_eq!(input.to_json(), json);
        assert_eq!(serde_json::from_str::<ExecutionInput>(json).expect("the documented form"), input);
    }

    #[test]
    fn a_step_answers_in_the_form_that_the_state_machine_reads() {
        let json = |answer, due| {
            let output = StepOutput::of(Step::RequestPreparation, answer, &record(), due);
            serde_json::to_value(output).expect("JSON")
        };

        assert_eq!(json(Answer::Done, None), json!({"result": "Done", "phase": "Pending"}));
        assert_eq!(json(Answer::Undo, None), json!({"result": "Undo", "phase": "Pending"}));
        let waiting =
            |seconds| json!({"result": "Waiting", "phase": "Pending", "seconds": seconds, "who": "kitchen"});
        assert_eq!(json(Answer::Waiting, Some(30)), waiting(30));
        assert_eq!(json(Answer::Waiting, Some(-5)), waiting(1), "it is due");
        assert_eq!(json(Answer::Waiting, Some(100_000)), waiting(600));
        assert_eq!(json(Answer::Waiting, None), waiting(600));
        let stop = json!({"result": "Stop", "phase": "Pending", "reason": "HandedBack"});
        assert_eq!(json(Answer::Stop(Stop::HandedBack), None), stop);
    }
}
