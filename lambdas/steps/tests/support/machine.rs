//! The state machine that carries an order, as `lambdas/statemachines/order.asl.json` has it: where it begins, and where an
//! answer leads.

use comanda_saga::Phase;
use comanda_saga::driver::{Answer, Step};

/// Where an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// A step is to be called, or is at work.
    Step(Step),
    /// Somebody is waited for; then this step is called again. True once it is time, or somebody woke it.
    Wait(Step, bool),
    /// It ended by itself.
    Ended,
    /// It was stopped, or failed, at this step.
    Stopped(Step),
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    /// Its name, which the journal knows.
    pub name: String,
    /// Where it is.
    pub at: At,
}

impl At {
    /// True while the execution runs.
    pub fn runs(self) -> bool {
        matches!(self, Self::Step(_) | Self::Wait(..))
    }

    /// The execution is stopped where it is.
    pub fn stopped(self) -> Self {
        match self {
            Self::Step(step) | Self::Wait(step, _) => Self::Stopped(step),
            ended => ended,
        }
    }
}

/// The step with which an execution begins that finds an order in this phase.
pub fn first(phase: Phase) -> Step {
    match phase {
        Phase::Pending | Phase::Validating => Step::ValidateOrder,
        Phase::Paying => Step::AuthorizePayment,
        Phase::Notifying => Step::ConfirmOrder,
        Phase::Preparing => Step::RequestPreparation,
        Phase::Delivering => Step::CapturePayment,
        Phase::Compensating => Step::RecallDevices,
        Phase::Delivered | Phase::Rejected | Phase::Cancelled | Phase::Failed => Step::HandBack,
    }
}

/// Where an answer leads.
pub fn route(step: Step, answer: Answer) -> At {
    let next = match (step, answer) {
        (Step::HandBack, _) | (Step::CloseOrder, Answer::Done) => return At::Ended,
        (step, Answer::Waiting) if waits(step) => return At::Wait(step, false),
        (step, Answer::Undo) if step.leads_forward() || step == Step::CloseOrder => Step::RecallDevices,
        (_, Answer::Waiting | Answer::Undo | Answer::Stop(_)) => Step::HandBack,
        (Step::ValidateOrder, Answer::Done) => Step::AuthorizePayment,
        (Step::AuthorizePayment, Answer::Done) => Step::ConfirmOrder,
        (Step::ConfirmOrder, Answer::Done) => Step::UpdateStatus,
        (Step::UpdateStatus, Answer::Done) => Step::RequestPreparation,
        (Step::RequestPreparation, Answer::Done) => Step::CapturePayment,
        (Step::CapturePayment, Answer::Done) => Step::RequestDelivery,
        (Step::RequestDelivery | Step::NotifyEnding, Answer::Done) => Step::CloseOrder,
        (Step::RecallDevices, Answer::Done) => Step::UndoPayment,
        (Step::UndoPayment, Answer::Done) => Step::ReleaseStock,
        (Step::ReleaseStock, Answer::Done) => Step::NotifyEnding,
    };
    At::Step(next)
}

/// The steps that may have to wait for somebody.
pub fn waits(step: Step) -> bool {
    matches!(
        step,
        Step::AuthorizePayment
            | Step::RequestPreparation
            | Step::CapturePayment
            | Step::RequestDelivery
            | Step::RecallDevices
            | Step::UndoPayment
            | Step::CloseOrder
    )
}
