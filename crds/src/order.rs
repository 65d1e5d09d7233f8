//! `Order`: what a customer asked for. Every field but three is fixed once it is written.

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::OrderStatus;
use crate::rules::{between, fixed, fixed_optional, key_part, secret_name, set_once};

/// ISO 4217 codes in use, funds and metals left out; the list stands in a CEL rule, so an unknown
/// currency is refused by the API server. Source: ISO 4217 list one, January 2026.
const CURRENCY_RULE: &str = "self in ['AED','AFN','ALL','AMD','AOA','ARS','AUD','AWG','AZN','BAM','BBD','BDT','BHD','BIF','BMD','BND','BOB','BRL','BSD','BTN','BWP','BYN','BZD','CAD','CDF','CHF','CLP','CNY','COP','CRC','CUP','CVE','CZK','DJF','DKK','DOP','DZD','EGP','ERN','ETB','EUR','FJD','FKP','GBP','GEL','GHS','GIP','GMD','GNF','GTQ','GYD','HKD','HNL','HTG','HUF','IDR','ILS','INR','IQD','IRR','ISK','JMD','JOD','JPY','KES','KGS','KHR','KMF','KPW','KRW','KWD','KYD','KZT','LAK','LBP','LKR','LRD','LSL','LYD','MAD','MDL','MGA','MKD','MMK','MNT','MOP','MRU','MUR','MVR','MWK','MXN','MYR','MZN','NAD','NGN','NIO','NOK','NPR','NZD','OMR','PAB','PEN','PGK','PHP','PKR','PLN','PYG','QAR','RON','RSD','RUB','RWF','SAR','SBD','SCR','SDG','SEK','SGD','SHP','SLE','SOS','SRD','SSP','STN','SVC','SYP','SZL','THB','TJS','TMT','TND','TOP','TRY','TTD','TWD','TZS','UAH','UGX','USD','UYU','UZS','VED','VES','VND','VUV','WST','XAF','XCD','XCG','XOF','XPF','YER','ZAR','ZMW','ZWG']";

/// The name is judged at creation only: it cannot change later, and `orderId` cannot be removed.
const NAME_RULE: &str = "oldSelf.hasValue() || has(self.spec.orderId) || (self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))";

/// Twelve digits or more, whatever stands between them: no token of a provider looks like that. Written
/// without quotes in YAML, a card number is an integer, hence `string()`.
const IS_CARD_NUMBER: &str = "string(self.paymentMethod).matches('[0-9]([-_./ ]*[0-9]){11}')";

/// What a customer ordered, from which store, and how it is paid.
///
/// Everything but `cancel`, `suspend` and `ttlSecondsAfterFinished` is immutable: an order is a
/// promise about money and food. To change one, cancel it and create another.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "comanda.dev",
    version = "v1alpha1",
    kind = "Order",
    namespaced,
    status = "OrderStatus",
    derive = "PartialEq",
    shortname = "ord",
    category = "comanda",
    doc = "A food-delivery order, carried through validation, payment, notification, preparation and delivery, and undone when a step fails.",
    selectable = ".spec.orderId",
    selectable = ".status.phase",
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where the order is, or how it ended"
    ),
    printcolumn(
        name = "Total",
        type_ = "string",
        json_path = ".status.total",
        description = "What the customer pays"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.reason",
        description = "Why the order is where it is"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when the object exists"
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        description = "The order's OrderClass",
        priority = 1
    ),
    printcolumn(
        name = "Store",
        type_ = "string",
        json_path = ".spec.store",
        description = "Whose kitchen prepares it",
        priority = 1
    ),
    printcolumn(
        name = "Step",
        type_ = "string",
        json_path = ".status.steps[-1:].name",
        description = "The last step forward that was begun",
        priority = 1
    ),
    printcolumn(
        name = "Waiting",
        type_ = "string",
        json_path = ".status.waitingFor.who",
        description = "Whom the order waits for",
        priority = 1
    ),
    printcolumn(
        name = "Courier",
        type_ = "string",
        json_path = ".status.courier",
        description = "The courier's device",
        priority = 1
    ),
    printcolumn(
        name = "Payment",
        type_ = "string",
        json_path = ".status.payment.intentId",
        description = "The payment provider's id",
        priority = 1
    ),
    validation = Rule::new(NAME_RULE).optional_old_self(true).message("without spec.orderId the object's name is the order's id, so it must be at most 40 lower-case letters, digits and dashes: shorten the name or set spec.orderId")
)]
#[x_kube(
    validation = fixed_optional("orderId", "it is the order's identity in the ledger; create another Order instead"),
    validation = fixed("className", "what an order uses is fixed when it is accepted; cancel this order and create another"),
    validation = fixed("customer", "cancel this order and create another"),
    validation = fixed("store", "cancel this order and create another"),
    validation = fixed("items", "the price is agreed and the stock reserved; cancel this order and create another"),
    validation = fixed("currency", "cancel this order and create another"),
    validation = fixed_optional("total", "cancel this order and create another"),
    validation = fixed("payment", "cancel this order and create another"),
    validation = set_once("cancel", "create another Order instead")
)]
#[serde(rename_all = "camelCase")]
pub struct OrderSpec {
    /// The order's identity within its namespace: at most 40 lower-case letters, digits and dashes.
    /// Defaults to the object's name, never to its uid, so an object created again from Git or a backup
    /// is the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = key_part("orderId"))]
    pub order_id: Option<String>,

    /// The `OrderClass` that says which ledger, payment account, topics and time-outs the order uses.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.size() > 0").message("className is empty: name an OrderClass (kubectl get orderclasses)"))]
    pub class_name: String,

