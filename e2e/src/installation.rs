//! Comanda installed on a local stack: definitions, rules, Secrets, a class, and operators as processes.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use comanda_crds::{
    Capture, Catalogue, DEVICE_PHASES, Devices, Executor, Intake, Ledger, Notifications, OrderClass,
    OrderClassSpec, PAYMENT_PHASES, Payments, Phase, SecretKeyRef, SecretName, StepFunctions, Stripe,
    Timeouts, Validation, Webhook,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::fault_proxy::{FaultProxy, Routes};
use crate::stack::aws::{
    Holder, {CatalogueItem, DeviceCertificate},
};
use crate::stack::port::free_port;
use crate::stack::process::Process;
use crate::stack::progress::Progress;
pub use crate::stack::simulators::{INSTALLATION, PREFIX};
use crate::stack::tools::{Build, Profile, operator_binary};
use crate::stack::{self, Stack};

/// The operator's namespace.
pub const NAMESPACE: &str = "comanda-system";
/// The namespace of orders.
pub const TENANT: &str = "demo";
/// The class of orders.
pub const CLASS: &str = "demo";

/// Where customers would land after a confirmation.
const RETURN_URL: &str = "https://shop.example.com/paid";
const STRIPE_SECRET: &str = "stripe";
const CONTACT_SECRET: &str = "contact-key";
const BROKER_SECRET: &str = "broker";
const WEBHOOK_SECRET: &str = "stripe-webhook";
const SERVICE_ACCOUNT: &str = "comanda-operator";
const FIELD_MANAGER: &str = "comanda-e2e";

/// Every phase that a class can delegate.
pub fn all_phases() -> Vec<Phase> {
    use Phase::{Compensating, Delivering, Notifying, Paying, Preparing, Validating};
    vec![Validating, Paying, Notifying, Preparing, Delivering, Compensating]
}

/// An installation on a stack of its own.
pub struct Installation {
    /// The servers.
    pub stack: Stack,
    /// What is between the operators and the servers, when faults are planned.
    pub proxy: Option<FaultProxy>,
    binary: PathBuf,
    kubeconfig: PathBuf,
    /// What the operator shows the broker.
    certificate: DeviceCertificate,
    /// What customers' data is sealed with, base64.
    contact_key: String,
    notifications: Mutex<Vec<Value>>,
}

impl Installation {
    /// Builds the operator, starts a stack and installs everything but the operator's process.
    ///
    /// # Errors
    /// When something cannot be built, started or applied.
    pub async fn start(options: stack::Options, progress: &Progress) -> Result<Self> {
        Self::install(options, Build::Plain, progress).await
    }

    /// The same with an operator that can be stopped at named boundaries, and a fault proxy before every
    /// service.
    ///
    /// # Errors
    /// As [`Installation::start`].
    pub async fn with_faults(options: stack::Options, progress: &Progress) -> Result<Self> {
        Self::install(options, Build::Faults, progress).await
    }

    async fn install(options: stack::Options, build: Build, progress: &Progress) -> Result<Self> {
        // Cargo shows by itself how far it is; lines in between would break its bar.
        progress.line("building the operator");
        let binary = operator_binary(Profile::current(), build).await?;
        let stack = Stack::start(options, progress).await?;
        // Another build may put its own program in the place of this one.
        let own = stack.dir().join("comanda-operator");
        std::fs::copy(&binary, &own).context("copying the operator")?;
        let certificate = stack.aws.device_certificate("comanda-operator", &Holder::Operator).await?;
        let proxy = match build {
            Build::Plain => None,
            Build::Faults => Some(FaultProxy::start(&stack, certificate.clone()).await?),
        };
        let routes = proxy.as_ref().map(FaultProxy::routes);
        let kubeconfig = Self::prepare_cluster(&stack, routes).await?;
        let items = CatalogueItem::list(include_str!("../catalogue.yaml"))?;
        stack.aws.seed_catalogue(INSTALLATION, &items).await?;
        let contact_key = if let Some(deployment) = stack.aws.deployment() {
            deployment.contact_key.clone()
        } else {
            stack.aws.keep_device_events(PREFIX).await?;
            STANDARD.encode(uuid::Uuid::new_v4().as_bytes().repeat(2))
        };
        let notifications = Mutex::default();
        let installation =
            Self { stack, proxy, binary: own, kubeconfig, certificate, contact_key, notifications };
        installation.make_secrets().await?;
        Ok(installation)
    }

