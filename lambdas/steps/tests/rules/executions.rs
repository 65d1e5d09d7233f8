//! Orders of which a class delegates phases to Step Functions. That all holds whatever happens is in
//! `model/executions.rs`; here is what each driver does by itself.

use comanda_crds::Timeouts;
use comanda_saga::driver::{Answer, Step, Stop};
use comanda_saga::effect::Kind;
use comanda_saga::{
    Call, Circumstances, CourierState, DeviceSignal, Driver, Effect, EntryState, Identity, KitchenState,
    Look, Phase, Policy, Record, Wait, Wishes,
};
use comanda_steps::carry::{InHand, Request, Rest};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use strum::IntoEnumIterator;

use crate::support::driver::{Driver as Shop, Lost};
use crate::support::world::Luck;
use crate::support::{ALL, at, event, executor, seen};

/// An order of a class that delegates these phases, carried by its operator as far as it goes.
fn shop(phases: &[Phase]) -> Shop {
    let mut shop = Shop::new();
    if let Some(class) = &mut shop.o.class {
        class.spec.executor = Some(executor(phases));
    }
    shop.run();
    shop
}

/// What a step asks for next, or how the order rests for it.
fn step(record: &Record, step: Step) -> Result<Request, Rest> {
    let name = record.execution().expect("an execution").to_owned();
    asks(record, Driver::Execution { name, step })
}

fn asks(record: &Record, driver: Driver) -> Result<Request, Rest> {
    let wishes = Wishes::default();
    let around = Circumstances { driver, wishes, policy: None, ..seen().circumstances() };
    // A step reads all that devices said with the record.
    let mut hand = InHand::new(record.clone());
    hand.events_read_at = Some(at(0));
    hand.next(&around, at(0)).expect("no contradiction")
}

#[test]
fn an_executions_name_is_one_that_aws_takes_whatever_the_order_is_called() {
    let identity = Identity {
        installation: "i".repeat(32),
        tenant: "t".repeat(63),
        order_id: format!("a{}", "-b".repeat(19)),
    };
    let name = identity.key(Effect::Execute, u32::MAX);
    assert!(name.len() <= 80, "{name} has {} characters", name.len());
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
    let another = Identity { tenant: "u".repeat(63), ..identity.clone() };
    assert_ne!(another.key(Effect::Execute, 1), identity.key(Effect::Execute, 1));
    assert_ne!(identity.key(Effect::Execute, 2), identity.key(Effect::Execute, 1));
}

#[test]
fn every_effect_but_the_execution_itself_is_a_steps_in_the_phase_where_it_begins() {
    for effect in Effect::iter() {
        let steps = Step::iter().filter(|step| {
            step.share().effects.contains(&effect) && step.share().phases.contains(&effect.row().phase)
        });
        assert_eq!(steps.count(), usize::from(effect != Effect::Execute), "{effect:?}");
    }
    for phase in ALL {
        assert!(Step::iter().any(|step| step.share().phases.contains(&phase)), "{phase:?}");
    }
}

#[test]
fn the_operator_starts_an_execution_and_does_nothing_else_of_what_is_delegated() {
    let shop = shop(&ALL);
    let calls = Effect::iter().map(Call::Do).map(|call| shop.count(call)).sum::<usize>();
    assert_eq!((shop.count(Call::Do(Effect::Execute)), calls), (1, 1));
    assert_eq!(shop.record().phase, Phase::Validating);
    assert_eq!(shop.world.executions.len(), 1);
}

#[test]
fn the_intent_of_an_execution_goes_with_the_write_that_leads_to_its_phase() {
    let shop = shop(&[Phase::Paying]);
    assert_eq!(shop.record().phase, Phase::Paying);
    assert!(shop.record().is_done(Effect::Reserve) && shop.record().is_done(Effect::Execute));
    assert_eq!(shop.count(Call::Do(Effect::OpenPayment)), 0);
    // Claim, reservation with the intent, outcome.
    assert_eq!(shop.record().version, 3);
}

