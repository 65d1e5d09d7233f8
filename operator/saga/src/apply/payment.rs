//! What the payment provider answered is recorded; what it means to the order, [`advance`](fn@crate::advance) says.

use jiff::Timestamp;

use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::payment::{Hold, PaymentView, RefundState, RefundView};
use crate::record::{Direction, Record};

impl Record {
    /// What the provider says about the payment settles whichever payment effects are open. What it means to the order is
    /// decided later, from what is stored here.
    pub(super) fn apply_payment(&mut self, view: PaymentView, now: Timestamp) -> Result<(), IllegalMove> {
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
}