    /// Who ordered, and where it goes.
    pub customer: Customer,

    /// The store whose kitchen prepares the order.
    #[schemars(length(max = 40))]
    #[x_kube(validation = key_part("store"))]
    pub store: String,

    /// What was ordered: 1 to 50 lines. Lines with the same SKU count as one.
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.size() > 0").message("items is empty: name at least one {sku, quantity}"))]
    pub items: Vec<Item>,

    /// ISO 4217 code of every price in this order, in capitals.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(CURRENCY_RULE).message("currency must be an ISO 4217 code in capitals, such as EUR, BRL or JPY"))]
    pub currency: String,

    /// What the customer agreed to pay, in minor units (cents). When given, it must equal the sum by
    /// the catalogue's prices, or the order is rejected before anything is charged. The bound is the
    /// payment provider's: twelve digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 999999999999").message("total is in minor units (4200 is 42.00 EUR) and must be from 1 to 999999999999"))]
    pub total: Option<i64>,

    /// How it is paid.
    pub payment: Payment,

    /// Set once to cancel. Cancelling undoes what was done; after the courier has picked the food up
    /// it is refused, and the status says so. It cannot be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,

    /// Holds the order before its next effect, until it is false again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// Seconds after which a finished `Order` object is deleted (its ledger record stays). Absent: kept.
    /// At most 31536000, a year. Without effect on an object that Argo CD or Flux tracks, which would only create it
    /// again; the label `app.kubernetes.io/instance` counts as tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("ttlSecondsAfterFinished", 0, 31_536_000))]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// Who ordered: exactly one of the three sources.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(validation = Rule::new("[has(self.inline), has(self.secretRef), has(self.ledger)].filter(x, x).size() == 1").message("set exactly one of customer.inline, customer.secretRef and customer.ledger"))]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// The customer's data in the object itself. It is personal data, and it lands in etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Inline>,
    /// A Secret of the same namespace whose key `customer` holds the fields of `inline` as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The contact item that the HTTP intake wrote to the ledger. Keeps personal data out of etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<FromLedger>,
}

/// The customer's name, contact and address.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Inline {
    /// The name on the door.
    #[schemars(length(max = 120))]
    pub name: String,
    /// Phone number, best in international form (+34 600 000 000).
    #[schemars(length(max = 40))]
    pub phone: String,
    /// E-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// BCP 47 language tag of the messages the customer gets, such as `pt-BR`; English when not known.
    #[serde(default = "english")]
    #[schemars(length(max = 35))]
    pub locale: String,
    /// Where the order goes.
    pub address: Address,
}

fn english() -> String {
    "en".to_owned()
}

/// A postal address, by the field names of libaddressinput.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// ISO 3166-1 alpha-2 code of the country, such as `BR`.
    #[schemars(length(max = 60))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z]{2}$')").message("country must be an ISO 3166-1 code of two letters, such as BR"))]
    pub country: String,
    /// Postal code, as the country writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub postal_code: Option<String>,
    /// State, province or prefecture, by name or by the country's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub administrative_area: Option<String>,
    /// City or town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub locality: Option<String>,
    /// District or neighbourhood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub dependent_locality: Option<String>,
    /// Street, number, floor.
    #[serde(default)]
    #[schemars(length(max = 4), inner(length(max = 120)), extend("x-kubernetes-list-type" = "atomic"))]
    pub lines: Vec<String>,
}

/// A Secret of the order's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = secret_name("customer.secretRef.name"))]
    pub name: String,
}

/// Marks a customer whose data the intake wrote to the ledger.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct FromLedger {}

/// One line of the order.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The article, as the store's catalogue names it.
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$')").message("sku must be letters, digits, dots, dashes and underscores, and start and end with a letter or digit"))]
    pub sku: String,
    /// How many, 1 to 999.
    #[x_kube(validation = Rule::new("self >= 1 && self <= 999").message("quantity must be from 1 to 999; leave the line out to order none"))]
    pub quantity: i32,
    /// Price of one, in minor units (cents). When given, it must equal the catalogue's price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 999999999999").message("unitPrice is in minor units (1250 is 12.50 EUR) and must be from 0 to 999999999999"))]
    pub unit_price: Option<i64>,
}

/// How the order is paid. The rules stand on the object, whose value the API server does not echo.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new(format!("!{IS_CARD_NUMBER}")).message("paymentMethod looks like a card number, which must never be stored here: send the payment provider's token (pm_…) instead, and treat that card as disclosed"),
    validation = Rule::new(format!("string(self.paymentMethod).matches('^pm_[A-Za-z0-9_]+$') || {IS_CARD_NUMBER}")).message("paymentMethod must be the payment provider's token, which starts with pm_"),
    validation = Rule::new("!has(self.customer) || string(self.customer).matches('^cus_[A-Za-z0-9_]+$')").message("payment.customer must be the payment provider's id of the customer, which starts with cus_")
)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The provider's token of the payment method, a string (`pm_…`); never card data.
    #[schemars(schema_with = "any_scalar")]
    pub payment_method: String,
    /// The provider's customer (`cus_…`) for whom the payment method is saved; a saved card cannot be charged without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_scalar")]
    pub customer: Option<String>,
}

/// Lets a value of the wrong type reach the rules: server-side apply prints a value that contradicts the
/// schema's type, into its answer and the audit log, and a card number without quotes is an integer.
fn any_scalar(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 255})
}

/// Why an order is cancelled.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// A sentence for the people who read the order later. No personal data.
    #[schemars(length(max = 500))]
    #[x_kube(validation = Rule::new("self.size() > 0").message("cancel.reason is empty: say why, for the people who read the order later"))]
    pub reason: String,
}
