//! Executions: the phases that a class delegates are handed to one of its state machine.

use comanda_crds::StepFunctions;
use comanda_saga::{Effect, Outcome, Record};

use crate::contract::ExecutionInput;
use crate::intent::{entry, unknown};
use crate::ports::Executions;

/// Starts the execution that the journal names.
pub async fn start(record: &Record, executions: &dyn Executions) -> Outcome {
    let effect = Effect::Execute;
    let entry = match entry(record, effect) {
        Ok(entry) => entry,
        Err(outcome) => return outcome,
    };
    let Some(StepFunctions { state_machine_arn, .. }) = machine(record) else {
        return unknown(effect, format!("{}: its class has no state machine", record.identity));
    };
    let input = ExecutionInput::of(record).to_json();
    match executions.start(state_machine_arn, &entry.key, input).await {
        Ok(()) => Outcome::Done(effect),
        Err(error) => unknown(effect, error.to_string()),
    }
}

/// Looks at the execution that the journal names.
pub async fn look(record: &Record, executions: &dyn Executions) -> Outcome {
    let (Some(machine), Some(name)) = (machine(record), record.execution()) else {
        return unknown(None, format!("{}: the journal names no execution", record.identity));
    };
    match executions.ended(&machine.state_machine_arn, name).await {
        Ok(ended) => Outcome::Execution { name: name.to_owned(), ended },
        Err(error) => unknown(None, error.to_string()),
    }
}

fn machine(record: &Record) -> Option<&StepFunctions> {
    record.class.executor.as_ref().map(|executor| &executor.step_functions)
}
