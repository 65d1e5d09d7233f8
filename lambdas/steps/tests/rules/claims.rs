//! Who says that they have the food and does not have the order, and who does not turn back: for a person.

use comanda_saga::{Call, Cause, CourierState, DeviceSignal, Effect, Phase, Reason};

use crate::dispatch::{SECOND, another, assert_offered_again, assigned, second, seq, stall};
use crate::support::driver::Driver;
use crate::support::world::Luck;
use crate::support::{COURIER, event};

#[test]
fn a_pick_up_after_the_order_was_taken_back_stalls_and_a_retry_goes_on_with_whoever_has_the_food() {
    let mut shop = assigned();
    let late = seq(&shop, Effect::Assign).unwrap_or_default();
    shop.wait(60);
    shop.run();
    second(&mut shop, CourierState::Accepted);
    shop.run();
    shop.o.events.push(event(DeviceSignal::Courier(CourierState::PickedUp), late));
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
    let message = &shop.record().stall.as_ref().expect("a stall").message;
    assert!(message.contains(COURIER) && message.contains(SECOND), "{message}");

    shop.o.order.retry = Some("the first has it".to_owned());
    shop.run();
    assert_eq!((stall(&shop), shop.record().courier.who.as_deref()), (None, Some(COURIER)));
    assert_eq!(shop.record().courier.state, CourierState::PickedUp);
    assert_eq!(shop.count(Call::Do(Effect::Assign)), 3, "they need the address");
    shop.courier(CourierState::Delivered);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Delivered);
}

#[test]
fn anothers_delivery_stalls_and_is_asked_about_once() {
    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    second(&mut shop, CourierState::Delivered);
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (Some(Reason::CourierUnexpected), Phase::Delivering));
    shop.o.order.retry = Some("the second has it".to_owned());
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (None, Phase::Delivered));
    assert_eq!(shop.record().courier.who.as_deref(), Some(SECOND));
}

#[test]
fn a_courier_who_was_asked_about_for_the_pick_up_is_asked_about_again_for_the_delivery() {
    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
    shop.o.order.retry = Some("the second has it".to_owned());
    shop.run();
    assert_eq!((stall(&shop), shop.record().courier.who.as_deref()), (None, Some(SECOND)));
    shop.run();
    assert_eq!(stall(&shop), None, "the first was asked about");
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Delivered), Effect::Deliver);
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
}

#[test]
fn in_an_undo_a_retry_goes_on_as_if_the_courier_had_said_nothing() {
    let mut shop = assigned();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (Some(Reason::CourierUnexpected), Phase::Delivering));
    shop.o.order.retry = Some("it is back in the store".to_owned());
    shop.run();
    shop.hear(DeviceSignal::CourierRecalled(true), Effect::RecallCourier);
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (None, Phase::Cancelled));
    assert_eq!(shop.world.provider.balance(), 0);
}

/// An order whose courier picked it up, was silent past the deadline, and does not turn back.
pub fn refused_recall() -> Driver {
    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    shop.run();
    shop.wait(3600);
    shop.run();
    shop.hear(DeviceSignal::CourierRecalled(false), Effect::RecallCourier);
    shop.run();
    shop
}

#[test]
fn a_recall_that_whoever_has_the_food_refuses_stalls_before_anything_is_refunded() {
    let mut shop = refused_recall();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::CourierTimedOut));
    assert_eq!(stall(&shop), Some(Reason::RecallRefused));
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 0);
    shop.o.order.retry = Some("refund it".to_owned());
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (None, Phase::Failed));
    assert_eq!(shop.world.provider.balance(), 0);
}

#[test]
fn a_recall_that_whoever_has_the_food_refuses_may_keep_the_payment() {
    let mut shop = refused_recall();
    shop.o.order.abandon = Some("it was delivered".to_owned());
    shop.run();
    assert_eq!((shop.record().phase, shop.count(Call::Do(Effect::Refund))), (Phase::Failed, 0));
}

#[test]
fn a_retry_does_not_take_an_order_from_the_courier_who_delivered_it_meanwhile() {
    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
    shop.courier(CourierState::Delivered);
    shop.run();
    shop.o.order.retry = Some("go on".to_owned());
    shop.run();
    assert_eq!(
        (shop.record().phase, shop.record().courier.who.as_deref()),
        (Phase::Delivered, Some(COURIER))
    );
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 0);
}

#[test]
fn a_retry_is_about_what_was_asked_and_a_further_claim_is_asked_about_anew() {
    let mut shop = assigned();
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    another(&mut shop, "courier-3", DeviceSignal::Courier(CourierState::Delivered), Effect::Deliver);
    shop.o.order.retry = Some("the second has it".to_owned());
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(SECOND));
    assert_eq!((stall(&shop), shop.record().phase), (Some(Reason::CourierUnexpected), Phase::Delivering));
}

#[test]
fn what_is_said_of_a_retry_turns_round_with_the_order() {
    let mut shop = assigned();
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    let says =
        |shop: &Driver, what: &str| shop.record().stall.as_ref().is_some_and(|s| s.message.contains(what));
    assert!(says(&shop, "to go on with courier-2"));
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    assert!(says(&shop, "to go on with the undo"));
}

#[test]
fn an_old_failure_of_a_courier_who_did_not_have_the_order_does_not_end_it_once_they_have() {
    let mut shop = assigned();
    second(&mut shop, CourierState::Failed);
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    shop.o.order.retry = Some("the second has it".to_owned());
    for _ in 0..2 {
        shop.run();
    }
    assert_eq!((shop.record().courier.state, shop.record().fault.as_ref()), (CourierState::PickedUp, None));
}

#[test]
fn a_delivery_that_is_known_before_the_refund_of_an_undo_stalls_it() {
    let mut shop = assigned();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.courier(CourierState::Delivered);
    shop.run();
    assert_eq!((stall(&shop), shop.count(Call::Do(Effect::Refund))), (Some(Reason::RecallRefused), 0));
    shop.o.order.retry = Some("refund it".to_owned());
    shop.run();
    assert_eq!((stall(&shop), shop.record().phase), (None, Phase::Cancelled));
}

#[test]
fn a_refusal_that_comes_after_the_refund_began_stalls_nothing() {
    let mut shop = assigned();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.wait(60);
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 1, "the recall was not confirmed");
    shop.hear(DeviceSignal::CourierRecalled(false), Effect::RecallCourier);
    shop.run();
    assert_eq!(stall(&shop), None);
}

#[test]
fn a_refused_recall_of_an_order_that_nobody_took_is_a_courier_who_has_the_food() {
    let mut shop = Driver::delivering();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    another(&mut shop, SECOND, DeviceSignal::CourierRecalled(false), Effect::RecallCourier);
    shop.run();
    assert_eq!((stall(&shop), shop.count(Call::Do(Effect::Refund))), (Some(Reason::CourierUnexpected), 0));
}

#[test]
fn a_courier_who_refuses_to_lose_an_order_has_the_food() {
    let mut shop = assigned();
    shop.wait(60);
    shop.run();
    assert_offered_again(&shop);
    let seq = shop.record().dispatch.withdrawn.as_ref().map(|withdrawn| withdrawn.seq).unwrap_or_default();
    shop.o.events.push(event(DeviceSignal::CourierRecalled(false), seq));
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
}
