//! The state machine leads where the saga says: its states are the saga's steps, and what they answer leads from one to
//! the next as [`machine`](crate::support::machine) has it, which the model explores.

use comanda_saga::Phase;
use comanda_saga::driver::{Answer, Step, Stop};
use serde_json::Value;
use strum::IntoEnumIterator;

use crate::support::machine::{At, first, route};

const ANSWERS: [(&str, Answer); 4] = [
    ("Done", Answer::Done),
    ("Waiting", Answer::Waiting),
    ("Undo", Answer::Undo),
    ("Stop", Answer::Stop(Stop::HandedBack)),
];

fn machine() -> Value {
    serde_json::from_str(include_str!("../../../statemachines/order.asl.json")).expect("a state machine")
}

/// Where a Choice leads that looks at one word of its input.
fn chosen<'a>(choice: &'a Value, field: &str, word: &str) -> &'a str {
    assert_eq!(choice["Type"], "Choice");
    let rules = choice["Choices"].as_array().expect("rules");
    let holds = |rule: &&Value| {
        let condition = rule["Condition"].as_str().expect("a condition");
        condition.contains(&format!("$states.input.{field} = '{word}'"))
    };
    let next = rules.iter().find(holds).map_or(&choice["Default"], |rule| &rule["Next"]);
    next.as_str().expect("the name of a state")
}

/// Whether a state stands for where an execution is.
fn is_at(states: &Value, name: &str, at: At) -> bool {
    let state = &states[name];
    match at {
        At::Step(step) => name == step.name(),
        // A wait, and then the step again.
        At::Wait(step, _) => name.starts_with("Await") && state["Next"] == step.name(),
        At::Ended => ["Succeed", "Fail"].iter().any(|kind| state["Type"] == *kind),
        At::Stopped(_) => false,
    }
}

#[test]
fn every_answer_of_every_step_leads_where_the_model_goes() {
    let machine = machine();
    let states = &machine["States"];
    for step in Step::iter() {
        let state = &states[step.name()];
        assert_eq!(state["Type"], "Task", "{step:?}");
        let choice = &states[state["Next"].as_str().expect("a choice")];
        for (word, answer) in ANSWERS {
            let (next, at) = (chosen(choice, "result", word), route(step, answer));
            assert!(is_at(states, next, at), "{step:?} answers {word}: {next} is not {at:?}");
        }
    }
}

#[test]
fn an_execution_begins_with_the_step_of_the_orders_phase() {
    let machine = machine();
    let begin = &machine["States"][machine["StartAt"].as_str().expect("a state")];
    for phase in Phase::iter().filter(|phase| !phase.is_final() && *phase != Phase::Pending) {
        let word = format!("{phase:?}");
        assert_eq!(chosen(begin, "phase", &word), first(phase).name(), "{phase:?}");
        assert!(first(phase).share().phases.contains(&phase), "{phase:?}");
    }
}

#[test]
fn every_task_has_a_time_out_and_tries_again_all_but_a_defect() {
    let machine = machine();
    for (name, state) in machine["States"].as_object().expect("states") {
        if state["Type"] != "Task" {
            continue;
        }
        assert!(!state["TimeoutSeconds"].is_null(), "{name}");
        let retries = state["Retry"].as_array().expect("retriers");
        let tries = |error: &str| {
            let named = |errors: &Value, name: &str| {
                errors.as_array().is_some_and(|errors| errors.iter().any(|one| one == name))
            };
            let matches = |retry: &&Value| {
                let errors = &retry["ErrorEquals"];
                named(errors, error) || named(errors, "States.ALL")
            };
            retries.iter().find(matches).and_then(|retry| retry["MaxAttempts"].as_i64()).unwrap_or_default()
        };
        assert_eq!(tries("Comanda.Defect"), 0, "{name}");
        assert!(tries("Comanda.Transient") > 100, "{name}: {}", tries("Comanda.Transient"));
        let caught = state["Catch"].as_array().into_iter().flatten();
        let all = |catch: &Value| {
            catch["ErrorEquals"].as_array().is_some_and(|all| all.contains(&"States.ALL".into()))
        };
        assert!(!caught.into_iter().any(all), "{name} hides where it failed");
    }
}

#[test]
fn a_step_that_the_machine_gives_the_order_to_hands_it_back_when_it_is_not_the_steps() {
    let machine = machine();
    for step in Step::iter().filter(|step| *step != Step::HandBack) {
        let choice = &machine["States"][machine["States"][step.name()]["Next"].as_str().expect("a choice")];
        assert_eq!(choice["Default"], Step::HandBack.name(), "{step:?}");
    }
}
