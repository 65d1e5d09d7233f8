//! The status update: what dashboards, support tools and sweeps may read of an order without knowing
//! the record. It is written with the record, so it costs no call and is never out of step.

use comanda_saga::Record;
use jiff::Timestamp;
use serde::Serialize;

/// The public attributes of an order's ledger item. No personal data.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Where the order is.
    pub phase: &'static str,
    /// Why it is undone, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// Nothing more will happen: what a sweep for open orders filters on.
    pub finished: bool,
    /// What it costs, in minor units; absent until it is validated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// ISO 4217 code.
    pub currency: String,
    /// When this version was written.
    pub updated: Timestamp,
}

/// What the public may know of a record written at `now`.
pub fn of(record: &Record, now: Timestamp) -> Projection {
    Projection {
        phase: record.phase.name(),
        cause: record.fault.as_ref().map(|fault| fault.cause.name()),
        finished: record.phase.is_final(),
        total: record.total,
        currency: record.terms.currency.clone(),
        updated: now,
    }
}

#[cfg(test)]
mod tests {
    use comanda_saga::{Cause, Phase};

    use super::*;
    use crate::fixtures::record;

    #[test]
    fn the_projection_says_where_the_order_is_and_why() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let mut record = record();
        record.total = Some(1900);
        record.raise(Cause::KitchenRejected, "No oven.");
        record.phase = Phase::Failed;
        assert_eq!(
            serde_json::to_value(of(&record, now)).expect("JSON"),
            serde_json::json!({
                "phase": "Failed",
                "cause": "KitchenRejected",
                "finished": true,
                "total": 1900,
                "currency": "EUR",
                "updated": "2026-03-01T12:00:00Z",
            })
        );
    }
}
