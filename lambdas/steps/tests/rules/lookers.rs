//! Whoever is told that something became of a payment: what they write, and what they leave to others.

use comanda_saga::{
    Call, CourierState, Effect, EntryState, Hold, KitchenState, Look, Phase, Reason, Record, RefundState,
    Step,
};
use comanda_steps::adapters::stripe::StripeRules;
use comanda_steps::carry::CarryError;
use comanda_steps::ports::Loaded;
use comanda_steps::step::would_go_on;

use crate::support::driver::{Done, Driver, Lost};
use crate::support::world::Luck;
use crate::support::{ALL, TOTAL, executor};

const LOOKS: [Call; 2] = [Call::Read(Look::Payment), Call::Read(Look::Refunds)];

/// What was written and called from here on.
fn since(shop: &Driver, place: usize) -> Vec<String> {
    let told = |done: &Done| match done {
        Done::Wrote(record) => format!("wrote {:?}", record.phase),
        Done::Called(call) => call.name().to_owned(),
        Done::Object(action) => format!("{action:?}"),
    };
    shop.done[place..].iter().map(told).collect()
}

/// An order whose customer was asked to confirm the payment.
fn awaiting() -> Driver {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
    shop.run();
    assert_eq!(shop.record().payment.hold, Some(Hold::AwaitsCustomer));
    shop
}

/// An order that was captured, failed, and was refunded.
fn refunded() -> Driver {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Failed);
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.refunded), (Phase::Failed, TOTAL));
    shop
}

fn come_back(shop: &mut Driver, state: RefundState) {
    for (_, refund) in &mut shop.outside.world.provider.refunds {
        *refund = state;
    }
}

fn stall(shop: &Driver) -> (Reason, &str) {
    let stall = shop.record().stall.as_ref().expect("a stall");
    assert!(!stall.acknowledged);
    (stall.reason, &stall.message)
}

#[test]
fn a_late_authorization_is_written_and_what_follows_is_left_to_whoever_carries_the_order() {
    let mut shop = awaiting();
    shop.world.provider.intents[0].state = Hold::Held;
    let place = shop.done.len();
    shop.look().expect("an answer");
    assert_eq!(since(&shop, place), ["Payment", "wrote Paying"]);
    assert!(shop.record().is_done(Effect::Authorize));
    shop.look().expect("an answer");
    assert_eq!(since(&shop, place)[2..], ["Payment"], "told twice, it is no news");

    // The operator's next write is refused, and it goes on from there.
    shop.restart();
    shop.run();
    assert_eq!((shop.record().phase, shop.count(Call::Do(Effect::Authorize))), (Phase::Preparing, 1));
}

#[test]
fn a_late_decline_is_written_and_not_judged() {
    let mut shop = awaiting();
    shop.world.provider.intents[0].state = Hold::Refused;
    shop.look().expect("an answer");
    assert_eq!((shop.record().payment.hold, shop.record().fault.as_ref()), (Some(Hold::Refused), None));
    shop.restart();
    assert_eq!(shop.run().status.phase, Phase::Rejected);
}

#[test]
fn what_becomes_of_an_order_is_looked_at_whoever_carries_it_and_nothing_else_is_done() {
    for delegated in [false, true] {
        let mut shop = awaiting();
        if delegated {
            let mut record = shop.record().clone();
            record.class.executor = Some(executor(&ALL));
            shop.ledger = Some(record);
        }
        let (before, place) = (shop.record().clone(), shop.done.len());
        shop.look().expect("an answer");
        assert_eq!(since(&shop, place), ["Payment"], "nothing is new");
        assert_eq!(*shop.record(), before);
    }
    // Nobody was asked for money yet.
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::OpenPayment), Lost::Answer));
    shop.run();
    let place = shop.done.len();
    shop.look().expect("nothing to look at");
    assert_eq!(since(&shop, place), [""; 0]);
}

#[test]
fn that_a_call_did_not_happen_is_not_a_lookers_to_say_as_it_may_be_under_way() {
    for effect in [Effect::Capture, Effect::CancelPayment, Effect::Refund] {
        let mut shop = if effect == Effect::Refund { Driver::delivering() } else { Driver::preparing() };
        shop.lost.push((Call::Do(effect), Lost::Request));
        match effect {
            Effect::Capture => shop.kitchen(KitchenState::Ready),
            Effect::CancelPayment => shop.kitchen(KitchenState::Rejected),
            _ => shop.courier(CourierState::Failed),
        }
        shop.run();
        let entry = |record: &Record| record.journal[&effect].clone();
        let before = entry(shop.record());
        assert_eq!(before.state, EntryState::Intended, "{effect:?}");
        shop.look().expect("an answer");
        assert_eq!(entry(shop.record()), before, "{effect:?}");
    }
}

#[test]
fn an_answer_that_is_lost_is_no_news_and_nothing_is_written() {
    let mut shop = awaiting();
    shop.world.provider.intents[0].state = Hold::Held;
    let before = shop.record().clone();
    shop.lost.push((Call::Read(Look::Payment), Lost::Answer));
    assert!(matches!(shop.look(), Err(CarryError::Unanswered(_))));
    assert_eq!(*shop.record(), before);
}

