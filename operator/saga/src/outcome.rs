//! What the world answered, and what it does to the record.

use comanda_crds::{Cause, Phase, Reason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::money::Money;
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
    /// The unconfirmed payment intent exists.
    IntentCreated {
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

/// A payment intent, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentView {
    /// The provider's id.
    pub id: String,
    /// Its state.
    pub state: IntentState,
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

/// States of a payment intent. Source: <https://docs.stripe.com/payments/paymentintents/lifecycle>.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntentState {
    /// Made, not confirmed.
    RequiresConfirmation,
    /// Declined, or never given a method.
    RequiresPaymentMethod,
    /// The customer must act.
    RequiresAction,
    /// The provider works on it.
    Processing,
    /// The amount is held.
    RequiresCapture,
    /// The amount is taken.
    Succeeded,
    /// Cancelled or expired: nothing is held.
    Canceled,
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
                if self.state(Effect::CreateIntent) == Some(EntryState::Intended) {
                    self.settle(Effect::CreateIntent, EntryState::Failed, fault.message.clone(), now);
                }
                self.raise(fault.cause, fault.message);
            }
            Outcome::IntentCreated { id } => {
                self.payment.intent_id = Some(id);
                self.payment.state = Some(IntentState::RequiresConfirmation);
                self.settle(Effect::CreateIntent, EntryState::Done, None, now);
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

    /// What the provider says about the payment settles whichever payment effects are open.
    fn apply_payment(&mut self, view: PaymentView, now: Timestamp) {
        use EntryState::{Done, Failed, NotDone};
        use IntentState as S;

        let captured = std::mem::replace(&mut self.payment.captured, view.received);
        self.payment.state = Some(view.state);
        self.payment.authorized = view.capturable.max(view.received);
        self.payment.capture_before = view.capture_before;
        self.payment.action_url = view.action_url;
        self.payment.known_to_undo = self.direction == Direction::Undo;

        let authorized = matches!(view.state, S::RequiresCapture | S::Succeeded);
        self.settle_open(
            Effect::Authorize,
            now,
            match view.state {
                _ if authorized => Done,
                S::RequiresConfirmation => NotDone,
                S::RequiresPaymentMethod | S::Canceled => Failed,
                _ => EntryState::Intended,
            },
        );
        self.settle_open(
            Effect::Capture,
            now,
            match view.state {
                S::Succeeded => Done,
                S::RequiresCapture => NotDone,
                S::Processing => EntryState::Intended,
                _ => Failed,
            },
        );
        self.settle_open(
            Effect::CancelIntent,
            now,
            match view.state {
                S::Canceled => Done,
                S::Succeeded => Failed,
                S::Processing => EntryState::Intended,
                _ => NotDone,
            },
        );

        let captured_before = self.is_done(Effect::Capture);
        match view.state {
            S::Succeeded if self.direction == Direction::Forward && view.received != captured => {
                self.check_captured();
            }
            S::RequiresPaymentMethod => {
                let why = view.decline.unwrap_or_else(|| "no reason given".to_owned());
                self.raise(Cause::PaymentDeclined, format!("The payment was declined: {why}"));
            }
            S::Canceled if !captured_before => self.raise(
                Cause::CaptureFailed,
                "The payment provider let the held amount go before it was captured.",
            ),
            _ => {}
        }
    }

    /// Somebody else may have captured a part of the amount: what the rest is to come to, no rule here can say.
    fn check_captured(&mut self) {
        let Some(total) = self.total().filter(|total| total.minor != self.payment.captured) else { return };
        let captured = Money::new(self.payment.captured, &self.terms.currency);
        self.stall = Some(Stall::new(
            Reason::PaymentUnexpected,
            format!(
                "{captured} of {total} were captured, and not by this operator. Settle the difference with the \
                 customer, then set the annotation comanda.dev/retry to a fresh value to go on; with spec.cancel as \
                 well, to undo the order."
            ),
        ));
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
            RefundState::Pending => {}
            RefundState::Succeeded => {
                self.payment.refunded = view.amount;
                self.settle(Effect::Refund, EntryState::Done, None, now);
            }
            RefundState::Disputed => {
                let message =
                    "The customer disputed the charge, and the bank has taken the money back.".to_owned();
                self.settle(Effect::Refund, EntryState::Failed, message, now);
            }
            RefundState::Failed => {
                self.stall = Some(Stall::new(
                    Reason::RefundFailed,
                    "The payment provider could not pay the amount back. Refund the customer by another way and set \
                     the annotation comanda.dev/abandon, or set comanda.dev/retry to a fresh value to try again.",
                ));
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
