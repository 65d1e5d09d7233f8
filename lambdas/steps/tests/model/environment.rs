//! Everything that happens by itself: devices, the provider, people and time.

use comanda_saga::{Direction, Hold, RefundState};
use stateright::{Model, Property};

use crate::faults::{Fault, Spot};
use crate::state::{Bounds, Object, Rest, Said, State, Who, Writer};
use crate::support::world::{Stage, World};
use crate::time::Tick;
use crate::writer::Fate;

/// In place of the key of a refund that no operator asked for.
const BY_HAND: &str = "by hand";

/// What a device can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A courier takes the order.
    Accept,
    Begin,
    Finish,
    GiveUp,
    /// Answers a recall: it stops.
    Stop,
    /// Answers a recall: it goes on.
    GoOn,
}

/// A move of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// An operator does the next thing.
    Step(usize, Fate),
    /// A resting operator looks again.
    Wake(usize),
    /// An operator ends, and another begins in its place.
    Crash(usize),
    /// A second operator begins beside the first.
    Failover,
    /// An execution calls its step.
    Invoke(usize),
    /// A looker is told of the payment.
    Look,
    /// A refund that was made comes back.
    ReturnRefund,
    /// The customer disputes the charge.
    Dispute,
    /// An execution is stopped by hand, or fails.
    Stop(usize),
    /// A stopped execution goes on.
    Redrive(usize),
    /// A device does something; what it says arrives at once, or later.
    Device(Who, Deed, bool),
    /// What a device said arrives.
    Arrive((Said, u64)),
    /// The provider or the customer settles an open payment, well or badly.
    Settle(bool),
    /// The bank ends a pending refund, well, badly, or for a dispute.
    SettleRefund(RefundState),
    /// A person refunds a payment by hand.
    RefundByHand,
    /// The provider lets a hold go.
    Expire,
    /// The customer cancels.
    Cancel,
    /// The object is deleted.
    Delete,
    /// The order is suspended or released.
    Suspend(bool),
    /// A person retries.
    Retry,
    /// The object is replaced by one without the finalizer.
    Strip,
    /// A fault on the way of the next thing that an operator does.
    Fault(usize, Fault, Spot),
    /// What is on the wire arrives; the process that sent it hears so, or not.
    Land(bool),
    /// A stopped process goes on.
    Resume(usize),
    /// Time passes, with somebody in the middle of something or not.
    Time(Tick, bool),
}

impl Move {
    /// A move nobody has to make: an order must come to its end without it.
    pub fn is_free_will(&self) -> bool {
        matches!(self, Self::Cancel | Self::Delete | Self::Retry | Self::Suspend(true) | Self::Device(..))
            || matches!(self, Self::Look | Self::ReturnRefund | Self::Dispute)
            || matches!(self, Self::Strip | Self::RefundByHand | Self::Stop(_) | Self::Redrive(_))
            || matches!(self, Self::Fault(..) | Self::Land(_) | Self::Resume(_))
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        let states = self.stocks.iter().map(|stock| {
            let mut state = State {
                ledger: None,
                stock: *stock,
                stocked: *stock,
                world: World::default(),
                object: Object::default(),
                underway: std::collections::BTreeSet::new(),
                heard: std::collections::BTreeSet::new(),
                writers: vec![Writer::default(); self.processes()],
                untold: false,
                told: None,
                wire: None,
                left: self.budget,
                broken: None,
            };
            state.start(self, 0);
            state
        });
        states.collect()
    }

    fn actions(&self, state: &State, moves: &mut Vec<Move>) {
        if state.broken.is_some() {
            return;
        }
        for w in 0..state.writers.len() {
            let mut fates = Vec::new();
            state.fates(self, w, &mut fates);
            moves.extend(fates.into_iter().map(|fate| Move::Step(w, fate)));
            if state.may_wake(w) {
                moves.push(Move::Wake(w));
            }
            let writer = &state.writers[w];
            let knows_more = writer.record != state.ledger;
            let has_more = !writer.queue.is_empty() || knows_more;
            if writer.works() && has_more && state.left.crashes > 0 {
                moves.push(Move::Crash(w));
            }
        }
        let (first, second) = (&state.writers[0], &state.writers[1]);
        state.execution_moves(moves);
        state.looker_moves(moves);
        if first.running && !second.running && state.left.failovers > 0 {
            moves.push(Move::Failover);
        }
        state.fault_moves(self, moves);
        self.device_moves(state, moves);
        self.provider_moves(state, moves);
        self.people_moves(state, moves);
        self.time_moves(state, moves);
    }

