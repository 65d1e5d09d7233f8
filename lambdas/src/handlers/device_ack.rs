//! What a device said: kept, and then it is looked whether the execution that waits would go on. What is said moves
//! nothing by itself: the step that is woken reads the ledger.

use comanda_steps::adapters;
use comanda_steps::adapters::dynamodb::Said;
use comanda_steps::calls;
use comanda_steps::ports::{Executions, Ledger};
use comanda_steps::step::would_go_on;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::failure::Failure;
use crate::stack::Stack;

/// Takes in what the IoT rule makes of a message: the item that the rule's other action puts as well. The two come in any
/// order, and keep the same.
///
/// # Errors
/// Where nothing is proved: Lambda calls it again.
pub async fn device_ack(said: Said, stack: &Stack) -> Result<(), Failure> {
    let Some(order) = said.identity() else {
        warn!(
            "the IoT rule sent something that is no message of a device: deploy rule and functions of one release"
        );
        return Ok(());
    };
    let ledger = stack.ledger().await?;
    ledger.keep(&said).await?;
    let read_at = Timestamp::now();
    // Of orders of which the ledger does not know, anybody can speak.
    let Some(loaded) = calls::load(&ledger, &order).await? else { return Ok(()) };
    // The operator hears by itself of what no execution carries.
    let Some(execution) = loaded.record.execution().map(str::to_owned) else { return Ok(()) };
    let Some(waiting) = ledger.waiting(&order, &execution).await? else { return Ok(()) };
    let rules = adapters::payment_rules(&loaded.record.class.payments);
    let wakes = would_go_on(loaded, &execution, waiting.step, rules, read_at)?;
    if wakes {
        stack.executions.wake(&waiting.token).await?;
    }
    let outcome = if wakes { "Woken" } else { "Kept" };
    info!(%order, %execution, step = waiting.step.name(), outcome, "device-ack");
    Ok(())
}
