//! Delivery: couriers are offered the order, one of them gets it; undone by calling back. The answer is an event.

use comanda_saga::device::Withdrawn;
use comanda_saga::{Effect, Outcome, Record};

use crate::customer::Contact;
use crate::devices::{Command, Side, Verb, Whereabouts, assigned_topic, command_topic, send, taken_topic};
use crate::intent::{entry, unknown};
use crate::ports::{Devices, Recipient};

/// Offers the order to the store's couriers: about where it goes, and nothing of the customer. When it was taken back from
/// one of them, that one hears it first.
pub async fn deliver(record: &Record, contact: &Contact, devices: &dyn Devices) -> Outcome {
    let effect = Effect::Deliver;
    let entry = match entry(record, effect) {
        Ok(entry) => entry,
        Err(outcome) => return outcome,
    };
    let offer = Command {
        area: Some(Whereabouts::of(&contact.address)),
        ..Command::new(Verb::Deliver, record, entry)
    };
    let mut commands = Vec::from_iter(take_back(record));
    commands.push((command_topic(record, Side::Courier, Verb::Deliver), offer));
    send(effect, commands, devices).await
}

/// The command that tells whoever the order was last taken back from.
fn take_back(record: &Record) -> Option<(String, Command<'_>)> {
    let Withdrawn { device, seq } = record.dispatch.withdrawn.as_ref()?;
    let entry = record.journal.get(&Effect::Deliver)?;
    let id = format!("{}/cancel", entry.key).into();
    let cancel = Command { id, seq: *seq, device: Some(device), ..Command::new(Verb::Cancel, record, entry) };
    Some((command_topic(record, Side::Courier, Verb::Cancel), cancel))
}

/// Tells the courier who took the order that it is theirs, and then the others that somebody has it; whoever it was taken
/// back from may not have heard that yet. This is the one command that carries the address.
pub async fn assign(record: &Record, contact: &Contact, devices: &dyn Devices) -> Outcome {
    let effect = Effect::Assign;
    let (entry, device) = match (entry(record, effect), record.courier.who.as_deref()) {
        (Ok(entry), Some(device)) => (entry, device),
        (Ok(_), None) => return unknown(effect, "nobody has the order".to_owned()),
        (Err(outcome), _) => return outcome,
    };
    let assigned = Command {
        address: Some(&contact.address),
        recipient: Some(Recipient { email: None, ..Recipient::of(contact) }),
        ..Command::new(Verb::Assigned, record, entry)
    };
    let id = format!("{}/taken", entry.key).into();
    let taken = Command { id, device: Some(device), ..Command::new(Verb::Taken, record, entry) };
    let mut commands = Vec::from_iter(take_back(record));
    commands.extend([(assigned_topic(record, device), assigned), (taken_topic(record), taken)]);
    send(effect, commands, devices).await
}

/// Calls the courier back, whoever that is. It needs no contact, which may have expired by then.
pub async fn undo_deliver(record: &Record, devices: &dyn Devices) -> Outcome {
    let effect = Effect::RecallCourier;
    let command = match entry(record, effect) {
        Ok(entry) => Command::new(Verb::Cancel, record, entry),
        Err(outcome) => return outcome,
    };
    send(effect, [(command_topic(record, Side::Courier, Verb::Cancel), command)], devices).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{Broker, contact, intending};

    #[tokio::test]
    async fn an_offer_says_about_where_an_order_goes_and_nothing_of_the_customer() {
        let broker = Broker::default();
        let outcome = deliver(&intending(Effect::Deliver), &contact(), &broker).await;
        assert_eq!(outcome, Outcome::Done(Effect::Deliver));
        let expected = json!({
            "command": "deliver",
            "commandId": "bistro/shop/a-1/deliver/1",
            "seq": 1,
            "orderId": "a-1",
            "items": [{"sku": "margherita", "quantity": 2}],
            "area": {
                "country": "ES",
                "postalArea": "280",
                "administrativeArea": "Madrid",
                "locality": "Madrid",
            },
        });
        assert_eq!(broker.sent(), [("comanda/bistro/shop/centro/couriers/a-1/deliver".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn who_took_the_order_gets_the_address_without_the_email_and_the_others_hear_who_has_it() {
        let broker = Broker::default();
        let mut record = intending(Effect::Deliver);
        record.courier.who = Some("bike-1".to_owned());
        record.intend(Effect::Assign, crate::fixtures::now()).expect("a legal move");
        assert_eq!(assign(&record, &contact(), &broker).await, Outcome::Done(Effect::Assign));
        let assigned = json!({
            "command": "assigned",
            "commandId": "bistro/shop/a-1/assign/1",
            "seq": 2,
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
        let taken = json!({
            "command": "taken",
            "commandId": "bistro/shop/a-1/assign/1/taken",
            "seq": 2,
            "orderId": "a-1",
            "items": [{"sku": "margherita", "quantity": 2}],
            "device": "bike-1",
        });
        let couriers = "comanda/bistro/shop/centro/couriers/a-1";
        assert_eq!(
            broker.sent(),
            [(format!("{couriers}/assigned/bike-1"), assigned), (format!("{couriers}/taken"), taken)]
        );
    }

    #[tokio::test]
    async fn an_order_that_is_offered_again_is_cancelled_for_whoever_had_it() {
        let broker = Broker::default();
        let mut record = intending(Effect::Deliver);
        record.seq += 1;
        record.dispatch.withdrawn = Some(Withdrawn { device: "bike-1".to_owned(), seq: record.seq });
        record.next_attempt(Effect::Deliver).expect("a legal move");
        record.intend(Effect::Deliver, crate::fixtures::now()).expect("a legal move");
        assert_eq!(deliver(&record, &contact(), &broker).await, Outcome::Done(Effect::Deliver));
        let sent = broker.sent();
        let (topic, cancel) = &sent[0];
        assert_eq!(topic, "comanda/bistro/shop/centro/couriers/a-1/cancel");
        assert_eq!((&cancel["device"], &cancel["seq"]), (&json!("bike-1"), &json!(2)));
        assert_eq!(cancel["commandId"], "bistro/shop/a-1/deliver/2/cancel");
        let offer = &sent[1].1;
        assert_eq!((&offer["command"], &offer["seq"]), (&json!("deliver"), &json!(3)));
    }

    #[tokio::test]
    async fn the_courier_is_called_back_without_the_contact() {
        let broker = Broker::default();
        let outcome = undo_deliver(&intending(Effect::RecallCourier), &broker).await;
        assert_eq!(outcome, Outcome::Done(Effect::RecallCourier));
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
