//! The orders of `e2e/orders`: under their own names, or once more under others, of articles and a class of their own, so
//! that what became of each batch can be told apart.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::Order;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::crew::Crew;
use super::expected::{ORDERS, STOCK};
use super::screen::Verdict;
use crate::evidence::{Snapshot, Witness};
use crate::installation::{INSTALLATION, Installation};
use crate::stack::aws::CatalogueItem;

/// Those that somebody asks something of while the kitchen works: for that, an operator has to be there.
pub const ATTENDED: [&str; 2] = [CANCELLED, DELETED];
const CANCELLED: &str = "cancelled-while-preparing";
const DELETED: &str = "deleted-while-preparing";
const GLANCE: Duration = Duration::from_millis(250);

/// The twelve orders.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    installation: &'a Installation,
    crew: &'a Crew,
    /// Where they are.
    namespace: &'a str,
    /// Of what is not called as in the files: its class, and what its orders and articles are called besides.
    name: Option<&'a str>,
}

/// What was asked of orders so far.
#[derive(Debug, Default)]
pub struct Attendance {
    cancelled: bool,
    deleted: bool,
}

impl<'a> Batch<'a> {
    /// The orders as the files have them.
    pub(super) fn of_files(installation: &'a Installation, crew: &'a Crew, namespace: &'a str) -> Self {
        Self { installation, crew, namespace, name: None }
    }

    /// The orders once more, in a namespace in which the crew works, by the class of this name, with articles of their own
    /// in the catalogue.
    ///
    /// # Errors
    /// When the catalogue cannot be written.
    pub async fn once_more(
        installation: &'a Installation,
        crew: &'a Crew,
        namespace: &'a str,
        name: &'a str,
    ) -> Result<Self> {
        let batch = Self { installation, crew, namespace, name: Some(name) };
        let mut articles = CatalogueItem::list(include_str!("../../catalogue.yaml"))?;
        for article in &mut articles {
            article.sku = batch.article(&article.sku);
        }
        installation.stack.aws.seed_catalogue(INSTALLATION, &articles).await?;
        Ok(batch)
    }

    /// What the order is called in this batch that the files call `name`.
    pub fn order(&self, name: &str) -> String {
        self.name.map_or_else(|| name.to_owned(), |batch| format!("{batch}-{name}"))
    }

    fn article(&self, sku: &str) -> String {
        self.name.map_or_else(|| sku.to_owned(), |batch| format!("{sku}-{batch}"))
    }

    /// The names of all orders in this batch.
    pub fn orders(&self) -> Vec<String> {
        ORDERS.iter().map(|expected| self.order(expected.order)).collect()
    }

    /// Creates those of a batch with a name that are wanted, by their names in the files.
    ///
    /// # Errors
    /// When a file is no order, or the API server refuses one.
    pub async fn create(&self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let class = self.name.context("the orders of the files are applied")?;
        for file in order_files()? {
            let text = std::fs::read_to_string(&file)?;
            for document in serde_yaml::Deserializer::from_str(&text) {
                let document = Value::deserialize(document).with_context(|| file.display().to_string())?;
                if document["kind"] != "Order" {
                    // A Secret that one of the orders names.
                    let kubernetes = &self.installation.stack.kubernetes;
                    kubernetes.apply(&document.to_string(), self.namespace).await?;
                    continue;
                }
                let mut order: Order = serde_json::from_value(document)?;
                if !wanted(&order.name_any()) {
                    continue;
                }
                order.metadata.name = Some(self.order(&order.name_any()));
                class.clone_into(&mut order.spec.class_name);
                for item in &mut order.spec.items {
                    item.sku = self.article(&item.sku);
                }
                self.api().create(&PostParams::default(), &order).await?;
            }
        }
        Ok(())
    }

    /// Asks of the orders what is to be asked, as soon as the kitchen began.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn attend(&self, attendance: &mut Attendance) -> Result<()> {
        let (cancelled, deleted) = (self.order(CANCELLED), self.order(DELETED));
        if !attendance.cancelled && self.crew.began(self.namespace, &cancelled)? {
            let patch = json!({"spec": {"cancel": {"reason": "the customer changed their mind"}}});
            self.api().patch(&cancelled, &PatchParams::default(), &Patch::Merge(&patch)).await?;
            attendance.cancelled = true;
        }
        if !attendance.deleted && self.crew.began(self.namespace, &deleted)? {
            self.api().delete(&deleted, &DeleteParams::default()).await?;
            attendance.deleted = true;
        }
        Ok(())
    }

    /// Attends to the orders until each is finished or gone.
    ///
    /// # Errors
    /// When that takes longer.
    pub async fn until_over(&self, patience: Duration) -> Result<()> {
        let mut attendance = Attendance::default();
        let begun = Instant::now();
        loop {
            self.attend(&mut attendance).await?;
            let left = self.left().await?;
            if left.is_empty() && attendance.is_over() {
                return Ok(());
            }
            ensure!(begun.elapsed() < patience, "after {patience:?} these are not finished: {left:?}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The objects that are there and do not show an end, and what they show.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn left(&self) -> Result<Vec<String>> {
        let names = self.orders();
        let mut left = Vec::new();
        for order in self.api().list(&ListParams::default()).await?.items {
            let (name, status) = (order.name_any(), order.status.unwrap_or_default());
            if names.contains(&name) && !status.phase.is_final() {
                left.push(format!("{name} {}", status.phase.name()));
            }
        }
        Ok(left)
    }

    /// What every system says of the orders and their articles, held against what was expected.
    ///
    /// # Errors
    /// When a system cannot be read.
    pub async fn evidence(&self) -> Result<Vec<Verdict>> {
        self.evidence_in(&self.snapshot().await?).await
    }

    /// What every system says of the orders of the namespace.
    pub(super) async fn snapshot(&self) -> Result<Snapshot> {
        Witness::new(self.installation, self.namespace, self.crew.all()).snapshot().await
    }

    pub(super) async fn evidence_in(&self, snapshot: &Snapshot) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        for expected in ORDERS {
            let order = self.order(expected.order);
            let facts = snapshot.facts(&order);
            for (system, found, wanted) in [
                ("object in the API server", &facts.object, expected.object),
                ("ledger in DynamoDB", &facts.ledger, expected.ledger),
                ("payment at Stripe", &facts.payment, expected.payment),
                ("customer, through SNS", &facts.told, expected.told),
                ("commands devices acted on", &facts.commands, expected.commands),
            ] {
                verdicts.push(Verdict::new(&order, system, found, wanted));
            }
        }
        for (store, sku, before, after) in STOCK {
            let sku = self.article(sku);
            let found = self.installation.stack.aws.stock(INSTALLATION, store, &sku).await?.to_string();
            let (subject, system) = (format!("{store}: {sku}"), format!("stock (was {before})"));
            verdicts.push(Verdict::new(&subject, &system, &found, &after.to_string()));
        }
        Ok(verdicts)
    }

    fn api(&self) -> Api<Order> {
        Api::namespaced(self.installation.stack.kubernetes.client(), self.namespace)
    }
}

impl Attendance {
    /// All that is to be asked was asked.
    pub fn is_over(&self) -> bool {
        self.cancelled && self.deleted
    }
}

/// The files of `e2e/orders`, in order.
pub(super) fn order_files() -> Result<Vec<PathBuf>> {
    let folder = crate::package().join("orders");
    let mut files = std::fs::read_dir(&folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