    fn next_state(&self, last: &State, a_move: Move) -> Option<State> {
        let mut state = last.clone();
        match a_move {
            Move::Step(w, fate) => state.step(self, w, fate),
            Move::Wake(w) => state.wake(self, w),
            Move::Crash(w) => {
                state.left.crashes -= 1;
                state.restart(self, w);
            }
            Move::Failover => {
                state.left.failovers -= 1;
                state.start(self, 1);
            }
            Move::Invoke(execution) => state.invoke(self, execution),
            Move::Look => state.tell_looker(self),
            Move::ReturnRefund => state.return_refund(),
            Move::Dispute => state.dispute(),
            Move::Stop(execution) => state.stop(execution),
            Move::Redrive(execution) => state.redrive(execution),
            Move::Fault(w, fault, spot) => state.fail(self, w, fault, spot),
            Move::Land(heard) => state.land(self, heard),
            Move::Resume(w) => state.resume(self, w),
            Move::Device(who, deed, late) => state.device_does(who, deed, late),
            Move::Arrive(said) => {
                state.underway.remove(&said);
                state.heard.insert(said);
                state.said();
            }
            Move::Settle(well) => {
                for intent in &mut state.world.provider.intents {
                    if matches!(intent.state, Hold::AwaitsCustomer | Hold::AwaitsProvider) {
                        intent.state = if well { Hold::Held } else { Hold::Refused };
                    }
                }
                state.webhook();
            }
            Move::SettleRefund(ending) => {
                for (_, refund) in &mut state.world.provider.refunds {
                    if *refund == RefundState::Pending {
                        *refund = ending;
                    }
                }
                state.webhook();
            }
            Move::RefundByHand => {
                state.world.provider.refunds.push((BY_HAND.to_owned(), RefundState::Pending));
                state.webhook();
            }
            Move::Expire => {
                for intent in &mut state.world.provider.intents {
                    if intent.state == Hold::Held {
                        intent.state = Hold::Released;
                    }
                }
            }
            Move::Cancel => {
                state.object.cancel = true;
                state.news();
            }
            Move::Delete => {
                state.object.deleted = true;
                state.object.gone = !state.object.finalizer;
                state.news();
            }
            Move::Suspend(on) => {
                state.object.suspend = on;
                state.object.suspended_once = true;
                state.news();
            }
            Move::Retry => {
                state.object.retry = true;
                state.news();
            }
            Move::Strip => {
                state.object.finalizer = false;
                state.object.stripped_once = true;
                state.news();
            }
            Move::Time(tick, nap) => {
                state.left.naps -= u8::from(nap);
                state.left.minutes -= u8::from(tick == Tick::Minute);
                state.pass_time(tick);
            }
        }
        state.drop_stale_message();
        state.forget_what_is_refused(self);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::properties::all(self)
    }
}

impl Bounds {
    fn device_moves(&self, state: &State, moves: &mut Vec<Move>) {
        for (who, device) in [(Who::Kitchen, &state.world.kitchen), (Who::Courier, &state.world.courier)] {
            let mut deeds = Vec::new();
            match device.stage {
                Stage::Told if who == Who::Courier => deeds.push(Deed::Accept),
                Stage::Accepted => {
                    if device.assigned.is_some() {
                        deeds.push(Deed::Begin);
                    }
                    if state.left.give_backs > 0 {
                        deeds.push(Deed::GiveUp);
                    }
                }
                Stage::Told if self.moody => deeds.extend([Deed::Begin, Deed::GiveUp]),
                Stage::Told => deeds.push(Deed::Begin),
                Stage::Begun if self.moody => deeds.extend([Deed::Finish, Deed::GiveUp]),
                Stage::Begun => deeds.push(Deed::Finish),
                _ => {}
            }
            if device.recall.is_some() && !state.has_answered(who) {
                match device.stage {
                    Stage::Idle | Stage::Told | Stage::Accepted => deeds.push(Deed::Stop),
                    Stage::Begun | Stage::Finished if self.moody => deeds.push(Deed::GoOn),
                    _ => {}
                }
            }
            for deed in deeds {
                moves.push(Move::Device(who, deed, false));
                if state.left.late > 0 {
                    moves.push(Move::Device(who, deed, true));
                }
            }
        }
        moves.extend(state.underway.iter().map(|said| Move::Arrive(*said)));
    }