#[test]
fn a_step_does_its_part_and_leaves_the_next_ones_intent_to_the_next() {
    let shop = shop(&ALL);
    let record = shop.record();
    assert_eq!(step(record, Step::ValidateOrder), Ok(Request::Call(Call::Read(Look::Validation))));
    assert_eq!(step(record, Step::AuthorizePayment), Err(Rest::Anothers), "the order is not there yet");
    let mut checked = record.clone();
    checked.total = Some(2500);
    let Ok(Request::Write(write, None)) = step(&checked, Step::ValidateOrder) else {
        panic!("a write alone")
    };
    assert_eq!((write.record.phase, write.record.state(Effect::OpenPayment)), (Phase::Paying, None));
}

#[test]
fn an_execution_that_the_journal_does_not_name_does_nothing() {
    let shop = shop(&ALL);
    for step in Step::iter() {
        let driver = Driver::Execution { name: "order-1-9-0123456789abcdef".to_owned(), step };
        assert_eq!(asks(shop.record(), driver), Err(Rest::Anothers), "{step:?}");
        let answer = step.answer("order-1-9-0123456789abcdef", shop.record(), false, at(0));
        assert!(matches!(answer, Answer::Stop(Stop::Superseded | Stop::HandedBack)), "{step:?}: {answer:?}");
    }
}

#[test]
fn a_step_that_begins_proves_that_its_execution_was_started() {
    let mut record = shop(&ALL).record().clone();
    record.journal.get_mut(&Effect::Execute).expect("an entry").state = EntryState::Intended;
    record.total = Some(2500);
    let Ok(Request::Write(write, _)) = step(&record, Step::ValidateOrder) else { panic!("a write") };
    assert!(write.record.is_done(Effect::Execute));
}

#[test]
fn an_order_that_is_handed_back_in_a_delegated_phase_is_executed_anew_under_another_name() {
    let mut shop = shop(&ALL);
    let first = shop.record().execution().expect("an execution").to_owned();
    let Ok(Request::Write(write, None)) = step(shop.record(), Step::HandBack) else { panic!("a write") };
    assert_eq!(write.record.execution(), None);
    shop.outside.ledger = Some(write.record);
    shop.restart();
    shop.run();
    assert_eq!(shop.count(Call::Do(Effect::Execute)), 1, "not at once");
    shop.wait(10);
    shop.run();
    let second = shop.record().execution().expect("another execution");
    assert_eq!((shop.count(Call::Do(Effect::Execute)), second == first), (2, false));
}

#[test]
fn people_and_the_class_reach_a_delegated_order_through_its_record() {
    let mut shop = shop(&ALL);
    let timeouts = Timeouts { kitchen_seconds: 60, ..Timeouts::default() };
    if let Some(class) = &mut shop.o.class {
        class.spec.timeouts = timeouts.clone();
    }
    shop.o.order.suspend = true;
    shop.run();
    let policy = Policy { timeouts, notification_tries: 2 };
    assert_eq!((shop.record().suspended, shop.record().policy.clone()), (true, Some(policy)));
    // The execution that carries it begins nothing, and gives it back.
    let rest = step(shop.record(), Step::ValidateOrder);
    assert_eq!(rest, Err(Rest::Wait(Wait::ForEvent)));
    let name = shop.record().execution().expect("an execution").to_owned();
    let answer = Step::ValidateOrder.answer(&name, shop.record(), true, at(0));
    assert_eq!(answer, Answer::Stop(Stop::HandedBack));

    shop.o.order.suspend = false;
    shop.o.order.cancel = Some("ordered twice".to_owned());
    shop.run();
    assert_eq!((shop.record().suspended, shop.record().phase), (false, Phase::Compensating));
    assert_eq!(shop.record().execution(), Some(name.as_str()), "it undoes the order");
    assert_eq!(Step::ValidateOrder.answer(&name, shop.record(), false, at(0)), Answer::Undo);
}

#[test]
fn what_devices_say_of_a_delegated_order_is_written_by_its_steps_alone() {
    let mut shop = shop(&[Phase::Preparing, Phase::Delivering]);
    assert_eq!((shop.record().phase, shop.world.executions.len()), (Phase::Preparing, 1));
    // A step told the kitchen, which is done.
    let mut told = shop.record().clone();
    told.intend(Effect::Prepare, at(0)).expect("a legal move");
    let version = told.version;
    shop.outside.ledger = Some(told);
    shop.restart();
    shop.kitchen(KitchenState::Ready);
    shop.run();
    assert_eq!((shop.record().version, shop.record().kitchen.state), (version, KitchenState::Unknown));
}

