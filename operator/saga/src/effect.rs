//! Everything the saga does outside itself and writes down beforehand: one row an effect.
//!
//! What others ask of an effect (which lead back, which are calls, which the status shows, who is waited for) is a
//! filter over these rows. An effect that is added needs a row, or this does not compile.

use comanda_crds::Phase;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr, VariantArray};

/// An effect, in the order of a saga: the way forward, then the way back.
#[derive(
    Serialize,
    Deserialize,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumIter,
    IntoStaticStr,
    VariantArray,
)]
pub enum Effect {
    /// An execution of the class's state machine is started: it carries the order through the phases delegated to it.
    Execute,
    /// Stock is taken, in one transaction with the record.
    Reserve,
    /// The payment is made at the provider; it holds no money.
    #[serde(alias = "CreateIntent")]
    OpenPayment,
    /// The payment is confirmed: the amount is held.
    Authorize,
    /// The customer is told that the order is confirmed.
    NotifyConfirmed,
    /// The kitchen is told to prepare.
    Prepare,
    /// The held amount is taken.
    Capture,
    /// The order is offered to couriers.
    Deliver,
    /// The courier who took the order is told that it is theirs, with the address; the others, that it is taken.
    Assign,
    /// Undo: the courier is called back.
    RecallCourier,
    /// Undo: the kitchen is stopped.
    RecallKitchen,
    /// Undo: the payment is cancelled, and the held amount with it.
    #[serde(alias = "CancelIntent")]
    CancelPayment,
    /// Undo: the captured amount is paid back.
    Refund,
    /// Undo: the stock is returned, or recorded as spent.
    Release,
    /// Undo: the customer is told how the order ended.
    NotifyEnding,
}

/// How an effect comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The write of the record is the effect.
    Write,
    /// A call to Step Functions.
    Execution,
    /// A call to the payment provider.
    Payment,
    /// A message to the customer.
    Message,
    /// A command to a device, with a sequence number; its answer is an event.
    Command,
}

/// Where the status lists an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// In `status.steps`: it leads forward.
    Step,
    /// In `status.compensations`: it leads back.
    Compensation,
    /// Nowhere: it is no part of the order's story.
    Nowhere,
}

/// What an effect awaits once it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The kitchen says that the food is ready.
    Ready,
    /// The courier says that it is picked up.
    PickedUp,
    /// The courier says that it is delivered.
    Delivered,
    /// The kitchen says whether it stopped.
    KitchenRecalled,
    /// The courier says whether they turned back.
    CourierRecalled,
}

/// What there is to know of an effect.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its part of an idempotency key.
    pub key_part: &'static str,
    /// How it comes about.
    pub kind: Kind,
    /// The phase in which it is first intended, at the earliest.
    pub phase: Phase,
    /// Where the status lists it.
    pub listed: Listed,
    /// What undoes it; nothing where it leaves nothing behind, as a question does.
    pub undone_by: &'static [Effect],
    /// What it awaits, beside the answer to its call.
    pub awaits: Option<Answer>,
    /// A refusal proves that it did nothing. What became of the others, a look-up says.
    pub refusable: bool,
    /// The format of the first records whose journal can have it: a release that does not know the effect refuses them.
    pub since: u32,
}

impl Effect {
    /// Its row.
    pub const fn row(self) -> Row {
        use Kind::{Command, Execution, Message, Payment, Write};
        match self {
            Self::Execute => Row {
                listed: Listed::Nowhere,
                ..Row::step("execution", Execution, Phase::Validating, &[]).since(5)
            },
            Self::Reserve => Row::step("reserve", Write, Phase::Validating, &[Self::Release]),
            Self::OpenPayment => Row::step("pi", Payment, Phase::Paying, &[Self::CancelPayment]).refusable(),
            Self::Authorize => {
                Row::step("confirm", Payment, Phase::Paying, &[Self::CancelPayment, Self::Refund])
            }
            Self::NotifyConfirmed => Row::step("confirmed", Message, Phase::Notifying, &[Self::NotifyEnding]),
            Self::Prepare => Row::step("prepare", Command, Phase::Preparing, &[Self::RecallKitchen])
                .awaiting(Answer::Ready),
            Self::Capture => Row::step("capture", Payment, Phase::Delivering, &[Self::Refund]),
            Self::Deliver => Row::step("deliver", Command, Phase::Delivering, &[Self::RecallCourier])
                .awaiting(Answer::Delivered),
            Self::Assign => Row::step("assign", Command, Phase::Delivering, &[Self::RecallCourier])
                .awaiting(Answer::PickedUp)
                .since(4),
            Self::RecallCourier => {
                Row::compensation("recall-courier", Command).awaiting(Answer::CourierRecalled)
            }
            Self::RecallKitchen => {
                Row::compensation("recall-kitchen", Command).awaiting(Answer::KitchenRecalled)
            }
            Self::CancelPayment => Row::compensation("cancel", Payment),
            Self::Refund => Row::compensation("refund", Payment),
            Self::Release => Row::compensation("release", Write),
            Self::NotifyEnding => Row::compensation("ending", Message),
        }
    }