    /// Definitions, rules, and the operator's account, in whose name its kubeconfig speaks.
    async fn prepare_cluster(stack: &Stack, routes: Option<&Routes>) -> Result<PathBuf> {
        let kubernetes = &stack.kubernetes;
        for namespace in [NAMESPACE, TENANT] {
            kubernetes.ensure_namespace(namespace).await?;
        }
        let files = crate::package().join("../charts/comanda/files");
        kubernetes.install_definitions(&files.join("crds")).await?;
        kubernetes.apply_path(&files.join("rbac.yaml"), NAMESPACE).await?;
        let server = routes.map(|routes| routes.kubernetes.as_str());
        kubernetes.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT, server).await
    }

    /// Installs everything but classes and operators again, in a cluster that was made anew: same Secrets, and
    /// the same services behind them.
    ///
    /// # Errors
    /// When something cannot be applied.
    pub async fn install_again(&self) -> Result<()> {
        // In the place of the last one, so that operators find it.
        let kubeconfig = Self::prepare_cluster(&self.stack, self.routes()).await?;
        ensure!(kubeconfig == self.kubeconfig, "the kubeconfig is elsewhere: {}", kubeconfig.display());
        self.make_secrets().await
    }

    /// Starts an operator that speaks as its service account, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready; the error shows the end of its log.
    pub async fn operator(&self, name: &str) -> Result<Operator> {
        self.operator_with(name, &[], &[]).await
    }

    /// The same with further flags and variables.
    ///
    /// # Errors
    /// As [`Installation::operator`].
    pub async fn operator_with(
        &self,
        name: &str,
        flags: &[&str],
        variables: &[(&str, &OsStr)],
    ) -> Result<Operator> {
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let listen = format!("127.0.0.1:{port}");
        let mut command =
            self.operator_command(&["--namespace", NAMESPACE, "--replica", name, "--listen", &listen]);
        command.args(flags).envs(variables.iter().copied());
        let log = self.stack.dir().join(format!("{name}.log"));
        let mut process = Process::spawn(name, command, &log)?;
        let ready = format!("{url}/readyz");
        process
            .ready("/readyz", Duration::from_secs(30), async || {
                reqwest::get(&ready).await.ok()?.error_for_status().ok().map(drop)
            })
            .await?;
        Ok(Operator { process, url })
    }

    /// A command that runs the operator with these arguments and an environment that leads to this stack.
    pub fn operator_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.envs(self.stack.aws.operator_env()).env("KUBECONFIG", &self.kubeconfig).args(arguments);
        if let Some(routes) = self.routes() {
            command.env("AWS_ENDPOINT_URL", &routes.aws);
        }
        command
    }

    fn routes(&self) -> Option<&Routes> {
        self.proxy.as_ref().map(FaultProxy::routes)
    }

    /// Every message to a customer since the start.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn notifications(&self) -> Result<Vec<Value>> {
        let mut all = self.notifications.lock().await;
        all.extend(self.stack.aws.drain_notifications().await?);
        Ok(all.clone())
    }

    /// The class spec that leads to this stack's services.
    pub fn class_spec(&self, timeouts: Timeouts, capture: Capture) -> OrderClassSpec {
        let resources = self.stack.aws.resources();
        let key =
            |secret: &str, key: &str| SecretKeyRef { secret_name: secret.to_owned(), key: key.to_owned() };
        OrderClassSpec {
            executor: None,
            validation: Validation::default(),
            installation: INSTALLATION.to_owned(),
            aws: None,
            ledger: Ledger { table: resources.ledger_table.clone(), contact_key: key(CONTACT_SECRET, "key") },
            catalogue: Catalogue { table: resources.catalogue_table.clone() },
            notifications: Notifications { topic_arn: resources.notifications_topic_arn.clone() },
            payments: Payments {
                stripe: Stripe {
                    secret_key: Some(key(STRIPE_SECRET, "secret-key")),
                    url: self.routes().map_or(self.stack.stripe.url(), |routes| &routes.stripe).to_owned(),
                    return_url: Some(RETURN_URL.to_owned()),
                    webhook: None,
                },
                capture,
            },
            devices: Devices {
                endpoint: self
                    .routes()
                    .map_or_else(|| self.stack.aws.iot().address(), |routes| routes.broker.clone()),
                topic_prefix: PREFIX.to_owned(),
                certificate: Some(SecretName { secret_name: BROKER_SECRET.to_owned() }),
            },
            timeouts,
            retries: comanda_crds::Retries::default(),
            suspend: false,
            max_live_orders: None,
            intake: None,
        }
    }

    /// The webhook of a class of which the operator takes in what Stripe says.
    pub fn webhook(&self) -> Webhook {
        let (secret_name, key) = (WEBHOOK_SECRET.to_owned(), "signing-secret".to_owned());
        Webhook { signing_secret: Some(SecretKeyRef { secret_name, key }) }
    }

    /// The class spec of orders that come over HTTP, which are cancelled by the wake queue.
    ///
    /// # Errors
    /// When the stack deployed no intake.
    pub fn taking_in(&self, spec: OrderClassSpec) -> Result<OrderClassSpec> {
        let deployment = self.stack.aws.deployment().context("this stack has no intake")?;
        let intake = Intake {
            queue_url: deployment.intake_queue_url.clone(),
            wake_queue_url: spec.executor.is_none().then(|| deployment.wake_queue_url.clone()),
            namespace: TENANT.to_owned(),
            ttl_seconds_after_finished: 3600,
        };
        Ok(OrderClassSpec { intake: Some(intake), ..spec })
    }

    /// The class spec with a machine that carries orders through these phases, and without what the operator then does not
    /// need.
    ///
    /// # Errors
    /// When the stack deployed no machine.
    pub fn delegating(&self, spec: OrderClassSpec, phases: Vec<Phase>) -> Result<OrderClassSpec> {
        let deployment = self.stack.aws.deployment().context("this stack has no machine")?;
        let step_functions = StepFunctions {
            state_machine_arn: deployment.state_machine_arn.clone(),
            queue_url: deployment.wake_queue_url.clone(),
            phases,
        };
        let delegated = |needed: &[Phase]| needed.iter().all(|phase| step_functions.phases.contains(phase));
        let OrderClassSpec { mut payments, mut devices, .. } = spec.clone();
        if delegated(&PAYMENT_PHASES) {
            payments.stripe.secret_key = None;
        }
        if delegated(&DEVICE_PHASES) {
            devices.certificate = None;
        }
        Ok(OrderClassSpec { executor: Some(Executor { step_functions }), payments, devices, ..spec })
    }

    /// Applies a class.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn apply_class(&self, name: &str, spec: OrderClassSpec) -> Result<()> {
        let classes: Api<OrderClass> = Api::all(self.stack.kubernetes.client());
        let class = OrderClass::new(name, spec);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        classes.patch(name, &parameters, &Patch::Apply(&class)).await.context("applying the class")?;
        Ok(())
    }

    async fn make_secrets(&self) -> Result<()> {
        let ca = match self.routes() {
            Some(routes) => routes.broker_authority.clone(),
            None => self.stack.aws.iot().ca_pem.clone(),
        };
        let certificate = &self.certificate;
        self.secret(STRIPE_SECRET, &[("secret-key", stack::stripe::SECRET_KEY)]).await?;
        self.secret(CONTACT_SECRET, &[("key", &self.contact_key)]).await?;
        self.secret(WEBHOOK_SECRET, &[("signing-secret", stack::stripe::SIGNING_SECRET)]).await?;
        self.secret(
            BROKER_SECRET,
            &[("tls.crt", &certificate.cert_pem), ("tls.key", &certificate.key_pem), ("ca.crt", &ca)],
        )
        .await
    }

    async fn secret(&self, name: &str, values: &[(&str, &str)]) -> Result<()> {
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            string_data: Some(
                values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ),
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.stack.kubernetes.client(), NAMESPACE);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let applied = secrets.patch(name, &parameters, &Patch::Apply(&secret)).await?;
        tracing::debug!(secret = applied.name_any(), "applied");
        Ok(())
    }
}

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    /// Its process, to pause, resume or kill it.
    pub process: Process,
    url: String,
}

impl Operator {
    /// Where it serves `/metrics`, `/healthz` and `/readyz`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What `/metrics` says.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(reqwest::get(format!("{}/metrics", self.url)).await?.error_for_status()?.text().await?)
    }

    /// Everything it logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(self.process.log()).context("reading the operator's log")
    }
}
