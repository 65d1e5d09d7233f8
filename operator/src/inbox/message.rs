//! What a message of the wake queue says, in one of two forms: a step's, and `EventBridge`'s of an execution that ended.
//! Whoever may send to the queue can say anything, and nothing of it is believed: it says where to look.

use comanda_saga::Identity;
use comanda_steps::contract::{ExecutionInput, Wake};
use serde::Deserialize;

/// What `EventBridge` calls its event.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.
const STATUS_CHANGE: (&str, &str) = ("aws.states", "Step Functions Execution Status Change");
/// The statuses of an execution that is not over.
const GOING_ON: [&str; 2] = ["RUNNING", "PENDING_REDRIVE"];

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The order it is about; none where `EventBridge` left the execution's input out, as it does of a machine whose data a
    /// customer's key encrypts.
    pub order: Option<Identity>,
    /// The execution that is said to have ended.
    pub ended: Option<String>,
    /// Whether its customer is said to cancel the order.
    pub cancel: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Event(Event),
    Wake(Wake),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Event {
    source: String,
    detail_type: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    name: String,
    status: String,
    #[serde(default)]
    input: Option<String>,
}

/// Reads a message to this installation.
///
/// # Errors
/// Why it is none, in words of ours: the message's own may be anybody's.
pub fn read(body: &str, installation: &str) -> Result<Said, &'static str> {
    let form = serde_json::from_str(body).map_err(|_| "it is neither a wake nor an event of an execution")?;
    let (order, ended, cancel) = match form {
        Form::Wake(wake) => (Some(wake.order), None, wake.cancel),
        Form::Event(Event { source, detail_type, .. })
            if (source.as_str(), detail_type.as_str()) != STATUS_CHANGE =>
        {
            return Err("it is an event of something else");
        }
        Form::Event(Event { detail: Detail { name, status, input }, .. }) => {
            let input = input.map(|input| serde_json::from_str::<ExecutionInput>(&input)).transpose();
            let input = input.map_err(|_| "its execution was not started by an operator")?;
            let ended = !GOING_ON.contains(&status.as_str());
            (input.map(|input| input.order), ended.then_some(name), false)
        }
    };
    // What else there is would be a key that the ledger refuses.
    let order = order.map(|order| order.identity().to_string().parse::<Identity>()).transpose();
    let order = order.map_err(|_| "no order can be called like that")?;
    if order.as_ref().is_some_and(|order| order.installation != installation) {
        return Err("it is about another installation");
    }
    Ok(Said { order, ended, cancel })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::memory::tests::identity;

    /// An event as `EventBridge` sends it.
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.
    fn event(status: &str, input: &Value, included: bool) -> Value {
        json!({
            "version": "0",
            "id": "315c1398-40ff-a850-213b-158f73e60175",
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": "123456789012",
            "time": "2026-02-26T19:42:21Z",
            "region": "eu-west-1",
            "resources": ["arn:aws:states:eu-west-1:123456789012:execution:order:a-1-1-0123456789abcdef"],
            "detail": {
                "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:order:a-1-1-0123456789abcdef",
                "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:order",
                "name": "a-1-1-0123456789abcdef",
                "status": status,
                "startDate": 1_551_225_146_847_i64,
                "stopDate": 1_551_225_151_881_i64,
                "input": input,
                "inputDetails": {"included": included},
                "output": null,
                "outputDetails": null,
                "error": "States.Timeout",
                "cause": null,
            },
        })
    }

    fn input(tenant: &str) -> Value {
        json!({"order": {"installation": "bistro", "tenant": tenant, "orderId": "a-1"}, "phase": "Paying"})
    }

    fn told(body: &Value) -> Result<Said, &'static str> {
        read(&body.to_string(), "bistro")
    }

    #[test]
    fn a_wake_of_a_step_says_which_order_and_nothing_else() {
        let body = json!({"order": input("shop")["order"], "execution": "a-1-1-0123456789abcdef"});
        assert_eq!(told(&body), Ok(Said { order: Some(identity()), ended: None, cancel: false }));
    }

    #[test]
    fn an_event_of_eventbridge_says_which_execution_of_which_order_ended() {
        let execution = "a-1-1-0123456789abcdef".to_owned();
        let input = Value::String(input("shop").to_string());
        for status in ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"] {
            let said = Said { order: Some(identity()), ended: Some(execution.clone()), cancel: false };
            assert_eq!(told(&event(status, &input, true)), Ok(said), "{status}");
        }
        let running = Said { order: Some(identity()), ended: None, cancel: false };
        assert_eq!(told(&event("RUNNING", &input, true)), Ok(running));
    }

    #[test]
    fn an_event_whose_input_is_left_out_says_which_execution_ended() {
        let said = Said { order: None, ended: Some("a-1-1-0123456789abcdef".to_owned()), cancel: false };
        assert_eq!(told(&event("FAILED", &Value::Null, false)), Ok(said.clone()));
        let mut absent = event("FAILED", &Value::Null, false);
        absent["detail"].as_object_mut().expect("an object").remove("input");
        assert_eq!(told(&absent), Ok(said));
    }

    #[test]
    fn what_is_no_message_is_refused_in_words_of_ours() {
        let nobodys = "it is neither a wake nor an event of an execution";
        for body in ["", "null", "[]", "{}", "\u{FEFF}{}", "<script>", &"[".repeat(100_000), "{\"order\": 7}"]
        {
            assert_eq!(read(body, "bistro"), Err(nobodys), "{body:.20}");
        }
        let mut other = event("FAILED", &Value::Null, false);
        other["source"] = json!("aws.ec2");
        assert_eq!(told(&other), Err("it is an event of something else"));
        let by_hand = event("FAILED", &json!("{}"), true);
        assert_eq!(told(&by_hand), Err("its execution was not started by an operator"));
    }

    #[test]
    fn an_order_that_cannot_be_is_not_asked_for() {
        let longest = "t".repeat(63);
        for (tenant, holds) in
            [("shop", true), (&*longest, true), ("", false), ("a/b", false), ("Ä", false), ("a b", false)]
        {
            let body = json!({"order": input(tenant)["order"], "execution": "e"});
            assert_eq!(told(&body).is_ok(), holds, "{tenant}");
        }
        let body = json!({"order": input(&"t".repeat(64))["order"], "execution": "e"});
        assert_eq!(told(&body), Err("no order can be called like that"));
        let body = json!({"order": input("shop")["order"], "execution": "e"}).to_string();
        assert_eq!(read(&body, "another"), Err("it is about another installation"));
    }
}
