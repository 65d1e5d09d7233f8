//! What the world answered, and what it does to the record.

use comanda_crds::Phase;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::record::{CourierState, Direction, EntryState, Fault, KitchenState, Record, Stall};

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
    /// The order does not hold.
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
    /// The notification was taken over by SNS, or the command acknowledged by the broker.
    Sent(Effect),
    /// Nothing more can be done without a person.
    NeedsPerson(Stall),
    /// No answer, or one that proves nothing.
    Unknown {
        /// The effect whose outcome is not known.
        effect: Option<Effect>,
        /// The error, without secrets or personal data.
        message: String,
    },
}

/// A payment, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentView {
    /// The provider's id.
    pub id: String,
    /// How it stands.
    pub hold: Hold,
    /// Amount held and not yet taken, in minor units.
    pub capturable: i64,
    /// Amount taken, in minor units.
    pub received: i64,
    /// When the provider lets the held amount go, in Unix seconds.
    pub capture_before: Option<i64>,
    /// Where the customer confirms.
    pub action_url: Option<String>,
    /// Why the last confirmation failed: a decline's code, such as `card_declined (insufficient_funds)`.
    pub decline: Option<String>,
}

/// How an order's payment stands: whether the customer's money is held for it, and by whom it is waited for. Each provider
/// has words of its own, which its adapter puts into these. Before format 3, a record had Stripe's.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// The payment exists, and nobody was asked for money.
    #[serde(alias = "RequiresConfirmation")]
    NotBegun,
    /// The customer must act.
    #[serde(alias = "RequiresAction")]
    AwaitsCustomer,
    /// The provider works on it.
    #[serde(alias = "Processing")]
    AwaitsProvider,
    /// The amount is held.
    #[serde(alias = "RequiresCapture")]
    Held,
    /// The amount is taken.
    #[serde(alias = "Succeeded")]
    Taken,
    /// Let go or expired: nothing is held.
    #[serde(alias = "Canceled")]
    Released,
    /// The customer's bank said no, or there is nothing to ask it with.
    #[serde(alias = "RequiresPaymentMethod")]
    Refused,
}

/// A refund, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefundView {
    /// Its state.
    pub state: RefundState,
    /// Amount, in minor units.
    pub amount: i64,
}

/// States of a refund. Source: <https://docs.stripe.com/refunds>.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Under way.
    Pending,
    /// Paid back.
    Succeeded,
    /// The provider could not pay it back, or it was cancelled.
    Failed,
    /// It is not to be paid back: the customer disputed the charge, and the bank has taken the amount already.
    Disputed,
}

/// What a kitchen or a courier said.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceEvent {
    /// The device's own id of the event: see [`DeviceEvent::is_again`].
    pub id: String,
    /// What it said.
    pub signal: DeviceSignal,
    /// Sequence number of the command it answers.
    pub seq: u64,
    /// The device's client id.
    pub device: String,
    /// Why, where it gives a reason.
    pub reason: Option<String>,
    /// When it reached the ledger.
    pub at: Timestamp,
}

impl DeviceEvent {
    /// True for an event that was heard before: its id is its device's own, and others may have the same.
    pub fn is_again(&self, known: &Self) -> bool {
        let of = |event: &Self| {
            matches!(event.signal, DeviceSignal::Kitchen(_) | DeviceSignal::KitchenRecalled(_))
        };
        (&self.id, &self.device, of(self)) == (&known.id, &known.device, of(known))
    }
}

/// The vocabulary of devices.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceSignal {
    /// Kitchen: it advanced to this state.
    Kitchen(KitchenState),
    /// Kitchen: it stopped, or refused to.
    KitchenRecalled(bool),
    /// Courier: it advanced to this state.
    Courier(CourierState),
    /// Courier: it turned back, or refused to.
    CourierRecalled(bool),
}

impl Record {
    /// Takes over what a call brought back. Nothing is lost when it is never saved: the intent stands
    /// in the ledger, and whoever comes next looks the outcome up.
    pub fn apply(&mut self, outcome: Outcome, now: Timestamp) {
        match outcome {
            Outcome::Validated { total, doubts } => (self.total, self.doubts) = (Some(total), doubts),
            Outcome::Refused(fault) => {
                if self.phase == Phase::Validating {
                    self.settle(Effect::Reserve, EntryState::Failed, fault.message.clone(), now);
                }
                // A refused creation made nothing: there is no intent to look for when undoing.
                if self.state(Effect::OpenPayment) == Some(EntryState::Intended) {
                    self.settle(Effect::OpenPayment, EntryState::Failed, fault.message.clone(), now);
                }
                self.raise(fault.cause, fault.message);
            }
            Outcome::PaymentOpened { id } => {
                self.payment.id = Some(id);
                self.payment.hold = Some(Hold::NotBegun);
                self.settle(Effect::OpenPayment, EntryState::Done, None, now);
            }
            Outcome::Payment(view) => self.apply_payment(view, now),
            Outcome::Refund(view) => self.apply_refund(view, now),
            Outcome::Sent(effect) => self.settle(effect, EntryState::Done, None, now),
            Outcome::NeedsPerson(stall) => self.stall = Some(stall),
            Outcome::Unknown { effect, message } => {
                if let Some(entry) = effect.and_then(|effect| self.journal.get_mut(&effect)) {
                    entry.failures += 1;
                    entry.message = Some(message);
                }
            }
        }
    }

