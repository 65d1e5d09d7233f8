//! What tools see: columns, names, selectors, and the status nobody has written yet.

use std::fs;

use anyhow::{Context, Result, ensure};
use comanda_crds::{
    CompensationStatus, OrderStatus, PaymentStatus, Phase, StepState, StepStatus, WaitingFor,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::manifests::{class, order};
use crate::server::{CLASSES, DEFINITIONS, ORDERS, Server, definitions};

pub(crate) async fn an_unseen_order_is_pending_and_looks_done_to_nobody(server: &Server) -> Result<()> {
    let unseen = json!({"observedGeneration": -1, "phase": "Pending"});
    let created = server.create(ORDERS, &order("unseen")).await?.taken()?;
    let path = format!("{ORDERS}/unseen");
    let read = server.get(&path).await?.taken()?;
    let listed = server.get(ORDERS).await?.taken()?;
    server.delete(&path).await?.taken()?;
    for seen in [&created, &read, &listed["items"][0]] {
        ensure!(seen["status"] == unseen, "{}", seen["status"]);
        ensure!(seen["spec"] == order("unseen")["spec"], "nothing is filled in: {}", seen["spec"]);
    }
    Ok(())
}

pub(crate) async fn an_unseen_class_looks_done_to_nobody(server: &Server) -> Result<()> {
    let created = server.create(CLASSES, &class("unseen")).await?.taken()?;
    server.delete(&format!("{CLASSES}/unseen")).await?.taken()?;
    ensure!(created["status"] == json!({"observedGeneration": -1}), "{}", created["status"]);
    let spec = &created["spec"];
    let waits = json!({"kitchenSeconds": 2700, "courierSeconds": 3600, "pickupSeconds": 600, "customerSeconds": 900, "recallSeconds": 60});
    ensure!(spec["timeouts"] == waits && spec["retries"] == json!({"notification": 5}), "{spec}");
    ensure!(spec["payments"]["capture"] == "WhenReady", "{spec}");
    ensure!(spec["payments"]["stripe"]["url"] == "https://api.stripe.com", "{spec}");
    Ok(())
}

pub(crate) async fn a_new_order_cannot_bring_its_own_status(server: &Server) -> Result<()> {
    let mut boaster = order("boaster");
    boaster["status"] = json!({"phase": "Delivered", "observedGeneration": 1});
    let created = server.create(ORDERS, &boaster).await?.taken()?;
    server.delete(&format!("{ORDERS}/boaster")).await?.taken()?;
    ensure!(created["status"] == json!({"observedGeneration": -1, "phase": "Pending"}), "{created}");
    Ok(())
}

pub(crate) async fn kubectl_get_shows_the_columns_people_look_for(server: &Server) -> Result<()> {
    let columns = |table: &Value| -> Vec<(String, i64)> {
        let definitions = table["columnDefinitions"].as_array().into_iter().flatten();
        definitions
            .map(|column| {
                let name = column["name"].as_str().unwrap_or_default().to_owned();
                (name, column["priority"].as_i64().unwrap_or(-1))
            })
            .collect()
    };
    let expected = |narrow: &[&str], wide: &[&str]| -> Vec<(String, i64)> {
        let narrow = narrow.iter().map(|name| ((*name).to_owned(), 0));
        narrow.chain(wide.iter().map(|name| ((*name).to_owned(), 1))).collect()
    };
    let orders = columns(&server.table(ORDERS).await?.taken()?);
    let wide = ["Class", "Store", "Step", "Waiting", "Courier", "Payment"];
    ensure!(orders == expected(&["Name", "Phase", "Total", "Reason", "Age"], &wide), "{orders:?}");
    let classes = columns(&server.table(CLASSES).await?.taken()?);
    ensure!(classes == expected(&["Name", "Installation", "Ready", "Reason", "Age"], &[]), "{classes:?}");
    Ok(())
}

pub(crate) async fn the_wide_columns_show_what_the_status_says(server: &Server) -> Result<()> {
    server.create(ORDERS, &order("shown")).await?.taken()?;
    let path = format!("{ORDERS}/shown");
    server
        .merge(&format!("{path}/status"), &json!({"status": everything(Phase::Delivering)}))
        .await?
        .taken()?;
    let table = server.table(&path).await?.taken()?;
    server.delete(&path).await?.taken()?;
    let cells = &table["rows"][0]["cells"];
    let shown: Vec<&Value> = cells.as_array().into_iter().flatten().collect();
    ensure!(shown.len() == 11, "{cells}");
    ensure!(shown[..4] == ["shown", "Delivering", "42.00 EUR", "Waiting"], "{cells}");
    ensure!(shown[5..] == ["demo", "madrid", "Deliver", "courier", "courier-7", "pi_1"], "{cells}");
    Ok(())
}

pub(crate) async fn orders_are_found_by_id_and_by_phase(server: &Server) -> Result<()> {
    let mut with_id = order("monday");
    with_id["spec"]["orderId"] = json!("dinner-1");
    server.create(ORDERS, &with_id).await?.taken()?;
    server.create(ORDERS, &order("tuesday")).await?.taken()?;
    let preparing = json!({"status": {"phase": "Preparing"}});
    server.merge(&format!("{ORDERS}/tuesday/status"), &preparing).await?.taken()?;
    let mut found = Vec::new();
    for selector in ["spec.orderId=dinner-1", "status.phase=Pending", "status.phase=Preparing"] {
        let list =
            server.get(&format!("{ORDERS}?fieldSelector={}", selector.replace('=', "%3D"))).await?.taken()?;
        let names =
            list["items"].as_array().into_iter().flatten().map(|order| order["metadata"]["name"].clone());
        found.push(names.collect::<Vec<_>>());
    }
    for name in ["monday", "tuesday"] {
        server.delete(&format!("{ORDERS}/{name}")).await?.taken()?;
    }
    ensure!(found == [["monday"], ["monday"], ["tuesday"]], "{found:?}");
    Ok(())
}

pub(crate) async fn short_names_and_the_category_are_served(server: &Server) -> Result<()> {
    let group = server.get("/apis/comanda.dev/v1alpha1").await?.taken()?;
    let resource = |name: &str| {
        let mut all = group["resources"].as_array().into_iter().flatten();
        all.find(|resource| resource["name"] == name).cloned().with_context(|| format!("no resource {name}"))
    };
    for (name, short, singular, namespaced) in
        [("orders", "ord", "order", true), ("orderclasses", "ordclass", "orderclass", false)]
    {
        let resource = resource(name)?;
        ensure!(resource["shortNames"] == json!([short]), "{resource}");
        // Not `all`: `kubectl delete all --all` must not cancel live orders.
        ensure!(resource["categories"] == json!(["comanda"]), "{resource}");
        ensure!(resource["singularName"] == singular && resource["namespaced"] == namespaced, "{resource}");
        ensure!(status_is_apart(&group, name), "{name} has no status of its own");
    }
    Ok(())
}

/// True when the status is a subresource, so that who may write orders cannot write their status.
fn status_is_apart(group: &Value, name: &str) -> bool {
    let mut all = group["resources"].as_array().into_iter().flatten();
    all.any(|resource| resource["name"] == format!("{name}/status"))
}

/// The operator patches a status as a whole, what is absent as an explicit null.
pub(crate) async fn every_status_the_operator_writes_is_taken(server: &Server) -> Result<()> {
    server.create(ORDERS, &order("told")).await?.taken()?;
    let path = format!("{ORDERS}/told");
    let status_path = format!("{path}/status");
    let mut answers = Vec::new();
    let phases = [
        Phase::Pending,
        Phase::Validating,
        Phase::Paying,
        Phase::Notifying,
        Phase::Preparing,
        Phase::Delivering,
        Phase::Delivered,
        Phase::Compensating,
        Phase::Rejected,
        Phase::Cancelled,
        Phase::Failed,
    ];
    for status in phases.map(everything).into_iter().chain([sparse(), OrderStatus::default()]) {
        let answer = server.merge(&status_path, &json!({"status": status})).await?;
        answers.push((status, answer));
    }
    server.delete(&path).await?.taken()?;
    for (status, answer) in answers {
        ensure!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        let stored = answer.taken()?["status"].clone();
        ensure!(!stored.to_string().contains("null"), "a null is stored: {stored}");
        let read: OrderStatus = serde_json::from_value(stored.clone())?;
        ensure!(read == status, "{stored} is not {status:?}");
    }
    Ok(())
}

pub(crate) async fn the_definitions_apply_without_a_warning(server: &Server) -> Result<()> {
    for file in fs::read_dir(definitions())? {
        let definition: Value = serde_yaml::from_str(&fs::read_to_string(file?.path())?)?;
        let name = definition["metadata"]["name"].as_str().context("a name")?;
        let before = server.get(&format!("{DEFINITIONS}/{name}")).await?.taken()?;
        let answer = server.apply(&format!("{DEFINITIONS}/{name}"), &definition).await?;
        ensure!(answer.warnings.is_empty(), "{:?}", answer.warnings);
        ensure!(answer.taken()?["spec"] == before["spec"], "applying {name} again changes it");
        // What Helm removes, it must not remove with every order in the cluster.
        ensure!(definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", "{name}");
    }
    Ok(())
}

/// What GitOps does, every few minutes.
pub(crate) async fn the_orders_of_the_demo_are_taken_and_applied_again_without_a_change(
    server: &Server,
) -> Result<()> {
    let (mut files, mut orders) = (0, 0);
    for file in fs::read_dir(comanda_e2e::package().join("orders"))? {
        files += 1;
        for document in serde_yaml::Deserializer::from_str(&fs::read_to_string(file?.path())?) {
            let order = Value::deserialize(document)?;
            if order["kind"] == "Order" {
                apply_again(server, &order).await?;
                orders += 1;
            }
        }
    }
    ensure!(orders == files && orders > 0, "{orders} orders in {files} files");
    Ok(())
}

async fn apply_again(server: &Server, order: &Value) -> Result<()> {
    let path = format!("{ORDERS}/{}", order["metadata"]["name"].as_str().context("a name")?);
    server.apply(&path, order).await?.taken()?;
    // The first write after the creation stores the status that until then was only shown.
    let before = server.apply(&path, order).await?.taken()?;
    let after = server.apply(&path, order).await?.taken()?;
    server.delete(&path).await?.taken()?;
    ensure!(before == after, "{before} became {after}");
    Ok(())
}

fn everything(phase: Phase) -> OrderStatus {
    let now = Time(Timestamp::UNIX_EPOCH);
    let step = |name: &str, state| StepStatus {
        name: name.to_owned(),
        state,
        attempts: 1,
        started_at: Some(now.clone()),
        finished_at: Some(now.clone()),
        execution_arn: Some("arn:aws:states:eu-west-1:123456789012:execution:delivery:1".to_owned()),
        reason: Some("CourierTimedOut".to_owned()),
        message: Some("The courier said nothing.".to_owned()),
    };
    OrderStatus {
        phase,
        observed_generation: 1,
        identity: Some("local/shop/told".to_owned()),
        ledger_version: Some(17),
        total: Some("42.00 EUR".to_owned()),
        reason: Some("Waiting".to_owned()),
        conditions: vec![Condition {
            type_: "Ready".to_owned(),
            status: "False".to_owned(),
            reason: "Waiting".to_owned(),
            message: "Waiting for the courier to deliver the order.".to_owned(),
            last_transition_time: now.clone(),
            observed_generation: Some(1),
        }],
        waiting_for: Some(WaitingFor {
            who: "courier".to_owned(),
            what: "deliver the order".to_owned(),
            since: Some(now.clone()),
            deadline: Some(now.clone()),
            link: Some("https://hooks.stripe.com/3d_secure_2/authenticate".to_owned()),
        }),
        steps: vec![
            step("Reserve", StepState::Succeeded),
            step("Authorize", StepState::Failed),
            step("Prepare", StepState::Unconfirmed),
            step("Deliver", StepState::Running),
        ],
        compensations: vec![CompensationStatus {
            name: "Refund".to_owned(),
            state: StepState::Succeeded,
            attempts: 2,
            finished_at: Some(now.clone()),
            message: Some("42.00 EUR was refunded.".to_owned()),
        }],
        payment: Some(PaymentStatus {
            intent_id: Some("pi_1".to_owned()),
            authorized: 4200,
            captured: 4200,
            refunded: 4200,
        }),
        courier: Some("courier-7".to_owned()),
        last_handled_retry: Some("again".to_owned()),
    }
}

/// Every object and row is there, with nothing in it that may be absent.
fn sparse() -> OrderStatus {
    let mut status = everything(Phase::Compensating);
    status.waiting_for = Some(WaitingFor {
        who: "person".to_owned(),
        what: "see to it".to_owned(),
        since: None,
        deadline: None,
        link: None,
    });
    for step in &mut status.steps {
        (step.started_at, step.finished_at) = (None, None);
        (step.execution_arn, step.reason, step.message) = (None, None, None);
    }
    for undo in &mut status.compensations {
        (undo.finished_at, undo.message) = (None, None);
    }
    status.payment = Some(PaymentStatus { intent_id: None, authorized: 0, captured: 0, refunded: 0 });
    status
}
