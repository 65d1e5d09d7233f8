//! The AWS side as users deploy it: `lambdas/template.yaml`, packaged and deployed by the AWS CLI.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Aws;
use super::cli::Cli;
use crate::installation::{CLASS, TENANT};
use crate::stack::simulators::{INSTALLATION, PREFIX};
use crate::stack::stripe;

/// Who would be told of alarms. The emulator sends no e-mail.
pub const ON_CALL: &str = "oncall@example.com";
/// Alarms of which one of what they count is enough here, so that they are seen.
const AT_ONCE: [&str; 5] =
    ["OrdersRefused", "PaymentErrors", "StatusUpdateErrors", "FunctionErrors", "FunctionThrottles"];
const BUCKET: &str = "comanda-packages";
const OPERATOR: &str = "comanda-operator";

/// What was deployed, by the outputs of its stack.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The ledger.
    pub ledger_table: String,
    /// The catalogue.
    pub catalogue_table: String,
    /// The topic customers are told through.
    pub notifications_topic_arn: String,
    /// The machine that carries orders.
    pub state_machine_arn: String,
    /// By which the machine says that an order moved, waits or ended.
    pub wake_queue_url: String,
    /// Where orders that came over HTTP wait for room.
    pub intake_queue_url: String,
    /// Where orders are sent, `POST /orders`.
    pub api_url: String,
    /// Where messages end that nobody could be given.
    pub dead_letter_queue_url: String,
    /// Where alarms are published.
    pub alarms_topic_arn: String,
    /// The names of the policies of certificates.
    pub policies: DevicePolicies,
    /// A user with the operator's policy, and no other.
    pub operator: AccessKey,
    /// What customers' data is sealed with, base64. Functions have it from Secrets Manager.
    pub contact_key: String,
    /// Its ARN there.
    pub contact_key_secret: String,
}

/// What functions are deployed with.
#[derive(Clone, Copy, Debug)]
pub struct Functions<'a> {
    /// Their program.
    pub program: &'a Path,
    /// Where the function that hears of payments finds Stripe.
    pub stripe_url: &'a str,
}

impl Deployment {
    /// Where Stripe sends its events.
    pub fn webhook_url(&self) -> String {
        format!("{}/webhooks/stripe", self.api_url)
    }
}

/// Which policy of `IoT` is whose.
#[derive(Clone, Debug)]
pub struct DevicePolicies {
    /// The operator's.
    pub operator: String,
    /// That of tablets.
    pub kitchen: String,
    /// That of couriers.
    pub courier: String,
}

/// With which somebody signs.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// What is kept secret of it.
    pub secret: String,
}

