//! What the template grants, and what was used of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use comanda_e2e::world::{CANARIES, World};
use serde_yaml::Value;

/// Granted, and not used here, by whom and why.
const UNUSED: [(&str, &str, &str); 4] = [
    ("*", "logs:CreateLogStream", "the emulator keeps functions' logs itself"),
    ("*", "logs:PutLogEvents", "the emulator keeps functions' logs itself"),
    ("comanda-operator", "sqs:ChangeMessageVisibility", "no other cluster shares the queue"),
    (
        "*",
        "dynamodb:GetItem",
        "a write that is refused is looked at: it may be the own one, whose answer was lost",
    ),
];

/// To be called when all else has run. The emulator refuses what is not granted; this is the other way round.
pub async fn whatever_functions_and_operator_are_granted_they_use(world: &World) -> Result<()> {
    let used = world.installation.stack.aws.permissions_used()?;
    let template: Value = serde_yaml::from_str(include_str!("../../../lambdas/template.yaml"))?;
    let mut granted = granted_to_functions(&template)?;
    granted.insert(
        "comanda-operator".to_owned(),
        actions(&template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"])?,
    );

    let mut unused = Vec::new();
    for (who, actions) in &granted {
        // The emulator names a function's role by stack and logical name.
        let theirs: BTreeSet<&str> = used
            .iter()
            .filter(|(arn, _)| arn.contains(&format!("-{who}-")) || arn.ends_with(&format!("/{who}")))
            .map(|(_, action)| &**action)
            .collect();
        ensure!(!theirs.is_empty(), "{who} did nothing: {used:?}");
        let explained = |action: &str| {
            UNUSED.iter().any(|(whose, what, _)| [who, "*"].contains(whose) && *what == action)
        };
        let idle = actions.iter().filter(|action| !theirs.contains(action.as_str()) && !explained(action));
        unused.extend(idle.map(|action| format!("{who}: {action}")));
    }
    ensure!(unused.is_empty(), "granted, and not used by any scene:\n{}", unused.join("\n"));
    Ok(())
}

/// To be called when all else has run: customers' data is in the sealed contact items, and nowhere else on the AWS side.
pub async fn nothing_personal_is_in_logs_ledger_executions_and_metrics(world: &World) -> Result<()> {
    let aws = &world.installation.stack.aws;
    let logged = aws.logged().await?;
    for function in ["intake", "authorize-payment", "request-delivery", "device-ack"] {
        let lines = logged.iter().filter(|(group, _)| group.ends_with(&format!("-{function}"))).count();
        ensure!(lines > 10, "{function} logged {lines} lines: there is nothing to look at");
    }
    let mut places: Vec<(String, String)> = logged;
    places.push(("the ledger".to_owned(), serde_json::to_string(&aws.ledger_items().await?)?));
    places.push(("executions".to_owned(), serde_json::to_string(&aws.states_calls("StartExecution")?)?));
    let operator = world.operator().await;
    let operator = operator.as_ref().context("an operator runs")?;
    places.extend(
        [("metrics", operator.metrics().await?), ("the operator's log", operator.log()?)]
            .map(|(place, text)| (place.to_owned(), text)),
    );
    // The last is a test card, which orders name.
    for canary in &CANARIES[..CANARIES.len() - 1] {
        let shown = places.iter().find(|(_, text)| text.contains(canary));
        ensure!(shown.is_none(), "{canary} is in {shown:?}");
    }
    Ok(())
}

/// The actions that each function's role allows, by the role's logical name.
fn granted_to_functions(template: &Value) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let resources = template["Resources"].as_mapping().context("a template has resources")?;
    let functions = resources.values().filter(|resource| resource["Type"] == "AWS::Serverless::Function");
    functions
        .map(|function| {
            let Value::Tagged(role) = &function["Properties"]["Role"] else {
                anyhow::bail!("a role without a tag")
            };
            let role =
                role.value.as_str().and_then(|role| role.strip_suffix(".Arn")).context("a role's name")?;
            let policy = &template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"];
            Ok((role.to_owned(), actions(policy)?))
        })
        .collect()
}

fn actions(policy: &Value) -> Result<BTreeSet<String>> {
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_sequence().context("a policy has statements")? {
        match &statement["Action"] {
            Value::String(action) => {
                actions.insert(action.clone());
            }
            Value::Sequence(several) => {
                actions.extend(several.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            other => anyhow::bail!("an action that is none: {other:?}"),
        }
    }
    Ok(actions)
}
