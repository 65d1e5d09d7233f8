//! One order on its way: what a person does to it, when it has ended, and whether it came to what it must.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use comanda_crds::{Order, Phase};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::ending::{Ending, Intervention, STORE};
use super::stage::Stage;
use crate::evidence::Snapshot;
use crate::installation::INSTALLATION;

/// One order on its way.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Its name, and its id.
    pub name: String,
    /// What it must come to.
    pub ending: Ending,
    intervened: bool,
}

/// The commands that devices received: order and command.
type Commanded = BTreeSet<(String, String)>;

impl Ticket {
    /// An order whose name tells devices how it ends.
    pub fn new(ending: Ending, number: usize) -> Self {
        Self { name: format!("{}-{number}", ending.name()), ending, intervened: false }
    }

    /// The object to create.
    pub fn order(&self) -> Order {
        Order::new(&self.name, self.ending.spec())
    }

    /// True when nothing more is to come. `order` is none when there is no such object.
    fn has_ended(&self, order: Option<&Order>) -> bool {
        match order {
            None => self.ending == Ending::Deleted && self.intervened,
            Some(order) if self.ending != Ending::Deleted => {
                order.status.as_ref().is_some_and(|status| status.phase.is_final())
            }
            Some(_) => false,
        }
    }

    /// Cancels or deletes the order once it has come far enough: its device has the command, and the object
    /// says so.
    async fn intervene(
        &mut self,
        orders: &Api<Order>,
        order: Option<&Order>,
        commanded: &Commanded,
    ) -> Result<()> {
        let Some((phase, intervention)) = self.ending.intervention() else { return Ok(()) };
        let reached = |order: &Order| order.status.as_ref().is_some_and(|status| status.phase == phase);
        let command = if phase == Phase::Preparing { "prepare" } else { "deliver" };
        let has_it = commanded.contains(&(self.name.clone(), command.to_owned()));
        if self.intervened || !has_it || !order.is_some_and(reached) {
            return Ok(());
        }
        match intervention {
            Intervention::Cancel => {
                let patch = json!({"spec": {"cancel": {"reason": "changed my mind"}}});
                orders.patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
            }
            Intervention::Delete => {
                orders.delete(&self.name, &DeleteParams::default()).await?;
            }
        }
        self.intervened = true;
        Ok(())
    }

    /// What is not as it must be. Between the two snapshots, nothing may have happened.
    pub fn judge(&self, before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let (name, ending) = (&self.name, self.ending);
        let mut violations = Vec::new();
        let (facts, expected) = (after.facts(name).without_unconfirmed(), ending.facts());
        if facts != expected {
            violations.push(format!("found {facts:?}, expected {expected:?}"));
        }
        let (charged, captures) = (after.charged(name), after.captures(name));
        if charged != ending.charge() || captures > 1 {
            violations
                .push(format!("charged {charged} in {captures} captures, expected {}", ending.charge()));
        }
        for (kind, ids) in after.notification_ids(name) {
            if ids.len() != 1 {
                violations.push(format!("{kind} was told under {} notification ids", ids.len()));
            }
        }
        let (then, now) = (before.trace(name), after.trace(name));
        if then != now {
            violations.push(format!("it did not rest: {then}; and then: {now}"));
        }
        violations
    }
}

/// Lets people do what they do to their orders, and counts those that ended.
///
/// # Errors
/// When the API server refuses, or a device's journal cannot be read.
pub async fn look(stage: &Stage, namespace: &str, tickets: &mut [Ticket]) -> Result<usize> {
    let orders = stage.orders(namespace);
    let objects = orders.list(&ListParams::default()).await?.items;
    let by_name: BTreeMap<String, &Order> = objects.iter().map(|order| (order.name_any(), order)).collect();
    let awaited = tickets.iter().any(|ticket| !ticket.intervened && ticket.ending.intervention().is_some());
    let commanded = if awaited { commanded(stage, namespace)? } else { Commanded::new() };
    let mut ended = 0;
    for ticket in tickets {
        let order = by_name.get(&ticket.name).copied();
        ticket.intervene(&orders, order, &commanded).await?;
        ended += usize::from(ticket.has_ended(order));
    }
    Ok(ended)
}

/// Each order of the namespace with each command that a device received for it.
fn commanded(stage: &Stage, namespace: &str) -> Result<Commanded> {
    let mut commanded = BTreeSet::new();
    for device in [&stage.kitchen, &stage.courier] {
        for line in device.journal()? {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if line["tenant"] == namespace && line["kind"] == "command" {
                commanded.insert((text(&line["orderId"]), text(&line["command"]["command"])));
            }
        }
    }
    Ok(commanded)
}

/// The stock of each ending's article.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn stocks(stage: &Stage) -> Result<BTreeMap<Ending, i64>> {
    let mut stocks = BTreeMap::new();
    for ending in Ending::iter() {
        let stock = stage.installation.stack.aws.stock(INSTALLATION, STORE, ending.name()).await?;
        stocks.insert(ending, stock);
    }
    Ok(stocks)
}

/// What stock is missing since `before`, or too much, for what the orders came to.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn missing_stock(
    stage: &Stage,
    before: &BTreeMap<Ending, i64>,
    tickets: &[Ticket],
) -> Result<Vec<String>> {
    let mut expected = before.clone();
    for ticket in tickets {
        if let Some(stock) = expected.get_mut(&ticket.ending) {
            *stock -= ticket.ending.consumed();
        }
    }
    let mut violations = Vec::new();
    for (ending, found) in stocks(stage).await? {
        if expected.get(&ending) != Some(&found) {
            let (name, expected) = (ending.name(), expected.get(&ending));
            violations.push(format!("the stock of {name} is {found}, must be {expected:?}"));
        }
    }
    Ok(violations)
}
