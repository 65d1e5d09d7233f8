//! Notification: the customer is told that the order is confirmed, and how it ended where it was undone.
//!
//! A message cannot be taken back, so its undo is the message about the ending. It never blocks an
//! order: the operator gives up after the tries its class allows.

mod templates;

use comanda_saga::transition::{Trigger, ending};
use comanda_saga::{Call, Effect, Outcome, Record, RefundState};

use crate::customer::Contact;
use crate::intent::{entry, unknown};
use crate::ports::{Message, Notifier, Recipient};
use templates::{ByKind, ByMoney, Templates};

/// Sends the message of a call: the confirmation or the ending.
pub async fn notify(call: Call, record: &Record, contact: &Contact, notifier: &dyn Notifier) -> Outcome {
    let effect = match call {
        Call::Do(Effect::NotifyConfirmed) => Effect::NotifyConfirmed,
        Call::Do(Effect::NotifyEnding) => Effect::NotifyEnding,
        _ => return unknown(call.effect(), format!("{call:?} is no message to the customer")),
    };
    let message = match entry(record, effect) {
        Ok(entry) => compose(Kind::of(effect, record), &entry.key, record, contact),
        Err(outcome) => return outcome,
    };
    match notifier.publish(&record.class.notifications.topic_arn, &message).await {
        Ok(()) => Outcome::Done(effect),
        Err(error) => unknown(effect, error.to_string()),
    }
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Confirmed,
    Rejected,
    Cancelled,
    Failed,
}

