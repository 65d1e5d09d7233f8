//! Whoever is told that something became of a payment: it looks, at any time and beside everybody else, and writes what it
//! learned. What a provider says late, and that it says so at all, are moves of their own.

use comanda_crds::Capture;
use comanda_saga::{Phase, RefundState};

use crate::environment::Move;
use crate::exploration::explore;
use crate::liveness::assert_every_state_leads_to_an_end;
use crate::state::{Bounds, Budget, State, Writer};

impl Bounds {
    /// How many processes there may be at once.
    pub fn processes(&self) -> usize {
        let carriers = if self.phases.is_empty() { 2 } else { 4 };
        carriers + usize::from(self.budget.looks > 0)
    }
}

impl State {
    /// The place of the looker, where there is one that does not look.
    fn looker(&self) -> Option<usize> {
        let place = self.writers.len() - 1;
        (place.is_multiple_of(2) && !self.writers[place].running).then_some(place)
    }

    /// What the provider may do late, and that somebody is told.
    pub fn looker_moves(&self, moves: &mut Vec<Move>) {
        let is_paid_for = self.record().is_some_and(|record| record.payment.id.is_some());
        if self.left.looks > 0 && is_paid_for && self.looker().is_some() {
            moves.push(Move::Look);
        }
        if self.left.surprises > 0 {
            let provider = &self.world.provider;
            if provider.refunds.iter().any(|(_, state)| *state == RefundState::Succeeded) {
                moves.push(Move::ReturnRefund);
            }
            if provider.captures > 0 && provider.refunds.is_empty() && !provider.disputed {
                moves.push(Move::Dispute);
            }
        }
    }

    /// A looker is told, and reads the order.
    pub fn tell_looker(&mut self, bounds: &Bounds) {
        let Some(w) = self.looker() else { return };
        self.left.looks -= 1;
        self.writers[w].looks = true;
        self.start(bounds, w);
    }

    /// A looker is done: it sees what is so now. Whoever rests is told.
    pub fn has_looked(&mut self, w: usize) {
        self.writers[w] = Writer::default();
        self.untold = false;
        self.news();
    }

    /// A refund that was made comes back.
    pub fn return_refund(&mut self) {
        self.world.provider.return_refunds();
        self.surprised();
    }

    /// The customer disputes the charge.
    pub fn dispute(&mut self) {
        self.world.provider.dispute();
        self.surprised();
    }

    /// A look that is under way may have seen the payment before: it does not count.
    fn surprised(&mut self) {
        self.left.surprises -= 1;
        self.untold = true;
        let place = self.writers.len() - 1;
        if self.writers[place].looks {
            self.end_invocation(place);
        }
    }
}

fn hold(name: &str, bounds: Bounds) {
    explore(name, bounds);
    assert_every_state_leads_to_an_end(name, &bounds);
}

fn told(times: u8) -> Budget {
    Budget { looks: times, ..Budget::default() }
}

#[test]
fn a_looker_beside_an_operator_that_crashes() {
    let budget = Budget { crashes: 1, ..told(1) };
    explore("a looker and a crash", Bounds { budget, ..Bounds::calm() });
}

#[test]
fn a_looker_beside_an_operator_whose_customer_cancels() {
    hold("a looker and a cancel", Bounds { cancel: true, budget: told(1), ..Bounds::calm() });
}

#[test]
fn a_looker_among_bad_cards_and_slow_refunds() {
    explore("a looker and bad cards", Bounds { bad_luck: true, budget: told(1), ..Bounds::calm() });
}

#[test]
fn a_looker_beside_an_execution() {
    let bounds = Bounds { phases: &[Phase::Paying], budget: told(1), ..Bounds::calm() };
    explore("a looker and an execution", bounds);
}

#[test]
fn a_looker_that_hears_of_refunds_that_come_back_and_of_disputes() {
    let budget = Budget { surprises: 1, ..told(1) };
    let bounds = Bounds { cancel: true, capture: Capture::AtOnce, budget, ..Bounds::calm() };
    explore("late surprises", bounds);
}

#[test]
#[ignore = "392,000 states: minutes, less with --release"]
fn two_looks_beside_an_operator_that_crashes_and_a_customer_who_cancels() {
    let budget = Budget { crashes: 1, ..told(2) };
    hold("two looks, a crash and a cancel", Bounds { cancel: true, budget, ..Bounds::calm() });
}

#[test]
#[ignore = "612,000 states: minutes, less with --release"]
fn a_looker_beside_an_execution_that_undoes() {
    let phases = &[Phase::Paying, Phase::Compensating];
    hold("a looker and an undo", Bounds { phases, cancel: true, budget: told(1), ..Bounds::calm() });
}

#[test]
#[ignore = "212,000 states: a minute, less with --release"]
fn a_looker_that_hears_of_surprises_among_moody_devices() {
    let budget = Budget { surprises: 1, ..told(1) };
    let bounds = Bounds { moody: true, cancel: true, capture: Capture::AtOnce, budget, ..Bounds::calm() };
    hold("late surprises in every mood", bounds);
}
