//! The explorations: which faults meet which.

use std::time::Instant;

use comanda_crds::Capture;
use stateright::{Checker, HasDiscoveries, Model};

use crate::properties::ALONE;
use crate::state::{Bounds, Budget, Defect};

pub fn explore(name: &str, bounds: Bounds) {
    let began = Instant::now();
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    for path in checker.discoveries().into_values().filter(|path| path.last_state().broken.is_some()) {
        println!("{name}: {:?}", path.last_state().broken);
    }
    println!("{name}: {} states in {:.1} s", checker.unique_state_count(), began.elapsed().as_secs_f32());
    checker.assert_properties();
}

#[test]
fn one_operator_among_moody_devices_bad_cards_and_people_who_cancel_and_retry() {
    let bounds =
        Bounds { cancel: true, retry: true, bad_luck: true, moody: true, stocks: &[0, 1], ..Bounds::calm() };
    explore("moods", bounds);
}

#[test]
fn one_operator_that_crashes_loses_an_answer_and_meets_a_cancel() {
    let budget = Budget { crashes: 1, losses: 1, ..Budget::default() };
    explore("crash and loss", Bounds { cancel: true, budget, ..Bounds::calm() });
}

#[test]
fn one_operator_whose_provider_stores_errors() {
    let budget = Budget { losses: 2, ..Budget::default() };
    explore("stored errors", Bounds { stored_errors: true, budget, ..Bounds::calm() });
}

#[test]
fn one_operator_that_hears_its_devices_late_and_out_of_turn() {
    let budget = Budget { late: 2, ..Budget::default() };
    explore("late events", Bounds { cancel: true, moody: true, budget, ..Bounds::calm() });
}

#[test]
fn one_operator_whose_commands_no_device_hears_at_first() {
    let budget = Budget { unheard: 1, minutes: 2, ..Budget::default() };
    explore("unheard commands", Bounds { cancel: true, budget, ..Bounds::calm() });
}

#[test]
fn one_operator_whose_courier_gives_the_order_back_or_falls_silent() {
    let budget = Budget { give_backs: 1, minutes: 1, crashes: 1, ..Budget::default() };
    explore("couriers", Bounds { budget, ..Bounds::calm() });
}

#[test]
fn one_operator_that_hears_late_that_an_order_which_it_took_back_was_picked_up() {
    let budget = Budget { give_backs: 1, minutes: 1, late: 1, ..Budget::default() };
    explore("late couriers", Bounds { retry: true, budget, ..Bounds::calm() });
}

#[test]
fn two_operators_that_repeat_commands() {
    let budget = Budget { failovers: 1, minutes: 1, ..Budget::default() };
    explore("repetitions", Bounds { budget, ..Bounds::calm() });
}

#[test]
fn one_operator_that_is_paused_while_keys_expire() {
    let budget = Budget { losses: 1, naps: 1, ..Budget::default() };
    explore("naps", Bounds { days: true, budget, ..Bounds::calm() });
}

#[test]
fn one_operator_whose_order_is_suspended_cancelled_or_deleted() {
    let bounds = Bounds { cancel: true, delete: true, suspend: true, moody: true, ..Bounds::calm() };
    explore("suspension", bounds);
}

#[test]
fn one_operator_whose_object_is_replaced_without_its_finalizer() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let bounds = Bounds { strip: true, cancel: true, delete: true, budget, ..Bounds::calm() };
    explore("a stripped finalizer", bounds);
}

#[test]
fn one_operator_beside_a_person_who_refunds_by_hand() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let bounds = Bounds { refund_by_hand: true, retry: true, moody: true, budget, ..Bounds::calm() };
    explore("a refund by hand", bounds);
}

#[test]
fn one_operator_that_captures_at_once() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let capture = Capture::AtOnce;
    explore("capture at once", Bounds { cancel: true, capture, budget, ..Bounds::calm() });
}

#[test]
fn two_operators_at_once_while_the_customer_cancels() {
    let budget = Budget { failovers: 1, ..Budget::default() };
    explore("two operators", Bounds { cancel: true, budget, ..Bounds::calm() });
}

#[test]
#[ignore = "millions of states: run it alone, with --release"]
fn two_operators_of_which_neither_gives_way() {
    let budget = Budget { failovers: 1, ..Budget::default() };
    explore("nobody gives way", Bounds { losers_stay: true, budget, ..Bounds::calm() });
}

#[test]
fn two_operators_of_which_one_crashes() {
    let budget = Budget { crashes: 1, failovers: 1, ..Budget::default() };
    explore("two operators and a crash", Bounds { budget, ..Bounds::calm() });
}

#[test]
#[ignore = "361,000 states: minutes, less with --release"]
fn two_operators_among_bad_cards_and_moody_devices() {
    let budget = Budget { failovers: 1, ..Budget::default() };
    let bounds = Bounds { bad_luck: true, moody: true, budget, ..Bounds::calm() };
    explore("two operators in every mood", bounds);
}

#[test]
#[ignore = "419,000 states, 0.3 GB: minutes, one with --release"]
fn two_operators_and_a_provider_that_stores_errors_and_declines() {
    let budget = Budget { losses: 1, failovers: 1, ..Budget::default() };
    let bounds = Bounds { stored_errors: true, bad_luck: true, budget, ..Bounds::calm() };
    explore("two operators and stored errors", bounds);
}

#[test]
fn one_operator_that_crashes_and_loses_an_answer_among_moody_devices() {
    let budget = Budget { crashes: 1, losses: 1, ..Budget::default() };
    explore("moods, crash and loss", Bounds { moody: true, budget, ..Bounds::calm() });
}

/// Explores until the first violation, and names what is violated.
pub fn violated(defect: Defect, bounds: Bounds) -> Vec<&'static str> {
    let bounds = Bounds { defect: Some(defect), ..bounds };
    let checker = bounds.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let always =
        |name: &&str| {
            checker.model().properties().iter().any(|property| {
                property.name == *name && property.expectation == stateright::Expectation::Always
            })
        };
    checker.discoveries().into_keys().filter(always).collect()
}

#[test]
fn the_model_notices_a_ledger_that_takes_stale_writes() {
    let budget = Budget { failovers: 1, ..Budget::default() };
    let found = violated(Defect::NoVersionCheck, Bounds { cancel: true, budget, ..Bounds::calm() });
    assert!(!found.is_empty());
}

#[test]
fn the_model_notices_a_capture_that_is_repeated_without_a_look() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let found = violated(Defect::CaptureNotLookedUp, Bounds { budget, ..Bounds::calm() });
    assert_eq!(found, [ALONE.0]);
}

#[test]
fn the_model_notices_an_undo_that_does_not_look_at_the_payment_first() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let found = violated(Defect::UndoDoesNotLook, Bounds { cancel: true, budget, ..Bounds::calm() });
    assert_eq!(found, [ALONE.0]);
}

#[test]
fn the_model_notices_a_call_that_goes_before_its_intent() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let found = violated(Defect::CallBeforeIntent, Bounds { cancel: true, budget, ..Bounds::calm() });
    assert!(!found.is_empty());
}