#[test]
fn an_execution_that_ended_unseen_is_found_and_the_next_one_waits_before_it_starts() {
    let mut shop = shop(&[Phase::Preparing]);
    shop.outside.world.executions[0].at = shop.outside.world.executions[0].at.stopped();
    shop.wait(2700 + 20 * 60);
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Execution)), 1);
    assert_eq!((shop.record().execution(), shop.world.executions.len()), (None, 1));
    shop.wait(9);
    shop.run();
    assert_eq!(shop.world.executions.len(), 1, "it would fail again at once");
    shop.wait(1);
    shop.run();
    assert_eq!((shop.record().execution().is_some(), shop.world.executions.len()), (true, 2));
}

#[test]
fn an_execution_that_is_said_to_have_ended_is_looked_at_at_once_and_the_next_one_starts_after_its_pause() {
    let mut shop = shop(&[Phase::Preparing]);
    let name = shop.record().execution().expect("an execution").to_owned();
    shop.outside.world.executions[0].at = shop.outside.world.executions[0].at.stopped();
    shop.in_hand().execution_doubted = Some(name);
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Execution)), 1);
    assert_eq!((shop.record().execution(), shop.world.executions.len()), (None, 1));
    shop.wait(9);
    let status = shop.run().status;
    assert_eq!((status.reason.as_deref(), shop.world.executions.len()), (Some("Retrying"), 1));
    let told = |condition: &&Condition| condition.message == "It is tried again: It was stopped.";
    assert!(status.conditions.iter().any(|condition| told(&condition)), "{:?}", status.conditions);
    shop.wait(1);
    shop.run();
    assert_eq!((shop.world.executions.len(), shop.count(Call::Read(Look::Execution))), (2, 1));
    assert_eq!(shop.run().status.reason.as_deref(), Some("Waiting"));
}

#[test]
fn the_status_names_the_execution_that_brought_a_step_about_and_waits_as_without_one() {
    let mut shop = shop(&[Phase::Preparing]);
    let name = shop.record().execution().expect("an execution").to_owned();
    let mut told = shop.record().clone();
    told.intend(Effect::Prepare, at(0)).expect("a legal move");
    shop.outside.ledger = Some(told);
    shop.restart();
    let status = shop.run().status;
    let arn = |effect: Effect| {
        let step = status.steps.iter().find(|step| step.name == effect.name()).expect("a step");
        step.execution_arn.clone()
    };
    let machine = shop.record().class.executor.clone().expect("an executor").step_functions.state_machine_arn;
    let expected = format!("{}:{name}", machine.replace("stateMachine", "execution"));
    assert_eq!((arn(Effect::Reserve), arn(Effect::Prepare)), (None, Some(expected)));
    assert_eq!(status.waiting_for.map(|waiting| waiting.who).as_deref(), Some("kitchen"));
}

#[test]
fn an_execution_that_runs_whatever_is_said_of_it_is_looked_at_once() {
    let mut shop = shop(&[Phase::Preparing]);
    let name = shop.record().execution().expect("an execution").to_owned();
    shop.in_hand().execution_doubted = Some(name.clone());
    shop.run();
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Execution)), 1);
    assert_eq!((shop.record().execution(), shop.world.executions.len()), (Some(name.as_str()), 1));
}

#[test]
fn what_is_said_of_an_execution_that_the_journal_does_not_name_leads_to_no_look() {
    let mut shop = shop(&[Phase::Preparing]);
    shop.in_hand().execution_doubted = Some("order-1-9-0123456789abcdef".to_owned());
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Execution)), 0);
}

#[test]
fn a_look_that_is_not_answered_is_taken_again() {
    let mut shop = shop(&[Phase::Preparing]);
    let name = shop.record().execution().expect("an execution").to_owned();
    shop.in_hand().execution_doubted = Some(name);
    shop.lost.push((Call::Read(Look::Execution), Lost::Answer));
    shop.run();
    shop.run();
    assert_eq!(shop.count(Call::Read(Look::Execution)), 2);
}

