//! What may never happen, and what must be possible.

use comanda_saga::{CourierState, Effect, EntryState, Hold, Phase, Reason, Record};
use stateright::Property;

use crate::state::{Bounds, Rest, State};
use crate::support::TOTAL;
use crate::support::world::{Device, Stage};

pub type Always = (&'static str, fn(&Bounds, &State) -> bool);

const ALWAYS: [Always; 18] = [
    ("an operator never decides wrongly or runs in circles", |_, s| s.broken.is_none()),
    ("nothing is done that must never be done", |_, s| s.world.wrong.is_none()),
    ("money is captured at most once", |_, s| s.world.provider.captures <= 1),
    ("at most one payment is ever confirmed", |_, s| {
        s.world.provider.intents.iter().filter(|intent| intent.confirmed).count() <= 1
    }),
    ("captured less refunded is nothing or everything", |_, s| {
        [0, TOTAL].contains(&s.world.provider.balance())
    }),
    ("stock is never negative, and one order takes its share once", |_, s| {
        s.stock >= 0 && [0, 1].contains(&(s.stocked - s.stock))
    }),
    ("the ledger's stock agrees with the record in every version", |_, s| {
        let taken = s.record().is_some_and(|record| {
            let returned = record.is_done(Effect::Release) && !record.stock_spent;
            record.is_done(Effect::Reserve) && !returned
        });
        taken == (s.stock < s.stocked)
    }),
    ("a delivered order is paid in full and its stock taken", |_, s| {
        ended(s, |phase| phase == Phase::Delivered).is_none_or(|_| {
            let arrived =
                (s.world.kitchen.stage, s.world.courier.stage) == (Stage::Finished, Stage::Finished);
            s.world.provider.balance() == TOTAL
                && s.world.provider.refunds.is_empty()
                && s.stock < s.stocked
                && arrived
        })
    }),
    ("an undone order ends with nothing charged and nothing that could still be", |_, s| {
        undone(s).is_none_or(|_| {
            let open = s.world.provider.intents.iter().any(|intent| {
                intent.confirmed && !matches!(intent.state, Hold::Released | Hold::Taken | Hold::Refused)
            });
            (s.world.provider.balance() == 0 || s.world.provider.came_back) && !open
        })
    }),
    ("an undone order's stock is back, or recorded as spent", |_, s| {
        undone(s).is_none_or(|record| s.stock == s.stocked || record.stock_spent)
    }),
    ("an undone order's devices were told to stop, or had ended by themselves", |_, s| {
        undone(s).is_none_or(|record| {
            let minded = |device: &Device, recall| {
                let works = matches!(device.stage, Stage::Told | Stage::Accepted | Stage::Begun);
                let told = record.journal.get(&recall).and_then(|entry| entry.seq);
                let unconfirmed = record.state(recall) == Some(EntryState::Unconfirmed);
                !works || unconfirmed || told.is_some_and(|seq| device.heard >= seq)
            };
            minded(&s.world.kitchen, Effect::RecallKitchen) && minded(&s.world.courier, Effect::RecallCourier)
        })
    }),
    ("a customer who was told by the record was told", |_, s| {
        s.record().is_none_or(|record| {
            let told = |effect, messages| !record.is_done(effect) || messages > 0;
            told(Effect::NotifyConfirmed, s.world.confirmations)
                && told(Effect::NotifyEnding, s.world.endings)
        })
    }),
    ("a finished record says of the money what the provider says", |_, s| {
        ended(s, Phase::is_final).is_none_or(|record| {
            let provider = &s.world.provider;
            if s.untold {
                return true;
            }
            let captured = TOTAL * i64::from(provider.captures);
            record.payment.captured == captured
                && record.payment.captured - record.payment.refunded == provider.balance()
                && (record.phase == Phase::Delivered || record.payment.authorized == captured)
        })
    }),
    ("what a look found of a payment that is over needs a person", |_, s| {
        let provider = &s.world.provider;
        let found = (provider.came_back || provider.disputed) && !s.untold;
        !found || ended(s, Phase::is_final).is_none_or(Record::is_stalled)
    }),
    ("an object goes only when its order is finished, or was never claimed and never will be", |_, s| {
        !s.object.gone || s.record().is_none_or(|record| record.phase.is_final())
    }),
    ("an order that rests is finished, needs a person, is suspended, or waits for a time", |_, s| {
        !rests(s) || s.object.suspend || s.object.gone || is_settled(s)
    }),
    ("an order that rests and is not finished has its finalizer", |_, s| {
        let unfinished = s.record().is_some_and(|record| !record.phase.is_final());
        !rests(s) || !unfinished || s.object.finalizer
    }),
    ("the status of an order that rests shows its phase", |bounds, s| {
        let shown = || s.told.as_ref().map(|told| told.phase) == s.record().map(|record| record.phase);
        !bounds.tells || !rests(s) || s.object.gone || s.record().is_none() || shown()
    }),
];

/// What a single operator is held to: it never asks the provider for what it could have known to be
/// impossible, because it looks first.
pub const ALONE: Always = ("a lone operator looks before it acts", |_, s| s.world.provider.refused == 0);

/// All properties within these bounds.
pub fn all(bounds: &Bounds) -> Vec<Property<Bounds>> {
    let mut all: Vec<_> =
        ALWAYS.iter().map(|(name, holds)| Property::<Bounds>::always(name, *holds)).collect();
    // A hold that expires under the operator's hands cannot be known, and the step of a stopped execution is not alone.
    if bounds.budget.failovers == 0 && bounds.budget.stops == 0 && bounds.fault.is_none() && !bounds.bad_luck
    {
        all.push(Property::always(ALONE.0, ALONE.1));
    }
    let mut possible = |wanted: bool, name, reached: fn(&Bounds, &State) -> bool| {
        if wanted {
            all.push(Property::sometimes(name, reached));
        }
    };
    let stocked = bounds.stocks.contains(&1);
    possible(stocked, "an order is delivered", |_, s| in_phase(s, Phase::Delivered));
    possible(bounds.bad_luck || !stocked, "an order is rejected", |_, s| in_phase(s, Phase::Rejected));
    possible(bounds.cancel || bounds.delete, "an order is cancelled", |_, s| in_phase(s, Phase::Cancelled));
    possible(stocked, "an order fails", |_, s| in_phase(s, Phase::Failed));
    possible(bounds.delete, "an object goes", |_, s| s.object.gone && s.record().is_some());
    possible(bounds.bad_luck && bounds.moody, "a refund fails and needs a person", |_, s| {
        stalled_for(s, Reason::RefundFailed)
    });
    possible(bounds.bad_luck && bounds.moody, "a refund is paid", |_, s| {
        undone(s).is_some_and(|record| record.is_done(Effect::Refund))
    });
    possible(bounds.refund_by_hand, "a refund by hand makes another needless", |_, s| {
        undone(s).is_some_and(|record| record.is_done(Effect::Refund))
            && s.world.provider.refunds.len() == 1
            && s.is_refunded_by_hand()
    });
    possible(
        bounds.budget.unheard > 0,
        "an order is delivered of which a command was not heard at first",
        |b, s| in_phase(s, Phase::Delivered) && s.left.unheard < b.budget.unheard,
    );
    possible(bounds.budget.give_backs > 0, "an order is delivered that a courier gave back", |b, s| {
        in_phase(s, Phase::Delivered) && s.left.give_backs < b.budget.give_backs
    });
    let late_couriers = bounds.budget.give_backs > 0 && bounds.budget.late > 0;
    possible(late_couriers, "a courier picks up what was taken back", |_, s| {
        stalled_for(s, Reason::CourierUnexpected)
    });
    possible(bounds.strip, "a finalizer is put back", |_, s| s.object.stripped_once && s.object.finalizer);
    possible(stocked, "food arrives that was undone", |_, s| stalled_for(s, Reason::DeliveredAfterUndo));
    possible(bounds.moody, "stock is spent", |_, s| undone(s).is_some() && s.stock < s.stocked);
    possible(stocked, "a dead kitchen does not hold the order", |_, s| {
        undone(s).is_some_and(|record| record.state(Effect::RecallKitchen) == Some(EntryState::Unconfirmed))
    });
    possible(bounds.cancel && stocked, "a cancel comes too late", |_, s| {
        s.object.cancel
            && s.record().is_some_and(|record| {
                record.fault.is_none() && record.courier.state >= CourierState::PickedUp
            })
    });
    all
}

/// True when the order needs nobody but perhaps a person.
pub fn is_settled(s: &State) -> bool {
    s.record().is_some_and(|record| record.phase.is_final() || record.is_stalled())
}

fn in_phase(s: &State, phase: Phase) -> bool {
    s.record().is_some_and(|record| record.phase == phase)
}

fn stalled_for(s: &State, reason: Reason) -> bool {
    s.record().and_then(|record| record.stall.as_ref()).is_some_and(|stall| stall.reason == reason)
}

fn ended(s: &State, which: fn(Phase) -> bool) -> Option<&Record> {
    s.record().filter(|record| which(record.phase))
}

fn undone(s: &State) -> Option<&Record> {
    ended(s, |phase| phase.is_final() && phase != Phase::Delivered)
}

/// True when no operator does anything any more unless a device or a person moves, or a stopped process goes
/// on, which it may never do.
fn rests(s: &State) -> bool {
    let at_rest = |w: usize| {
        let writer = &s.writers[w];
        writer.queue.is_empty() && !s.may_wake(w) && (!writer.running || writer.rest == Rest::Event)
            || writer.running && !writer.works()
    };
    at_rest(0) && at_rest(1) && !s.is_carried() && s.underway.is_empty() && s.broken.is_none()
}
