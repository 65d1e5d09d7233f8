//! What the object shows of an order that is undone, and of one whose undo needs a person.

use comanda_crds::OrderStatus;
use comanda_saga::{Call, CourierState, DeviceSignal, Effect};

use super::{conditions, message, steps, waits};
use crate::support::driver::{Driver, Lost};
use crate::support::world::Luck;

/// Undos as `Name:State: message`.
fn undos(status: &OrderStatus) -> Vec<String> {
    let of = |undo: &comanda_crds::CompensationStatus| {
        format!("{}:{:?}: {}", undo.name, undo.state, undo.message.as_deref().unwrap_or("-"))
    };
    status.compensations.iter().map(of).collect()
}

fn cancel(shop: &mut Driver) -> OrderStatus {
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run().status
}

#[test]
fn an_order_cancelled_on_the_road_tells_the_whole_way_back() {
    let mut shop = Driver::delivering();
    let status = cancel(&mut shop);
    assert_eq!(status.reason.as_deref(), Some("CancelRequested"));
    assert_eq!(
        message(&status, "Ready"),
        "The order was cancelled: ordered twice. What was done is being undone. Waiting for the courier to confirm the \
         recall."
    );
    assert_eq!(message(&status, "Compensated"), "What was done is being undone.");
    assert_eq!(waits(&status), Some(("courier", "confirm the recall", Some(0), Some(60))));
    assert_eq!(undos(&status), ["RecallCourier:Running: The device was told to stop."]);
    assert_eq!(steps(&status, &[Effect::Deliver]), ["Deliver:Failed(CancelRequested)"]);

    shop.hear(DeviceSignal::CourierRecalled(true), Effect::RecallCourier);
    let status = shop.run().status;
    assert_eq!((status.phase.name(), status.reason.as_deref()), ("Cancelled", Some("CancelRequested")));
    assert_eq!(
        conditions(&status),
        [
            "Accepted=True:Claimed",
            "Validated=True:Succeeded",
            "Paid=False:CancelRequested",
            "Notified=True:Succeeded",
            "Prepared=True:Succeeded",
            "Delivered=False:CancelRequested",
            "Compensated=True:Undone",
            "Finished=True:Cancelled",
            "Ready=True:Cancelled",
        ]
    );
    assert_eq!(message(&status, "Delivered"), "The order was cancelled: ordered twice.");
    assert_eq!(
        message(&status, "Ready"),
        "The order was cancelled: ordered twice. 25.00 EUR was refunded. The kitchen had begun: the stock is recorded \
         as spent. The customer was told."
    );
    assert_eq!(
        undos(&status),
        [
            "RecallCourier:Succeeded: The device confirmed that it stopped.",
            "Refund:Succeeded: 25.00 EUR was refunded.",
            "Release:Succeeded: The kitchen had begun: the stock is recorded as spent.",
            "NotifyEnding:Succeeded: The customer was told that the order was cancelled.",
        ]
    );
}

#[test]
fn an_order_cancelled_in_the_kitchen_shows_that_nothing_was_charged() {
    let mut shop = Driver::preparing();
    let status = cancel(&mut shop);
    assert_eq!(waits(&status), Some(("kitchen", "confirm the recall", Some(0), Some(60))));
    assert_eq!(undos(&status), ["RecallKitchen:Running: The device was told to stop."]);
    shop.hear(DeviceSignal::KitchenRecalled(false), Effect::RecallKitchen);
    let status = shop.run().status;
    assert_eq!(
        undos(&status),
        [
            "RecallKitchen:Succeeded: The device had gone too far to stop.",
            "CancelPayment:Succeeded: The payment was cancelled; nothing is held or charged.",
            "Release:Succeeded: The kitchen had begun: the stock is recorded as spent.",
            "NotifyEnding:Succeeded: The customer was told that the order was cancelled.",
        ]
    );
    assert_eq!(
        message(&status, "Ready"),
        "The order was cancelled: ordered twice. Nothing was charged. The kitchen had begun: the stock is recorded as \
         spent. The customer was told."
    );
    assert_eq!(steps(&status, &[Effect::Prepare]), ["Prepare:Failed(CancelRequested)"]);
}

