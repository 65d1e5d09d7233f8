//! Who carries the orders of a class, if not the operator.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Phase;
use crate::rules::queue_url;

/// Who carries orders, if not the operator.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Executor {
    /// One execution of a state machine carries each order through the phases named here.
    pub step_functions: StepFunctions,
}

/// The state machine of `lambdas/template.yaml`, and what it is left to do.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct StepFunctions {
    /// The machine's ARN.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[-a-z]*:states:[-a-z0-9]+:[0-9]{12}:stateMachine:[-_A-Za-z0-9]{1,80}$')").message("stateMachineArn must be the ARN of a standard state machine, such as arn:aws:states:eu-west-1:123456789012:stateMachine:order"))]
    pub state_machine_arn: String,
    /// The queue by which the machine says that an order moved, waits or ended.
    #[schemars(length(max = 400))]
    #[x_kube(validation = queue_url("queueUrl"))]
    pub queue_url: String,
    /// The phases in which an execution carries the order. Default: all of them. In the others the operator does.
    #[serde(default = "all_phases")]
    #[schemars(length(min = 1, max = 6), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(phase, phase in ['Validating', 'Paying', 'Notifying', 'Preparing', 'Delivering', 'Compensating'])").message("phases must be of Validating, Paying, Notifying, Preparing, Delivering and Compensating"))]
    pub phases: Vec<Phase>,
}

/// The ARN of a standard machine's execution; none where the machine's is no ARN of a machine.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-resource-names.html>.
pub fn execution_arn(machine_arn: &str, name: &str) -> Option<String> {
    let machine = machine_arn.replacen(":stateMachine:", ":execution:", 1);
    (machine != machine_arn).then(|| format!("{machine}:{name}"))
}

fn all_phases() -> Vec<Phase> {
    use Phase::{Compensating, Delivering, Notifying, Paying, Preparing, Validating};
    vec![Validating, Paying, Notifying, Preparing, Delivering, Compensating]
}
