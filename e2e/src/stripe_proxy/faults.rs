//! Faults a test asks for: lost requests, lost answers, delays and error statuses.

use anyhow::{Context, Result};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// A fault and the calls it befalls, as posted to `/_proxy/faults`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Which calls.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What happens to them.
    #[serde(flatten)]
    pub action: Action,
    /// To how many of them, from now on.
    #[serde(default = "once")]
    pub count: u32,
}

const fn once() -> u32 {
    1
}

/// Which calls a fault befalls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// `POST`, `GET`, …; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A regular expression found anywhere in the path; empty means any.
    #[serde(default)]
    pub path_regex: String,
    /// A regular expression found in the idempotency key, which names an order and an effect; empty means any,
    /// also none.
    #[serde(default)]
    pub key_regex: String,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Stripe does what was asked, and the connection closes without an answer.
    DropAnswer,
    /// The connection closes before Stripe has seen the request.
    DropRequest,
    /// Stripe takes this long before it begins; the idempotency key is in use meanwhile.
    DelayMs {
        /// Milliseconds.
        ms: u64,
    },
    /// Stripe does what was asked, and the answer waits.
    DelayAnswerMs {
        /// Milliseconds.
        ms: u64,
    },
    /// Stripe answers with an error of this status. A 5xx is stored under the idempotency key, as Stripe does.
    Status {
        /// The status.
        status: u16,
        /// Whether what was asked happens all the same.
        #[serde(default)]
        effect: bool,
    },
}

/// The faults still to come, in the order they were asked for.
#[derive(Debug, Default)]
pub struct Faults(Vec<Awaited>);

/// A fault, and what its expressions say.
#[derive(Debug)]
struct Awaited {
    fault: Fault,
    path: Regex,
    key: Regex,
}

impl Faults {
    /// Adds a fault.
    ///
    /// # Errors
    /// When one of its regular expressions is none.
    pub fn add(&mut self, fault: Fault) -> Result<()> {
        let path = Regex::new(&fault.matches.path_regex).context("path_regex")?;
        let key = Regex::new(&fault.matches.key_regex).context("key_regex")?;
        self.0.push(Awaited { fault, path, key });
        Ok(())
    }

    /// The fault that befalls this call, counted.
    pub fn take(&mut self, method: &str, path: &str, key: Option<&str>) -> Option<Action> {
        let befalls = |awaited: &Awaited| {
            let wanted = awaited.fault.matches.method.as_ref();
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && awaited.path.is_match(path)
                && awaited.key.is_match(key.unwrap_or_default())
        };
        let position = self.0.iter().position(befalls)?;
        let fault = &mut self.0[position].fault;
        fault.count = fault.count.saturating_sub(1);
        let action = fault.action.clone();
        if fault.count == 0 {
            self.0.remove(position);
        }
        Some(action)
    }

    /// The faults still to come.
    pub fn pending(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().map(|awaited| &awaited.fault)
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_befalls_as_many_calls_as_asked() {
        let asked = r#"{"match": {"method": "POST", "path_regex": "/capture$"}, "action": "drop_answer", "count": 2}"#;
        let mut faults = Faults::default();
        faults.add(serde_json::from_str(asked).unwrap()).unwrap();
        assert_eq!(faults.take("GET", "/v1/payment_intents/pi_1/capture", None), None);
        for expected in [Some(Action::DropAnswer), Some(Action::DropAnswer), None] {
            assert_eq!(faults.take("POST", "/v1/payment_intents/pi_1/capture", Some("a/b")), expected);
        }
    }

    #[test]
    fn a_fault_may_befall_the_calls_of_one_order() {
        let asked = r#"{"match": {"key_regex": "/shop/one/capture/"}, "action": "drop_request"}"#;
        let mut faults = Faults::default();
        faults.add(serde_json::from_str(asked).unwrap()).unwrap();
        let path = "/v1/payment_intents/pi_1/capture";
        for (key, expected) in [
            (None, None),
            (Some("local/shop/other/capture/1"), None),
            (Some("local/shop/one/capture/1"), Some(Action::DropRequest)),
        ] {
            assert_eq!(faults.take("POST", path, key), expected);
        }
    }
}
