//! The installation that the scenes share, and their way of asking for things.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use comanda_crds::{
    Address, Cancel, Capture, Customer, Inline, Item, Order, OrderSpec, OrderStatus, Payment, Phase, Timeouts,
};
use comanda_e2e::evidence::{Facts, Witness};
use comanda_e2e::installation::{Installation, Operator, PREFIX};
use comanda_e2e::stack::Options;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::simulators::{Device, Role, Simulator};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

/// The class of most scenes.
pub const CLASS: &str = "fast";
/// The class that captures at once.
pub const AT_ONCE: &str = "fast-at-once";
/// Words that stand in every customer's data and nowhere else.
pub const CANARIES: [&str; 5] =
    ["Kanarienvogel", "699887766", "canary@example.net", "Canarystraat", "pm_card_visa"];

const GLANCE: Duration = Duration::from_millis(50);
/// Longest an order may take in a scene that disturbs nothing for long.
pub const SOON: Duration = Duration::from_secs(20);

pub struct World {
    pub installation: Installation,
    pub kitchen: Simulator,
    pub courier: Simulator,
    operator: Mutex<Option<Operator>>,
}

pub fn options() -> Options {
    Options { program: Some(PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"))), ..Options::default() }
}

pub fn timeouts() -> Timeouts {
    Timeouts { kitchen_seconds: 8, courier_seconds: 12, customer_seconds: 14, recall_seconds: 2 }
}

impl World {
    pub async fn start() -> Result<Self> {
        let installation = Installation::start(options(), &Progress::stderr()).await?;
        for (name, capture) in [(CLASS, Capture::WhenReady), (AT_ONCE, Capture::AtOnce)] {
            installation.apply_class(name, installation.class_spec(timeouts(), capture)).await?;
        }
        let device = |role, name| Device::new(role, name, PREFIX).arg("--accept-ms", "20");
        let kitchen = device(Role::Kitchen, "kitchen")
            .arg("--prepare-ms", "150")
            .rule("rejects*=reject")
            .rule("silent*=silent")
            .rule("slow*=slow:1500")
            .rule("dead*=dead-at-cancel")
            .rule("twice*=duplicate")
            .rule("overtaking*=out-of-order");
        let courier = device(Role::Courier, "courier")
            .arg("--pickup-ms", "100")
            .arg("--deliver-ms", "150")
            .rule("fails*=fail-after-pickup")
            .rule("far*=slow:1500")
            .rule("twice*=duplicate");
        let kitchen = installation.stack.simulate(&kitchen).await?;
        let courier = installation.stack.simulate(&courier).await?;
        let world = Self { installation, kitchen, courier, operator: Mutex::default() };
        world.start_operator().await?;
        Ok(world)
    }

    pub async fn stop(self) {
        if let Some(mut operator) = self.operator.into_inner() {
            let _ = operator.process.terminate(Duration::from_secs(10)).await;
        }
        drop((self.kitchen, self.courier));
        let _ = self.installation.stack.stop().await;
    }

    /// The running operator. Scenes that kill it put another in its place.
    pub async fn operator(&self) -> MutexGuard<'_, Option<Operator>> {
        self.operator.lock().await
    }

    /// Starts an operator under the name of the last one, so that it need not wait for the lease.
    pub async fn start_operator(&self) -> Result<()> {
        *self.operator.lock().await = Some(self.installation.operator("operator").await?);
        Ok(())
    }

    pub async fn kill_operator(&self) -> Result<()> {
        self.operator.lock().await.as_mut().context("no operator runs")?.process.kill()?;
        Ok(())
    }

    /// A namespace of the scene's own.
    pub async fn namespace(&self, name: &str) -> Result<Shop<'_>> {
        let namespaces: Api<Namespace> = Api::all(self.installation.stack.kubernetes.client());
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
        Ok(self.shop(name))
    }

    pub fn shop(&self, name: &str) -> Shop<'_> {
        let orders = Api::namespaced(self.installation.stack.kubernetes.client(), name);
        Shop { world: self, namespace: name.to_owned(), orders }
    }
}

/// A namespace with orders.
pub struct Shop<'a> {
    pub world: &'a World,
    pub namespace: String,
    pub orders: Api<Order>,
}