/// Makes the secrets, packages and deploys the template with the program of its functions, and makes the operator's user.
/// `dir` gets the package.
pub(super) async fn deploy(
    cli: &Cli,
    dir: &Path,
    functions: Functions<'_>,
    endpoint: &str,
) -> Result<Deployment> {
    let name = stack_name();
    let template = lay_out(dir, functions.program).await?;
    let contact_key = STANDARD.encode(uuid::Uuid::new_v4().as_bytes().repeat(2));
    let (stripe_secret, signing_secret, contact_secret, _) = tokio::try_join!(
        make_secret(cli, "stripe", stripe::SECRET_KEY),
        make_secret(cli, "stripe-webhook", stripe::SIGNING_SECRET),
        make_secret(cli, "contact-key", &contact_key),
        cli.run(&["s3api", "create-bucket", "--bucket", BUCKET]),
    )?;

    let packaged = dir.join("packaged.yaml");
    let (template, packaged) = (path(&template)?, path(&packaged)?);
    let package = ["cloudformation", "package", "--template-file", template, "--s3-bucket", BUCKET];
    cli.run(&[&package[..], &["--output-template-file", packaged]].concat()).await?;

    let mut parameters = vec![
        format!("Installation={INSTALLATION}"),
        format!("TopicPrefix={PREFIX}"),
        format!("IotDataEndpoint={endpoint}"),
        format!("StripeSecretArn={stripe_secret}"),
        format!("StripeWebhookSecretArn={signing_secret}"),
        format!("StripeUrl={}", functions.stripe_url),
        format!("ContactKeySecretArn={contact_secret}"),
        format!("Architecture={}", architecture()),
        format!("Tenant={TENANT}"),
        format!("OrderClass={CLASS}"),
        "DeletionProtection=false".to_owned(),
        format!("AlarmEmail={ON_CALL}"),
    ];
    parameters.extend(AT_ONCE.map(|threshold| format!("{threshold}Threshold=1")));
    let mut deploy = vec!["cloudformation", "deploy", "--template-file", packaged, "--stack-name", &name];
    // A template of more than 51,200 bytes goes by a bucket.
    deploy.extend(["--s3-bucket", BUCKET]);
    deploy.extend(["--capabilities", "CAPABILITY_IAM", "--parameter-overrides"]);
    deploy.extend(parameters.iter().map(String::as_str));
    if let Err(error) = cli.run(&deploy).await {
        let failed =
            "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]";
        let events = ["cloudformation", "describe-stack-events", "--stack-name", &name, "--query", failed];
        return Err(error.context(cli.run(&events).await.unwrap_or_default()));
    }

    let outputs = Outputs::of(cli, &name).await?;
    Ok(Deployment {
        ledger_table: outputs.get("LedgerTable")?,
        catalogue_table: outputs.get("CatalogueTable")?,
        notifications_topic_arn: outputs.get("NotificationsTopicArn")?,
        state_machine_arn: outputs.get("StateMachineArn")?,
        wake_queue_url: outputs.get("WakeQueueUrl")?,
        intake_queue_url: outputs.get("IntakeQueueUrl")?,
        api_url: api_url(endpoint, &outputs.get("ApiUrl")?)?,
        dead_letter_queue_url: outputs.get("DeadLetterQueueUrl")?,
        alarms_topic_arn: outputs.get("AlarmsTopicArn")?,
        policies: DevicePolicies {
            operator: outputs.get("OperatorDevicePolicy")?,
            kitchen: outputs.get("KitchenDevicePolicy")?,
            courier: outputs.get("CourierDevicePolicy")?,
        },
        operator: make_operator(cli, &outputs.get("OperatorPolicyArn")?).await?,
        contact_key,
        contact_key_secret: contact_secret,
    })
}

/// What a function answers when it is called by its name, which begins with the stack's.
pub(super) async fn invoke(endpoint: &str, function: &str, payload: &Value) -> Result<Value> {
    let url = format!("{endpoint}/2015-03-31/functions/{}-{function}/invocations", stack_name());
    let answer = super::iot::as_root(reqwest::Client::new().post(url), "lambda").json(payload).send().await?;
    let failed = answer.headers().contains_key("x-amz-function-error");
    let (status, said) = (answer.status(), answer.text().await?);
    ensure!(status.is_success() && !failed, "{function} answers {status}: {said}");
    Ok(serde_json::from_str(&said)?)
}

