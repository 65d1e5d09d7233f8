//! What the object shows, written out by hand for the moments that people ask about.

mod news;
mod undo;

use comanda_crds::{OrderStatus, StepStatus};
use comanda_saga::{
    Call, Closed, CourierState, Effect, Hold, KitchenState, Look, Phase, Reason, Trouble, status,
};
use jiff::Timestamp;

use Effect::{Authorize, Capture, Deliver, NotifyConfirmed, OpenPayment, Prepare, Reserve};

use crate::support::at;
use crate::support::driver::{Driver, Lost};
use crate::support::seen;
use crate::support::world::Luck;

/// Conditions as `Type=Status:Reason`, in the order shown.
fn conditions(status: &OrderStatus) -> Vec<String> {
    let of = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        format!("{}={}:{}", c.type_, c.status, c.reason)
    };
    status.conditions.iter().map(of).collect()
}

/// The message of a condition.
fn message<'a>(status: &'a OrderStatus, kind: &str) -> &'a str {
    &status.conditions.iter().find(|c| c.type_ == kind).unwrap_or_else(|| panic!("no {kind}")).message
}

/// These steps as `Name:State`, with the reason, if there is one, in the order shown. All of an order's steps are in
/// `boundaries.rs`.
fn steps(status: &OrderStatus, names: &[Effect]) -> Vec<String> {
    let of = |step: &StepStatus| {
        let reason = step.reason.as_ref().map(|reason| format!("({reason})")).unwrap_or_default();
        format!("{}:{:?}{reason}", step.name, step.state)
    };
    let asked = |step: &&StepStatus| names.iter().any(|effect| effect.name() == step.name);
    status.steps.iter().filter(asked).map(of).collect()
}

/// The step of an effect.
fn step(status: &OrderStatus, effect: Effect) -> &StepStatus {
    status.steps.iter().find(|step| step.name == effect.name()).unwrap_or_else(|| panic!("no {effect:?}"))
}

/// Whom it waits for, to do what, since when and until when, in seconds.
fn waits(status: &OrderStatus) -> Option<(&str, &str, Option<i64>, Option<i64>)> {
    let seconds = |time: Timestamp| time.as_second() - at(0).as_second();
    status.waiting_for.as_ref().map(|waiting| {
        let (since, until) = (waiting.since.as_ref(), waiting.deadline.as_ref());
        let (since, until) = (since.map(|time| seconds(time.0)), until.map(|time| seconds(time.0)));
        (waiting.who.as_str(), waiting.what.as_str(), since, until)
    })
}

#[test]
fn an_order_in_the_kitchen_says_whom_it_waits_for_and_until_when() {
    let mut shop = Driver::new();
    shop.o.order.generation = 7;
    let status = shop.run().status;
    assert_eq!((status.phase.name(), status.reason.as_deref()), ("Preparing", Some("Waiting")));
    assert_eq!(
        conditions(&status),
        [
            "Accepted=True:Claimed",
            "Validated=True:Succeeded",
            "Paid=True:Authorized",
            "Notified=True:Succeeded",
            "Finished=False:Waiting",
            "Ready=False:Waiting",
            "Reconciling=True:Waiting",
        ]
    );
    assert_eq!(message(&status, "Ready"), "Waiting for the kitchen to prepare the order.");
    assert_eq!(waits(&status), Some(("kitchen", "prepare the order", Some(0), Some(2700))));
    assert_eq!(
        steps(&status, &[Reserve, OpenPayment, Authorize, NotifyConfirmed, Prepare]),
        [
            "Reserve:Succeeded",
            "OpenPayment:Succeeded",
            "Authorize:Succeeded",
            "NotifyConfirmed:Succeeded",
            "Prepare:Running",
        ]
    );
    assert_eq!(step(&status, Prepare).finished_at, None);
    assert_eq!((status.observed_generation, status.total.as_deref()), (7, Some("25.00 EUR")));
    assert_eq!(status.conditions[0].observed_generation, Some(7));
    assert_eq!(status.conditions[0].last_transition_time.0, at(0));
    let payment = status.payment.expect("a payment");
    assert_eq!((payment.authorized, payment.captured, payment.refunded), (2500, 0, 0));
}