    /// What the provider says about the payment settles whichever payment effects are open. What it means to the order is
    /// decided later, from what is stored here.
    fn apply_payment(&mut self, view: PaymentView, now: Timestamp) {
        use EntryState::{Done, Failed, NotDone};
        use Hold as H;

        self.payment.captured = view.received;
        self.payment.hold = Some(view.hold);
        self.payment.authorized = view.capturable.max(view.received);
        self.payment.capture_before = view.capture_before;
        self.payment.action_url = view.action_url;
        self.payment.decline = view.decline;
        self.payment.known_to_undo = self.direction == Direction::Undo;

        let authorized = matches!(view.hold, H::Held | H::Taken);
        self.settle_open(
            Effect::Authorize,
            now,
            match view.hold {
                _ if authorized => Done,
                H::NotBegun => NotDone,
                H::Refused | H::Released => Failed,
                _ => EntryState::Intended,
            },
        );
        self.settle_open(
            Effect::Capture,
            now,
            match view.hold {
                H::Taken => Done,
                H::Held => NotDone,
                H::AwaitsProvider => EntryState::Intended,
                _ => Failed,
            },
        );
        self.settle_open(
            Effect::CancelPayment,
            now,
            match view.hold {
                H::Released => Done,
                H::Taken => Failed,
                H::AwaitsProvider => EntryState::Intended,
                _ => NotDone,
            },
        );
    }

    fn settle_open(&mut self, effect: Effect, now: Timestamp, state: EntryState) {
        if self.state(effect) != Some(EntryState::Intended) || state == EntryState::Intended {
            return;
        }
        // What went wrong on the way to a success is no longer news.
        let message = self.journal[&effect].message.clone().filter(|_| state != EntryState::Done);
        self.settle(effect, state, message, now);
        if state == EntryState::NotDone {
            // Proved not to have happened: the next try needs a key of its own, because the provider
            // replays what it stored under this one, errors included. Should the old call still arrive,
            // the state of the payment refuses it, or the new one.
            self.next_attempt(effect);
        }
    }

    fn apply_refund(&mut self, view: Option<RefundView>, now: Timestamp) {
        let Some(view) = view else {
            self.settle_open(Effect::Refund, now, EntryState::NotDone);
            return;
        };
        self.payment.refund = Some(view.state);
        match view.state {
            // What a failure means, the undo says.
            RefundState::Pending | RefundState::Failed => {}
            RefundState::Succeeded => {
                self.payment.refunded = view.amount;
                self.settle(Effect::Refund, EntryState::Done, None, now);
            }
            RefundState::Disputed => {
                let message =
                    "The customer disputed the charge, and the bank has taken the money back.".to_owned();
                self.settle(Effect::Refund, EntryState::Failed, message, now);
            }
        }
    }

    /// Takes over what a device said. Events are ordered by rank, not by arrival: a repeated, late or
    /// overtaken one changes nothing. One that answers no command of this order is ignored.
    pub fn apply_event(&mut self, event: &DeviceEvent) {
        if event.seq == 0 || event.seq > self.seq {
            return;
        }
        // What was returned already is not spent, however late the word comes.
        let returned = self.is_done(Effect::Release);
        match event.signal {
            DeviceSignal::Kitchen(state) => {
                if self.command_seq(Effect::Prepare).is_none_or(|seq| event.seq < seq) {
                    return;
                }
                let began = matches!(state, KitchenState::Preparing | KitchenState::Ready);
                self.stock_spent |= began && !returned;
                if advance(&mut self.kitchen, state, event) {
                    self.settle_open(Effect::Prepare, event.at, EntryState::Done);
                }
            }
            DeviceSignal::KitchenRecalled(agreed) => {
                if self.command_seq(Effect::RecallKitchen) == Some(event.seq) {
                    // A kitchen that will not stop has begun, though its `preparing` may come later.
                    self.stock_spent |= !agreed && !returned;
                    self.kitchen.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallKitchen, event.at, EntryState::Done);
                }
            }
            DeviceSignal::Courier(state) => {
                if self.courier_is(&event.device)
                    && self.command_seq(Effect::Deliver).is_some_and(|seq| event.seq >= seq)
                    && advance(&mut self.courier, state, event)
                {
                    self.settle_open(Effect::Deliver, event.at, EntryState::Done);
                }
            }
            DeviceSignal::CourierRecalled(agreed) => {
                if self.courier_is(&event.device)
                    && self.command_seq(Effect::RecallCourier) == Some(event.seq)
                {
                    self.courier.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallCourier, event.at, EntryState::Done);
                }
            }
        }
    }

    /// The first courier to speak has the order; nobody else's word counts.
    fn courier_is(&self, device: &str) -> bool {
        self.courier.who.as_ref().is_none_or(|who| who == device)
    }

    fn command_seq(&self, effect: Effect) -> Option<u64> {
        self.journal.get(&effect).and_then(|entry| entry.seq)
    }
}

/// Advances a device when the event ranks higher than what is known.
fn advance<S: Copy + Ord>(device: &mut crate::record::Device<S>, state: S, event: &DeviceEvent) -> bool {
    if state <= device.state {
        return false;
    }
    device.state = state;
    device.who.get_or_insert_with(|| event.device.clone());
    device.heard_at = Some(event.at);
    device.reason.clone_from(&event.reason);
    true
}
