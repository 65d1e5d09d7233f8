//! What became of an order, read from the systems themselves and never from the operator.

use anyhow::Result;
use comanda_crds::Order;
use kube::Api;
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
    /// The payment: `none`, or state, captured, refunded and the number of captures that took effect.
    pub payment: String,
    /// Kinds of the messages to the customer, each notification id counted once.
    pub told: String,
    /// Commands that devices acted on.
    pub commands: String,
}

/// A reader of all systems.
pub struct Witness<'a> {
    installation: &'a Installation,
    namespace: String,
    devices: Vec<&'a Simulator>,
    messages: Vec<Value>,
}

impl<'a> Witness<'a> {
    /// A witness of the orders in `namespace`, who can read what these devices logged.
    pub fn new(installation: &'a Installation, namespace: &str, devices: Vec<&'a Simulator>) -> Self {
        Self { installation, namespace: namespace.to_owned(), devices, messages: Vec::new() }
    }

    /// Takes the messages to customers out of their queue; they are kept here.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn collect_messages(&mut self) -> Result<&[Value]> {
        self.messages.extend(self.installation.stack.aws.drain_notifications().await?);
        Ok(&self.messages)
    }

    /// What became of an order.
    ///
    /// # Errors
    /// When a system cannot be read.
    pub async fn facts(&self, order_id: &str) -> Result<Facts> {
        Ok(Facts {
            object: self.object(order_id).await?,
            ledger: self.ledger(order_id).await?,
            payment: self.payment(order_id).await?,
            told: self.told(order_id),
            commands: self.commands(order_id)?,
        })
    }

    fn identity(&self, order_id: &str) -> String {
        format!("{INSTALLATION}/{}/{order_id}", self.namespace)
    }

    async fn object(&self, order_id: &str) -> Result<String> {
        let orders: Api<Order> =
            Api::namespaced(self.installation.stack.kubernetes.client(), &self.namespace);
        let order = orders.get_opt(order_id).await?;
        let status = |order: Order| order.status.unwrap_or_default().phase.name().to_owned();
        Ok(order.map_or_else(|| "gone".to_owned(), status))
    }

    async fn ledger(&self, order_id: &str) -> Result<String> {
        let key = format!("ORDER#{}", self.identity(order_id));
        let items = self.installation.stack.aws.ledger_items().await?;
        let order = items.iter().find(|item| item["pk"] == *key && item["sk"] == "ORDER");
        Ok(order.map_or("none", |item| item["phase"].as_str().unwrap_or("unreadable")).to_owned())
    }

    /// Every payment intent made for the order: there should be at most one that ever held money.
    async fn payment(&self, order_id: &str) -> Result<String> {
        let stripe = &self.installation.stack.stripe;
        let identity = self.identity(order_id);
        let calls = stripe.calls().await?;
        let mut intents: Vec<&str> = calls
            .iter()
            .filter(|call| call.params.get("metadata[comanda_order]") == Some(&identity))
            .filter_map(|call| call.intent.as_deref())
            .collect();
        intents.sort_unstable();
        intents.dedup();
        let mut found = Vec::new();
        for id in intents {
            let intent = stripe.get(&format!("payment_intents/{id}")).await?;
            let refunds = stripe.get(&format!("refunds?payment_intent={id}")).await?;
            let refunded: i64 = refunds["data"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|refund| refund["status"] == "succeeded")
                .filter_map(|refund| refund["amount"].as_i64())
                .sum();
            let captures = calls
                .iter()
                .filter(|call| call.path == format!("/v1/payment_intents/{id}/capture"))
                .filter(|call| call.object_status.as_deref() == Some("succeeded") && !call.replayed)
                .count();
            found.push(format!(
                "{}, captured {} in {captures}, refunded {refunded}",
                intent["status"].as_str().unwrap_or("unreadable"),
                intent["amount_received"].as_i64().unwrap_or(0),
            ));
        }
        Ok(if found.is_empty() { "none".to_owned() } else { found.join("; ") })
    }

    fn told(&self, order_id: &str) -> String {
        let mut messages: Vec<(&str, &str)> = self
            .messages
            .iter()
            .filter(|message| message["orderId"] == order_id && message["tenant"] == *self.namespace)
            .filter_map(|message| Some((message["notificationId"].as_str()?, message["kind"].as_str()?)))
            .collect();
        messages.sort_unstable();
        messages.dedup();
        let mut kinds: Vec<&str> = messages.into_iter().map(|(_, kind)| kind).collect();
        // In the order of a saga: confirmed comes before any ending.
        kinds.sort_by_key(|kind| *kind != "confirmed");
        if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") }
    }

    /// Commands as devices acted on them, repeated and overtaken ones left out.
    fn commands(&self, order_id: &str) -> Result<String> {
        let mut commands = Vec::new();
        for device in &self.devices {
            for line in device.journal()? {
                let this = line["orderId"] == order_id && line["tenant"] == *self.namespace;
                if this && line["kind"] == "command" && line["verdict"] == "new" {
                    commands.push(line["command"]["command"].as_str().unwrap_or("unreadable").to_owned());
                }
            }
        }
        Ok(if commands.is_empty() { "none".to_owned() } else { commands.join(", ") })
    }
}
