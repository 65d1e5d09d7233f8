use comanda_saga::{
    Action, Call, Cause, Direction, Effect, EntryState, IntentState, KitchenState, Look, Outcome,
    PaymentView, Phase, Wait,
};
use jiff::SignedDuration;

use crate::support::TOTAL;
use crate::support::driver::{Done, Driver, Lost};
use crate::support::world::{Luck, Stage};

#[test]
fn an_order_is_held_then_captured_when_the_food_is_ready_then_sent() {
    let mut shop = Driver::preparing();
    assert_eq!(shop.record().phase, Phase::Preparing);
    assert_eq!((shop.record().payment.authorized, shop.world.provider.captures), (TOTAL, 0));

    shop.kitchen(KitchenState::Ready);
    shop.run();
    shop.courier(comanda_saga::CourierState::Delivered);
    shop.run();

    assert_eq!(shop.record().phase, Phase::Delivered);
    assert_eq!(shop.world.provider.balance(), TOTAL);
    assert_eq!(shop.stock, 2);
    assert_eq!(
        shop.calls(),
        [
            Call::Read(Look::Validation),
            Call::Do(Effect::CreateIntent),
            Call::Do(Effect::Authorize),
            Call::Do(Effect::NotifyConfirmed),
            Call::Do(Effect::Prepare),
            Call::Do(Effect::Capture),
            Call::Do(Effect::Deliver)
        ]
    );
}

#[test]
fn every_call_with_an_effect_follows_the_write_of_its_intent() {
    let mut shop = Driver::delivering();
    shop.o.order.cancel = Some("wrong address".to_owned());
    shop.run();
    let mut written = None;
    for done in &shop.done {
        match done {
            Done::Wrote(record) => written = Some(record),
            Done::Called(call) => {
                let Some(effect) = call.effect() else { continue };
                let record = written.expect("a write before a call");
                assert_eq!(record.state(effect), Some(EntryState::Intended), "{call:?}");
            }
            Done::Object(_) => {}
        }
    }
}

#[test]
fn a_class_that_captures_at_once_does_so_before_the_kitchen_begins() {
    let mut shop = Driver::new();
    shop.o.class.as_mut().expect("a class").spec.payments.capture = comanda_crds::Capture::AtOnce;
    shop.run();
    assert_eq!(shop.record().phase, Phase::Preparing);
    assert_eq!(shop.world.provider.captures, 1);

    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::Capture)), 1);
    assert_eq!(shop.world.courier.stage, Stage::Told);
}

#[test]
fn a_declined_card_leaves_stock_and_money_as_they_were() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Bad)]);
    shop.run();
    let record = shop.record();
    assert_eq!(record.phase, Phase::Rejected);
    assert_eq!(record.fault.as_ref().map(|fault| fault.cause), Some(Cause::PaymentDeclined));
    assert_eq!(shop.stock, 3);
    assert_eq!(shop.world.provider.intents[0].state, IntentState::Canceled);
    assert_eq!(shop.world.endings, 1);
    assert_eq!(shop.count(Call::Do(Effect::NotifyConfirmed)), 0);
}

#[test]
fn an_order_the_stock_does_not_cover_is_rejected_before_any_payment_exists() {
    let mut shop = Driver { stock: 0, ..Driver::new() };
    shop.run();
    assert_eq!(shop.record().phase, Phase::Rejected);
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::OutOfStock));
    assert!(shop.world.provider.intents.is_empty());
    assert_eq!(shop.stock, 0);
}

#[test]
fn an_order_that_does_not_hold_is_rejected_and_the_customer_told() {
    let mut shop = Driver::with_luck(&[(Call::Read(Look::Validation), Luck::Bad)]);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Rejected);
    assert_eq!(shop.calls(), [Call::Read(Look::Validation), Call::Do(Effect::NotifyEnding)]);
}

