//! Who has an order: several couriers, several tablets.

use comanda_saga::{
    Call, Cause, CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Phase, Reason, Wait,
};
use jiff::SignedDuration;

use crate::support::driver::{Done, Driver, Lost};
use crate::support::{COURIER, event};

pub const SECOND: &str = "courier-2";

/// Another device says something of the command that an effect sent last.
pub fn another(shop: &mut Driver, device: &str, signal: DeviceSignal, effect: Effect) {
    let seq = shop.record().journal[&effect].seq.unwrap_or_default();
    let said = DeviceEvent { device: device.to_owned(), at: shop.now, ..event(signal, seq) };
    shop.o.events.push(DeviceEvent { id: format!("{device}/{}", said.id), ..said });
}

pub fn second(shop: &mut Driver, state: CourierState) {
    another(shop, SECOND, DeviceSignal::Courier(state), Effect::Deliver);
}

pub fn seq(shop: &Driver, effect: Effect) -> Option<u64> {
    shop.record().journal.get(&effect).and_then(|entry| entry.seq)
}

/// An order that the first courier took, and was told that it is theirs.
pub fn assigned() -> Driver {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Accepted);
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::Assign)), 1);
    shop
}

pub fn stall(shop: &Driver) -> Option<Reason> {
    let stall = shop.record().stall.as_ref().filter(|stall| !stall.acknowledged);
    stall.map(|stall| stall.reason)
}

/// The order was taken back from the first courier, and is offered under a new number.
pub fn assert_offered_again(shop: &Driver) {
    let record = shop.record();
    let withdrawn = record.dispatch.withdrawn.as_ref().expect("a courier who had it");
    assert_eq!(
        (withdrawn.device.as_str(), withdrawn.seq),
        (COURIER, 4),
        "the number after that of `assigned`"
    );
    assert_eq!((record.phase, record.courier.who.as_deref()), (Phase::Delivering, None));
    assert_eq!((seq(shop, Effect::Deliver), seq(shop, Effect::Assign)), (Some(5), None));
    assert_eq!(shop.count(Call::Do(Effect::Deliver)), 2);
    assert_eq!(record.journal[&Effect::Deliver].key, "test/lisbon/order-1/deliver/2");
}

#[test]
fn whoever_takes_an_offer_first_is_assigned_it_once_its_intent_is_written() {
    let mut shop = Driver::delivering();
    shop.done.clear();
    second(&mut shop, CourierState::Accepted);
    shop.wait(1);
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Accepted), Effect::Deliver);
    shop.run();
    assert_eq!((shop.record().courier.who.as_deref(), seq(&shop, Effect::Assign)), (Some(SECOND), Some(3)));
    let writes = shop.done.iter().filter(|done| matches!(done, Done::Wrote(_))).count();
    assert_eq!((writes, shop.count(Call::Do(Effect::Assign))), (2, 1));
}

#[test]
fn an_assignment_is_repeated_until_the_courier_speaks_under_its_number() {
    let mut shop = assigned();
    shop.wait(10);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 1);
    shop.hear(DeviceSignal::Courier(CourierState::Accepted), Effect::Assign);
    shop.wait(20);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 1);
    assert_eq!(shop.count(Call::Repeat(Effect::Deliver)), 0, "somebody took the offer");
}

#[test]
fn whoever_lost_the_order_is_told_until_they_speak_though_somebody_else_has_it() {
    let mut shop = assigned();
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    shop.run();
    second(&mut shop, CourierState::Accepted);
    shop.run();
    another(&mut shop, SECOND, DeviceSignal::Courier(CourierState::Accepted), Effect::Assign);
    shop.wait(10);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 1);
    let withdrawn = shop.record().dispatch.withdrawn.clone().expect("a courier who had it");
    let stopped = event(DeviceSignal::CourierRecalled(true), withdrawn.seq);
    shop.o.events.push(DeviceEvent { device: withdrawn.device, at: shop.now, ..stopped });
    shop.wait(20);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 1);
    assert_eq!(shop.record().courier.who.as_deref(), Some(SECOND));
}

#[test]
fn a_courier_who_declines_what_they_had_taken_loses_it_and_it_is_offered_again() {
    let mut shop = assigned();
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    shop.run();
    assert_offered_again(&shop);
    second(&mut shop, CourierState::Accepted);
    shop.run();
    second(&mut shop, CourierState::Delivered);
    shop.run();
    assert_eq!((shop.record().phase, shop.record().courier.who.as_deref()), (Phase::Delivered, Some(SECOND)));
}

#[test]
fn a_courier_who_fails_before_the_pick_up_loses_the_order_and_after_it_ends_it() {
    let mut shop = assigned();
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Failed), Effect::Assign);
    shop.run();
    assert_offered_again(&shop);

    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    shop.run();
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::CourierFailed));
}

