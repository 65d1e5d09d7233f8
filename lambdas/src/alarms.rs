//! The template's metric filters and alarms, held to the functions and to the metrics that there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::Value;
use strum::IntoEnumIterator;

use crate::function::Function;

/// The metrics that a function's lines are counted by.
fn counted(function: Function) -> &'static [&'static str] {
    match function {
        Function::ValidateOrder => &["OrdersRefused", "StepsStuck"],
        Function::AuthorizePayment | Function::CapturePayment | Function::UndoPayment => {
            &["PaymentErrors", "StepsStuck"]
        }
        Function::UpdateStatus => &["OrdersNeedPerson", "StatusUpdateErrors", "StepsStuck"],
        Function::NotifyCustomer
        | Function::RequestPreparation
        | Function::RequestDelivery
        | Function::RecallDevices
        | Function::ReleaseStock
        | Function::Await => &["StepsStuck"],
        Function::StripeWebhook => &["OrdersNeedPerson"],
        // Nobody tries it again for an order: AWS/Lambda counts its errors.
        Function::DeviceAck | Function::Intake => &[],
    }
}

/// The metrics of services that alarms may watch, and the dimension that says of what.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>.
const OF_SERVICES: [(&str, &[&str], &str); 4] = [
    ("AWS/ApiGateway", &["5xx"], "ApiId"),
    ("AWS/Lambda", &["Errors", "Throttles"], "FunctionName"),
    ("AWS/States", &["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"], "StateMachineArn"),
    ("AWS/SQS", &["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"], "QueueName"),
];

/// A metric that an alarm watches: namespace, name, and what it is of.
type Metric = (String, String, Option<String>);

fn template() -> Value {
    serde_yaml::from_str(include_str!("../template.yaml")).expect("YAML")
}

/// The properties of each resource of a type, by its logical name.
fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_mapping().expect("resources");
    let named = resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    named.map(|(name, resource)| (text(name), &resource["Properties"])).collect()
}

/// A text, or what the tag on it is about.
fn text(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str().expect("a text"),
        value => value.as_str().unwrap_or_else(|| panic!("{value:?} is no text")),
    }
}

/// The function whose log it is, by the logical name of the log.
fn function_of_log(log: &str) -> Function {
    let named = |function: &Function| format!("{function:?}Log") == log;
    Function::iter().find(named).unwrap_or_else(|| panic!("{log} is no function's"))
}

fn own_namespace(value: &Value) -> bool {
    matches!(value, Value::Tagged(_)) && text(value) == "Comanda/${AWS::StackName}"
}

/// What filters emit, by function.
fn emitted(template: &Value) -> BTreeMap<Function, BTreeSet<&str>> {
    let mut emitted: BTreeMap<Function, BTreeSet<&str>> = BTreeMap::new();
    for (name, filter) in of_type(template, "AWS::Logs::MetricFilter") {
        let [transformation] = &filter["MetricTransformations"].as_sequence().expect("a list")[..] else {
            panic!("{name} counts more than one thing")
        };
        assert!(own_namespace(&transformation["MetricNamespace"]), "{name} counts elsewhere");
        assert_eq!(text(&transformation["MetricValue"]), "1", "{name}");
        let function = function_of_log(text(&filter["LogGroupName"]));
        let new = emitted.entry(function).or_default().insert(text(&transformation["MetricName"]));
        assert!(new, "{name} counts again what another filter of the same log counts");
    }
    emitted
}

/// The metrics that each alarm watches.
fn watched(template: &Value) -> BTreeMap<&str, Vec<Metric>> {
    let metric = |named: &Value| {
        let of = named["Dimensions"].as_sequence().map(|dimensions| {
            let [dimension] = &dimensions[..] else { panic!("more than one dimension") };
            format!("{}={}", text(&dimension["Name"]), text(&dimension["Value"]))
        });
        (text(&named["Namespace"]).to_owned(), text(&named["MetricName"]).to_owned(), of)
    };
    let metrics = |alarm: &Value| match alarm["Metrics"].as_sequence() {
        None => vec![metric(alarm)],
        Some(queries) => {
            let stats = queries.iter().filter(|query| query.get("MetricStat").is_some());
            stats.map(|query| metric(&query["MetricStat"]["Metric"])).collect()
        }
    };
    of_type(template, "AWS::CloudWatch::Alarm")
        .into_iter()
        .map(|(name, alarm)| (name, metrics(alarm)))
        .collect()
}

