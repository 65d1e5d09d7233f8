use std::sync::Mutex;

use async_trait::async_trait;
use comanda_saga::record::Stall;
use comanda_saga::{
    DeviceEvent, Effect, EntryState, Hold, PaymentView, Phase, Reason, RefundState, RefundView, StockChange,
};

use super::*;
use crate::customer::Contact;
use crate::fixtures::{Provider, identity, now, record};
use crate::intake::Sent;
use crate::ports::{Ledger, SentOrders, Waiting};

/// A ledger of one order, on which others write as often as told before a write of ours.
struct OneOrder {
    record: Mutex<Option<Record>>,
    conflicts: Mutex<usize>,
}

impl OneOrder {
    fn of(record: Record) -> Self {
        Self { record: Mutex::new(Some(record)), conflicts: Mutex::default() }
    }

    fn record(&self) -> Record {
        self.record.lock().expect("no panic").clone().expect("a record")
    }
}

#[async_trait]
impl SentOrders for OneOrder {
    async fn put_sent(&self, _: &Identity, _: &Sent, _: &Contact) -> Result<bool, LedgerError> {
        unreachable!("no order is sent")
    }
    async fn sent(&self, _: &Identity) -> Result<Option<Sent>, LedgerError> {
        unreachable!("nobody asks")
    }
    async fn put_cancel(&self, _: &Identity, _: &str) -> Result<(), LedgerError> {
        unreachable!("nobody cancels")
    }
}

