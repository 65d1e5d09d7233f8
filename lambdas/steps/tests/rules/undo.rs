use comanda_saga::{
    Call, Cause, CourierState, DeviceSignal, Effect, EntryState, KitchenState, Look, Phase, Wait,
};
use comanda_steps::carry::Request;
use jiff::SignedDuration;

use crate::support::Ask;
use crate::support::TOTAL;
use crate::support::driver::Driver;

fn cancelled(mut shop: Driver) -> Driver {
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop
}

fn cause(shop: &Driver) -> Option<Cause> {
    shop.record().fault.as_ref().map(|fault| fault.cause)
}

#[test]
fn a_kitchen_that_rejects_before_it_began_gives_the_stock_back() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Rejected);
    shop.run();
    assert_eq!((shop.record().phase, cause(&shop)), (Phase::Failed, Some(Cause::KitchenRejected)));
    assert_eq!((shop.stock, shop.record().stock_spent), (3, false));
    assert_eq!((shop.world.provider.balance(), shop.world.provider.holds()), (0, false));
    assert_eq!(shop.count(Call::Do(Effect::RecallKitchen)), 0, "a kitchen that said no needs no recall");
}

#[test]
fn a_kitchen_that_rejects_after_it_began_has_spent_the_stock() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Preparing);
    shop.run();
    shop.kitchen(KitchenState::Rejected);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!((shop.stock, shop.record().stock_spent), (2, true));
}

#[test]
fn a_kitchen_that_refuses_to_stop_has_spent_the_stock_though_its_preparing_comes_late() {
    let mut shop = cancelled(Driver::preparing());
    shop.hear(DeviceSignal::KitchenRecalled(false), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert_eq!((shop.stock, shop.record().stock_spent), (2, true));
}

#[test]
fn a_silent_kitchen_fails_the_order_at_its_deadline_and_not_before() {
    let mut shop = Driver::preparing();
    shop.wait(2699);
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(1)));
    assert_eq!(shop.record().phase, Phase::Preparing);
    shop.wait(1);
    shop.run();
    assert_eq!((shop.record().phase, cause(&shop)), (Phase::Compensating, Some(Cause::KitchenTimedOut)));

    shop.wait(60);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!(shop.record().state(Effect::RecallKitchen), Some(EntryState::Unconfirmed));
    assert_eq!(shop.stock, 3);
}

#[test]
fn a_silent_courier_fails_the_order_and_the_customer_is_refunded() {
    let mut shop = Driver::delivering();
    shop.wait(3600);
    shop.run();
    shop.wait(60);
    shop.run();
    assert_eq!((shop.record().phase, cause(&shop)), (Phase::Failed, Some(Cause::CourierTimedOut)));
    assert_eq!((shop.world.provider.balance(), shop.record().payment.refunded), (0, TOTAL));
    assert_eq!(shop.stock, 2, "the food was made");
}

#[test]
fn a_cancel_before_the_pick_up_undoes_in_the_reverse_order_of_doing() {
    let mut shop = cancelled(Driver::delivering());
    assert_eq!(shop.calls().last(), Some(&Call::Do(Effect::RecallCourier)));
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 0, "money waits for the courier's answer");

    shop.hear(DeviceSignal::CourierRecalled(true), Effect::RecallCourier);
    shop.run();
    assert_eq!((shop.record().phase, cause(&shop)), (Phase::Cancelled, Some(Cause::CancelRequested)));
    let undone = shop
        .calls()
        .split_off(shop.calls().iter().position(|c| *c == Call::Do(Effect::RecallCourier)).unwrap());
    assert_eq!(
        undone,
        [
            Call::Do(Effect::RecallCourier),
            Call::Read(Look::Payment),
            Call::Do(Effect::Refund),
            Call::Do(Effect::NotifyEnding)
        ]
    );
    assert_eq!(shop.world.provider.balance(), 0);
}

#[test]
fn a_cancel_after_the_pick_up_is_refused_and_the_object_says_so() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::PickedUp);
    shop.run();
    let mut shop = cancelled(shop);
    let status = shop.decide().status;
    assert_eq!(status.reason.as_deref(), Some("CancelRefused"));
    assert_eq!(shop.record().phase, Phase::Delivering);

    shop.courier(CourierState::Delivered);
    shop.run();
    assert_eq!((shop.record().phase, shop.world.provider.balance()), (Phase::Delivered, TOTAL));
}

#[test]
fn a_cancel_before_the_claim_is_honoured_without_charging() {
    let shop = cancelled(Driver::new());
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert!(shop.world.provider.intents.is_empty());
    assert_eq!(shop.stock, 3);
}

#[test]
fn a_courier_who_fails_after_the_pick_up_costs_the_customer_nothing() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::PickedUp);
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!((shop.record().phase, cause(&shop)), (Phase::Failed, Some(Cause::CourierFailed)));
    assert_eq!((shop.world.provider.balance(), shop.count(Call::Do(Effect::RecallCourier))), (0, 0));
}

#[test]
fn nothing_is_called_for_an_undo_before_the_ledger_says_that_it_began() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    let decision = shop.decide();
    assert!(matches!(
        &decision.asks[0],
        Ask::Record(Request::Write(write, _)) if write.record.direction == comanda_saga::Direction::Undo
    ));
}

#[test]
fn the_stock_is_returned_in_the_very_write_that_says_so() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), crate::support::world::Luck::Bad)]);
    shop.lost.push((Call::Do(Effect::NotifyEnding), crate::support::driver::Lost::Request));
    shop.run();
    assert_eq!(shop.record().state(Effect::Release), Some(EntryState::Done));
    assert_eq!(shop.stock, 3);
    shop.restart();
    shop.run();
    assert_eq!((shop.stock, shop.record().phase), (3, Phase::Rejected));
}

#[test]
fn six_effects_lead_back_and_the_others_forward() {
    use Effect::{
        Authorize, CancelPayment, Capture, Deliver, NotifyConfirmed, NotifyEnding, OpenPayment, Prepare,
        RecallCourier, RecallKitchen, Refund, Release, Reserve,
    };
    for effect in [RecallCourier, RecallKitchen, CancelPayment, Refund, Release, NotifyEnding] {
        assert!(effect.undoes(), "{effect:?}");
    }
    for effect in [Reserve, OpenPayment, Authorize, Capture, NotifyConfirmed, Prepare, Deliver] {
        assert!(!effect.undoes(), "{effect:?}");
    }
}

#[test]
fn not_even_a_look_is_taken_for_an_undo_before_the_ledger_says_that_it_began() {
    // A courier who failed is not called back: this undo begins with a look at the payment.
    let mut shop = Driver::delivering();
    shop.courier(CourierState::PickedUp);
    shop.run();
    shop.courier(CourierState::Failed);
    let actions = shop.decide().asks;
    assert!(
        matches!(
            actions.as_slice(),
            [Ask::Record(Request::Write(write, None))]
                if write.record.direction == comanda_saga::Direction::Undo
        ),
        "{actions:#?}"
    );
}

#[test]
fn a_kitchen_that_may_have_been_told_is_stopped() {
    use crate::support::driver::Lost;
    for loss in [Lost::Answer, Lost::Request] {
        let mut shop = Driver::new();
        shop.lost.push((Call::Do(Effect::Prepare), loss));
        shop.run();
        shop.restart();
        assert_eq!(shop.record().state(Effect::Prepare), Some(EntryState::Intended));
        let shop = cancelled(shop);
        assert_eq!(shop.calls().last(), Some(&Call::Do(Effect::RecallKitchen)), "{loss:?}");
    }
}