#[test]
fn a_customer_who_must_confirm_is_asked_until_the_deadline_and_then_rejected() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    let decision = shop.run();
    assert_eq!(shop.record().phase, Phase::Paying);
    let waiting = decision.status.waiting_for.expect("somebody to wait for");
    assert_eq!(waiting.who, "customer");
    assert_eq!(decision.wait, Wait::Until(shop.now + SignedDuration::from_secs(10)));

    shop.wait(60);
    shop.run();
    assert_eq!((shop.record().phase, shop.count(Call::Read(Look::Payment))), (Phase::Paying, 1));

    shop.wait(900);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Rejected);
    assert_eq!(shop.record().fault.as_ref().map(|f| f.cause), Some(Cause::PaymentNotConfirmed));
    assert_eq!(shop.world.provider.intents[0].state, IntentState::Canceled);
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_called_again() {
    for call in [Call::Do(Effect::Authorize), Call::Do(Effect::Capture)] {
        for loss in [Lost::Answer, Lost::Request] {
            let mut shop = Driver::new();
            shop.lost.push((call, loss));
            shop.run();
            if call == Call::Do(Effect::Capture) {
                shop.kitchen(KitchenState::Ready);
                shop.run();
            }
            let before = shop.calls().len();
            assert_eq!(shop.calls().last(), Some(&call));
            shop.restart();
            shop.run();
            assert_eq!(shop.calls()[before], Call::Read(Look::Payment), "{call:?} {loss:?}");
            let again = usize::from(loss == Lost::Request);
            assert_eq!(shop.count(call), 1 + again, "{call:?} {loss:?}");
            assert_eq!(shop.world.provider.refused, 0);
        }
    }
}

#[test]
fn a_lost_creation_is_repeated_under_its_key_while_the_key_lives() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::CreateIntent), Lost::Answer));
    shop.run();
    shop.restart();
    shop.wait(22 * 3600);
    shop.run();
    assert_eq!(shop.world.provider.intents.len(), 1);
    assert_eq!(shop.record().journal[&Effect::CreateIntent].attempt, 1);
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn past_the_life_of_its_key_a_lost_creation_gets_a_new_one_and_only_one_is_ever_confirmed() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::CreateIntent), Lost::Answer));
    shop.run();
    shop.restart();
    shop.wait(23 * 3600);
    shop.run();
    let keys: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.key.as_str()).collect();
    assert_eq!(keys, ["test/lisbon/order-1/pi/1", "test/lisbon/order-1/pi/2"]);
    let confirmed: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.confirmed).collect();
    assert_eq!(confirmed, [false, true]);
}

#[test]
fn a_stored_error_is_left_for_a_new_key_once_a_look_shows_that_nothing_happened() {
    for (call, effect) in
        [(Call::Do(Effect::Authorize), Effect::Authorize), (Call::Do(Effect::Capture), Effect::Capture)]
    {
        let mut shop = Driver::with_luck(&[(call, Luck::Stored)]);
        shop.run();
        if call == Call::Do(Effect::Capture) {
            shop.kitchen(KitchenState::Ready);
            shop.run();
        }
        assert_eq!(shop.calls().last(), Some(&call));
        shop.luck.clear();
        shop.run();
        assert_eq!(shop.record().journal[&effect].attempt, 2, "{call:?}");
        assert!(shop.record().is_done(effect), "{call:?}");
        assert_eq!(shop.world.provider.refused, 0);
    }
}

#[test]
fn a_creation_that_fails_again_and_again_gets_a_new_key() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::CreateIntent), Luck::Stored)]);
    shop.run();
    shop.luck.clear();
    for _ in 0..5 {
        shop.run();
    }
    assert_eq!(shop.count(Call::Do(Effect::CreateIntent)), 5, "four under the first key, one under the next");
    let keys: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.key.as_str()).collect();
    assert_eq!(keys, ["test/lisbon/order-1/pi/2"]);
}

#[test]
fn an_undo_past_the_life_of_the_key_leaves_the_unconfirmed_intent_alone() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::CreateIntent), Lost::Answer));
    shop.run();
    shop.o.order.cancel = Some("changed my mind".to_owned());
    shop.wait(23 * 3600);
    shop.restart();
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert_eq!(shop.count(Call::Do(Effect::CreateIntent)), 1);
    assert_eq!(shop.stock, 3);
}

