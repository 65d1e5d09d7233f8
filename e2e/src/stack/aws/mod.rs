//! AWS: ministack, an emulator of the services the operator uses, with the tables, topic, queue and device
//! certificates an installation needs.

mod account;
pub mod alarms;
mod api;
mod catalogue;
mod cli;
mod deployment;
mod executions;
mod iot;
mod messages;
mod provision;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::KeyType;
use serde_json::Value;

use super::port::free_port;
use super::process::Process;
use super::tools::Tools;
pub use account::{ACCOUNT, REGION};
pub use api::{Answer, Caller};
pub use catalogue::CatalogueItem;
use cli::Cli;
pub use deployment::{AccessKey, Deployment, DevicePolicies, Functions, ON_CALL};
pub use iot::{DeviceCertificate, Holder, IotEndpoint, Place};
pub use provision::Resources;

/// The account's root, who may do everything. Where no policies are enforced, any key will do.
const ACCESS_KEY: &str = "comanda-local";
const SECRET_KEY: &str = "not-a-secret";

/// ministack as it is started: with corrections where it is laxer than AWS.
const SERVER: &str = concat!(
    include_str!("states.py"),
    include_str!("permissions.py"),
    include_str!("alarms.py"),
    include_str!("server.py")
);

/// Where functions find the faults planned for them, and say which of them happened.
const FAULTS: &str = "faults";

const PATIENCE: Duration = Duration::from_mins(1);

/// A running ministack with an installation's resources.
#[derive(Debug)]
pub struct Aws {
    process: Process,
    dir: PathBuf,
    endpoint: String,
    iot: IotEndpoint,
    resources: Resources,
    deployment: Option<Deployment>,
    /// Speaks with the account's own key.
    cli: Cli,
    config: aws_config::SdkConfig,
}

impl Aws {
    /// Starts ministack with its state below `dir` and creates the resources: a few, or all of
    /// `lambdas/template.yaml` with the program of its functions.
    ///
    /// # Errors
    /// When ministack does not come up or refuses a resource.
    pub async fn start(tools: &Tools, dir: &Path, functions: Option<Functions<'_>>) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let (port, mqtt_port) = (free_port()?, free_port()?);
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = command(tools, dir, port, mqtt_port);
        if functions.is_some() {
            // Whoever calls is held to IAM, and whatever is sent to a queue to the queue's policy.
            command.env("AUTH", "true");
        }
        let mut process = Process::spawn("ministack", command, &dir.join("ministack.log"))?;

        let ready = format!("{endpoint}/_ministack/ready");
        process
            .ready("its HTTP and MQTT ports", PATIENCE, async || {
                let answer: Value = reqwest::get(&ready).await.ok()?.json().await.ok()?;
                (answer["iot_mtls"] == "listening").then_some(())
            })
            .await?;

        let config = sdk_config(&endpoint).await;
        let mut iot = IotEndpoint::open(&endpoint, mqtt_port, dir).await?;
        let cli = Cli { python: tools.python.clone(), env: env_of(&endpoint, ACCESS_KEY, SECRET_KEY) };
        let (deployment, resources) = match functions {
            None => (None, provision::create(&config).await.context("creating the AWS resources")?),
            Some(functions) => {
                let deployment = deployment::deploy(&cli, &dir.join("package"), functions, &endpoint)
                    .await
                    .context("deploying lambdas/template.yaml")?;
                let resources = provision::of(&deployment, &config).await?;
                iot.hold_to(deployment.policies.clone());
                (Some(deployment), resources)
            }
        };
        Ok(Self { process, dir: dir.to_owned(), endpoint, iot, resources, deployment, cli, config })
    }

    /// The URL of every HTTP service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The broker of the devices.
    pub fn iot(&self) -> &IotEndpoint {
        &self.iot
    }

    /// Names and ARNs of what was created.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What was deployed, if the stack was asked to.
    pub fn deployment(&self) -> Option<&Deployment> {
        self.deployment.as_ref()
    }

    /// The SDK configuration that leads here, for further clients.
    pub fn sdk_config(&self) -> &aws_config::SdkConfig {
        &self.config
    }

