//! How a device misbehaves, by order id.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, bail};
use regex::Regex;

/// How a device treats an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Normal,
    /// Kitchen: says no.
    Reject,
    /// Receives everything and never answers.
    Silent,
    /// Works, and neither obeys nor answers a cancel.
    DeadAtCancel,
    /// Takes this long for every step.
    Slow(Duration),
    /// Sends every event twice.
    Duplicate,
    /// Kitchen: sends `ready` before `accepted` and `preparing`.
    OutOfOrder,
    /// Says `accepted` this many times more, each under an id of its own.
    Flood(u32),
    /// Calls itself by another name than its topic does.
    Impostor,
    /// Courier: does not take the offer.
    Decline,
    /// Courier: accepts, and is never heard of again.
    SilentAfterAccept,
    /// Courier: accepts, then fails.
    FailBeforePickup,
    /// Courier: picks up, then fails.
    FailAfterPickup,
}

/// A glob on order ids (`*` is anything, `?` is one character), and a behaviour.
#[derive(Clone, Debug)]
pub struct Rule {
    glob: Regex,
    behaviour: Behaviour,
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (glob, behaviour) = text.rsplit_once('=').context("a rule reads GLOB=BEHAVIOUR")?;
        let pattern = regex::escape(glob).replace(r"\*", ".*").replace(r"\?", ".");
        Ok(Self { glob: Regex::new(&format!("^(?:{pattern})$"))?, behaviour: behaviour.parse()? })
    }
}

impl FromStr for Behaviour {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(ms) = text.strip_prefix("slow:") {
            return Ok(Self::Slow(Duration::from_millis(ms.parse().context("slow:<milliseconds>")?)));
        }
        if let Some(times) = text.strip_prefix("flood:") {
            return Ok(Self::Flood(times.parse().context("flood:<events>")?));
        }
        Ok(match text {
            "normal" => Self::Normal,
            "reject" => Self::Reject,
            "silent" => Self::Silent,
            "dead-at-cancel" => Self::DeadAtCancel,
            "impostor" => Self::Impostor,
            "decline" => Self::Decline,
            "silent-after-accept" => Self::SilentAfterAccept,
            "duplicate" => Self::Duplicate,
            "out-of-order" => Self::OutOfOrder,
            "fail-before-pickup" => Self::FailBeforePickup,
            "fail-after-pickup" => Self::FailAfterPickup,
            _ => bail!("no behaviour is called {text}"),
        })
    }
}

impl Behaviour {
    /// The behaviour of the first rule that matches.
    pub(super) fn of(order_id: &str, rules: &[Rule]) -> Self {
        rules.iter().find(|rule| rule.glob.is_match(order_id)).map(|rule| rule.behaviour).unwrap_or_default()
    }

    /// How long a step takes that takes `usual` otherwise.
    pub(super) fn pace(self, usual: Duration) -> Duration {
        match self {
            Self::Slow(slow) => slow,
            _ => usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_rule_wins() {
        let rules: Vec<Rule> =
            ["reject-*=reject", "*-slow?=slow:50", "*=silent"].map(|rule| rule.parse().unwrap()).to_vec();
        assert_eq!(Behaviour::of("reject-slow1", &rules), Behaviour::Reject);
        assert_eq!(Behaviour::of("x-slow1", &rules), Behaviour::Slow(Duration::from_millis(50)));
        assert_eq!(Behaviour::of("x", &rules), Behaviour::Silent);
        assert_eq!(Behaviour::of("x", &[]), Behaviour::Normal);
    }

    #[test]
    fn a_rule_that_means_nothing_is_refused() {
        assert!("*".parse::<Rule>().is_err());
        assert!("*=sulk".parse::<Rule>().is_err());
    }
}
