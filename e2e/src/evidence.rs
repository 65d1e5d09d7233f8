//! What became of an order, read from the systems themselves and never from the operator.

use anyhow::Result;
use comanda_crds::Order;
use kube::Api;

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

/// A reader of all systems.
pub struct Witness<'a> {
    installation: &'a Installation,
    namespace: String,
    devices: Vec<&'a Simulator>,
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
        Ok(Facts {
            object: self.object(order_id).await?,
            ledger: self.ledger(order_id).await?,
            payment: self.payment(order_id).await?,
            told: self.told(order_id).await?,
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

    /// Every payment intent made for the order: there should be at most one, and Stripe takes the money
    /// of one at most once.
    async fn payment(&self, order_id: &str) -> Result<String> {
        let stripe = &self.installation.stack.stripe;
        let identity = self.identity(order_id);
        let mut found = Vec::new();
        for intent in stripe.list("payment_intents").await? {
            if intent["metadata"]["comanda_order"] != *identity {
                continue;
            }
            let id = intent["id"].as_str().unwrap_or_default();
            let refunds = stripe.list(&format!("refunds?payment_intent={id}")).await?;
            let refunded: i64 = refunds
                .iter()
                .filter(|refund| refund["status"] == "succeeded")
                .filter_map(|refund| refund["amount"].as_i64())
                .sum();
            let (state, captured) = (&intent["status"], &intent["amount_received"]);
            found.push(format!(
                "{}, captured {captured}, refunded {refunded}",
                state.as_str().unwrap_or("unreadable")
            ));
        }
        Ok(if found.is_empty() { "none".to_owned() } else { found.join("; ") })
    }

    async fn told(&self, order_id: &str) -> Result<String> {
        let all = self.installation.notifications().await?;
        let mut messages: Vec<(&str, &str)> = all
            .iter()
            .filter(|message| message["orderId"] == order_id && message["tenant"] == *self.namespace)
            .filter_map(|message| Some((message["notificationId"].as_str()?, message["kind"].as_str()?)))
            .collect();
        messages.sort_unstable();
        messages.dedup();
        let mut kinds: Vec<&str> = messages.into_iter().map(|(_, kind)| kind).collect();
        // In the order of a saga: confirmed comes before any ending.
        kinds.sort_by_key(|kind| *kind != "confirmed");
        Ok(if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") })
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
