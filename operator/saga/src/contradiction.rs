//! What the rules say that cannot be: a defect, never an input error.

use crate::journal::IllegalMove;
use crate::transition::IllegalTransition;

/// Why the rules contradict each other.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// An order cannot go where it is sent.
    #[error(transparent)]
    Phase(#[from] IllegalTransition),
    /// An effect cannot stand as it is said to.
    #[error(transparent)]
    Entry(#[from] IllegalMove),
}
