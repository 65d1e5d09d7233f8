//! The calls of CloudWatch and its logs, without their SDKs, which would be two large crates for seven calls.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Datum;
use super::definition::{Metric, Minutes, State, Statistic};
use crate::stack::aws::iot::as_root;

/// How many values a call takes.
const VALUES: usize = 1000;

/// How many lines a call answers.
const EVENTS: usize = 10_000;

/// A line of a log.
#[derive(Debug)]
pub(super) struct LogEvent {
    pub(super) stream: String,
    pub(super) message: String,
    /// In seconds since 1970.
    pub(super) at: f64,
}

/// Calls CloudWatch as the account's root.
#[derive(Debug)]
pub(super) struct Api {
    endpoint: String,
    http: reqwest::Client,
}

impl Api {
    pub(super) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), http: reqwest::Client::new() }
    }

    /// Every metric filter of the account.
    pub(super) async fn metric_filters(&self) -> Result<Vec<Value>> {
        self.pages("logs", "DescribeMetricFilters", json!({}), "nextToken", "metricFilters").await
    }

    /// Every line of a log group, of as many as the emulator answers: it has no second page.
    pub(super) async fn log_events(&self, group: &str) -> Result<Vec<LogEvent>> {
        let asked = json!({ "logGroupName": group });
        let events = self.pages("logs", "FilterLogEvents", asked, "nextToken", "events").await?;
        ensure!(events.len() < EVENTS, "{group} has more lines than are answered");
        let event = |event: Value| {
            let text = |key: &str| event[key].as_str().map(str::to_owned);
            let at = event["timestamp"].as_f64().map(|milliseconds| milliseconds / 1000.0);
            let read = text("logStreamName").zip(text("message")).zip(at);
            read.map(|((stream, message), at)| LogEvent { stream, message, at })
                .context("a line without its time")
        };
        events.into_iter().map(event).collect()
    }

    /// Every line of every log group, with the group's name, of as many as the emulator answers.
    pub(super) async fn logged(&self) -> Result<Vec<(String, String)>> {
        let mut lines = Vec::new();
        for group in self.pages("logs", "DescribeLogGroups", json!({}), "nextToken", "logGroups").await? {
            let name = group["logGroupName"].as_str().context("a log group has a name")?;
            let asked = json!({ "logGroupName": name });
            let events = self.pages("logs", "FilterLogEvents", asked, "nextToken", "events").await?;
            let messages = events.iter().filter_map(|event| event["message"].as_str());
            lines.extend(messages.map(|message| (name.to_owned(), message.to_owned())));
        }
        Ok(lines)
    }

    /// Every alarm whose name begins so.
    pub(super) async fn alarms(&self, prefix: &str) -> Result<Vec<Value>> {
        let asked = json!({ "AlarmNamePrefix": prefix });
        self.pages("monitoring", "DescribeAlarms", asked, "NextToken", "MetricAlarms").await
    }

    /// Puts values, each under its metric and time.
    pub(super) async fn put(&self, data: &[Datum]) -> Result<()> {
        let mut namespaces: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for Datum { namespace, name, dimensions, at, value } in data {
            let datum =
                json!({ "MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value });
            namespaces.entry(namespace).or_default().push(datum);
        }
        for (namespace, data) in namespaces {
            for some in data.chunks(VALUES) {
                let put = json!({ "Namespace": namespace, "MetricData": some });
                self.call("monitoring", "PutMetricData", &put).await?;
            }
        }
        Ok(())
    }

    /// The minutes of each metric between two times, in seconds since 1970.
    pub(super) async fn data(
        &self,
        metrics: &[Metric],
        statistic: Statistic,
        start: i64,
        end: i64,
    ) -> Result<Vec<Minutes>> {
        let query = |(number, metric): (usize, &Metric)| {
            let Metric { namespace, name, dimensions } = metric;
            let metric = json!({ "Namespace": namespace, "MetricName": name, "Dimensions": dimensions });
            let minutes = json!({ "Metric": metric, "Period": 60, "Stat": statistic.to_string() });
            json!({ "Id": format!("m{number}"), "MetricStat": minutes })
        };
        let queries: Vec<Value> = metrics.iter().enumerate().map(query).collect();
        let asked = json!({ "MetricDataQueries": queries, "StartTime": start, "EndTime": end });
        let answer = self.call("monitoring", "GetMetricData", &asked).await?;
        let results = answer["MetricDataResults"].as_array().context("CloudWatch has no results")?;
        ensure!(results.len() == metrics.len(), "CloudWatch answers otherwise than asked: {answer}");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let minutes = |result: &Value| {
            let pairs = list(&result["Timestamps"]).into_iter().zip(list(&result["Values"]));
            let pair = |(at, value): (Value, Value)| Some((at.as_i64()?, value.as_f64()?));
            pairs.map(|both| pair(both).with_context(|| format!("data without a time: {result}"))).collect()
        };
        results.iter().map(minutes).collect()
    }

    /// Says what state an alarm is in, which tells whom it is to tell.
    pub(super) async fn set_state(&self, alarm: &str, state: State, reason: &str) -> Result<()> {
        let set = json!({ "AlarmName": alarm, "StateValue": state.to_string(), "StateReason": reason });
        self.call("monitoring", "SetAlarmState", &set).await.map(drop)
    }

    /// All of a list that is answered page by page.
    async fn pages(
        &self,
        service: &str,
        action: &str,
        mut asked: Value,
        token: &str,
        list: &str,
    ) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        loop {
            let mut answer = self.call(service, action, &asked).await?;
            let Value::Array(some) = answer[list].take() else { return Ok(all) };
            all.extend(some);
            match answer[token].take() {
                next @ Value::String(_) => asked[token] = next,
                _ => return Ok(all),
            }
        }
    }

    async fn call(&self, service: &str, action: &str, body: &Value) -> Result<Value> {
        let prefix = if service == "logs" { "Logs_20140328" } else { "GraniteServiceVersion20100801" };
        let request = as_root(self.http.post(&self.endpoint), service)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{prefix}.{action}"))
            .body(body.to_string());
        let answer = request.send().await.with_context(|| format!("calling {action}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{action} answers {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
