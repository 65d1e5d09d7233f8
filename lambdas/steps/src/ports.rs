//! What the steps need of the outside, in their own words. Each trait has one adapter in
//! [`adapters`](crate::adapters); tests write their own.

mod intake;
mod machine;

use async_trait::async_trait;
use comanda_saga::{DeviceEvent, Identity, Money, PaymentView, Record, RefundView, StockChange};
use jiff::SignedDuration;
use serde::Serialize;

use crate::customer::Contact;

pub use intake::{AnnouncementError, Announcements, SentOrders};
pub use machine::{ExecutionError, Executions, Inbox, InboxError, Received, Waiting, WakeError, Wakes};

/// The system of record.
#[async_trait]
pub trait Ledger: SentOrders {
    /// The order as it is now, with everything devices said about it; none when it was never claimed.
    async fn load(&self, identity: &Identity) -> Result<Option<Loaded>, LedgerError>;

    /// Claims an order that has no owner, and keeps the customer's contact for a later undo; none when
    /// the intake has put it there already.
    async fn create(&self, record: &Record, contact: Option<&Contact>) -> Result<(), LedgerError>;

    /// Replaces version `next.version - 1`, and moves the stock of every line, all or nothing.
    async fn update(&self, next: &Record, stock: StockChange) -> Result<(), LedgerError>;

    /// Keeps what a device said; false when it was known.
    async fn put_event(&self, identity: &Identity, event: &DeviceEvent) -> Result<bool, LedgerError>;

    /// What an `IoT` rule kept of what the devices of the order's store said, in any order: nothing where there
    /// is no such rule.
    async fn events_kept_by_rule(&self, record: &Record) -> Result<Vec<DeviceEvent>, LedgerError>;

    /// The customer's contact; none once it expired.
    async fn contact(&self, identity: &Identity) -> Result<Option<Contact>, LedgerError>;

    /// Keeps how to end the wait of an execution, in place of its wait before.
    async fn put_waiting(&self, identity: &Identity, waiting: &Waiting) -> Result<(), LedgerError>;

    /// How to end the wait of an execution; none when it never waited. It may be over.
    async fn waiting(&self, identity: &Identity, execution: &str) -> Result<Option<Waiting>, LedgerError>;

    /// Whether the ledger answers.
    async fn ping(&self) -> Result<(), LedgerError>;
}

/// An order as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its record.
    pub record: Record,
    /// What devices said, oldest first.
    pub events: Vec<DeviceEvent>,
}

/// Why the ledger did not do as asked.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum LedgerError {
    /// Somebody else wrote: read again. Nothing was written.
    #[error("the order was written by somebody else: read it again")]
    Conflict,
    /// The stock does not cover these articles. Nothing was written.
    #[error("the stock does not cover {}", skus.join(", "))]
    OutOfStock {
        /// The articles that are short.
        skus: Vec<String>,
    },
    /// No answer, or one that passes by itself, as when it has too much to do. A write may have happened: repeat
    /// the same one.
    #[error("the ledger does not answer: {0}")]
    Unreachable(String),
    /// It refuses, and goes on refusing until somebody changes something: a right, a table, an item. Nothing was
    /// written.
    #[error("the ledger refuses: {0}")]
    Refused(String),
    /// What the ledger holds cannot be read: a person has to look.
    #[error("the ledger holds something that cannot be read: {0}")]
    Corrupt(String),
}

/// What a store sells.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// What the store's catalogue says of `skus`, in any order; nothing of those that it does not have.
    async fn articles(
        &self,
        installation: &str,
        store: &str,
        skus: &[&str],
    ) -> Result<Vec<Listing>, CatalogueError>;
}

/// What a catalogue says of one article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The store has it.
    Article(Article),
    /// The store's entry cannot be read. The other articles sell on.
    Unreadable {
        /// The article's name in the store.
        sku: String,
        /// What is wrong, such as `its price is not a whole number`.
        why: String,
    },
}

/// An article of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Its name in the store.
    pub sku: String,
    /// Price of one, in minor units.
    pub price: i64,
    /// ISO 4217 code of the price.
    pub currency: String,
    /// The store sells it now.
    pub available: bool,
    /// How many are left; a hint, because only the reservation takes them.
    pub stock: i64,
    /// Its name for people.
    pub name: String,
}

/// Why the catalogue did not answer.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum CatalogueError {
    /// No answer.
    #[error("the catalogue does not answer: {0}")]
    Unreachable(String),
}

/// What is known of a payment provider beforehand: nobody is asked, and it takes no account.
pub trait PaymentRules: Send + Sync {
    /// Whether the provider can charge an amount at all.
    fn check_amount(&self, amount: &Money) -> Result<(), Unchargeable>;
    /// How long a key is certain to be known: until then, the same key is the same call.
    fn key_lifetime(&self) -> SignedDuration;
}

