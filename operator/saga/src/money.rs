//! Amounts in minor units, and how people write them.

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

impl Money {
    /// An amount.
    pub fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_owned() }
    }

    /// Decimals of the currency; none for a code that stands in no ISO 4217 table.
    pub fn decimals(&self) -> Option<u32> {
        Currency::from_code(&self.currency).map(|currency| currency.exponent().map_or(2, u32::from))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.decimals().unwrap_or(2);
        if decimals == 0 {
            return write!(f, "{} {}", self.minor, self.currency);
        }
        let unit = 10_i64.pow(decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, part) = (self.minor.abs() / unit, self.minor.abs() % unit);
        write!(f, "{sign}{whole}.{part:0width$} {}", self.currency, width = decimals as usize)
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
        assert_eq!(Money::new(150, "XXZ").to_string(), "1.50 XXZ");
    }

    #[test]
    fn a_currency_has_its_decimals_by_iso_and_an_unknown_one_none() {
        for (currency, decimals) in
            [("EUR", Some(2)), ("JPY", Some(0)), ("KWD", Some(3)), ("XAU", Some(2)), ("XXZ", None)]
        {
            assert_eq!(Money::new(1, currency).decimals(), decimals, "{currency}");
        }
    }
}
