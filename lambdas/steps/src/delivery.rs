//! Delivery: couriers are told where to go; undone by calling back. The answer is an event.

use comanda_saga::{Effect, Outcome, Record};

use crate::customer::Contact;
use crate::devices::{Command, Side, Verb, command_topic};
use crate::intent::{entry, unknown};
use crate::ports::{Devices, Recipient};

/// Tells the store's couriers to deliver. The command is the one place that carries the address.
pub async fn deliver(record: &Record, contact: &Contact, devices: &dyn Devices) -> Outcome {
    let effect = Effect::Deliver;
    let mut command = match entry(record, effect) {
        Ok(entry) => Command::new(Verb::Deliver, record, entry),
        Err(outcome) => return outcome,
    };
    command.address = Some(&contact.address);
    command.recipient = Some(Recipient { email: None, ..Recipient::of(contact) });
    send(effect, Verb::Deliver, &command, record, devices).await
}

/// Calls the courier back. It needs no contact, which may have expired by then.
pub async fn undo_deliver(record: &Record, devices: &dyn Devices) -> Outcome {
    let effect = Effect::RecallCourier;
    match entry(record, effect) {
        Ok(entry) => {
            send(effect, Verb::Cancel, &Command::new(Verb::Cancel, record, entry), record, devices).await
        }
        Err(outcome) => outcome,
    }
}

async fn send(
    effect: Effect,
    verb: Verb,
    command: &Command<'_>,
    record: &Record,
    devices: &dyn Devices,
) -> Outcome {
    match devices.send(&command_topic(record, Side::Courier, verb), command.payload()).await {
        Ok(()) => Outcome::Sent(effect),
        Err(error) => unknown(effect, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{Broker, contact, intending};

    #[tokio::test]
    async fn the_courier_is_told_what_goes_where_and_to_whom_without_the_email_address() {
        let broker = Broker::default();
        let outcome = deliver(&intending(Effect::Deliver), &contact(), &broker).await;
        assert_eq!(outcome, Outcome::Sent(Effect::Deliver));
        let expected = json!({
            "command": "deliver",
            "commandId": "bistro/shop/a-1/deliver/1",
            "seq": 1,
            "orderId": "a-1",
            "items": [{"sku": "margherita", "quantity": 2}],
            "address": {
                "country": "ES",
                "postalCode": "28013",
                "administrativeArea": "Madrid",
                "locality": "Madrid",
                "lines": ["Calle Mayor 1"],
            },
            "recipient": {"name": "Ana Torres", "phone": "+34600000000", "country": "ES"},
        });
        assert_eq!(broker.sent(), [("comanda/bistro/shop/centro/couriers/a-1/deliver".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn the_courier_is_called_back_without_the_contact() {
        let broker = Broker::default();
        let outcome = undo_deliver(&intending(Effect::RecallCourier), &broker).await;
        assert_eq!(outcome, Outcome::Sent(Effect::RecallCourier));
        let (topic, command) = broker.sent().remove(0);
        assert_eq!(topic, "comanda/bistro/shop/centro/couriers/a-1/cancel");
        assert_eq!(command.get("address"), None);
    }

    #[tokio::test]
    async fn nothing_is_sent_without_an_intent() {
        let broker = Broker::default();
        let outcome = deliver(&intending(Effect::Prepare), &contact(), &broker).await;
        assert!(matches!(outcome, Outcome::Unknown { effect: Some(Effect::Deliver), .. }), "{outcome:?}");
        assert_eq!(broker.sent(), []);
    }
}
