//! A state that waits: how to end the wait is kept beside the order, and then it is looked whether there is anything to
//! wait for. Whoever brings it afterwards finds how to end the wait; whoever brought it before has left it to be seen here.

use comanda_steps::adapters;
use comanda_steps::contract::{StepInput, waiting_step};
use comanda_steps::ports::{Executions, Ledger, Waiting};
use comanda_steps::step::would_go_on;
use jiff::Timestamp;
use tracing::info;

use super::load;
use crate::failure::Failure;
use crate::stack::Stack;

/// Begins a wait.
///
/// # Errors
/// Where nothing is proved, or the call contradicts the rules.
pub async fn wait(input: StepInput, stack: &Stack) -> Result<(), Failure> {
    let StepInput { order, execution, step: state, token, attempt } = input;
    let (Some(step), Some(token)) = (waiting_step(&state), token) else {
        return Err(Failure::Defect(format!("{state:?} is no state that waits on a token")));
    };
    let order = order.identity();
    let ledger = stack.ledger().await?;
    let waiting = Waiting { execution: execution.clone(), step, token };
    ledger.put_waiting(&order, &waiting).await?;
    let read_at = Timestamp::now();
    let loaded = load(&ledger, &order).await?;
    let rules = adapters::payment_rules(&loaded.record.class.payments);
    let outcome = if would_go_on(loaded, &execution, step, rules, read_at)? {
        stack.executions.wake(&waiting.token).await?;
        "GoesOn"
    } else {
        // The operator shows whom the order waits for.
        stack.tell(&order, &execution).await?;
        "Waits"
    };
    info!(%order, %execution, step = %state, attempt, outcome, "wait");
    Ok(())
}
