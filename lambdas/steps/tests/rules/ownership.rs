use comanda_saga::custody::Action;
use comanda_saga::{Call, CourierState, Effect, Owner, Phase, Record};

use crate::support::Ask;
use crate::support::driver::{Done, Driver};
use crate::support::{at, class, facts, owner};

/// The same manifest as another object: created again from Git, a backup or a new cluster.
fn again(mut shop: Driver, owner: Owner) -> Driver {
    shop.o.order.owner = owner;
    shop.o.order.has_finalizer = false;
    shop.done.clear();
    shop.restart();
    shop
}

fn delivered() -> Driver {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Delivered);
    shop.run();
    shop
}

fn accepted(shop: &Driver) -> (String, String) {
    let status = shop.decide().status;
    let accepted = status.conditions.iter().find(|c| c.type_ == "Accepted").expect("Accepted").clone();
    (accepted.status, accepted.reason)
}

#[test]
fn an_order_under_way_whose_object_lost_the_finalizer_gets_it_back_before_anything_else() {
    let mut shop = Driver::preparing();
    shop.o.order.has_finalizer = false;
    assert_eq!(shop.decide().asks, [Ask::Object(Action::AddFinalizer)]);
    // An object that is going cannot get one; what holds it lets the undo happen.
    shop.o.order.deleted = true;
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating);
}

#[test]
fn a_finished_order_applied_again_shows_its_result_and_does_nothing() {
    let mut shop = again(delivered(), owner("uid-2"));
    let status = shop.run().status;
    assert_eq!(status.phase, Phase::Delivered);
    assert_eq!(shop.done, []);
    assert_eq!(shop.world.provider.captures, 1);
}

#[test]
fn an_unfinished_order_is_adopted_once_its_owner_in_this_cluster_is_gone() {
    let mut shop = again(Driver::preparing(), owner("uid-2"));
    shop.run();
    assert_eq!(shop.done, []);
    assert_eq!(accepted(&shop), ("False".to_owned(), "OwnedElsewhere".to_owned()));

    shop.o.owner_is_gone = true;
    shop.run();
    assert_eq!(shop.record().owner, Some(owner("uid-2")));
    assert_eq!(shop.record().epoch, 2);
    assert_eq!(shop.done[0], Done::Object(Action::AddFinalizer));
    assert_eq!(accepted(&shop).0, "True");
    assert_eq!(shop.count(Call::Do(Effect::OpenPayment)), 0, "it goes on where it was");
}

#[test]
fn an_order_of_another_cluster_is_taken_over_only_when_a_person_says_so() {
    let elsewhere = Owner { cluster: "away".to_owned(), ..owner("uid-2") };
    let mut shop = again(Driver::preparing(), elsewhere.clone());
    shop.o.owner_is_gone = true;
    shop.run();
    assert_eq!(shop.done, []);

    shop.o.order.take_over = true;
    shop.run();
    assert_eq!((shop.record().owner.as_ref(), shop.record().epoch), (Some(&elsewhere), 2));
}

#[test]
fn the_same_id_with_other_contents_is_a_conflict_that_shows_and_does_nothing() {
    let mut shop = again(Driver::preparing(), owner("uid-2"));
    shop.o.order.digest = "another".to_owned();
    shop.o.order.take_over = true;
    shop.o.owner_is_gone = true;
    let status = shop.run().status;
    assert_eq!(shop.done, []);
    assert_eq!(accepted(&shop), ("False".to_owned(), "OrderIdConflict".to_owned()));
    assert_eq!((status.phase, status.payment, status.total), (Phase::Pending, None, None));
    assert!(status.conditions.iter().any(|c| c.type_ == "Stalled" && c.status == "True"));
}

#[test]
fn deleting_an_object_that_does_not_own_its_order_undoes_nothing() {
    let mut shop = again(Driver::preparing(), owner("uid-2"));
    shop.o.order.deleted = true;
    shop.o.order.has_finalizer = true;
    shop.run();
    assert_eq!(shop.done, [Done::Object(Action::RemoveFinalizer)]);
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn an_object_that_was_about_to_take_its_order_over_goes_once_nobody_can_do_so_late() {
    let mut shop = again(Driver::preparing(), owner("uid-2"));
    shop.o.owner_is_gone = true;
    shop.o.order.deleted = true;
    shop.o.order.has_finalizer = true;
    let before = shop.record().clone();
    shop.run();
    assert!(
        matches!(shop.done[..], [Done::Wrote(_), Done::Object(Action::RemoveFinalizer)]),
        "{:?}",
        shop.done
    );
    let writer = shop.record().writer.clone();
    assert_eq!(*shop.record(), Record { version: before.version + 1, writer, ..before });
}

/// As the intake writes it: nobody has it yet.
fn from_the_intake() -> Driver {
    let order = facts();
    let mut record =
        Record::claim(order.identity, order.owner, order.digest, "lisbon", &class(), order.terms, at(0));
    record.owner = None;
    let mut shop = Driver::new();
    shop.ledger = Some(record);
    shop.restart();
    shop
}

#[test]
fn an_order_without_owner_is_free_to_claim() {
    let mut shop = from_the_intake();
    shop.run();
    assert_eq!(
        (shop.record().phase, shop.record().owner.as_ref()),
        (Phase::Preparing, Some(&owner("uid-1")))
    );
}

#[test]
fn an_order_without_owner_can_be_cancelled_before_anything_was_done() {
    let mut shop = from_the_intake();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert_eq!(shop.calls(), [Call::Do(Effect::NotifyEnding)]);
}

#[test]
fn an_unowned_order_whose_object_goes_at_once_is_left_for_the_next_one() {
    let mut shop = from_the_intake();
    shop.o.order.deleted = true;
    shop.run();
    assert_eq!(shop.done, []);
}
