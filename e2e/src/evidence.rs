//! What became of orders, read from the systems themselves and never from the operator.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use comanda_crds::Order;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use crate::installation::{INSTALLATION, Installation};
use crate::stack::simulators::Simulator;

/// What the systems say of one order, each in words that compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Phase of the object in the API server, or `gone`.
    pub object: String,
    /// Phase in the ledger, or `none`.
    pub ledger: String,
    /// The payment: `none`, or state, captured and refunded of every intent made for it.
    pub payment: String,
    /// Kinds of the messages to the customer, each notification id counted once.
    pub told: String,
    /// Commands that devices acted on.
    pub commands: String,
}

impl Facts {
    /// Without the intents that were never confirmed: a creation whose answer was lost again and again is given
    /// up, and what it made holds no money and never will.
    #[must_use]
    pub fn without_unconfirmed(self) -> Self {
        let unconfirmed = "requires_confirmation, captured 0, refunded 0";
        let intents: Vec<&str> = self.payment.split("; ").filter(|intent| *intent != unconfirmed).collect();
        Self { payment: intents.join("; "), ..self }
    }
}

/// A reader of all systems.
pub struct Witness<'a> {
    installation: &'a Installation,
    namespace: String,
    devices: Vec<&'a Simulator>,
}

/// What all systems say of the orders of one namespace, at one time.
pub struct Snapshot {
    namespace: String,
    objects: BTreeMap<String, Order>,
    ledger: BTreeMap<String, Value>,
    /// Every intent made for an order.
    intents: BTreeMap<String, Vec<Value>>,
    /// The refunds of an intent.
    refunds: BTreeMap<String, Vec<Value>>,
    /// Every message about an order, repeated ones too.
    messages: BTreeMap<String, Vec<Value>>,
    /// Everything that devices received or said about an order.
    journal: BTreeMap<String, Vec<Value>>,
}

impl<'a> Witness<'a> {
    /// A witness of the orders in `namespace`, who can read what these devices logged.
    pub fn new(installation: &'a Installation, namespace: &str, devices: Vec<&'a Simulator>) -> Self {
        Self { installation, namespace: namespace.to_owned(), devices }
    }

    /// What became of an order.
    ///
    /// # Errors
    /// When a system cannot be read.
    pub async fn facts(&self, order_id: &str) -> Result<Facts> {
        Ok(self.snapshot().await?.facts(order_id))
    }

    /// What every system says now.
    ///
    /// # Errors
    /// When a system cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let stack = &self.installation.stack;
        let orders: Api<Order> = Api::namespaced(stack.kubernetes.client(), &self.namespace);
        let objects = orders.list(&ListParams::default()).await?.items;
        let prefix = format!("ORDER#{INSTALLATION}/{}/", self.namespace);
        let mut ledger = BTreeMap::new();
        for item in stack.aws.ledger_items().await? {
            if item["sk"] == "ORDER"
                && let Some(order) = item["pk"].as_str().and_then(|pk| pk.strip_prefix(&prefix))
            {
                ledger.insert(order.to_owned(), item);
            }
        }
        let identity = format!("{INSTALLATION}/{}/", self.namespace);
        let order_of = |intent: &Value| {
            let order = intent["metadata"]["comanda_order"].as_str()?.strip_prefix(&identity)?;
            Some(order.to_owned())
        };
        let intents = stack.stripe.list("payment_intents").await?;
        // A charge that names no order could belong to any.
        let nobodys = intents.iter().find(|intent| !intent["metadata"]["comanda_order"].is_string());
        ensure!(nobodys.is_none(), "a payment of no order: {nobodys:#?}");
        let intents = group(intents, order_of);
        let refunds = group(stack.stripe.list("refunds").await?, |refund| {
            Some(refund["payment_intent"].as_str()?.to_owned())
        });
        let messages = self.installation.notifications().await?;
        let nobodys =
            messages.iter().find(|message| !message["orderId"].is_string() || !message["tenant"].is_string());
        ensure!(nobodys.is_none(), "a message about no order: {nobodys:#?}");
        let of_namespace = |value: &Value| {
            let order = value["orderId"].as_str()?;
            (value["tenant"] == *self.namespace).then(|| order.to_owned())
        };
        let mut lines = Vec::new();
        for device in &self.devices {
            lines.extend(device.journal()?);
        }
        Ok(Snapshot {
            namespace: self.namespace.clone(),
            objects: objects.into_iter().map(|order| (order.name_any(), order)).collect(),
            ledger,
            intents,
            refunds,
            messages: group(messages, of_namespace),
            journal: group(lines, of_namespace),
        })
    }
}

fn group(values: Vec<Value>, key: impl Fn(&Value) -> Option<String>) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in values {
        if let Some(key) = key(&value) {
            groups.entry(key).or_default().push(value);
        }
    }
    groups
}

impl Snapshot {
    /// What became of an order.
    pub fn facts(&self, order_id: &str) -> Facts {
        Facts {
            object: self.object(order_id),
            ledger: self.ledger(order_id),
            payment: self.payment(order_id),
            told: self.told(order_id),
            commands: self.commands(order_id),
        }
    }

