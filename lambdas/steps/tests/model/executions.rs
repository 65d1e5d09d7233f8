//! Executions of the state machine: they call steps, wait, are stopped, and go on. What a step does is what an operator
//! does ([`crate::writer`]), for another driver.

use comanda_saga::driver::Answer;
use comanda_saga::{Driver, Phase};

use crate::environment::Move;
use crate::exploration::explore;
use crate::liveness::assert_every_state_leads_to_an_end;
use crate::state::{Bounds, Budget, Invocation, Rest, State, Writer};
use crate::support::ALL;
use crate::support::machine::{At, route};
use crate::time::now;

impl State {
    /// Who process `w` is.
    pub fn driver(&self, w: usize) -> Driver {
        match &self.writers[w].invoked {
            None if self.writers[w].looks => Driver::Looker,
            Some(Invocation { execution, step, .. }) => {
                Driver::Execution { name: execution.clone(), step: *step }
            }
            None => Driver::Operator,
        }
    }

    /// True when another process wrote since operator `w` read the ledger.
    pub fn is_behind(&self, w: usize) -> bool {
        let version = |record: &crate::kept::Kept<comanda_saga::Record>| record.version;
        self.writers[w].saved.as_ref().map(version) != self.ledger.as_ref().map(version)
    }

    /// True while an execution carries the order and runs: operators have nothing to do but what people ask for.
    pub fn is_carried(&self) -> bool {
        self.record().is_some_and(|record| {
            let runs = |name| self.world.executions.iter().any(|one| one.name == name && one.at.runs());
            record.is_delegated(now()) && !record.is_stalled() && record.execution().is_some_and(runs)
        })
    }

    /// What executions and whoever stops them can do.
    pub fn execution_moves(&self, moves: &mut Vec<Move>) {
        for (place, execution) in self.world.executions.iter().enumerate() {
            if self.is_due(place) && self.free_slot().is_some() {
                moves.push(Move::Invoke(place));
            }
            if execution.at.runs() && self.left.stops > 0 {
                moves.push(Move::Stop(place));
            }
            if matches!(execution.at, At::Stopped(_)) && self.left.redrives > 0 {
                moves.push(Move::Redrive(place));
            }
        }
    }

    /// True when an execution is to call a step.
    fn is_due(&self, place: usize) -> bool {
        let execution = &self.world.executions[place];
        match execution.at {
            At::Step(_) => !self.writers.iter().any(|writer| {
                let invoked = writer.invoked.as_ref();
                invoked.is_some_and(|invoked| invoked.counts && invoked.execution == execution.name)
            }),
            At::Wait(_, due) => due,
            At::Ended | At::Stopped(_) => false,
        }
    }

    /// True when an execution that runs is not waiting.
    pub fn is_called(&self) -> bool {
        self.world.executions.iter().any(|execution| matches!(execution.at, At::Step(_)))
    }

    fn free_slot(&self) -> Option<usize> {
        // Behind them is a looker.
        (2..self.writers.len().min(4)).find(|w| !self.writers[*w].running)
    }

    /// An execution calls its step.
    pub fn invoke(&mut self, bounds: &Bounds, place: usize) {
        let Some(w) = self.free_slot() else { return };
        let execution = &mut self.world.executions[place];
        let (At::Step(step) | At::Wait(step, _)) = execution.at else { return };
        execution.at = At::Step(step);
        let invocation = Invocation { execution: execution.name.clone(), step, counts: true };
        self.writers[w].invoked = Some(invocation);
        self.start(bounds, w);
    }

    /// A step ends without an answer: it is called again, if the machine still waits for it.
    pub fn end_invocation(&mut self, w: usize) {
        self.writers[w] = Writer::default();
    }

    /// Process `w` heard no answer to its call.
    pub fn unanswered(&mut self, w: usize) {
        if self.writers[w].is_function() {
            self.end_invocation(w);
        } else {
            self.sleep(w, Rest::Due);
        }
    }

    /// A step answers, and the machine goes on by it.
    pub fn answered(&mut self, w: usize, answer: Answer) {
        let Some(invocation) = self.writers[w].invoked.take() else { return };
        self.end_invocation(w);
        if invocation.counts
            && let Some(execution) =
                self.world.executions.iter_mut().find(|execution| execution.name == invocation.execution)
            && execution.at == At::Step(invocation.step)
        {
            execution.at = route(invocation.step, answer);
        }
    }

    /// What executions wait for may have come, or it is time to look.
    pub fn wake_executions(&mut self) {
        for execution in &mut self.world.executions {
            if let At::Wait(_, due) = &mut execution.at {
                *due = true;
            }
        }
    }

