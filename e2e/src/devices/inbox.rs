//! What a device makes of a command it receives: act on it, or ignore it.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::message::{Command, Order};

/// What a device makes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// To be acted on.
    New,
    /// Acted on already.
    Duplicate,
    /// Overtaken by a command with a higher sequence number.
    Stale,
}

/// The commands a device has seen. In memory only: a device that restarts acts on a repeated command again.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    handled: HashSet<String>,
    highest: HashMap<Order, u64>,
}

impl Inbox {
    pub(super) fn judge(&mut self, order: &Order, command: &Command) -> Verdict {
        if self.handled.contains(&command.id) {
            return Verdict::Duplicate;
        }
        let highest = self.highest.entry(order.clone()).or_default();
        if command.seq < *highest {
            return Verdict::Stale;
        }
        *highest = command.seq;
        self.handled.insert(command.id.clone());
        Verdict::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let [installation, tenant, store, kind, id] = ["i", "t", "s", "kitchen", "o"].map(str::to_owned);
        Order { installation, tenant, store, kind, id }
    }

    fn command(id: &str, seq: u64) -> Command {
        Command { name: "prepare".to_owned(), id: id.to_owned(), seq, device: None }
    }

    #[test]
    fn a_command_is_acted_on_once() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.judge(&order(), &command("a", 1)), Verdict::New);
        assert_eq!(inbox.judge(&order(), &command("a", 1)), Verdict::Duplicate);
    }

    #[test]
    fn a_cancel_that_overtook_its_command_makes_it_stale() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.judge(&order(), &command("cancel", 7)), Verdict::New);
        assert_eq!(inbox.judge(&order(), &command("prepare", 3)), Verdict::Stale);
    }
}