    fn provider_moves(&self, state: &State, moves: &mut Vec<Move>) {
        let is = |wanted| state.world.provider.intents.iter().any(|intent| intent.state == wanted);
        if is(Hold::AwaitsProvider) || is(Hold::AwaitsCustomer) {
            moves.extend([Move::Settle(true), Move::Settle(false)]);
        }
        if state.world.provider.refunds.iter().any(|(_, state)| *state == RefundState::Pending) {
            let endings = [RefundState::Succeeded, RefundState::Failed, RefundState::Disputed];
            moves.extend(endings.map(Move::SettleRefund));
        }
        let undoing = state.record().is_some_and(|record| record.direction == Direction::Undo);
        if self.refund_by_hand && undoing && state.world.provider.may_refund() && !state.is_refunded_by_hand()
        {
            moves.push(Move::RefundByHand);
        }
        if self.bad_luck && is(Hold::Held) {
            moves.push(Move::Expire);
        }
    }

    fn people_moves(&self, state: &State, moves: &mut Vec<Move>) {
        if state.object.gone {
            return;
        }
        if self.cancel && !state.object.cancel {
            moves.push(Move::Cancel);
        }
        if self.strip && state.object.finalizer && !state.object.deleted && !state.object.stripped_once {
            moves.push(Move::Strip);
        }
        // What is deleted before an operator saw that its finalizer is gone, nobody can hold.
        let is_bare = state.object.stripped_once && !state.object.finalizer;
        if self.delete && !state.object.deleted && !is_bare {
            moves.push(Move::Delete);
        }
        if state.object.suspend {
            moves.push(Move::Suspend(false));
        } else if self.suspend && !state.object.suspended_once {
            moves.push(Move::Suspend(true));
        }
        if self.retry && !state.object.retry && state.record().is_some_and(comanda_saga::Record::is_stalled) {
            moves.push(Move::Retry);
        }
    }
}

impl State {
    fn has_answered(&self, who: Who) -> bool {
        let answers = match who {
            Who::Kitchen => [Said::KitchenStopped, Said::KitchenWentOn],
            Who::Courier => [Said::CourierStopped, Said::CourierWentOn],
        };
        self.underway.iter().chain(&self.heard).any(|(said, _)| answers.contains(said))
    }

    pub fn is_refunded_by_hand(&self) -> bool {
        self.world.provider.refunds.iter().any(|(key, _)| key == BY_HAND)
    }

    fn device_does(&mut self, who: Who, deed: Deed, late: bool) {
        let said = match (who, deed) {
            (Who::Kitchen, Deed::Begin) => Said::Preparing,
            (Who::Kitchen, Deed::Finish) => Said::Ready,
            (Who::Kitchen, Deed::GiveUp) => Said::Rejected,
            (Who::Kitchen, Deed::Stop) => Said::KitchenStopped,
            (Who::Kitchen, Deed::GoOn) => Said::KitchenWentOn,
            (Who::Kitchen | Who::Courier, Deed::Accept) => Said::Accepted,
            (Who::Courier, Deed::Begin) => Said::PickedUp,
            (Who::Courier, Deed::Finish) => Said::Delivered,
            (Who::Courier, Deed::GiveUp) => Said::CourierFailed,
            (Who::Courier, Deed::Stop) => Said::CourierStopped,
            (Who::Courier, Deed::GoOn) => Said::CourierWentOn,
        };
        let device = self.device(who);
        let of_recall = matches!(deed, Deed::Stop | Deed::GoOn);
        let seq = if of_recall { device.recall } else { device.task.max(device.assigned) };
        let said = (said, seq.unwrap_or_default());
        let gives_back = deed == Deed::GiveUp && device.stage == Stage::Accepted;
        device.stage = match deed {
            Deed::Accept => Stage::Accepted,
            Deed::Begin => Stage::Begun,
            Deed::Finish => Stage::Finished,
            Deed::GiveUp => Stage::GaveUp,
            Deed::Stop => Stage::Stopped,
            Deed::GoOn => device.stage,
        };
        self.left.give_backs -= u8::from(gives_back);
        if late {
            self.left.late -= 1;
            self.underway.insert(said);
        } else {
            self.heard.insert(said);
            self.said();
        }
    }

    /// What a device said is known to whoever carries the order.
    fn said(&mut self) {
        if self.is_carried() {
            self.wake_executions();
        } else {
            self.news();
        }
    }

    /// The provider says that something changed: whoever rests asks it again.
    fn webhook(&mut self) {
        for writer in &mut self.writers {
            writer.lately.asked = false;
            if writer.running && writer.queue.is_empty() {
                writer.rest = Rest::Due;
            }
        }
    }
}
