use comanda_crds::OrderStatus;
use comanda_saga::custody::Action;
use comanda_saga::{Call, Closed, CourierState, Effect, EntryState, KitchenState, Look, Phase, Reason, Wait};
use comanda_steps::carry::Request;
use jiff::SignedDuration;

use crate::support::Ask;
use crate::support::TOTAL;
use crate::support::driver::{Done, Driver, Lost};
use crate::support::world::Luck;

fn shows(status: &OrderStatus, kind: &str) -> Option<String> {
    status.conditions.iter().find(|c| c.type_ == kind).map(|c| c.status.clone())
}

/// An order whose refund the provider will not make.
fn refund_failed() -> Driver {
    let mut shop = Driver::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Bad));
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!(shop.record().stall.as_ref().map(|stall| stall.reason), Some(Reason::RefundFailed));
    shop
}

#[test]
fn an_order_that_needs_a_person_says_so_and_does_nothing_by_itself() {
    let mut shop = refund_failed();
    shop.done.clear();
    shop.wait(100_000);
    let decision = shop.run();
    let looked = [Done::Called(Call::Read(Look::Events))];
    assert_eq!((shop.done.as_slice(), decision.wait), (looked.as_slice(), Wait::ForEvent));
    assert_eq!(shows(&decision.status, "Stalled").as_deref(), Some("True"));
    assert_eq!(shows(&decision.status, "Reconciling"), None);
    assert_eq!(shows(&decision.status, "Finished").as_deref(), Some("False"));
}

#[test]
fn a_retry_tries_a_failed_refund_again_under_a_new_key() {
    let mut shop = refund_failed();
    shop.luck.clear();
    shop.o.order.retry = Some("once more".to_owned());
    let decision = shop.run();
    assert_eq!(shop.record().phase, Phase::Failed);
    assert_eq!(shop.record().journal[&Effect::Refund].key, "test/lisbon/order-1/refund/2");
    assert_eq!(shop.world.provider.balance(), 0);
    assert_eq!(decision.status.last_handled_retry.as_deref(), Some("once more"));
}

#[test]
fn a_retry_token_counts_once() {
    let mut shop = refund_failed();
    shop.o.order.retry = Some("once more".to_owned());
    shop.run();
    shop.run();
    assert!(shop.record().is_stalled());
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 2);
}

#[test]
fn a_retry_of_a_look_up_that_still_needs_a_person_ends() {
    let mut shop = Driver::with_luck(&[(Call::Read(Look::Validation), Luck::Person)]);
    shop.run();
    assert!(shop.record().is_stalled());
    shop.o.order.retry = Some("once more".to_owned());
    shop.run();
    assert!(shop.record().is_stalled());
    assert_eq!(shop.count(Call::Read(Look::Validation)), 2);
}

#[test]
fn an_order_that_needs_a_person_records_no_undo_that_it_does_not_make() {
    let mut shop = Driver::preparing();
    shop.luck.push((Call::Do(Effect::RecallKitchen), Luck::Person));
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.wait(60);
    shop.run();
    assert!(shop.record().is_stalled());
    assert_eq!(shop.record().state(Effect::Release), None);

    shop.o.order.retry = Some("the tablet is back".to_owned());
    shop.run();
    assert_eq!((shop.record().phase, shop.stock), (Phase::Cancelled, 3));
}

#[test]
fn an_abandoned_order_lets_its_object_go_and_keeps_the_debt_on_record() {
    let mut shop = refund_failed();
    shop.o.order.abandon = Some("refunded in cash".to_owned());
    shop.o.order.deleted = true;
    let status = shop.run().status;
    assert_eq!((shop.record().phase, shop.record().is_stalled()), (Phase::Failed, false));
    assert_eq!(shop.record().abandoned.as_deref(), Some("refunded in cash"));
    assert_eq!(shop.record().payment.captured - shop.record().payment.refunded, TOTAL);
    assert_eq!(status.reason.as_deref(), Some("Abandoned"));
    assert_eq!(shows(&status, "Compensated").as_deref(), Some("False"));
    assert!(!shop.o.order.has_finalizer);
}

