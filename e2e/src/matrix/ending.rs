//! The orders of the matrix: one kind for each way an order can end.

use comanda_crds::{Item, OrderSpec, Payment, Phase};
use strum::{EnumIter, IntoStaticStr};

use crate::evidence::Facts;
use crate::stack::aws::CatalogueItem;
use crate::world;

/// The class of the matrix's orders.
pub const CLASS: &str = "matrix";
/// Their store, with one article for each ending.
pub const STORE: &str = "matrix";
/// What one of any article costs, in minor units.
pub const PRICE: i64 = 1250;
/// More than any run sells.
pub const STOCK: i64 = 1_000_000;

/// How an order ends, faults or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Ending {
    /// Delivered.
    Delivered,
    /// Rejected, as the card is declined.
    Declined,
    /// Failed by the kitchen, which rejects it.
    Kitchen,
    /// Failed by the courier, after pick-up.
    Courier,
    /// Cancelled before the kitchen began.
    Cancelled,
    /// Deleted before the kitchen began.
    Deleted,
    /// Cancelled when the food is ready and no courier has it yet.
    Recalled,
}

/// What a person does to an order on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// Asks for its cancellation.
    Cancel,
    /// Deletes the object.
    Delete,
}

impl Ending {
    /// The name; each order's begins with it, and so devices know what to do.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The rules by which the simulated kitchen makes orders end like this.
    pub const KITCHEN: [&str; 3] = ["kitchen-*=reject", "cancelled-*=slow:600000", "deleted-*=slow:600000"];
    /// The courier's.
    pub const COURIER: [&str; 2] = ["courier-*=fail-after-pickup", "recalled-*=slow:600000"];

    /// What a person does, and in which phase of the order.
    pub const fn intervention(self) -> Option<(Phase, Intervention)> {
        match self {
            Self::Cancelled => Some((Phase::Preparing, Intervention::Cancel)),
            Self::Deleted => Some((Phase::Preparing, Intervention::Delete)),
            Self::Recalled => Some((Phase::Delivering, Intervention::Cancel)),
            _ => None,
        }
    }

    /// What the systems must say in the end, written by hand.
    pub fn facts(self) -> Facts {
        let (object, ledger, payment, told, commands) = match self {
            Self::Delivered => (
                "Delivered",
                "Delivered",
                "succeeded, captured 1250, refunded 0",
                "confirmed",
                "prepare, deliver, assigned",
            ),
            Self::Declined => {
                ("Rejected", "Rejected", "canceled, captured 0, refunded 0", "rejected", "none")
            }
            Self::Kitchen => {
                ("Failed", "Failed", "canceled, captured 0, refunded 0", "confirmed, failed", "prepare")
            }
            Self::Courier => (
                "Failed",
                "Failed",
                "succeeded, captured 1250, refunded 1250",
                "confirmed, failed",
                "prepare, deliver, assigned",
            ),
            Self::Cancelled => (
                "Cancelled",
                "Cancelled",
                "canceled, captured 0, refunded 0",
                "confirmed, cancelled",
                "prepare, cancel",
            ),
            Self::Deleted => (
                "gone",
                "Cancelled",
                "canceled, captured 0, refunded 0",
                "confirmed, cancelled",
                "prepare, cancel",
            ),
            Self::Recalled => (
                "Cancelled",
                "Cancelled",
                "succeeded, captured 1250, refunded 1250",
                "confirmed, cancelled",
                "prepare, deliver, cancel",
            ),
        };
        let [object, ledger, payment, told, commands] =
            [object, ledger, payment, told, commands].map(str::to_owned);
        Facts { object, ledger, payment, told, commands }
    }

    /// What is charged in the end.
    pub const fn charge(self) -> i64 {
        match self {
            Self::Delivered => PRICE,
            _ => 0,
        }
    }

    /// How many of its article are gone in the end: delivered, or cooked in vain.
    pub const fn consumed(self) -> i64 {
        match self {
            Self::Delivered | Self::Courier | Self::Recalled => 1,
            Self::Declined | Self::Kitchen | Self::Cancelled | Self::Deleted => 0,
        }
    }

    /// The article that only orders of this ending take.
    pub fn article(self) -> CatalogueItem {
        CatalogueItem {
            store: STORE.to_owned(),
            sku: self.name().to_owned(),
            name: self.name().to_owned(),
            price: PRICE,
            currency: "EUR".to_owned(),
            stock: STOCK,
            available: true,
        }
    }

    /// An order that ends like this.
    pub fn spec(self) -> OrderSpec {
        let card = match self {
            Self::Declined => "pm_card_visa_chargeDeclined",
            _ => "pm_card_visa",
        };
        OrderSpec {
            class_name: CLASS.to_owned(),
            store: STORE.to_owned(),
            items: vec![Item { sku: self.name().to_owned(), quantity: 1, unit_price: None }],
            payment: Payment { payment_method: card.to_owned(), customer: None },
            ..world::paella()
        }
    }
}
