//! The installation that the scenes of a test program share, and their way of asking for things.

mod faults;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use comanda_crds::{
    Address, Cancel, Capture, Customer, Inline, Item, Order, OrderSpec, OrderStatus, Payment, Phase, Timeouts,
};
use comanda_steps::adapters::iot::{IotDevices, IotSettings, Pem};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::evidence::{Facts, Snapshot, Witness};
use crate::installation::{INSTALLATION, Installation, Operator, PREFIX};
use crate::stack::Options;
use crate::stack::aws::CatalogueItem;
use crate::stack::progress::Progress;
use crate::stack::simulators::{Device, Role, Simulator};

/// The class of most scenes.
pub const CLASS: &str = "fast";
/// The class that captures at once.
pub const AT_ONCE: &str = "fast-at-once";
/// The class of scenes in which a service is away for long: devices may take a quarter of an hour.
pub const PATIENT: &str = "patient";
/// The store of every scene.
pub const STORE: &str = "madrid";
/// How long the Lease of operators that are paused and killed holds, in seconds.
const LEASE_SECONDS: &str = "3";
/// Their cluster's name: the same after the cluster was lost and made anew.
const CLUSTER: &str = "scenes";
/// What one of any article of the scenes costs, in minor units.
const PRICE: i64 = 1850;
/// Where an article of a scene's own begins.
const STOCK: i64 = 1000;
/// Words that stand in every customer's data and nowhere else.
pub const CANARIES: [&str; 5] =
    ["Kanarienvogel", "699887766", "canary@example.net", "Canarystraat", "pm_card_visa"];

const GLANCE: Duration = Duration::from_millis(50);
/// Longest an order may take in a scene that disturbs nothing for long.
pub const SOON: Duration = Duration::from_secs(20);

/// An installation with devices, classes and an operator.
pub struct World {
    /// What is installed.
    pub installation: Installation,
    /// The kitchen of every order.
    pub kitchen: Simulator,
    /// The courier.
    pub courier: Simulator,
    operator: Mutex<Option<Operator>>,
    /// Where operators find their planned faults, if they can have any.
    faults: Option<PathBuf>,
}

/// Short, so that nobody waits long for a silent device.
pub fn timeouts() -> Timeouts {
    Timeouts { kitchen_seconds: 8, courier_seconds: 12, customer_seconds: 14, recall_seconds: 2 }
}

/// Longer than any service is away; only a recall is given up soon.
pub fn patience() -> Timeouts {
    Timeouts { kitchen_seconds: 900, courier_seconds: 900, customer_seconds: 900, recall_seconds: 2 }
}

/// Waits until it is so.
///
/// # Errors
/// When it is not so in [`SOON`], or cannot be found out.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds().await? {
        ensure!(begun.elapsed() < SOON, "{what}: not within {SOON:?}");
        tokio::time::sleep(GLANCE).await;
    }
    Ok(())
}