#[test]
fn a_hold_that_the_provider_let_go_fails_the_order_and_charges_nothing() {
    let mut shop = Driver::preparing();
    shop.world.provider.intents[0].state = IntentState::Canceled;
    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!(shop.record().fault.as_ref().map(|f| f.cause), Some(Cause::CaptureFailed));
    assert_eq!((shop.world.provider.balance(), shop.count(Call::Do(Effect::Deliver))), (0, 0));
    let cancelled = (shop.record().state(Effect::CancelIntent), shop.count(Call::Do(Effect::CancelIntent)));
    assert_eq!(cancelled, (Some(EntryState::Done), 0), "it is cancelled without anybody's call");
}

#[test]
fn a_provider_that_is_still_at_it_is_asked_from_time_to_time_and_not_in_a_loop() {
    for (call, effect) in
        [(Call::Do(Effect::Capture), Effect::Capture), (Call::Do(Effect::CancelIntent), Effect::CancelIntent)]
    {
        let mut shop = Driver::preparing();
        shop.lost.push((call, Lost::Request));
        if call == Call::Do(Effect::Capture) {
            shop.kitchen(KitchenState::Ready);
        } else {
            shop.o.order.cancel = Some("no longer hungry".to_owned());
            shop.run();
            shop.hear(comanda_saga::DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
        }
        shop.run();
        assert_eq!(shop.o.record.as_ref().and_then(|r| r.state(effect)), Some(EntryState::Intended));

        shop.world.provider.intents[0].state = IntentState::Processing;
        shop.wait(60);
        let decision = shop.run();
        assert!(matches!(decision.wait, Wait::Until(_)), "{call:?}: {:?}", decision.wait);
        assert_eq!(
            shop.count(Call::Read(Look::Payment)),
            if call == Call::Do(Effect::Capture) { 1 } else { 2 }
        );
    }
}

#[test]
fn a_pending_refund_is_not_done_and_is_asked_for_until_it_is() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(comanda_saga::CourierState::Failed);
    let decision = shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating);
    assert!(matches!(decision.wait, Wait::Until(_)));
    let waiting = decision.status.waiting_for.expect("somebody is waited for");
    assert_eq!((waiting.who.as_str(), waiting.deadline), ("bank", None));

    shop.world.provider.refunds[0].1 = comanda_saga::RefundState::Succeeded;
    shop.wait(11);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!((shop.record().payment.refunded, shop.count(Call::Do(Effect::Refund))), (TOTAL, 1));
}

#[test]
fn a_pending_refund_holds_back_neither_the_stock_nor_the_message() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Refund), Luck::Slow)]);
    shop.o.class.as_mut().expect("a class").spec.payments.capture = comanda_crds::Capture::AtOnce;
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.captured), (Phase::Preparing, TOTAL));
    shop.kitchen(KitchenState::Rejected);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating, "the bank has not said its last word");
    assert_eq!((shop.stock, shop.world.endings), (3, 1));
    assert!(shop.record().is_done(Effect::Release) && shop.record().is_done(Effect::NotifyEnding));

    shop.world.provider.refunds[0].1 = comanda_saga::RefundState::Failed;
    shop.wait(11);
    let status = shop.run().status;
    assert_eq!(status.reason.as_deref(), Some("RefundFailed"), "its last word is written");
    assert_eq!((shop.stock, shop.world.endings), (3, 1), "nothing is returned or told twice");
}

#[test]
fn a_disputed_charge_holds_back_neither_the_stock_nor_the_message_and_is_refunded_when_it_was_won() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Refund), Luck::Slow)]);
    shop.o.class.as_mut().expect("a class").spec.payments.capture = comanda_crds::Capture::AtOnce;
    shop.run();
    shop.kitchen(KitchenState::Rejected);
    shop.run();
    shop.world.provider.refunds[0].1 = comanda_saga::RefundState::Disputed;
    shop.wait(11);
    let status = shop.run().status;
    assert_eq!(status.reason.as_deref(), Some("PaymentDisputed"));
    assert_eq!((shop.stock, shop.world.endings), (3, 1));
    assert_eq!(shop.record().phase, Phase::Compensating);

    let mut lost = shop.clone();
    lost.o.order.abandon = Some("the dispute was lost".to_owned());
    let status = lost.run().status;
    let finished = status.conditions.iter().find(|condition| condition.type_ == "Finished").expect("its end");
    assert_eq!(
        finished.message,
        "The kitchen rejected the order: no reason given. What was left to undo was abandoned: the dispute was lost. \
         25.00 EUR was charged, and the bank took it back for a dispute. The stock was returned. The customer was told."
    );

    shop.world.provider.refunds.clear();
    shop.luck.clear();
    shop.o.order.retry = Some("the dispute was won".to_owned());
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.refunded), (Phase::Failed, TOTAL));
    assert_eq!((shop.stock, shop.world.endings), (3, 1), "nothing is returned or told twice");
}