#[test]
fn what_devices_said_is_left_to_whoever_carries_the_order() {
    let mut shop = Driver::preparing();
    shop.kitchen(KitchenState::Ready);
    let before = shop.record().clone();
    shop.look().expect("an answer");
    assert_eq!(*shop.record(), before);
}

#[test]
fn a_refund_that_comes_back_after_the_end_stalls_the_order_and_says_what_to_do() {
    let mut shop = refunded();
    come_back(&mut shop, RefundState::Failed);
    let place = shop.done.len();
    shop.look().expect("an answer");
    assert_eq!(since(&shop, place), ["Payment", "Refunds", "wrote Failed"]);
    let (reason, message) = stall(&shop);
    assert_eq!(reason, Reason::RefundFailed);
    assert_eq!(
        message,
        "The refund of 25.00 EUR came back after it was made: the customer does not have the money. Refund the customer \
         of pi_0 by another way, then set the annotation comanda.dev/retry to a fresh value to acknowledge."
    );
    let record = shop.record().clone();
    assert_eq!((record.state(Effect::Refund), record.payment.refunded), (Some(EntryState::Failed), 0));
    shop.look().expect("an answer");
    assert_eq!(*shop.record(), record, "told twice, it is no news");

    shop.restart();
    let status = shop.run().status;
    let shown = |kind: &str| {
        let shown = status.conditions.iter().find(|condition| condition.type_ == kind);
        shown.map(|condition| (condition.status.as_str(), condition.reason.as_str()))
    };
    assert_eq!(shown("Stalled"), Some(("True", "RefundFailed")));
    assert_eq!(shown("Compensated"), Some(("False", "RefundFailed")));
    assert_eq!((shown("Finished"), status.phase), (Some(("True", "Failed")), Phase::Failed));

    shop.o.order.retry = Some("paid in cash".to_owned());
    let status = shop.run().status;
    let compensated = status.conditions.iter().find(|condition| condition.type_ == "Compensated");
    assert_eq!(compensated.map(|condition| condition.status.as_str()), Some("False"));
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("a condition");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Failed"), "a person has seen to it");
    assert!(ready.message.contains("25.00 EUR was charged and not refunded."), "{}", ready.message);
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 1, "an order that is over does nothing");
}

#[test]
fn a_refund_that_comes_back_before_the_end_stalls_the_undo_and_a_retry_makes_another() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Failed);
    // The message does not leave.
    shop.lost.push((Call::Do(Effect::NotifyEnding), Lost::Answer));
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.refunded), (Phase::Compensating, TOTAL));
    come_back(&mut shop, RefundState::Failed);
    shop.look().expect("an answer");
    assert!(!shop.record().is_stalled(), "the undo says so");
    shop.restart();
    assert_eq!(shop.run().status.reason.as_deref(), Some("RefundFailed"));
    shop.o.order.retry = Some("once more".to_owned());
    shop.run();
    assert_eq!((shop.record().phase, shop.record().payment.refunded), (Phase::Failed, TOTAL));
    assert_eq!(shop.count(Call::Do(Effect::Refund)), 2);
    assert!(!shop.record().is_stalled());
}

#[test]
fn a_dispute_of_a_delivered_order_needs_a_person_once() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Delivered);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Delivered);
    shop.world.provider.disputed = true;
    shop.look().expect("an answer");
    let (reason, message) = stall(&shop);
    assert_eq!(reason, Reason::PaymentDisputed);
    assert!(message.contains("The order was delivered: what shows that is evidence."), "{message}");
    shop.restart();
    let status = shop.run().status;
    assert_eq!((status.reason.as_deref(), status.phase), (Some("PaymentDisputed"), Phase::Delivered));
    shop.o.order.retry = Some("answered".to_owned());
    shop.run();
    shop.look().expect("an answer");
    assert!(!shop.record().is_stalled(), "it was seen to, and stays disputed for ever");
}

#[test]
fn a_dispute_of_an_order_on_its_way_stalls_it_and_a_retry_goes_on() {
    let mut shop = Driver::delivering();
    shop.world.provider.disputed = true;
    shop.look().expect("an answer");
    let (reason, message) = stall(&shop);
    assert_eq!(reason, Reason::PaymentDisputed);
    assert!(message.contains("while the order is on its way"), "{message}");
    shop.restart();
    shop.courier(CourierState::Delivered);
    assert_eq!(shop.run().status.phase, Phase::Delivering, "it does nothing by itself");
    shop.o.order.retry = Some("a misunderstanding".to_owned());
    assert_eq!(shop.run().status.phase, Phase::Delivered);
    assert!(!shop.record().is_stalled());
}