#[test]
fn every_function_has_the_filters_that_its_lines_are_counted_by() {
    let template = template();
    let emitted = emitted(&template);
    for function in Function::iter() {
        let expected: BTreeSet<&str> = counted(function).iter().copied().collect();
        assert_eq!(emitted.get(&function).cloned().unwrap_or_default(), expected, "{function:?}");
    }
}

#[test]
fn every_metric_that_an_alarm_watches_is_counted_by_a_filter_or_by_a_service_of_what_is_there() {
    let template = template();
    let own: BTreeSet<&str> = emitted(&template).into_values().flatten().collect();
    let resources = template["Resources"].as_mapping().expect("resources");
    for (alarm, metrics) in watched(&template) {
        for (namespace, name, of) in metrics {
            if namespace == "Comanda/${AWS::StackName}" {
                assert!(own.contains(&*name) && of.is_none(), "{alarm}: no filter counts {name} of {of:?}");
                continue;
            }
            let service = OF_SERVICES.iter().find(|(service, ..)| *service == namespace);
            let (_, names, dimension) = service.unwrap_or_else(|| panic!("{alarm}: {namespace}"));
            assert!(names.contains(&&*name), "{alarm}: {namespace} has no {name}");
            let of = of.unwrap_or_else(|| panic!("{alarm} watches {name} of everybody"));
            let of = of.strip_prefix(&format!("{dimension}=")).unwrap_or_else(|| panic!("{alarm}: {of}"));
            let resource = of.strip_suffix(".QueueName").unwrap_or(of);
            assert!(resources.contains_key(resource), "{alarm}: there is no {resource}");
        }
    }
}

#[test]
fn every_metric_that_is_counted_has_an_alarm_and_every_function_one_of_its_errors_and_throttles() {
    let template = template();
    let watched: BTreeSet<Metric> = watched(&template).into_values().flatten().collect();
    for name in emitted(&template).into_values().flatten() {
        let metric = ("Comanda/${AWS::StackName}".to_owned(), name.to_owned(), None);
        assert!(watched.contains(&metric), "nobody watches {name}");
    }
    for function in of_type(&template, "AWS::Serverless::Function").into_keys() {
        for name in ["Errors", "Throttles"] {
            let metric = ("AWS/Lambda".to_owned(), name.to_owned(), Some(format!("FunctionName={function}")));
            assert!(watched.contains(&metric), "nobody watches the {name} of {function}");
        }
    }
}

/// Of metrics in an expression, CloudWatch takes ten.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html>.
#[test]
fn an_alarm_watches_at_most_ten_metrics_of_one_period() {
    let template = template();
    for (alarm, metrics) in watched(&template) {
        assert!((1..=10).contains(&metrics.len()), "{alarm} watches {} metrics", metrics.len());
        let properties = &template["Resources"][alarm]["Properties"];
        let queries = properties["Metrics"].as_sequence().cloned().unwrap_or_default();
        let stats = queries.iter().filter_map(|query| query.get("MetricStat"));
        let periods: BTreeSet<_> = stats.map(|stat| stat["Period"].as_u64()).collect();
        assert!(periods.len() <= 1, "{alarm}: {periods:?}");
    }
}

