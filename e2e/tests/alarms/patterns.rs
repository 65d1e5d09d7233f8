//! Which of the lines that functions write each metric filter of the template counts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use comanda_e2e::stack::aws::alarms::pattern::Pattern;
use serde_yaml::Value;

/// One line of each kind; a test of the functions holds it to what they write. Each is of an order that is named for what
/// becomes of it.
const LINES: &str = include_str!("../../../lambdas/src/log/lines.jsonl");

/// The orders whose lines a metric counts.
const COUNTED: [(&str, &[&str]); 5] = [
    ("OrdersNeedPerson", &["for-a-person", "returned"]),
    ("OrdersRefused", &["impossible", "sold-out", "tampered"]),
    ("PaymentErrors", &["expired", "not-returned", "not-taken", "unanswered", "unanswered-for-long"]),
    ("StatusUpdateErrors", &["not-written", "not-written-for-long"]),
    (
        "StepsStuck",
        &["cannot-wait-for-long", "not-written-for-long", "overtaken-for-long", "unanswered-for-long"],
    ),
];

#[test]
fn each_metric_counts_the_lines_that_it_is_named_for_and_no_others() -> Result<()> {
    let template: Value = serde_yaml::from_str(include_str!("../../../lambdas/template.yaml"))?;
    let logs = logs(&template)?;
    let mut counted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let resources = template["Resources"].as_mapping().context("resources")?;
    for filter in resources.values().filter(|resource| resource["Type"] == "AWS::Logs::MetricFilter") {
        let filter = &filter["Properties"];
        let pattern = Pattern::parse(filter["FilterPattern"].as_str().context("a pattern")?)?;
        let log = tagged(&filter["LogGroupName"])?;
        let metric = filter["MetricTransformations"][0]["MetricName"].as_str().context("a metric")?;
        let of_metric = counted.entry(metric.to_owned()).or_default();
        for line in LINES.lines() {
            let read: serde_json::Value = serde_json::from_str(line)?;
            let of = match read["step"].as_str() {
                Some(step) => logs[step],
                None => "StripeWebhookLog",
            };
            if of == log && pattern.matches(line)? {
                let order = read["order"].as_str().and_then(|order| order.rsplit('/').next());
                of_metric.insert(order.context("an order")?.to_owned());
            }
        }
    }
    let expected = COUNTED.map(|(metric, orders)| {
        (metric.to_owned(), orders.iter().map(|order| (*order).to_owned()).collect::<BTreeSet<_>>())
    });
    assert_eq!(counted, BTreeMap::from(expected));
    Ok(())
}

/// The log of the function that each state calls.
fn logs(template: &Value) -> Result<BTreeMap<String, &str>> {
    let machine: serde_json::Value =
        serde_json::from_str(include_str!("../../../lambdas/statemachines/order.asl.json"))?;
    let put = &template["Resources"]["Machine"]["Properties"]["DefinitionSubstitutions"];
    let mut logs = BTreeMap::new();
    for (state, definition) in machine["States"].as_object().context("states")? {
        let Some(called) = definition["Arguments"]["FunctionName"].as_str() else { continue };
        let function = tagged(&put[called.trim_start_matches("${").trim_end_matches('}')])?;
        let function = function.strip_suffix(".Arn").context("an ARN")?;
        let logging = &template["Resources"][function]["Properties"]["LoggingConfig"];
        logs.insert(state.clone(), tagged(&logging["LogGroup"])?);
    }
    Ok(logs)
}

/// What `!Ref` and `!GetAtt` name.
fn tagged(value: &Value) -> Result<&str> {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str().context("a name"),
        other => anyhow::bail!("{other:?} has no tag"),
    }
}