#[test]
fn an_order_on_its_way_forward_is_not_abandoned() {
    let mut shop = Driver::preparing();
    shop.o.order.abandon = Some("too slow".to_owned());
    shop.run();
    assert_eq!((shop.record().phase, shop.record().abandoned.as_ref()), (Phase::Preparing, None));

    // Nor later: it was not said of the undo that began meanwhile.
    shop.kitchen(KitchenState::Rejected);
    shop.run();
    assert_eq!((shop.record().phase, shop.record().abandoned.as_ref()), (Phase::Failed, None));
    assert_eq!((shop.stock, shop.world.provider.holds(), shop.world.endings), (3, false, 1));
}

#[test]
fn a_reason_to_abandon_that_came_too_early_counts_when_it_is_given_anew() {
    let mut shop = Driver::delivering();
    shop.o.order.abandon = Some("too slow".to_owned());
    shop.luck.push((Call::Do(Effect::Refund), Luck::Bad));
    shop.courier(CourierState::Failed);
    shop.run();
    assert!(shop.record().is_stalled());
    shop.o.order.abandon = Some("refunded in cash".to_owned());
    shop.run();
    assert_eq!(shop.record().abandoned.as_deref(), Some("refunded in cash"));
}

#[test]
fn a_deleted_object_stays_until_its_order_is_undone() {
    let mut shop = Driver::preparing();
    shop.o.order.deleted = true;
    shop.run();
    assert!(shop.o.order.has_finalizer);
    shop.hear(comanda_saga::DeviceSignal::KitchenRecalled(true), Effect::RecallKitchen);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert_eq!(shop.done.last(), Some(&Done::Object(Action::RemoveFinalizer)));
    assert_eq!((shop.stock, shop.world.provider.holds()), (3, false));
}

#[test]
fn a_deletion_after_the_pick_up_waits_for_the_delivery() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::PickedUp);
    shop.o.order.deleted = true;
    shop.run();
    assert!(shop.o.order.has_finalizer);
    shop.courier(CourierState::Delivered);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Delivered);
    assert!(!shop.o.order.has_finalizer);
}

#[test]
fn an_object_that_is_deleted_before_its_claim_goes_once_the_ledger_knows_that_it_is_over() {
    let mut shop = Driver::new();
    shop.o.order.has_finalizer = true;
    shop.o.order.deleted = true;
    // Neither a full or suspended class keeps it, nor that it is suspended itself.
    shop.o.order.suspend = true;
    let class = shop.o.class.as_mut().expect("a class");
    (class.closed, class.spec.suspend) = (Some(Closed::Full), true);
    shop.run();
    let record = shop.record();
    assert_eq!((record.phase, record.journal.len()), (Phase::Cancelled, 0));
    assert_eq!(record.finished_at, Some(shop.now));
    assert!(
        matches!(shop.done[..], [Done::Wrote(_), Done::Object(Action::RemoveFinalizer)]),
        "{:?}",
        shop.done
    );
}

#[test]
fn an_object_that_is_deleted_before_anybody_could_claim_it_leaves_nothing_behind() {
    let mut shop = Driver::new();
    shop.o.class = None;
    shop.o.order.has_finalizer = true;
    shop.o.order.deleted = true;
    shop.run();
    assert_eq!(
        (shop.ledger.as_ref(), shop.done.as_slice()),
        (None, &[Done::Object(Action::RemoveFinalizer)][..])
    );
}

#[test]
fn a_suspended_order_hears_its_devices_but_has_no_effect_until_it_is_released() {
    let mut shop = Driver::preparing();
    shop.o.order.suspend = true;
    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!(shop.record().kitchen.state, comanda_saga::KitchenState::Ready);
    assert_eq!(shop.count(Call::Do(Effect::Capture)), 0);
    assert_eq!(shop.decide().status.reason.as_deref(), Some("Suspended"));

    shop.o.order.suspend = false;
    shop.run();
    assert_eq!(shop.record().phase, Phase::Delivering);
}

#[test]
fn an_order_suspended_between_check_and_reservation_takes_its_stock_when_it_goes_on() {
    let mut shop = Driver::new();
    // It is claimed, and checked.
    shop.step();
    shop.step();
    assert_eq!(shop.in_hand().record.total, Some(TOTAL));
    shop.o.order.suspend = true;
    shop.run();
    assert_eq!((shop.record().state(Effect::Reserve), shop.stock), (None, 3));

    shop.o.order.suspend = false;
    shop.run();
    assert_eq!((shop.record().state(Effect::Reserve), shop.stock), (Some(EntryState::Done), 2));
}

