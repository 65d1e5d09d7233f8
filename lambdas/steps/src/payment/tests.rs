use super::*;
use crate::fixtures::{Provider, contact, intending};

fn view(hold: Hold) -> PaymentView {
    PaymentView {
        id: "pi_1".to_owned(),
        hold,
        capturable: 0,
        received: 0,
        capture_before: None,
        action_url: None,
        decline: None,
        disputed: false,
    }
}

fn refund(state: RefundState) -> RefundView {
    RefundView { state, amount: 1900 }
}

fn paying(effect: Effect) -> Record {
    let mut record = intending(effect);
    record.payment.id = Some("pi_1".to_owned());
    record.payment.captured = refund(RefundState::Succeeded).amount;
    record
}

#[tokio::test]
async fn creation_sends_the_total_under_the_journals_key() {
    let provider = Provider { intent: Some(view(Hold::NotBegun)), ..Provider::default() };
    let outcome = create(&intending(Effect::OpenPayment), &contact(), &provider).await;
    assert_eq!(outcome, Outcome::PaymentOpened { id: "pi_1".to_owned() });
    assert_eq!(provider.asked(), ["create 19.00 EUR pm_card_visa centro Ana Torres bistro/shop/a-1/pi/1"]);
}

async fn refused(invalid: Invalid) -> (Cause, String) {
    let answer = Some(PaymentError::Invalid(invalid));
    let provider = Provider { answer, ..Provider::default() };
    let outcome = create(&intending(Effect::OpenPayment), &contact(), &provider).await;
    let Outcome::Refused(fault) = outcome else { panic!("{outcome:?}") };
    (fault.cause, fault.message)
}

#[tokio::test]
async fn a_request_that_the_provider_does_not_take_is_no_decline_and_says_what_to_change() {
    let invalid = |code: &str, parameter: Option<&str>, part| Invalid {
        code: code.to_owned(),
        parameter: parameter.map(str::to_owned),
        part,
    };
    for (invalid, message) in [
        (
            invalid("resource_missing", Some("payment_method"), Part::Method),
            "The payment provider does not take the payment (resource_missing, payment_method). \
             spec.payment.paymentMethod has to be a card of the class's account that was not used up; one that is \
             saved for a customer needs spec.payment.customer.",
        ),
        (
            invalid("resource_missing", Some("customer"), Part::Customer),
            "The payment provider does not take the payment (resource_missing, customer). spec.payment.customer has \
             to be a customer of the class's account.",
        ),
        (
            invalid("amount_too_small", Some("amount"), Part::Amount),
            "The payment provider does not take the payment (amount_too_small, amount). It charges no such amount in \
             this currency.",
        ),
        (
            invalid("country_unsupported", Some("shipping[address][country]"), Part::Other),
            "The payment provider does not take the payment (country_unsupported, shipping[address][country]).",
        ),
        (
            invalid("payment_intent_invalid_parameter", None, Part::MethodOfType("link".to_owned())),
            "The payment provider does not take the payment (payment_intent_invalid_parameter). The payment method is \
             of the type link, and orders are paid by card: ask for a card.",
        ),
    ] {
        assert_eq!(refused(invalid).await, (Cause::PaymentInvalid, message.to_owned()));
    }
}

#[tokio::test]
async fn a_confirmation_that_the_provider_does_not_take_is_no_decline_unless_a_bank_had_said_no_before() {
    let provider = Provider::refusing("parameter_invalid", view(Hold::Refused));
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    let Outcome::Refused(fault) = outcome else { panic!("{outcome:?}") };
    assert_eq!(fault.cause, Cause::PaymentInvalid);

    let declined = PaymentView { decline: Some("expired_card".to_owned()), ..view(Hold::Refused) };
    let provider = Provider::refusing("payment_intent_unexpected_state", declined.clone());
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    assert_eq!(outcome, Outcome::Payment(declined));
}