impl Aws {
    /// The lines that a deployed function logged, by the end of its name.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn function_log(&self, function: &str) -> Result<Vec<Value>> {
        let group = format!("/aws/lambda/{}-{function}", stack_name());
        let told = self.cli.json(&["logs", "filter-log-events", "--log-group-name", &group]).await?;
        let lines = told["events"].as_array().into_iter().flatten();
        let lines = lines.filter_map(|event| event["message"].as_str()).flat_map(str::lines);
        Ok(lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// By which a right is taken from a role, whatever its other policies grant.
const DENIED: &str = "denied";

/// Takes a right from a role, by its logical name.
pub(super) async fn deny(cli: &Cli, role: &str, action: &str) -> Result<()> {
    let statement = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    let put =
        ["iam", "put-role-policy", "--role-name", &role_name(cli, role).await?, "--policy-name", DENIED];
    cli.run(&[&put[..], &["--policy-document", &policy]].concat()).await.map(drop)
}

/// Gives it back.
pub(super) async fn allow(cli: &Cli, role: &str) -> Result<()> {
    let name = role_name(cli, role).await?;
    cli.run(&["iam", "delete-role-policy", "--role-name", &name, "--policy-name", DENIED]).await.map(drop)
}

/// Has every call of a function throttled, or none any more.
pub(super) async fn throttle(cli: &Cli, function: &str, every: bool) -> Result<()> {
    let name = format!("{}-{function}", stack_name());
    let (limit, none) = ("put-function-concurrency", ["--reserved-concurrent-executions", "0"]);
    let (action, none) = if every { (limit, &none[..]) } else { ("delete-function-concurrency", &[][..]) };
    cli.run(&[&["lambda", action, "--function-name", &name][..], none].concat()).await.map(drop)
}

async fn role_name(cli: &Cli, role: &str) -> Result<String> {
    let resource = ["cloudformation", "describe-stack-resource", "--stack-name", &stack_name()];
    let described = cli.json(&[&resource[..], &["--logical-resource-id", role]].concat()).await?;
    text(&described["StackResourceDetail"]["PhysicalResourceId"])
}

pub(super) fn stack_name() -> String {
    format!("comanda-{INSTALLATION}")
}

/// The files below `dir` as the template finds them in a checkout. Cargo's own directory may be anywhere. The functions have a
/// copy each of their package, which here is a line that runs the one program.
async fn lay_out(dir: &Path, program: &Path) -> Result<PathBuf> {
    let (from, to) = (crate::package().join("../lambdas"), dir.join("lambdas"));
    let functions = dir.join("target/lambda/comanda");
    fs::create_dir_all(to.join("statemachines"))?;
    fs::create_dir_all(&functions)?;
    for file in ["template.yaml", "statemachines/order.asl.json"] {
        fs::copy(from.join(file), to.join(file)).with_context(|| format!("copying {file}"))?;
    }
    // Another build may put its own program in the place of this one. What a debugger wants is nine tenths of it.
    let own = dir.join("functions");
    fs::copy(program, &own).context("copying the functions' program")?;
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg(&own);
    tokio::task::spawn_blocking(move || strip.output()).await?.ok();
    let bootstrap = functions.join("bootstrap");
    fs::write(&bootstrap, format!("#!/bin/sh\nexec '{}' \"$@\"\n", path(&dir.join("functions"))?))?;
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755))?;
    Ok(to.join("template.yaml"))
}

/// Its ARN.
async fn make_secret(cli: &Cli, name: &str, value: &str) -> Result<String> {
    let command = ["secretsmanager", "create-secret", "--name", name, "--secret-string", value];
    text(&cli.json(&command).await?["ARN"])
}

async fn make_operator(cli: &Cli, policy: &str) -> Result<AccessKey> {
    cli.run(&["iam", "create-user", "--user-name", OPERATOR]).await?;
    let attach = ["iam", "attach-user-policy", "--user-name", OPERATOR, "--policy-arn", policy];
    let (_, key) = tokio::try_join!(cli.run(&attach), make_key(cli, OPERATOR))?;
    Ok(key)
}

/// Makes a user's key.
pub(super) async fn make_key(cli: &Cli, user: &str) -> Result<AccessKey> {
    let made = cli.json(&["iam", "create-access-key", "--user-name", user]).await?;
    let key = &made["AccessKey"];
    Ok(AccessKey { id: text(&key["AccessKeyId"])?, secret: text(&key["SecretAccessKey"])? })
}

/// Where the API is without a name server: its host's first label is its id.
fn api_url(endpoint: &str, output: &str) -> Result<String> {
    let host = output.split_once("://").map_or(output, |(_, host)| host);
    let id = host.split('.').next().context("the API's URL has no host")?;
    Ok(format!("{endpoint}/_aws/execute-api/{id}/$default"))
}

/// What a stack says of itself.
struct Outputs(Vec<Value>);

impl Outputs {
    async fn of(cli: &Cli, stack: &str) -> Result<Self> {
        let described = cli.json(&["cloudformation", "describe-stacks", "--stack-name", stack]).await?;
        let outputs = described["Stacks"][0]["Outputs"].as_array().cloned().unwrap_or_default();
        ensure!(!outputs.is_empty(), "the stack {stack} has no outputs: {described}");
        Ok(Self(outputs))
    }

    fn get(&self, key: &str) -> Result<String> {
        let output = self.0.iter().find(|output| output["OutputKey"] == key);
        text(&output.with_context(|| format!("the stack has no output {key}"))?["OutputValue"])
    }
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("AWS left out a field")
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the run directory's name is no text")
}

fn architecture() -> &'static str {
    if env::consts::ARCH == "aarch64" { "arm64" } else { "x86_64" }
}