    /// The namespace all of it is about.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Everything about an order that would change if anybody did anything about it.
    pub fn trace(&self, order_id: &str) -> String {
        let object = self.objects.get(order_id).map(|order| (order.uid(), order.resource_version()));
        let version = self.ledger.get(order_id).map(|item| item["v"].to_string());
        let intents = of(&self.intents, order_id);
        let refunds: Vec<_> = intents.iter().flat_map(|intent| self.refunds_of(intent)).collect();
        let (messages, lines) = (of(&self.messages, order_id).len(), of(&self.journal, order_id).len());
        format!(
            "object {object:?}, ledger version {version:?}, {} intents and {} refunds ({}), {messages} messages, \
             {lines} lines of devices",
            intents.len(),
            refunds.len(),
            self.payment(order_id),
        )
    }

    /// Captured less refunded, of every intent made for the order, in minor units.
    pub fn charged(&self, order_id: &str) -> i64 {
        let of_intent =
            |intent: &Value| intent["amount_received"].as_i64().unwrap_or_default() - self.refunded(intent);
        of(&self.intents, order_id).iter().map(of_intent).sum()
    }

    /// How many intents took money, whether or not it was paid back.
    pub fn captures(&self, order_id: &str) -> usize {
        let captured = |intent: &&Value| intent["amount_received"].as_i64().unwrap_or_default() > 0;
        of(&self.intents, order_id).iter().filter(captured).count()
    }

    /// The notification ids of each kind of message that the customer got.
    pub fn notification_ids(&self, order_id: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in of(&self.messages, order_id) {
            let text = |value: &Value| value.as_str().unwrap_or("unreadable").to_owned();
            kinds.entry(text(&message["kind"])).or_default().insert(text(&message["notificationId"]));
        }
        kinds
    }

    /// Every message about the order to its customer, repeated ones too.
    pub fn messages(&self, order_id: &str) -> &[Value] {
        of(&self.messages, order_id)
    }

    /// Everything that devices received or said about the order.
    pub fn journal(&self, order_id: &str) -> &[Value] {
        of(&self.journal, order_id)
    }

    /// The record in the ledger.
    pub fn record(&self, order_id: &str) -> Option<&Value> {
        self.ledger.get(order_id).map(|item| &item["record"])
    }

    /// The object in the API server.
    pub fn order(&self, order_id: &str) -> Option<&Order> {
        self.objects.get(order_id)
    }

    fn object(&self, order_id: &str) -> String {
        let phase = |order: &Order| {
            order.status.as_ref().map(|status| status.phase).unwrap_or_default().name().to_owned()
        };
        self.objects.get(order_id).map_or_else(|| "gone".to_owned(), phase)
    }

    fn ledger(&self, order_id: &str) -> String {
        let item = self.ledger.get(order_id);
        item.map_or("none", |item| item["phase"].as_str().unwrap_or("unreadable")).to_owned()
    }

    /// Every payment intent made for the order. There is one, unless the answer to the first creation was
    /// lost for so long that its key was given up; Stripe takes the money of one at most once.
    fn payment(&self, order_id: &str) -> String {
        let line = |intent: &Value| {
            let (state, captured) = (intent["status"].as_str(), &intent["amount_received"]);
            let refunded = self.refunded(intent);
            format!("{}, captured {captured}, refunded {refunded}", state.unwrap_or("unreadable"))
        };
        let found: Vec<String> = of(&self.intents, order_id).iter().map(line).collect();
        if found.is_empty() { "none".to_owned() } else { found.join("; ") }
    }

    fn refunds_of(&self, intent: &Value) -> &[Value] {
        intent["id"].as_str().map(|id| of(&self.refunds, id)).unwrap_or_default()
    }

    fn refunded(&self, intent: &Value) -> i64 {
        let succeeded = self.refunds_of(intent).iter().filter(|refund| refund["status"] == "succeeded");
        succeeded.filter_map(|refund| refund["amount"].as_i64()).sum()
    }

    fn told(&self, order_id: &str) -> String {
        let ids = self.notification_ids(order_id);
        let mut kinds: Vec<&str> =
            ids.iter().flat_map(|(kind, ids)| std::iter::repeat_n(kind.as_str(), ids.len())).collect();
        // In the order of a saga: confirmed comes before any ending.
        kinds.sort_by_key(|kind| *kind != "confirmed");
        if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") }
    }

    /// Commands as devices acted on them, repeated and overtaken ones left out, and what other couriers are told.
    fn commands(&self, order_id: &str) -> String {
        let told = |line: &Value| line["command"]["command"] == "taken";
        let acted = |line: &&Value| line["kind"] == "command" && line["verdict"] == "new" && !told(line);
        let name = |line: &Value| line["command"]["command"].as_str().unwrap_or("unreadable").to_owned();
        let commands: Vec<String> = of(&self.journal, order_id).iter().filter(acted).map(name).collect();
        if commands.is_empty() { "none".to_owned() } else { commands.join(", ") }
    }
}

fn of<'a>(groups: &'a BTreeMap<String, Vec<Value>>, key: &str) -> &'a [Value] {
    groups.get(key).map(Vec::as_slice).unwrap_or_default()
}