#[tokio::test]
async fn a_disputed_charge_is_not_refunded_again() {
    let answer = Some(PaymentError::Disputed { code: "charge_disputed".to_owned() });
    let provider = Provider { answer, intent: Some(view(Hold::Taken)), ..Provider::default() };
    let outcome = perform(Call::Do(Effect::Refund), &paying(Effect::Refund), &provider).await;
    assert_eq!(outcome, Outcome::Refund(Some(refund(RefundState::Disputed))));
    assert_eq!(provider.asked(), ["refund pi_1 bistro/shop/a-1/refund/1"], "nothing is left to look up");
}

#[tokio::test]
async fn without_an_intent_in_the_ledger_nothing_is_called() {
    let provider = Provider { intent: Some(view(Hold::Held)), ..Provider::default() };
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::OpenPayment), &provider).await;
    assert!(matches!(outcome, Outcome::Unknown { effect: Some(Effect::Authorize), .. }), "{outcome:?}");
    assert_eq!(provider.asked(), [""; 0]);
}

#[tokio::test]
async fn a_declined_card_is_proved_by_a_get() {
    let code = "card_declined (insufficient_funds)";
    let provider = Provider::declining(code, view(Hold::Refused));
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    let declined = PaymentView { decline: Some(code.to_owned()), ..view(Hold::Refused) };
    assert_eq!(outcome, Outcome::Payment(declined));
    assert_eq!(provider.asked(), ["confirm pi_1 bistro/shop/a-1/confirm/1", "get pi_1"]);
}

#[tokio::test]
async fn a_replayed_refusal_does_not_hide_that_the_amount_is_held() {
    let provider = Provider::declining("card_declined", view(Hold::Held));
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    assert_eq!(outcome, Outcome::Payment(view(Hold::Held)));
}

#[tokio::test]
async fn a_confirmation_refused_for_good_does_not_go_round_for_ever() {
    let provider = Provider::refusing("parameter_invalid", view(Hold::NotBegun));
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    assert_eq!(
        outcome,
        Outcome::Refused(Fault {
            cause: Cause::PaymentInvalid,
            message: "The payment provider does not take the payment (parameter_invalid). spec.payment.paymentMethod \
                      has to be a card of the class's account that was not used up; one that is saved for a customer \
                      needs spec.payment.customer."
                .to_owned()
        })
    );
}

