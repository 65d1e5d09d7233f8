//! `OrderClass`: which accounts, tables, topics and time-outs orders use. Written by the platform's
//! owners, never by those who order; the idea is Gateway API's `GatewayClass`.

#![allow(clippy::struct_field_names)] // The unit belongs to the name of a field that people write.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Phase;
use crate::executor::Executor;
use crate::payments::Payments;
use crate::rules::{between, fixed, fixed_optional, key_part, needed, queue_url, secret_name, table_name};

const FIXED: &str = "only timeouts, retries, suspend, maxLiveOrders and intake can; create another OrderClass for other accounts, tables or topics";

/// The phases in which payments are made, taken or undone.
pub const PAYMENT_PHASES: [Phase; 3] = [Phase::Paying, Phase::Delivering, Phase::Compensating];
/// The phases in which kitchens and couriers are told something.
pub const DEVICE_PHASES: [Phase; 3] = [Phase::Preparing, Phase::Delivering, Phase::Compensating];

/// Where the orders of this class live and whom they talk to.
///
/// Immutable but for `timeouts`, `retries`, `suspend`, `maxLiveOrders` and `intake`: what an order uses is
/// pinned in its ledger record when it is accepted, so that an undo goes where the doing went.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[kube(
    group = "comanda.dev",
    version = "v1alpha1",
    kind = "OrderClass",
    plural = "orderclasses",
    status = "OrderClassStatus",
    derive = "PartialEq",
    shortname = "ordclass",
    category = "comanda",
    doc = "Which ledger, catalogue, payment account, topics, devices and time-outs orders use.",
    printcolumn(
        name = "Installation",
        type_ = "string",
        json_path = ".spec.installation",
        description = "Part of every key in every service"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether Secrets, ledger and broker can be reached"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when the object exists"
    )
)]
#[x_kube(
    validation = fixed("installation", FIXED),
    validation = fixed_optional("aws", FIXED),
    validation = fixed("ledger", FIXED),
    validation = fixed("catalogue", FIXED),
    validation = fixed("notifications", FIXED),
    validation = fixed("payments", FIXED),
    validation = fixed("devices", FIXED),
    validation = fixed_optional("executor", FIXED),
    validation = fixed("validation", FIXED),
    validation = needed("payments.stripe.secretKey", &PAYMENT_PHASES),
    validation = needed("devices.certificate", &DEVICE_PHASES),
    validation = Rule::new("!has(self.intake) || has(self.intake.wakeQueueUrl) || has(self.executor) || (oldSelf.hasValue() && has(oldSelf.value().intake) && oldSelf.value().intake == self.intake)").optional_old_self(true).message("intake.wakeQueueUrl is needed where the class has no executor: name the queue by which customers cancel").field_path(".intake.wakeQueueUrl")
)]
#[serde(rename_all = "camelCase")]
pub struct OrderClassSpec {
    /// A name that is part of every key in every service, so that two installations never meet.
    #[schemars(length(max = 32))]
    #[x_kube(validation = key_part("installation"))]
    pub installation: String,
    /// Where AWS is called. Default: the operator's own region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<Aws>,
    /// The system of record.
    pub ledger: Ledger,
    /// Prices, availability and stock.
    pub catalogue: Catalogue,
    /// How customers are told.
    pub notifications: Notifications,
    /// Who is paid, and when.
    pub payments: Payments,
    /// How kitchens and couriers are reached.
    pub devices: Devices,
    /// Who carries orders. Absent: the operator itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Executor>,
    /// How strictly customers' data is checked.
    #[serde(default)]
    pub validation: Validation,
    /// How long each wait may last.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How often a failing call is tried.
    #[serde(default)]
    pub retries: Retries,
    /// Holds every order of the class before its next effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// About how many orders of this class may be under way at once; more wait in `Pending`. Absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 1").message("maxLiveOrders must be at least 1; use suspend to hold every order"))]
    pub max_live_orders: Option<i32>,
    /// Where orders come from, besides whoever creates `Order`s. Absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<Intake>,
}

impl OrderClassSpec {
    /// What an order keeps of its class: all that decides how it is carried, and undone.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { intake: None, ..self.clone() }
    }
}

/// The HTTP intake of `lambdas/template.yaml`: orders wait in its queue until the class has room for them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[x_kube(validation = Rule::new("!has(self.wakeQueueUrl) || self.wakeQueueUrl != self.queueUrl").message("intake.wakeQueueUrl must be another queue than intake.queueUrl: name the stack's WakeQueueUrl").field_path(".wakeQueueUrl"))]
#[serde(rename_all = "camelCase")]
pub struct Intake {
    /// The queue in which orders are announced. They rest there while the class has `maxLiveOrders`.
    #[schemars(length(max = 400))]
    #[x_kube(validation = queue_url("intake.queueUrl"))]
    pub queue_url: String,
    /// The queue by which customers cancel, which never waits for room. Default: `executor.stepFunctions.queueUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    #[x_kube(validation = queue_url("intake.wakeQueueUrl"))]
    pub wake_queue_url: Option<String>,
    /// The namespace in which the `Order`s are created: the intake's tenant.
    #[schemars(length(max = 63))]
    #[x_kube(validation = key_part("intake.namespace"))]
    pub namespace: String,
    /// Seconds after which the `Order` of a finished order is deleted; its ledger record stays. Default: an hour.
    #[serde(default = "an_hour")]
    #[x_kube(validation = between("intake.ttlSecondsAfterFinished", 0, 31_536_000))]
    pub ttl_seconds_after_finished: i32,
}

fn an_hour() -> i32 {
    3600
}

