//! What is done to an object, or to the ledger in its name: claim, finalizer, deletion.

use std::sync::Arc;

use comanda_crds::{FINALIZER, Order};
use comanda_saga::Write;
use comanda_saga::custody::Action;
use comanda_steps::customer::Contact;
use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::context::{Context, bounded};
use crate::customer;
use crate::error::Error;
use crate::faults::{self, Patched};
use crate::memory::Memory;

/// Does what custody asks for, in order. Whatever fails stops the actions behind it.
pub async fn act(
    actions: impl IntoIterator<Item = Action>,
    order: &Arc<Order>,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), Error> {
    let actions: Vec<Action> = actions.into_iter().collect();
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
            Action::Write(write) => self::write(*write, contact.as_ref(), order, memory, context).await?,
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

async fn write(
    write: Write,
    contact: Option<&Contact>,
    order: &Order,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), Error> {
    let services = context.services.of(&write.record.class)?;
    faults::before_write(order, memory.saved(), &write.record);
    if write.create {
        services.ledger.create(&write.record, contact).await?;
    } else {
        services.ledger.update(&write.record, write.stock).await?;
    }
    context.metrics.ledger_writes.inc();
    faults::after_write(order, memory.saved(), &write.record);
    memory.take_in_hand(write.record, Timestamp::now());
    Ok(())
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
    let patch_of = if wanted { Patched::FinalizerOn } else { Patched::FinalizerOff };
    faults::before_patch(order, patch_of);
    let result =
        bounded(orders.patch(&order.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await;
    context.metrics.api_writes.with_label_values(&["finalizer"]).inc();
    if result.is_ok() {
        faults::after_patch(order, patch_of);
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
