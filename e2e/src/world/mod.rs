//! The installation that the scenes of a test program share, and their way of asking for things.

mod faults;
mod machine;
mod samples;
mod shop;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, Timeouts};
use comanda_steps::adapters::iot::{IotDevices, IotSettings, Pem};
pub use machine::Tablet;
pub use samples::{CANARIES, canary, over_http, paella};
pub use shop::{Shop, charged_once, condition, uid};
use tokio::sync::{Mutex, MutexGuard};

use crate::installation::{self, Installation, Operator, PREFIX, TENANT, all_phases};
use crate::stack::Options;
use crate::stack::aws::Holder;
use crate::stack::progress::Progress;
use crate::stack::simulators::{Device, Role, Simulator};
use crate::stack::tools::{Build, Profile, functions_binary};

/// The class of most scenes.
pub const CLASS: &str = "fast";
/// The class that captures at once.
pub const AT_ONCE: &str = "fast-at-once";
/// The class of scenes in which a service is away for long: devices may take a quarter of an hour.
pub const PATIENT: &str = "patient";
/// The class whose orders a machine carries from their first phase to their last, where there is one.
pub const DELEGATED: &str = "delegated";
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
    Timeouts {
        kitchen_seconds: 8,
        courier_seconds: 12,
        pickup_seconds: 4,
        customer_seconds: 14,
        recall_seconds: 2,
    }
}

/// Longer than any service is away; only a recall is given up soon.
pub fn patience() -> Timeouts {
    Timeouts {
        kitchen_seconds: 900,
        courier_seconds: 900,
        pickup_seconds: 900,
        customer_seconds: 900,
        recall_seconds: 2,
    }
}

/// Waits until it is so.
///
/// # Errors
/// When it is not so in [`SOON`], or cannot be found out.
pub async fn until(what: &str, holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    until_within(SOON, what, holds).await
}

/// Waits until it is so.
///
/// # Errors
/// When it is not so within `patience`, or cannot be found out.
pub async fn until_within(
    patience: Duration,
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let begun = Instant::now();
    while !holds().await? {
        ensure!(begun.elapsed() < patience, "{what}: not within {patience:?}");
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

    /// The same on what `lambdas/template.yaml` makes, with a machine. Its policies bind the devices, so all orders are in
    /// the namespace [`TENANT`].
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn with_machine(options: Options) -> Result<Self> {
        let progress = Progress::stderr();
        progress.line("building the functions");
        let functions = functions_binary(Profile::current(), Build::Plain).await?;
        let options = Options { functions: Some(functions), ..options };
        let installation = Installation::start(options, &progress).await?;
        let deployment = installation.stack.aws.deployment().context("it is deployed")?;
        installation.stack.stripe.send_events_to(&deployment.webhook_url()).await?;
        Self::begin(installation, None).await
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
        let bound = installation.stack.aws.deployment().is_some();
        let device = |role, name| {
            let device = Device::new(role, name, PREFIX).arg("--accept-ms", "20");
            if bound { device.of(TENANT, STORE) } else { device }
        };
        let kitchen = device(Role::Kitchen, "kitchen")
            .arg("--prepare-ms", "150")
            .rule("rejects*=reject")
            .rule("silent*=silent")
            .rule("slow*=slow:1500")
            .rule("dead*=dead-at-cancel")
            .rule("twice*=duplicate")
            .rule("wild*=flood:10000")
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
        if self.installation.stack.aws.deployment().is_some() {
            let spec = self.installation.class_spec(patience(), Capture::WhenReady);
            let spec = self.installation.delegating(spec, all_phases())?;
            self.installation.apply_class(DELEGATED, spec).await?;
            let spec = self.installation.class_spec(patience(), Capture::WhenReady);
            self.installation.apply_class(installation::CLASS, self.installation.taking_in(spec)?).await?;
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
        let certificate = aws.device_certificate(client_id, &Holder::Anyone).await?;
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

    fn faults(&self) -> Result<&Path> {
        self.faults.as_deref().context("the operators of this world have no faults")
    }
}
