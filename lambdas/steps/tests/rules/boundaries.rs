use comanda_boundary::{Boundary, Crossing, Point, Site, crossings};
use comanda_saga::{Call, CourierState, DeviceSignal, Effect, Record};

use crate::support::driver::{Done, Driver, Lost};
use crate::support::{ALL, executor, owner};

use Crossing::{Intent, Outcome};
use Effect::{
    Assign, Authorize, CancelPayment, Capture, Deliver, Execute, NotifyConfirmed, NotifyEnding, OpenPayment,
    Prepare, RecallKitchen, Release, Reserve,
};

/// What each write of an order crossed.
fn crossed(shop: &Driver) -> Vec<Vec<Crossing>> {
    let mut before: Option<&Record> = None;
    let mut all = Vec::new();
    for done in &shop.done {
        if let Done::Wrote(record) = done {
            all.push(crossings(before, record));
            before = Some(record);
        }
    }
    all
}

fn of(effect: Effect) -> Site {
    Site::Effect(effect)
}

fn delivered() -> Driver {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::PickedUp);
    shop.run();
    shop.courier(CourierState::Delivered);
    shop.run();
    shop
}

#[test]
fn a_delivered_order_crosses_each_intent_and_each_outcome_once() {
    let expected = [
        vec![Crossing::Effect(Site::Claim)],
        vec![Crossing::Effect(of(Reserve)), Intent(of(OpenPayment))],
        vec![Outcome(of(OpenPayment)), Intent(of(Authorize))],
        vec![Outcome(of(Authorize)), Intent(of(NotifyConfirmed))],
        vec![Outcome(of(NotifyConfirmed)), Intent(of(Prepare))],
        vec![Outcome(of(Prepare))],
        vec![Intent(of(Capture))],
        vec![Outcome(of(Capture)), Intent(of(Deliver))],
        vec![Outcome(of(Deliver))],
        vec![Intent(of(Assign))], // It was picked up.
        vec![Outcome(of(Assign))],
        vec![Crossing::Effect(Site::Finish)],
    ];
    assert_eq!(crossed(&delivered()), expected);
}

#[test]
fn an_order_is_handed_to_an_execution_across_its_intent_and_its_outcome() {
    let mut shop = Driver::new();
    shop.o.class.as_mut().expect("a class").spec.executor = Some(executor(&ALL));
    shop.run();
    let expected =
        [vec![Crossing::Effect(Site::Claim)], vec![Intent(of(Execute))], vec![Outcome(of(Execute))]];
    assert_eq!(crossed(&shop), expected);
}

#[test]
fn a_cancelled_order_crosses_its_undo_and_ends_once() {
    let mut shop = Driver::preparing();
    let before = crossed(&shop).len();
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    shop.hear(DeviceSignal::KitchenRecalled(true), RecallKitchen);
    shop.run();
    let expected = [
        vec![Intent(of(RecallKitchen))],
        vec![Outcome(of(RecallKitchen))],
        vec![Intent(of(CancelPayment))],
        vec![Outcome(of(CancelPayment)), Crossing::Effect(of(Release)), Intent(of(NotifyEnding))],
        vec![Outcome(of(NotifyEnding)), Crossing::Effect(Site::Finish)],
    ];
    assert_eq!(crossed(&shop)[before..], expected);
}

#[test]
fn an_intent_that_is_taken_again_is_crossed_again() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::Prepare), Lost::Request)];
    shop.run();
    let before = crossed(&shop).len();
    shop.run();
    assert_eq!(crossed(&shop)[before..], [vec![Intent(of(Prepare))], vec![Outcome(of(Prepare))]]);
}

#[test]
fn a_takeover_crosses_the_claim_and_nothing_else() {
    let shop = Driver::preparing();
    let mut adopted = shop.record().clone();
    adopted.owner = Some(owner("uid-2"));
    adopted.epoch += 1;
    assert_eq!(crossings(Some(shop.record()), &adopted), [Crossing::Effect(Site::Claim)]);
}

#[test]
fn a_write_that_tells_a_finished_order_something_new_does_not_finish_it_again() {
    let shop = delivered();
    let mut acknowledged = shop.record().clone();
    acknowledged.handled_retry = Some("seen".to_owned());
    assert_eq!(crossings(Some(shop.record()), &acknowledged), []);
}

#[test]
fn a_write_lies_between_the_points_before_and_after_it() {
    let site = of(Capture);
    assert_eq!(Intent(site).points(), (Some(Point::BeforeIntent), Some(Point::AfterIntent)));
    assert_eq!(Outcome(site).points(), (None, Some(Point::AfterOutcome)));
    assert_eq!(Crossing::Effect(site).points(), (Some(Point::BeforeIntent), Some(Point::AfterOutcome)));
}

#[test]
fn only_the_wire_sees_what_is_sent_or_in_effect_and_not_answered() {
    let seen: Vec<String> = Boundary::all()
        .filter(|boundary| boundary.site == of(Capture) && boundary.point.is_on_the_wire())
        .map(|boundary| boundary.to_string())
        .collect();
    assert_eq!(seen, ["Capture/sent", "Capture/effected"]);
}
