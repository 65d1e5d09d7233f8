//! A step of the machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use comanda_crds::Cause;
use comanda_saga::driver::Step;
use comanda_steps::adapters;
use comanda_steps::calls::Services;
use comanda_steps::carry::InHand;
use comanda_steps::contract::{StepInput, StepOutput, StepResult};
use comanda_steps::ports::{Catalogue, Devices, Ledger};
use comanda_steps::step::{circumstances, take};
use jiff::Timestamp;
use tracing::info;

use super::load;
use crate::failure::Failure;
use crate::function::Function;
use crate::log::{self, Called};
use crate::ports::Invocation;
use crate::stack::Stack;

/// How often an order is read again in one invocation, because somebody else wrote meanwhile.
const REREADS: usize = 3;

/// Does a step of an order, and says how the machine goes on.
///
/// # Errors
/// Where nothing is proved, or the call contradicts the rules.
pub async fn step(
    function: Function,
    input: StepInput,
    context: &lambda_runtime::Context,
    stack: &Stack,
) -> Result<StepOutput, Failure> {
    let begun = Instant::now();
    let done = carry(function, &input, begun, context, stack).await;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let StepInput { order, execution, step, attempt, .. } = &input;
    let called = Called { order: &order.identity(), execution, step, attempt: *attempt };
    log::step(called, done.as_ref().map(|(output, cause)| (output, *cause)), milliseconds);
    done.map(|(output, _)| output)
}

/// What the step answers, and why the order is undone where that is the answer.
async fn carry(
    function: Function,
    input: &StepInput,
    begun: Instant,
    context: &lambda_runtime::Context,
    stack: &Stack,
) -> Result<(StepOutput, Option<Cause>), Failure> {
    let step: Step = input.step.parse().map_err(|_| unknown(function, &input.step))?;
    if !function.steps().contains(&step) {
        return Err(unknown(function, &input.step));
    }
    let identity = input.order.identity();
    let ledger = stack.ledger().await?;
    let ends = Instant::now() + left(context);
    let mut rereads = 0;
    loop {
        let read_at = Timestamp::now();
        let mut hand = InHand::read(load(&ledger, &identity).await?, read_at);
        let class = &hand.saved.class;
        let (payment_rules, payments) =
            (adapters::payment_rules(&class.payments), stack.payments(&class.payments).await?);
        let services = Services {
            ledger: &ledger as &dyn Ledger,
            catalogue: stack.catalogue.as_ref().map(|catalogue| catalogue as &dyn Catalogue),
            payment_rules,
            payments: payments.as_deref(),
            notifier: Some(&stack.notifier),
            devices: stack.devices.as_ref().map(|devices| devices as &dyn Devices),
            executions: None,
        };
        // No other invocation has it, and no other attempt of this one: Lambda repeats the id of a request.
        let writer = format!("{}/{}", context.request_id, uuid::Uuid::new_v4());
        let around = circumstances(&input.execution, step, payment_rules, writer);
        let invocation = Invocation { services, begun, ends };
        match take(&mut hand, &around, &invocation).await {
            Err(Failure::Outdated(why)) if rereads < REREADS => {
                rereads += 1;
                info!(order = %identity, %why, "the order is read again");
            }
            Err(error) => return Err(error),
            Ok(output) => {
                if function.tells() {
                    stack.tell(&identity, &input.execution).await?;
                }
                let fault = hand.saved.fault.filter(|_| output.result == StepResult::Undo);
                return Ok((output, fault.map(|fault| fault.cause)));
            }
        }
    }
}

/// What is left of the invocation.
fn left(context: &lambda_runtime::Context) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(context.deadline).saturating_sub(now)
}

fn unknown(function: Function, step: &str) -> Failure {
    let name: &str = function.into();
    Failure::Defect(format!("{name} does no step {step:?}: deploy machine and functions of one release"))
}
