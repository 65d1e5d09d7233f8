//! Refunds: what waits for the bank's last word, and what does not.

use comanda_saga::{Call, Effect, KitchenState, Look, Phase, Wait};
use comanda_steps::carry::Request;
use jiff::SignedDuration;

use crate::support::Ask;
use crate::support::TOTAL;
use crate::support::driver::{Driver, Lost};
use crate::support::world::Luck;

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

#[test]
fn a_refund_whose_answer_was_lost_is_looked_up_at_once() {
    let mut shop = Driver::delivering();
    shop.lost.push((Call::Do(Effect::Refund), Lost::Answer));
    shop.courier(comanda_saga::CourierState::Failed);
    shop.run();
    let now = shop.now;
    assert_eq!(
        shop.in_hand().payment_seen_at,
        Some(now),
        "the payment was asked for just now, the refund was not"
    );
    assert_eq!(shop.decide().asks, [Ask::Record(Request::Call(Call::Read(Look::Refunds)))]);
}
