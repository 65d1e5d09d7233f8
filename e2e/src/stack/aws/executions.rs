//! What executions of the machine did, by their histories, and what was asked of Step Functions.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use serde_json::Value;

/// What a wait that is over by time ends with.
const TIMED_OUT: &str = "States.Timeout";

/// The names of the states that an execution entered, in order. The states that only choose are left out.
pub(super) async fn states_entered(client: &Client, execution: &str) -> Result<Vec<String>> {
    let mut states = Vec::new();
    let pages = client.get_execution_history().execution_arn(execution).max_results(1000);
    let mut events = pages.into_paginator().items().send();
    while let Some(event) = events.try_next().await? {
        if event.r#type != HistoryEventType::ChoiceStateEntered
            && let Some(entered) = event.state_entered_event_details
        {
            states.push(entered.name);
        }
    }
    Ok(states)
}

/// The ARNs of the executions of a machine, whose names say of which order.
pub(super) async fn executions(client: &Client, machine: &str) -> Result<Vec<String>> {
    let pages = client.list_executions().state_machine_arn(machine).max_results(1000).into_paginator();
    let mut executions = pages.items().send().collect::<Result<Vec<_>, _>>().await?;
    executions.sort_by_key(|execution| execution.start_date);
    Ok(executions.into_iter().map(|execution| execution.execution_arn).collect())
}

/// The names of the states of an execution that ended by time, in order.
pub(super) async fn states_timed_out(client: &Client, execution: &str) -> Result<Vec<String>> {
    // The emulator says so of a task that failed.
    states_of(client, execution, |event| {
        event.r#type == HistoryEventType::TaskTimedOut || error_of(event) == Some(TIMED_OUT)
    })
    .await
}

/// The names of the states of an execution whose function failed, in order, once for each failure.
pub(super) async fn states_failed(client: &Client, execution: &str) -> Result<Vec<String>> {
    states_of(client, execution, |event| error_of(event).is_some_and(|error| error != TIMED_OUT)).await
}

/// The state in which an execution waits on a token, once its function is back.
pub(super) async fn waits_in(client: &Client, execution: &str) -> Result<Option<String>> {
    let last = client.get_execution_history().execution_arn(execution).reverse_order(true).max_results(1);
    let last = last.send().await?.events.pop();
    if last.is_none_or(|event| event.r#type != HistoryEventType::TaskSubmitted) {
        return Ok(None);
    }
    Ok(states_entered(client, execution).await?.pop())
}

/// With what a task failed.
fn error_of(event: &HistoryEvent) -> Option<&str> {
    event.task_failed_event_details.as_ref()?.error.as_deref()
}

/// The states in which something happened, once for each time.
async fn states_of(
    client: &Client,
    execution: &str,
    happened: impl Fn(&HistoryEvent) -> bool,
) -> Result<Vec<String>> {
    let (mut state, mut states) = (String::new(), Vec::new());
    let pages = client.get_execution_history().execution_arn(execution).max_results(1000);
    let mut events = pages.into_paginator().items().send();
    while let Some(event) = events.try_next().await? {
        if happened(&event) {
            states.push(state.clone());
        }
        if let Some(entered) = event.state_entered_event_details {
            state = entered.name;
        }
    }
    Ok(states)
}

/// What was asked by an action, in order, as the emulator wrote it down in its directory.
pub(super) fn calls(dir: &Path, action: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(dir.join("states-calls.jsonl"))
        .context("reading what was asked of Step Functions")?;
    // The last line may be half written.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let asked = lines.filter(|line| line["action"] == action).filter_map(|mut line| {
        let body = line["asked"].take();
        serde_json::from_str(body.as_str()?).ok()
    });
    Ok(asked.collect())
}