#[test]
fn a_delivered_order_shows_who_brought_it_and_what_was_taken() {
    let mut shop = Driver::delivering();
    assert_eq!(waits(&shop.run().status), Some(("courier", "deliver the order", Some(0), Some(3600))));
    shop.courier(CourierState::Delivered);
    let status = shop.run().status;
    assert_eq!((status.phase.name(), status.reason.as_deref()), ("Delivered", Some("Delivered")));
    assert_eq!(
        conditions(&status),
        [
            "Accepted=True:Claimed",
            "Validated=True:Succeeded",
            "Paid=True:Captured",
            "Notified=True:Succeeded",
            "Prepared=True:Succeeded",
            "Delivered=True:Succeeded",
            "Finished=True:Delivered",
            "Ready=True:Delivered",
        ]
    );
    assert_eq!(message(&status, "Ready"), "Delivered; 25.00 EUR was captured.");
    assert_eq!(waits(&status), None);
    assert_eq!(
        steps(&status, &[Prepare, Capture, Deliver]),
        ["Prepare:Succeeded", "Capture:Succeeded", "Deliver:Succeeded"]
    );
    let ended = step(&status, Prepare).finished_at.as_ref();
    assert_eq!(ended.map(|time| time.0), Some(at(0)), "when the kitchen was heard");
    assert_eq!(status.courier.as_deref(), Some("courier-1"));
}

#[test]
fn a_step_ends_when_its_device_was_heard_and_not_when_the_command_was_taken() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Ready);
    shop.o.events[0].at = at(600);
    shop.wait(600);
    shop.run();
    shop.courier(CourierState::Delivered);
    shop.o.events[1].at = at(1200);
    shop.wait(700);
    let status = shop.run().status;
    let ended = |effect| step(&status, effect).finished_at.as_ref().map(|time| time.0);
    assert_eq!(
        (ended(Prepare), ended(Capture), ended(Deliver)),
        (Some(at(600)), Some(at(600)), Some(at(1200)))
    );
}

#[test]
fn a_customer_who_has_to_act_gets_the_link_and_the_deadline() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    shop.run();
    shop.in_hand().saved.payment.action_url = Some("https://bank.example/3ds".to_owned());
    let status = shop.decide().status;
    assert_eq!(waits(&status), Some(("customer", "confirm the payment (3-D Secure)", Some(0), Some(900))));
    let link = status.waiting_for.and_then(|waiting| waiting.link);
    assert_eq!(link.as_deref(), Some("https://bank.example/3ds"));
    assert_eq!(steps(&shop.decide().status, &[Authorize]), ["Authorize:Running"]);
}

#[test]
fn a_provider_that_is_slow_is_waited_for_without_a_deadline() {
    let status = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Slow)]).run().status;
    assert_eq!(waits(&status), Some(("payment provider", "answer", Some(0), None)));
    assert_eq!(message(&status, "Ready"), "Waiting for the payment provider to answer.");
    let paying = Driver::new();
    let mut shop = paying;
    shop.lost.push((Call::Do(Effect::Authorize), Lost::Request));
    let status = shop.run().status;
    assert_eq!((waits(&status), message(&status, "Ready")), (None, "The order is on its way."));
    assert_eq!(
        Some(&shop.hand.as_ref().expect("in hand").record).and_then(|r| r.payment.hold),
        Some(Hold::NotBegun)
    );
}

type Change = Box<dyn Fn(&mut comanda_saga::Observed)>;

#[test]
fn what_keeps_an_order_from_being_claimed_is_said() {
    let full =
        |o: &mut comanda_saga::Observed| o.class.as_mut().expect("a class").closed = Some(Closed::Full);
    let deleting =
        |o: &mut comanda_saga::Observed| o.class.as_mut().expect("a class").closed = Some(Closed::Deleting);
    let cases: [(Change, &str, &str); 7] = [
        (Box::new(|o| o.class = None), "ClassNotReady", "The OrderClass lisbon does not exist: create it"),
        (Box::new(full), "Waiting", "The OrderClass lisbon has as many live orders as"),
        (Box::new(deleting), "Waiting", "The OrderClass lisbon is being deleted"),
        (Box::new(|o| o.order.suspend = true), "Suspended", "Held until spec.suspend of this Order is false"),
        (
            Box::new(|o| o.class.as_mut().expect("a class").spec.suspend = true),
            "Suspended",
            "Held until spec.suspend of the OrderClass lisbon is false",
        ),
        (Box::new(|_| {}), "InProgress", "The order is about to be claimed"),
        (
            Box::new(|o| {
                o.class = None;
                o.trouble = Some(Trouble { reason: Reason::Retrying, error: "no route".to_owned() });
            }),
            "Retrying",
            "The order is not accepted yet: no route.",
        ),
    ];
    for (change, reason, text) in cases {
        let mut o = seen().observed(None);
        change(&mut o);
        let status = status::project(&o, at(0));
        let expected = ["Accepted=False", "Ready=False", "Reconciling=True"].map(|c| format!("{c}:{reason}"));
        assert_eq!(conditions(&status), expected);
        assert_eq!((status.phase.name(), status.reason.as_deref()), ("Pending", Some(reason)));
        assert!(message(&status, "Ready").starts_with(text), "{}", message(&status, "Ready"));
    }
}

