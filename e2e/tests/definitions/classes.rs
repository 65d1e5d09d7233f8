//! Classes that are refused, and what of a class may change.

use anyhow::Result;
use serde_json::{Value, json};

use crate::manifests::class;
use crate::server::{Answer, CLASSES, Server};
use crate::{Named, named};

/// What is wrong, the change that makes it so, the field the answer names, and the sentence it says.
type Refusal = (&'static str, fn(&mut Value), &'static str, &'static str);

const INSTALLATION: &str =
    "installation must be lower-case letters, digits and dashes, and start and end with a letter or digit";
const TABLE: &str =
    "table must be the name of a DynamoDB table: 3 to 255 letters, digits, dots, dashes and underscores";
const TOPIC: &str = "topicArn must be the ARN of a standard SNS topic (not FIFO), such as arn:aws:sns:eu-west-1:123456789012:orders";
const REGION: &str = "region must be an AWS region, such as eu-west-1";
const URL: &str = "url must be http(s)://host[:port], such as https://api.stripe.com";
const ENDPOINT: &str = "endpoint must be host:port, such as abc-ats.iot.eu-west-1.amazonaws.com:8883";
const PREFIX: &str = "topicPrefix must be one topic level of letters, digits, dashes and underscores";
const SECRET: &str = "secretName must be the name of a Secret: lower-case letters, digits, dashes and dots";
const PAYMENT_KEY: &str = "payments.stripe.secretKey is needed by the operator, unless executor.stepFunctions.phases has Paying, Delivering and Compensating";
const KEY: &str = "key must be a key of the Secret: letters, digits, dots, dashes and underscores";

#[rustfmt::skip]
const REFUSED: &[Refusal] = &[
    ("an installation in capitals", |c| c["spec"]["installation"] = json!("Local"), "spec.installation", INSTALLATION),
    ("an installation that would split a key", |c| c["spec"]["installation"] = json!("a/b"), "spec.installation", INSTALLATION),
    ("an unknown capture policy", |c| c["spec"]["payments"]["capture"] = json!("Later"), "spec.payments.capture", r#"supported values: "WhenReady", "AtOnce""#),
    ("a Stripe URL without a scheme", |c| c["spec"]["payments"]["stripe"]["url"] = json!("api.stripe.com"), "spec.payments.stripe.url", URL),
    ("a Stripe URL of another scheme", |c| c["spec"]["payments"]["stripe"]["url"] = json!("ftp://api.stripe.com"), "spec.payments.stripe.url", URL),
    ("a Stripe URL with a path", |c| c["spec"]["payments"]["stripe"]["url"] = json!("https://api.stripe.com/v1"), "spec.payments.stripe.url", URL),
    ("a Stripe URL with a password", |c| c["spec"]["payments"]["stripe"]["url"] = json!("https://me:secret@api.stripe.com"), "spec.payments.stripe.url", URL),
    ("a return URL that is none", |c| c["spec"]["payments"]["stripe"]["returnUrl"] = json!("shop.example.com"), "spec.payments.stripe.returnUrl", "returnUrl must be a web address, such as https://shop.example.com/paid"),
    ("a broker without a port", |c| c["spec"]["devices"]["endpoint"] = json!("broker.example.com"), "spec.devices.endpoint", ENDPOINT),
    ("a broker as a URL", |c| c["spec"]["devices"]["endpoint"] = json!("mqtts://broker.example.com:8883"), "spec.devices.endpoint", ENDPOINT),
    ("a topic prefix of two levels", |c| c["spec"]["devices"]["topicPrefix"] = json!("comanda/prod"), "spec.devices.topicPrefix", PREFIX),
    ("a topic prefix with a wildcard", |c| c["spec"]["devices"]["topicPrefix"] = json!("+"), "spec.devices.topicPrefix", PREFIX),
    ("an empty table", |c| c["spec"]["ledger"]["table"] = json!(""), "spec.ledger.table", TABLE),
    ("a table by its ARN", |c| c["spec"]["catalogue"]["table"] = json!("arn:aws:dynamodb:eu-west-1:123456789012:table/c"), "spec.catalogue.table", TABLE),
    ("a topic by its name", |c| c["spec"]["notifications"]["topicArn"] = json!("comanda-notifications"), "spec.notifications.topicArn", TOPIC),
    ("a FIFO topic", |c| c["spec"]["notifications"]["topicArn"] = json!("arn:aws:sns:eu-west-1:123456789012:orders.fifo"), "spec.notifications.topicArn", TOPIC),
    ("the ARN of a queue", |c| c["spec"]["notifications"]["topicArn"] = json!("arn:aws:sqs:eu-west-1:123456789012:q"), "spec.notifications.topicArn", TOPIC),
    ("a region by its place", |c| c["spec"]["aws"]["region"] = json!("Ireland"), "spec.aws.region", REGION),
    ("a Secret without a name", |c| c["spec"]["devices"]["certificate"]["secretName"] = json!(""), "spec.devices.certificate.secretName", SECRET),
    ("a Secret of another namespace", |c| c["spec"]["ledger"]["contactKey"]["secretName"] = json!("a/b"), "spec.ledger.contactKey.secretName", SECRET),
    ("an empty key of a Secret", |c| c["spec"]["payments"]["stripe"]["secretKey"]["key"] = json!(""), "spec.payments.stripe.secretKey.key", KEY),
    ("a time-out of 0", |c| c["spec"]["timeouts"] = json!({"kitchenSeconds": 0}), "spec.timeouts.kitchenSeconds", "kitchenSeconds must be from 1 to 86400"),
    ("a time-out of more than a day", |c| c["spec"]["timeouts"] = json!({"customerSeconds": 86_401}), "spec.timeouts.customerSeconds", "customerSeconds must be from 1 to 86400"),
    ("no retries", |c| c["spec"]["retries"] = json!({"notification": 0}), "spec.retries.notification", "notification must be from 1 to 20"),
    ("room for no order", |c| c["spec"]["maxLiveOrders"] = json!(0), "spec.maxLiveOrders", "maxLiveOrders must be at least 1; use suspend to hold every order"),
    ("an operator that makes payments, and has no key", |c| without(c, "payments", "stripe", "secretKey"), "spec.payments.stripe.secretKey", PAYMENT_KEY),
    ("an operator that takes the payment only, and has no key", |c| { without(c, "payments", "stripe", "secretKey"); delegate(c, &["Paying", "Compensating"]); }, "spec.payments.stripe.secretKey", PAYMENT_KEY),
    ("an operator that is told of payments, and has no key", |c| { c["spec"]["payments"]["stripe"] = json!({"webhook": {"signingSecret": {"secretName": "stripe", "key": "signing"}}}); delegate(c, &["Paying", "Delivering", "Compensating"]); }, "spec.payments.stripe.webhook.signingSecret", "webhook.signingSecret needs secretKey: the operator looks up what Stripe tells it of"),
    ("an operator that tells devices, and has no certificate", |c| without(c, "devices", "", "certificate"), "spec.devices.certificate", "devices.certificate is needed by the operator, unless executor.stepFunctions.phases has Preparing, Delivering and Compensating"),
    ("a machine without a queue", |c| { delegate(c, &["Paying"]); without(c, "executor", "stepFunctions", "queueUrl"); }, "spec.executor.stepFunctions.queueUrl", "Required value"),
    ("an express machine's execution", |c| { delegate(c, &["Paying"]); c["spec"]["executor"]["stepFunctions"]["stateMachineArn"] = json!("arn:aws:states:eu-west-1:123456789012:express:order:1"); }, "spec.executor.stepFunctions.stateMachineArn", "stateMachineArn must be the ARN of a standard state machine, such as arn:aws:states:eu-west-1:123456789012:stateMachine:order"),
    ("a phase in which nothing is carried", |c| delegate(c, &["Pending"]), "spec.executor.stepFunctions.phases", "phases must be of Validating, Paying, Notifying, Preparing, Delivering and Compensating"),
    ("no phase", |c| delegate(c, &[]), "spec.executor.stepFunctions.phases", "spec.executor.stepFunctions.phases in body should have at least 1 items"),
    ("no payments", |c| { c["spec"].as_object_mut().expect("a spec").remove("payments"); }, "spec.payments", "Required value"),
];

/// Removes a field of `spec`, at most two levels down.
fn without(class: &mut Value, part: &str, within: &str, field: &str) {
    let part = &mut class["spec"][part];
    let part = if within.is_empty() { part } else { &mut part[within] };
    part.as_object_mut().expect("an object").remove(field);
}

fn delegate(class: &mut Value, phases: &[&str]) {
    class["spec"]["executor"]["stepFunctions"] = json!({
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:order",
        "queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/wake",
        "phases": phases,
    });
}

/// What is changed, by which merge patch of `spec`, and the field the answer names.
type FixedChange = (&'static str, fn() -> Value, &'static str);

/// What is changed, and by which merge patch of `spec`.
type FreeChange = (&'static str, fn() -> Value);

#[rustfmt::skip]
const FIXED: &[FixedChange] = &[
    ("installation", || json!({"installation": "other"}), "spec.installation"),
    ("a region", || json!({"aws": {"region": "eu-west-3"}}), "spec.aws"),
    ("AWS removed", || json!({"aws": null}), "spec.aws"),
    ("the ledger's table", || json!({"ledger": {"table": "other"}}), "spec.ledger"),
    ("the ledger's key", || json!({"ledger": {"contactKey": {"key": "other"}}}), "spec.ledger"),
    ("the catalogue", || json!({"catalogue": {"table": "other"}}), "spec.catalogue"),
    ("the topic", || json!({"notifications": {"topicArn": "arn:aws:sns:eu-west-1:123456789012:other"}}), "spec.notifications"),
    ("the capture policy", || json!({"payments": {"capture": "AtOnce"}}), "spec.payments"),
    ("the payment account", || json!({"payments": {"stripe": {"secretKey": {"secretName": "other"}}}}), "spec.payments"),
    ("a return URL added", || json!({"payments": {"stripe": {"returnUrl": "https://shop.example.com/paid"}}}), "spec.payments"),
    ("the broker", || json!({"devices": {"endpoint": "other.example.com:8883"}}), "spec.devices"),
    ("the topic prefix", || json!({"devices": {"topicPrefix": "other"}}), "spec.devices"),
];

#[rustfmt::skip]
const FREE: &[FreeChange] = &[
    ("a time-out", || json!({"timeouts": {"kitchenSeconds": 60}})),
    ("time-outs removed", || json!({"timeouts": null})),
    ("retries", || json!({"retries": {"notification": 20}})),
    ("suspend", || json!({"suspend": true})),
    ("a bound on live orders", || json!({"maxLiveOrders": 1})),
    ("a capture policy set to its default", || json!({"payments": {"capture": "WhenReady"}})),
];

pub(crate) fn trials() -> Vec<Named> {
    let refused = REFUSED.iter().map(|&(what, spoil, field, sentence)| {
        named(format!("refused in a class: {what}"), move |server| {
            Box::pin(async move {
                let mut class = class("spoilt");
                spoil(&mut class);
                server.create(CLASSES, &class).await?.refused(field, sentence)
            })
        })
    });
    let fixed = FIXED.iter().map(|&(what, patch, field)| {
        named(format!("refused in a class that exists: {what}"), move |server| {
            Box::pin(async move {
                let answer = change(server, &patch()).await?;
                let name = field.trim_start_matches("spec.");
                let verb = if name == "aws" { "cannot change, be added or be removed" } else { "cannot change" };
                let sentence = format!(
                    "{name} {verb}: only timeouts, retries, suspend, maxLiveOrders and intake can; create another OrderClass \
                     for other accounts, tables or topics"
                );
                answer.refused(field, &sentence)
            })
        })
    });
    let free = FREE.iter().map(|&(what, patch)| {
        named(format!("taken in a class that exists: {what}"), move |server| {
            Box::pin(async move { change(server, &patch()).await?.taken().map(drop) })
        })
    });
    refused.chain(fixed).chain(free).collect()
}

async fn change(server: &Server, patch: &Value) -> Result<Answer> {
    server.create(CLASSES, &class("changing")).await?.taken()?;
    let changing = format!("{CLASSES}/changing");
    let answer = server.merge(&changing, &json!({"spec": patch})).await?;
    server.delete(&changing).await?.taken()?;
    Ok(answer)
}
