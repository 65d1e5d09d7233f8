//! Which changes of the status are news, and since when a condition says what it says.

use comanda_crds::OrderStatus;
use comanda_saga::{CourierState, KitchenState, Reason, status};

use crate::support::at;
use crate::support::driver::Driver;

#[test]
fn what_is_to_be_done_is_news_when_it_changes_and_the_rest_of_a_message_is_not() {
    let said = |reason: Reason, message: &str| {
        let mut status = Driver::new().decide().status;
        for condition in &mut status.conditions {
            reason.name().clone_into(&mut condition.reason);
            message.clone_into(&mut condition.message);
        }
        status
    };
    let news = |reason, before, now| status::is_news(&said(reason, now), &said(reason, before));
    assert!(news(Reason::ClassNotReady, "create the class", "create its Secret"));
    assert!(!news(Reason::ClassNotReady, "create the class", "create the class"));
    assert!(!news(Reason::Retrying, "no answer within 5 seconds", "no connection"));
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let mut shop = Driver::preparing();
    let old = shop.run().status;
    shop.wait(60);
    shop.kitchen(KitchenState::Ready);
    let mut new = shop.run().status;
    status::carry_times(&mut new, &old);
    let since =
        |kind: &str| new.conditions.iter().find(|c| c.type_ == kind).map(|c| c.last_transition_time.0);
    assert_eq!((since("Paid"), since("Ready")), (Some(at(0)), Some(at(0))));
    assert_eq!(since("Prepared"), Some(at(60)), "it is new");

    shop.courier(CourierState::Delivered);
    shop.wait(60);
    let mut end = shop.run().status;
    status::carry_times(&mut end, &new);
    let ready = end.conditions.iter().find(|c| c.type_ == "Ready").map(|c| c.last_transition_time.0);
    assert_eq!(ready, Some(at(120)), "it changed");
}

#[test]
fn times_counters_and_messages_are_no_news_and_a_reason_is() {
    let mut shop = Driver::preparing();
    let old = shop.run().status;
    let changed = |change: fn(&mut OrderStatus)| {
        let mut new = old.clone();
        change(&mut new);
        status::is_news(&new, &old)
    };
    assert!(!changed(|_| {}));
    assert!(!changed(|s| s.conditions[0].message = "in other words".to_owned()));
    assert!(!changed(|s| s.steps[0].attempts = 3));
    assert!(!changed(|s| s.courier = Some("courier-2".to_owned())));
    assert!(!changed(|s| s.ledger_version = Some(1_000)));
    assert!(!changed(|s| s.conditions.reverse()));
    assert!(changed(|s| s.reason = Some("Suspended".to_owned())));
    assert!(changed(|s| s.conditions[0].status = "False".to_owned()));
    assert!(changed(|s| s.waiting_for = None));
}