/// Where AWS is called.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aws {
    /// The region, such as `eu-west-1`.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]+(-[a-z0-9]+)+$')").message("region must be an AWS region, such as eu-west-1"))]
    pub region: String,
}

/// The DynamoDB table that is the system of record: string keys `pk` and `sk`, TTL on `expires`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Table name.
    #[schemars(length(max = 255))]
    #[x_kube(validation = table_name())]
    pub table: String,
    /// The key that seals customers' contact data in the ledger: 32 bytes, base64.
    pub contact_key: SecretKeyRef,
}

/// The DynamoDB table of articles: string key `pk`, which is `installation/store#sku`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Catalogue {
    /// Table name.
    #[schemars(length(max = 255))]
    #[x_kube(validation = table_name())]
    pub table: String,
}

/// The SNS topic that messages to customers are published to.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Notifications {
    /// Topic ARN.
    #[schemars(length(max = 400))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[-a-z]*:sns:[-a-z0-9]+:[0-9]{12}:[-_A-Za-z0-9]{1,256}$')").message("topicArn must be the ARN of a standard SNS topic (not FIFO), such as arn:aws:sns:eu-west-1:123456789012:orders"))]
    pub topic_arn: String,
}

/// The MQTT broker of kitchens and couriers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Devices {
    /// Broker, `host:port`; for AWS IoT Core the account's data endpoint and 8883.
    #[schemars(length(max = 260))]
    #[x_kube(validation = Rule::new("self.matches('^[-.A-Za-z0-9]+:[0-9]{1,5}$')").message("endpoint must be host:port, such as abc-ats.iot.eu-west-1.amazonaws.com:8883"))]
    pub endpoint: String,
    /// First level of every topic. With the longest names of everything else, a topic then has the 256 bytes that AWS
    /// IoT allows.
    #[schemars(length(max = 22))]
    #[x_kube(validation = Rule::new("self.matches('^[-_A-Za-z0-9]+$')").message("topicPrefix must be one topic level of letters, digits, dashes and underscores"))]
    pub topic_prefix: String,
    /// The operator's certificate: a Secret with `tls.crt`, `tls.key` and the broker's `ca.crt`. A class that delegates
    /// every phase in which devices are told something can do without: functions call the broker over HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SecretName>,
}

/// A Secret in the operator's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = secret_name("secretName"))]
    pub secret_name: String,
}

/// A key of a Secret in the operator's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = secret_name("secretName"))]
    pub secret_name: String,
    /// The key within it.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._A-Za-z0-9]+$')").message("key must be a key of the Secret: letters, digits, dots, dashes and underscores"))]
    pub key: String,
}

/// How strictly customers' data is checked.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Validation {
    /// What becomes of an order whose customer's data may be wrong: a phone number of a possible length that is in no
    /// range of its country's plan, an area the data does not know, a postal code of another area. `Accept`: it is
    /// taken, and `Validated` names the fields. `Refuse`: it is rejected. What certainly cannot be delivered or reached
    /// is rejected either way.
    #[serde(default)]
    pub doubts: Doubts,
}

/// What becomes of an order in doubt.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Doubts {
    /// It is taken, and the doubt is noted.
    #[default]
    Accept,
    /// It is rejected.
    Refuse,
}

/// How long each wait may last, in seconds, each from 1 to 86400 (a day).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// How long the kitchen may take, from the command until the food is ready.
    #[serde(default = "default_kitchen_seconds")]
    #[x_kube(validation = between("kitchenSeconds", 1, 86_400))]
    pub kitchen_seconds: i32,
    /// How long the courier may take, from the command until the delivery.
    #[serde(default = "default_courier_seconds")]
    #[x_kube(validation = between("courierSeconds", 1, 86_400))]
    pub courier_seconds: i32,
    /// How long the courier who has an order may be silent before they pick it up; then it is offered again.
    #[serde(default = "default_pickup_seconds")]
    #[x_kube(validation = between("pickupSeconds", 1, 86_400))]
    pub pickup_seconds: i32,
    /// How long a customer may take to confirm a payment (3-D Secure).
    #[serde(default = "default_customer_seconds")]
    #[x_kube(validation = between("customerSeconds", 1, 86_400))]
    pub customer_seconds: i32,
    /// How long an undo waits for a device to confirm a recall before it goes on without.
    #[serde(default = "default_recall_seconds")]
    #[x_kube(validation = between("recallSeconds", 1, 86_400))]
    pub recall_seconds: i32,
}

fn default_kitchen_seconds() -> i32 {
    2700
}
fn default_courier_seconds() -> i32 {
    3600
}
fn default_customer_seconds() -> i32 {
    900
}
fn default_pickup_seconds() -> i32 {
    600
}

fn default_recall_seconds() -> i32 {
    60
}
fn default_notification() -> i32 {
    5
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            kitchen_seconds: default_kitchen_seconds(),
            courier_seconds: default_courier_seconds(),
            customer_seconds: default_customer_seconds(),
            pickup_seconds: default_pickup_seconds(),
            recall_seconds: default_recall_seconds(),
        }
    }
}

/// How often a failing call is tried.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// Tries of a notification before the order goes on without it.
    #[serde(default = "default_notification")]
    #[x_kube(validation = between("notification", 1, 20))]
    pub notification: i32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { notification: default_notification() }
    }
}

/// What the operator found out about the class.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrderClassStatus {
    /// The generation of the spec this status speaks of.
    #[serde(default)]
    pub observed_generation: i64,
    /// `Accepted` (the operator can use it) and `Ready` (Secrets, ledger and broker are reachable).
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