impl World {
    /// Starts everything, the operator as users have it included.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(options: Options) -> Result<Self> {
        Self::begin(Installation::start(options, &Progress::stderr()).await?, None).await
    }

    /// The same with operators that can be paused and killed, and a fault proxy before every service.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn with_faults(options: Options) -> Result<Self> {
        let installation = Installation::with_faults(options, &Progress::stderr()).await?;
        let faults = installation.stack.dir().join("faults");
        for part in ["planned", "fired"] {
            std::fs::create_dir_all(faults.join(part))?;
        }
        Self::begin(installation, Some(faults)).await
    }

    async fn begin(installation: Installation, faults: Option<PathBuf>) -> Result<Self> {
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
            .rule("mute*=silent")
            .rule("twice*=duplicate");
        let kitchen = installation.stack.simulate(&kitchen).await?;
        let courier = installation.stack.simulate(&courier).await?;
        let world = Self { installation, kitchen, courier, operator: Mutex::default(), faults };
        world.apply_classes().await?;
        world.start_operator().await?;
        Ok(world)
    }

    /// Applies the classes that the scenes share.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn apply_classes(&self) -> Result<()> {
        for (name, timeouts, capture) in [
            (CLASS, timeouts(), Capture::WhenReady),
            (AT_ONCE, timeouts(), Capture::AtOnce),
            (PATIENT, patience(), Capture::WhenReady),
        ] {
            self.installation.apply_class(name, self.installation.class_spec(timeouts, capture)).await?;
        }
        Ok(())
    }

    /// Stops everything.
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
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start_operator(&self) -> Result<()> {
        let operator = self.replica("operator", &[], &[]).await?;
        *self.operator.lock().await = Some(operator);
        self.announce().await;
        Ok(())
    }

    /// Starts a further operator, with further flags and variables.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn replica(
        &self,
        name: &str,
        flags: &[&str],
        variables: &[(&str, &OsStr)],
    ) -> Result<Operator> {
        let (mut flags, mut variables) = (flags.to_vec(), variables.to_vec());
        if let Some(faults) = &self.faults {
            flags.extend(["--lease-seconds", LEASE_SECONDS, "--cluster-name", CLUSTER]);
            variables.push(("COMANDA_FAULTS", faults.as_os_str()));
        }
        self.installation.operator_with(name, &flags, &variables).await
    }

    /// Puts an operator in the place of the one that the scenes before used; that one ends.
    pub async fn replace_operator(&self, operator: Operator) {
        *self.operator.lock().await = Some(operator);
        self.announce().await;
    }

    /// Kills the operator.
    ///
    /// # Errors
    /// When none runs.
    pub async fn kill_operator(&self) -> Result<()> {
        self.operator.lock().await.as_mut().context("no operator runs")?.process.kill()?;
        Ok(())
    }

    /// Ends the operator in good order.
    ///
    /// # Errors
    /// When none runs, or it takes too long.
    pub async fn stop_operator(&self) -> Result<()> {
        let mut operator = self.operator.lock().await;
        operator.as_mut().context("no operator runs")?.process.terminate(Duration::from_secs(12)).await?;
        Ok(())
    }

    /// Tells the proxy whom to end.
    async fn announce(&self) {
        if let Some(proxy) = &self.installation.proxy {
            let operator = self.operator.lock().await;
            proxy.set_operators(&operator.iter().map(|operator| operator.process.pid()).collect::<Vec<_>>());
        }
    }

    /// Does `work`, and meanwhile starts the operator again whenever it ended, as a cluster does with its pods.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn attended<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let attend = async {
            loop {
                let ended = match self.operator.lock().await.as_mut() {
                    Some(operator) => !operator.process.is_running(),
                    None => true,
                };
                if ended && let Err(error) = self.start_operator().await {
                    tracing::debug!(%error, "the operator is started again later");
                }
                tokio::time::sleep(GLANCE * 4).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = attend => unreachable!("it looks after the operator until the work is done"),
        }
    }

    /// Connects a device with a certificate of its own, which says what a scene wants. It hears nothing.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub async fn connect_device(&self, client_id: &str) -> Result<IotDevices> {
        let aws = &self.installation.stack.aws;
        let certificate = aws.device_certificate(client_id).await?;
        let pem = Pem {
            certificate: certificate.cert_pem,
            key: certificate.key_pem,
            authority: aws.iot().ca_pem.clone(),
        };
        let (endpoint, filters) = (aws.iot().address(), vec![client_id.to_owned()]);
        let settings = IotSettings { endpoint, client_id: client_id.to_owned(), pem, filters };
        let (session, _) = IotDevices::connect(settings)?;
        session.connected().wait_for(Result::is_ok).await?;
        Ok(session)
    }

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
        let article = CatalogueItem {
            store: STORE.to_owned(),
            sku: name.to_owned(),
            name: name.to_owned(),
            price: PRICE,
            currency: "EUR".to_owned(),
            stock: STOCK,
            available: true,
        };
        self.installation.stack.aws.seed_catalogue(INSTALLATION, &[article]).await?;
        Ok(Shop { sku: name.to_owned(), ..self.namespace(name).await? })
    }

    /// A namespace that is there already.
    pub fn shop(&self, name: &str) -> Shop<'_> {
        let orders = Api::namespaced(self.installation.stack.kubernetes.client(), name);
        Shop { world: self, namespace: name.to_owned(), orders, sku: "paella".to_owned() }
    }

    fn faults(&self) -> Result<&Path> {
        self.faults.as_deref().context("the operators of this world have no faults")
    }
}

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
            "prepare, deliver",
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
        commands: "prepare, deliver".to_owned(),
    };
    ensure!(facts == expected, "{}/{order}: found {facts:#?}, expected {expected:#?}", snapshot.namespace());
    Ok(())
}

/// One paella for the canary.
pub fn paella() -> OrderSpec {
    OrderSpec {
        order_id: None,
        class_name: CLASS.to_owned(),
        customer: Customer { inline: Some(canary()), secret_ref: None, ledger: None },
        store: STORE.to_owned(),
        items: vec![Item { sku: "paella".to_owned(), quantity: 1, unit_price: None }],
        currency: "EUR".to_owned(),
        total: None,
        payment: Payment { payment_method: "pm_card_visa".to_owned(), customer: None },
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
///
/// # Errors
/// When it never was in a cluster.
pub fn uid(order: &Order) -> Result<String> {
    order.uid().context("an object has a uid")
}
