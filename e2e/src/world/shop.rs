//! The orders of a namespace: how they are made, waited for and held against what they must be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use comanda_crds::{Cancel, Order, OrderSpec, OrderStatus, Phase};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::samples::paella;
use super::{GLANCE, PRICE, SOON, STOCK, STORE, World};
use crate::evidence::{Facts, Snapshot, Witness};
use crate::installation::{INSTALLATION, TENANT};
use crate::stack::aws::CatalogueItem;
use crate::stack::simulators::Simulator;

/// A namespace with orders.
pub struct Shop<'a> {
    /// Where it is.
    pub world: &'a World,
    /// Its name.
    pub namespace: String,
    /// Its orders.
    pub orders: Api<Order>,
    /// What is ordered in it.
    pub sku: String,
}

impl World {
    /// A namespace of the scene's own.
    ///
    /// # Errors
    /// When there is one of this name.
    pub async fn namespace(&self, name: &str) -> Result<Shop<'_>> {
        let namespaces: Api<Namespace> = Api::all(self.installation.stack.kubernetes.client());
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
        Ok(self.shop(name))
    }

    /// A namespace with an article of its own, also called `name`: its stock is nobody else's.
    ///
    /// # Errors
    /// As [`World::namespace`], and when the catalogue cannot be written.
    pub async fn market(&self, name: &str) -> Result<Shop<'_>> {
        self.stock_up(name).await?;
        Ok(Shop { sku: name.to_owned(), ..self.namespace(name).await? })
    }

    /// The namespace [`TENANT`], with an article of the scene's own, also called `name`.
    ///
    /// # Errors
    /// When the catalogue cannot be written.
    pub async fn stall(&self, name: &str) -> Result<Shop<'_>> {
        self.stock_up(name).await?;
        Ok(Shop { sku: name.to_owned(), ..self.shop(TENANT) })
    }

    async fn stock_up(&self, name: &str) -> Result<()> {
        let article = CatalogueItem {
            store: STORE.to_owned(),
            sku: name.to_owned(),
            name: name.to_owned(),
            price: PRICE,
            currency: "EUR".to_owned(),
            stock: STOCK,
            available: true,
        };
        self.installation.stack.aws.seed_catalogue(INSTALLATION, &[article]).await
    }

    /// A namespace that is there already.
    pub fn shop(&self, name: &str) -> Shop<'_> {
        let orders = Api::namespaced(self.installation.stack.kubernetes.client(), name);
        Shop { world: self, namespace: name.to_owned(), orders, sku: "paella".to_owned() }
    }
}

