//! The two errors of a function: what the machine tries again, and what it does not.

use comanda_saga::Contradiction;
use comanda_steps::calls::CallError;
use comanda_steps::carry::CarryError;
use comanda_steps::contract::errors;
use comanda_steps::ports::{ExecutionError, LedgerError, WakeError};
use comanda_steps::webhook::LookError;
use lambda_runtime::Diagnostic;

/// Why a call of a function has no answer. Neither holds personal data.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is proved: the machine tries again.
    #[error("{0}")]
    Transient(String),
    /// Somebody else wrote meanwhile, or it took too long: the ledger is read again, at once.
    #[error("{0}")]
    Outdated(String),
    /// The rules contradict each other, or whoever calls does: the execution fails here.
    #[error("{0}")]
    Defect(String),
}

impl Failure {
    /// What a log calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transient(_) => "Transient",
            Self::Outdated(_) => "Outdated",
            Self::Defect(_) => "Defect",
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let error_type = match failure {
            Failure::Transient(_) | Failure::Outdated(_) => errors::TRANSIENT,
            Failure::Defect(_) => errors::DEFECT,
        };
        Self { error_type: error_type.to_owned(), error_message: failure.to_string() }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict => Self::Outdated(error.to_string()),
            // What is refused or cannot be read waits for somebody to set it right, as all else does.
            _ => Self::Transient(error.to_string()),
        }
    }
}

impl From<CarryError> for Failure {
    fn from(error: CarryError) -> Self {
        match error {
            CarryError::Ledger(error) => error.into(),
            CarryError::TooLate => Self::Outdated(error.to_string()),
            CarryError::Unanswered(_) => Self::Transient(error.to_string()),
            CarryError::Illegal(_) | CarryError::Endless => Self::Defect(error.to_string()),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Ledger(error) => error.into(),
            CallError::Customer(_) => Self::Transient(error.to_string()),
            CallError::NoCall(_) | CallError::No(_) => Self::Defect(error.to_string()),
        }
    }
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Ledger(error) => error.into(),
            LookError::Payment(error) => Self::Transient(error.to_string()),
            LookError::Call(error) => error.into(),
            LookError::Carry(error) => error.into(),
            LookError::Execution(error) => error.into(),
        }
    }
}

impl From<Contradiction> for Failure {
    fn from(error: Contradiction) -> Self {
        Self::Defect(error.to_string())
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        Self::Transient(error.to_string())
    }
}

impl From<WakeError> for Failure {
    fn from(error: WakeError) -> Self {
        Self::Transient(error.to_string())
    }
}
