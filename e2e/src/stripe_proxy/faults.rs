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
pub struct Faults(Vec<(Fault, Regex)>);

impl Faults {
    /// Adds a fault.
    ///
    /// # Errors
    /// When its regular expression is none.
    pub fn add(&mut self, fault: Fault) -> Result<()> {
        let path = Regex::new(&fault.matches.path_regex).context("path_regex")?;
        self.0.push((fault, path));
        Ok(())
    }

    /// The fault that befalls this call, counted.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Action> {
        let befalls = |(fault, regex): &(Fault, Regex)| {
            fault.matches.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && regex.is_match(path)
        };
        let position = self.0.iter().position(befalls)?;
        let fault = &mut self.0[position].0;
        fault.count = fault.count.saturating_sub(1);
        let action = fault.action.clone();
        if fault.count == 0 {
            self.0.remove(position);
        }
        Some(action)
    }

    /// The faults still to come.
    pub fn pending(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().map(|(fault, _)| fault)
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
        assert_eq!(faults.take("GET", "/v1/payment_intents/pi_1/capture"), None);
        for expected in [Some(Action::DropAnswer), Some(Action::DropAnswer), None] {
            assert_eq!(faults.take("POST", "/v1/payment_intents/pi_1/capture"), expected);
        }
    }
}