#[test]
fn every_alarm_tells_of_both_its_states_by_a_threshold_that_is_a_parameter() {
    let template = template();
    let mut used = BTreeSet::new();
    for (name, alarm) in of_type(&template, "AWS::CloudWatch::Alarm") {
        let threshold = text(&alarm["Threshold"]);
        let parameter = &template["Parameters"][threshold];
        assert_eq!(parameter["Type"], "Number", "{name}: {threshold} is no parameter");
        assert!(
            parameter["MinValue"].as_u64() == Some(1) && parameter["Default"].as_u64() >= Some(1),
            "{threshold}"
        );
        used.insert(threshold.to_owned());
        for actions in ["AlarmActions", "OKActions"] {
            let told: Vec<&str> = alarm[actions].as_sequence().expect(actions).iter().map(text).collect();
            assert_eq!(told, ["Alarms"], "{name}: {actions}");
        }
        // What is counted is missing while nothing happens.
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
        // CloudWatch takes 1,024 characters.
        let says = text(&alarm["AlarmDescription"]);
        assert!((80..=1024).contains(&says.len()), "{name} says {says}");
        // The topic lets alarms publish whose names begin so.
        assert!(text(&alarm["AlarmName"]).starts_with("${AWS::StackName}-"), "{name}");
    }
    let parameters = template["Parameters"].as_mapping().expect("parameters").keys().map(text);
    let thresholds: BTreeSet<String> =
        parameters.filter(|name| name.ends_with("Threshold")).map(str::to_owned).collect();
    assert_eq!(used, thresholds, "thresholds that are used, and that can be given");
}

/// With `alias/aws/sns` alarms are not delivered, and nothing says so but their history.
/// Source: <https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns>.
#[test]
fn only_alarms_of_the_stack_publish_to_their_topic_with_a_key_that_lets_them() {
    let template = template();
    let resources = &template["Resources"];
    assert_eq!(text(&resources["Alarms"]["Properties"]["KmsMasterKeyId"]), "AlarmsKey");
    let statements =
        resources["AlarmsKey"]["Properties"]["KeyPolicy"]["Statement"].as_sequence().expect("a list");
    let [publish] = [&resources["AlarmsPolicy"]["Properties"]["PolicyDocument"]["Statement"]];
    let decrypt = statements.iter().find(|statement| statement["Sid"] == "CloudWatch").expect("CloudWatch");
    for (statement, actions) in
        [(publish, vec!["sns:Publish"]), (decrypt, vec!["kms:Decrypt", "kms:GenerateDataKey*"])]
    {
        assert_eq!(statement["Effect"], "Allow");
        assert_eq!(statement["Principal"]["Service"], "cloudwatch.amazonaws.com");
        let allowed = match &statement["Action"] {
            Value::Sequence(several) => several.iter().map(text).collect(),
            one => vec![text(one)],
        };
        assert_eq!(allowed, actions);
        assert_eq!(text(&statement["Condition"]["StringEquals"]["aws:SourceAccount"]), "AWS::AccountId");
        let source = text(&statement["Condition"]["ArnLike"]["aws:SourceArn"]);
        assert!(source.ends_with(":alarm:${AWS::StackName}-*"), "{source}");
    }
}

#[test]
fn the_dashboard_is_json_that_shows_every_alarm_and_function_and_names_nothing_that_is_not_there() {
    let template = template();
    let body = text(&template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]);
    let dashboard: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let widgets = dashboard["widgets"].as_array().expect("widgets");
    let shown = widgets.iter().find(|widget| widget["type"] == "alarm").expect("the alarms");
    let shown: BTreeSet<&str> = shown["properties"]["alarms"]
        .as_array()
        .expect("alarms")
        .iter()
        .map(|alarm| alarm.as_str().expect("an ARN"))
        .collect();
    let alarms: BTreeSet<String> = of_type(&template, "AWS::CloudWatch::Alarm")
        .into_keys()
        .map(|name| format!("${{{name}.Arn}}"))
        .collect();
    assert_eq!(shown, alarms.iter().map(String::as_str).collect());
    for function in of_type(&template, "AWS::Serverless::Function").into_keys() {
        assert!(body.contains(&format!("\"${{{function}}}\"")), "it does not show {function}");
    }
    for place in body.split("${").skip(1) {
        let (named, _) = place.split_once('}').expect("a place ends");
        let resource = named.split('.').next().unwrap_or_default();
        let there = template["Resources"].get(resource).is_some() || named.starts_with("AWS::");
        assert!(there, "there is no {named}");
    }
}
