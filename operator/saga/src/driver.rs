//! Who carries an order on, and what of it is theirs.
//!
//! An order's class may delegate phases to Step Functions. An order in such a phase is carried by one execution of a state
//! machine, whose states each call a step: a Lambda that runs the same decisions over the same record. In any other phase
//! the operator carries it. An execution acts only while the journal names it.

use comanda_crds::Phase;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, EnumString, IntoStaticStr};

use crate::effect::Effect;
use crate::next::Look;
use crate::record::{Direction, Record};

/// Whoever asks what an order wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Driver {
    /// The operator: all that the class does not delegate, and what people ask for.
    Operator,
    /// A step of an execution.
    Execution {
        /// The execution's name.
        name: String,
        /// The step.
        step: Step,
    },
    /// Whoever is told that something became of a payment: they look it up, write what they learn, and do nothing else. An
    /// order may be in any phase and in anybody's hands, and may be over.
    Looker,
}

/// A step of the state machine, by the name of its state.
#[derive(
    Serialize,
    Deserialize,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
pub enum Step {
    /// Address, contact and prices hold; the stock is taken.
    ValidateOrder,
    /// The amount is held on the customer's card.
    AuthorizePayment,
    /// The customer is told.
    ConfirmOrder,
    /// Paid, and in preparation.
    UpdateStatus,
    /// The kitchen is told; what it answered is read.
    RequestPreparation,
    /// The held amount is taken.
    CapturePayment,
    /// Couriers are told, one is assigned; what they answered is read.
    RequestDelivery,
    /// Undo: courier and kitchen are stopped.
    RecallDevices,
    /// Undo: the payment is cancelled, or refunded.
    UndoPayment,
    /// Undo: the stock is returned, or recorded as spent.
    ReleaseStock,
    /// Undo: the customer is told how it ended.
    NotifyEnding,
    /// The last write: the final phase.
    CloseOrder,
    /// The execution gives the order back.
    HandBack,
}

/// What of an order is a step's.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The phases in which it works.
    pub phases: &'static [Phase],
    /// The effects it brings about.
    pub effects: &'static [Effect],
    /// What it looks at. What devices said, every step reads.
    pub looks: &'static [Look],
    /// The phases that it leads to.
    pub enters: &'static [Phase],
}

/// What a step answers to the machine, which goes on by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The step's part is done.
    Done,
    /// Somebody has to be waited for; the step is called again then.
    Waiting,
    /// The order is to be undone.
    Undo,
    /// The execution ends here.
    Stop(Stop),
}

/// Why an execution ends before its order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum Stop {
    /// The rest is the operator's.
    HandedBack,
    /// A person is needed.
    NeedsPerson,
    /// The journal names another execution, or none.
    Superseded,
}

const FINAL: [Phase; 4] = [Phase::Delivered, Phase::Rejected, Phase::Cancelled, Phase::Failed];

impl Step {
    /// The step's name: that of its state.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// True for a step of the way forward.
    pub fn leads_forward(self) -> bool {
        self < Self::RecallDevices
    }

