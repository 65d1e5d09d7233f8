//! Random lives of an order: outcomes, device events, people, losses and restarts in any order.

use comanda_saga::{
    Call, CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Look, Phase, Record,
};
use comanda_steps::carry::CarryError;
use proptest::prelude::*;
use strum::IntoEnumIterator;

use crate::support::driver::{Driver, Lost, Rest};
use crate::support::event;
use crate::support::world::Luck;

/// Something that happens to an order.
#[derive(Clone, Debug)]
pub enum Chance {
    Run,
    Restart,
    Wait(i64),
    Lose(Call, Lost),
    Meet(Call, Luck),
    Kitchen(KitchenState),
    Courier(CourierState),
    KitchenAnswers(bool),
    CourierAnswers(bool),
    /// Says something that answers no command.
    Forge(DeviceSignal, bool),
    /// Another courier speaks.
    SecondCourier(CourierState),
    Cancel,
    Delete,
    Suspend(bool),
    Retry(u8),
    Abandon,
    /// Somebody is told of the payment, and looks.
    Look,
    /// The refunds that were made come back.
    ReturnRefunds,
    /// The customer disputes the charge.
    Dispute,
}

fn call() -> impl Strategy<Value = Call> {
    let looks = [Look::Validation, Look::Payment, Look::Refunds].map(Call::Read);
    let effects = Effect::iter().filter(|effect| effect.is_called()).map(Call::Do);
    prop::sample::select(effects.chain(looks).collect::<Vec<_>>())
}

fn kitchen() -> impl Strategy<Value = KitchenState> {
    use KitchenState::{Accepted, Preparing, Ready, Rejected};
    prop::sample::select(vec![Accepted, Preparing, Ready, Ready, Ready, Rejected])
}

fn courier() -> impl Strategy<Value = CourierState> {
    use CourierState::{Accepted, Declined, Delivered, Failed, PickedUp};
    prop::sample::select(vec![Accepted, Declined, PickedUp, Delivered, Delivered, Failed])
}

fn chance() -> impl Strategy<Value = Chance> {
    let loss = prop::sample::select(vec![Lost::Request, Lost::Answer]);
    let luck = prop::sample::select(vec![
        Luck::Good,
        Luck::Bad,
        Luck::Action,
        Luck::Slow,
        Luck::Person,
        Luck::Stored,
    ]);
    let forged = prop_oneof![
        kitchen().prop_map(DeviceSignal::Kitchen),
        courier().prop_map(DeviceSignal::Courier),
        any::<bool>().prop_map(DeviceSignal::KitchenRecalled),
        any::<bool>().prop_map(DeviceSignal::CourierRecalled),
    ];
    prop_oneof![
        12 => Just(Chance::Run),
        2 => Just(Chance::Restart),
        2 => prop::sample::select(vec![1, 11, 61, 901, 3601, 23 * 3600]).prop_map(Chance::Wait),
        3 => (call(), loss).prop_map(|(call, loss)| Chance::Lose(call, loss)),
        5 => (call(), luck).prop_map(|(call, luck)| Chance::Meet(call, luck)),
        6 => kitchen().prop_map(Chance::Kitchen),
        6 => courier().prop_map(Chance::Courier),
        1 => any::<bool>().prop_map(Chance::KitchenAnswers),
        1 => any::<bool>().prop_map(Chance::CourierAnswers),
        1 => (forged, any::<bool>()).prop_map(|(signal, low)| Chance::Forge(signal, low)),
        1 => courier().prop_map(Chance::SecondCourier),
        1 => Just(Chance::Cancel),
        1 => Just(Chance::Delete),
        1 => any::<bool>().prop_map(Chance::Suspend),
        1 => any::<u8>().prop_map(Chance::Retry),
        1 => Just(Chance::Abandon),
    ]
}

/// A life, in order.
pub fn life() -> impl Strategy<Value = Vec<Chance>> {
    prop::collection::vec(chance(), 1..40)
}

