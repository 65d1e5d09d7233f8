//! A step of an execution: the order is carried as far as it is the step's, and the machine is told how it goes on.

use comanda_saga::driver::Step;
use comanda_saga::{Call, Circumstances, Contradiction, Driver, Wait, Wishes};
use jiff::{SignedDuration, Timestamp};

use crate::carry::{self, InHand, Ports, Reach, Request, Rest};
use crate::contract::StepOutput;
use crate::ports::{Loaded, PaymentRules};

/// What a step of an execution is driven by: nobody asks it for anything, and what the class says now is in the record.
///
/// `writer` is a name that no other process has.
pub fn circumstances(
    execution: &str,
    step: Step,
    payment_rules: &dyn PaymentRules,
    writer: String,
) -> Circumstances {
    Circumstances {
        driver: Driver::Execution { name: execution.to_owned(), step },
        wishes: Wishes::default(),
        policy: None,
        hearing_since: None,
        key_lifetime: payment_rules.key_lifetime(),
        writer,
    }
}

/// Does what is the step's, one effect after the other, each written before the next. What came of a call is written even
/// where the call failed: a process that ends then leaves nothing behind.
///
/// # Errors
/// The first failure ends it.
///
/// # Panics
/// When the circumstances are not those of a step.
pub async fn take<P: Ports>(
    hand: &mut InHand,
    around: &Circumstances,
    ports: &P,
) -> Result<StepOutput, P::Error> {
    let Driver::Execution { name, step } = &around.driver else { panic!("the operator is not a step") };
    loop {
        let rest = carry::carry(hand, around, Reach::OneStep, ports).await?;
        if rest == Rest::More {
            continue;
        }
        let now = ports.now();
        let answer = step.answer(name, &hand.saved, matches!(rest, Rest::Wait(_)), now);
        let due = match rest.wait() {
            // A moment too early is a wait for nothing.
            Wait::Until(time) => Some(whole_seconds(time.duration_since(now))),
            Wait::ForEvent => None,
        };
        return Ok(StepOutput::of(*step, answer, &hand.saved, due));
    }
}

fn whole_seconds(span: SignedDuration) -> i64 {
    span.as_secs().saturating_add(i64::from(span.subsec_nanos() > 0))
}

/// True when a step that waits would go on with the order as it is now: what it waited for has come. That it is time to
/// look, or to send a command again, is for the wait's own end to say.
///
/// # Errors
/// When the rules contradict each other: a defect.
pub fn would_go_on(
    loaded: Loaded,
    execution: &str,
    step: Step,
    payment_rules: &dyn PaymentRules,
    now: Timestamp,
) -> Result<bool, Contradiction> {
    // Nothing is written.
    let around = circumstances(execution, step, payment_rules, String::new());
    let mut hand = InHand::read(loaded, now);
    (hand.payment_seen_at, hand.read_since) = (Some(now), Some(std::time::Duration::ZERO));
    Ok(!matches!(hand.next(&around, now)?, Err(Rest::Wait(_)) | Ok(Request::Call(Call::Repeat(_)))))
}
