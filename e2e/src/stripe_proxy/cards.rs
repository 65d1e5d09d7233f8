//! Stripe's test cards, which localstripe knows by number and only partly by token.
//! See <https://docs.stripe.com/testing>.

/// What happens to refunds of a card's payments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refunds {
    /// They succeed at once.
    #[default]
    Succeed,
    /// They are pending for a while, then succeed.
    Pend,
    /// They succeed at first and fail a while later.
    Fail,
    /// They are pending for a while, and then fail, as the customer disputed the charge meanwhile.
    Dispute,
}

/// Why a card is declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// Stripe's `code`.
    pub code: &'static str,
    /// Stripe's `decline_code`.
    pub reason: &'static str,
    /// What the customer is told.
    pub message: &'static str,
}

/// A test card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// A number with which localstripe behaves as Stripe does for the token.
    pub number: &'static str,
    /// How it is declined, if it is.
    pub decline: Option<Decline>,
    /// What happens to its refunds.
    pub refunds: Refunds,
    /// Its owner disputes what was taken: the bank takes it back, and nothing can be refunded.
    pub disputed: bool,
}

const APPROVED: &str = "4242424242424242";
const DECLINED: &str = "4000000000000341";
const AUTHENTICATED: &str = "4000000000003220";
const AUTHENTICATED_DECLINED: &str = "4000008400001629";

/// The type of a payment method that is no card, by tokens of the proxy's own: Stripe has none for them.
pub fn other_type(token: &str) -> Option<&'static str> {
    match token {
        "pm_link" => Some("link"),
        "pm_sepaDebit" => Some("sepa_debit"),
        _ => None,
    }
}

/// The card behind one of Stripe's tokens.
pub fn card(token: &str) -> Option<Card> {
    let approved = Card { number: APPROVED, decline: None, refunds: Refunds::Succeed, disputed: false };
    let declined = |code, reason, message| Card {
        number: DECLINED,
        decline: Some(Decline { code, reason, message }),
        ..approved
    };
    Some(match token {
        "pm_card_visa" | "pm_card_visa_debit" | "pm_card_mastercard" | "pm_card_amex" | "pm_card_br" => {
            approved
        }
        // A token of the proxy's own: Stripe has none for it.
        "pm_card_pendingRefundDisputed" => Card { refunds: Refunds::Dispute, ..approved },
        "pm_card_pendingRefund" => Card { refunds: Refunds::Pend, ..approved },
        "pm_card_createDispute" => Card { disputed: true, ..approved },
        "pm_card_refundFail" => Card { refunds: Refunds::Fail, ..approved },
        "pm_card_threeDSecure2Required"
        | "pm_card_threeDSecureRequired"
        | "pm_card_authenticationRequired" => Card { number: AUTHENTICATED, ..approved },
        "pm_card_threeDSecureRequiredChargeDeclined" => {
            let decline = declined("card_declined", "generic_decline", "Your card was declined.");
            Card { number: AUTHENTICATED_DECLINED, ..decline }
        }
        "pm_card_visa_chargeDeclined" | "pm_card_chargeCustomerFail" => {
            declined("card_declined", "generic_decline", "Your card was declined.")
        }
        "pm_card_visa_chargeDeclinedInsufficientFunds" => {
            declined("card_declined", "insufficient_funds", "Your card has insufficient funds.")
        }
        "pm_card_visa_chargeDeclinedLostCard" => {
            declined("card_declined", "lost_card", "Your card was declined.")
        }
        "pm_card_visa_chargeDeclinedStolenCard" => {
            declined("card_declined", "stolen_card", "Your card was declined.")
        }
        "pm_card_chargeDeclinedExpiredCard" => {
            declined("expired_card", "expired_card", "Your card has expired.")
        }
        "pm_card_chargeDeclinedIncorrectCvc" => {
            declined("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
        }
        "pm_card_chargeDeclinedProcessingError" => declined(
            "processing_error",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
        _ => return None,
    })
}