#[test]
fn a_delivery_is_told_at_once_while_the_bank_has_not_said_its_last_word() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    shop.run();
    shop.wait(61);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating);
    shop.courier(comanda_saga::CourierState::Delivered);
    assert_eq!(shop.run().status.reason.as_deref(), Some("DeliveredAfterUndo"));
    shop.o.order.retry = Some("settled with the customer".to_owned());
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating);
    shop.world.provider.refunds[0].1 = comanda_saga::RefundState::Succeeded;
    shop.wait(7200);
    let status = shop.run().status;
    assert_eq!((status.phase, shop.record().is_stalled()), (Phase::Cancelled, false), "it was seen to");
}

#[test]
fn an_undo_that_is_given_up_while_a_refund_is_under_way_says_so() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(comanda_saga::CourierState::Failed);
    shop.run();
    shop.o.order.abandon = Some("the namespace has to go".to_owned());
    let status = shop.run().status;
    let finished = status.conditions.iter().find(|condition| condition.type_ == "Finished").expect("its end");
    let told = "A refund of 25.00 EUR was under way: look pi_0 up at the provider.";
    assert!(finished.message.contains(told), "{}", finished.message);
}

#[test]
fn a_pending_refund_is_followed_for_three_days_with_at_most_sixty_look_ups() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(comanda_saga::CourierState::Failed);
    let begun = shop.now;
    while shop.now < begun + SignedDuration::from_hours(72) {
        let Wait::Until(due) = shop.run().wait else { panic!("nobody looks again") };
        assert!(due > shop.now && due <= shop.now + SignedDuration::from_hours(2), "{due}");
        shop.now = due;
    }
    assert_eq!(shop.count(Call::Read(Look::Refunds)), 45);
    assert_eq!(shop.record().phase, Phase::Compensating);
    shop.world.provider.refunds[0].1 = comanda_saga::RefundState::Succeeded;
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.refunded), (Phase::Failed, TOTAL));
}

/// Support captured a part in the provider's dashboard.
#[test]
fn a_capture_of_another_amount_needs_a_person() {
    let mut shop = Driver::delivering();
    let captured = PaymentView {
        id: "pi_0".to_owned(),
        state: IntentState::Succeeded,
        capturable: 0,
        received: 500,
        capture_before: None,
        action_url: None,
        decline: None,
    };
    shop.o.record.as_mut().expect("a record").apply(Outcome::Payment(captured), shop.now);
    let status = shop.run().status;
    let stall = shop.record().stall.as_ref().expect("a stall");
    assert_eq!(stall.reason, comanda_saga::Reason::PaymentUnexpected);
    assert!(stall.message.starts_with("5.00 EUR of 25.00 EUR were captured"), "{}", stall.message);
    assert_eq!(status.reason.as_deref(), Some("PaymentUnexpected"));

    let mut left = shop.clone();
    left.o.order.abandon = Some("refunded in cash".to_owned());
    let status = left.run().status;
    let shown = |kind: &str| {
        let condition =
            status.conditions.iter().find(|condition| condition.type_ == kind).expect("a condition");
        (condition.status.as_str(), condition.reason.as_str(), condition.message.as_str())
    };
    assert_eq!(shown("Compensated"), ("False", "Abandoned", "refunded in cash"));
    assert_eq!(
        shown("Ready").2,
        "What was left to undo was abandoned: refunded in cash. What became of the payment pi_0 was not asked: look it up \
         at the provider."
    );

    shop.o.order.retry = Some("settled".to_owned());
    shop.courier(comanda_saga::CourierState::Delivered);
    let status = shop.run().status;
    assert_eq!(shop.record().phase, Phase::Delivered);
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    assert_eq!(ready.map(|ready| ready.message.as_str()), Some("Delivered; 5.00 EUR was captured."));
}

