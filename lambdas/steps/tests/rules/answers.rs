use comanda_saga::EntryState::{Done, Failed, Intended, NotDone};
use comanda_saga::Hold::{AwaitsCustomer, AwaitsProvider, Held, NotBegun, Refused, Released, Taken};
use comanda_saga::{Call, Direction, Effect, EntryState, Hold, Look, Outcome, PaymentView, Phase, Record};

use crate::support::at;
use crate::support::driver::Driver;
use crate::support::world::Luck;

fn answer(state: Hold) -> Outcome {
    Outcome::Payment(PaymentView {
        id: "pi_0".to_owned(),
        hold: state,
        capturable: 0,
        received: 0,
        capture_before: Some(7),
        action_url: None,
        decline: None,
        disputed: false,
    })
}

/// What becomes of an open effect when the provider says that the payment is in this state.
const SETTLES: [(Hold, [(Effect, EntryState); 3]); 7] = {
    use Effect::{Authorize, CancelPayment, Capture};
    [
        (NotBegun, [(Authorize, NotDone), (Capture, Failed), (CancelPayment, NotDone)]),
        (Refused, [(Authorize, Failed), (Capture, Failed), (CancelPayment, NotDone)]),
        (AwaitsCustomer, [(Authorize, Intended), (Capture, Failed), (CancelPayment, NotDone)]),
        (AwaitsProvider, [(Authorize, Intended), (Capture, Intended), (CancelPayment, Intended)]),
        (Held, [(Authorize, Done), (Capture, NotDone), (CancelPayment, NotDone)]),
        (Taken, [(Authorize, Done), (Capture, Done), (CancelPayment, Failed)]),
        (Released, [(Authorize, Failed), (Capture, Failed), (CancelPayment, Done)]),
    ]
};

fn with_open(effect: Effect) -> Record {
    let mut record = Driver::preparing().record().clone();
    record.journal.remove(&effect);
    record.intend(effect, at(0)).expect("a legal move");
    record
}

#[test]
fn an_answer_settles_whichever_payment_effect_is_open() {
    for (state, settled) in SETTLES {
        for (effect, expected) in settled {
            let mut record = with_open(effect);
            record.apply(answer(state), at(60)).expect("a legal move");
            let entry = &record.journal[&effect];
            assert_eq!(entry.state, expected, "{effect:?} when {state:?}");
            let attempt = if expected == NotDone { 2 } else { 1 };
            assert_eq!(entry.attempt, attempt, "{effect:?} when {state:?}: a new key only for a new try");
            let ended = (expected != Intended).then(|| at(60));
            assert_eq!(entry.finished_at, ended, "{effect:?} when {state:?}");
            assert_eq!(record.payment.capture_before, Some(7));
        }
    }
}

#[test]
fn an_answer_changes_no_effect_that_is_settled() {
    let mut record = with_open(Effect::Capture);
    record.apply(answer(Taken), at(60)).expect("a legal move");
    record.apply(answer(Released), at(120)).expect("a legal move");
    assert_eq!(record.journal[&Effect::Capture].finished_at, Some(at(60)));
    assert_eq!(
        (record.direction, record.fault),
        (Direction::Forward, None),
        "what was captured is not let go"
    );
}

#[test]
fn the_last_error_is_kept_until_the_effect_succeeds() {
    for (state, kept) in [(Held, Some("HTTP 500")), (Taken, None)] {
        let mut record = with_open(Effect::Capture);
        let error = Outcome::Unknown { effect: Some(Effect::Capture), message: "HTTP 500".to_owned() };
        record.apply(error, at(30)).expect("a legal move");
        record.apply(answer(state), at(60)).expect("a legal move");
        assert_eq!(record.journal[&Effect::Capture].message.as_deref(), kept, "{state:?}");
    }
}

#[test]
fn an_order_that_the_catalogue_refuses_took_no_stock_and_made_no_payment() {
    let mut shop = Driver::with_luck(&[(Call::Read(Look::Validation), Luck::Bad)]);
    shop.run();
    assert_eq!(shop.record().state(Effect::Reserve), Some(Failed));
    assert_eq!(shop.record().state(Effect::OpenPayment), None);
}

#[test]
fn a_refused_creation_made_nothing_and_the_stock_goes_back() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::OpenPayment), Luck::Bad)]);
    shop.run();
    assert_eq!((shop.record().phase, shop.stock), (Phase::Rejected, 3));
    assert_eq!(shop.record().state(Effect::Reserve), Some(Done), "it was taken, and given back");
    assert_eq!(shop.record().state(Effect::OpenPayment), Some(Failed));
    assert_eq!(shop.count(Call::Read(Look::Payment)), 0, "nothing to look for");
}
