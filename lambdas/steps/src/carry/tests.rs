use std::sync::Mutex;

use comanda_saga::{Driver, EntryState, Look, Phase, Wishes};
use jiff::SignedDuration;

use super::*;
use crate::fixtures::{now, record};

/// A ledger that takes or refuses reservations as told, and services that answer well. Time passes with each write.
struct Outside {
    refusal: Option<LedgerError>,
    seconds_a_write: u64,
    stops_after: Option<usize>,
    silent: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    elapsed: Duration,
    done: Vec<String>,
}

impl Outside {
    fn new() -> Self {
        Self { refusal: None, seconds_a_write: 0, stops_after: None, silent: false, seen: Mutex::default() }
    }

    fn done(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").done.clone()
    }
}

impl Ports for Outside {
    type Error = CarryError;

    fn now(&self) -> Timestamp {
        now()
    }

    fn elapsed(&self) -> Duration {
        self.seen.lock().expect("no panic").elapsed
    }

    fn may_go_on(&self) -> Result<(), CarryError> {
        let done = self.seen.lock().expect("no panic").done.len();
        if self.stops_after.is_some_and(|after| done >= after) { Err(CarryError::Endless) } else { Ok(()) }
    }

    async fn write(&self, saved: &Record, write: &Write) -> Result<(), LedgerError> {
        assert_eq!(write.record.version, saved.version + 1);
        let mut seen = self.seen.lock().expect("no panic");
        seen.elapsed += Duration::from_secs(self.seconds_a_write);
        seen.done.push(format!("write {:?}", write.record.phase));
        let refusal = self.refusal.clone().filter(|_| write.stock == StockChange::Take);
        refusal.map_or(Ok(()), Err)
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, CarryError> {
        let mut seen = self.seen.lock().expect("no panic");
        if let Some(effect) = call.effect() {
            assert_eq!(record.state(effect), Some(EntryState::Intended), "{effect:?}");
        }
        seen.done.push(call.name().to_owned());
        Ok(match call {
            Call::Do(effect) if self.silent => {
                Outcome::Unknown { effect: Some(effect), message: "no answer".to_owned() }
            }
            Call::Read(Look::Validation) => Outcome::Validated { total: 1900, doubts: Vec::new() },
            Call::Do(Effect::OpenPayment) => Outcome::PaymentOpened { id: "pi_1".to_owned() },
            Call::Do(effect) | Call::Repeat(effect) => Outcome::Done(effect),
            Call::Read(Look::Events) => Outcome::Heard(Vec::new()),
            Call::Read(_) => Outcome::Refund(None),
        })
    }
}

fn claimed() -> InHand {
    let mut record = record();
    (record.total, record.phase) = (None, Phase::Validating);
    InHand::new(record)
}

/// An order that is about to be told to the kitchen.
fn preparing() -> InHand {
    let mut record = record();
    record.phase = Phase::Preparing;
    InHand::read(Loaded { record, events: Vec::new() }, now())
}

fn around() -> Circumstances {
    Circumstances {
        driver: Driver::Operator,
        wishes: Wishes::default(),
        policy: None,
        hearing_since: None,
        key_lifetime: SignedDuration::from_hours(23),
        writer: "w".to_owned(),
    }
}

#[tokio::test]
async fn a_call_that_comes_thirty_seconds_after_its_intent_is_not_made() {
    let outside = Outside { seconds_a_write: 31, ..Outside::new() };
    let mut hand = preparing();
    let result = carry(&mut hand, &around(), Reach::NextWait, &outside).await;
    assert_eq!(result, Err(CarryError::TooLate));
    assert_eq!(outside.done(), ["write Preparing"]);
    // The intent is taken again, and not called upon.
    let result = carry(&mut hand, &around(), Reach::NextWait, &outside).await;
    assert_eq!(result, Err(CarryError::TooLate));
    assert_eq!(outside.done()[1..], ["write Preparing"]);
    assert_eq!(hand.saved.journal[&Effect::Prepare].tries, 2);
}

#[tokio::test]
async fn one_step_makes_one_call_and_writes_what_came_of_it() {
    let outside = Outside::new();
    let mut hand = claimed();
    let rest = carry(&mut hand, &around(), Reach::OneStep, &outside).await;
    assert_eq!(rest, Ok(Rest::More));
    assert_eq!(outside.done(), ["Validation", "write Validating"]);

    let outside = Outside::new();
    let mut hand = preparing();
    let rest = carry(&mut hand, &around(), Reach::OneStep, &outside).await;
    assert_eq!(rest, Ok(Rest::More));
    assert_eq!(outside.done(), ["write Preparing", "Prepare", "write Preparing"]);
    assert_eq!(hand.saved, hand.record);
    assert!(hand.saved.is_done(Effect::Prepare));
}

#[tokio::test]
async fn one_step_that_fails_leaves_its_failure_in_the_ledger() {
    let outside = Outside { silent: true, ..Outside::new() };
    let mut hand = preparing();
    for failures in 1..=2 {
        let result = carry(&mut hand, &around(), Reach::OneStep, &outside).await;
        assert_eq!(result, Err(CarryError::Unanswered("no answer".to_owned())));
        assert_eq!(hand.saved.journal[&Effect::Prepare].failures, failures);
        // Another process goes on.
        hand = InHand::new(hand.saved.clone());
    }
}

#[tokio::test]
async fn one_step_repeats_a_command_that_no_device_spoke_of_and_says_how_the_order_rests() {
    let outside = Outside::new();
    let mut record = record();
    record.phase = Phase::Preparing;
    record.intend(Effect::Prepare, now() - jiff::SignedDuration::from_secs(15)).expect("a legal move");
    record.settle(Effect::Prepare, EntryState::Done, None, now()).expect("a legal move");
    let mut hand = InHand::new(record);
    let around = Circumstances { hearing_since: Some(Timestamp::UNIX_EPOCH), ..around() };
    let rest = carry(&mut hand, &around, Reach::OneStep, &outside).await.expect("a rest");
    assert_eq!(outside.done(), ["Events", "Repeat"]);
    assert!(matches!(rest, Rest::Wait(Wait::Until(_))), "{rest:?}");
}

#[tokio::test]
async fn a_driver_that_stops_makes_no_call_though_its_intent_is_written() {
    let outside = Outside { stops_after: Some(1), ..Outside::new() };
    let mut hand = preparing();
    assert!(carry(&mut hand, &around(), Reach::NextWait, &outside).await.is_err());
    assert_eq!(outside.done(), ["write Preparing"]);
}

#[tokio::test]
async fn stock_that_is_short_refuses_the_order_and_calls_nothing() {
    let short = LedgerError::OutOfStock { skus: vec!["margherita".to_owned()] };
    let outside = Outside { refusal: Some(short), ..Outside::new() };
    let mut hand = claimed();
    carry(&mut hand, &around(), Reach::NextWait, &outside).await.expect("an end");
    assert!(!outside.done().contains(&"OpenPayment".to_owned()), "{:?}", outside.done());
    let fault = hand.saved.fault.as_ref().expect("a fault");
    assert_eq!((fault.cause, hand.saved.phase), (Cause::OutOfStock, Phase::Rejected));
    assert_eq!(fault.message, "The store does not have enough of: margherita.");
}

#[tokio::test]
async fn a_write_that_another_was_faster_with_ends_the_pass() {
    let outside = Outside { refusal: Some(LedgerError::Conflict), ..Outside::new() };
    let mut hand = claimed();
    let result = carry(&mut hand, &around(), Reach::NextWait, &outside).await;
    assert_eq!(result, Err(CarryError::Ledger(LedgerError::Conflict)));
    assert_eq!(hand.saved.phase, Phase::Validating);
}
