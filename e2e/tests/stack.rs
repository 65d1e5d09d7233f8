//! The stack as a whole.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use comanda_e2e::stack::aws::CatalogueItem;
use comanda_e2e::stack::process::Process;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::{Options, Stack};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_comanda-e2e");

/// Set where a test starts this program again in order to kill it.
const KILLED_BY_TEST: &str = "COMANDA_KILLED_BY_TEST";

async fn stack() -> Result<Stack> {
    let options = Options { program: Some(PathBuf::from(PROGRAM)), ..Options::default() };
    Stack::start(options, &Progress::stderr()).await
}

fn chart(file: &str) -> PathBuf {
    comanda_e2e::package().join("../charts/comanda/files").join(file)
}

#[tokio::test]
async fn the_chart_applies_and_a_service_account_has_only_the_rights_it_is_given() -> Result<()> {
    let stack = stack().await?;
    let kubernetes = &stack.kubernetes;
    kubernetes.ensure_namespace("shop").await?;
    kubernetes.ensure_namespace("comanda-system").await?;
    kubernetes.install_definitions(&chart("crds")).await?;
    kubernetes.apply_path(&chart("rbac.yaml"), "comanda-system").await?;
    kubernetes
        .apply(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n---\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second, namespace: shop}\n",
            "default",
        )
        .await?;

    let file = kubernetes.service_account_kubeconfig("shop", "nobody", None).await?;
    let kubeconfig = Kubeconfig::read_from(file)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let namespaces: Api<Namespace> = Api::all(kube::Client::try_from(config)?);
    let refused = namespaces.list(&ListParams::default()).await.expect_err("nobody gave it a right");
    assert!(refused.to_string().contains("system:serviceaccount:shop:nobody"), "{refused}");

    let audited =
        kubernetes.audit_events(|event| event["user"]["username"] == "system:serviceaccount:shop:nobody")?;
    assert_eq!(audited.len(), 1, "the refusal is in the audit log when its answer arrives");
    assert_eq!(audited[0]["responseStatus"]["code"], 403);
    stack.stop().await
}

#[tokio::test]
async fn the_catalogue_is_counted_and_notifications_leave_evidence() -> Result<()> {
    let stack = stack().await?;
    let items = "[{store: centro, sku: margherita, name: Pizza, price: 4200, currency: BRL, stock: 7}]";
    stack.aws.seed_catalogue("local", &CatalogueItem::list(items)?).await?;
    assert_eq!(stack.aws.stock("local", "centro", "margherita").await?, 7);
    assert!(stack.aws.stock("local", "centro", "calzone").await.is_err());
    assert!(stack.aws.ledger_items().await?.is_empty());

    let sns = aws_sdk_sns::Client::new(stack.aws.sdk_config());
    let topic = &stack.aws.resources().notifications_topic_arn;
    for number in 0..12 {
        sns.publish().topic_arn(topic).message(json!({ "number": number }).to_string()).send().await?;
    }
    let told = stack.aws.drain_notifications().await?;
    assert_eq!(told.len(), 12);
    assert!(told.contains(&json!({ "number": 11 })), "raw, without SNS's envelope: {told:?}");
    assert!(stack.aws.drain_notifications().await?.is_empty());
    stack.stop().await
}

#[tokio::test]
async fn nothing_outlives_a_killed_parent() -> Result<()> {
    let runs = tempfile::tempdir()?;
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let log = runs.path().join(format!("{signal}.log"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--ignored", "--exact", "the_parent_to_kill", "--nocapture"]);
        let mut parent = Process::spawn(
            "the parent",
            {
                command.env("TMPDIR", runs.path()).env(KILLED_BY_TEST, "1");
                command
            },
            &log,
        )?;
        parent
            .ready("the stack", Duration::from_mins(2), async || {
                fs::read_to_string(&log).ok()?.contains("the stack is up").then_some(())
            })
            .await?;
        let children = children_of(parent.pid())?;
        assert!(children.len() >= 5, "{children:?}");
        parent.signal(signal)?;
        parent.wait().await?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while children.iter().any(|child| is_alive(*child)) {
            assert!(Instant::now() < deadline, "after {signal}: {children:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

#[tokio::test]
#[ignore = "runs until it is killed, by the test above"]
async fn the_parent_to_kill() -> Result<()> {
    // Asked for by `--include-ignored`, it has nobody to kill it.
    if std::env::var_os(KILLED_BY_TEST).is_none() {
        return Ok(());
    }
    let _stack = stack().await?;
    std::future::pending().await
}

fn children_of(parent: u32) -> Result<Vec<Pid>> {
    let mut children = Vec::new();
    for task in fs::read_dir(format!("/proc/{parent}/task"))? {
        let text = fs::read_to_string(task?.path().join("children")).context("/proc/…/children")?;
        children.extend(
            text.split_whitespace().map(|pid| Ok(Pid::from_raw(pid.parse()?))).collect::<Result<Vec<_>>>()?,
        );
    }
    Ok(children)
}

/// A zombie that nobody has reaped yet is not alive.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    kill(pid, None).is_ok() && !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
