//! The part of CloudWatch that makes alarms of logs and of what services count, which the emulator lacks: metric filters
//! are run, AWS/States and AWS/SQS are fed, and alarms are evaluated by their definitions. All of it goes through AWS's own
//! calls, and knows nothing of the template but what they answer. What is not as AWS does it: the README beside.

mod api;
mod definition;
pub mod pattern;

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use serde_json::{Value, json};

use api::Api;
pub use definition::State;
use definition::{Definition, Minutes};
use pattern::Pattern;

use super::Aws;
use super::deployment::stack_name;

/// An alarm, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name, without the stack's.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Why.
    pub reason: String,
}

/// Looks at the logs and services of a stack, and turns its alarms.
#[derive(Debug)]
pub struct Monitor {
    api: Api,
    states: aws_sdk_sfn::Client,
    sqs: aws_sdk_sqs::Client,
    stack: String,
    machine: String,
    queues: Vec<String>,
    /// The log streams that were read. The lines of a call come at once, in a stream of their own.
    read: HashSet<String>,
    /// The executions whose end was counted.
    ended: HashSet<String>,
}

/// One value of a metric of one time.
#[derive(Clone, Debug)]
struct Datum {
    namespace: String,
    name: String,
    dimensions: Value,
    /// In seconds since 1970.
    at: f64,
    value: f64,
}

impl Aws {
    /// What turns the alarms of what was deployed. One is enough: each counts by itself.
    ///
    /// # Errors
    /// When nothing is deployed.
    pub fn monitor(&self) -> Result<Monitor> {
        let deployment = self.deployment.as_ref().context("this stack has no alarms")?;
        let queues = [&*deployment.wake_queue_url, &*deployment.dead_letter_queue_url];
        let (stack, machine) = (stack_name(), &deployment.state_machine_arn);
        Ok(Monitor::new(&self.endpoint, &self.config, stack, machine, queues))
    }

    /// What was logged, by the log group.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn logged(&self) -> Result<Vec<(String, String)>> {
        Api::new(&self.endpoint).logged().await
    }
}

impl Monitor {
    /// Of a stack of this name, with its machine and the URLs of its queues.
    fn new(
        endpoint: &str,
        config: &aws_config::SdkConfig,
        stack: String,
        machine: &str,
        queues: [&str; 2],
    ) -> Self {
        Self {
            api: Api::new(endpoint),
            states: aws_sdk_sfn::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            stack,
            machine: machine.to_owned(),
            queues: queues.map(str::to_owned).to_vec(),
            read: HashSet::new(),
            ended: HashSet::new(),
        }
    }

    /// Counts what is new, and turns the alarms as of `now`, which may be later than it is: what is counted has its own
    /// time. CloudWatch does this once a minute.
    ///
    /// # Errors
    /// When a call fails, or the stack has a filter or an alarm that is not known here.
    pub async fn look(&mut self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut data = self.filter_logs().await?;
        data.extend(self.executions_ended().await?);
        data.extend(self.messages_in_queues(now).await?);
        self.api.put(&data).await?;
        self.evaluate(now.as_second()).await
    }

    /// What the metric filters of the stack make of lines that they have not seen yet.
    async fn filter_logs(&mut self) -> Result<Vec<Datum>> {
        let namespace = format!("Comanda/{}", self.stack);
        let mut groups: BTreeMap<String, Vec<Filter>> = BTreeMap::new();
        for filter in self.api.metric_filters().await? {
            let (group, filter) = Filter::read(&filter)?;
            if filter.namespace == namespace {
                groups.entry(group).or_default().push(filter);
            }
        }
        let mut data = Vec::new();
        for (group, filters) in groups {
            let events = self.api.log_events(&group).await?;
            let seen: HashSet<String> = events.iter().map(|event| event.stream.clone()).collect();
            for event in events.iter().filter(|event| !self.read.contains(&event.stream)) {
                for filter in &filters {
                    data.extend(filter.count(&event.message, event.at)?);
                }
            }
            self.read.extend(seen);
        }
        Ok(data)
    }

