//! What the tests of devices' rules would not notice: found by changing the saga, one operator or one arm at a time.

use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Phase, Reason, Record};

use crate::claims::refused_recall;
use crate::dispatch::{SECOND, another, assigned, second, seq, stall};
use crate::support::driver::Driver;
use crate::support::{COURIER, KITCHEN, event};

#[test]
fn of_an_order_that_is_undone_a_delivery_by_whoever_needs_a_person_and_a_pick_up_does_not() {
    let mut shop = Driver::delivering();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.hear(DeviceSignal::CourierRecalled(true), Effect::RecallCourier);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert_eq!(stall(&shop), None);
    second(&mut shop, CourierState::Delivered);
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::DeliveredAfterUndo));
}

#[test]
fn a_record_comes_back_with_the_couriers_who_do_not_have_the_order() {
    let mut shop = assigned();
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert!(!shop.record().dispatch.claims.is_empty());
    let stored = serde_json::to_string(shop.record()).expect("a record");
    assert_eq!(&serde_json::from_str::<Record>(&stored).expect("the record"), shop.record());
}

#[test]
fn an_assignment_has_succeeded_once_the_food_is_picked_up() {
    use comanda_crds::StepState::{Running, Succeeded};
    let state = |shop: &Driver| {
        let steps = shop.decide().status.steps;
        steps.into_iter().find(|step| step.name == "Assign").map(|step| step.state)
    };
    let mut shop = assigned();
    assert_eq!(state(&shop), Some(Running));
    shop.courier(CourierState::PickedUp);
    shop.run();
    assert_eq!(state(&shop), Some(Succeeded));
}

#[test]
fn a_courier_who_lost_the_order_and_took_it_again_may_refuse_a_recall() {
    let mut shop = assigned();
    shop.wait(60);
    shop.run();
    shop.courier(CourierState::Accepted);
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.hear(DeviceSignal::CourierRecalled(false), Effect::RecallCourier);
    shop.run();
    assert_eq!(stall(&shop), Some(Reason::RecallRefused));
}

#[test]
fn a_tablet_that_goes_on_with_what_another_took_does_not_take_it() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Accepted);
    shop.run();
    another(&mut shop, "kitchen-2", DeviceSignal::Kitchen(KitchenState::Preparing), Effect::Prepare);
    shop.run();
    let kitchen = &shop.record().kitchen;
    assert_eq!((kitchen.state, kitchen.who.as_deref()), (KitchenState::Preparing, Some(KITCHEN)));
}

#[test]
fn a_kitchen_that_answered_a_recall_has_answered_whichever_tablet_goes_on() {
    let mut record = Driver::preparing().record().clone();
    (record.kitchen.state, record.kitchen.who) = (KitchenState::Rejected, Some(KITCHEN.to_owned()));
    record.kitchen.recalled = Some(false);
    let seq = record.journal[&Effect::Prepare].seq.unwrap_or_default();
    let accepted = event(DeviceSignal::Kitchen(KitchenState::Accepted), seq);
    let accepted = DeviceEvent { device: "kitchen-2".to_owned(), ..accepted };
    record.apply_events(&[accepted]).expect("a legal move");
    assert_eq!((record.kitchen.who.as_deref(), record.kitchen.recalled), (Some("kitchen-2"), Some(false)));
}

#[test]
fn a_courier_who_answers_the_kitchens_commands_says_nothing_of_this_order() {
    let mut shop = assigned();
    another(&mut shop, SECOND, DeviceSignal::Courier(CourierState::PickedUp), Effect::Prepare);
    shop.run();
    assert_eq!(stall(&shop), None, "the kitchen's command");

    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    another(&mut shop, SECOND, DeviceSignal::Courier(CourierState::PickedUp), Effect::RecallKitchen);
    shop.run();
    assert_eq!(stall(&shop), None, "no courier was told");
}

#[test]
fn whoever_accepts_has_the_order_though_another_said_before_that_they_picked_it_up() {
    let mut shop = Driver::delivering();
    second(&mut shop, CourierState::PickedUp);
    shop.wait(1);
    another(&mut shop, COURIER, DeviceSignal::Courier(CourierState::Accepted), Effect::Deliver);
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    assert_eq!(stall(&shop), Some(Reason::CourierUnexpected));
}

#[test]
fn a_person_is_told_what_a_courier_did_and_what_a_retry_leads_to() {
    let says = |shop: &Driver| shop.record().stall.as_ref().map(|stall| stall.message.clone());
    let mut shop = assigned();
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    assert!(says(&shop).is_some_and(|text| text.contains("they picked up the order")), "{:?}", says(&shop));

    let mut shop = assigned();
    shop.courier(CourierState::PickedUp);
    second(&mut shop, CourierState::Delivered);
    shop.courier(CourierState::Delivered);
    shop.run();
    let text = says(&shop).expect("a question");
    assert!(text.contains("they delivered the order"), "{text}");
    assert!(text.contains("to a fresh value to go on, or"), "it is delivered by whoever has it: {text}");
}

#[test]
fn what_a_courier_said_under_the_last_number_before_they_had_the_order_does_not_end_it() {
    let mut shop = assigned();
    // They heard `taken`, which has the number of the assignment.
    another(&mut shop, SECOND, DeviceSignal::Courier(CourierState::Declined), Effect::Assign);
    second(&mut shop, CourierState::PickedUp);
    shop.run();
    shop.o.order.retry = Some("the second has it".to_owned());
    shop.run();
    assert_eq!(shop.record().dispatch.since, Some(seq(&shop, Effect::Assign).unwrap_or_default()));
    shop.run();
    assert_eq!(
        (shop.record().courier.who.as_deref(), shop.record().courier.state),
        (Some(SECOND), CourierState::PickedUp)
    );
}

#[test]
fn an_offer_is_not_repeated_once_somebody_has_the_order_whatever_they_answered() {
    let mut shop = assigned();
    let late = seq(&shop, Effect::Assign).unwrap_or_default();
    shop.wait(60);
    shop.run();
    shop.o.events.push(event(DeviceSignal::Courier(CourierState::PickedUp), late));
    shop.run();
    shop.o.order.retry = Some("the first has it".to_owned());
    shop.run();
    let before = shop.count(comanda_saga::Call::Repeat(Effect::Deliver));
    shop.wait(600);
    shop.run();
    assert_eq!(shop.record().courier.who.as_deref(), Some(COURIER));
    assert_eq!(shop.count(comanda_saga::Call::Repeat(Effect::Deliver)), before);
}

#[test]
fn a_person_is_told_whether_the_food_was_delivered_or_is_on_its_way() {
    let shop = refused_recall();
    let text = shop.record().stall.as_ref().map(|stall| stall.message.clone()).unwrap_or_default();
    assert!(text.contains("has the food and does not turn back"), "{text}");

    let mut shop = assigned();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.courier(CourierState::Delivered);
    shop.run();
    let text = shop.record().stall.as_ref().map(|stall| stall.message.clone()).unwrap_or_default();
    assert!(text.contains("delivered the order while it was being undone"), "{text}");
}
