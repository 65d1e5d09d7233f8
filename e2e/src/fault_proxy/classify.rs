//! Which effect of which order a call is, by what is on the wire.

use comanda_boundary::{self as boundary, Boundary, Crossing, Point, Site};
use comanda_crds::FINALIZER;
use comanda_saga::effect::Kind;
use comanda_saga::{Effect, Record};
use comanda_steps::contract::ExecutionInput;
use serde::Serialize;
use serde_json::{Map, Value};

/// Whom the operator calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Service {
    /// The API server.
    Kubernetes,
    /// The ledger and the catalogue.
    DynamoDb,
    /// Messages to customers.
    Sns,
    /// The payment provider.
    Stripe,
    /// The broker of the devices.
    Mqtt,
    /// Executions of the state machine.
    StepFunctions,
    /// The queue by which the machine wakes the operator.
    Sqs,
}

impl Service {
    /// The service that an effect calls.
    pub const fn of(site: Site) -> Self {
        match site {
            Site::FinalizerOn | Site::FinalizerOff | Site::Status => Self::Kubernetes,
            Site::Claim | Site::Finish => Self::DynamoDb,
            Site::Effect(effect) => match effect.row().kind {
                Kind::Write => Self::DynamoDb,
                Kind::Payment => Self::Stripe,
                Kind::Message => Self::Sns,
                Kind::Command => Self::Mqtt,
                Kind::Execution => Self::StepFunctions,
            },
        }
    }
}

/// An order, as a call names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct OrderName {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub name: String,
}

/// A call on the wire.
#[derive(Clone, Debug)]
pub struct Call {
    /// To whom.
    pub service: Service,
    /// In a line, for the record.
    pub line: String,
    /// For which order.
    pub order: Option<OrderName>,
    /// What it does, or writes down; more than one where a write of the record does more than one thing.
    pub crossings: Vec<Crossing>,
}

impl Call {
    pub(super) fn new(service: Service, line: String) -> Self {
        Self { service, line, order: None, crossings: Vec::new() }
    }

    fn of(mut self, order: Option<OrderName>, crossings: Vec<Crossing>) -> Self {
        (self.order, self.crossings) = (order, crossings);
        self
    }

    /// The effects it is.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.crossings.iter().filter_map(|crossing| match crossing {
            Crossing::Effect(site) => Some(*site),
            Crossing::Intent(_) | Crossing::Outcome(_) => None,
        })
    }

    /// Whether it comes by the boundary with its request or its answer.
    pub fn comes_by(&self, boundary: Boundary) -> bool {
        self.crossings.iter().any(|crossing| {
            let points = match crossing {
                Crossing::Intent(_) => [Point::BeforeIntent, Point::AfterIntent],
                Crossing::Effect(_) => [Point::Sent, Point::Effected],
                Crossing::Outcome(_) => [Point::Answered, Point::AfterOutcome],
            };
            crossing.site() == boundary.site && points.contains(&boundary.point)
        })
    }
}

/// A request to the API server.
pub(super) fn kubernetes(method: &str, path: &str, body: &[u8]) -> Call {
    let call = Call::new(Service::Kubernetes, format!("{method} {path}"));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let ["apis", "comanda.dev", _, "namespaces", namespace, "orders", name, rest @ ..] = &parts[..] else {
        return call;
    };
    let order = order(namespace, name);
    let finalizers = |body: &[u8]| -> Option<Vec<Value>> {
        let body: Value = serde_json::from_slice(body).ok()?;
        body["metadata"]["finalizers"].as_array().cloned()
    };
    let crossings = match (method, rest) {
        ("PATCH", ["status"]) => vec![Crossing::Effect(Site::Status)],
        ("PATCH", []) => finalizers(body)
            .map(|left| if left.contains(&FINALIZER.into()) { Site::FinalizerOn } else { Site::FinalizerOff })
            .map(Crossing::Effect)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    call.of(Some(order), crossings)
}

/// A request to Stripe: a write carries the order and the effect in its idempotency key.
pub(super) fn stripe(method: &str, path: &str, key: Option<&str>) -> Call {
    let call = Call::new(Service::Stripe, format!("{method} {path}"));
    let Some([_, namespace, name, part, _]) = key.and_then(|key| {
        let parts: Vec<&str> = key.split('/').collect();
        <[&str; 5]>::try_from(parts).ok()
    }) else {
        return call;
    };
    let effect =
        Site::all().find(|site| matches!(site, Site::Effect(effect) if effect.row().key_part == part));
    call.of(Some(order(namespace, name)), effect.map(Crossing::Effect).into_iter().collect())
}

/// A request to AWS, and the record it writes, if it writes one. `before` is the record as it was.
pub(super) fn aws(
    target: Option<&str>,
    body: &[u8],
    before: impl Fn(&OrderName) -> Option<Record>,
) -> (Call, Option<Record>) {
    // The one service that names its operation in a form.
    let Some((service, operation)) = target.and_then(|target| target.split_once('.')) else {
        return (sns(body), None);
    };
    match service {
        "AWSStepFunctions" => return (step_functions(operation, body), None),
        "AmazonSQS" => return (Call::new(Service::Sqs, operation.to_owned()), None),
        _ => {}
    }
    let call = Call::new(Service::DynamoDb, operation.to_owned());
    let Some(after) = written(body) else { return (call, None) };
    let order = order(&after.identity.tenant, &after.identity.order_id);
    let crossings = boundary::crossings(before(&order).as_ref(), &after);
    (call.of(Some(order), crossings), Some(after))
}

/// A start of an execution: its input names the order.
fn step_functions(operation: &str, body: &[u8]) -> Call {
    let call = Call::new(Service::StepFunctions, operation.to_owned());
    let input = || -> Option<ExecutionInput> {
        let body: Value = serde_json::from_slice(body).ok()?;
        serde_json::from_str(body["input"].as_str()?).ok()
    };
    let Some(ExecutionInput { order: named, .. }) = (operation == "StartExecution").then(input).flatten()
    else {
        return call;
    };
    let site = Site::Effect(Effect::Execute);
    call.of(Some(order(&named.tenant, &named.order_id)), vec![Crossing::Effect(site)])
}

/// A message to a customer: the form carries the message as JSON.
fn sns(body: &[u8]) -> Call {
    let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let call = Call::new(Service::Sns, field("Action").unwrap_or("unknown").to_owned());
    let Some(message) = field("Message").and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return call;
    };
    let (Some(namespace), Some(name)) = (message["tenant"].as_str(), message["orderId"].as_str()) else {
        return call;
    };
    let confirmed = message["kind"] == "confirmed";
    let effect = if confirmed { Effect::NotifyConfirmed } else { Effect::NotifyEnding };
    call.of(Some(order(namespace, name)), vec![Crossing::Effect(Site::Effect(effect))])
}

