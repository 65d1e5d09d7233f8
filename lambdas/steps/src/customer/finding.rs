//! What does not hold about a customer's data, or is in doubt.

/// One thing that is wrong or doubtful about a customer's data. It never repeats what the customer wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// The field by its path in `customer`, such as `address.postalCode`.
    pub(crate) field: &'static str,
    /// A sentence that says what to write instead.
    pub(crate) message: String,
}

/// What a finding does to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It certainly cannot be delivered or reached: the order is refused.
    Refusal,
    /// It may be wrong: the order is taken and the doubt noted, or refused where the class says so.
    Doubt,
}

impl Finding {
    pub(crate) fn refusal(field: &'static str, message: impl Into<String>) -> Self {
        Self { weight: Weight::Refusal, field, message: message.into() }
    }

    pub(crate) fn doubt(field: &'static str, message: impl Into<String>) -> Self {
        Self { weight: Weight::Doubt, field, message: message.into() }
    }
}
