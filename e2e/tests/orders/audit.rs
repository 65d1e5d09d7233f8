//! Scenes that look back at all the others.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use comanda_crds::Order;
use comanda_e2e::stack::stripe::SECRET_KEY;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;

use comanda_e2e::world::{CANARIES, World};

const OPERATOR: &str = "system:serviceaccount:comanda-system:comanda-operator";

pub async fn nothing_personal_and_no_secret_is_shown(world: &World) -> Result<()> {
    let client = world.installation.stack.kubernetes.client();
    let orders = Api::<Order>::all(client.clone()).list(&ListParams::default()).await?;
    let statuses: Vec<_> = orders.items.iter().map(|order| &order.status).collect();
    ensure!(statuses.len() > 10, "there is nothing to look at");
    let events = Api::<Event>::all(client).list(&ListParams::default()).await?;
    ensure!(events.items.len() > 10, "there are no Events to look at");
    let mut shown = vec![
        ("status", serde_json::to_string(&statuses)?),
        ("Events", serde_json::to_string(&events)?),
        ("metrics", world.operator().await.as_ref().context("an operator runs")?.metrics().await?),
    ];
    for entry in std::fs::read_dir(world.installation.stack.dir())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            shown.push(("logs", std::fs::read_to_string(&path)?));
        }
    }
    ensure!(shown.len() > 4, "there are no logs to look at");
    for (place, text) in &shown {
        for canary in CANARIES.into_iter().chain([SECRET_KEY, "BEGIN PRIVATE KEY"]) {
            ensure!(!text.contains(canary), "{canary} is shown in {place}");
        }
    }
    Ok(())
}

pub async fn the_metrics_tell_what_happened(world: &World) -> Result<()> {
    let metrics = world.operator().await.as_ref().context("an operator runs")?.metrics().await?;
    for line in [
        "comanda_leader 1",
        "comanda_mqtt_connected{class=\"fast\"} 1",
        "comanda_orders{phase=\"Delivered\"} ",
        "comanda_step_runs_total{outcome=\"ok\",step=\"Deliver\"} ",
        "comanda_step_seconds_sum{step=\"Deliver\"} ",
        "comanda_step_seconds_count{step=\"Deliver\"} ",
        "comanda_api_writes_total{what=\"status\"} ",
    ] {
        ensure!(metrics.contains(line), "{line:?} is not in:\n{metrics}");
    }
    ensure!(!metrics.contains("comanda_orders{phase=\"Delivered\"} 0"), "delivered orders are not counted");
    Ok(())
}

/// What only orders over HTTP need: the scenes of `tests/machine` do.
const ELSEWHERE: (&str, &str) = ("orders", "create");

/// The rules in `rbac.yaml` are exactly what a run needs: no request was refused, and each pair of
/// resource and verb was used by one.
pub async fn nothing_was_refused_and_no_rule_was_unused(world: &World) -> Result<()> {
    let kubernetes = &world.installation.stack.kubernetes;
    let requests = kubernetes.audit_events(|event| event["user"]["username"] == OPERATOR)?;
    let refused: Vec<&Value> =
        requests.iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let used: BTreeSet<(String, String)> = requests
        .iter()
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let object = &event["objectRef"];
            let resource = match object["subresource"].as_str() {
                Some(subresource) => format!("{}/{subresource}", text(&object["resource"])),
                None => text(&object["resource"]),
            };
            (resource, text(&event["verb"]))
        })
        .collect();
    let mut unused = Vec::new();
    let mut rules = 0;
    let text = include_str!("../../../charts/comanda/files/rbac.yaml");
    for document in serde_yaml::Deserializer::from_str(text) {
        let object: Value = serde::Deserialize::deserialize(document)?;
        let list = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        for rule in object["rules"].as_array().into_iter().flatten() {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rules += 1;
                    let elsewhere = (resource.as_str(), verb.as_str()) == ELSEWHERE;
                    if !elsewhere && !used.contains(&(resource.clone(), verb.clone())) {
                        unused.push(format!("{verb} {resource}"));
                    }
                }
            }
        }
    }
    ensure!(rules > 10, "only {rules} rules were read");
    ensure!(unused.is_empty(), "no run needed: {unused:?}");
    Ok(())
}
