//! What is known of a customer.

use comanda_crds::Address;
use serde::{Deserialize, Serialize};

/// A customer's data in its normal form. It is personal data, and is stored sealed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub(crate) name: String,
    /// E.164, where the number can be read.
    pub(crate) phone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phone_extension: Option<String>,
    pub(crate) email: String,
    pub(crate) locale: String,
    pub(crate) address: Address,
}