    /// The effect's name, as journal, metrics and logs write it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The first format whose journals can have each of the effects.
    pub(crate) const fn format_of_all() -> u32 {
        let (mut format, mut rest) = (1, Self::VARIANTS);
        while let [effect, others @ ..] = rest {
            let since = effect.row().since;
            format = if since > format { since } else { format };
            rest = others;
        }
        format
    }

    /// The effects that the status lists in one place, in the order of a saga.
    pub fn listed(listed: Listed) -> impl Iterator<Item = Self> {
        Self::iter().filter(move |effect| effect.row().listed == listed)
    }

    /// True for a step back.
    pub fn undoes(self) -> bool {
        self.row().listed == Listed::Compensation
    }

    /// True when it is a call of its own, between an intent and an outcome; false when the write of the record
    /// is the effect.
    pub fn is_called(self) -> bool {
        self.row().kind != Kind::Write
    }
}

impl Row {
    const fn step(key_part: &'static str, kind: Kind, phase: Phase, undone_by: &'static [Effect]) -> Self {
        Self {
            key_part,
            kind,
            phase,
            listed: Listed::Step,
            undone_by,
            awaits: None,
            refusable: false,
            since: 1,
        }
    }

    const fn compensation(key_part: &'static str, kind: Kind) -> Self {
        let (phase, listed) = (Phase::Compensating, Listed::Compensation);
        Self { key_part, kind, phase, listed, undone_by: &[], awaits: None, refusable: false, since: 1 }
    }

    const fn awaiting(self, answer: Answer) -> Self {
        Self { awaits: Some(answer), ..self }
    }

    const fn since(self, format: u32) -> Self {
        Self { since: format, ..self }
    }

    const fn refusable(self) -> Self {
        Self { refusable: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_effects_share_a_part_of_their_key() {
        let mut parts: Vec<&str> = Effect::iter().map(|effect| effect.row().key_part).collect();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), Effect::iter().count());
    }

    #[test]
    fn steps_are_undone_by_compensations_and_every_compensation_undoes_a_step() {
        for step in Effect::listed(Listed::Step) {
            assert!(step.row().undone_by.iter().all(|effect| effect.undoes()), "{step:?}");
        }
        for compensation in Effect::listed(Listed::Compensation) {
            let undoes = |step: Effect| step.row().undone_by.contains(&compensation);
            assert!(Effect::listed(Listed::Step).any(undoes), "{compensation:?}");
        }
    }

    #[test]
    fn an_effect_that_is_added_makes_a_later_format() {
        use Effect::*;
        let of_format_4 = [
            Reserve,
            OpenPayment,
            Authorize,
            NotifyConfirmed,
            Prepare,
            Capture,
            Deliver,
            Assign,
            RecallCourier,
            RecallKitchen,
            CancelPayment,
            Refund,
            Release,
            NotifyEnding,
        ];
        for effect in Effect::iter().filter(|effect| !of_format_4.contains(effect)) {
            assert!(
                effect.row().since > 4,
                "{effect:?} is in no journal of format 4: its row says since when it is"
            );
        }
    }

    /// What users read names each effect and each cause.
    #[test]
    fn the_documentation_of_the_status_names_every_effect_and_cause() {
        let text = include_str!("../../../docs/orders.md");
        for (row, listed) in
            [("| `steps[]` |", Listed::Step), ("| `compensations[]` |", Listed::Compensation)]
        {
            let row = text.lines().find(|line| line.starts_with(row)).expect("a row of the status");
            for effect in Effect::listed(listed) {
                assert!(row.contains(&format!("`{}`", effect.name())), "{effect:?} is not in: {row}");
            }
        }
        for cause in comanda_crds::Cause::iter() {
            let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", cause.name())));
            let row = row.unwrap_or_else(|| panic!("{cause:?} has no row in docs/orders.md"));
            let ends_as = format!("| `{}` |", cause.ends_as().name());
            assert!(row.ends_with(&ends_as), "{cause:?} ends otherwise: {row}");
        }
    }

    /// ARCHITECTURE.md has a row for each, with its key and what undoes it: a dash where nothing does.
    #[test]
    fn the_documented_table_has_every_effect() {
        let table = include_str!("../../../ARCHITECTURE.md");
        for effect in Effect::iter() {
            let row = table.lines().find(|line| line.starts_with(&format!("| `{}` |", effect.name())));
            let row = row.unwrap_or_else(|| panic!("{} has no row in ARCHITECTURE.md", effect.name()));
            if effect.is_called() {
                let key = format!("{}/", effect.row().key_part);
                assert!(row.contains(&key), "the row of {} does not name its key {key}", effect.name());
            }
            let undo = row.split(" | ").nth(5).unwrap_or_default();
            let undone_by = effect.row().undone_by;
            for by in undone_by {
                assert!(undo.contains(by.name()), "the row of {} does not name {}", effect.name(), by.name());
            }
            assert_eq!(undone_by.is_empty(), undo == "–", "what undoes {}: {undo}", effect.name());
        }
    }
}
