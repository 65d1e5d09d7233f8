//! A crash, a pause and a duplicate at every boundary of every effect.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use comanda_boundary::{Boundary, Site};
use comanda_saga::{Effect, Phase};

use crate::exploration::{explore, violated};
use crate::faults::Fault;
use crate::kept::hash_of;
use crate::liveness::assert_every_state_leads_to_an_end;
use crate::state::{Bounds, Budget, Defect, State};

/// From which states each fault met each boundary.
#[derive(Debug, Default)]
pub struct Met(Mutex<BTreeMap<(Fault, Boundary), HashSet<u64>>>);

impl Met {
    pub fn note(&self, fault: Fault, boundaries: Vec<Boundary>, state: &State) {
        let mut met = self.0.lock().expect("no test panicked here");
        for boundary in boundaries {
            met.entry((fault, boundary)).or_default().insert(hash_of(state));
        }
    }

    fn count(&self, fault: Fault, boundary: Boundary) -> usize {
        self.0.lock().expect("no test panicked here").get(&(fault, boundary)).map_or(0, HashSet::len)
    }
}

/// Nothing is left out. A boundary that the model could not reach would be named here, with the reason.
const NOT_MODELLED: [Boundary; 0] = [];

/// The boundaries that a fault never met.
fn missed(met: &Met, fault: Fault) -> Vec<Boundary> {
    let expected = Boundary::all().filter(|boundary| !NOT_MODELLED.contains(boundary));
    expected.filter(|boundary| met.count(fault, *boundary) == 0).collect()
}

/// Explores one fault anywhere, in each of these, and asserts that it met every boundary.
fn assert_every_boundary_is_met(fault: Fault, explorations: &[(&str, Bounds)]) {
    let met: &Met = Box::leak(Box::default());
    for (name, bounds) in explorations {
        let bounds = Bounds { fault: Some(fault), budget: ONE_FAULT, ..*bounds };
        explore(name, Bounds { met: Some(met), ..bounds });
        assert_every_state_leads_to_an_end(name, &bounds);
    }
    let missed = missed(met, fault);
    println!("{}", table(met, fault));
    assert!(missed.is_empty(), "{fault:?} never met {missed:?}: does plan/* ever want it?");
}

/// From how many states a fault met each boundary.
fn table(met: &Met, fault: Fault) -> String {
    let count = |boundary| met.count(fault, boundary);
    let reached = Boundary::all().filter(|boundary| count(*boundary) > 0).count();
    let states: usize = Boundary::all().map(count).sum();
    let sum = format!(
        "{fault:?}: {reached} of {} boundaries, {states} times a state and a boundary",
        Boundary::all().count()
    );
    let lines = Site::all().map(|site| {
        let points = site.points().map(|point| {
            let count = count(Boundary { site, point });
            format!("{} {count}", point.name())
        });
        format!("  {fault:?} {:<15} {}", site.name(), points.collect::<Vec<_>>().join(", "))
    });
    std::iter::once(sum).chain(lines).collect::<Vec<_>>().join("\n")
}

const ONE_FAULT: Budget = Budget { faults: 1, ..NO_FAULT };
const NO_FAULT: Budget = Budget {
    crashes: 0,
    losses: 0,
    late: 0,
    naps: 0,
    failovers: 0,
    unheard: 0,
    stops: 0,
    redrives: 0,
    looks: 0,
    surprises: 0,
    give_backs: 0,
    minutes: 0,
    faults: 0,
};

/// Everything that can come before the end of an order.
fn whole() -> Bounds {
    Bounds { tells: true, delete: true, ..Bounds::calm() }
}

/// An execution pays for the order: what starts it, and what its steps do.
fn executed() -> Bounds {
    let of_the_execution =
        |site| matches!(site, Site::Effect(Effect::Execute | Effect::OpenPayment | Effect::Authorize));
    Bounds { phases: &[Phase::Paying], at: of_the_execution, ..Bounds::calm() }
}

#[test]
fn an_operator_may_die_at_every_boundary() {
    let explorations = [("a crash at every boundary", whole()), ("a crash around an execution", executed())];
    assert_every_boundary_is_met(Fault::Crash, &explorations);
}

#[test]
fn what_happens_at_a_boundary_may_happen_twice() {
    let explorations =
        [("a duplicate at every boundary", whole()), ("a duplicate around an execution", executed())];
    assert_every_boundary_is_met(Fault::Duplicate, &explorations);
}

#[test]
fn an_operator_may_stop_at_every_boundary_and_go_on_beside_its_successor() {
    // Apart, because what a zombie remembers multiplies with all that can happen meanwhile.
    let of_the_order = |site| matches!(site, Site::Effect(_) | Site::Finish);
    let of_the_status = |site| site == Site::Status;
    let of_the_object = |site| matches!(site, Site::FinalizerOn | Site::Claim | Site::FinalizerOff);
    assert_every_boundary_is_met(
        Fault::Pause,
        &[
            ("a pause on the way of an order", Bounds { at: of_the_order, ..Bounds::calm() }),
            ("a pause at its status", Bounds { at: of_the_status, tells: true, ..Bounds::calm() }),
            (
                "a pause when an object comes and goes",
                Bounds { at: of_the_object, delete: true, ..Bounds::calm() },
            ),
            ("a pause around an execution", executed()),
        ],
    );
}

#[test]
fn a_boundary_that_no_fault_meets_is_noticed() {
    let met: &Met = Box::leak(Box::default());
    let all_but_the_capture = |site| site != Site::Effect(Effect::Capture);
    let bounds = Bounds {
        fault: Some(Fault::Duplicate),
        at: all_but_the_capture,
        met: Some(met),
        budget: ONE_FAULT,
        ..whole()
    };
    explore("all but the capture", bounds);
    let missed = missed(met, Fault::Duplicate);
    let of_operators = missed.iter().filter(|boundary| boundary.site != Site::Effect(Effect::Execute));
    let missed: Vec<String> = of_operators.map(Boundary::to_string).collect();
    // The write of its outcome is that of the courier's intent too.
    let before = ["Capture/before-intent", "Capture/after-intent"];
    assert_eq!(missed, [&before[..], &["Capture/sent", "Capture/effected", "Capture/answered"]].concat());
}

#[test]
fn the_model_notices_at_a_boundary_a_call_that_went_before_its_intent() {
    let bounds = Bounds { fault: Some(Fault::Crash), budget: ONE_FAULT, ..Bounds::calm() };
    assert!(!violated(Defect::CallBeforeIntent, bounds).is_empty());
}

#[test]
fn the_model_notices_a_ledger_that_takes_the_write_of_a_process_that_was_replaced() {
    let bounds = Bounds { fault: Some(Fault::Pause), budget: ONE_FAULT, ..Bounds::calm() };
    assert!(!violated(Defect::NoVersionCheck, bounds).is_empty());
}