impl Shop<'_> {
    /// Creates an order for one paella, changed as the scene needs it.
    pub async fn order(&self, name: &str, change: impl FnOnce(&mut OrderSpec)) -> Result<Order> {
        let mut spec = paella();
        change(&mut spec);
        Ok(self.orders.create(&PostParams::default(), &Order::new(name, spec)).await?)
    }

    pub async fn status(&self, name: &str) -> Result<OrderStatus> {
        Ok(self.orders.get(name).await?.status.unwrap_or_default())
    }

    /// Waits until the order's status is as wanted.
    pub async fn until(
        &self,
        name: &str,
        patience: Duration,
        wanted: impl Fn(&OrderStatus) -> bool,
    ) -> Result<OrderStatus> {
        let begun = Instant::now();
        loop {
            let status = self.status(name).await?;
            if wanted(&status) {
                return Ok(status);
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

    pub async fn until_phase(&self, name: &str, phase: Phase) -> Result<OrderStatus> {
        let status =
            self.until(name, SOON, |status| status.phase == phase || status.phase.is_final()).await?;
        ensure!(status.phase == phase, "{name} ended {:?}: {status:#?}", status.phase);
        Ok(status)
    }

    pub async fn until_final(&self, name: &str, patience: Duration) -> Result<OrderStatus> {
        self.until(name, patience, |status| status.phase.is_final()).await
    }

    pub async fn until_gone(&self, name: &str) -> Result<()> {
        let begun = Instant::now();
        while self.orders.get_opt(name).await?.is_some() {
            ensure!(begun.elapsed() < SOON, "{name} is still there");
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    pub async fn cancel(&self, name: &str) -> Result<()> {
        let patch = json!({"spec": {"cancel": Cancel { reason: "changed my mind".to_owned() }}});
        self.orders.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Waits until a device said something about the order.
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

    pub async fn facts(&self, order: &str) -> Result<Facts> {
        let devices = vec![&self.world.kitchen, &self.world.courier];
        Witness::new(&self.world.installation, &self.namespace, devices).facts(order).await
    }

    /// Holds the facts of an order against what they must be.
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

    /// What every delivered paella must show.
    pub async fn expect_delivered(&self, order: &str) -> Result<()> {
        self.expect(
            order,
            "Delivered",
            "succeeded, captured 1850, refunded 0",
            "confirmed",
            "prepare, deliver",
        )
        .await
    }

    pub async fn stock(&self, sku: &str) -> Result<i64> {
        let installation = &self.world.installation;
        installation.stack.aws.stock(comanda_e2e::installation::INSTALLATION, "madrid", sku).await
    }
}

/// One paella for the canary.
pub fn paella() -> OrderSpec {
    OrderSpec {
        order_id: None,
        class_name: CLASS.to_owned(),
        customer: Customer { inline: Some(canary()), secret_ref: None, ledger: None },
        store: "madrid".to_owned(),
        items: vec![Item { sku: "paella".to_owned(), quantity: 1, unit_price: None }],
        currency: "EUR".to_owned(),
        total: None,
        payment: Payment { payment_method: "pm_card_visa".to_owned() },
        cancel: None,
        suspend: false,
        ttl_seconds_after_finished: None,
    }
}

/// A customer whose data can be looked for.
pub fn canary() -> Inline {
    Inline {
        name: "Kanarienvogel".to_owned(),
        phone: "+34699887766".to_owned(),
        email: "canary@example.net".to_owned(),
        locale: "es".to_owned(),
        address: Address {
            country: "ES".to_owned(),
            postal_code: Some("28014".to_owned()),
            administrative_area: Some("Madrid".to_owned()),
            locality: Some("Madrid".to_owned()),
            dependent_locality: None,
            lines: vec!["Canarystraat 7".to_owned()],
        },
    }
}

/// The status of a condition, and its reason.
pub fn condition<'a>(status: &'a OrderStatus, kind: &str) -> Option<(&'a str, &'a str)> {
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((&condition.status, &condition.reason))
}

/// The uid of an object.
pub fn uid(order: &Order) -> Result<String> {
    order.uid().context("an object has a uid")
}
