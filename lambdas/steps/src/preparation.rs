//! Preparation: the kitchen is told to prepare; undone by telling it to stop. Its answer is an event.

use comanda_saga::{Effect, Outcome, Record};

use crate::devices::{Command, Side, Verb, command_topic, send};
use crate::intent::entry;
use crate::ports::Devices;

/// Tells the kitchen to prepare.
pub async fn prepare(record: &Record, devices: &dyn Devices) -> Outcome {
    command(Effect::Prepare, Verb::Prepare, record, devices).await
}

/// Tells the kitchen to stop.
pub async fn undo_prepare(record: &Record, devices: &dyn Devices) -> Outcome {
    command(Effect::RecallKitchen, Verb::Cancel, record, devices).await
}

async fn command(effect: Effect, verb: Verb, record: &Record, devices: &dyn Devices) -> Outcome {
    let command = match entry(record, effect) {
        Ok(entry) => Command::new(verb, record, entry),
        Err(outcome) => return outcome,
    };
    send(effect, [(command_topic(record, Side::Kitchen, verb), command)], devices).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{Broker, intending};

    #[tokio::test]
    async fn the_kitchen_is_told_what_to_prepare_under_the_journals_key_and_number() {
        let broker = Broker::default();
        let outcome = prepare(&intending(Effect::Prepare), &broker).await;
        assert_eq!(outcome, Outcome::Done(Effect::Prepare));
        let expected = json!({
            "command": "prepare",
            "commandId": "bistro/shop/a-1/prepare/1",
            "seq": 1,
            "orderId": "a-1",
            "items": [{"sku": "margherita", "quantity": 2}],
        });
        assert_eq!(broker.sent(), [("comanda/bistro/shop/centro/kitchen/a-1/prepare".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn stopping_the_kitchen_carries_a_higher_number() {
        let broker = Broker::default();
        let mut record = intending(Effect::Prepare);
        record.intend(Effect::RecallKitchen, crate::fixtures::now()).expect("a legal move");
        assert_eq!(undo_prepare(&record, &broker).await, Outcome::Done(Effect::RecallKitchen));
        let (topic, command) = broker.sent().remove(0);
        assert_eq!(topic, "comanda/bistro/shop/centro/kitchen/a-1/cancel");
        assert_eq!((&command["command"], &command["seq"]), (&json!("cancel"), &json!(2)));
        assert_eq!(command["commandId"], "bistro/shop/a-1/recall-kitchen/1");
    }

    #[tokio::test]
    async fn a_command_the_broker_does_not_acknowledge_proves_nothing() {
        let outcome = prepare(&intending(Effect::Prepare), &Broker::silent()).await;
        let message = "the device broker did not acknowledge the command: not connected".to_owned();
        assert_eq!(outcome, Outcome::Unknown { effect: Some(Effect::Prepare), message });
    }
}