#[test]
fn a_courier_who_declines_an_offer_or_fails_without_having_it_changes_nothing() {
    for state in [CourierState::Declined, CourierState::Failed] {
        let mut shop = Driver::delivering();
        another(&mut shop, COURIER, DeviceSignal::Courier(state), Effect::Deliver);
        let before = shop.record().clone();
        shop.run();
        assert_eq!(*shop.record(), before);
        let mut shop = assigned();
        second(&mut shop, state);
        let before = shop.record().clone();
        shop.run();
        assert_eq!(*shop.record(), before);
    }
}

#[test]
fn a_courier_who_is_silent_after_accepting_loses_the_order_after_the_pickup_seconds_and_not_before() {
    let mut shop = assigned();
    shop.wait(59);
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(1)));
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    shop.wait(1);
    shop.run();
    assert_offered_again(&shop);
}

#[test]
fn a_courier_who_speaks_before_the_pick_up_is_not_silent() {
    let mut shop = assigned();
    shop.wait(50);
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Accepted), Effect::Assign);
    shop.wait(59);
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    shop.wait(1);
    shop.run();
    assert_offered_again(&shop);
}

#[test]
fn an_order_is_offered_until_its_deadline_which_counts_from_the_first_offer() {
    let mut shop = assigned();
    shop.wait(60);
    shop.run();
    assert_offered_again(&shop);
    shop.wait(3540);
    shop.run();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::CourierTimedOut));
}

#[test]
fn an_accepted_offer_that_was_taken_back_since_gets_nobody_the_order() {
    let mut shop = assigned();
    second(&mut shop, CourierState::Accepted);
    shop.run();
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    shop.run();
    assert_offered_again(&shop);
    shop.run();
    assert_eq!(shop.record().courier.who, None);
}

#[test]
fn whoever_has_the_food_and_not_the_address_is_told_until_the_broker_has_it() {
    let mut shop = Driver::delivering();
    shop.lost.push((Call::Do(Effect::Assign), Lost::Request));
    shop.courier(CourierState::PickedUp);
    shop.run();
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::Assign)), 2);
    assert!(shop.record().is_done(Effect::Assign));
}

#[test]
fn of_two_tablets_whoever_accepts_has_the_order_and_anothers_refusal_counts_only_before() {
    let (accepted, rejected) =
        (DeviceSignal::Kitchen(KitchenState::Accepted), DeviceSignal::Kitchen(KitchenState::Rejected));
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Accepted);
    another(&mut shop, "kitchen-2", rejected, Effect::Prepare);
    shop.run();
    assert_eq!(
        (shop.record().phase, shop.record().kitchen.state),
        (Phase::Preparing, KitchenState::Accepted)
    );

    let mut shop = Driver::preparing();
    another(&mut shop, "kitchen-2", rejected, Effect::Prepare);
    shop.run();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::KitchenRejected));
    assert_eq!(shop.count(Call::Do(Effect::RecallKitchen)), 0);

    // The other accepts too late: it is told to stop.
    let mut shop = Driver::preparing();
    shop.lost.push((Call::Do(Effect::CancelPayment), Lost::Answer));
    another(&mut shop, "kitchen-2", rejected, Effect::Prepare);
    shop.run();
    another(&mut shop, "kitchen-1", accepted, Effect::Prepare);
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::RecallKitchen)), 1);
}

#[test]
fn a_failure_that_overtook_the_pick_up_is_no_order_given_back() {
    let mut shop = assigned();
    let picked_up = event(DeviceSignal::Courier(CourierState::PickedUp), 3);
    let at = shop.now;
    shop.kept.push(DeviceEvent { at, ..picked_up });
    shop.wait(1);
    shop.o.hearing_since = Some(shop.now);
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Failed), Effect::Assign);
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(2)), "then it is read");
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    shop.wait(5);
    shop.run();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::CourierFailed));
    assert_eq!(shop.count(Call::Do(Effect::Deliver)), 1);
}

#[test]
fn only_whoever_has_the_order_ends_the_repetition_of_what_is_theirs() {
    let mut shop = assigned();
    another(&mut shop, SECOND, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    shop.wait(10);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 1);
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    another(&mut shop, SECOND, DeviceSignal::CourierRecalled(true), Effect::RecallCourier);
    shop.wait(10);
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::RecallCourier)), 1);
}

#[test]
fn a_word_from_a_clock_that_runs_ahead_is_waited_for_and_not_read_for_ever() {
    let mut shop = assigned();
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    if let Some(event) = shop.o.events.last_mut() {
        event.at += SignedDuration::from_secs(30);
    }
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(30)));
    shop.wait(30);
    shop.run();
    assert_offered_again(&shop);
}

#[test]
fn nothing_is_taken_back_or_sent_again_while_nobody_is_heard() {
    let mut shop = assigned();
    shop.o.hearing_since = None;
    shop.wait(600);
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    assert_eq!(shop.count(Call::Repeat(Effect::Assign)), 0);
}

#[test]
fn of_two_tablets_only_the_one_that_has_the_order_says_that_it_stopped() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Accepted);
    shop.run();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    another(&mut shop, "kitchen-2", DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating);
    shop.hear(DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
}