#[test]
fn a_dead_tablet_is_shown_as_unconfirmed_and_the_order_as_failed() {
    let mut shop = Driver::preparing();
    shop.wait(2700);
    shop.run();
    shop.wait(60);
    let status = shop.run().status;
    assert_eq!(undos(&status)[0], "RecallKitchen:Unconfirmed: The device did not confirm within 60 seconds.");
    assert_eq!(undos(&status)[3], "NotifyEnding:Succeeded: The customer was told that the order failed.");
    assert_eq!(
        message(&status, "Ready"),
        "The kitchen did not have the food ready within 2700 seconds. Nothing was charged. The stock was returned. The \
         customer was told."
    );
}

#[test]
fn a_declined_card_shows_as_a_rejection_of_a_step_that_failed() {
    let status = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Bad)]).run().status;
    assert_eq!((status.phase.name(), status.reason.as_deref()), ("Rejected", Some("PaymentDeclined")));
    assert_eq!(
        steps(&status, &[Effect::Reserve, Effect::OpenPayment, Effect::Authorize]),
        ["Reserve:Succeeded", "OpenPayment:Succeeded", "Authorize:Failed(PaymentDeclined)"]
    );
    let told = undos(&status).pop();
    assert_eq!(
        told.as_deref(),
        Some("NotifyEnding:Succeeded: The customer was told that the order was rejected.")
    );
}

#[test]
fn a_customer_who_could_not_be_told_is_not_said_to_be() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Bad)]);
    shop.lost = vec![(Call::Do(Effect::NotifyEnding), Lost::Request); 2];
    shop.run();
    shop.run();
    let status = shop.run().status;
    assert!(message(&status, "Ready").ends_with("The customer could not be told."), "{status:#?}");
    assert_eq!(
        undos(&status).pop().as_deref(),
        Some("NotifyEnding:Failed: Given up: the notification service took it in none of the tries allowed.")
    );
}

#[test]
fn an_order_that_needs_a_person_says_what_for() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Bad));
    shop.courier(CourierState::Failed);
    let status = shop.run().status;
    assert_eq!(waits(&status), Some(("person", "do what the condition Stalled says", None, None)));
    assert_eq!(
        conditions(&status)[5..],
        [
            "Delivered=False:CourierFailed",
            "Compensated=False:RefundFailed",
            "Finished=False:RefundFailed",
            "Ready=False:RefundFailed",
            "Stalled=True:RefundFailed",
        ]
    );
    assert_eq!(conditions(&status)[2], "Paid=True:Captured", "the amount is still taken");

    shop.o.order.abandon = Some("refunded in cash".to_owned());
    let status = shop.run().status;
    assert_eq!(
        conditions(&status)[6..],
        ["Compensated=False:Abandoned", "Finished=True:Failed", "Ready=True:Failed"]
    );
    assert_eq!(message(&status, "Compensated"), "refunded in cash");
    assert_eq!(
        message(&status, "Ready"),
        "The courier could not deliver: no reason given. What was left to undo was abandoned: refunded in cash. 25.00 \
         EUR was charged and not refunded."
    );
}

#[test]
fn an_abandoned_order_says_what_is_still_held_on_the_card() {
    let mut shop = Driver::preparing();
    shop.luck.push((Call::Do(Effect::CancelPayment), Luck::Person));
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.hear(DeviceSignal::KitchenRecalled(true), Effect::Prepare);
    shop.run();
    shop.wait(3600);
    shop.run();
    assert!(shop.record().is_stalled(), "{:#?}", shop.record());
    shop.o.order.abandon = Some("nobody answers".to_owned());
    let status = shop.run().status;
    let message = message(&status, "Ready");
    assert!(
        message.ends_with("25.00 EUR is still held on the customer's card: cancel pi_0 at the provider."),
        "{message}"
    );
}

#[test]
fn an_undo_that_waits_for_the_provider_says_so() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(CourierState::Failed);
    let status = shop.run().status;
    assert_eq!(waits(&status), Some(("bank", "pay the refund out", Some(0), None)));
    assert_eq!(
        message(&status, "Ready"),
        "The courier could not deliver: no reason given. What was done is being undone. Waiting for the bank to \
         pay the refund out."
    );
}
