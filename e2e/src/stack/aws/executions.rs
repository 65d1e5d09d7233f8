//! What executions of the machine did, by their histories.

use anyhow::Result;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::HistoryEventType;

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
