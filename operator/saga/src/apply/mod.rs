//! What the world answered, and what it does to the record. It is recorded here, and judged elsewhere.

mod device;
mod payment;

use comanda_crds::Phase;
use jiff::Timestamp;
use strum::IntoEnumIterator;

use crate::device::DeviceEvent;
use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::payment::{Hold, PaymentView, RefundView};
use crate::record::{Fault, Record, Stall};

/// What a call brought back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The order holds, and this is its total by the catalogue, in minor units.
    Validated {
        /// Sum of the lines.
        total: i64,
        /// What may be wrong about the customer's data, a sentence a field, without what the customer wrote.
        doubts: Vec<String>,
    },
    /// The order does not hold: what was called refuses it.
    Refused(Fault),
    /// The payment exists, and holds no money yet.
    PaymentOpened {
        /// The provider's id.
        id: String,
    },
    /// The payment as the provider has it now.
    Payment(PaymentView),
    /// The refund as the provider has it now; none when there is none.
    Refund(Option<RefundView>),
    /// The other side answered that it is done, and nothing else is to be known of it. A message: the service took it
    /// over. A command: the broker acknowledged it.
    Done(Effect),
    /// An execution as Step Functions has it now.
    Execution {
        /// Its name.
        name: String,
        /// Why it ended, in a sentence; none while it runs.
        ended: Option<String>,
    },
    /// All that devices said of the order, whoever kept it. It is for whoever holds the record.
    Heard(Vec<DeviceEvent>),
    /// Nothing more can be done without a person.
    NeedsPerson(Stall),
    /// The call was not made: the customer's contact in the ledger cannot be opened.
    NoContact {
        /// The effect that needs it.
        effect: Effect,
        /// Why, without personal data.
        message: String,
    },
    /// No answer, or one that proves nothing.
    Unknown {
        /// The effect whose outcome is not known.
        effect: Option<Effect>,
        /// The error, without secrets or personal data.
        message: String,
    },
}

impl Outcome {
    /// The word for it in metrics and logs: `unknown`, why it was refused or needs a person, or `ok`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown",
            Self::Refused(fault) => fault.cause.name(),
            Self::NeedsPerson(stall) => stall.reason.name(),
            _ => "ok",
        }
    }
}

impl Record {
    /// Takes over what a call brought back. Nothing is lost when it is never saved: the intent stands
    /// in the ledger, and whoever comes next looks the outcome up.
    ///
    /// # Errors
    /// When an effect cannot stand as the answer says: a defect. What is in hand is then to be read again.
    pub fn apply(&mut self, outcome: Outcome, now: Timestamp) -> Result<(), IllegalMove> {
        match outcome {
            Outcome::Validated { total, doubts } => (self.total, self.doubts) = (Some(total), doubts),
            Outcome::Refused(fault) => {
                // What was refused did nothing: there is no intent to look for when undoing.
                let called = Effect::iter().find(|effect| {
                    effect.row().refusable && self.state(*effect) == Some(EntryState::Intended)
                });
                // The order itself does not hold: the stock is not taken.
                let reserve = (self.phase == Phase::Validating).then_some(Effect::Reserve);
                if let Some(effect) = called.or(reserve) {
                    self.settle(effect, EntryState::Failed, fault.message.clone(), now)?;
                }
                self.raise(fault.cause, fault.message);
            }
            Outcome::PaymentOpened { id } => {
                self.payment.id = Some(id);
                self.payment.hold = Some(Hold::NotBegun);
                self.settle(Effect::OpenPayment, EntryState::Done, None, now)?;
            }
            Outcome::Payment(view) => self.apply_payment(view, now)?,
            Outcome::Refund(view) => self.apply_refund(view, now)?,
            Outcome::Done(effect) => {
                self.contact_unreadable = false;
                self.settle(effect, EntryState::Done, None, now)?;
            }
            Outcome::Execution { name, ended: Some(why) } if self.is_executed_by(&name) => {
                self.end_execution(Some(why), now)?;
            }
            Outcome::Execution { .. } | Outcome::Heard(_) => {}
            Outcome::NeedsPerson(stall) => self.stall = Some(stall),
            Outcome::NoContact { effect, message } => {
                self.apply(Outcome::Unknown { effect: Some(effect), message }, now)?;
                self.contact_unreadable = true;
            }
            Outcome::Unknown { effect, message } => {
                self.contact_unreadable = false;
                if let Some(effect) = effect
                    && let Some(entry) = self.journal.get_mut(&effect)
                {
                    // Of executions, those are counted that ended by themselves.
                    entry.failures += u32::from(effect != Effect::Execute);
                    entry.message = Some(message);
                }
            }
        }
        Ok(())
    }
}