    /// The environment that leads a child's AWS SDK here and to no real account. It may do everything.
    pub fn env(&self) -> Vec<(String, String)> {
        env_of(&self.endpoint, ACCESS_KEY, SECRET_KEY)
    }

    /// The same for an operator, who may do what the deployed policy says.
    pub fn operator_env(&self) -> Vec<(String, String)> {
        match &self.deployment {
            Some(Deployment { operator, .. }) => env_of(&self.endpoint, &operator.id, &operator.secret),
            None => self.env(),
        }
    }

    /// Where functions find the faults planned for them, if they are built to have any.
    pub fn faults(&self) -> PathBuf {
        self.dir.join(FAULTS)
    }

    /// The ministack process, to pause, resume or kill it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Creates a further table, whose keys are strings.
    ///
    /// # Errors
    /// When there is one of this name.
    pub async fn create_table(&self, name: &str, key: &[(&str, KeyType)]) -> Result<()> {
        provision::create_table(&self.dynamodb(), name, key).await
    }

    /// Puts the items into the catalogue, over what was there.
    ///
    /// # Errors
    /// When `DynamoDB` refuses.
    pub async fn seed_catalogue(&self, installation: &str, items: &[CatalogueItem]) -> Result<()> {
        catalogue::seed(&self.dynamodb(), &self.resources.catalogue_table, installation, items).await
    }

    /// The stock of one article.
    ///
    /// # Errors
    /// When there is no such article.
    pub async fn stock(&self, installation: &str, store: &str, sku: &str) -> Result<i64> {
        catalogue::stock(&self.dynamodb(), &self.resources.catalogue_table, installation, store, sku).await
    }

    /// Every item of the ledger, as JSON, in no order. What is sealed is left out.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn ledger_items(&self) -> Result<Vec<Value>> {
        let pages = self.dynamodb().scan().table_name(&self.resources.ledger_table).consistent_read(true);
        let items = pages.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        items
            .into_iter()
            .map(|mut item| {
                item.retain(|_, value| !value.is_b());
                Ok(serde_dynamo::from_item(item)?)
            })
            .collect()
    }

    /// Takes every notification out of the evidence queue.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn drain_notifications(&self) -> Result<Vec<Value>> {
        self.drain(&self.resources.notifications_queue_url).await
    }

    /// Takes every message out of a queue.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn drain(&self, queue: &str) -> Result<Vec<Value>> {
        messages::drain(&self.config, queue).await
    }

    /// The URL of a new queue that gets what is published to a topic.
    ///
    /// # Errors
    /// When SNS or SQS refuses.
    pub async fn subscribe(&self, name: &str, topic: &str) -> Result<String> {
        messages::subscribe(&self.config, name, topic).await
    }

    /// The names of the states that an execution entered, in order, but for those that only choose.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn states_entered(&self, execution: &str) -> Result<Vec<String>> {
        executions::states_entered(&aws_sdk_sfn::Client::new(&self.config), execution).await
    }

    /// The names of the states of an execution that ended by time, in order.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn states_timed_out(&self, execution: &str) -> Result<Vec<String>> {
        executions::states_timed_out(&aws_sdk_sfn::Client::new(&self.config), execution).await
    }

    /// The state in which an execution waits on a token, once its function is back; none while it does not.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn waits_in(&self, execution: &str) -> Result<Option<String>> {
        executions::waits_in(&aws_sdk_sfn::Client::new(&self.config), execution).await
    }

    /// The names of the states of an execution whose function failed, in order, once for each failure.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn states_failed(&self, execution: &str) -> Result<Vec<String>> {
        executions::states_failed(&aws_sdk_sfn::Client::new(&self.config), execution).await
    }

    /// What was asked of Step Functions by an action, such as `DescribeExecution`, in order, by whomever.
    ///
    /// # Errors
    /// When nothing ever was.
    pub fn states_calls(&self, action: &str) -> Result<Vec<Value>> {
        executions::calls(&self.dir, action)
    }

    /// What a deployed function answers, by the end of its name.
    ///
    /// # Errors
    /// When it fails.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value> {
        deployment::invoke(&self.endpoint, function, payload).await
    }

    /// The ARNs of all executions of the deployed machine, the first one first.
    ///
    /// # Errors
    /// When there is no machine.
    pub async fn executions(&self) -> Result<Vec<String>> {
        let deployment = self.deployment.as_ref().context("this stack has no machine")?;
        executions::executions(&aws_sdk_sfn::Client::new(&self.config), &deployment.state_machine_arn).await
    }

    /// Makes the device `name` a thing with the policy of its holder, issues a certificate, writes it below the run
    /// directory and returns it.
    ///
    /// # Errors
    /// When `IoT` refuses.
    pub async fn device_certificate(&self, name: &str, holder: &Holder) -> Result<DeviceCertificate> {
        self.iot.device_certificate(&self.endpoint, name, holder).await
    }

    /// Makes IoT keep what devices say below `prefix` in the ledger, whether or not an operator listens. What is deployed
    /// does so by itself.
    ///
    /// # Errors
    /// When `IoT` refuses.
    pub async fn keep_device_events(&self, prefix: &str) -> Result<()> {
        self.iot.keep_events(&self.endpoint, prefix, &self.resources.ledger_table).await
    }

    /// Who used which right, of all that is called with other keys than the account's own: the ARN, and the action.
    ///
    /// # Errors
    /// When nothing is deployed, so that no right is asked for.
    pub fn permissions_used(&self) -> Result<Vec<(String, String)>> {
        let noted = fs::read_to_string(self.dir.join("permissions-used")).context("no right was used")?;
        let line = |line: &str| line.split_once('\t').map(|(who, what)| (who.to_owned(), what.to_owned()));
        Ok(noted.lines().filter_map(line).collect())
    }

    /// Takes a right from a function, whose role has this logical name in the template.
    ///
    /// # Errors
    /// When nothing is deployed, or the template has no such role.
    pub async fn deny(&self, role: &str, action: &str) -> Result<()> {
        deployment::deny(&self.cli, role, action).await
    }

    /// Gives back what was taken from a role.
    ///
    /// # Errors
    /// When nothing was.
    pub async fn allow(&self, role: &str) -> Result<()> {
        deployment::allow(&self.cli, role).await
    }

    /// Has every call of a function throttled, by the end of its name, or none any more.
    ///
    /// # Errors
    /// When nothing is deployed, or it has no such function.
    pub async fn throttle(&self, function: &str, every: bool) -> Result<()> {
        deployment::throttle(&self.cli, function, every).await
    }

    /// Stops ministack.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(mut self) -> Result<()> {
        self.process.terminate(Duration::from_secs(2)).await?;
        Ok(())
    }

    /// A client of the ledger and the catalogue, and of other tables that a test makes.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }
}

