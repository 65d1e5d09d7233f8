//! Step Functions: executions are started, looked at and stopped, and their waits ended.

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionError;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use aws_sdk_sfn::types::{ExecutionStatus, StateMachineStatus, StateMachineType};
use comanda_crds::execution_arn;

use super::aws::describe;
use crate::ports::{ExecutionError, Executions};

/// Step Functions, by a client of the machine's region.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    client: Client,
}

impl StepFunctions {
    /// By a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

fn arn(machine_arn: &str, name: &str) -> Result<String, ExecutionError> {
    let wrong = || ExecutionError(format!("{machine_arn} is not the ARN of a state machine"));
    execution_arn(machine_arn, name).ok_or_else(wrong)
}

#[async_trait]
impl Executions for StepFunctions {
    async fn start(&self, machine_arn: &str, name: &str, input: String) -> Result<(), ExecutionError> {
        let answer = self.client.start_execution().state_machine_arn(machine_arn).name(name).input(input);
        match answer.send().await {
            Ok(_) => Ok(()),
            // The same name and input while it runs is answered as the first time; once it ended, like this.
            // Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>.
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(()),
                _ => Err(ExecutionError(describe(&error))),
            },
        }
    }

    async fn ended(&self, machine_arn: &str, name: &str) -> Result<Option<String>, ExecutionError> {
        let answer = self.client.describe_execution().execution_arn(arn(machine_arn, name)?).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            // It was never started, or ended more than 90 days ago.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeExecutionError::is_execution_does_not_exist) =>
            {
                return Ok(Some("The execution does not exist.".to_owned()));
            }
            Err(error) => return Err(ExecutionError(describe(&error))),
        };
        let how = match answer.status {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => return Ok(None),
            ExecutionStatus::Succeeded => "The execution succeeded, and the order is not over.".to_owned(),
            ExecutionStatus::Failed => "The execution failed".to_owned(),
            ExecutionStatus::TimedOut => "The execution timed out".to_owned(),
            ExecutionStatus::Aborted => "The execution was stopped".to_owned(),
            other => format!("The execution is {other}"),
        };
        let why = [answer.error, answer.cause].into_iter().flatten().collect::<Vec<_>>().join(": ");
        Ok(Some(if why.is_empty() { how } else { format!("{}: {why}", how.trim_end_matches('.')) }))
    }

    async fn stop(&self, machine_arn: &str, name: &str, why: &str) -> Result<(), ExecutionError> {
        let request = self.client.stop_execution().execution_arn(arn(machine_arn, name)?);
        let answer = request.error("Comanda.Stopped").cause(why).send().await;
        answer.map(|_| ()).map_err(|error| ExecutionError(describe(&error)))
    }

    async fn wake(&self, token: &str) -> Result<(), ExecutionError> {
        let answer = self.client.send_task_success().task_token(token).output("{}").send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // The wait is over already, by time or by another.
                Some(
                    SendTaskSuccessError::TaskTimedOut(_)
                    | SendTaskSuccessError::TaskDoesNotExist(_)
                    | SendTaskSuccessError::InvalidToken(_),
                ) => Ok(()),
                _ => Err(ExecutionError(describe(&error))),
            },
        }
    }

    async fn check(&self, machine_arn: &str) -> Result<(), ExecutionError> {
        let answer = self.client.describe_state_machine().state_machine_arn(machine_arn).send().await;
        let machine = answer.map_err(|error| ExecutionError(describe(&error)))?;
        takes_executions(machine.status.as_ref(), &machine.r#type)
    }
}

/// Whether a machine takes executions that can be started by name: an Express one starts another of the same name.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>.
fn takes_executions(
    status: Option<&StateMachineStatus>,
    kind: &StateMachineType,
) -> Result<(), ExecutionError> {
    if *kind != StateMachineType::Standard {
        return Err(ExecutionError(format!("the state machine is of type {kind}: make a STANDARD one")));
    }
    match status {
        None | Some(StateMachineStatus::Active) => Ok(()),
        Some(status) => Err(ExecutionError(format!("the state machine is {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executions_arn_is_made_of_its_machines() {
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:comanda-order";
        let execution = "arn:aws:states:eu-west-1:123456789012:execution:comanda-order:a-1";
        assert_eq!(execution_arn(machine, "a-1").as_deref(), Some(execution));
        assert_eq!(execution_arn("arn:aws:states:eu-west-1:123456789012:activity:x", "a-1"), None);
    }

    #[test]
    fn a_machine_that_is_going_or_express_takes_no_executions() {
        let (standard, express) = (StateMachineType::Standard, StateMachineType::Express);
        assert_eq!(takes_executions(Some(&StateMachineStatus::Active), &standard), Ok(()));
        assert_eq!(takes_executions(None, &standard), Ok(()), "not every service says so");
        assert!(takes_executions(Some(&StateMachineStatus::Deleting), &standard).is_err());
        assert!(takes_executions(Some(&StateMachineStatus::Active), &express).is_err());
    }
}
