//! Which functions there are, and which steps each of them does.

use comanda_saga::driver::Step;
use strum::{EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

/// A function of the stack, by its handler's name. What each may do and is given: `lambdas/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Function {
    /// Checks the order, and takes the stock.
    ValidateOrder,
    /// Opens the payment, and has the amount held.
    AuthorizePayment,
    /// Tells the customer.
    NotifyCustomer,
    /// Writes where the order is, lets it go, and tells the operator.
    UpdateStatus,
    /// Tells the kitchen.
    RequestPreparation,
    /// Takes the held amount.
    CapturePayment,
    /// Tells couriers, and assigns one.
    RequestDelivery,
    /// Stops courier and kitchen.
    RecallDevices,
    /// Cancels or refunds the payment.
    UndoPayment,
    /// Returns the stock.
    ReleaseStock,
    /// Keeps how to end a wait.
    Await,
    /// Keeps what a device said, and ends the wait that it answers.
    DeviceAck,
    /// Looks a payment up that Stripe tells of, and ends the wait that it answers.
    StripeWebhook,
    /// Takes orders in over HTTP.
    Intake,
}

impl Function {
    /// The steps that it does.
    pub fn steps(self) -> &'static [Step] {
        match self {
            Self::ValidateOrder => &[Step::ValidateOrder],
            Self::AuthorizePayment => &[Step::AuthorizePayment],
            Self::NotifyCustomer => &[Step::ConfirmOrder, Step::NotifyEnding],
            Self::UpdateStatus => &[Step::UpdateStatus, Step::CloseOrder, Step::HandBack],
            Self::RequestPreparation => &[Step::RequestPreparation],
            Self::CapturePayment => &[Step::CapturePayment],
            Self::RequestDelivery => &[Step::RequestDelivery],
            Self::RecallDevices => &[Step::RecallDevices],
            Self::UndoPayment => &[Step::UndoPayment],
            Self::ReleaseStock => &[Step::ReleaseStock],
            Self::Await | Self::DeviceAck | Self::StripeWebhook | Self::Intake => &[],
        }
    }

    /// Whether the operator is told of each of its calls: the phase is another then, or the order is its own again.
    pub fn tells(self) -> bool {
        self == Self::UpdateStatus
    }
}

/// The names of all functions.
pub fn names() -> Vec<&'static str> {
    Function::iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use comanda_saga::effect::Kind;
    use comanda_saga::{Effect, Look};
    use comanda_steps::contract::waiting_step;
    use serde_json::Value;

    use super::*;

    /// The stack's template, without what its tags say.
    fn template() -> serde_yaml::Value {
        serde_yaml::from_str(include_str!("../template.yaml")).expect("YAML")
    }

    /// The handler of each function of the template, by its logical name.
    fn handlers() -> BTreeMap<String, Function> {
        let template = template();
        let resources = template["Resources"].as_mapping().expect("resources");
        let functions =
            resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
        functions
            .map(|(name, resource)| {
                let handler = resource["Properties"]["Handler"].as_str().expect("a handler");
                (
                    name.as_str().expect("a name").to_owned(),
                    handler.parse().expect("a function of this program"),
                )
            })
            .collect()
    }

    #[test]
    fn the_template_has_each_function_once() {
        let deployed: Vec<&str> = handlers().values().map(|function| (*function).into()).collect();
        assert_eq!(deployed.len(), names().len());
        assert_eq!(deployed.into_iter().collect::<BTreeSet<_>>(), names().into_iter().collect());
    }

    /// Environment variables by what a function's steps do.
    fn needed(function: Function) -> BTreeSet<&'static str> {
        let shares = || function.steps().iter().map(|step| step.share());
        let does = |wanted: fn(&Effect) -> bool| shares().any(|share| share.effects.iter().any(wanted));
        let looks = |wanted: fn(&Look) -> bool| shares().any(|share| share.looks.iter().any(wanted));
        let validates = looks(|look| *look == Look::Validation);
        let hears_stripe = function == Function::StripeWebhook;
        let pays = does(|effect| effect.row().kind == Kind::Payment)
            || looks(|look| matches!(look, Look::Payment | Look::Refunds))
            || hears_stripe;
        let reaches_the_customer = does(|effect| {
            effect.row().kind == Kind::Message
                || matches!(effect, Effect::OpenPayment | Effect::Deliver | Effect::Assign)
        });
        let given = [
            ("LEDGER_TABLE", true),
            ("CATALOGUE_TABLE", validates),
            ("STRIPE_SECRET_ARN", pays),
            ("CONTACT_KEY_SECRET_ARN", validates || reaches_the_customer || function == Function::Intake),
            ("IOT_DATA_ENDPOINT", does(|effect| effect.row().kind == Kind::Command)),
            (
                "WAKE_QUEUE_URL",
                function.tells() || matches!(function, Function::Await | Function::Intake) || hears_stripe,
            ),
            ("INTAKE_QUEUE_URL", function == Function::Intake),
            ("INSTALLATION", function == Function::Intake || hears_stripe),
            ("TENANT", function == Function::Intake),
            ("ORDER_CLASS", function == Function::Intake),
            ("STRIPE_URL", hears_stripe),
            ("STRIPE_WEBHOOK_SECRET_ARN", hears_stripe),
        ];
        given.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name).collect()
    }

    #[test]
    fn each_function_is_given_what_its_steps_need_and_no_more() {
        let template = template();
        for (name, function) in handlers() {
            let variables = &template["Resources"][&*name]["Properties"]["Environment"]["Variables"];
            let given = variables.as_mapping().expect("variables").keys();
            let given: BTreeSet<&str> = given.map(|name| name.as_str().expect("a name")).collect();
            assert_eq!(given, needed(function), "{name}");
        }
    }

    #[test]
    fn each_state_calls_the_function_that_does_its_step() {
        let (template, handlers) = (template(), handlers());
        let substituted = &template["Resources"]["Machine"]["Properties"]["DefinitionSubstitutions"];
        let function = |placeholder: &str| {
            let serde_yaml::Value::Tagged(name) = &substituted[placeholder] else {
                panic!("{placeholder}: no tag")
            };
            let name = name.value.as_str().expect("a name").strip_suffix(".Arn").expect("an ARN");
            handlers[name]
        };
        let machine: Value =
            serde_json::from_str(include_str!("../statemachines/order.asl.json")).expect("JSON");
        let mut done = Vec::new();
        for (state, definition) in machine["States"].as_object().expect("states") {
            let Some(called) = definition["Arguments"]["FunctionName"].as_str() else { continue };
            let called = function(called.trim_start_matches("${").trim_end_matches('}'));
            if let Ok(step) = state.parse::<Step>() {
                assert!(called.steps().contains(&step), "{state} calls {called:?}");
                done.push(step);
            } else {
                assert_eq!(called, Function::Await, "{state}");
                let next = definition["Next"].as_str().and_then(|next| next.parse().ok());
                assert_eq!(waiting_step(state), next, "{state} leads to the step whose wait it is");
                assert!(next.is_some(), "{state}");
            }
        }
        done.sort_unstable();
        assert_eq!(done, Step::iter().collect::<Vec<_>>());
    }
}