impl Shop<'_> {
    /// Creates an order for one of its articles, changed as the scene needs it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn order(&self, name: &str, change: impl FnOnce(&mut OrderSpec)) -> Result<Order> {
        let mut spec = paella();
        spec.items[0].sku.clone_from(&self.sku);
        change(&mut spec);
        Ok(self.orders.create(&PostParams::default(), &Order::new(name, spec)).await?)
    }

    /// What the object says now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn status(&self, name: &str) -> Result<OrderStatus> {
        Ok(self.orders.get(name).await?.status.unwrap_or_default())
    }

    /// Waits until the order's status is as wanted.
    ///
    /// # Errors
    /// When it is not, for so long.
    pub async fn until(
        &self,
        name: &str,
        patience: Duration,
        wanted: impl Fn(&OrderStatus) -> bool,
    ) -> Result<OrderStatus> {
        let begun = Instant::now();
        loop {
            // The API server may be away: an answer that does not come is not what is wanted.
            let status = self.status(name).await;
            if let Ok(status) = &status
                && wanted(status)
            {
                return Ok(status.clone());
            }
            if begun.elapsed() > patience {
                let log = self.world.operator().await.as_ref().map(|operator| operator.process.log_tail());
                bail!(
                    "{}/{name} is not as wanted after {patience:?}: {status:#?}\n{}",
                    self.namespace,
                    log.unwrap_or_default()
                );
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Waits until the order is in a phase, and not past its end in another.
    ///
    /// # Errors
    /// When it ends in another.
    pub async fn until_phase(&self, name: &str, phase: Phase) -> Result<OrderStatus> {
        let status =
            self.until(name, SOON, |status| status.phase == phase || status.phase.is_final()).await?;
        ensure!(status.phase == phase, "{name} ended {:?}: {status:#?}", status.phase);
        Ok(status)
    }

    /// Waits for the end of the order.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn until_final(&self, name: &str, patience: Duration) -> Result<OrderStatus> {
        self.until(name, patience, |status| status.phase.is_final()).await
    }

    /// Waits until the object is gone.
    ///
    /// # Errors
    /// When it stays.
    pub async fn until_gone(&self, name: &str) -> Result<()> {
        let begun = Instant::now();
        while self.orders.get_opt(name).await?.is_some() {
            ensure!(begun.elapsed() < SOON, "{name} is still there");
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Asks for the order to be cancelled.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn cancel(&self, name: &str) -> Result<()> {
        let patch = json!({"spec": {"cancel": Cancel { reason: "changed my mind".to_owned() }}});
        self.orders.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Sets an annotation of the order, such as a token to retry.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn annotate(&self, name: &str, annotation: &str, value: &str) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        self.orders.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Waits until a device said something about the order.
    ///
    /// # Errors
    /// When none does.
    pub async fn until_said(&self, device: &Simulator, order: &str, event: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let said = device.journal()?.iter().any(|line| {
                line["tenant"] == *self.namespace
                    && line["orderId"] == order
                    && line["event"]["event"] == event
            });
            if said {
                return Ok(());
            }
            ensure!(begun.elapsed() < SOON, "no device said {event} about {order}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What all systems say of its orders.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let devices = vec![&self.world.kitchen, &self.world.courier];
        Witness::new(&self.world.installation, &self.namespace, devices).snapshot().await
    }

    /// What all systems say of an order.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn facts(&self, order: &str) -> Result<Facts> {
        Ok(self.snapshot().await?.facts(order))
    }

    /// Waits for `time`, in which nobody may do anything about an order that has ended.
    ///
    /// # Errors
    /// When anything of it changed.
    pub async fn expect_rest(&self, order: &str, time: Duration) -> Result<()> {
        let before = self.snapshot().await?.trace(order);
        tokio::time::sleep(time).await;
        let after = self.snapshot().await?.trace(order);
        ensure!(before == after, "{order} did not rest: {before}; after {time:?}: {after}");
        Ok(())
    }

    /// Holds the facts of an order against what they must be.
    ///
    /// # Errors
    /// When they are not.
    pub async fn expect(
        &self,
        order: &str,
        ledger: &str,
        payment: &str,
        told: &str,
        commands: &str,
    ) -> Result<()> {
        let facts = self.facts(order).await?;
        let expected = Facts {
            object: facts.object.clone(),
            ledger: ledger.to_owned(),
            payment: payment.to_owned(),
            told: told.to_owned(),
            commands: commands.to_owned(),
        };
        ensure!(facts == expected, "{}/{order}: found {facts:#?}, expected {expected:#?}", self.namespace);
        Ok(())
    }

    /// What every delivered order must show.
    ///
    /// # Errors
    /// When it does not.
    pub async fn expect_delivered(&self, order: &str) -> Result<()> {
        self.expect(
            order,
            "Delivered",
            "succeeded, captured 1850, refunded 0",
            "confirmed",
            "prepare, deliver, assigned",
        )
        .await
    }

    /// What a delivered order must show, whose first intents may have been given up unconfirmed: they hold no
    /// money, and never will.
    ///
    /// # Errors
    /// When it does not.
    pub async fn expect_charged_once(&self, order: &str) -> Result<()> {
        charged_once(&self.snapshot().await?, order)
    }

    /// How many of an article are left.
    ///
    /// # Errors
    /// When there is no such article.
    pub async fn stock(&self, sku: &str) -> Result<i64> {
        self.world.installation.stack.aws.stock(INSTALLATION, STORE, sku).await
    }

    /// Demands that so many of its own article are gone.
    ///
    /// # Errors
    /// When they are more or fewer.
    pub async fn expect_consumed(&self, count: i64) -> Result<()> {
        let left = self.stock(&self.sku).await?;
        ensure!(left == STOCK - count, "{} of {} are left, not {}", left, self.sku, STOCK - count);
        Ok(())
    }
}

/// See [`Shop::expect_charged_once`].
///
/// # Errors
/// When the order does not show it.
pub fn charged_once(snapshot: &Snapshot, order: &str) -> Result<()> {
    let (charged, captures) = (snapshot.charged(order), snapshot.captures(order));
    ensure!(charged == PRICE && captures == 1, "{order}: {charged} charged in {captures} captures");
    let facts = snapshot.facts(order).without_unconfirmed();
    let expected = Facts {
        object: "Delivered".to_owned(),
        ledger: "Delivered".to_owned(),
        payment: "succeeded, captured 1850, refunded 0".to_owned(),
        told: "confirmed".to_owned(),
        commands: "prepare, deliver, assigned".to_owned(),
    };
    ensure!(facts == expected, "{}/{order}: found {facts:#?}, expected {expected:#?}", snapshot.namespace());
    Ok(())
}

/// The status of a condition, and its reason.
pub fn condition<'a>(status: &'a OrderStatus, kind: &str) -> Option<(&'a str, &'a str)> {
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((&condition.status, &condition.reason))
}

/// The uid of an object.
///
/// # Errors
/// When it never was in a cluster.
pub fn uid(order: &Order) -> Result<String> {
    order.uid().context("an object has a uid")
}
