//! All effects of a reconcile. Whatever fails stops the actions behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use comanda_crds::{FINALIZER, Order};
use comanda_saga::{Action, Call, Cause, Fault, Outcome, Point, Site, StockChange, Write};
use comanda_steps::customer::Contact;
use comanda_steps::ports::LedgerError;
use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use tracing::info;

use crate::context::{Context, bounded};
use crate::customer;
use crate::error::Error;
use crate::executor::Executor;
use crate::faults;
use crate::live::Memory;

/// A call follows its intent within this time, or the intent is taken again: whoever was paused in
/// between may have been replaced. Monotonic, so that a clock set back does not matter.
const INTENT_LIFETIME: Duration = Duration::from_secs(30);

/// Does what a decision asks for, in order.
pub async fn act(
    actions: Vec<Action>,
    order: &Arc<Order>,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), Error> {
    let begun = Instant::now();
    // An object gets the finalizer when nothing is missing for the claim behind it: until then it may go freely.
    let contact = if claims(&actions) { customer::read(order, context).await? } else { None };
    for action in actions {
        if context.is_stopping() {
            return Err(Error::Stopping);
        }
        match action {
            Action::AddFinalizer => set_finalizer(order, true, memory, context).await?,
            Action::RemoveFinalizer => set_finalizer(order, false, memory, context).await?,
            Action::DeleteObject => {
                delete(order, context).await?;
                // What is left comes with the watch: the object, now being deleted.
                memory.released = true;
            }
            Action::Write(write) => {
                if !self::write(*write, contact.as_ref(), order, memory, context).await? {
                    return Ok(());
                }
            }
            Action::Call(call) => {
                if begun.elapsed() > INTENT_LIFETIME {
                    return Err(Error::Call("too late after its intent; it is taken again".to_owned()));
                }
                self::call(call, order, memory, context).await?;
            }
        }
    }
    Ok(())
}

/// True when an order is begun: the customer's data is kept with its record, for as long as the order lasts.
fn claims(actions: &[Action]) -> bool {
    actions.iter().any(
        |action| matches!(action, Action::Write(write) if write.create && !write.record.phase.is_final()),
    )
}

/// Writes the record; false when the write said no and the order takes another way.
async fn write(
    write: Write,
    contact: Option<&Contact>,
    order: &Order,
    memory: &mut Memory,
    context: &Context,
) -> Result<bool, Error> {
    let services = context.services.of(&write.record.class)?;
    faults::before_write(order, memory.saved.as_ref(), &write.record);
    let result = if write.create {
        services.ledger.create(&write.record, contact).await
    } else {
        services.ledger.update(&write.record, write.stock).await
    };
    match result {
        Ok(()) => {
            context.metrics.ledger_writes.inc();
            faults::after_write(order, memory.saved.as_ref(), &write.record);
            memory.saved = Some(write.record.clone());
            memory.record = Some(write.record);
            Ok(true)
        }
        Err(LedgerError::OutOfStock { skus }) if write.stock == StockChange::Take => {
            let fault = Fault {
                cause: Cause::OutOfStock,
                message: format!("The store does not have enough of: {}.", skus.join(", ")),
            };
            apply(Outcome::Refused(fault), memory);
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn call(call: Call, order: &Order, memory: &mut Memory, context: &Context) -> Result<(), Error> {
    let record = memory.record.as_ref().ok_or_else(|| Error::Defect("a call without a record".to_owned()))?;
    let step = call.name();
    let started = Instant::now();
    let outcome = context.executor.run(call, record).await?;
    if let Some(effect) = call.effect() {
        faults::at(order, Site::Effect(effect), Point::Answered);
    }
    let (result, failure) = match &outcome {
        Outcome::Unknown { message, .. } => ("unknown", Some(message.clone())),
        Outcome::Refused(fault) => (fault.cause.name(), None),
        Outcome::NeedsPerson(stall) => (stall.reason.name(), None),
        _ => ("ok", None),
    };
    context.metrics.step(step, result, started.elapsed());
    if let Some(effect) = call.effect().filter(|effect| effect.undoes()) {
        context.metrics.compensations.with_label_values(&[effect.name(), result]).inc();
    }
    info!(
        step,
        result,
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "step"
    );
    if matches!(outcome, Outcome::Payment(_) | Outcome::Refund(_)) {
        memory.payment_seen_at = Some(Timestamp::now());
    }
    apply(outcome, memory);
    failure.map_or(Ok(()), |message| Err(Error::Call(message)))
}

fn apply(outcome: Outcome, memory: &mut Memory) {
    if let Some(record) = &mut memory.record {
        record.apply(outcome, Timestamp::now());
    }
}

/// Puts the finalizer on or takes it off, on condition that the object is as it was read.
async fn set_finalizer(
    order: &Order,
    wanted: bool,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), Error> {
    let mut finalizers: Vec<&str> =
        order.finalizers().iter().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER).collect();
    if wanted {
        finalizers.push(FINALIZER);
    }
    let patch = json!({"metadata": {"resourceVersion": order.resource_version(), "finalizers": finalizers}});
    let orders: Api<Order> = Api::namespaced(context.client.clone(), &order.namespace().unwrap_or_default());
    let site = if wanted { Site::FinalizerOn } else { Site::FinalizerOff };
    faults::at(order, site, Point::BeforeIntent);
    let result =
        bounded(orders.patch(&order.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await;
    context.metrics.api_writes.with_label_values(&["finalizer"]).inc();
    if result.is_ok() {
        faults::at(order, site, Point::AfterOutcome);
    }
    match result {
        Ok(written) if wanted => {
            memory.written = Some(Arc::new(written));
            Ok(())
        }
        Ok(_) | Err(Error::NotFound) if !wanted => {
            memory.released = true;
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn delete(order: &Order, context: &Context) -> Result<(), Error> {
    let orders: Api<Order> = Api::namespaced(context.client.clone(), &order.namespace().unwrap_or_default());
    let same = Preconditions { uid: order.uid(), resource_version: None };
    let result =
        bounded(orders.delete(
            &order.name_any(),
            &DeleteParams { preconditions: Some(same), ..DeleteParams::default() },
        ))
        .await;
    context.metrics.api_writes.with_label_values(&["delete"]).inc();
    match result {
        Ok(_) | Err(Error::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}
