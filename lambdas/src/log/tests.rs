use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use comanda_saga::Phase;
use comanda_steps::contract::StepResult;

use super::*;

/// What was written, and whoever writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that are written meanwhile.
fn lines(log: impl FnOnce()) -> Vec<String> {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = subscriber(EnvFilter::new("info"), move || writer.clone());
    tracing::subscriber::with_default(subscriber, log);
    let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
}

/// A call of a state, of an order whose name says what becomes of it.
fn about(order: &str, state: &str, attempt: u32, log: impl FnOnce(Called<'_>)) {
    let [installation, tenant, order_id] = ["bistro", "shop", order].map(str::to_owned);
    let (order, execution) = (Identity { installation, tenant, order_id }, format!("{order}-1-0f3c"));
    log(Called { order: &order, execution: &execution, step: state, attempt });
}

fn answer(result: StepResult, phase: Phase) -> StepOutput {
    StepOutput { result, phase, seconds: None, who: None, reason: None, message: None }
}

fn answered(order: &str, state: &str, output: &StepOutput, cause: Option<Cause>) {
    about(order, state, 0, |called| step(called, Ok((output, cause)), 42));
}

fn failed(order: &str, state: &str, attempt: u32, error: &Failure) {
    about(order, state, attempt, |called| step(called, Err(error), 42));
}

fn told(order: &str, kind: &str, outcome: &str, reason: Option<&str>) {
    let [installation, tenant, order_id] = ["bistro", "shop", order].map(str::to_owned);
    let (id, kind) = (format!("evt_{outcome}"), kind.to_owned());
    let told = Event { id, kind, live: true, payment: None };
    event(&told, Some(&Identity { installation, tenant, order_id }), outcome, reason, outcome == "Learned");
}

/// One line of each kind, by what becomes of an order.
fn one_of_each() {
    let done = |phase| answer(StepResult::Done, phase);
    let undone = answer(StepResult::Undo, Phase::Compensating);
    let waiting = answer(StepResult::Waiting, Phase::Preparing);
    let waiting = StepOutput { seconds: Some(600), who: Some("kitchen".to_owned()), ..waiting };
    let stopped = |reason: &str| StepOutput {
        reason: Some(reason.to_owned()),
        ..answer(StepResult::Stop, Phase::Compensating)
    };
    let lost = Failure::Transient("the payment provider did not answer".to_owned());
    let refused = Failure::Transient("the ledger refuses to write".to_owned());
    let outdated = Failure::Outdated("somebody else wrote to the ledger".to_owned());
    let defect = Failure::Defect("the ledger has no order".to_owned());

    answered("valid", "ValidateOrder", &done(Phase::Paying), None);
    answered("impossible", "ValidateOrder", &undone, Some(Cause::InvalidCustomer));
    answered("tampered", "ValidateOrder", &undone, Some(Cause::PriceMismatch));
    answered("sold-out", "ValidateOrder", &undone, Some(Cause::OutOfStock));
    answered("cancelled", "ValidateOrder", &undone, Some(Cause::CancelRequested));
    answered("deleted", "ValidateOrder", &undone, Some(Cause::ObjectDeleted));
    answered("paid", "AuthorizePayment", &done(Phase::Notifying), None);
    answered("declined", "AuthorizePayment", &undone, Some(Cause::PaymentDeclined));
    answered("not-confirmed", "AuthorizePayment", &undone, Some(Cause::PaymentNotConfirmed));
    answered("not-taken", "AuthorizePayment", &undone, Some(Cause::PaymentInvalid));
    failed("unanswered", "AuthorizePayment", 0, &lost);
    failed("unanswered-for-long", "CapturePayment", 8, &lost);
    failed("overtaken", "CapturePayment", 0, &outdated);
    answered("expired", "CapturePayment", &undone, Some(Cause::CaptureFailed));
    failed("not-returned", "UndoPayment", 0, &defect);
    answered("in-preparation", "UpdateStatus", &done(Phase::Preparing), None);
    failed("not-written", "UpdateStatus", 0, &refused);
    failed("not-written-for-long", "CloseOrder", 9, &refused);
    failed("overtaken-for-long", "UpdateStatus", 12, &outdated);
    answered("given-back", "HandBack", &stopped("HandedBack"), None);
    answered("disputed", "UndoPayment", &stopped("NeedsPerson"), None);
    answered("for-a-person", "HandBack", &stopped("NeedsPerson"), None);
    answered("in-the-kitchen", "RequestPreparation", &waiting, None);
    failed("not-told", "RequestPreparation", 0, &refused);
    answered("rejected", "RequestPreparation", &undone, Some(Cause::KitchenRejected));
    about("waits", "AwaitKitchen", 0, |called| wait(called, Ok("Waits")));
    about("cannot-wait", "AwaitKitchen", 0, |called| wait(called, Err(&refused)));
    about("cannot-wait-for-long", "AwaitKitchen", 8, |called| wait(called, Err(&refused)));
    told("confirmed", "payment_intent.amount_capturable_updated", "Learned", None);
    told("known", "payment_intent.succeeded", "Known", None);
    told("returned", "refund.failed", "NeedsPerson", Some("RefundFailed"));
    super::refused("no signature holds");
    untold(&lost);
}

#[test]
fn each_kind_of_line_is_as_the_file_has_it_that_filters_are_tested_with() {
    let written = lines(one_of_each);
    let timeless: Vec<String> = written.iter().map(|line| without_its_time(line)).collect();
    let kept: Vec<&str> = include_str!("lines.jsonl").lines().collect();
    assert_eq!(timeless, kept, "to take it over, put into lines.jsonl:\n{}", timeless.join("\n"));
}

/// A line without the time, which is another each time.
fn without_its_time(line: &str) -> String {
    let rest = line.strip_prefix("{\"timestamp\":\"").expect("a line begins with its time");
    let (time, rest) = rest.split_once("\",").expect("the time is a text");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time} is no time by RFC 3339");
    format!("{{{rest}")
}