#[test]
fn an_answer_that_says_declined_after_the_undo_began_changes_no_cause() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("too late".to_owned());
    shop.run();
    let record = shop.o.record.as_mut().expect("a record");
    record.apply(
        Outcome::Payment(PaymentView {
            id: "pi_0".to_owned(),
            state: IntentState::RequiresPaymentMethod,
            capturable: 0,
            received: 0,
            capture_before: None,
            action_url: None,
            decline: None,
        }),
        shop.now,
    );
    assert_eq!(record.direction, Direction::Undo);
    assert_eq!(record.fault.as_ref().map(|fault| fault.cause), Some(Cause::CancelRequested));
}

#[test]
fn a_process_that_died_before_it_asked_has_used_up_no_try() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::NotifyConfirmed), Lost::Request));
    shop.run();
    // The class allows two tries, of which one has failed. Five processes take the intent and die.
    for _ in 0..5 {
        shop.restart();
        if let [comanda_saga::Action::Write(write), ..] = shop.decide().actions.as_slice() {
            shop.ledger = Some(write.record.clone());
        }
    }
    shop.restart();
    shop.run();
    assert_eq!(shop.world.confirmations, 1);
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Done));
}

#[test]
fn a_message_is_tried_as_often_as_the_class_allows_and_never_stops_an_order() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::NotifyConfirmed), Lost::Request); 2];
    for _ in 0..3 {
        shop.run();
    }
    assert_eq!(shop.count(Call::Do(Effect::NotifyConfirmed)), 2);
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Failed));
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn a_try_that_a_crash_cut_short_does_not_count_against_the_message() {
    let mut shop = Driver::new();
    // The class allows two. Four processes die between the intent and its answer.
    for _ in 0..4 {
        shop.lost = vec![(Call::Do(Effect::NotifyConfirmed), Lost::Request)];
        shop.run();
        shop.restart();
    }
    shop.run();
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Done));
}

#[test]
fn a_creation_that_crashes_cut_short_keeps_its_key() {
    let mut shop = Driver::new();
    for _ in 0..6 {
        shop.lost = vec![(Call::Do(Effect::CreateIntent), Lost::Answer)];
        shop.run();
        shop.restart();
    }
    shop.run();
    assert_eq!(shop.record().journal[&Effect::CreateIntent].attempt, 1);
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn a_look_up_costs_no_write() {
    let mut shop = Driver::preparing();
    shop.lost.push((Call::Do(Effect::Capture), Lost::Answer));
    shop.kitchen(KitchenState::Ready);
    shop.run();
    // That there was no answer is known, and not written.
    assert_ne!(shop.o.record, shop.o.saved);
    assert_eq!(shop.decide().actions, [Action::Call(Call::Read(Look::Payment))]);
}

#[test]
fn a_key_is_used_for_twenty_three_hours() {
    for (seconds, keys) in [(23 * 3600 - 1, 1), (23 * 3600, 2)] {
        let mut shop = Driver::new();
        shop.lost.push((Call::Do(Effect::CreateIntent), Lost::Request));
        shop.run();
        shop.wait(seconds);
        shop.run();
        assert_eq!(shop.record().journal[&Effect::CreateIntent].attempt, keys);
        let key = format!("test/lisbon/order-1/pi/{keys}");
        assert_eq!(shop.world.provider.intents[0].key, key);
    }
}

#[test]
fn a_key_is_tried_four_times() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::CreateIntent), Lost::Request); 8];
    let mut keys = Vec::new();
    for _ in 0..9 {
        shop.run();
        keys.push(shop.record().journal[&Effect::CreateIntent].attempt);
    }
    assert_eq!(keys, [1, 1, 1, 1, 2, 2, 2, 2, 3]);
    assert_eq!(shop.world.provider.intents.len(), 1);
}

#[test]
fn a_refund_whose_answer_was_lost_is_looked_up_at_once() {
    let mut shop = Driver::delivering();
    shop.lost.push((Call::Do(Effect::Refund), Lost::Answer));
    shop.courier(comanda_saga::CourierState::Failed);
    shop.run();
    assert_eq!(
        shop.o.payment_seen_at,
        Some(shop.now),
        "the payment was asked for just now, the refund was not"
    );
    assert_eq!(shop.decide().actions, [Action::Call(Call::Read(Look::Refunds))]);
}
