use serde_json::json;

use super::*;

/// A minute that begins a period of five.
const BEGIN: i64 = 1_800_000_000;

fn counting(threshold: f64, periods: i64, to_alarm: i64) -> Definition {
    let alarm = json!({
        "AlarmName": "refused",
        "StateValue": "INSUFFICIENT_DATA",
        "Namespace": "Comanda/bistro",
        "MetricName": "OrdersRefused",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": periods,
        "DatapointsToAlarm": to_alarm,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    });
    Definition::of(&alarm).expect("an alarm")
}

fn state(definition: &Definition, data: &[Minutes], now: i64) -> State {
    definition.evaluate(data, now).0
}

#[test]
fn what_comes_within_a_period_counts_together() {
    let alarm = counting(3.0, 1, 1);
    let data = [vec![(BEGIN, 1.0), (BEGIN + 120, 2.0)]];
    assert_eq!(state(&alarm, &data, BEGIN + 130), State::Alarm);
    assert_eq!(state(&alarm, &data, BEGIN + 299), State::Alarm);
    assert_eq!(state(&alarm, &data, BEGIN + 300), State::Ok, "the first is five minutes ago");
    assert_eq!(state(&counting(4.0, 1, 1), &data, BEGIN + 130), State::Ok);
}

#[test]
fn nothing_said_is_well() {
    assert_eq!(state(&counting(1.0, 1, 1), &[Vec::new()], BEGIN), State::Ok);
}

#[test]
fn one_period_of_several_keeps_an_alarm_until_it_is_past() {
    let alarm = counting(1.0, 4, 1);
    let data = [vec![(BEGIN, 1.0)]];
    assert_eq!(state(&alarm, &data, BEGIN + 1199), State::Alarm);
    assert_eq!(state(&alarm, &data, BEGIN + 1200), State::Ok);
    assert_eq!(state(&counting(1.0, 2, 2), &data, BEGIN), State::Ok, "both periods are asked for");
}

/// What the template's alarms of functions are, of two of them.
fn of_functions() -> Value {
    let of = |id: &str| {
        let dimensions = [json!({ "Name": "FunctionName", "Value": id })];
        let metric = json!({ "Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": dimensions });
        json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": "300", "Stat": "Sum" }, "ReturnData": false })
    };
    let sum = json!({ "Id": "all", "Expression": SUM_OF_ALL, "ReturnData": true });
    json!({
        "AlarmName": "errors",
        "StateValue": "OK",
        "Metrics": [sum, of("one"), of("other")],
        "EvaluationPeriods": 1,
        "Threshold": 3.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    })
}

#[test]
fn a_sum_is_over_all_metrics_and_one_without_data_is_none() {
    let alarm = Definition::of(&of_functions()).expect("an alarm");
    let named: Vec<_> = alarm.metrics.iter().map(|metric| &metric.dimensions[0]["Value"]).collect();
    assert_eq!(named, ["one", "other"]);
    assert_eq!(state(&alarm, &[vec![(BEGIN, 1.0)], vec![(BEGIN + 60, 2.0)]], BEGIN + 60), State::Alarm);
    assert_eq!(state(&alarm, &[vec![(BEGIN, 1.0)], Vec::new()], BEGIN), State::Ok);
}

#[test]
fn the_greatest_value_counts_of_what_is_a_level() {
    let mut alarm = counting(2.0, 1, 1);
    alarm.statistic = Statistic::Maximum;
    assert_eq!(state(&alarm, &[vec![(BEGIN, 1.0), (BEGIN + 60, 1.0)]], BEGIN + 60), State::Ok);
    assert_eq!(state(&alarm, &[vec![(BEGIN, 2.0), (BEGIN + 60, 0.0)]], BEGIN + 60), State::Alarm);
}

#[test]
fn what_is_not_known_of_an_alarm_is_refused() {
    let known = of_functions();
    for (pointer, value) in [
        ("/ComparisonOperator", json!("LessThanThreshold")),
        ("/TreatMissingData", json!("missing")),
        ("/Metrics/0/Expression", json!("SUM(METRICS())")),
        ("/Metrics/1/MetricStat/Stat", json!("Average")),
        ("/Metrics/1/MetricStat/Period", json!("60")),
    ] {
        let mut alarm = known.clone();
        *alarm.pointer_mut(pointer).expect("it is there") = value;
        assert!(Definition::of(&alarm).is_err(), "{pointer}");
    }
    let mut many = known.clone();
    let metrics = many["Metrics"].as_array_mut().expect("metrics");
    metrics.extend(vec![metrics[1].clone(); 9]);
    assert!(Definition::of(&many).is_err(), "eleven metrics");
}
