//! What the world sees: the status, patched once and only when it is news, and Events.

use std::sync::Arc;

use comanda_crds::{ConditionType, Order, OrderStatus, Phase, Reason};
use comanda_saga::status::{carry_times, is_news};
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use tracing::debug;

use crate::context::{Context, bounded};
use crate::error::Error;
use crate::faults::{self, Patched};
use crate::memory::Memory;

/// Longest note of an Event, in bytes: the API server refuses a longer one, and nobody sees it.
/// Source: `NoteLengthLimit`, compared with Go's `len` of the string, in `pkg/apis/core/validation/events.go` of
/// Kubernetes; its message says characters.
const NOTE_BYTES: usize = 1024;
/// Ends a note that was cut. The condition has the whole message.
const CUT: &str = " [...]";

/// Patches the status if somebody outside must see it, and tells of it in an Event. The patch names the version
/// it was decided on: of an operator that was replaced while it was paused, nobody must see what it knew then.
pub async fn report(
    order: &Order,
    mut status: OrderStatus,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), Error> {
    let before = order.status.clone().unwrap_or_default();
    carry_times(&mut status, &before);
    // Of an order that ended, an operator that cannot read the ledger knows less than the object says.
    let forgetful = before.phase.is_final() && status.phase == Phase::Pending;
    if forgetful || !is_news(&status, &before) || context.is_stopping() {
        return Ok(());
    }
    let patch = json!({"metadata": {"resourceVersion": order.resource_version()}, "status": status});
    let orders: Api<Order> = Api::namespaced(context.client.clone(), &order.namespace().unwrap_or_default());
    let name = order.name_any();
    context.metrics.api_writes.with_label_values(&["status"]).inc();
    faults::before_patch(order, Patched::Status);
    match bounded(orders.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch))).await {
        Ok(written) => {
            faults::after_patch(order, Patched::Status);
            memory.written = Some(Arc::new(written));
        }
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Some(event) = event(&status, before.phase) {
        // An Event is a courtesy: a namespace being deleted refuses it, and the order goes on.
        // A recorder that lives longer would hold every Event it published, and count a later one of the same
        // reason as a repetition, whose message nobody sees.
        let recorder = Recorder::new(context.client.clone(), context.reporter.clone());
        if let Err(error) = recorder.publish(&event, &order.object_ref(&())).await {
            debug!(%error, "the Event was not taken");
        }
    }
    Ok(())
}

/// At most two Events tell of a delivered order: confirmed, and delivered.
fn event(status: &OrderStatus, before: Phase) -> Option<Event> {
    let find =
        |kind: ConditionType| status.conditions.iter().find(|condition| condition.type_ == kind.name());
    let ready = find(ConditionType::Ready)?;
    if let Some(stalled) = find(ConditionType::Stalled) {
        return Some(note(EventType::Warning, &stalled.reason, &stalled.message));
    }
    if status.phase == before {
        let refused = ready.reason == Reason::CancelRefused.name();
        return refused.then(|| note(EventType::Warning, &ready.reason, &ready.message));
    }
    match status.phase {
        Phase::Preparing => {
            let total = status.total.as_deref().unwrap_or_default();
            Some(note(
                EventType::Normal,
                Reason::Confirmed.name(),
                &format!("{total} is authorized; the kitchen was told."),
            ))
        }
        Phase::Delivered => Some(note(EventType::Normal, status.phase.name(), &ready.message)),
        Phase::Compensating => Some(note(EventType::Warning, &ready.reason, &ready.message)),
        // Another reason than while it was being undone, or the two would count as one Event.
        Phase::Rejected | Phase::Cancelled | Phase::Failed => {
            Some(note(EventType::Warning, status.phase.name(), &ready.message))
        }
        _ => None,
    }
}

fn note(type_: EventType, reason: &str, message: &str) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(cut(message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// A message as long as a note may be, cut between two characters.
fn cut(message: &str) -> String {
    if message.len() <= NOTE_BYTES {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(NOTE_BYTES - CUT.len());
    format!("{}{CUT}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_message_of_1024_bytes_is_told_whole() {
        let message = "ñ".repeat(512);
        assert_eq!(cut(&message), message);
    }

    #[test]
    fn a_longer_message_is_cut_by_bytes_and_says_so() {
        // 513 letters, which is fewer than 1,024, in 1,026 bytes. 1,018 of them are left beside the mark.
        let cut = cut(&"ñ".repeat(513));
        assert_eq!(cut, format!("{} [...]", "ñ".repeat(509)));
        assert_eq!(cut.len(), 1024);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        // The 1,018th byte is the second of the 340th character's three.
        let cut = cut(&format!("{}厨房", "厨".repeat(341)));
        assert_eq!(cut, format!("{} [...]", "厨".repeat(339)));
    }
}
