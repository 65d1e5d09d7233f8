//! Scenes in which something goes badly wrong, on the real stack: each proves that its fault happened, and
//! reads from the systems themselves what became of its orders. Whatever crashes, nobody is charged twice.
//!
//! One installation serves all scenes. Those that only wait run side by side; one that takes away what all of
//! them use, or an operator, runs alone.

mod clock;
mod cluster;
mod devices;
mod fences;
mod identity;
mod leaders;
mod money;
mod people;
mod services;
mod watches;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use comanda_e2e::fault_proxy::Watches;
use comanda_e2e::fault_proxy::classify::Service;
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
    /// Nobody for most of its time; it takes its turns itself.
    Lasting,
    /// Everybody.
    Alone,
    /// Everybody, so that it waits for those that last too.
    Last,
}

/// Held by scenes that run beside others, and alone by one that disturbs them.
pub static TURN: RwLock<()> = RwLock::const_new(());
/// Held by scenes that last, also between their turns.
pub static LASTING: RwLock<()> = RwLock::const_new(());

/// How many scenes run side by side. They mostly wait.
const BESIDE: usize = 12;

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
        Lasting: [services::a_stripe_that_is_away_for_long_is_waited_for_and_charges_once],
        Beside: [
            money::a_key_that_is_still_in_use_is_asked_again_and_the_order_is_charged_once,
            money::a_key_that_somebody_else_used_is_left_and_the_order_is_charged_once,
            money::a_failed_refund_waits_for_a_person_whose_retry_is_a_new_attempt,
            money::an_authorization_that_expires_before_the_capture_fails_the_order_uncharged,
            devices::a_ready_after_the_undo_changes_nothing,
            devices::a_delivery_after_the_undo_needs_a_person_and_charges_nothing,
            people::a_tool_that_patches_annotations_all_the_time_disturbs_no_order,
            people::an_order_replaced_without_its_finalizer_is_undone_when_it_is_deleted,
            people::an_order_whose_customer_cannot_be_read_any_more_is_undone_all_the_same,
            people::a_namespace_deleted_with_orders_in_it_lets_them_go_when_they_are_settled,
            people::an_abandoned_order_is_let_go_and_its_debt_is_kept,
            identity::an_order_lost_and_applied_again_ten_times_is_one_order,
            identity::of_two_objects_for_one_order_the_second_does_nothing,
            identity::a_class_made_anew_with_another_stripe_does_not_redirect_an_undo,
        ],
        Alone: [
            leaders::a_leader_paused_before_the_confirmation_comes_back_to_a_cancelled_order_and_charges_nothing,
            leaders::a_leader_paused_before_the_capture_comes_back_to_a_cancelled_order_and_charges_nothing,
            leaders::a_leader_of_which_a_part_panicked_ends_instead_of_holding_its_place,
            leaders::a_leader_paused_past_its_lease_while_the_capture_is_under_way_leaves_one_refund,
            leaders::a_leader_paused_with_the_answer_to_a_capture_unwritten_is_succeeded_without_a_second_one,
            leaders::a_leader_paused_before_its_claim_comes_back_to_a_deleted_order_and_does_nothing,
            leaders::a_leader_paused_while_its_order_waits_writes_no_old_status_when_it_comes_back,
            leaders::a_leader_paused_before_it_writes_a_status_does_not_write_it_over_its_successors,
            identity::a_class_made_anew_with_another_ledger_starts_no_order_again,
            money::what_support_gave_back_by_hand_is_neither_forgotten_nor_given_twice,
            money::keys_that_expired_behind_a_lost_answer_charge_and_refund_once,
            fences::a_call_that_comes_too_late_after_its_intent_is_not_made,
            fences::an_event_is_acknowledged_when_the_ledger_has_it_and_not_before,
            watches::a_cancel_made_while_the_watch_is_silently_dead_is_noticed,
            watches::watches_that_are_told_that_they_missed_too_much_list_again,
            watches::watches_that_are_refused_with_status_410_list_again,
            services::an_api_server_that_restarts_loses_no_order,
            services::an_operator_that_starts_before_the_api_server_waits_for_it,
            services::an_etcd_that_stands_still_for_twenty_seconds_loses_no_order,
            services::a_ledger_away_for_a_minute_stops_every_effect_and_everything_goes_on_after,
            services::a_broker_cut_with_two_hundred_commands_unacknowledged_has_each_acted_on_once,
            clock::a_clock_two_days_ahead_charges_nobody_twice,
            clock::a_refund_that_stays_pending_is_followed_for_three_days_with_few_look_ups,
            clock::a_leader_whose_clock_ran_two_days_ahead_is_succeeded_in_seconds,
        ],
        Last: [cluster::a_cluster_that_is_lost_and_made_anew_finishes_its_orders_and_charges_once],
    ];
    let trials = scenes
        .into_iter()
        .map(|(name, company, scene)| {
            let (runtime, world) = (Arc::clone(&runtime), Arc::clone(&world));
            Trial::test(name, move || {
                let run = async {
                    let world = world.get_or_try_init(|| World::with_faults(options())).await?;
                    play(name, company, scene, world).await
                };
                runtime.block_on(run).map_err(|error| Failed::from(format!("{error:#}")))
            })
            // Minutes, one after the other: `.ci/run` asks for them.
            .with_ignored_flag(company != Company::Beside)
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
    match company {
        Company::Lasting => timed.await,
        Company::Beside => {
            let _turn = TURN.read().await;
            timed.await
        }
        Company::Alone | Company::Last => {
            // In this order: a scene that lasts waits for its turn.
            let _lasting = if company == Company::Last { Some(LASTING.write().await) } else { None };
            let _turn = TURN.write().await;
            let result = timed.await;
            if result.is_err() {
                mend(world).await?;
            }
            result
        }
    }
}

/// What a scene that failed half-way may have left broken.
async fn mend(world: &World) -> Result<()> {
    if let Some(proxy) = &world.installation.proxy {
        proxy.clear();
        proxy.set_watches(Watches::Alive);
        proxy.deafen(false);
        for service in [Service::Kubernetes, Service::DynamoDb, Service::Sns, Service::Stripe, Service::Mqtt]
        {
            proxy.let_up(service);
        }
    }
    world.kill_operator().await?;
    world.start_operator().await
}
