//! `lambdas/template.yaml`, deployed on the stack with a program that stands in for its functions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::ExecutionStatus;
use comanda_crds::{OrderClass, OrderClassSpec};
use comanda_e2e::installation::all_phases;
use comanda_e2e::stack::aws::{Aws, CatalogueItem, Deployment, Functions};
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::simulators::{Device, INSTALLATION, PREFIX, Role, Simulator};
use comanda_e2e::stack::tools::Tools;
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_the_template_makes_serves_its_machine_its_devices_and_its_operator() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let tools = Tools::ensure(&Progress::stderr()).await?;
    let program = stand_in(&tools.python, dir.path())?;
    // Nobody pays.
    let functions = Functions { program: &program, stripe_url: "http://127.0.0.1:1" };
    let aws = Aws::start(&tools, &dir.path().join("aws"), Some(functions)).await?;
    let deployment = aws.deployment().context("it deployed")?.clone();

    the_tables_and_the_topic_are_those_of_the_outputs(&aws).await?;
    the_operator_may_what_its_policy_grants_and_nothing_else(&aws, &deployment).await?;
    the_class_that_is_printed_is_of_the_outputs_and_delegates_everything(
        &aws,
        &deployment,
        &tools.python,
        dir.path(),
    )
    .await?;
    a_machine_run_tells_a_kitchen_and_is_woken_by_it(&aws, &deployment, dir.path()).await?;
    aws.stop().await
}

fn stand_in(python: &Path, dir: &Path) -> Result<PathBuf> {
    let program = dir.join("bootstrap");
    let script = include_str!("functions.py");
    fs::write(&program, format!("#!{} -E\n{script}", python.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

async fn the_tables_and_the_topic_are_those_of_the_outputs(aws: &Aws) -> Result<()> {
    let items = "[{store: centro, sku: margherita, name: Pizza, price: 4200, currency: BRL, stock: 7}]";
    aws.seed_catalogue(INSTALLATION, &CatalogueItem::list(items)?).await?;
    ensure!(aws.stock(INSTALLATION, "centro", "margherita").await? == 7);
    let sns = aws_sdk_sns::Client::new(aws.sdk_config());
    let topic = &aws.resources().notifications_topic_arn;
    sns.publish().topic_arn(topic).message(json!({ "number": 1 }).to_string()).send().await?;
    ensure!(aws.drain_notifications().await? == [json!({ "number": 1 })]);
    Ok(())
}

async fn the_class_that_is_printed_is_of_the_outputs_and_delegates_everything(
    aws: &Aws,
    deployment: &Deployment,
    python: &Path,
    dir: &Path,
) -> Result<()> {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin)?;
    let cli = bin.join("aws");
    fs::write(&cli, format!("#!/bin/sh\nexec {} -m awscli \"$@\"\n", python.display()))?;
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755))?;
    let mut print = tokio::process::Command::new(comanda_e2e::package().join("../lambdas/order-class"));
    print.args([&format!("comanda-{INSTALLATION}"), "bistro"]).envs(aws.env());
    print.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()));
    let printed = print.output().await?;
    ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let class: OrderClass = serde_yaml::from_slice(&printed.stdout)?;

    let OrderClassSpec {
        installation, ledger, catalogue, notifications, payments, devices, executor, ..
    } = class.spec;
    let machine = executor.context("it names no machine")?.step_functions;
    let named = [
        installation,
        ledger.table,
        catalogue.table,
        notifications.topic_arn,
        devices.topic_prefix,
        machine.state_machine_arn,
        machine.queue_url,
    ];
    let expected = [
        INSTALLATION,
        &deployment.ledger_table,
        &deployment.catalogue_table,
        &deployment.notifications_topic_arn,
        PREFIX,
        &deployment.state_machine_arn,
        &deployment.wake_queue_url,
    ];
    ensure!(named == expected, "{named:?}, not {expected:?}");
    ensure!(devices.endpoint == "127.0.0.1:8883", "{}", devices.endpoint);
    ensure!(payments.stripe.webhook.is_some(), "Stripe tells of payments");
    ensure!((payments.stripe.secret_key, devices.certificate) == (None, None), "it asks for Secrets");
    ensure!(machine.phases == all_phases(), "{:?}", machine.phases);
    Ok(())
}

