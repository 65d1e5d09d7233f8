//! Amounts as Stripe writes them: ISO 4217 minor units, but for its documented special cases.
//!
//! ISK and UGX have no minor unit by ISO yet two decimals (always 00) at Stripe, MGA is the reverse, and currencies of
//! three decimals are charged in steps of ten.
//! Source: <https://docs.stripe.com/currencies#special-cases>, <https://docs.stripe.com/currencies#zero-decimal>.

use comanda_saga::Money;

/// Stripe takes at most twelve digits of a card, whatever the currency; what a card's network takes may be less, and is
/// Stripe's to say. Source: <https://docs.stripe.com/currencies#maximum-charge-amounts>, as of 2026-11-27.
const LARGEST: i64 = 999_999_999_999;

/// Why an amount cannot be charged.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub(super) enum AmountError {
    /// The code stands in no ISO 4217 table.
    #[error("{0} is not an ISO 4217 currency")]
    UnknownCurrency(String),
    /// It has more digits than Stripe takes.
    #[error("{amount} is more than can be charged at once ({largest})")]
    TooMuch {
        /// The amount.
        amount: Money,
        /// The most that can be charged.
        largest: Money,
    },
    /// Stripe charges this currency in coarser steps.
    #[error(
        "{amount} cannot be charged exactly: the payment provider charges {} in steps of {step} minor units",
        .amount.currency
    )]
    TooFine {
        /// The amount.
        amount: Money,
        /// Smallest chargeable number of minor units.
        step: i64,
    },
}

/// The amount as Stripe's API writes it.
pub(super) fn written(amount: &Money) -> Result<i64, AmountError> {
    let Money { minor, currency } = amount;
    let Some(decimals) = amount.decimals() else {
        return Err(AmountError::UnknownCurrency(currency.clone()));
    };
    let (times, step) = match (currency.as_str(), decimals) {
        ("ISK" | "UGX", 0) => (100, 1),
        ("MGA", 2) => (1, 100),
        (_, 3) => (1, 10),
        _ => (1, 1),
    };
    if minor % step != 0 {
        return Err(AmountError::TooFine { amount: amount.clone(), step });
    }
    let units = if currency == "MGA" { minor / step } else { *minor };
    units.checked_mul(times).filter(|units| *units <= LARGEST).ok_or_else(|| AmountError::TooMuch {
        amount: amount.clone(),
        largest: Money::new(read(LARGEST, currency), currency),
    })
}

/// The inverse of [`written`]: what Stripe's `amount` is in ISO's minor units.
pub(super) fn read(amount: i64, currency: &str) -> i64 {
    match currency.to_uppercase().as_str() {
        "ISK" | "UGX" => amount / 100,
        "MGA" => amount * 100,
        _ => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_special_cases_go_there_and_back() {
        for (minor, currency, stripe) in [
            (4200, "EUR", 4200),
            (900, "JPY", 900),
            (500, "ISK", 50_000),
            (500, "UGX", 50_000),
            (4200, "MGA", 42),
            (1500, "KWD", 1500),
        ] {
            assert_eq!(written(&Money::new(minor, currency)), Ok(stripe), "{currency}");
            assert_eq!(read(stripe, &currency.to_lowercase()), minor, "{currency}");
        }
    }

    #[test]
    fn everyday_amounts_in_currencies_of_many_digits_can_be_charged() {
        // A party's dinner, a week's lunches and a wedding: all have more than eight digits in minor units.
        for (minor, currency) in
            [(150_000_000, "IDR"), (120_000_000, "COP"), (100_000_000, "HUF"), (200_000_000, "INR")]
        {
            assert_eq!(written(&Money::new(minor, currency)), Ok(minor));
        }
    }

    #[test]
    fn the_largest_charge_has_twelve_digits_as_stripe_writes_it() {
        for (minor, currency) in
            [(999_999_999_999, "EUR"), (9_999_999_999, "ISK"), (99_999_999_999_900, "MGA")]
        {
            assert!(written(&Money::new(minor, currency)).is_ok(), "{currency}");
            for more in [minor + 100, i64::MAX / 100 * 100] {
                let too_much = written(&Money::new(more, currency));
                let largest = Money::new(minor, currency);
                let amount = Money::new(more, currency);
                assert_eq!(too_much, Err(AmountError::TooMuch { amount, largest }), "{currency}");
            }
        }
    }

    #[test]
    fn an_amount_that_cannot_be_charged_is_refused_with_a_sentence() {
        for (minor, currency, sentence) in [
            (
                1501,
                "KWD",
                "1.501 KWD cannot be charged exactly: the payment provider charges KWD in steps of 10 minor units",
            ),
            (
                4250,
                "MGA",
                "42.50 MGA cannot be charged exactly: the payment provider charges MGA in steps of 100 minor units",
            ),
            (
                1_000_000_000_000,
                "EUR",
                "10000000000.00 EUR is more than can be charged at once (9999999999.99 EUR)",
            ),
            (1, "XXZ", "XXZ is not an ISO 4217 currency"),
        ] {
            let refusal = written(&Money::new(minor, currency)).expect_err(currency);
            assert_eq!(refusal.to_string(), sentence);
        }
    }
}
