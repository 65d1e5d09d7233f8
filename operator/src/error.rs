//! One error of the reconcile, and what each kind leads to.

use std::time::Duration;

use comanda_saga::Reason;
use comanda_saga::transition::IllegalTransition;
use comanda_steps::calls::CallError;
use comanda_steps::carry::CarryError;
use comanda_steps::ports::LedgerError;

/// Why a reconcile stopped before the order had to wait.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// The ledger does not answer, or not usably: nothing is done until it does.
    #[error("the ledger cannot be used: {0}")]
    Ledger(LedgerError),
    /// The record was written by somebody else, or by an earlier call of ours whose answer was lost.
    #[error("the ledger record changed meanwhile; it is read again")]
    Conflict,
    /// A call outside failed, or its answer was lost.
    #[error("{0}")]
    Call(String),
    /// What the order wants is paced, and its turn comes in so long: it is a wait, and no failure.
    #[error("the order waits for its turn to look at its execution")]
    NotYet(Duration),
    /// The object is no longer as it was read; the watch brings what it is now.
    #[error("the object changed meanwhile; the watch brings it")]
    Outdated,
    /// The API server refused or did not answer.
    #[error("the Kubernetes API: {0}")]
    Kubernetes(String),
    /// The object is not there any more.
    #[error("the object is gone")]
    NotFound,
    /// What the class names cannot be used.
    #[error("the order's class cannot be used: {0}")]
    Class(String),
    /// The customer's data cannot be read.
    #[error("{0}")]
    Customer(String),
    /// This process is stopping or no longer leads.
    #[error("this operator is stopping")]
    Stopping,
    /// A defect: the saga was asked for something impossible.
    #[error("defect, please report it: {0}")]
    Defect(String),
}

/// What an error leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handling {
    /// The kind, as metrics label it.
    pub kind: &'static str,
    /// What is held in memory may no longer be what the ledger holds.
    pub forgets: bool,
    /// When the object says so.
    pub shown: Shown,
    /// The reason that a person reads in the status; none when it is nobody's trouble.
    pub trouble: Option<Reason>,
    /// It counts as a failure: that somebody was faster is none.
    pub counts: bool,
    /// The pause after the first of them.
    pub pause: Duration,
}

/// When the object says that its order is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Never: it passes by itself, or it is the class's to tell.
    Never,
    /// The first time.
    AtOnce,
    /// When it did not pass by itself.
    WhenItLasts,
    /// The same, and not while the order's record could not even be read: then it is the class's to tell.
    WhenItLastsAndTheRecordIsKnown,
}

const SHORT: Duration = Duration::from_millis(250);
/// For what a person has to mend.
const LONG: Duration = Duration::from_secs(2);

impl Error {
    /// The policy of every error, in one table.
    pub fn handling(&self) -> Handling {
        use Shown::{AtOnce, Never, WhenItLasts, WhenItLastsAndTheRecordIsKnown};
        let retrying = Some(Reason::Retrying);
        let row = |kind, forgets, shown, trouble, pause| {
            let counts = !matches!(self, Self::Outdated | Self::NotYet(_));
            Handling { kind, forgets, shown, trouble, counts, pause }
        };
        match self {
            // What was refused was not written: what is known still holds.
            Self::Ledger(LedgerError::Refused(_)) => {
                row("ledger", false, WhenItLastsAndTheRecordIsKnown, retrying, SHORT)
            }
            Self::Ledger(LedgerError::Unreachable(_)) => row("ledger", true, Never, retrying, SHORT),
            Self::Ledger(_) => row("ledger", true, AtOnce, retrying, SHORT),
            // It only needs to be read again.
            Self::Conflict => row("conflict", true, Never, None, Duration::from_millis(20)),
            Self::Call(_) => row("call", false, WhenItLasts, retrying, SHORT),
            Self::NotYet(left) => row("not_yet", false, Never, None, *left),
            // The watch comes first; to try before it would be to be refused again.
            Self::Outdated => row("outdated", true, Never, None, Duration::from_secs(5)),
            Self::Kubernetes(_) => row("kubernetes", false, Never, retrying, SHORT),
            Self::NotFound => row("not_found", false, AtOnce, retrying, SHORT),
            Self::Class(_) => row("class", false, AtOnce, Some(Reason::ClassNotReady), LONG),
            Self::Customer(_) => row("customer", false, AtOnce, Some(Reason::CustomerNotFound), LONG),
            Self::Stopping => row("stopping", false, Never, None, SHORT),
            Self::Defect(_) => row("defect", true, AtOnce, retrying, SHORT),
        }
    }
}

