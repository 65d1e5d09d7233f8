use comanda_saga::{
    Call, Cause, CourierState, DeviceSignal, Effect, Hold, KitchenState, Look, Phase, RefundState, Wait,
};
use jiff::SignedDuration;

use crate::support::driver::{Driver, Lost};
use crate::support::world::Luck;

fn in_seconds(shop: &Driver, seconds: i64) -> Wait {
    Wait::Until(shop.now + SignedDuration::from_secs(seconds))
}

/// Asks again after ten seconds, and not before.
fn assert_asked_every_ten_seconds(mut shop: Driver, call: Call) {
    let before = shop.count(call);
    assert_eq!(shop.run().wait, in_seconds(&shop, 10), "{call:?}");
    shop.wait(9);
    shop.run();
    assert_eq!(shop.count(call), before, "{call:?}");
    shop.wait(1);
    let decision = shop.run();
    assert_eq!(shop.count(call), before + 1, "{call:?}");
    assert_eq!(decision.wait, in_seconds(&shop, 10), "{call:?}");
}

/// Waits in this phase for so many seconds, and not one more.
fn assert_waits(shop: &mut Driver, seconds: i64, phase: Phase) {
    shop.run();
    shop.wait(seconds - 1);
    assert_eq!(shop.run().wait, in_seconds(shop, 1));
    assert_eq!(shop.record().phase, phase);
    shop.wait(1);
    shop.run();
    assert_ne!(shop.record().phase, phase);
}

/// An order whose capture the provider works on.
pub fn slow_capture() -> Driver {
    let mut shop = Driver::preparing();
    shop.lost.push((Call::Do(Effect::Capture), Lost::Request));
    shop.kitchen(KitchenState::Ready);
    shop.run();
    shop.world.provider.intents[0].state = Hold::AwaitsProvider;
    shop.run();
    shop
}

/// An order that is cancelled while the provider works on its payment.
pub fn slow_cancellation() -> Driver {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Slow)]);
    shop.run();
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    shop.run();
    shop
}

#[test]
fn a_confirmation_that_the_provider_works_on_is_asked_for_every_ten_seconds() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Slow)]);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Paying);
    assert_asked_every_ten_seconds(shop, Call::Read(Look::Payment));
}

#[test]
fn a_capture_that_the_provider_works_on_is_asked_for_every_ten_seconds() {
    assert_asked_every_ten_seconds(slow_capture(), Call::Read(Look::Payment));
}

#[test]
fn a_cancellation_that_the_provider_works_on_is_asked_for_every_ten_seconds() {
    let shop = slow_cancellation();
    assert_eq!((shop.record().phase, shop.count(Call::Do(Effect::CancelPayment))), (Phase::Compensating, 0));
    assert_asked_every_ten_seconds(shop, Call::Read(Look::Payment));
}

#[test]
fn the_pauses_between_two_looks_at_a_pending_refund_double() {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!(shop.world.provider.refunds[0].1, RefundState::Pending);
    for pause in [10, 10, 20, 40, 80] {
        let asked = shop.count(Call::Read(Look::Refunds));
        shop.wait(pause - 1);
        shop.run();
        assert_eq!(shop.count(Call::Read(Look::Refunds)), asked, "not before {pause} s");
        shop.wait(1);
        shop.run();
        assert_eq!(shop.count(Call::Read(Look::Refunds)), asked + 1, "after {pause} s");
    }
}

#[test]
fn a_customer_is_waited_for_to_the_second() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    shop.run();
    shop.wait(895);
    // Asked for every ten seconds, but not past the deadline.
    assert_waits(&mut shop, 5, Phase::Paying);
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::PaymentNotConfirmed));
}

#[test]
fn a_courier_is_waited_for_to_the_second() {
    let mut shop = Driver::delivering();
    assert_waits(&mut shop, 3600, Phase::Delivering);
    assert_eq!(shop.record().phase, Phase::Compensating);
}

#[test]
fn a_recall_is_waited_for_to_the_second() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    assert_waits(&mut shop, 60, Phase::Compensating);
    assert_eq!(shop.record().phase, Phase::Cancelled);
}

#[test]
fn nobody_is_called_silent_within_five_seconds_of_listening_again() {
    let mut shop = Driver::preparing();
    shop.wait(2700);
    shop.o.hearing_since = Some(shop.now);
    assert_waits(&mut shop, 5, Phase::Preparing);
    assert_eq!(shop.record().phase, Phase::Compensating);
}

#[test]
fn a_broker_that_stays_away_holds_an_order_for_twice_the_deadline() {
    let mut shop = Driver::preparing();
    shop.o.hearing_since = None;
    assert_waits(&mut shop, 5400, Phase::Preparing);
    assert_eq!(shop.record().phase, Phase::Compensating);
}

#[test]
fn a_kitchen_that_answers_after_its_deadline_is_too_late() {
    let mut shop = Driver::preparing();
    shop.wait(2700);
    shop.run();
    shop.hear(DeviceSignal::Kitchen(KitchenState::Ready), Effect::Prepare);
    shop.run();
    assert_eq!(shop.record().fault.as_ref().map(|fault| fault.cause), Some(Cause::KitchenTimedOut));
    assert_eq!(shop.count(Call::Do(Effect::Capture)), 0);
}

#[test]
fn a_customer_who_confirmed_in_time_and_was_not_looked_at_since_is_not_rejected() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    shop.run();
    shop.world.provider.intents[0].state = Hold::Held;
    shop.wait(900);
    shop.restart();
    shop.run();
    assert_eq!((shop.record().phase, shop.record().fault.as_ref()), (Phase::Preparing, None));
}
