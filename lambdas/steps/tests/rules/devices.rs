use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Phase, Reason};

use crate::support::driver::Driver;
use crate::support::event;

fn cancelled_in_the_kitchen() -> Driver {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.hear(DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    shop
}

#[test]
fn a_late_ready_after_the_undo_is_ignored() {
    let mut shop = cancelled_in_the_kitchen();
    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert!(!shop.record().is_stalled());
    assert_eq!((shop.world.provider.captures, shop.stock), (0, 3));
}

#[test]
fn a_delivery_after_the_undo_needs_a_person_until_one_acknowledges_it() {
    let mut shop = Driver::delivering();
    shop.wait(3600);
    shop.run();
    shop.wait(60);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);

    shop.courier(CourierState::Delivered);
    let decision = shop.run();
    assert_eq!(shop.record().stall.as_ref().map(|stall| stall.reason), Some(Reason::DeliveredAfterUndo));
    assert_eq!(shop.record().phase, Phase::Failed);
    let stalled = decision.status.conditions.iter().find(|c| c.type_ == "Stalled").expect("Stalled");
    assert_eq!(stalled.status, "True");

    shop.o.order.retry = Some("seen".to_owned());
    let decision = shop.run();
    assert!(decision.status.conditions.iter().all(|c| c.type_ != "Stalled"));
    assert_eq!(shop.world.provider.balance(), 0, "what was undone stays undone");
}

#[test]
fn a_token_set_before_a_delivery_after_the_undo_does_not_acknowledge_it() {
    let mut shop = Driver::delivering();
    shop.wait(3600);
    shop.run();
    shop.wait(60);
    shop.run();
    shop.o.order.retry = Some("unseen".to_owned());
    shop.courier(CourierState::Delivered);
    shop.run();
    assert!(shop.record().is_stalled());
}

#[test]
fn an_event_that_answers_no_command_is_ignored() {
    for seq in [0, 2, u64::MAX] {
        let mut shop = Driver::preparing();
        shop.o.events.push(event(DeviceSignal::Kitchen(KitchenState::Ready), seq));
        shop.run();
        assert_eq!(
            (shop.record().phase, shop.record().kitchen.state),
            (Phase::Preparing, KitchenState::Unknown)
        );
    }
}

#[test]
fn a_courier_who_answers_the_kitchens_command_is_ignored() {
    let mut shop = Driver::preparing();
    shop.o.events.push(event(DeviceSignal::Courier(CourierState::Delivered), 1));
    shop.run();
    assert_eq!(shop.record().courier.state, CourierState::Unknown);
}

#[test]
fn the_first_courier_to_speak_has_the_order() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Accepted);
    shop.run();
    let seq = shop.record().journal[&Effect::Deliver].seq.unwrap_or_default();
    let second = |signal| DeviceEvent { device: "courier-2".to_owned(), ..event(signal, seq) };
    shop.o.events.push(second(DeviceSignal::Courier(CourierState::Delivered)));
    shop.run();
    assert_eq!(
        (shop.record().phase, shop.record().courier.state),
        (Phase::Delivering, CourierState::Accepted)
    );
}

#[test]
fn a_recall_is_answered_by_the_courier_who_has_the_order_and_by_nobody_else() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Accepted);
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    let seq = shop.record().journal[&Effect::RecallCourier].seq.unwrap_or_default();
    let answer = event(DeviceSignal::CourierRecalled(true), seq);
    shop.o.events.push(DeviceEvent { device: "courier-2".to_owned(), ..answer });
    shop.run();
    assert_eq!((shop.record().phase, shop.record().courier.recalled), (Phase::Compensating, None));
}

#[test]
fn events_count_by_rank_and_not_by_arrival() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Ready);
    shop.kitchen(KitchenState::Preparing);
    shop.kitchen(KitchenState::Accepted);
    shop.run();
    assert_eq!((shop.record().phase, shop.record().kitchen.state), (Phase::Delivering, KitchenState::Ready));
}

#[test]
fn a_command_is_sent_again_with_its_number_until_the_broker_has_it() {
    use crate::support::driver::{Done, Lost};
    let mut shop = Driver::new();
    shop.lost = vec![(comanda_saga::Call::Do(Effect::Prepare), Lost::Answer); 2];
    for _ in 0..3 {
        shop.run();
    }
    let numbers: Vec<_> = shop
        .done
        .iter()
        .filter_map(|done| match done {
            Done::Wrote(record) => record.journal.get(&Effect::Prepare).and_then(|entry| entry.seq),
            _ => None,
        })
        .collect();
    assert!(numbers.len() >= 3 && numbers.iter().all(|seq| *seq == 1), "{numbers:?}");
    assert_eq!(shop.count(comanda_saga::Call::Do(Effect::Prepare)), 3);
}

#[test]
fn a_kitchen_that_speaks_under_the_number_of_its_recall_is_heard() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    // It had the recall already when it said so.
    shop.hear(DeviceSignal::Kitchen(KitchenState::Preparing), Effect::RecallKitchen);
    shop.run();
    assert_eq!((shop.record().kitchen.state, shop.record().stock_spent), (KitchenState::Preparing, true));
}