#[tokio::test]
async fn no_answer_proves_nothing_whatever_was_asked() {
    for (call, effect) in [
        (Call::Do(Effect::Authorize), Effect::Authorize),
        (Call::Do(Effect::Capture), Effect::Capture),
        (Call::Do(Effect::CancelPayment), Effect::CancelPayment),
        (Call::Do(Effect::Refund), Effect::Refund),
    ] {
        let answer = Some(PaymentError::Unanswered("timeout".to_owned()));
        let provider = Provider { answer, ..Provider::default() };
        let message = "the payment provider gave no answer that proves anything: timeout".to_owned();
        assert_eq!(
            perform(call, &paying(effect), &provider).await,
            Outcome::Unknown { effect: Some(effect), message },
            "{call:?}"
        );
        assert_eq!(provider.asked().len(), 1, "{call:?} asked once only");
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_looked_up_proves_nothing() {
    let mut provider = Provider::declining("card_declined", view(Hold::Released));
    provider.intent = None;
    let outcome = perform(Call::Do(Effect::Authorize), &paying(Effect::Authorize), &provider).await;
    assert!(matches!(outcome, Outcome::Unknown { effect: Some(Effect::Authorize), .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_capture_refused_because_it_was_done_is_done() {
    let provider = Provider::refusing("payment_intent_unexpected_state", view(Hold::Taken));
    let outcome = perform(Call::Do(Effect::Capture), &paying(Effect::Capture), &provider).await;
    assert_eq!(outcome, Outcome::Payment(view(Hold::Taken)));
}

#[tokio::test]
async fn a_cancel_refused_because_the_amount_was_taken_says_so_and_leads_to_a_refund() {
    let provider = Provider::refusing("payment_intent_unexpected_state", view(Hold::Taken));
    let outcome = perform(Call::Do(Effect::CancelPayment), &paying(Effect::CancelPayment), &provider).await;
    assert_eq!(outcome, Outcome::Payment(view(Hold::Taken)));
}

#[tokio::test]
async fn a_cancel_refused_while_the_amount_is_held_needs_a_person() {
    let provider = Provider::refusing("api_error", view(Hold::Held));
    let outcome = perform(Call::Do(Effect::CancelPayment), &paying(Effect::CancelPayment), &provider).await;
    let Outcome::NeedsPerson(stall) = outcome else { panic!("{outcome:?}") };
    assert_eq!(stall.reason, Reason::PaymentUnexpected);
    assert!(stall.message.contains("Cancel pi_1 by hand"), "{}", stall.message);
}

#[tokio::test]
async fn a_refund_made_before_counts_once() {
    let mut provider = Provider::refusing("charge_already_refunded", view(Hold::Taken));
    provider.refunds = vec![refund(RefundState::Failed), refund(RefundState::Succeeded)];
    let outcome = perform(Call::Do(Effect::Refund), &paying(Effect::Refund), &provider).await;
    assert_eq!(outcome, Outcome::Refund(Some(refund(RefundState::Succeeded))));
    assert_eq!(provider.asked(), ["refund pi_1 bistro/shop/a-1/refund/1", "refunds pi_1"]);
}

#[tokio::test]
async fn a_refund_that_is_refused_and_does_not_exist_needs_a_person() {
    let provider = Provider::refusing("charge_not_refundable", view(Hold::Taken));
    let outcome = perform(Call::Do(Effect::Refund), &paying(Effect::Refund), &provider).await;
    let Outcome::NeedsPerson(stall) = outcome else { panic!("{outcome:?}") };
    assert_eq!(stall.reason, Reason::RefundFailed);
}

#[tokio::test]
async fn what_a_person_gave_back_by_hand_is_part_of_the_refund_and_not_all_of_it() {
    let part = |amount| RefundView { amount, ..refund(RefundState::Succeeded) };
    let by_hand = Provider { refunds: vec![part(500)], ..Provider::default() };
    let outcome = perform(Call::Read(Look::Refunds), &paying(Effect::Refund), &by_hand).await;
    assert_eq!(outcome, Outcome::Refund(None), "1400 are left to pay back");
    let intent = Some(view(Hold::Taken));
    let rest = Provider { refunds: vec![part(1400), part(500)], intent, ..Provider::default() };
    for call in [Call::Do(Effect::Refund), Call::Read(Look::Refunds)] {
        let outcome = perform(call, &paying(Effect::Refund), &rest).await;
        assert_eq!(outcome, Outcome::Refund(Some(refund(RefundState::Succeeded))), "{call:?}");
    }
    let mut stuck = Provider::refusing("charge_not_refundable", view(Hold::Taken));
    stuck.refunds = vec![part(500)];
    let outcome = perform(Call::Do(Effect::Refund), &paying(Effect::Refund), &stuck).await;
    assert!(matches!(outcome, Outcome::NeedsPerson(_)), "{outcome:?}");
}

#[tokio::test]
async fn the_best_of_many_refunds_is_what_counts() {
    use RefundState::{Disputed, Failed, Pending, Succeeded};
    for (states, expected) in [
        (vec![], None),
        (vec![Failed], Some(Failed)),
        (vec![Failed, Pending], Some(Pending)),
        (vec![Failed, Disputed, Failed], Some(Disputed)),
        (vec![Pending, Succeeded, Failed], Some(Succeeded)),
    ] {
        let refunds: Vec<_> = states.into_iter().map(refund).collect();
        let provider = Provider { refunds, ..Provider::default() };
        let outcome = perform(Call::Read(Look::Refunds), &paying(Effect::Refund), &provider).await;
        assert_eq!(outcome, Outcome::Refund(expected.map(refund)));
    }
}