impl Handling {
    /// How long to wait after the `failures`-th failure in a row: doubling up to half a minute, with jitter, so that a
    /// thousand orders do not come back at once.
    pub fn backoff(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.pause.saturating_mul(1 << failures.saturating_sub(1).min(7));
        doubled.min(Duration::from_secs(30)).mul_f64(0.5 + jitter.clamp(0.0, 1.0))
    }
}

impl From<CarryError> for Error {
    fn from(error: CarryError) -> Self {
        match error {
            CarryError::Ledger(error) => error.into(),
            CarryError::Unanswered(_) | CarryError::TooLate => Self::Call(error.to_string()),
            CarryError::Illegal(_) | CarryError::Endless => Self::Defect(error.to_string()),
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Customer(why) => Self::Customer(why),
            CallError::Ledger(error) => error.into(),
            CallError::NoCall(_) | CallError::No(_) => Self::Defect(error.to_string()),
        }
    }
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict => Self::Conflict,
            other => Self::Ledger(other),
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::NotFound,
            kube::Error::Api(status) if status.code == 409 => Self::Outdated,
            // The API server's own sentence; the rest of the type is noise to those who read it.
            kube::Error::Api(status) => Self::Kubernetes(status.message.clone()),
            other => Self::Kubernetes(other.to_string()),
        }
    }
}

impl From<IllegalTransition> for Error {
    fn from(error: IllegalTransition) -> Self {
        Self::Defect(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_half_a_minute_and_a_half() {
        let call = Error::Call(String::new()).handling();
        assert_eq!(call.backoff(1, 0.5), Duration::from_millis(250));
        assert_eq!(call.backoff(3, 0.5), Duration::from_secs(1));
        assert_eq!(call.backoff(40, 0.5), Duration::from_secs(30));
        assert_eq!(call.backoff(40, 1.0), Duration::from_secs(45));
    }

    /// Written out by hand, so that a change of the table is a change here too: what is forgotten, when the object
    /// tells, what reason it names, and the first pause.
    #[test]
    fn every_error_is_handled_as_its_row_says() {
        use Shown::{AtOnce, Never, WhenItLasts, WhenItLastsAndTheRecordIsKnown};
        let why = String::new;
        let retrying = Some(Reason::Retrying);
        let rows = [
            (LedgerError::Refused(why()).into(), false, WhenItLastsAndTheRecordIsKnown, retrying, 250),
            (LedgerError::Unreachable(why()).into(), true, Never, retrying, 250),
            (LedgerError::Corrupt(why()).into(), true, AtOnce, retrying, 250),
            (LedgerError::Conflict.into(), true, Never, None, 20),
            (CarryError::Unanswered(why()).into(), false, WhenItLasts, retrying, 250),
            (CarryError::TooLate.into(), false, WhenItLasts, retrying, 250),
            (CarryError::Endless.into(), true, AtOnce, retrying, 250),
            (Error::NotYet(Duration::from_secs(3)), false, Never, None, 3000),
            (Error::Outdated, true, Never, None, 5000),
            (Error::Kubernetes(why()), false, Never, retrying, 250),
            (Error::NotFound, false, AtOnce, retrying, 250),
            (Error::Class(why()), false, AtOnce, Some(Reason::ClassNotReady), 2000),
            (CallError::Customer(why()).into(), false, AtOnce, Some(Reason::CustomerNotFound), 2000),
            (Error::Stopping, false, Never, None, 250),
        ];
        for (error, forgets, shown, trouble, milliseconds) in rows {
            let error: Error = error;
            let found = error.handling();
            let pause = Duration::from_millis(milliseconds);
            assert_eq!(
                (found.forgets, found.shown, found.trouble, found.pause),
                (forgets, shown, trouble, pause),
                "{error}"
            );
            assert_eq!(found.counts, !matches!(error, Error::Outdated | Error::NotYet(_)), "{error}");
        }
    }
}
