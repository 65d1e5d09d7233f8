//! Amounts in minor units, and how Stripe writes them.

use std::fmt;

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount in minor units of a currency: 4200 EUR is 42.00 EUR, 4200 JPY is 4200 JPY.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units by ISO 4217.
    pub minor: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// Why an amount cannot be charged.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// The code stands in no ISO 4217 table.
    #[error("{0} is not an ISO 4217 currency")]
    UnknownCurrency(String),
    /// It has more digits than any provider takes.
    #[error("{0} is more than can be charged at once")]
    TooMuch(String),
    /// The provider charges this currency in coarser steps.
    #[error(
        "{amount} cannot be charged exactly: the payment provider charges {currency} in steps of {step} minor units"
    )]
    TooFine {
        /// The amount as people write it.
        amount: String,
        /// ISO 4217 code.
        currency: String,
        /// Smallest chargeable number of minor units.
        step: i64,
    },
}

impl Money {
    /// An amount.
    pub fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_owned() }
    }

    fn exponent(&self) -> u32 {
        Currency::from_code(&self.currency).and_then(Currency::exponent).map_or(2, u32::from)
    }

    /// The amount as Stripe's API writes it. Stripe's units are ISO's, but for its documented special
    /// cases: ISK and UGX have no minor unit by ISO yet two decimals (always 00) at Stripe, MGA is the
    /// reverse, and currencies of three decimals are charged in steps of ten.
    /// Source: <https://docs.stripe.com/currencies#special-cases>, <https://docs.stripe.com/currencies#zero-decimal>.
    pub fn stripe_amount(&self) -> Result<i64, MoneyError> {
        if Currency::from_code(&self.currency).is_none() {
            return Err(MoneyError::UnknownCurrency(self.currency.clone()));
        }
        let step = match (self.currency.as_str(), self.exponent()) {
            ("ISK" | "UGX", 0) => {
                return self.minor.checked_mul(100).ok_or_else(|| MoneyError::TooMuch(self.to_string()));
            }
            ("MGA", 2) => 100,
            (_, 3) => 10,
            _ => 1,
        };
        if self.minor % step != 0 {
            return Err(MoneyError::TooFine {
                amount: self.to_string(),
                currency: self.currency.clone(),
                step,
            });
        }
        Ok(if self.currency == "MGA" { self.minor / 100 } else { self.minor })
    }

    /// The inverse of [`Money::stripe_amount`]: what Stripe's `amount` is in ISO's minor units.
    pub fn from_stripe(amount: i64, currency: &str) -> Self {
        let minor = match currency {
            "ISK" | "UGX" => amount / 100,
            "MGA" => amount * 100,
            _ => amount,
        };
        Self::new(minor, currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.exponent();
        if exponent == 0 {
            return write!(f, "{} {}", self.minor, self.currency);
        }
        let unit = 10_i64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, part) = (self.minor.abs() / unit, self.minor.abs() % unit);
        write!(f, "{sign}{whole}.{part:0width$} {}", self.currency, width = exponent as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(Money::new(4200, "BRL").to_string(), "42.00 BRL");
        assert_eq!(Money::new(5, "EUR").to_string(), "0.05 EUR");
        assert_eq!(Money::new(1800, "JPY").to_string(), "1800 JPY");
        assert_eq!(Money::new(1500, "KWD").to_string(), "1.500 KWD");
        assert_eq!(Money::new(-1250, "EUR").to_string(), "-12.50 EUR");
        assert_eq!(Money::new(0, "EUR").to_string(), "0.00 EUR");
    }

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
            assert_eq!(Money::new(minor, currency).stripe_amount(), Ok(stripe), "{currency}");
            assert_eq!(Money::from_stripe(stripe, currency).minor, minor, "{currency}");
        }
    }

    #[test]
    fn an_amount_the_provider_cannot_charge_exactly_is_refused() {
        assert!(matches!(Money::new(1501, "KWD").stripe_amount(), Err(MoneyError::TooFine { step: 10, .. })));
        assert!(matches!(
            Money::new(4250, "MGA").stripe_amount(),
            Err(MoneyError::TooFine { step: 100, .. })
        ));
        assert!(matches!(Money::new(i64::MAX / 2, "UGX").stripe_amount(), Err(MoneyError::TooMuch(_))));
        assert!(matches!(Money::new(1, "XXZ").stripe_amount(), Err(MoneyError::UnknownCurrency(_))));
    }
}