#[test]
fn an_order_of_somebody_else_is_stalled_and_one_that_can_be_had_is_not() {
    let mut shop = Driver::preparing();
    shop.o.order.owner.uid = "uid-2".to_owned();
    let status = shop.decide().status;
    assert_eq!(
        conditions(&status),
        ["Accepted=False:OwnedElsewhere", "Ready=False:OwnedElsewhere", "Stalled=True:OwnedElsewhere"]
    );
    assert!(message(&status, "Ready").contains("belongs to lisbon/order-1 in cluster home"));

    shop.o.order.digest = "other".to_owned();
    assert_eq!(
        conditions(&shop.decide().status),
        ["Accepted=False:OrderIdConflict", "Ready=False:OrderIdConflict", "Stalled=True:OrderIdConflict"]
    );
}

#[test]
fn a_suspended_order_and_one_in_trouble_say_so() {
    let mut shop = Driver::preparing();
    let of_class = |shop: &mut Driver, on| shop.o.class.as_mut().expect("a class").spec.suspend = on;
    of_class(&mut shop, true);
    assert_eq!(shop.run().status.reason.as_deref(), Some("Suspended"));
    of_class(&mut shop, false);
    shop.o.order.suspend = true;
    assert_eq!(shop.run().status.reason.as_deref(), Some("Suspended"));
    shop.o.trouble = Some(Trouble { reason: Reason::Retrying, error: "no route".to_owned() });
    let status = shop.run().status;
    assert_eq!(status.reason.as_deref(), Some("Retrying"));
    assert_eq!(message(&status, "Ready"), "It is tried again: no route.");
}

#[test]
fn a_refused_cancel_says_so_after_the_pick_up_only() {
    for delete in [false, true] {
        let mut shop = Driver::delivering();
        shop.courier(CourierState::Accepted);
        shop.run();
        shop.courier(CourierState::PickedUp);
        assert_eq!(shop.run().status.reason.as_deref(), Some("Waiting"));
        shop.o.order.deleted = delete;
        shop.o.order.cancel = (!delete).then(|| "ordered twice".to_owned());
        assert_eq!(shop.run().status.reason.as_deref(), Some("CancelRefused"));
    }
}

#[test]
fn an_order_is_paid_from_the_hold_until_all_of_it_is_back() {
    let paid = |shop: &Driver| conditions(&shop.decide().status).into_iter().find(|c| c.starts_with("Paid"));
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Slow)]);
    shop.run();
    assert_eq!(paid(&shop), None, "nothing is held yet");

    let mut shop = Driver::delivering();
    assert_eq!(paid(&shop).as_deref(), Some("Paid=True:Captured"));
    shop.in_hand().saved.payment.refunded = 1000;
    assert_eq!(paid(&shop).as_deref(), Some("Paid=True:Captured"), "a part of it was paid back");
    shop.in_hand().saved.payment.refunded = 2500;
    assert_eq!(paid(&shop), None);
}

#[test]
fn a_message_that_was_given_up_shows_as_failed_while_the_order_goes_on() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::NotifyConfirmed), Lost::Request); 2];
    shop.run();
    shop.run();
    let status = shop.run().status;
    assert_eq!(steps(&status, &[NotifyConfirmed, Prepare]), ["NotifyConfirmed:Failed", "Prepare:Running"]);
    assert_eq!(step(&status, NotifyConfirmed).attempts, 2);
}

#[test]
fn while_an_order_cannot_go_on_it_shows_what_the_ledger_holds_and_not_what_was_meant() {
    let mut shop = Driver::preparing();
    shop.o.order.cancel = Some("changed my mind".to_owned());
    shop.o.trouble = Some(Trouble { reason: Reason::Retrying, error: "no answer".to_owned() });
    let shown = shop.decide().status;
    assert_eq!((shown.phase, shown.reason.as_deref()), (Phase::Preparing, Some("Retrying")));
}

#[test]
fn an_order_whose_record_cannot_be_read_says_why_and_is_where_it_was() {
    let shop = Driver::preparing();
    let before = shop.decide().status;
    let trouble = Trouble { reason: Reason::ClassNotReady, error: "the class is gone".to_owned() };
    let shown = status::unread(&before, &trouble);
    assert_eq!((shown.phase, shown.reason.as_deref()), (before.phase, Some("ClassNotReady")));
    assert_eq!(message(&shown, "Ready"), "It is tried again: the class is gone.");
    assert_eq!(message(&shown, "Accepted"), message(&before, "Accepted"));
    assert!(status::is_news(&shown, &before));

    let mut stalled = Driver::with_luck(&[(Call::Read(Look::Validation), Luck::Person)]);
    let mut delivered = Driver::delivering();
    delivered.courier(CourierState::Delivered);
    for shop in [&mut stalled, &mut delivered] {
        let before = shop.run().status;
        assert_eq!(status::unread(&before, &trouble), before, "nobody has to know");
    }
}
