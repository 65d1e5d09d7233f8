//! One error of the reconcile, and what each kind leads to.

use std::time::Duration;

use comanda_saga::Reason;
use comanda_saga::transition::IllegalTransition;
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

impl Error {
    /// The kind, as metrics label it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ledger(_) => "ledger",
            Self::Conflict => "conflict",
            Self::Call(_) => "call",
            Self::Outdated => "outdated",
            Self::Kubernetes(_) => "kubernetes",
            Self::NotFound => "not_found",
            Self::Class(_) => "class",
            Self::Customer(_) => "customer",
            Self::Stopping => "stopping",
            Self::Defect(_) => "defect",
        }
    }

    /// The reason that a person reads in the status.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Class(_) => Reason::ClassNotReady,
            Self::Customer(_) => Reason::CustomerNotFound,
            _ => Reason::Retrying,
        }
    }

    /// True when what is held in memory may no longer be what the ledger holds.
    pub fn forgets(&self) -> bool {
        match self {
            // What was refused was not written: what is known still holds.
            Self::Ledger(error) => !matches!(error, LedgerError::Refused(_)),
            Self::Conflict | Self::Outdated | Self::Defect(_) => true,
            _ => false,
        }
    }

    /// How long to wait after the `failures`-th failure in a row: doubling from a quarter of a second
    /// to half a minute, with jitter, so that a thousand orders do not come back at once. A conflict
    /// only needs to be read again.
    pub fn backoff(&self, failures: u32, jitter: f64) -> Duration {
        let base = match self {
            Self::Conflict => Duration::from_millis(20),
            // The watch comes first; to try before it would be to be refused again.
            Self::Outdated => Duration::from_secs(5),
            Self::Class(_) | Self::Customer(_) => Duration::from_secs(2),
            _ => Duration::from_millis(250),
        };
        let doubled = base.saturating_mul(1 << failures.saturating_sub(1).min(7));
        doubled.min(Duration::from_secs(30)).mul_f64(0.5 + jitter.clamp(0.0, 1.0))
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
        let error = Error::Call(String::new());
        assert_eq!(error.backoff(1, 0.5), Duration::from_millis(250));
        assert_eq!(error.backoff(3, 0.5), Duration::from_secs(1));
        assert_eq!(error.backoff(40, 0.5), Duration::from_secs(30));
        assert_eq!(error.backoff(40, 1.0), Duration::from_secs(45));
    }

    #[test]
    fn what_is_in_memory_is_forgotten_when_the_ledger_may_hold_something_else() {
        let unreachable = LedgerError::Unreachable("timeout".to_owned());
        let changed = [LedgerError::Conflict.into(), Error::Outdated];
        for error in changed.into_iter().chain([unreachable.into(), Error::Defect(String::new())]) {
            assert!(Error::forgets(&error), "{error}");
        }
        // The outcome of a call is nowhere but in memory until it is written.
        let refused = LedgerError::Refused("AccessDeniedException".to_owned()).into();
        for error in [Error::Call(String::new()), Error::Kubernetes(String::new()), Error::Stopping, refused]
        {
            assert!(!error.forgets(), "{error}");
        }
    }

    #[test]
    fn a_conflict_is_read_again_at_once_and_a_class_that_cannot_be_used_is_not() {
        assert_eq!(Error::Conflict.backoff(1, 0.5), Duration::from_millis(20));
        assert_eq!(Error::Outdated.backoff(1, 0.5), Duration::from_secs(5));
        assert_eq!(Error::Class(String::new()).backoff(1, 0.5), Duration::from_secs(2));
    }
}
