//! The phases of an order and what leads from one to the next: one match, nothing else moves a phase.

use comanda_crds::{Cause, Phase};
use strum::{EnumIter, IntoStaticStr};

/// What moves an order. Past tense: it has happened, and the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Trigger {
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

/// A trigger that does not belong to the phase: a defect, never an input error.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("an order in phase {phase:?} cannot take the trigger {trigger:?}")]
pub struct IllegalTransition {
    /// Where the order was.
    pub phase: Phase,
    /// What was said to have happened.
    pub trigger: Trigger,
}

/// The phase after a trigger.
pub fn transition(phase: Phase, trigger: Trigger) -> Result<Phase, IllegalTransition> {
    use Phase as P;
    use Trigger as T;
    Ok(match (phase, trigger) {
        (P::Pending, T::Claimed) => P::Validating,
        (P::Validating, T::Reserved) => P::Paying,
        (P::Paying, T::PaymentAuthorized) => P::Notifying,
        (P::Notifying, T::NotificationSettled) => P::Preparing,
        (P::Preparing, T::KitchenReady) => P::Delivering,
        (P::Delivering, T::CourierDelivered) => P::Delivered,
        (P::Validating | P::Paying | P::Notifying | P::Preparing | P::Delivering, T::FaultRaised) => {
            P::Compensating
        }
        (P::Compensating, T::RejectionCompensated) => P::Rejected,
        (P::Compensating, T::CancellationCompensated) => P::Cancelled,
        (P::Compensating, T::FailureCompensated)
        | (
            P::Validating | P::Paying | P::Notifying | P::Preparing | P::Delivering | P::Compensating,
            T::Abandoned,
        ) => P::Failed,
        _ => return Err(IllegalTransition { phase, trigger }),
    })
}

/// How an order ends once what a cause demands is undone.
pub fn ending(cause: Cause) -> Trigger {
    match cause.ends_as() {
        Phase::Rejected => Trigger::RejectionCompensated,
        Phase::Cancelled => Trigger::CancellationCompensated,
        _ => Trigger::FailureCompensated,
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    /// Written out by hand, so that a change of the match is a change here too.
    const LEGAL: [(Phase, Trigger, Phase); 20] = [
        (Phase::Pending, Trigger::Claimed, Phase::Validating),
        (Phase::Validating, Trigger::Reserved, Phase::Paying),
        (Phase::Validating, Trigger::FaultRaised, Phase::Compensating),
        (Phase::Paying, Trigger::PaymentAuthorized, Phase::Notifying),
        (Phase::Paying, Trigger::FaultRaised, Phase::Compensating),
        (Phase::Notifying, Trigger::NotificationSettled, Phase::Preparing),
        (Phase::Notifying, Trigger::FaultRaised, Phase::Compensating),
        (Phase::Preparing, Trigger::KitchenReady, Phase::Delivering),
        (Phase::Preparing, Trigger::FaultRaised, Phase::Compensating),
        (Phase::Delivering, Trigger::CourierDelivered, Phase::Delivered),
        (Phase::Delivering, Trigger::FaultRaised, Phase::Compensating),
        (Phase::Compensating, Trigger::RejectionCompensated, Phase::Rejected),
        (Phase::Compensating, Trigger::CancellationCompensated, Phase::Cancelled),
        (Phase::Compensating, Trigger::FailureCompensated, Phase::Failed),
        (Phase::Validating, Trigger::Abandoned, Phase::Failed),
        (Phase::Paying, Trigger::Abandoned, Phase::Failed),
        (Phase::Notifying, Trigger::Abandoned, Phase::Failed),
        (Phase::Preparing, Trigger::Abandoned, Phase::Failed),
        (Phase::Delivering, Trigger::Abandoned, Phase::Failed),
        (Phase::Compensating, Trigger::Abandoned, Phase::Failed),
    ];

    #[test]
    fn every_pair_of_phase_and_trigger_is_listed_or_refused() {
        for phase in Phase::iter() {
            for trigger in Trigger::iter() {
                let expected = LEGAL.iter().find(|(from, by, _)| (*from, *by) == (phase, trigger));
                match (transition(phase, trigger), expected) {
                    (Ok(reached), Some((_, _, to))) => assert_eq!(reached, *to, "{phase:?} + {trigger:?}"),
                    (Err(refused), None) => assert_eq!(refused, IllegalTransition { phase, trigger }),
                    (result, _) => panic!("{phase:?} + {trigger:?} gave {result:?}"),
                }
            }
        }
    }

    #[test]
    fn final_phases_take_no_trigger() {
        for phase in Phase::iter().filter(|phase| phase.is_final()) {
            assert!(Trigger::iter().all(|trigger| transition(phase, trigger).is_err()));
        }
    }

    #[test]
    fn every_cause_ends_somewhere_final() {
        for cause in Cause::iter() {
            assert_eq!(transition(Phase::Compensating, ending(cause)), Ok(cause.ends_as()), "{cause:?}");
            assert!(cause.ends_as().is_final(), "{cause:?}");
        }
    }
}