    /// Executions that ended badly since the last look, as Step Functions counts them.
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html>.
    async fn executions_ended(&mut self) -> Result<Vec<Datum>> {
        let mut data = Vec::new();
        for (status, name) in [
            (ExecutionStatus::Failed, "ExecutionsFailed"),
            (ExecutionStatus::TimedOut, "ExecutionsTimedOut"),
            (ExecutionStatus::Aborted, "ExecutionsAborted"),
        ] {
            let list = self.states.list_executions().state_machine_arn(&self.machine).status_filter(status);
            let mut executions = list.into_paginator().items().send();
            while let Some(execution) = executions.try_next().await? {
                if self.ended.insert(execution.execution_arn) {
                    let at = execution.stop_date.context("an execution that ended has no end")?;
                    let dimensions = json!([{ "Name": "StateMachineArn", "Value": self.machine }]);
                    data.push(Datum {
                        namespace: "AWS/States".to_owned(),
                        name: name.to_owned(),
                        dimensions,
                        at: at.as_secs_f64(),
                        value: 1.0,
                    });
                }
            }
        }
        Ok(data)
    }

    /// How many messages can be received of each queue, as SQS says each minute. How old the oldest is, no call says.
    /// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>.
    async fn messages_in_queues(&self, now: Timestamp) -> Result<Vec<Datum>> {
        let mut data = Vec::new();
        for url in &self.queues {
            let asked = QueueAttributeName::ApproximateNumberOfMessages;
            let answer =
                self.sqs.get_queue_attributes().queue_url(url).attribute_names(asked.clone()).send().await?;
            let found = answer.attributes.and_then(|mut attributes| attributes.remove(&asked));
            let queue = url.rsplit('/').next().unwrap_or_default();
            #[allow(clippy::cast_precision_loss)] // CloudWatch's values are such.
            data.push(Datum {
                namespace: "AWS/SQS".to_owned(),
                name: "ApproximateNumberOfMessagesVisible".to_owned(),
                dimensions: json!([{ "Name": "QueueName", "Value": queue }]),
                at: now.as_second() as f64,
                value: found.with_context(|| format!("{queue} does not say how many"))?.parse()?,
            });
        }
        Ok(data)
    }

    /// Turns each alarm of the stack that is in another state than its metrics say.
    async fn evaluate(&self, now: i64) -> Result<Vec<Alarm>> {
        let prefix = format!("{}-", self.stack);
        let mut alarms = Vec::new();
        for alarm in self.api.alarms(&prefix).await? {
            let definition = Definition::of(&alarm)?;
            let (start, end) = definition.window(now);
            let data: Vec<Minutes> =
                self.api.data(&definition.metrics, definition.statistic(), start, end).await?;
            let (state, reason) = definition.evaluate(&data, now);
            if state != definition.state {
                self.api.set_state(&definition.name, state, &reason).await?;
            }
            let name = definition.name.strip_prefix(&prefix).unwrap_or(&definition.name).to_owned();
            alarms.push(Alarm { name, state, reason });
        }
        Ok(alarms)
    }
}

/// A metric filter.
struct Filter {
    pattern: Pattern,
    namespace: String,
    name: String,
    value: f64,
    /// What a line counts that does not match.
    default: Option<f64>,
}

impl Filter {
    /// Reads what `DescribeMetricFilters` says of a filter, and of which log group it is.
    fn read(filter: &Value) -> Result<(String, Self)> {
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{filter}"));
        let transformation = &filter["metricTransformations"][0];
        let read = Self {
            pattern: Pattern::parse(&text(&filter["filterPattern"])?)?,
            namespace: text(&transformation["metricNamespace"])?,
            name: text(&transformation["metricName"])?,
            value: text(&transformation["metricValue"])?.parse().context("a value that is no number")?,
            default: transformation["defaultValue"].as_f64(),
        };
        Ok((text(&filter["logGroupName"])?, read))
    }

    /// What a line counts.
    fn count(&self, line: &str, at: f64) -> Result<Option<Datum>> {
        let value = if self.pattern.matches(line)? { Some(self.value) } else { self.default };
        Ok(value.map(|value| Datum {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            dimensions: json!([]),
            at,
            value,
        }))
    }
}
