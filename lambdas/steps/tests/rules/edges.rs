//! What the other rules' tests would not notice: found by changing the saga, one operator or one arm at a time.

use comanda_saga::record::Stall;
use comanda_saga::status::is_news;
use comanda_saga::{
    Call, CourierState, DeviceEvent, DeviceSignal, Effect, EntryState, Hold, KitchenState, Look, Phase,
    Reason, Record, RefundState, Wait,
};
use comanda_steps::carry::{InHand, Request, Rest};
use jiff::SignedDuration;

use crate::support::driver::{Done, Driver, Lost};
use crate::support::world::Luck;
use crate::support::{at, event, executor, seen};
use crate::waiting::{slow_cancellation, slow_capture};

/// What an operator asks for that has this record in hand, or how the order rests.
fn asks(record: &Record) -> Result<Request, Rest> {
    let mut hand = InHand::new(record.clone());
    hand.events_read_at = Some(at(0));
    hand.next(&seen().circumstances(), at(0)).expect("no contradiction")
}

/// The stall that is written next.
fn stalls(record: &Record) -> Option<Stall> {
    match asks(record) {
        Ok(Request::Write(write, _)) => write.record.stall,
        _ => None,
    }
}

fn waits_for(shop: &Driver) -> Option<String> {
    shop.decide().status.waiting_for.map(|waiting| waiting.who)
}

#[test]
fn what_devices_said_around_a_connection_is_read_once_two_seconds_after_it() {
    let mut shop = Driver::preparing();
    shop.wait(3);
    shop.o.hearing_since = Some(shop.now);
    let before = shop.count(Call::Read(Look::Events));
    shop.wait(2);
    shop.run();
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Events)), before + 1);
}

#[test]
fn a_record_names_the_process_that_wrote_it() {
    assert_eq!(Driver::preparing().record().writer, "writer-1");
}

#[test]
fn a_hold_that_is_gone_fails_an_order_only_before_its_capture() {
    let mut record = Driver::delivering().record().clone();
    assert!(record.is_done(Effect::Capture));
    record.payment.hold = Some(Hold::Released);
    let Err(Rest::Wait(_)) = asks(&record) else { panic!("it waits for its courier") };
}

#[test]
fn a_part_of_the_amount_that_somebody_captured_is_asked_about_once() {
    let mut record = Driver::delivering().record().clone();
    record.payment.captured = 1;
    let asked = stalls(&record).expect("a question");
    assert_eq!(asked.reason, Reason::PaymentUnexpected);
    record.payment.questioned = Some(1);
    assert_eq!(stalls(&record), None);
    record.payment.captured = 2;
    assert_eq!(stalls(&record).map(|stall| stall.reason), Some(Reason::PaymentUnexpected));
}

#[test]
fn what_is_known_is_written_before_a_command_is_repeated() {
    let mut shop = Driver::preparing();
    shop.wait(10);
    shop.o.order.retry = Some("once more".to_owned());
    shop.done.clear();
    shop.run();
    let wrote = shop.done.iter().position(|done| matches!(done, Done::Wrote(_)));
    let repeated = shop.done.iter().position(|done| *done == Done::Called(Call::Repeat(Effect::Prepare)));
    assert!(wrote.is_some() && wrote < repeated, "{:?}", shop.calls());
}

#[test]
fn a_command_whose_repetition_failed_is_repeated_after_another_read() {
    let mut shop = Driver::preparing();
    shop.wait(10);
    shop.lost.push((Call::Repeat(Effect::Prepare), Lost::Request));
    shop.run();
    shop.done.clear();
    shop.run();
    assert_eq!(shop.calls(), [Call::Read(Look::Events), Call::Repeat(Effect::Prepare)]);
}

#[test]
fn an_order_that_a_suspended_class_does_not_take_waits_for_an_event() {
    let mut shop = Driver::new();
    shop.o.class.as_mut().expect("a class").spec.suspend = true;
    assert_eq!((shop.run().wait, shop.ledger.as_ref()), (Wait::ForEvent, None));
}

#[test]
fn metrics_and_logs_name_a_call_by_its_effect_or_by_what_it_reads() {
    let names = [Call::Do(Effect::Capture), Call::Read(Look::Payment), Call::Repeat(Effect::Prepare)];
    assert_eq!(names.map(Call::name), ["Capture", "Payment", "Repeat"]);
}

#[test]
fn time_outs_count_as_the_class_says_now() {
    let mut shop = Driver::preparing();
    shop.o.class.as_mut().expect("a class").spec.timeouts.kitchen_seconds = 100;
    shop.kitchen(KitchenState::Accepted);
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(100)));
}