async fn the_operator_may_what_its_policy_grants_and_nothing_else(
    aws: &Aws,
    deployment: &Deployment,
) -> Result<()> {
    let config = operators(aws.sdk_config(), deployment);
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let ledger = &deployment.ledger_table;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = dynamodb.put_item().table_name(ledger).item("pk", text("a")).item("sk", text("b"));
    put.send().await?;
    let get = dynamodb.get_item().table_name(ledger).key("pk", text("a")).key("sk", text("b"));
    ensure!(get.send().await?.item.is_some());
    aws_sdk_sqs::Client::new(&config).receive_message().queue_url(&deployment.wake_queue_url).send().await?;

    let delete = dynamodb.delete_item().table_name(ledger).key("pk", text("a")).key("sk", text("b"));
    refused("DeleteItem", delete.send().await)?;
    refused("Scan", dynamodb.scan().table_name(ledger).send().await)?;
    let catalogue = dynamodb.put_item().table_name(&deployment.catalogue_table).item("pk", text("a"));
    refused("PutItem", catalogue.send().await)?;
    let wake = aws_sdk_sqs::Client::new(&config).send_message().queue_url(&deployment.wake_queue_url);
    refused("SendMessage", wake.message_body("x").send().await)?;
    ensure!(aws.ledger_items().await?.len() == 1, "what was refused was done");
    Ok(())
}

fn operators(config: &SdkConfig, deployment: &Deployment) -> SdkConfig {
    let (id, secret) = (&deployment.operator.id, &deployment.operator.secret);
    let credentials = Credentials::new(id, secret, None, None, "the operator's");
    config.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

fn refused<T, E: ProvideErrorMetadata>(action: &str, answer: Result<T, E>) -> Result<()> {
    let error = answer.err().with_context(|| format!("{action} was not refused"))?;
    let code = error.code().unwrap_or_default();
    ensure!(code.starts_with("AccessDenied"), "{action} was refused with {code}");
    Ok(())
}

async fn a_machine_run_tells_a_kitchen_and_is_woken_by_it(
    aws: &Aws,
    deployment: &Deployment,
    dir: &Path,
) -> Result<()> {
    let tablet = |name, store| {
        let device = Device::new(Role::Kitchen, name, PREFIX).of("shop", store);
        device.arg("--accept-ms", "20").arg("--prepare-ms", "60")
    };
    let program = Path::new(env!("CARGO_BIN_EXE_comanda-e2e"));
    let kitchen = Simulator::start(aws, program, dir, &tablet("tablet", "centro")).await?;
    let other = Simulator::start(aws, program, dir, &tablet("other", "norte")).await?;

    let states = aws_sdk_sfn::Client::new(&operators(aws.sdk_config(), deployment));
    let order = json!({ "installation": INSTALLATION, "tenant": "shop", "orderId": "o-1" });
    let input = json!({ "order": order, "phase": "Validating" }).to_string();
    let start = states.start_execution().state_machine_arn(&deployment.state_machine_arn);
    let execution = start.name("o-1").input(input).send().await?.execution_arn;
    let begun = Instant::now();
    loop {
        let now = states.describe_execution().execution_arn(&execution).send().await?;
        if now.status == ExecutionStatus::Succeeded {
            break;
        }
        let running = now.status == ExecutionStatus::Running && begun.elapsed() < SOON;
        ensure!(running, "{now:?}\n{:#?}", kitchen.journal()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let path = aws.states_entered(&execution).await?.join(" ");
    let expected = "ValidateOrder AuthorizePayment ConfirmOrder UpdateStatus RequestPreparation AwaitKitchen \
                    RequestPreparation CapturePayment RequestDelivery CloseOrder Delivered";
    ensure!(path == expected, "it went {path}");
    let said = aws.ledger_items().await?;
    let said = said.iter().filter(|item| item["pk"] == format!("SAID#{INSTALLATION}/shop/o-1"));
    ensure!(said.count() == 3, "accepted, preparing, ready");
    let heard = |simulator: &Simulator| {
        Ok::<_, anyhow::Error>(simulator.journal()?.iter().any(|line| line["kind"] == "command"))
    };
    ensure!(heard(&kitchen)? && !heard(&other)?, "a tablet hears of its own store");
    let sqs = aws_sdk_sqs::Client::new(aws.sdk_config());
    let dead = sqs.receive_message().queue_url(&deployment.dead_letter_queue_url).send().await?;
    ensure!(dead.messages().is_empty(), "{dead:?}");
    Ok(())
}
