//! What the demo shows: a live table on a terminal, a line a change elsewhere, the evidence at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use comanda_crds::Order;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, Color, ColumnConstraint, Table, Width};
use kube::ResourceExt;

use crate::stack::aws::alarms::{Alarm, State};

/// Where the orders are shown.
pub struct Screen {
    live: bool,
    /// Lines of the last table, to be drawn over.
    lines: usize,
    /// What was last said of each order.
    said: BTreeMap<String, String>,
}

impl Screen {
    /// A screen on standard output.
    pub fn new() -> Self {
        Self { live: stdout().is_terminal(), lines: 0, said: BTreeMap::new() }
    }

    /// Prints a line.
    #[allow(clippy::unused_self)] // What is drawn over must not be printed past the screen.
    pub fn line(&self, text: &str) {
        println!("{text}");
    }

    /// Shows the orders as they are now.
    pub fn show(&mut self, elapsed: Duration, orders: &[Order]) {
        if self.live {
            self.draw(elapsed, orders);
        } else {
            self.tell(elapsed, orders);
        }
    }

    fn draw(&mut self, elapsed: Duration, orders: &[Order]) {
        let mut table = Table::new();
        table.load_preset(UTF8_BORDERS_ONLY).set_header([
            "order",
            "phase",
            "total",
            "reason",
            "waits for",
            "payment",
        ]);
        for order in orders {
            let status = order.status.clone().unwrap_or_default();
            let payment = status.payment.map_or_else(String::new, |payment| {
                format!("held {} taken {} back {}", payment.authorized, payment.captured, payment.refunded)
            });
            table.add_row([
                Cell::new(order.name_any()),
                Cell::new(status.phase.name()).fg(colour(status.phase.name())),
                Cell::new(status.total.unwrap_or_default()),
                Cell::new(status.reason.unwrap_or_default()),
                Cell::new(status.waiting_for.map(|waiting| waiting.who).unwrap_or_default()),
                Cell::new(payment),
            ]);
        }
        let text = format!("{table}\n{:.1} s", elapsed.as_secs_f64());
        if self.lines > 0 {
            // Up over the last table, and clear to the end of the screen.
            print!("\x1b[{}A\x1b[J", self.lines);
        }
        println!("{text}");
        self.lines = text.lines().count();
        let _ = stdout().flush();
    }

    fn tell(&mut self, elapsed: Duration, orders: &[Order]) {
        for order in orders {
            let status = order.status.clone().unwrap_or_default();
            let waits = status.waiting_for.map(|waiting| format!(", waits for the {}", waiting.who));
            let reason = status
                .reason
                .filter(|reason| reason != "Waiting" && reason != status.phase.name())
                .map(|reason| format!(" ({reason})"));
            let now =
                format!("{}{}{}", status.phase.name(), reason.unwrap_or_default(), waits.unwrap_or_default());
            if self.said.get(&order.name_any()) != Some(&now) {
                println!("{:>6.1} s  {:<26} {now}", elapsed.as_secs_f64(), order.name_any());
                self.said.insert(order.name_any(), now);
            }
        }
        self.said.retain(|name, _| {
            let there = orders.iter().any(|order| order.name_any() == *name);
            if !there {
                println!("{:>6.1} s  {name:<26} gone", elapsed.as_secs_f64());
            }
            there
        });
    }
}

fn colour(phase: &str) -> Color {
    match phase {
        "Delivered" => Color::Green,
        "Rejected" | "Cancelled" | "Failed" => Color::Yellow,
        "Compensating" => Color::Magenta,
        _ => Color::Reset,
    }
}

/// One piece of evidence beside what was expected.
pub struct Verdict {
    subject: String,
    system: String,
    found: String,
    expected: String,
}

impl Verdict {
    /// A piece of evidence.
    pub fn new(subject: &str, system: &str, found: &str, expected: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            system: system.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }

    /// What the system said.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// True when it is as expected.
    pub fn holds(&self) -> bool {
        self.found == self.expected
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, system, found, expected } = self;
        write!(f, "{subject}, {system}: {found}, expected: {expected}")
    }
}

/// Prints the evidence, a row a piece.
pub fn print(verdicts: &[Verdict]) {
    println!("\nEvidence, read from the systems themselves:");
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["of", "read from", "found", "as expected"]);
    let mut last = "";
    for verdict in verdicts {
        let subject = if verdict.subject == last { "" } else { &verdict.subject };
        last = &verdict.subject;
        let answer = if verdict.holds() {
            Cell::new("yes").fg(Color::Green)
        } else {
            Cell::new(format!("NO, expected: {}", verdict.expected)).fg(Color::Red)
        };
        table.add_row([Cell::new(subject), Cell::new(&verdict.system), Cell::new(&verdict.found), answer]);
    }
    println!("{table}");
    let failed = verdicts.iter().filter(|verdict| !verdict.holds()).count();
    println!("{} pieces of evidence, {} not as expected", verdicts.len(), failed);
}

/// Longest line of a path, in characters.
const PATH: u16 = 84;

/// Prints the states that each execution entered.
pub fn print_paths(paths: &[(String, Vec<String>)]) {
    println!("\nExecutions, and the states each entered, by their histories:");
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["execution", "states"]);
    for (execution, states) in paths {
        table.add_row([execution, &folded(states).join(" → ")]);
    }
    fold(&mut table);
    println!("{table}");
}

/// Prints which alarms are on, and why. One of what they count is enough for most of them here.
pub fn print_alarms(alarms: &[Alarm]) {
    println!("\nAlarms of CloudWatch, evaluated by their definitions:");
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["state", "alarm"]);
    let (on, off): (Vec<_>, Vec<_>) = alarms.iter().partition(|alarm| alarm.state == State::Alarm);
    for Alarm { name, state, reason } in on {
        let state = Cell::new(state).fg(Color::Red);
        table.add_row([state, Cell::new(format!("{name}: {reason}"))]);
    }
    let off: Vec<&str> = off.iter().map(|alarm| &*alarm.name).collect();
    table.add_row([State::Ok.to_string(), off.join(", ")]);
    fold(&mut table);
    println!("{table}");
}

/// Keeps the second column narrow enough for a terminal.
fn fold(table: &mut Table) {
    if let Some(column) = table.column_mut(1) {
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(PATH)));
    }
}

/// A step that waits is entered again after each wait: it is shown once, with how often it waited.
fn folded(states: &[String]) -> Vec<String> {
    let mut path: Vec<(&str, Option<(&str, usize)>)> = Vec::new();
    for state in states {
        match path.last_mut() {
            Some((_, waits)) if state.starts_with("Await") => {
                *waits = Some((state, waits.map_or(1, |(_, times)| times + 1)));
            }
            Some((step, Some(_))) if step == state => {}
            _ => path.push((state, None)),
        }
    }
    let shown = path.into_iter().map(|(step, waits)| match waits {
        None => step.to_owned(),
        Some((wait, 1)) => format!("{step} ({wait})"),
        Some((wait, times)) => format!("{step} ({wait} × {times})"),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_waited_is_shown_once_with_how_often() {
        let entered = "ValidateOrder RequestPreparation AwaitKitchen RequestPreparation AwaitKitchen \
                       RequestPreparation CapturePayment CloseOrder AwaitRefund CloseOrder Compensated";
        let entered: Vec<String> = entered.split_whitespace().map(str::to_owned).collect();
        let expected = [
            "ValidateOrder",
            "RequestPreparation (AwaitKitchen × 2)",
            "CapturePayment",
            "CloseOrder (AwaitRefund)",
            "Compensated",
        ];
        assert_eq!(folded(&entered), expected);
    }
}