    /// An execution is stopped by hand. A step that is at work for it goes on.
    pub fn stop(&mut self, place: usize) {
        self.left.stops -= 1;
        let execution = &mut self.world.executions[place];
        execution.at = execution.at.stopped();
        for invocation in self.writers.iter_mut().filter_map(|writer| writer.invoked.as_mut()) {
            invocation.counts &= invocation.execution != execution.name;
        }
    }

    /// Somebody has a stopped execution go on.
    pub fn redrive(&mut self, place: usize) {
        self.left.redrives -= 1;
        let execution = &mut self.world.executions[place];
        if let At::Stopped(step) = execution.at {
            execution.at = At::Step(step);
        }
    }
}

/// Everything is delegated.
fn delegated() -> Bounds {
    Bounds { phases: &ALL, ..Bounds::calm() }
}

fn hold(name: &str, bounds: Bounds) {
    explore(name, bounds);
    assert_every_state_leads_to_an_end(name, &bounds);
}

#[test]
fn an_execution_among_moody_devices_and_people_who_cancel() {
    hold("an execution in moods", Bounds { cancel: true, moody: true, ..delegated() });
}

#[test]
fn an_execution_whose_steps_crash() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    hold("steps that crash", Bounds { budget, ..delegated() });
}

#[test]
fn an_execution_whose_steps_lose_an_answer() {
    let budget = Budget { losses: 1, ..Budget::default() };
    hold("steps that lose an answer", Bounds { budget, ..delegated() });
}

#[test]
fn an_execution_whose_cards_are_bad() {
    hold("bad cards", Bounds { bad_luck: true, retry: true, ..delegated() });
}

/// Where the order is in the operator's hands again after it: what is delegated is small, so that all of it is explored.
const MIDDLE: &[Phase] = &[Phase::Paying, Phase::Preparing];

#[test]
fn an_execution_that_carries_the_middle_of_an_order() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    hold("the middle of an order", Bounds { phases: MIDDLE, budget, ..delegated() });
}

#[test]
fn an_execution_that_carries_an_order_to_its_end_and_back() {
    let phases = &[Phase::Validating, Phase::Delivering, Phase::Compensating];
    hold("the end of an order, and back", Bounds { phases, cancel: true, ..delegated() });
}

#[test]
fn an_execution_that_is_stopped_and_goes_on_beside_its_successor() {
    let budget = Budget { stops: 1, redrives: 1, ..Budget::default() };
    hold("stopped and redriven", Bounds { phases: &[Phase::Paying], budget, ..delegated() });
}

#[test]
fn executions_of_which_operators_hear_nothing() {
    let budget = Budget { stops: 1, ..Budget::default() };
    hold("deaf operators", Bounds { phases: &[Phase::Preparing], budget, deaf: true, ..delegated() });
}

#[test]
fn an_execution_of_an_order_that_is_suspended() {
    hold("a suspended execution", Bounds { phases: MIDDLE, suspend: true, ..delegated() });
}

#[test]
#[ignore = "650,000 states: minutes, less with --release"]
fn an_execution_of_everything_that_is_stopped_and_redriven() {
    let budget = Budget { stops: 1, redrives: 1, ..Budget::default() };
    hold("everything stopped and redriven", Bounds { budget, ..delegated() });
}

#[test]
#[ignore = "hundreds of thousands of states: minutes, less with --release"]
fn executions_of_everything_of_which_operators_hear_nothing() {
    let budget = Budget { stops: 1, ..Budget::default() };
    hold("deaf operators of everything", Bounds { budget, deaf: true, ..delegated() });
}

#[test]
#[ignore = "hundreds of thousands of states: minutes, less with --release"]
fn an_execution_of_everything_that_is_suspended_and_deleted() {
    hold("everything suspended and deleted", Bounds { suspend: true, delete: true, ..delegated() });
}

#[test]
#[ignore = "hundreds of thousands of states: minutes, less with --release"]
fn an_execution_of_everything_that_crashes_and_loses_an_answer() {
    let budget = Budget { crashes: 1, losses: 1, ..Budget::default() };
    hold("everything, crash and loss", Bounds { budget, cancel: true, ..delegated() });
}

#[test]
#[ignore = "hundreds of thousands of states: minutes, less with --release"]
fn an_execution_of_everything_in_every_mood() {
    hold("everything in every mood", Bounds { bad_luck: true, moody: true, retry: true, ..delegated() });
}