/// The payment provider. Every call that has an effect carries a key.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Makes a payment that is not confirmed and holds no money.
    async fn create(&self, payment: &NewPayment<'_>) -> Result<PaymentView, PaymentError>;
    /// Confirms: the amount is held, or the customer has to act.
    async fn confirm(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError>;
    /// Takes the held amount, in full.
    async fn capture(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError>;
    /// Lets the held amount go.
    async fn cancel(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError>;
    /// The payment as it is now: the only proof.
    async fn get(&self, id: &str) -> Result<PaymentView, PaymentError>;
    /// Pays the taken amount back, in full.
    async fn refund(&self, id: &str, key: &str) -> Result<RefundView, PaymentError>;
    /// Every refund of the payment.
    async fn refunds(&self, id: &str) -> Result<Vec<RefundView>, PaymentError>;
    /// Whose order a payment is for; none where it is no order's, or none of this account's.
    async fn order_of(&self, id: &str) -> Result<Option<Identity>, PaymentError>;
}

/// Why a provider cannot charge an amount, for people, as the end of a sentence.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("{0}")]
pub struct Unchargeable(pub String);

/// A payment to make. The same key always comes with the same payment.
#[derive(Clone, Copy, Debug)]
pub struct NewPayment<'a> {
    /// What the customer pays.
    pub amount: &'a Money,
    /// The provider's token of the payment method.
    pub payment_method: &'a str,
    /// The provider's customer for whom the method is saved, where it is.
    pub customer: Option<&'a str>,
    /// Whose order it is, for people who look at the provider's dashboard.
    pub identity: &'a Identity,
    /// The store it was ordered from.
    pub store: &'a str,
    /// Who gets the goods, and where: banks in India refuse a charge without.
    /// Source: <https://docs.stripe.com/india-accept-international-payments>.
    pub recipient: &'a Contact,
    /// The key of the creation.
    pub key: &'a str,
}

/// Why the provider did not do as asked.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum PaymentError {
    /// No answer, or one that proves nothing: look the payment up.
    #[error("the payment provider gave no answer that proves anything: {0}")]
    Unanswered(String),
    /// The customer's bank said no, or the provider for it.
    #[error("the payment was declined: {code}")]
    Declined {
        /// The provider's code, such as `card_declined (insufficient_funds)`.
        code: String,
    },
    /// The provider does not do what was asked, as it was asked for or as the payment stands; no bank was asked.
    #[error("the payment provider does not take the request: {0}")]
    Invalid(Invalid),
    /// It is not to be paid back: the customer disputed the charge, and the bank has taken the amount already.
    #[error("the charge is disputed: {code}")]
    Disputed {
        /// The provider's code.
        code: String,
    },
    /// The account, the key or the request is wrong, and no order can be paid until that is mended.
    #[error("the payment provider cannot be used as it is set up: {0}")]
    Misconfigured(String),
}

impl PaymentError {
    /// The provider's code, where it answered that it does not do what was asked.
    pub fn refusal_code(&self) -> Option<&str> {
        match self {
            Self::Declined { code } | Self::Disputed { code } | Self::Invalid(Invalid { code, .. }) => {
                Some(code)
            }
            Self::Unanswered(_) | Self::Misconfigured(_) => None,
        }
    }
}

/// What a provider says of a request that it does not take. Its sentence is left out: it may quote the customer's data.
#[derive(thiserror::Error, Clone, Debug, Default, PartialEq, Eq)]
#[error("{code}{}", parameter.as_ref().map(|name| format!(", {name}")).unwrap_or_default())]
pub struct Invalid {
    /// The provider's code, such as `resource_missing`.
    pub code: String,
    /// The part of the request that it does not take, in its own words, where it says so.
    pub parameter: Option<String>,
    /// What that is of the order.
    pub part: Part,
}

/// What of a payment a provider does not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The amount.
    Amount,
    /// The provider's customer.
    Customer,
    /// The payment method.
    #[default]
    Method,
    /// The payment method, as it is of a type that cannot pay for orders, such as `link`.
    MethodOfType(String),
    /// Something that whoever orders cannot change.
    Other,
}

/// The way to the customer.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Publishes a message; done once the service has taken it over.
    async fn publish(&self, topic_arn: &str, message: &Message) -> Result<(), NotifyError>;
}

/// A message to a customer, as the topic's subscribers get it. It is personal data.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The journal's key: the same for every try, so that a subscriber can drop repetitions.
    pub notification_id: String,
    /// `confirmed`, `rejected`, `cancelled` or `failed`.
    pub kind: &'static str,
    /// The order's id within its tenant.
    pub order_id: String,
    /// The order's tenant.
    pub tenant: String,
    /// BCP 47 tag of the language the texts are in.
    pub locale: String,
    /// One line.
    pub subject: String,
    /// The whole message, plain text.
    pub text: String,
    /// To whom.
    pub recipient: Recipient,
}

/// Whom a message or a courier goes to.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// The name on the door.
    pub name: String,
    /// E-mail address; couriers do not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number, E.164.
    pub phone: String,
    /// What to dial after it, where the customer gave an extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_extension: Option<String>,
    /// ISO 3166-1 alpha-2 code of the country the order goes to.
    pub country: String,
}

impl Recipient {
    /// Whom a contact names.
    pub(crate) fn of(contact: &Contact) -> Self {
        Self {
            name: contact.name.clone(),
            email: Some(contact.email.clone()),
            phone: contact.phone.clone(),
            phone_extension: contact.phone_extension.clone(),
            country: contact.address.country.clone(),
        }
    }
}

/// The notification service did not take a message over, or its answer was lost.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the notification service did not take the message: {0}")]
pub struct NotifyError(pub String);

/// The way to kitchens and couriers.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Sends a command; done once the broker has acknowledged it.
    async fn send(&self, topic: &str, payload: Vec<u8>) -> Result<(), DeviceError>;
}

/// The broker did not acknowledge a command: it may or may not have it. Send the same again.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the device broker did not acknowledge the command: {0}")]
pub struct DeviceError(pub String);