#[async_trait]
impl Ledger for OneOrder {
    async fn load(&self, asked: &Identity) -> Result<Option<Loaded>, LedgerError> {
        let record = self.record.lock().expect("no panic").clone();
        let record = record.filter(|record| record.identity == *asked);
        Ok(record.map(|record| Loaded { record, events: Vec::new() }))
    }
    async fn create(&self, _: &Record, _: Option<&Contact>) -> Result<(), LedgerError> {
        unreachable!("no order is claimed")
    }
    async fn update(&self, next: &Record, stock: StockChange) -> Result<(), LedgerError> {
        let mut record = self.record.lock().expect("no panic");
        let held = record.as_mut().expect("a record");
        let mut conflicts = self.conflicts.lock().expect("no panic");
        if *conflicts > 0 {
            (held.version, *conflicts) = (held.version + 1, *conflicts - 1);
        }
        if next.version != held.version + 1 {
            return Err(LedgerError::Conflict);
        }
        assert_eq!(stock, StockChange::None);
        held.clone_from(next);
        Ok(())
    }
    async fn put_event(&self, _: &Identity, _: &DeviceEvent) -> Result<bool, LedgerError> {
        unreachable!("no device speaks")
    }
    async fn events_kept_by_rule(&self, _: &Record) -> Result<Vec<DeviceEvent>, LedgerError> {
        Ok(Vec::new())
    }
    async fn contact(&self, _: &Identity) -> Result<Option<Contact>, LedgerError> {
        unreachable!("no customer is asked for")
    }
    async fn put_waiting(&self, _: &Identity, _: &Waiting) -> Result<(), LedgerError> {
        unreachable!("nobody waits")
    }
    async fn waiting(&self, _: &Identity, _: &str) -> Result<Option<Waiting>, LedgerError> {
        unreachable!("nobody waits")
    }
    async fn ping(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}

fn view(hold: Hold) -> PaymentView {
    let amount = |is| if hold == is { 1900 } else { 0 };
    PaymentView {
        id: "pi_1".to_owned(),
        hold,
        capturable: amount(Hold::Held),
        received: amount(Hold::Taken),
        capture_before: None,
        action_url: None,
        decline: None,
        disputed: false,
    }
}

/// A payment that is confirmed, and that the customer is asked about.
fn awaiting() -> Record {
    let mut record = record();
    (record.phase, record.payment.id) = (Phase::Paying, Some("pi_1".to_owned()));
    record.intend(Effect::Authorize, now()).expect("a legal move");
    record.payment.hold = Some(Hold::AwaitsCustomer);
    record
}

/// An order that was paid, failed, and was refunded.
fn refunded() -> Record {
    let mut record = awaiting();
    for effect in [Effect::Authorize, Effect::Capture, Effect::Refund] {
        record.settle(effect, EntryState::Done, None, now()).expect("a legal move");
    }
    record.raise(comanda_saga::Cause::CourierFailed, "The courier failed.");
    record.phase = Phase::Failed;
    let payment = &mut record.payment;
    (payment.hold, payment.authorized, payment.captured) = (Some(Hold::Taken), 1900, 1900);
    (payment.refund, payment.refunded) = (Some(RefundState::Succeeded), 1900);
    payment.known_to_undo = true;
    record
}

fn provider(hold: Hold) -> Provider {
    Provider { intent: Some(view(hold)), order: Some(identity()), ..Provider::default() }
}

fn services<'a>(ledger: &'a OneOrder, provider: &'a Provider) -> Services<'a> {
    Services {
        ledger,
        catalogue: None,
        payment_rules: provider,
        payments: Some(provider),
        notifier: None,
        devices: None,
        executions: None,
    }
}

async fn told(ledger: &OneOrder, provider: &Provider) -> Result<Heard, LookError> {
    hear("pi_1", "bistro", services(ledger, provider), "w").await
}

async fn looked(ledger: &OneOrder, provider: &Provider) -> Looked {
    match told(ledger, provider).await {
        Ok(Heard::Looked(looked)) => *looked,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_late_authorization_is_looked_up_and_written_once_however_often_it_is_told() {
    let (ledger, provider) = (OneOrder::of(awaiting()), provider(Hold::Held));
    let first = looked(&ledger, &provider).await;
    assert_eq!((first.outcome(), first.wrote), ("Learned", true));
    let record = ledger.record();
    assert!(record.is_done(Effect::Authorize) && record.payment.authorized == 1900);
    assert_eq!(
        (record.phase, record.version, &*record.writer),
        (Phase::Paying, 2, "w"),
        "it goes no further"
    );
    for _ in 0..3 {
        let again = looked(&ledger, &provider).await;
        assert_eq!((again.outcome(), again.wrote, again.loaded.record), ("Known", false, record.clone()));
    }
}

#[tokio::test]
async fn what_is_said_out_of_turn_is_looked_up_and_found_to_be_no_news() {
    let mut captured = awaiting();
    captured.settle(Effect::Authorize, EntryState::Done, None, now()).expect("a legal move");
    captured.settle(Effect::Capture, EntryState::Done, None, now()).expect("a legal move");
    let payment = &mut captured.payment;
    (payment.hold, payment.authorized, payment.captured) = (Some(Hold::Taken), 1900, 1900);
    let (ledger, provider) = (OneOrder::of(captured.clone()), provider(Hold::Taken));
    // Whatever the event said: it is not asked.
    assert_eq!(looked(&ledger, &provider).await.outcome(), "Known");
    assert_eq!(ledger.record(), captured);
}

#[tokio::test]
async fn a_payment_of_another_installation_of_no_order_or_not_the_orders_is_ignored() {
    let another = Identity { installation: "trattoria".to_owned(), ..identity() };
    let unknown = Identity { order_id: "a-2".to_owned(), ..identity() };
    // A ledger may be shared.
    let anothers = Record { identity: another.clone(), ..awaiting() };
    for (order, record) in [(None, awaiting()), (Some(another), anothers), (Some(unknown), awaiting())] {
        let (ledger, provider) = (OneOrder::of(record.clone()), Provider { order, ..provider(Hold::Held) });
        assert_eq!(told(&ledger, &provider).await, Ok(Heard::NotOurs));
        assert_eq!(provider.asked(), ["order of pi_1"], "it is not looked up");
        assert_eq!(ledger.record(), record);
    }
    let mut of_another_payment = awaiting();
    of_another_payment.payment.id = Some("pi_2".to_owned());
    let (ledger, provider) = (OneOrder::of(of_another_payment), provider(Hold::Held));
    assert_eq!(told(&ledger, &provider).await, Ok(Heard::NotOurs));
}

#[tokio::test]
async fn whoever_writes_meanwhile_wins_and_the_order_is_read_again() {
    let (ledger, provider) = (OneOrder::of(awaiting()), provider(Hold::Held));
    *ledger.conflicts.lock().expect("no panic") = 3;
    assert_eq!(looked(&ledger, &provider).await.outcome(), "Learned");
    assert_eq!(ledger.record().version, 5);

    let ledger = OneOrder::of(awaiting());
    *ledger.conflicts.lock().expect("no panic") = 4;
    assert_eq!(told(&ledger, &provider).await, Err(LedgerError::Conflict.into()), "it is told again");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_proves_nothing_and_nothing_is_written() {
    let (ledger, silent) = (OneOrder::of(awaiting()), Provider { intent: None, ..provider(Hold::Held) });
    assert!(matches!(told(&ledger, &silent).await, Err(LookError::Carry(CarryError::Unanswered(_)))));
    let away = PaymentError::Unanswered("timeout".to_owned());
    let away = Provider { answer: Some(away.clone()), ..provider(Hold::Held) };
    assert!(matches!(told(&ledger, &away).await, Err(LookError::Payment(_))));
    assert_eq!(ledger.record(), awaiting());
}

#[tokio::test]
async fn a_refund_that_comes_back_after_the_end_needs_a_person_and_says_so_each_time() {
    let failed = RefundView { state: RefundState::Failed, amount: 1900 };
    let (ledger, provider) =
        (OneOrder::of(refunded()), Provider { refunds: vec![failed], ..provider(Hold::Taken) });
    for wrote in [true, false] {
        let looked = looked(&ledger, &provider).await;
        assert_eq!((looked.outcome(), looked.wrote), ("NeedsPerson", wrote));
        let record = ledger.record();
        assert_eq!((record.phase, record.payment.refunded), (Phase::Failed, 0));
        assert_eq!(record.stall.map(|Stall { reason, .. }| reason), Some(Reason::RefundFailed));
    }
}
