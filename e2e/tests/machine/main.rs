//! Orders on what `lambdas/template.yaml` makes: the functions under their roles, the operator with the policy of its
//! pods, the devices with those of their certificates. Evidence is read from the systems themselves.
//!
//! One installation serves all scenes. Those that mostly wait run side by side; one that has many orders, counts, or kills
//! the operator runs alone.

mod attempts;
mod cancelled;
mod carried;
mod compared;
mod denied;
mod intake;
mod permissions;
mod refunded;
mod wakes;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use comanda_e2e::stack::Options;
use comanda_e2e::world::World;
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, RwLock};

type Scene = for<'a> fn(&'a World) -> LocalBoxFuture<'a, Result<()>>;

/// Whom a scene disturbs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Nobody.
    Beside,
    /// Everybody.
    Alone,
}

/// Held by scenes that run beside others, and alone by one that disturbs them.
static TURN: RwLock<()> = RwLock::const_new(());

/// How many scenes run side by side.
const BESIDE: usize = 4;

fn options() -> Options {
    Options { program: Some(PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"))), ..Options::default() }
}

macro_rules! scenes {
    ($($company:ident: [$($module:ident :: $name:ident),* $(,)?]),* $(,)?) => {
        [$($((
            stringify!($name),
            Company::$company,
            (|world| Box::pin($module::$name(world))) as Scene,
        )),*),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(BESIDE);
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let world: Arc<OnceCell<World>> = Arc::default();
    let scenes = scenes![
        Alone: [
            carried::an_order_is_delivered_by_an_operator_that_may_do_what_its_policy_grants,
            carried::an_order_is_delivered_by_one_execution_of_the_machine,
            wakes::a_delivered_order_costs_at_most_five_writes_and_no_look_at_its_execution,
        ],
        Beside: [
            attempts::an_execution_stopped_by_hand_is_succeeded_from_where_the_ledger_is_and_does_nothing_more,
            attempts::a_suspended_order_is_handed_back_when_its_wait_is_over_and_goes_on_when_it_is_released,
            wakes::a_wake_that_is_lost_costs_no_more_than_the_wait,
            wakes::what_devices_say_twice_to_operator_and_function_has_one_effect,
            refunded::a_refund_that_the_bank_delays_is_followed_by_the_execution,
            webhooks::a_late_authorization_wakes_the_execution_or_the_operator,
            webhooks::a_word_of_stripes_that_is_lost_is_found_by_time,
            webhooks::what_is_not_stripes_is_refused_and_what_is_told_again_or_out_of_turn_changes_nothing,
            webhooks::what_is_not_an_orders_of_this_installation_is_ignored,
            webhooks::a_refund_that_comes_back_after_the_end_stalls_the_object_or_is_told_of_where_that_is_gone,
            webhooks::a_dispute_of_a_delivered_order_stalls_the_object,
            cancelled::a_cancel_ends_the_wait_for_the_customer,
            cancelled::a_cancel_ends_the_wait_for_the_kitchen,
            cancelled::a_cancel_ends_the_wait_for_the_courier,
            cancelled::a_cancel_while_a_step_is_at_work_turns_the_order_round_behind_it,
            intake::an_order_over_http_is_delivered_and_shown_to_its_caller_alone,
            intake::a_body_that_is_no_order_is_refused_with_the_field_and_nothing_is_kept,
            intake::a_cancel_over_http_reaches_the_order_before_its_object_is_made_and_after,
            intake::what_announces_no_order_makes_none,
        ],
        Alone: [
            compared::the_twelve_orders_end_the_same_whoever_carries_them,
            compared::with_the_operator_killed_all_orders_end_the_same_and_it_shows_them_when_it_is_back,
            webhooks::what_could_not_be_written_is_sent_again_until_it_is,
            denied::an_execution_that_does_not_undo_a_cancelled_order_is_stopped_and_the_next_one_does,
            intake::sixty_orders_posted_at_once_wait_for_room_and_none_is_lost,
            intake::five_hundred_orders_posted_at_once_wait_for_room_and_none_is_lost,
            denied::each_right_of_the_intake_that_is_taken_away_is_answered_with_send_again,
            denied::each_right_that_is_taken_away_fails_in_the_step_that_needs_it,
            permissions::whatever_functions_and_operator_are_granted_they_use,
            permissions::nothing_personal_is_in_logs_ledger_executions_and_metrics,
        ],
    ];
    // What was used is known when all else has run.
    let partly = arguments.filter.is_some() || !arguments.skip.is_empty();
    let trials = scenes
        .into_iter()
        .map(|(name, company, scene)| {
            let (runtime, world) = (Arc::clone(&runtime), Arc::clone(&world));
            Trial::test(name, move || {
                let run = async {
                    let world = world.get_or_try_init(|| World::with_machine(options())).await?;
                    play(name, company, scene, world).await
                };
                runtime.block_on(run).map_err(|error| Failed::from(format!("{error:#}")))
            })
            .with_ignored_flag(
                partly && (name.starts_with("whatever") || name.starts_with("nothing_personal"))
                    || name.starts_with("each_right")
                    || name.starts_with("five_hundred"),
            )
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(world) = Arc::into_inner(world).and_then(OnceCell::into_inner) {
        runtime.block_on(world.stop());
    }
    conclusion.exit_code()
}

async fn play(name: &str, company: Company, scene: Scene, world: &World) -> Result<()> {
    let timed = async {
        let begun = Instant::now();
        let result = scene(world).await;
        eprintln!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
        result
    };
    if company == Company::Beside {
        let _turn = TURN.read().await;
        return timed.await;
    }
    let _turn = TURN.write().await;
    let result = timed.await;
    if result.is_err() {
        // It may have killed the operator.
        world.kill_operator().await?;
        world.start_operator().await?;
    }
    result
}
