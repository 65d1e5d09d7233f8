//! What the payment provider answered is recorded; what it means to the order, [`advance`](fn@crate::advance) says.

use comanda_crds::Phase;
use jiff::Timestamp;

use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::payment::{Hold, PaymentView, RefundState, RefundView, Surprise};
use crate::record::{Direction, Record};

impl Record {
    /// What the provider says about the payment settles whichever payment effects are open. What it means to the order is
    /// decided later, from what is stored here.
    pub(super) fn apply_payment(&mut self, view: PaymentView, now: Timestamp) -> Result<(), IllegalMove> {
        use EntryState::{Done, Failed, NotDone};
        use Hold as H;

        let holds = |hold| matches!(hold, H::Held | H::Taken);
        let over = self.phase.is_final() && self.phase != Phase::Delivered;
        if over && holds(view.hold) && !self.payment.hold.is_some_and(holds) {
            self.payment.surprises.insert(Surprise::Held);
        }
        if view.disputed && !self.payment.disputed {
            self.payment.surprises.insert(Surprise::Disputed);
        }
        // What is disputed once stays so: whether the dispute is won or lost, a person hears from the provider.
        self.payment.disputed |= view.disputed;
        self.payment.captured = view.received;
        self.payment.hold = Some(view.hold);
        self.payment.authorized = view.capturable.max(view.received);
        self.payment.capture_before = view.capture_before;
        self.payment.action_url = view.action_url;
        self.payment.decline = view.decline;
        self.payment.known_to_undo = self.direction == Direction::Undo;

        let authorized = holds(view.hold);
        self.settle_open(
            Effect::Authorize,
            now,
            match view.hold {
                _ if authorized => Done,
                H::NotBegun => NotDone,
                H::Refused | H::Released => Failed,
                _ => EntryState::Intended,
            },
        )?;
        self.settle_open(
            Effect::Capture,
            now,
            match view.hold {
                H::Taken => Done,
                H::Held => NotDone,
                H::AwaitsProvider => EntryState::Intended,
                _ => Failed,
            },
        )?;
        self.settle_open(
            Effect::CancelPayment,
            now,
            match view.hold {
                H::Released => Done,
                H::Taken => Failed,
                H::AwaitsProvider => EntryState::Intended,
                _ => NotDone,
            },
        )
    }

    pub(super) fn apply_refund(
        &mut self,
        view: Option<RefundView>,
        now: Timestamp,
    ) -> Result<(), IllegalMove> {
        let Some(view) = view else {
            return self.settle_open(Effect::Refund, now, EntryState::NotDone);
        };
        if self.is_done(Effect::Refund) {
            return self.apply_late_refund(view.state, now);
        }
        self.payment.refund = Some(view.state);
        match view.state {
            // What a failure means, the undo says.
            RefundState::Pending | RefundState::Failed => Ok(()),
            RefundState::Succeeded => {
                self.payment.refunded = view.amount;
                self.settle(Effect::Refund, EntryState::Done, None, now)
            }
            RefundState::Disputed => {
                let message =
                    "The customer disputed the charge, and the bank has taken the money back.".to_owned();
                self.settle(Effect::Refund, EntryState::Failed, message, now)
            }
        }
    }

    /// A refund that was paid can come back for up to 30 days, as the customer's account is closed.
    /// Source: <https://docs.stripe.com/refunds#failed-refunds>.
    fn apply_late_refund(&mut self, state: RefundState, now: Timestamp) -> Result<(), IllegalMove> {
        let surprise = match state {
            RefundState::Failed => Surprise::RefundFailed,
            RefundState::Disputed => Surprise::Disputed,
            RefundState::Pending | RefundState::Succeeded => return Ok(()),
        };
        (self.payment.refund, self.payment.refunded) = (Some(state), 0);
        // An order that is still being undone hears of it from its undo.
        if self.phase.is_final() {
            self.payment.surprises.insert(surprise);
        }
        let message = "The refund was made, and the customer's bank sent it back.".to_owned();
        self.settle(Effect::Refund, EntryState::Failed, message, now)
    }
}
