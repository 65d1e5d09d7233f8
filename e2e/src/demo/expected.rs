//! What each order of the demo must come to, written out by hand.

/// What the systems must say of one order, in the words of [`crate::evidence::Facts`].
pub struct Expected {
    pub order: &'static str,
    pub object: &'static str,
    pub ledger: &'static str,
    pub payment: &'static str,
    pub told: &'static str,
    pub commands: &'static str,
}

const NOTHING_HELD: &str = "canceled, captured 0, refunded 0";

/// Every order in `e2e/orders`.
pub const ORDERS: [Expected; 12] = [
    Expected {
        order: "madrid-dinner",
        object: "Delivered",
        ledger: "Delivered",
        payment: "succeeded, captured 3150, refunded 0",
        told: "confirmed",
        commands: "prepare, deliver, assigned",
    },
    Expected {
        order: "saopaulo-party",
        object: "Delivered",
        ledger: "Delivered",
        payment: "succeeded, captured 20400, refunded 0",
        told: "confirmed",
        commands: "prepare, deliver, assigned",
    },
    Expected {
        order: "tokyo-lunch",
        object: "Delivered",
        ledger: "Delivered",
        payment: "succeeded, captured 2400, refunded 0",
        told: "confirmed",
        commands: "prepare, deliver, assigned",
    },
    Expected {
        order: "declined-card",
        object: "Rejected",
        ledger: "Rejected",
        payment: NOTHING_HELD,
        told: "rejected",
        commands: "none",
    },
    Expected {
        order: "out-of-stock",
        object: "Rejected",
        ledger: "Rejected",
        payment: "none",
        told: "rejected",
        commands: "none",
    },
    Expected {
        order: "wrong-postal-code",
        object: "Rejected",
        ledger: "Rejected",
        payment: "none",
        told: "rejected",
        commands: "none",
    },
    Expected {
        order: "tampered-price",
        object: "Rejected",
        ledger: "Rejected",
        payment: "none",
        told: "rejected",
        commands: "none",
    },
    Expected {
        order: "kitchen-rejects",
        object: "Failed",
        ledger: "Failed",
        payment: NOTHING_HELD,
        told: "confirmed, failed",
        commands: "prepare",
    },
    Expected {
        order: "kitchen-silent",
        object: "Failed",
        ledger: "Failed",
        payment: NOTHING_HELD,
        told: "confirmed, failed",
        commands: "prepare, cancel",
    },
    Expected {
        order: "courier-fails",
        object: "Failed",
        ledger: "Failed",
        payment: "succeeded, captured 1950, refunded 1950",
        told: "confirmed, failed",
        commands: "prepare, deliver, assigned",
    },
    Expected {
        order: "cancelled-while-preparing",
        object: "Cancelled",
        ledger: "Cancelled",
        payment: NOTHING_HELD,
        told: "confirmed, cancelled",
        commands: "prepare, cancel",
    },
    Expected {
        order: "deleted-while-preparing",
        object: "gone",
        ledger: "Cancelled",
        payment: NOTHING_HELD,
        told: "confirmed, cancelled",
        commands: "prepare, cancel",
    },
];

/// Store, article, stock before and after: what was delivered is gone, and so is what a kitchen had
/// begun; everything else is back.
pub const STOCK: [(&str, &str, i64, i64); 7] = [
    // Dinner took 1; the declined one is back; the cancelled 2 had been begun.
    ("madrid", "paella", 400, 397),
    // Dinner took 2; the 3 of the failed delivery were cooked.
    ("madrid", "croquetas", 400, 395),
    ("saopaulo", "feijoada", 400, 397),
    // The party took 6; the silent kitchen's 4 are back.
    ("saopaulo", "pao-de-queijo", 400, 394),
    ("saopaulo", "guarana", 400, 397),
    // Lunch took 2; the deleted 1 had been begun.
    ("tokyo", "ramen", 400, 397),
    // The rejected 3 are back; the deleted 1 had been begun.
    ("tokyo", "gyoza", 400, 399),
];