#[test]
fn a_suspended_order_waits_for_its_courier_until_the_deadline_and_repeats_nothing() {
    let mut shop = Driver::delivering();
    shop.o.order.suspend = true;
    shop.wait(10);
    let deadline = shop.record().journal[&Effect::Deliver].started_at + SignedDuration::from_secs(3600);
    assert_eq!(shop.run().wait, Wait::Until(deadline));
    assert_eq!(shop.count(Call::Repeat(Effect::Deliver)), 0);
}

#[test]
fn a_suspended_order_looks_at_the_payment_that_was_begun() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    shop.run();
    shop.o.order.suspend = true;
    let before = shop.count(Call::Read(Look::Payment));
    shop.wait(10);
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Payment)), before + 1);
}

#[test]
fn an_execution_that_waits_for_a_customer_is_looked_at_past_their_deadline() {
    let due = |hold| {
        let mut shop = Driver::new();
        shop.o.class.as_mut().expect("a class").spec.executor = Some(executor(&[Phase::Paying]));
        shop.run();
        let mut record = shop.record().clone();
        record.payment.id = Some("pi_0".to_owned());
        record.payment.hold = Some(hold);
        record.settle(Effect::Authorize, EntryState::Done, None, at(300)).expect("a legal move");
        asks(&record)
    };
    let at = |seconds| Err(Rest::Wait(Wait::Until(at(seconds))));
    // Fifteen minutes after the confirmation was asked for, and twenty beyond that.
    assert_eq!(due(Hold::AwaitsCustomer), at(300 + 900 + 1200));
    assert_eq!(due(Hold::AwaitsProvider), at(1200));
}

#[test]
fn an_order_waits_for_a_bank_alone_when_its_customer_knows_and_a_refund_is_pending() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(CourierState::Failed);
    shop.run();
    let record = shop.record().clone();
    assert!(record.waits_for_bank());
    let with = |change: fn(&mut Record)| {
        let mut changed = record.clone();
        change(&mut changed);
        changed.waits_for_bank()
    };
    assert!(!with(|record| record.phase = Phase::Failed));
    assert!(!with(|record| record.payment.refund = Some(RefundState::Failed)));
    assert!(!with(|record| drop(record.journal.remove(&Effect::NotifyEnding))));
}

#[test]
fn devices_may_speak_of_an_order_from_the_first_command_to_its_end() {
    let mut record = Driver::preparing().record().clone();
    assert!(record.is_spoken_of());
    record.phase = Phase::Cancelled;
    assert!(!record.is_spoken_of());
    record.phase = Phase::Preparing;
    record.journal.remove(&Effect::Prepare);
    assert!(!record.is_spoken_of());
}

#[test]
fn a_kitchen_is_called_silent_only_after_a_read_at_its_deadline() {
    let mut shop = Driver::preparing();
    shop.wait(2690);
    shop.run();
    let seq = shop.record().journal[&Effect::Prepare].seq.unwrap_or_default();
    let ready = DeviceEvent { at: shop.now, ..event(DeviceSignal::Kitchen(KitchenState::Ready), seq) };
    shop.kept.push(ready);
    shop.world.kitchen.stage = crate::support::world::Stage::Finished;
    shop.wait(10);
    shop.run();
    assert_eq!((shop.record().phase, shop.record().fault.as_ref()), (Phase::Delivering, None));
}

#[test]
fn a_message_that_changes_is_news_only_where_it_alone_says_what_to_do() {
    let old = Driver::preparing().decide().status;
    let mut new = old.clone();
    let paid = new.conditions.iter_mut().find(|condition| condition.type_ == "Paid").expect("Paid");
    paid.message.push_str(" Soon.");
    assert!(!is_news(&new, &old));
    let waiting = |message: &str| {
        let mut status = old.clone();
        for condition in &mut status.conditions {
            (condition.reason, condition.message) = (Reason::Waiting.name().to_owned(), message.to_owned());
        }
        status
    };
    assert!(is_news(&waiting("for the class"), &waiting("for the Secret")));
}

#[test]
fn the_status_names_the_payment_provider_while_it_is_waited_for_and_not_after() {
    let shop = slow_capture();
    assert_eq!(waits_for(&shop).as_deref(), Some("payment provider"), "a capture");

    let mut shop = slow_cancellation();
    assert_eq!(waits_for(&shop).as_deref(), Some("payment provider"), "a cancellation");
    // It is cancelled by now, and the message does not leave.
    shop.world.provider.intents[0].state = Hold::Held;
    shop.lost.push((Call::Do(Effect::NotifyEnding), Lost::Request));
    shop.wait(10);
    shop.run();
    assert_eq!((shop.record().phase, waits_for(&shop)), (Phase::Compensating, None));
}
