//! Orders on what `lambdas/template.yaml` makes: the functions under their roles, the operator with the policy of its
//! pods, the devices with those of their certificates. Evidence is read from the systems themselves.
//!
//! One installation serves all scenes, one after the other.

mod attempts;
mod cancelled;
mod carried;
mod compared;
mod wakes;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use comanda_e2e::stack::Options;
use comanda_e2e::world::World;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

type Scene = for<'a> fn(&'a World) -> futures::future::LocalBoxFuture<'a, anyhow::Result<()>>;

fn options() -> Options {
    Options { program: Some(PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"))), ..Options::default() }
}

macro_rules! scenes {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($name), (|world| Box::pin($module::$name(world))) as Scene)),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let world: Arc<OnceCell<World>> = Arc::default();
    let scenes = scenes![
        carried::an_order_is_delivered_by_an_operator_that_may_do_what_its_policy_grants,
        carried::an_order_is_delivered_by_one_execution_of_the_machine,
        wakes::a_delivered_order_costs_at_most_five_writes_and_no_look_at_its_execution,
        wakes::what_devices_say_twice_to_operator_and_function_has_one_effect,
        wakes::a_wake_that_is_lost_costs_no_more_than_the_wait,
        cancelled::a_cancel_ends_the_wait_for_the_customer,
        cancelled::a_cancel_ends_the_wait_for_the_kitchen,
        cancelled::a_cancel_ends_the_wait_for_the_courier,
        cancelled::a_cancel_while_a_step_is_at_work_turns_the_order_round_behind_it,
        attempts::an_execution_stopped_by_hand_is_succeeded_from_where_the_ledger_is_and_does_nothing_more,
        attempts::a_suspended_order_is_handed_back_when_its_wait_is_over_and_goes_on_when_it_is_released,
        compared::the_twelve_orders_end_the_same_whoever_carries_them,
        compared::with_the_operator_killed_all_orders_end_the_same_and_it_shows_them_when_it_is_back,
    ];
    let trials = scenes
        .into_iter()
        .map(|(name, scene)| {
            let (runtime, world) = (Arc::clone(&runtime), Arc::clone(&world));
            Trial::test(name, move || {
                let run = async {
                    let world = world.get_or_try_init(|| World::with_machine(options())).await?;
                    let begun = Instant::now();
                    let result = scene(world).await;
                    eprintln!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
                    result
                };
                runtime.block_on(run).map_err(|error| Failed::from(format!("{error:#}")))
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(world) = Arc::into_inner(world).and_then(OnceCell::into_inner) {
        runtime.block_on(world.stop());
    }
    conclusion.exit_code()
}