#[test]
fn a_suspended_order_is_still_undone() {
    let mut shop = Driver::delivering();
    shop.o.order.suspend = true;
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!((shop.record().phase, shop.world.provider.balance()), (Phase::Failed, 0));
}

#[test]
fn a_suspended_order_is_not_even_claimed() {
    let mut shop = Driver::new();
    shop.o.order.suspend = true;
    let status = shop.run().status;
    assert_eq!((shop.done.as_slice(), status.reason.as_deref()), ([].as_slice(), Some("Suspended")));
}

#[test]
fn a_full_class_makes_a_new_order_wait_and_leaves_a_live_one_alone() {
    let mut new = Driver::new();
    let mut live = Driver::preparing();
    for shop in [&mut new, &mut live] {
        shop.o.class.as_mut().expect("a class").closed = Some(Closed::Full);
        shop.run();
    }
    assert_eq!(new.ledger, None);
    assert_eq!(new.decide().wait, Wait::Until(new.now + SignedDuration::from_secs(5)));
    live.kitchen(comanda_saga::KitchenState::Ready);
    live.run();
    assert_eq!(live.record().phase, Phase::Delivering);
}

#[test]
fn an_order_whose_class_is_gone_goes_on_as_it_was_claimed() {
    let mut shop = Driver::new();
    shop.o.class.as_mut().expect("a class").spec.timeouts.kitchen_seconds = 100;
    shop.run();
    shop.o.class = None;
    shop.kitchen(KitchenState::Accepted);
    assert_eq!(shop.run().wait, Wait::Until(shop.now + SignedDuration::from_secs(100)));
}

#[test]
fn a_finished_object_goes_when_its_time_to_live_is_over_and_not_before() {
    let mut shop = Driver::delivering();
    shop.o.order.ttl = Some(300);
    shop.courier(CourierState::Delivered);
    let decision = shop.run();
    assert_eq!(decision.wait, Wait::Until(shop.now + SignedDuration::from_secs(300)));
    assert_ne!(shop.done.last(), Some(&Done::Object(Action::DeleteObject)));
    shop.wait(300);
    assert_eq!(shop.decide().asks, [Ask::Object(Action::DeleteObject)]);
}

#[test]
fn a_finished_object_that_needs_a_person_is_kept() {
    let mut shop = Driver::delivering();
    shop.o.order.ttl = Some(0);
    shop.courier(CourierState::Failed);
    shop.run();
    shop.courier(CourierState::Delivered);
    shop.o.order.ttl = Some(0);
    shop.run();
    assert!(shop.record().is_stalled());
    assert_eq!(shop.decide().asks, []);
}

#[test]
fn a_retry_is_on_record_before_anything_is_looked_up_for_it() {
    let mut shop = Driver::preparing();
    shop.lost.push((Call::Do(Effect::Capture), Lost::Answer));
    shop.kitchen(KitchenState::Ready);
    shop.run();
    shop.luck.push((Call::Read(Look::Payment), Luck::Person));
    shop.run();
    assert!(shop.record().is_stalled());
    shop.o.order.retry = Some("once more".to_owned());
    let actions = shop.decide().asks;
    assert!(matches!(actions.as_slice(), [Ask::Record(Request::Write(_, None))]), "{actions:#?}");
}

#[test]
fn a_person_may_abandon_what_needs_one_and_what_is_being_undone() {
    let mut stalled = Driver::with_luck(&[(Call::Read(Look::Validation), Luck::Person)]);
    stalled.run();
    let mut undone = Driver::preparing();
    undone.o.order.cancel = Some("no longer hungry".to_owned());
    undone.run();
    assert!(stalled.record().is_stalled() && !undone.record().is_stalled());
    for mut shop in [stalled, undone] {
        shop.o.order.abandon = Some("settled by telephone".to_owned());
        shop.run();
        assert_eq!(shop.record().phase, Phase::Failed);
        assert_eq!(shop.record().abandoned.as_deref(), Some("settled by telephone"));
    }
}