/// A life in which the provider says more than it is asked, and somebody is told.
pub fn life_with_looks() -> impl Strategy<Value = Vec<Chance>> {
    let chance = prop_oneof![
        16 => chance(),
        4 => Just(Chance::Look),
        1 => Just(Chance::ReturnRefunds),
        1 => Just(Chance::Dispute),
    ];
    prop::collection::vec(chance, 1..60)
}

/// Lives it, and shows every decision that ends a reconcile to `look`.
pub fn live(life: &[Chance], mut look: impl FnMut(&Driver, &Rest)) -> Driver {
    let mut shop = Driver::new();
    for chance in life {
        happen(&mut shop, chance);
        if matches!(chance, Chance::Run) {
            let decision = shop.run();
            look(&shop, &decision);
        }
    }
    shop
}

fn happen(shop: &mut Driver, chance: &Chance) {
    let seq = |effect| shop.ledger.as_ref().and_then(|record| record.journal.get(&effect)?.seq);
    match chance {
        Chance::Restart => shop.restart(),
        Chance::Wait(seconds) => shop.wait(*seconds),
        Chance::Lose(call, loss) => shop.lost.push((*call, *loss)),
        Chance::Meet(call, luck) => {
            shop.luck.retain(|(known, _)| known != call);
            shop.luck.push((*call, *luck));
        }
        Chance::Kitchen(state) if seq(Effect::Prepare).is_some() => shop.kitchen(*state),
        Chance::Courier(state) if seq(Effect::Deliver).is_some() => shop.courier(*state),
        Chance::KitchenAnswers(stops) if seq(Effect::RecallKitchen).is_some() => {
            shop.hear(DeviceSignal::KitchenRecalled(*stops), Effect::RecallKitchen);
        }
        Chance::CourierAnswers(stops) if seq(Effect::RecallCourier).is_some() => {
            shop.hear(DeviceSignal::CourierRecalled(*stops), Effect::RecallCourier);
        }
        Chance::Forge(signal, low) => {
            shop.o.events.push(event(*signal, if *low { 0 } else { u64::MAX }));
        }
        Chance::SecondCourier(state) => {
            if let Some(seq) = seq(Effect::Deliver).filter(|_| has_courier(shop.record())) {
                let said = event(DeviceSignal::Courier(*state), seq);
                shop.o.events.push(DeviceEvent { device: "courier-2".to_owned(), ..said });
            }
        }
        Chance::Cancel => shop.o.order.cancel = Some("ordered twice".to_owned()),
        Chance::Delete => shop.o.order.deleted = shop.ledger.is_some(),
        Chance::Suspend(on) => shop.o.order.suspend = *on,
        Chance::Retry(token) => shop.o.order.retry = Some(token.to_string()),
        Chance::Look if shop.ledger.is_some() => {
            // What the other side is free to choose is of calls that have an effect.
            let luck = std::mem::take(&mut shop.luck);
            match shop.look() {
                Ok(()) | Err(CarryError::Unanswered(_)) => shop.luck = luck,
                Err(error) => panic!("{error}"),
            }
        }
        Chance::ReturnRefunds => shop.world.provider.return_refunds(),
        Chance::Dispute => shop.world.provider.dispute(),
        Chance::Abandon => shop.o.order.abandon = Some("settled in cash".to_owned()),
        Chance::Run
        | Chance::Look
        | Chance::Kitchen(_)
        | Chance::Courier(_)
        | Chance::KitchenAnswers(_)
        | Chance::CourierAnswers(_) => {}
    }
}

fn has_courier(record: &Record) -> bool {
    record.courier.who.is_some()
}

/// True when the ledger's promise about money holds: the order is over, and nobody gave up on it.
pub fn is_complete(record: &Record) -> bool {
    record.phase.is_final() && record.abandoned.is_none()
}

/// True when an order of `from` may be in `to` after some events.
pub fn leads_to(from: Phase, to: Phase) -> bool {
    use comanda_saga::transition::{Trigger, transition};
    let mut reached = vec![from];
    let mut next = 0;
    while next < reached.len() {
        let on = Trigger::iter().filter_map(|event| transition(reached[next], event).ok());
        let new: Vec<_> = on.filter(|phase| !reached.contains(phase)).collect();
        reached.extend(new);
        next += 1;
    }
    reached.contains(&to)
}
