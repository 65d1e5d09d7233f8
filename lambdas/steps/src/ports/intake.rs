//! What the HTTP intake and the operator need of each other.

use async_trait::async_trait;
use comanda_saga::Identity;

use super::LedgerError;
use crate::customer::Contact;
use crate::intake::{Announcement, Sent};

/// Orders as they were sent, in the ledger.
#[async_trait]
pub trait SentOrders: Send + Sync {
    /// Keeps an order and its customer, both or neither; false when one was sent under this identity before.
    async fn put_sent(
        &self,
        identity: &Identity,
        sent: &Sent,
        contact: &Contact,
    ) -> Result<bool, LedgerError>;

    /// The order as it was sent; none where nobody did.
    async fn sent(&self, identity: &Identity) -> Result<Option<Sent>, LedgerError>;

    /// Keeps why an order's caller cancels it. The first reason stays.
    async fn put_cancel(&self, identity: &Identity, reason: &str) -> Result<(), LedgerError>;
}

/// The way from the intake to the operator.
#[async_trait]
pub trait Announcements: Send + Sync {
    /// Tells of an order that is about to be written.
    async fn announce(&self, announcement: &Announcement) -> Result<(), AnnouncementError>;
}

/// The queue did not take an announcement, or its answer was lost.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the intake queue did not take the order: {0}")]
pub struct AnnouncementError(pub String);
