use comanda_saga::{
    Call, Cause, Direction, Effect, EntryState, Hold, KitchenState, Look, Outcome, PaymentView, Phase, Wait,
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
    let in_turn = [
        Call::Read(Look::Validation),
        Call::Do(Effect::OpenPayment),
        Call::Do(Effect::Authorize),
        Call::Do(Effect::NotifyConfirmed),
        Call::Do(Effect::Prepare),
        Call::Do(Effect::Capture),
        Call::Do(Effect::Deliver),
    ];
    let made: Vec<Call> = shop.calls().into_iter().filter(|call| in_turn.contains(call)).collect();
    assert_eq!(made, in_turn, "each once, whatever is called between");
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
    assert_eq!(shop.world.provider.intents[0].state, Hold::Released);
    assert_eq!(shop.world.endings, 1);
    assert_eq!(shop.count(Call::Do(Effect::NotifyConfirmed)), 0);
}

#[test]
fn an_order_the_stock_does_not_cover_is_rejected_before_any_payment_exists() {
    let mut shop = Driver::new();
    shop.stock = 0;
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
    assert_eq!(shop.world.provider.intents[0].state, Hold::Released);
}

#[test]
fn a_hold_that_the_provider_let_go_fails_the_order_and_charges_nothing() {
    let mut shop = Driver::preparing();
    shop.world.provider.intents[0].state = Hold::Released;
    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!(shop.record().fault.as_ref().map(|f| f.cause), Some(Cause::CaptureFailed));
    assert_eq!((shop.world.provider.balance(), shop.count(Call::Do(Effect::Deliver))), (0, 0));
    let cancelled = (shop.record().state(Effect::CancelPayment), shop.count(Call::Do(Effect::CancelPayment)));
    assert_eq!(cancelled, (Some(EntryState::Done), 0), "it is cancelled without anybody's call");
}

#[test]
fn a_provider_that_is_still_at_it_is_asked_from_time_to_time_and_not_in_a_loop() {
    for (call, effect) in [
        (Call::Do(Effect::Capture), Effect::Capture),
        (Call::Do(Effect::CancelPayment), Effect::CancelPayment),
    ] {
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
        assert_eq!(shop.in_hand().record.state(effect), Some(EntryState::Intended));

        shop.world.provider.intents[0].state = Hold::AwaitsProvider;
        shop.wait(60);
        let decision = shop.run();
        assert!(matches!(decision.wait, Wait::Until(_)), "{call:?}: {:?}", decision.wait);
        assert_eq!(
            shop.count(Call::Read(Look::Payment)),
            if call == Call::Do(Effect::Capture) { 1 } else { 2 }
        );
    }
}

/// Support captured a part in the provider's dashboard.
#[test]
fn a_capture_of_another_amount_needs_a_person() {
    let mut shop = Driver::delivering();
    let captured = PaymentView {
        id: "pi_0".to_owned(),
        hold: Hold::Taken,
        capturable: 0,
        received: 500,
        capture_before: None,
        action_url: None,
        decline: None,
        disputed: false,
    };
    let now = shop.now;
    shop.in_hand().record.apply(Outcome::Payment(captured), now).expect("a legal move");
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
    let now = shop.now;
    let record = &mut shop.in_hand().record;
    record
        .apply(
            Outcome::Payment(PaymentView {
                id: "pi_0".to_owned(),
                hold: Hold::Refused,
                capturable: 0,
                received: 0,
                capture_before: None,
                action_url: None,
                decline: None,
                disputed: false,
            }),
            now,
        )
        .expect("a legal move");
    assert_eq!(record.direction, Direction::Undo);
    assert_eq!(record.fault.as_ref().map(|fault| fault.cause), Some(Cause::CancelRequested));
}