    /// What of an order is the step's.
    pub fn share(self) -> Share {
        use Phase as P;
        let share = |phases, effects, looks, enters| Share { phases, effects, looks, enters };
        match self {
            Self::ValidateOrder => {
                share(&[P::Validating], &[Effect::Reserve], &[Look::Validation], &[P::Paying])
            }
            Self::AuthorizePayment => share(
                &[P::Paying],
                &[Effect::OpenPayment, Effect::Authorize, Effect::Capture],
                &[Look::Payment],
                &[P::Notifying],
            ),
            Self::ConfirmOrder => share(&[P::Notifying], &[Effect::NotifyConfirmed], &[], &[]),
            Self::UpdateStatus => share(&[P::Notifying], &[], &[], &[P::Preparing]),
            Self::RequestPreparation => share(&[P::Preparing], &[Effect::Prepare], &[], &[P::Delivering]),
            Self::CapturePayment => share(&[P::Delivering], &[Effect::Capture], &[Look::Payment], &[]),
            Self::RequestDelivery => share(&[P::Delivering], &[Effect::Deliver, Effect::Assign], &[], &[]),
            Self::RecallDevices => {
                share(&[P::Compensating], &[Effect::RecallCourier, Effect::RecallKitchen], &[], &[])
            }
            Self::UndoPayment => share(
                &[P::Compensating],
                &[Effect::OpenPayment, Effect::CancelPayment, Effect::Refund],
                &[Look::Payment, Look::Refunds],
                &[],
            ),
            Self::ReleaseStock => share(&[P::Compensating], &[Effect::Release], &[], &[]),
            Self::NotifyEnding => share(&[P::Compensating], &[Effect::NotifyEnding], &[], &[]),
            Self::CloseOrder => share(&[P::Delivering, P::Compensating], &[], &[Look::Refunds], &FINAL),
            Self::HandBack => share(&[], &[], &[], &[]),
        }
    }

    /// What the step answers once the order was carried as far as it is the step's.
    ///
    /// `waits` is true when it then waits for somebody, and false when what comes next is not the step's.
    pub fn answer(self, execution: &str, record: &Record, waits: bool, now: Timestamp) -> Answer {
        if record.phase.is_final() && record.is_executed_by(execution) {
            return Answer::Done;
        }
        if !record.is_executed_by(execution) {
            // Whoever hands an order back is named no more by that.
            let stop = if record.is_stalled() { Stop::NeedsPerson } else { Stop::HandedBack };
            return Answer::Stop(if self == Self::HandBack { stop } else { Stop::Superseded });
        }
        if record.is_stalled() {
            return Answer::Stop(Stop::NeedsPerson);
        }
        if !record.is_delegated(now) {
            return Answer::Stop(Stop::HandedBack);
        }
        // Only another record than the machine went by is not over by now: a last moment's fault has turned it round.
        let out_of_turn = self == Self::CloseOrder && !waits;
        if record.direction == Direction::Undo && (self.leads_forward() || out_of_turn) {
            return Answer::Undo;
        }
        // Suspended, what is over goes on: nothing that begins does.
        let suspended = waits && record.suspended && record.direction == Direction::Forward;
        if suspended || out_of_turn {
            return Answer::Stop(Stop::HandedBack);
        }
        if waits { Answer::Waiting } else { Answer::Done }
    }
}

impl Driver {
    /// True for the operator.
    pub fn is_operator(&self) -> bool {
        *self == Self::Operator
    }

    /// True when the order, as it stands, is this driver's to carry.
    pub(crate) fn carries(&self, record: &Record, now: Timestamp) -> bool {
        match self {
            Self::Operator => !record.is_delegated(now),
            Self::Execution { name, step } => {
                record.is_executed_by(name)
                    && record.is_delegated(now)
                    && step.share().phases.contains(&record.phase)
            }
            Self::Looker => false,
        }
    }

    /// True when an effect is this driver's, where it carries the order.
    pub(crate) fn brings_about(&self, effect: Effect) -> bool {
        match self {
            Self::Operator => true,
            Self::Execution { step, .. } => step.share().effects.contains(&effect),
            Self::Looker => false,
        }
    }

    /// True when this driver may look at something, where it carries the order.
    pub(crate) fn looks_at(&self, look: Look) -> bool {
        match self {
            Self::Operator => true,
            Self::Execution { step, .. } => look == Look::Events || step.share().looks.contains(&look),
            Self::Looker => matches!(look, Look::Payment | Look::Refunds),
        }
    }

    /// True when this driver may lead the order to a phase. Whoever carries it may turn it round.
    pub(crate) fn enters(&self, phase: Phase) -> bool {
        match self {
            Self::Operator => true,
            Self::Execution { step, .. } => {
                phase == Phase::Compensating || step.share().enters.contains(&phase)
            }
            Self::Looker => false,
        }
    }
}