fn command(tools: &Tools, dir: &Path, port: u16, mqtt_port: u16) -> Command {
    let mut command = Command::new(&tools.python);
    command.args(["-c", SERVER]);
    let paths: [(&str, PathBuf); 3] =
        [("TMPDIR", dir.to_owned()), ("STATE_DIR", dir.join("state")), ("S3_DATA_DIR", dir.join("s3"))];
    command.envs(paths).current_dir(dir);
    command.env("GATEWAY_PORT", port.to_string()).env("IOT_MTLS_PORT", mqtt_port.to_string());
    // Some of the names ministack builds, such as its certificate's, come from this one.
    command.env("BIND_HOST", "127.0.0.1").env("MINISTACK_HOST", "localhost");
    command.env("MINISTACK_REGION", REGION).env("SFTP_ENABLED", "0");
    // What it runs as a Lambda finds it by this.
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    // Its functions inherit its environment: a build with faults finds those planned for it by this, and no template has
    // to know.
    command.env("COMANDA_FAULTS", dir.join(FAULTS));
    // What it cannot deliver to a device that is gone it reports as an error, with a traceback that is longer each
    // time, and comes to do nothing else.
    command.env("LOG_LEVEL", "CRITICAL");
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    command
}

fn env_of(endpoint: &str, key: &str, secret: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // A profile of the user must not win over the line above.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

async fn sdk_config(endpoint: &str) -> aws_config::SdkConfig {
    let credentials =
        aws_sdk_dynamodb::config::Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "comanda-e2e");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        // Whoever looks for evidence is patient: the emulator may be busy with what is looked at.
        .timeout_config(TimeoutConfig::builder().connect_timeout(PATIENCE).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}