#[test]
fn a_dispute_of_an_order_that_is_undone_is_told_by_its_undo_and_not_again() {
    let mut shop = Driver::delivering();
    shop.courier(CourierState::Failed);
    shop.world.provider.disputed = true;
    shop.lost.push((Call::Do(Effect::Refund), Lost::Request));
    shop.run();
    shop.look().expect("an answer");
    shop.restart();
    assert_eq!(shop.run().status.reason.as_deref(), Some("PaymentDisputed"));
    shop.o.order.abandon = Some("the dispute was lost".to_owned());
    let status = shop.run().status;
    assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some("Abandoned")));
    shop.look().expect("an answer");
    assert!(!shop.record().is_stalled(), "whoever let it go knew");
}

#[test]
fn money_that_is_held_for_an_order_that_was_given_up_needs_a_person() {
    let mut shop = awaiting();
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    shop.luck.push((Call::Do(Effect::CancelPayment), Luck::Person));
    shop.run();
    shop.o.order.abandon = Some("the provider is away".to_owned());
    assert_eq!(shop.run().status.phase, Phase::Failed);
    assert!(!shop.record().is_stalled());

    shop.world.provider.intents[0].state = Hold::Held;
    shop.look().expect("an answer");
    let (reason, message) = stall(&shop);
    assert_eq!(reason, Reason::PaymentUnexpected);
    assert_eq!(
        message,
        "The payment provider says that 25.00 EUR are held for this order, which is over without them. Cancel pi_0 at the \
         payment provider, then set the annotation comanda.dev/retry to a fresh value to acknowledge."
    );
    shop.restart();
    shop.o.order.retry = Some("cancelled there".to_owned());
    shop.run();
    shop.look().expect("an answer");
    assert!(!shop.record().is_stalled(), "it was seen to");
}

/// Hands an order to an execution, as if that had carried it until now.
fn hand_over(shop: &mut Driver) -> String {
    let now = shop.now;
    let mut record = shop.record().clone();
    record.class.executor = Some(executor(&ALL));
    record.settle(Effect::Execute, EntryState::Done, None, now).expect("a legal move");
    let name = record.execution().expect("an execution").to_owned();
    shop.ledger = Some(record);
    name
}

#[test]
fn an_execution_that_waits_goes_on_by_what_a_look_brought_and_by_nothing_else() {
    let confirmed: fn(&mut Driver) = |shop| shop.world.provider.intents[0].state = Hold::Held;
    let disputed: fn(&mut Driver) = |shop| shop.world.provider.dispute();
    for (mut shop, step, happens) in [
        (awaiting(), Step::AuthorizePayment, confirmed),
        (Driver::delivering(), Step::RequestDelivery, disputed),
    ] {
        let execution = hand_over(&mut shop);
        let goes_on = |shop: &Driver| {
            let loaded = Loaded { record: shop.record().clone(), events: Vec::new() };
            would_go_on(loaded, &execution, step, &StripeRules, shop.now).expect("no contradiction")
        };
        shop.look().expect("an answer");
        assert!(!goes_on(&shop), "{step:?}: nothing happened");
        happens(&mut shop);
        assert!(!goes_on(&shop), "{step:?}: nobody looked");
        shop.look().expect("an answer");
        assert!(goes_on(&shop), "{step:?}");
    }
}

#[test]
fn what_comes_late_is_asked_one_after_the_other_and_nothing_is_forgotten() {
    let mut shop = refunded();
    come_back(&mut shop, RefundState::Failed);
    shop.world.provider.disputed = true;
    shop.look().expect("an answer");
    assert_eq!(stall(&shop).0, Reason::RefundFailed);
    shop.restart();
    shop.o.order.retry = Some("1".to_owned());
    shop.run();
    assert_eq!(stall(&shop).0, Reason::PaymentDisputed, "the next one");
    shop.o.order.retry = Some("2".to_owned());
    shop.run();
    assert!(!shop.record().is_stalled() && shop.record().payment.surprises.is_empty());
}

#[test]
fn an_order_whose_provider_tells_is_looked_up_rarely_and_a_word_that_is_lost_is_found_by_time() {
    for (tells, looks) in [(false, 11), (true, 1)] {
        let mut shop = Driver::with_luck(&[(Call::Do(Effect::Authorize), Luck::Action)]);
        let class = shop.o.class.as_mut().expect("a class");
        let webhook = comanda_crds::Webhook { signing_secret: None };
        class.spec.payments.stripe.webhook = tells.then_some(webhook);
        shop.run();
        for _ in 0..119 {
            shop.wait(1);
            shop.run();
        }
        let looked = shop.count(Call::Read(Look::Payment));
        assert!(looked <= looks && looked + 1 >= looks, "{looked} looks");
        // It was confirmed, and nobody was told.
        shop.world.provider.intents[0].state = Hold::Held;
        shop.wait(121);
        shop.run();
        assert_eq!(shop.record().phase, Phase::Preparing);
    }
}

#[test]
fn a_looker_makes_no_call_but_its_looks() {
    let mut shop = refunded();
    shop.look().expect("an answer");
    let place = shop.done.iter().rposition(|done| matches!(done, Done::Wrote(_))).unwrap_or_default();
    let called = shop.done[place + 1..].iter().filter_map(|done| match done {
        Done::Called(call) => Some(*call),
        _ => None,
    });
    assert_eq!(called.collect::<Vec<_>>(), LOOKS);
}
