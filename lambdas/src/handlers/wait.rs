//! A state that waits: how to end the wait is kept beside the order, and then it is looked whether there is anything to
//! wait for. Whoever brings it afterwards finds how to end the wait; whoever brought it before has left it to be seen here.

use comanda_steps::adapters;
use comanda_steps::contract::{StepInput, waiting_step};
use comanda_steps::ports::{Executions, Ledger, Waiting};
use comanda_steps::step::would_go_on;
use jiff::Timestamp;

use super::load;
use crate::failure::Failure;
use crate::log::{self, Called};
use crate::stack::Stack;

/// Begins a wait.
///
/// # Errors
/// Where nothing is proved, or the call contradicts the rules.
pub async fn wait(input: StepInput, stack: &Stack) -> Result<(), Failure> {
    let done = begin(&input, stack).await;
    let StepInput { order, execution, step, attempt, .. } = &input;
    let called = Called { order: &order.identity(), execution, step, attempt: *attempt };
    log::wait(called, done.as_ref().copied());
    done.map(drop)
}

/// Says what became of it.
async fn begin(input: &StepInput, stack: &Stack) -> Result<&'static str, Failure> {
    let StepInput { order, execution, step: state, token, .. } = input;
    let (Some(step), Some(token)) = (waiting_step(state), token.clone()) else {
        return Err(Failure::Defect(format!("{state:?} is no state that waits on a token")));
    };
    let order = order.identity();
    let ledger = stack.ledger().await?;
    let waiting = Waiting { execution: execution.clone(), step, token };
    ledger.put_waiting(&order, &waiting).await?;
    let read_at = Timestamp::now();
    let loaded = load(&ledger, &order).await?;
    let rules = adapters::payment_rules(&loaded.record.class.payments);
    if would_go_on(loaded, execution, step, rules, read_at)? {
        stack.executions.wake(&waiting.token).await?;
        return Ok("GoesOn");
    }
    // The operator shows whom the order waits for.
    stack.tell(&order, execution).await?;
    Ok("Waits")
}
