//! Edges of who carries an order: what a change of a single operator in `driver.rs` and around it would break.

use comanda_saga::driver::{Answer, Step, Stop};
use comanda_saga::effect::Listed;
use comanda_saga::payment::Hold;
use comanda_saga::record::FORMAT;
use comanda_saga::{
    Call, Circumstances, Direction, Driver, Effect, EntryState, Look, Outcome, Phase, Record, Wait, Wishes,
};
use comanda_steps::carry::{InHand, Request, Rest};

use crate::support::driver::Driver as Shop;
use crate::support::{ALL, at, executor, seen};

fn asks(record: &Record, driver: Driver) -> Result<Request, Rest> {
    let around = Circumstances { driver, wishes: Wishes::default(), policy: None, ..seen().circumstances() };
    let mut hand = InHand::new(record.clone());
    (hand.events_read_at, hand.execution_seen_at) = (Some(at(0)), Some(at(0)));
    hand.next(&around, at(0)).expect("no contradiction")
}

fn step(record: &Record, step: Step) -> Result<Request, Rest> {
    let name = record.execution().expect("an execution").to_owned();
    asks(record, Driver::Execution { name, step })
}

/// An order whose amount is held, which an execution carries through these phases and this one.
fn executed(phases: &[Phase], phase: Phase) -> Record {
    let mut record = Shop::delivering().record().clone();
    record.class.executor = Some(executor(phases));
    for device in [Effect::Prepare, Effect::Capture, Effect::Deliver] {
        record.journal.remove(&device);
    }
    (record.phase, record.payment.hold) = (phase, Some(Hold::Held));
    record.payment.captured = 0;
    record.intend(Effect::Execute, at(0)).expect("a legal move");
    record.settle(Effect::Execute, EntryState::Done, None, at(0)).expect("a legal move");
    record
}

#[test]
fn the_operator_does_not_judge_the_payment_of_an_order_that_an_execution_carries() {
    let mut record = executed(&ALL, Phase::Preparing);
    record.payment.hold = Some(Hold::Refused);
    let rest = asks(&record, Driver::Operator);
    assert!(matches!(rest, Err(Rest::Wait(Wait::Until(_)))), "{rest:?}");
    record.class.executor = None;
    let Ok(Request::Write(write, _)) = asks(&record, Driver::Operator) else { panic!("a write") };
    assert_eq!(write.record.direction, Direction::Undo, "it is the operator's, otherwise");
}

#[test]
fn a_write_says_who_wrote_it() {
    let mut record = executed(&ALL, Phase::Preparing);
    record.writer = "another".to_owned();
    let Ok(Request::Write(write, _)) = step(&record, Step::RequestPreparation) else { panic!("a write") };
    assert_eq!(write.record.writer, seen().circumstances().writer);
}

#[test]
fn a_step_finds_an_order_that_is_over_and_the_last_one_does_not_hand_it_back() {
    let record = executed(&ALL, Phase::Delivered);
    assert_eq!(step(&record, Step::CloseOrder), Err(Rest::Over));
    assert_eq!(step(&record, Step::HandBack), Err(Rest::Anothers));
}

#[test]
fn that_another_execution_ended_changes_nothing() {
    let mut record = executed(&ALL, Phase::Preparing);
    let before = record.clone();
    let ended = Some("It was stopped.".to_owned());
    record
        .apply(Outcome::Execution { name: "another".to_owned(), ended: ended.clone() }, at(1))
        .expect("legal");
    assert_eq!(record, before);
    let name = before.execution().expect("an execution").to_owned();
    record.apply(Outcome::Execution { name, ended }, at(1)).expect("legal");
    assert_eq!(record.execution(), None);
}

#[test]
fn a_step_of_an_execution_that_is_named_no_more_is_superseded_and_the_last_one_has_handed_back() {
    let mut record = executed(&ALL, Phase::Preparing);
    let name = record.execution().expect("an execution").to_owned();
    record.journal.remove(&Effect::Execute);
    let answer = |record: &Record, step: Step| step.answer(&name, record, false, at(0));
    assert_eq!(answer(&record, Step::RequestPreparation), Answer::Stop(Stop::Superseded));
    assert_eq!(answer(&record, Step::HandBack), Answer::Stop(Stop::HandedBack));
}

#[test]
fn an_undone_order_waits_for_its_bank_and_one_that_is_not_over_is_turned_round_again() {
    let mut record = executed(&ALL, Phase::Compensating);
    record.direction = Direction::Undo;
    let name = record.execution().expect("an execution").to_owned();
    assert_eq!(Step::CloseOrder.answer(&name, &record, true, at(0)), Answer::Waiting);
    assert_eq!(Step::CloseOrder.answer(&name, &record, false, at(0)), Answer::Undo);
    assert_eq!(Step::ReleaseStock.answer(&name, &record, false, at(0)), Answer::Done);
}

#[test]
fn a_step_does_nothing_in_a_phase_that_its_class_does_not_delegate() {
    assert!(step(&executed(&ALL, Phase::Preparing), Step::RequestPreparation).is_ok());
    let elsewhere = executed(&[Phase::Paying], Phase::Preparing);
    assert_eq!(step(&elsewhere, Step::RequestPreparation), Err(Rest::Anothers));
}

#[test]
fn a_step_does_not_look_at_what_is_anothers() {
    let mut record = executed(&ALL, Phase::Compensating);
    record.direction = Direction::Undo;
    assert_eq!(step(&record, Step::RecallDevices), Err(Rest::Anothers), "there is nobody to recall");
    assert_eq!(step(&record, Step::UndoPayment), Ok(Request::Call(Call::Read(Look::Payment))));
}

#[test]
fn an_execution_is_no_step_of_an_order_and_came_with_format_five() {
    assert_eq!(Effect::Execute.row().listed, Listed::Nowhere);
    assert_eq!((Effect::Execute.row().since, FORMAT), (5, 5));
}
