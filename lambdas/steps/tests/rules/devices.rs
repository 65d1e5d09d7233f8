use comanda_saga::{
    Call, CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Look, Phase, Reason,
};

use crate::support::driver::{Done, Driver, Lost};
use crate::support::{at, event};

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
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::Prepare), Lost::Answer); 2];
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
    assert_eq!(shop.count(Call::Do(Effect::Prepare)), 3);
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

/// When this command was sent again, in seconds from now on, within so many.
fn repeated(shop: &mut Driver, call: Call, seconds: i64) -> Vec<i64> {
    let mut times = Vec::new();
    for second in 1..=seconds {
        shop.wait(1);
        let before = shop.count(call);
        shop.run();
        times.extend((before..shop.count(call)).map(|_| second));
    }
    times
}

#[test]
fn a_command_is_repeated_after_a_read_until_a_device_speaks_of_it_and_nothing_is_written_for_that() {
    let mut shop = Driver::preparing();
    shop.done.clear();
    assert_eq!(repeated(&mut shop, Call::Repeat(Effect::Prepare), 190), [10, 30, 60, 120, 180]);
    assert!(shop.done.iter().all(|done| matches!(done, Done::Called(_))), "{:?}", shop.done);
    let repeat = |done: &Done| *done == Done::Called(Call::Repeat(Effect::Prepare));
    let places = shop.done.iter().enumerate().filter(|(_, done)| repeat(done)).map(|(place, _)| place);
    for place in places {
        assert_eq!(shop.done[place - 1], Done::Called(Call::Read(Look::Events)));
    }
    shop.kitchen(KitchenState::Accepted);
    assert!(repeated(&mut shop, Call::Repeat(Effect::Prepare), 600).is_empty());
}

#[test]
fn the_pauses_between_repetitions_grow_to_ten_minutes() {
    let mut shop = Driver::new();
    shop.o.class.as_mut().expect("a class").spec.timeouts.kitchen_seconds = 4 * 3600;
    shop.run();
    let times = repeated(&mut shop, Call::Repeat(Effect::Prepare), 3 * 3600);
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..3], [20, 30, 60]);
    assert!(pauses.is_sorted() && pauses.last() == Some(&600), "{pauses:?}");
}

#[test]
fn a_process_that_did_not_send_a_command_repeats_it_at_once_and_then_in_its_turn() {
    let mut shop = Driver::preparing();
    shop.wait(95);
    shop.restart();
    shop.run();
    assert_eq!(shop.count(Call::Repeat(Effect::Prepare)), 1);
    assert_eq!(repeated(&mut shop, Call::Repeat(Effect::Prepare), 30), [25]);
}

#[test]
fn a_recall_is_repeated_until_the_device_speaks_of_it() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    assert_eq!(repeated(&mut shop, Call::Repeat(Effect::RecallKitchen), 40), [10, 30]);
    shop.hear(DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
}

#[test]
fn nobody_is_called_silent_before_all_that_was_said_is_read() {
    let mut shop = Driver::preparing();
    let seq = shop.record().journal[&Effect::Prepare].seq.unwrap_or_default();
    shop.wait(2700);
    shop.world.kitchen.stage = crate::support::world::Stage::Finished;
    shop.kept.push(event(DeviceSignal::Kitchen(KitchenState::Ready), seq));
    shop.run();
    assert_eq!((shop.record().phase, shop.record().fault.as_ref()), (Phase::Delivering, None));
}

#[test]
fn the_deadline_of_a_suspended_order_goes_on_whatever_comes_next() {
    // The broker does not have the command yet, or it does and the kitchen is silent.
    for lost in [vec![(Call::Do(Effect::Prepare), Lost::Request)], vec![]] {
        let mut shop = Driver::new();
        shop.lost = lost;
        shop.run();
        shop.o.order.suspend = true;
        let rest = shop.run();
        assert_ne!(rest.wait, comanda_saga::Wait::ForEvent);
        shop.wait(2700);
        shop.run();
        assert_eq!(shop.record().phase, Phase::Compensating);
        assert_eq!(shop.count(Call::Repeat(Effect::Prepare)), 0, "nothing forward is sent");
    }
}

#[test]
fn what_a_device_says_again_is_no_news_under_whatever_id_and_the_earliest_copy_counts() {
    let shop = Driver::preparing();
    let mut hand = comanda_steps::carry::InHand::new(shop.record().clone());
    let said = |signal, device: &str| DeviceEvent {
        id: "e-1".to_owned(),
        device: device.to_owned(),
        ..event(signal, 1)
    };
    let (ready, accepted) =
        (DeviceSignal::Kitchen(KitchenState::Ready), DeviceSignal::Courier(CourierState::Accepted));
    let heard = [
        said(ready, "tablet-1"),
        said(ready, "tablet-2"),
        said(accepted, "phone-1"),
        said(accepted, "tablet-1"),
    ];
    for _ in 0..2 {
        hand.hear(heard.to_vec());
    }
    assert_eq!(hand.events.len(), heard.len());
    for event in &heard {
        assert!(hand.has_heard(event) && hand.events.contains(event), "{event:?}");
    }
    let copy = DeviceEvent { id: "e-2".to_owned(), at: at(-1), ..heard[0].clone() };
    hand.hear(vec![copy.clone()]);
    assert!(hand.events.len() == heard.len() && hand.events.contains(&copy));
    // A device that counts from one begins anew when it starts.
    let preparing = said(DeviceSignal::Kitchen(KitchenState::Preparing), "tablet-1");
    assert!(!hand.has_heard(&preparing) && !hand.has_heard(&DeviceEvent { seq: 2, ..heard[0].clone() }));
}