/// An order whose delivery is delegated, and which a step offered to couriers.
fn offered() -> Shop {
    let mut shop = Shop::delivering();
    if let Some(class) = &mut shop.o.class {
        class.spec.executor = Some(executor(&ALL));
    }
    let mut record = shop.record().clone();
    record.class.executor = Some(executor(&ALL));
    record.intend(Effect::Execute, at(0)).expect("a legal move");
    record.settle(Effect::Execute, EntryState::Done, None, at(0)).expect("a legal move");
    shop.outside.ledger = Some(record);
    shop.restart();
    shop.done.clear();
    shop
}

#[test]
fn a_cancel_of_a_delegated_order_is_refused_when_the_ledger_has_a_pick_up_that_no_step_took_over() {
    let mut shop = offered();
    let seq = shop.record().journal[&Effect::Deliver].seq.unwrap_or_default();
    shop.kept.push(event(DeviceSignal::Courier(CourierState::PickedUp), seq));
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    shop.run();
    assert_eq!(shop.calls(), [Call::Read(Look::Events)]);
    assert_eq!((shop.record().phase, shop.record().fault.as_ref()), (Phase::Delivering, None));

    let mut shop = offered();
    shop.o.order.cancel = Some("no longer hungry".to_owned());
    shop.run();
    assert_eq!(shop.record().phase, Phase::Compensating, "nobody picked it up");
}

#[test]
fn an_order_that_was_delivered_while_it_was_suspended_is_closed() {
    let mut record = offered().record().clone();
    record.suspended = true;
    let name = record.execution().expect("an execution").to_owned();
    let seq = record.journal[&Effect::Deliver].seq.unwrap_or_default();
    record.apply_events(&[event(DeviceSignal::Courier(CourierState::Delivered), seq)]).expect("a legal move");
    for step in [Step::CapturePayment, Step::RequestDelivery] {
        assert_eq!(self::step(&record, step), Err(Rest::Anothers), "{step:?}");
        assert_eq!(step.answer(&name, &record, false, at(0)), Answer::Done, "{step:?}");
    }
    let Ok(Request::Write(write, None)) = step(&record, Step::CloseOrder) else { panic!("a write") };
    assert_eq!(write.record.phase, Phase::Delivered);
}

#[test]
fn an_operator_that_hears_devices_anew_rests_while_an_execution_carries_the_order() {
    let mut shop = offered();
    shop.o.hearing_since = Some(shop.now);
    shop.wait(3);
    let wait = shop.run().wait;
    assert!(matches!(wait, Wait::Until(due) if due > shop.now), "{wait:?}");
}

#[test]
fn what_a_class_may_leave_to_the_functions_is_what_steps_do_in_the_phases_that_it_delegates() {
    let phases = |does: fn(Effect) -> bool| {
        let steps =
            Step::iter().map(Step::share).filter(|share| share.effects.iter().any(|effect| does(*effect)));
        let mut phases: Vec<Phase> = steps.flat_map(|share| share.phases).copied().collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    };
    assert_eq!(phases(|effect| effect.row().kind == Kind::Payment), comanda_crds::PAYMENT_PHASES);
    assert_eq!(phases(|effect| effect.row().kind == Kind::Command), comanda_crds::DEVICE_PHASES);
}

#[test]
fn a_refund_that_takes_longer_than_a_day_is_the_operators_where_it_has_the_key() {
    let mut shop = Shop::delivering();
    shop.luck.push((Call::Do(Effect::Refund), Luck::Slow));
    shop.courier(CourierState::Failed);
    shop.run();
    let mut record = shop.record().clone();
    record.class.executor = Some(executor(&ALL));
    assert!(record.waits_for_bank());
    let day = record.journal[&Effect::Refund].intended_at + SignedDuration::from_hours(24);
    assert!(record.is_delegated(day - SignedDuration::from_secs(1)));
    assert!(!record.is_delegated(day));
    record.class.payments.stripe.secret_key = None;
    assert!(record.is_delegated(day), "nobody else can follow it");
}