/// A command to a device, by its topic.
pub(super) fn mqtt(topic: &str) -> Call {
    let call = Call::new(Service::Mqtt, format!("PUBLISH {topic}"));
    let parts: Vec<&str> = topic.split('/').collect();
    let ([_, _, namespace, _, who, name, command] | [_, _, namespace, _, who, name, command, _]) = &parts[..]
    else {
        return call;
    };
    let effect = match (*who, *command) {
        // Of the two commands of an assignment, the first: the other only says that it was made.
        ("couriers", "assigned") => Effect::Assign,
        ("kitchen", "prepare") => Effect::Prepare,
        ("kitchen", "cancel") => Effect::RecallKitchen,
        ("couriers", "deliver") => Effect::Deliver,
        ("couriers", "cancel") => Effect::RecallCourier,
        _ => return call,
    };
    call.of(Some(order(namespace, name)), vec![Crossing::Effect(Site::Effect(effect))])
}

fn order(namespace: &str, name: &str) -> OrderName {
    OrderName { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// The record in a conditional write of the ledger.
fn written(body: &[u8]) -> Option<Record> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let puts = body["TransactItems"].as_array().into_iter().flatten().map(|item| &item["Put"]);
    let item = puts.chain([&body]).map(|put| &put["Item"]).find(|item| item["record"].is_object())?;
    serde_json::from_value(plain(&item["record"])).ok()
}

/// DynamoDB's typed JSON as plain JSON.
fn plain(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("N", Value::String(number)) => serde_json::from_str(number).unwrap_or(Value::Null),
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("M", Value::Object(fields)) => Value::Object(
            fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>(),
        ),
        ("NULL", _) => Value::Null,
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_says_what_its_call_is() {
        let path = "/apis/comanda.dev/v1alpha1/namespaces/shop/orders/one";
        let on = format!(r#"{{"metadata":{{"finalizers":["{FINALIZER}"]}}}}"#);
        assert_eq!(kubernetes("PATCH", path, on.as_bytes()).crossings, [Crossing::Effect(Site::FinalizerOn)]);
        let off = br#"{"metadata":{"finalizers":[]}}"#;
        assert_eq!(kubernetes("PATCH", path, off).crossings, [Crossing::Effect(Site::FinalizerOff)]);
        assert_eq!(
            kubernetes("PATCH", &format!("{path}/status"), b"{}").crossings,
            [Crossing::Effect(Site::Status)]
        );
        assert_eq!(kubernetes("GET", path, b"").crossings, []);

        let refund = stripe("POST", "/v1/refunds", Some("local/shop/one/refund/2"));
        assert_eq!(refund.crossings, [Crossing::Effect(Site::Effect(Effect::Refund))]);
        assert_eq!(refund.order, Some(order("shop", "one")));
        assert_eq!(stripe("GET", "/v1/payment_intents/pi_1", None).crossings, []);

        let message = r#"{"tenant":"shop","orderId":"one","kind":"cancelled"}"#;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "Publish")
            .append_pair("Message", message)
            .finish();
        assert_eq!(
            aws(None, form.as_bytes(), |_| None).0.crossings,
            [Crossing::Effect(Site::Effect(Effect::NotifyEnding))]
        );

        let input =
            r#"{"order":{"installation":"local","tenant":"shop","orderId":"one"},"phase":"Validating"}"#;
        let start = serde_json::json!({ "name": "one-1", "input": input }).to_string();
        let target = |operation| Some(format!("AWSStepFunctions.{operation}"));
        let call = |operation, body: &str| aws(target(operation).as_deref(), body.as_bytes(), |_| None).0;
        let started = call("StartExecution", &start);
        assert_eq!(started.crossings, [Crossing::Effect(Site::Effect(Effect::Execute))]);
        assert_eq!((started.service, started.order), (Service::StepFunctions, Some(order("shop", "one"))));
        assert_eq!(call("DescribeExecution", "{}").crossings, []);
        assert_eq!(aws(Some("AmazonSQS.ReceiveMessage"), b"{}", |_| None).0.service, Service::Sqs);

        let recall = mqtt("comanda/local/shop/madrid/couriers/one/cancel");
        assert_eq!(recall.crossings, [Crossing::Effect(Site::Effect(Effect::RecallCourier))]);
        let assigned = mqtt("comanda/local/shop/madrid/couriers/one/assigned/bike-1");
        assert_eq!(assigned.crossings, [Crossing::Effect(Site::Effect(Effect::Assign))]);
        assert_eq!(mqtt("comanda/local/shop/madrid/kitchen/one/events/tablet").crossings, []);
    }
}
