//! Orders on the real stack: every scene applies Orders, disturbs what it names, and reads from the
//! systems themselves what became of them. The operator's own word counts only where it is the subject.
//!
//! One installation serves all scenes, one after the other; the last scenes look back at all of them.

mod audit;
mod banks;
mod crashes;
mod customers;
mod devices;
mod dispatch;
mod fences;
mod identity;
mod money;
mod people;
mod webhook;

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
        money::every_order_of_the_demo_ends_as_its_evidence_demands,
        money::a_delivered_order_costs_four_writes_and_two_events,
        money::the_last_portion_is_sold_once,
        money::a_lost_answer_to_a_creation_makes_no_second_intent,
        money::a_lost_answer_to_a_confirmation_is_looked_up,
        money::a_lost_answer_to_a_capture_is_looked_up,
        money::a_lost_answer_to_a_refund_refunds_once,
        money::a_stored_error_to_a_capture_is_settled_by_a_look_up,
        money::a_stored_error_without_effect_gets_a_new_key,
        money::a_customer_who_confirms_with_three_d_secure_is_served,
        money::a_customer_who_never_confirms_is_rejected,
        money::a_class_may_capture_at_once,
        money::a_stale_version_is_refused_by_the_ledger,
        customers::every_customer_of_the_list_is_taken_doubted_or_refused,
        customers::a_class_may_refuse_what_is_in_doubt,
        customers::a_customer_from_a_secret_has_the_bounds_of_an_inline_one,
        customers::an_article_that_cannot_be_read_ends_its_orders_and_no_others,
        banks::what_the_provider_does_not_take_is_named_and_no_bank_is_said_to_have_declined_it,
        banks::a_saved_card_is_charged_with_its_customer_and_not_without,
        banks::every_intent_says_what_was_ordered_and_where_it_goes,
        banks::an_order_in_a_currency_of_many_digits_is_charged,
        banks::a_disputed_charge_needs_a_person_and_is_not_refunded_again,
        banks::a_refund_that_the_bank_delays_holds_back_neither_the_stock_nor_the_message,
        devices::repeated_and_overtaking_events_change_nothing,
        devices::a_tablet_that_says_ten_thousand_things_holds_up_no_order_and_fills_no_ledger,
        devices::a_tablet_dead_at_the_recall_does_not_hold_the_money,
        devices::events_of_one_broker_do_not_wait_for_the_ledger_of_another,
        devices::events_of_another_store_and_unreadable_ones_are_dropped,
        devices::a_retained_event_is_heard_once_also_when_it_comes_again_after_a_restart,
        devices::what_a_tablet_said_before_a_restart_counts_towards_its_bound,
        devices::a_topic_longer_than_any_of_ours_is_refused_and_what_comes_behind_it_is_heard,
        dispatch::a_tablet_or_courier_with_a_clean_session_that_was_away_gets_the_order_when_it_is_back,
        dispatch::an_order_whose_courier_dies_after_accepting_is_delivered_by_another,
        dispatch::of_two_tablets_the_one_that_accepts_has_the_order_and_the_others_refusal_comes_too_late,
        people::waiting_on_conditions_works,
        people::a_cancel_after_pick_up_is_refused_and_says_so,
        people::a_customer_may_be_in_a_secret_that_comes_later,
        people::an_order_whose_secret_never_comes_can_be_deleted,
        people::a_suspended_order_waits_and_goes_on,
        people::a_finished_order_leaves_when_its_time_is_over,
        people::describe_tells_what_happened_what_was_undone_and_what_the_customer_was_told,
        identity::an_order_applied_again_after_its_end_does_nothing,
        identity::the_same_id_with_other_contents_is_a_conflict,
        identity::an_object_made_anew_under_a_name_is_the_order_that_it_says,
        identity::a_lost_object_is_adopted_when_it_is_applied_again,
        identity::an_order_without_its_class_waits_and_says_for_what,
        identity::a_class_in_use_outlives_its_deletion_and_a_crash,
        crashes::killed_between_a_capture_and_its_answer_it_captures_once,
        crashes::killed_with_ten_orders_in_flight_all_end_right,
        crashes::the_leader_is_killed_and_the_other_replica_goes_on,
        crashes::a_stopped_operator_finishes_what_it_began_and_releases_the_lease,
        crashes::a_wrong_configuration_is_refused_in_one_sentence,
        webhook::what_stripe_says_reaches_orders_of_an_operator_that_takes_it_in,
        fences::an_order_that_somebody_has_is_claimed_by_nobody_else,
        fences::a_record_that_somebody_else_wrote_is_read_again,
        fences::a_status_that_somebody_wrote_is_not_believed,
        fences::a_stopping_operator_begins_nothing_new,
        fences::while_the_ledger_is_away_no_order_is_spoken_of_and_the_class_says_why,
        fences::a_ledger_that_refuses_to_write_is_told_of_by_the_order,
        fences::what_a_rule_kept_while_nobody_listened_is_heard,
        audit::nothing_personal_and_no_secret_is_shown,
        audit::the_metrics_tell_what_happened,
        audit::nothing_was_refused_and_no_rule_was_unused,
    ];
    let trials = scenes
        .into_iter()
        .map(|(name, scene)| {
            let (runtime, world) = (Arc::clone(&runtime), Arc::clone(&world));
            Trial::test(name, move || {
                let run = async {
                    let world = world.get_or_try_init(|| World::start(options())).await?;
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