impl Kind {
    fn of(effect: Effect, record: &Record) -> Self {
        if effect == Effect::NotifyConfirmed {
            return Self::Confirmed;
        }
        match record.fault.as_ref().map(|fault| ending(fault.cause)) {
            Some(Trigger::RejectionCompensated) => Self::Rejected,
            Some(Trigger::CancellationCompensated) => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    fn text(self, texts: &ByKind) -> &str {
        match self {
            Self::Confirmed => &texts.confirmed,
            Self::Rejected => &texts.rejected,
            Self::Cancelled => &texts.cancelled,
            Self::Failed => &texts.failed,
        }
    }
}

fn compose(kind: Kind, key: &str, record: &Record, contact: &Contact) -> Message {
    let templates = templates::speaking(&contact.locale);
    let total = record.total().map(|total| total.to_string()).unwrap_or_default();
    let money = templates::fill(money(kind, record, &templates.money), &[("total", &total)]);
    let values = [
        ("name", contact.name.as_str()),
        ("order", &record.identity.order_id),
        ("reason", reason(record, templates)),
        ("money", &money),
    ];
    Message {
        notification_id: key.to_owned(),
        kind: kind.name(),
        order_id: record.identity.order_id.clone(),
        tenant: record.identity.tenant.clone(),
        locale: templates.locale.clone(),
        subject: templates::fill(kind.text(&templates.subjects), &values),
        text: templates::fill(kind.text(&templates.texts), &values),
        recipient: Recipient::of(contact),
    }
}

fn reason(record: &Record, templates: &Templates) -> &'static str {
    record.fault.as_ref().and_then(|fault| templates.cause(fault.cause)).unwrap_or_default()
}

/// What happens to the customer's money, from what the provider last said.
fn money<'a>(kind: Kind, record: &Record, sentences: &'a ByMoney) -> &'a str {
    let payment = &record.payment;
    match (kind, payment.captured) {
        (Kind::Confirmed, 0) => &sentences.held,
        (Kind::Confirmed, _) => &sentences.charged,
        (_, 0) => &sentences.nothing,
        (_, captured) if payment.refunded >= captured => &sentences.refunded,
        _ if payment.refund == Some(RefundState::Disputed) => &sentences.disputed,
        _ => &sentences.refunding,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use comanda_saga::Cause;

    use super::*;
    use crate::fixtures::{contact, intending};
    use crate::ports::NotifyError;

    #[derive(Default)]
    struct Topic {
        silent: bool,
        published: Mutex<Vec<(String, Message)>>,
    }

    #[async_trait::async_trait]
    impl Notifier for Topic {
        async fn publish(&self, topic_arn: &str, message: &Message) -> Result<(), NotifyError> {
            if self.silent {
                return Err(NotifyError("timeout".to_owned()));
            }
            self.published.lock().expect("no panic").push((topic_arn.to_owned(), message.clone()));
            Ok(())
        }
    }

    async fn published(call: Call, record: &Record, contact: &Contact) -> Message {
        let topic = Topic::default();
        let effect = call.effect().expect("a message has an effect");
        assert_eq!(notify(call, record, contact, &topic).await, Outcome::Done(effect));
        let (arn, message) = topic.published.into_inner().expect("no panic").remove(0);
        assert_eq!(arn, "arn:aws:sns:eu-west-1:000000000000:orders");
        message
    }

    fn ended(cause: Cause) -> Record {
        let mut record = intending(Effect::NotifyEnding);
        record.raise(cause, "internal");
        record
    }

    #[tokio::test]
    async fn a_confirmation_says_what_is_held_in_the_customers_language() {
        let message =
            published(Call::Do(Effect::NotifyConfirmed), &intending(Effect::NotifyConfirmed), &contact())
                .await;
        let expected = serde_json::json!({
            "notificationId": "bistro/shop/a-1/confirmed/1",
            "kind": "confirmed",
            "orderId": "a-1",
            "tenant": "shop",
            "locale": "es",
            "subject": "El pedido a-1 está confirmado",
            "text": "Hola, Ana Torres: tu pedido a-1 está confirmado y la cocina va a empezar a prepararlo. \
                     Se han reservado 19.00 EUR en tu tarjeta y se cobrarán cuando la comida esté lista.",
            "recipient": {"name": "Ana Torres", "email": "ana@example.com", "phone": "+34600000000", "country": "ES"},
        });
        assert_eq!(serde_json::to_value(message).expect("JSON"), expected);
    }

    #[tokio::test]
    async fn a_rejected_order_says_why_and_that_nothing_was_charged() {
        let contact = Contact { locale: "pt".to_owned(), ..contact() };
        let message =
            published(Call::Do(Effect::NotifyEnding), &ended(Cause::PaymentDeclined), &contact).await;
        assert_eq!(message.kind, "rejected");
        assert_eq!(
            message.text,
            "Olá, Ana Torres. Seu pedido a-1 não pôde ser aceito: o pagamento foi recusado. \
             Nada foi cobrado; se o seu banco mostrar um valor reservado, ele será liberado."
        );
    }

    #[tokio::test]
    async fn a_failed_order_that_was_paid_says_that_it_is_refunded_in_full() {
        let mut record = ended(Cause::CourierFailed);
        record.payment.captured = 1900;
        record.payment.refunded = 1900;
        let contact = Contact { locale: "de-AT".to_owned(), ..contact() };
        let message = published(Call::Do(Effect::NotifyEnding), &record, &contact).await;
        assert_eq!((message.kind, message.locale.as_str()), ("failed", "en"));
        assert_eq!(
            message.text,
            "Hello Ana Torres, we are sorry: your order a-1 could not be completed: the courier could not deliver it. \
             19.00 EUR was refunded in full; your bank may take some days to show it."
        );
    }

    #[tokio::test]
    async fn a_refund_that_is_not_there_yet_is_not_claimed() {
        let mut record = ended(Cause::CancelRequested);
        record.payment.captured = 1900;
        let contact = Contact { locale: "en".to_owned(), ..contact() };
        let message = published(Call::Do(Effect::NotifyEnding), &record, &contact).await;
        assert_eq!(message.kind, "cancelled");
        assert_eq!(
            message.text,
            "Hello Ana Torres, your order a-1 is cancelled: its cancellation was requested. \
             19.00 EUR is being refunded in full; your bank may take some days to show it."
        );
    }

    #[tokio::test]
    async fn a_topic_that_does_not_answer_proves_nothing() {
        let topic = Topic { silent: true, ..Topic::default() };
        let record = intending(Effect::NotifyConfirmed);
        let message = "the notification service did not take the message: timeout".to_owned();
        assert_eq!(
            notify(Call::Do(Effect::NotifyConfirmed), &record, &contact(), &topic).await,
            Outcome::Unknown { effect: Some(Effect::NotifyConfirmed), message }
        );
    }
}
