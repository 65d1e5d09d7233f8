//! Stripe's rules for `Idempotency-Key`, as pure state. See <https://docs.stripe.com/api/idempotent_requests>.
//!
//! The first result under a key, whatever its status, is stored and given again; a request that was refused before
//! anything was executed stores nothing; keys are forgotten after a time ("at least 24 hours").

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::error::StripeError;

/// Stripe's limit on the length of a key.
const LONGEST_KEY: usize = 255;

/// The keys of all accounts.
#[derive(Debug)]
pub struct Keys {
    lives_for: Duration,
    entries: HashMap<Key, Entry>,
}

/// A key belongs to the account that used it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The `Authorization` header.
    pub account: String,
    /// The `Idempotency-Key` header.
    pub key: String,
}

/// What must be equal for a request to be a repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The path, which names the endpoint.
    pub path: String,
    /// The parameters, sorted.
    pub params: Vec<(String, String)>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    fingerprint: Fingerprint,
    /// None while the first request is being executed.
    answer: Option<Answer>,
}

/// What to do with a request.
#[derive(Debug, PartialEq)]
pub enum Begin {
    /// Execute it, then call [`Keys::finish`].
    Execute,
    /// Answer as the first time.
    Replay(Answer),
    /// Refuse it.
    Refuse(StripeError),
}

impl Keys {
    /// No keys; each is forgotten `lives_for` after its first use.
    pub fn new(lives_for: Duration) -> Self {
        Self { lives_for, entries: HashMap::new() }
    }

    /// Judges a request with a key. After [`Begin::Execute`] the key is in use until [`Keys::finish`].
    pub fn begin(&mut self, key: &Key, fingerprint: Fingerprint, now: Instant) -> Begin {
        if key.key.len() > LONGEST_KEY {
            let message = format!("Idempotency keys may be at most {LONGEST_KEY} characters long.");
            return Begin::Refuse(StripeError::new(400, "idempotency_error", message));
        }
        match self.entries.get(key) {
            Some(entry) if entry.is_alive(now, self.lives_for) => entry.judge(&key.key, &fingerprint),
            _ => {
                self.entries.insert(key.clone(), Entry { since: now, fingerprint, answer: None });
                Begin::Execute
            }
        }
    }

    /// Ends the execution of the first request: `None` when nothing was executed after all.
    pub fn finish(&mut self, key: &Key, answer: Option<Answer>) {
        match (answer, self.entries.get_mut(key)) {
            (Some(answer), Some(entry)) => entry.answer = Some(answer),
            _ => drop(self.entries.remove(key)),
        }
    }

    /// Forgets every key that is not in use, as time does.
    pub fn forget(&mut self) {
        self.entries.retain(|_, entry| entry.answer.is_none());
    }
}

impl Entry {
    fn is_alive(&self, now: Instant, lives_for: Duration) -> bool {
        self.answer.is_none() || now.duration_since(self.since) < lives_for
    }

    fn judge(&self, key: &str, fingerprint: &Fingerprint) -> Begin {
        if fingerprint.path != self.fingerprint.path {
            let message = format!(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{}' vs \
                 '{}'). Try using a key other than '{key}' if you meant to execute a different request.",
                fingerprint.path, self.fingerprint.path
            );
            return Begin::Refuse(StripeError::new(400, "idempotency_error", message));
        }
        if fingerprint.params != self.fingerprint.params {
            let message = format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
                 using a key other than '{key}' if you meant to execute a different request."
            );
            return Begin::Refuse(StripeError::new(400, "idempotency_error", message));
        }
        if let Some(answer) = &self.answer {
            return Begin::Replay(answer.clone());
        }
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you \
             submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        let error = StripeError::new(409, "idempotency_error", message);
        Begin::Refuse(error.with("code", "idempotency_key_in_use"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn key() -> Key {
        Key { account: "Bearer sk_test_1".to_owned(), key: "order-1/pay/1".to_owned() }
    }

    fn request(amount: &str) -> Fingerprint {
        let params = vec![("amount".to_owned(), amount.to_owned())];
        Fingerprint { path: "/v1/payment_intents".to_owned(), params }
    }

    fn answer(status: u16) -> Answer {
        Answer { status, body: json!({ "id": "pi_1" }) }
    }

    fn refusal(begin: Begin) -> Answer {
        match begin {
            Begin::Refuse(error) => error.into(),
            other => panic!("expected a refusal, not {other:?}"),
        }
    }

    #[test]
    fn the_first_result_is_given_again_a_500_included() {
        for status in [200, 402, 500] {
            let (mut keys, now) = (Keys::new(DAY), Instant::now());
            assert_eq!(keys.begin(&key(), request("100"), now), Begin::Execute);
            keys.finish(&key(), Some(answer(status)));
            assert_eq!(keys.begin(&key(), request("100"), now), Begin::Replay(answer(status)));
        }
    }

    #[test]
    fn a_key_in_use_is_a_conflict() {
        let (mut keys, now) = (Keys::new(DAY), Instant::now());
        keys.begin(&key(), request("100"), now);
        let refused = refusal(keys.begin(&key(), request("100"), now + DAY + DAY));
        assert_eq!(refused.status, 409);
        assert_eq!(refused.body["error"]["code"], "idempotency_key_in_use");
    }

    #[test]
    fn other_parameters_or_another_endpoint_are_an_error() {
        let (mut keys, now) = (Keys::new(DAY), Instant::now());
        keys.begin(&key(), request("100"), now);
        keys.finish(&key(), Some(answer(200)));
        let elsewhere = Fingerprint { path: "/v1/refunds".to_owned(), ..request("100") };
        for other in [request("101"), elsewhere] {
            let refused = refusal(keys.begin(&key(), other, now));
            assert_eq!((refused.status, &refused.body["error"]["type"]), (400, &json!("idempotency_error")));
        }
    }

    #[test]
    fn a_request_refused_before_execution_frees_its_key() {
        let (mut keys, now) = (Keys::new(DAY), Instant::now());
        keys.begin(&key(), request("0"), now);
        keys.finish(&key(), None);
        assert_eq!(keys.begin(&key(), request("100"), now), Begin::Execute);
    }

    #[test]
    fn an_expired_key_executes_again() {
        let (mut keys, now) = (Keys::new(DAY), Instant::now());
        keys.begin(&key(), request("100"), now);
        keys.finish(&key(), Some(answer(200)));
        assert_eq!(keys.begin(&key(), request("100"), now + DAY), Begin::Execute);
    }

    #[test]
    fn accounts_do_not_share_keys() {
        let (mut keys, now) = (Keys::new(DAY), Instant::now());
        keys.begin(&key(), request("100"), now);
        let other = Key { account: "Bearer sk_test_2".to_owned(), ..key() };
        assert_eq!(keys.begin(&other, request("100"), now), Begin::Execute);
    }
}
