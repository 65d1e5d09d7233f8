//! Orders that executions of the machine carry.

use anyhow::{Context as _, Result, ensure};
use comanda_saga::{Effect, Identity, Record};
use comanda_steps::adapters::dynamodb::DynamoLedger;
use comanda_steps::adapters::iot::IotDevices;
use comanda_steps::contract::waiting_step;
use comanda_steps::ports::{Devices as _, Ledger as _, Waiting};
use serde_json::json;

use super::{STORE, Shop, World, until};
use crate::installation::{INSTALLATION, PREFIX};

/// A tablet that says what a scene wants, of orders on which the kitchen itself is silent.
pub struct Tablet {
    name: String,
    session: IotDevices,
}

impl World {
    /// Connects a tablet. It hears nothing.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub async fn tablet(&self, name: &str) -> Result<Tablet> {
        Ok(Tablet { name: name.to_owned(), session: self.connect_device(name).await? })
    }
}

impl Tablet {
    /// Says something of an order, which the kitchen was told to prepare.
    ///
    /// # Errors
    /// When the kitchen was not, or the broker does not take it.
    pub async fn say(&self, shop: &Shop<'_>, order: &str, event: &str) -> Result<()> {
        let journal = shop.world.kitchen.journal()?;
        let told = journal.iter().rev().find(|line| {
            line["tenant"] == *shop.namespace
                && line["orderId"] == order
                && line["command"]["command"] == "prepare"
        });
        let seq = &told.with_context(|| format!("the kitchen was not told of {order}"))?["command"]["seq"];
        let (tenant, device) = (&shop.namespace, &self.name);
        let topic = format!("{PREFIX}/{INSTALLATION}/{tenant}/{STORE}/kitchen/{order}/events/{device}");
        let said = json!({ "eventId": format!("{order}-{event}"), "event": event, "seq": seq });
        Ok(self.session.send(&topic, said.to_string().into_bytes()).await?)
    }
}

impl Shop<'_> {
    /// The name of an execution of an order.
    pub fn execution(&self, order: &str, attempt: u32) -> String {
        self.identity(order).key(Effect::Execute, attempt)
    }

    /// The ARNs of the executions of an order, the first one first.
    ///
    /// # Errors
    /// When there is no machine.
    pub async fn executions(&self, order: &str) -> Result<Vec<String>> {
        let mut executions = self.world.installation.stack.aws.executions().await?;
        let attempt = |arn: &str| {
            let name = arn.rsplit(':').next()?;
            let attempt = name.strip_prefix(order)?.strip_prefix('-')?.split('-').next()?.parse().ok()?;
            (self.execution(order, attempt) == name).then_some(attempt)
        };
        executions.retain(|arn| attempt(arn).is_some());
        executions.sort_by_key(|arn| attempt(arn));
        Ok(executions)
    }

    /// Waits until the newest execution of an order waits in a state, and gives how to end that.
    ///
    /// # Errors
    /// When it comes to no wait there.
    pub async fn until_in(&self, order: &str, state: &str) -> Result<Waiting> {
        let step = waiting_step(state).with_context(|| format!("nobody waits in {state}"))?;
        let (aws, mut found) = (&self.world.installation.stack.aws, None);
        until(&format!("an execution of {order} is in {state}"), async || {
            let Some(execution) = self.executions(order).await?.pop() else { return Ok(false) };
            // Before its function is back, it may still find that there is nothing to wait for.
            if aws.waits_in(&execution).await?.as_deref() != Some(state) {
                return Ok(false);
            }
            let name = execution.rsplit(':').next().unwrap_or_default();
            let waiting = self.ledger().waiting(&self.identity(order), name).await?;
            found = waiting.filter(|waiting| waiting.step == step);
            Ok(found.is_some())
        })
        .await?;
        found.context("it waits")
    }

    /// Puts another way to end its wait in the place of the one that an execution keeps, so that whoever would end it
    /// cannot.
    ///
    /// # Errors
    /// When the ledger does not take it.
    pub async fn lose_wake(&self, order: &str, waiting: Waiting) -> Result<()> {
        let lost = Waiting { token: "lost".to_owned(), ..waiting };
        Ok(self.ledger().put_waiting(&self.identity(order), &lost).await?)
    }

    /// The record of an order in the ledger.
    ///
    /// # Errors
    /// When there is none.
    pub async fn record(&self, order: &str) -> Result<Record> {
        let loaded = self.ledger().load(&self.identity(order)).await?;
        Ok(loaded.with_context(|| format!("the ledger has no order {order}"))?.record)
    }

    /// The identity of an order with the name of its object.
    pub fn identity(&self, order: &str) -> Identity {
        let [installation, tenant, order_id] = [INSTALLATION, &self.namespace, order].map(str::to_owned);
        Identity { installation, tenant, order_id }
    }

    /// The ledger, without the key of customers' data.
    fn ledger(&self) -> DynamoLedger {
        let aws = &self.world.installation.stack.aws;
        DynamoLedger::new(aws.dynamodb(), aws.resources().ledger_table.clone(), None)
    }

    /// Demands that no call to Stripe under a key of the order was made twice.
    ///
    /// # Errors
    /// When one was, or none was made.
    pub async fn expect_no_call_repeated(&self, order: &str) -> Result<()> {
        let calls = self.payments(order).await?;
        let mut keys: Vec<_> = calls.iter().filter_map(|call| call.key.as_deref()).collect();
        keys.sort_unstable();
        keys.dedup();
        ensure!(!calls.is_empty() && keys.len() == calls.len(), "a call to Stripe was repeated: {calls:#?}");
        Ok(())
    }
}
