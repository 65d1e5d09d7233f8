//! The definitions on a real API server, without an operator: what is refused, with which sentence, what may
//! change, what tools see, and whether the commands of the documents work. One API server serves all trials, one
//! after the other.

mod cards;
mod changes;
mod classes;
mod creation;
mod documents;
mod judged;
mod limits;
mod manifests;
mod ratcheting;
mod server;
mod shape;

use std::process::ExitCode;
use std::sync::Arc;

use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use server::Server;

/// A trial's name and what it does.
type Named = (String, Box<dyn for<'a> Fn(&'a Server) -> LocalBoxFuture<'a, anyhow::Result<()>> + Send>);

fn named(
    name: impl Into<String>,
    trial: impl for<'a> Fn(&'a Server) -> LocalBoxFuture<'a, anyhow::Result<()>> + Send + 'static,
) -> Named {
    (name.into(), Box::new(trial))
}

macro_rules! trials {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$(named(stringify!($name), |server| Box::pin($module::$name(server)))),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let server: Arc<OnceCell<Server>> = Arc::default();

    let mut all = creation::trials();
    all.extend(changes::trials());
    all.extend(classes::trials());
    all.extend(trials![
        cards::a_card_number_is_refused_and_shown_nowhere,
        shape::an_unseen_order_is_pending_and_looks_done_to_nobody,
        shape::an_unseen_class_looks_done_to_nobody,
        shape::a_new_order_cannot_bring_its_own_status,
        shape::kubectl_get_shows_the_columns_people_look_for,
        shape::the_wide_columns_show_what_the_status_says,
        shape::orders_are_found_by_id_and_by_phase,
        shape::short_names_and_the_category_are_served,
        shape::every_status_the_operator_writes_is_taken,
        shape::the_definitions_apply_without_a_warning,
        shape::the_orders_of_the_demo_are_taken_and_applied_again_without_a_change,
        limits::a_note_of_an_event_may_have_1024_bytes_and_not_1024_letters,
        documents::no_documented_command_says_order_or_orders,
        documents::every_documented_command_works_and_reaches_our_orders,
        documents::a_command_that_says_orders_reaches_cert_managers_and_is_noticed,
        documents::a_documented_command_that_nobody_can_place_fails_with_a_sentence,
        judged::two_thousand_bodies_are_judged_as_the_api_server_judges_them,
        ratcheting::an_order_stored_under_laxer_rules_can_be_cancelled_and_let_go,
    ]);
    let trials = all
        .into_iter()
        .map(|(name, trial)| {
            let (runtime, server) = (Arc::clone(&runtime), Arc::clone(&server));
            Trial::test(name, move || {
                let run = async { trial(server.get_or_try_init(Server::start).await?).await };
                runtime.block_on(run).map_err(|error| Failed::from(format!("{error:#}")))
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(server) = Arc::into_inner(server).and_then(OnceCell::into_inner) {
        runtime.block_on(server.stop());
    }
    conclusion.exit_code()
}
