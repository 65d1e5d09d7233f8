//! The phases of an order and what leads from one to the next: one match, nothing else moves a phase.

use comanda_crds::{Cause, Phase};
use strum::{EnumIter, IntoStaticStr};

/// What moves an order. Past tense: it has happened, and the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Event {
    /// The ledger holds the order for this object.
    Claimed,
    /// Checked, and the stock taken.
    Reserved,
    /// The amount is held on the customer's card.
    PaymentAuthorized,
    /// The customer was told, or telling was given up.
    NotificationSettled,
    /// The food is ready.
    KitchenReady,
    /// The customer has the food.
    CourierDelivered,
    /// Something or somebody stops the order: what was done is undone.
    FaultRaised,
    /// Everything is undone, of an order that was at fault itself.
    RejectionCompensated,
    /// Everything is undone, of an order somebody called off.
    CancellationCompensated,
    /// Everything is undone, of an order that a step failed.
    FailureCompensated,
    /// A person let the rest of the undo go.
    Abandoned,
}

/// An event that does not belong to the phase: a defect, never an input error.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("an order in phase {phase:?} cannot take the event {event:?}")]
pub struct IllegalTransition {
    /// Where the order was.
    pub phase: Phase,
    /// What was said to have happened.
    pub event: Event,
}

/// The phase after an event.
pub fn transition(phase: Phase, event: Event) -> Result<Phase, IllegalTransition> {
    use Event as E;
    use Phase as P;
    Ok(match (phase, event) {
        (P::Pending, E::Claimed) => P::Validating,
        (P::Validating, E::Reserved) => P::Paying,
        (P::Paying, E::PaymentAuthorized) => P::Notifying,
        (P::Notifying, E::NotificationSettled) => P::Preparing,
        (P::Preparing, E::KitchenReady) => P::Delivering,
        (P::Delivering, E::CourierDelivered) => P::Delivered,
        (P::Validating | P::Paying | P::Notifying | P::Preparing | P::Delivering, E::FaultRaised) => {
            P::Compensating
        }
        (P::Compensating, E::RejectionCompensated) => P::Rejected,
        (P::Compensating, E::CancellationCompensated) => P::Cancelled,
        (P::Compensating, E::FailureCompensated)
        | (
            P::Validating | P::Paying | P::Notifying | P::Preparing | P::Delivering | P::Compensating,
            E::Abandoned,
        ) => P::Failed,
        _ => return Err(IllegalTransition { phase, event }),
    })
}

/// How an order ends once what a cause demands is undone.
pub fn ending(cause: Cause) -> Event {
    match cause {
        Cause::InvalidCustomer
        | Cause::PriceMismatch
        | Cause::Unavailable
        | Cause::OutOfStock
        | Cause::PaymentDeclined
        | Cause::PaymentInvalid
        | Cause::PaymentNotConfirmed => Event::RejectionCompensated,
        Cause::CancelRequested | Cause::ObjectDeleted => Event::CancellationCompensated,
        Cause::KitchenRejected
        | Cause::KitchenTimedOut
        | Cause::CourierFailed
        | Cause::CourierTimedOut
        | Cause::CaptureFailed => Event::FailureCompensated,
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    /// Written out by hand, so that a change of the match is a change here too.
    const LEGAL: [(Phase, Event, Phase); 20] = [
        (Phase::Pending, Event::Claimed, Phase::Validating),
        (Phase::Validating, Event::Reserved, Phase::Paying),
        (Phase::Validating, Event::FaultRaised, Phase::Compensating),
        (Phase::Paying, Event::PaymentAuthorized, Phase::Notifying),
        (Phase::Paying, Event::FaultRaised, Phase::Compensating),
        (Phase::Notifying, Event::NotificationSettled, Phase::Preparing),
        (Phase::Notifying, Event::FaultRaised, Phase::Compensating),
        (Phase::Preparing, Event::KitchenReady, Phase::Delivering),
        (Phase::Preparing, Event::FaultRaised, Phase::Compensating),
        (Phase::Delivering, Event::CourierDelivered, Phase::Delivered),
        (Phase::Delivering, Event::FaultRaised, Phase::Compensating),
        (Phase::Compensating, Event::RejectionCompensated, Phase::Rejected),
        (Phase::Compensating, Event::CancellationCompensated, Phase::Cancelled),
        (Phase::Compensating, Event::FailureCompensated, Phase::Failed),
        (Phase::Validating, Event::Abandoned, Phase::Failed),
        (Phase::Paying, Event::Abandoned, Phase::Failed),
        (Phase::Notifying, Event::Abandoned, Phase::Failed),
        (Phase::Preparing, Event::Abandoned, Phase::Failed),
        (Phase::Delivering, Event::Abandoned, Phase::Failed),
        (Phase::Compensating, Event::Abandoned, Phase::Failed),
    ];

    #[test]
    fn every_pair_of_phase_and_event_is_listed_or_refused() {
        for phase in Phase::iter() {
            for event in Event::iter() {
                let expected = LEGAL.iter().find(|(from, by, _)| (*from, *by) == (phase, event));
                match (transition(phase, event), expected) {
                    (Ok(reached), Some((_, _, to))) => assert_eq!(reached, *to, "{phase:?} + {event:?}"),
                    (Err(refused), None) => assert_eq!(refused, IllegalTransition { phase, event }),
                    (result, _) => panic!("{phase:?} + {event:?} gave {result:?}"),
                }
            }
        }
    }

    #[test]
    fn final_phases_take_no_event() {
        for phase in Phase::iter().filter(|phase| phase.is_final()) {
            assert!(Event::iter().all(|event| transition(phase, event).is_err()));
        }
    }

    #[test]
    fn every_cause_ends_somewhere_final() {
        for cause in Cause::iter() {
            let end = transition(Phase::Compensating, ending(cause)).expect("an ending");
            assert!(end.is_final(), "{cause:?} ends in {end:?}");
        }
    }
}
