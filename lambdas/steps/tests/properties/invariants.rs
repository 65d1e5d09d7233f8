use comanda_crds::OrderStatus;
use comanda_saga::{
    Call, CourierState, DeviceSignal, Direction, Effect, EntryState, Hold, KitchenState, Look, Phase, Record,
    RefundState, status,
};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::life::{is_complete, leads_to, life, live};
use crate::support::driver::{Done, Driver};
use crate::support::{TOKEN, TOTAL, event};

fn lives() -> ProptestConfig {
    // Failures are kept as tests of their own, not as seeds.
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

fn written(shop: &Driver) -> Vec<&Record> {
    shop.done
        .iter()
        .filter_map(|done| match done {
            Done::Wrote(record) => Some(&**record),
            _ => None,
        })
        .collect()
}

fn shown(status: &OrderStatus, kind: &str) -> Option<bool> {
    status.conditions.iter().find(|c| c.type_ == kind).map(|c| c.status == "True")
}

/// Each call was made right after the write that holds its intent.
pub fn every_call_has_a_fresh_intent(shop: &Driver) -> Result<(), TestCaseError> {
    let mut fresh: Option<&Record> = None;
    for done in &shop.done {
        match done {
            Done::Wrote(record) => fresh = Some(record),
            Done::Called(call) => {
                let Some(effect) = call.effect() else { continue };
                let record = fresh.take();
                prop_assert_eq!(
                    record.and_then(|r| r.state(effect)),
                    Some(EntryState::Intended),
                    "{:?}",
                    call
                );
            }
            Done::Object(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn a_record_moves_one_version_at_a_time_and_only_along_the_transitions(life in life()) {
        let shop = live(&life, |_, _| {});
        for pair in written(&shop).windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            prop_assert_eq!(after.version, before.version + 1);
            prop_assert!(leads_to(before.phase, after.phase), "{:?} to {:?}", before.phase, after.phase);
            prop_assert!(before.direction == Direction::Forward || after.direction == Direction::Undo);
            prop_assert!(before.fault.is_none() || before.fault == after.fault, "the first fault counts");
            prop_assert!(before.stock_spent <= after.stock_spent);
        }
    }

    #[test]
    fn no_call_is_made_or_repeated_without_a_fresh_intent_in_the_ledger(life in life()) {
        let shop = live(&life, |_, _| {});
        every_call_has_a_fresh_intent(&shop)?;
    }

    #[test]
    fn a_new_command_has_a_higher_number_and_an_old_one_keeps_its_own(life in life()) {
        let shop = live(&life, |_, _| {});
        for pair in written(&shop).windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            for (effect, entry) in &after.journal {
                match before.journal.get(effect) {
                    Some(old) if old.attempt == entry.attempt => prop_assert_eq!(old.seq, entry.seq),
                    _ => prop_assert!(entry.seq.is_none_or(|seq| seq > before.seq && seq <= after.seq)),
                }
            }
        }
    }

    #[test]
    fn what_was_done_is_undone_in_reverse(life in life()) {
        let shop = live(&life, |_, _| {});
        let (mut undoing, mut furthest) = (false, 0);
        for done in &shop.done {
            let rank = match done {
                Done::Wrote(record) => {
                    undoing = record.direction == Direction::Undo;
                    if record.is_done(Effect::Release) {
                        prop_assert!(is_settled(record), "released before {:?}", record.payment);
                    }
                    continue;
                }
                Done::Called(Call::Do(Effect::RecallCourier)) => 1,
                Done::Called(Call::Do(Effect::RecallKitchen)) => 2,
                Done::Called(Call::Do(Effect::OpenPayment | Effect::CancelPayment) | Call::Read(Look::Payment)) => 3,
                // The bank's last word on a refund holds back no message: it is asked for afterwards.
                Done::Called(Call::Read(Look::Refunds)) if furthest == 5 => continue,
                Done::Called(Call::Do(Effect::Refund) | Call::Read(Look::Refunds)) => 4,
                Done::Called(Call::Do(Effect::NotifyEnding)) => 5,
                Done::Called(Call::Read(Look::Events) | Call::Repeat(_)) | Done::Object(_) => continue,
                Done::Called(call) => {
                    prop_assert!(!undoing, "{call:?} while undoing");
                    continue;
                }
            };
            if undoing {
                prop_assert!(rank >= furthest, "{done:?} came too late");
                furthest = rank;
            }
        }
    }

    #[test]
    fn money_and_stock_are_exact(life in life()) {
        let shop = live(&life, |_, _| {});
        let provider = &shop.world.provider;
        prop_assert_eq!(shop.world.wrong, None);
        prop_assert!(provider.captures <= 1);
        prop_assert!(provider.intents.iter().filter(|intent| intent.confirmed).count() <= 1);
        if let Some(record) = shop.ledger.as_ref().filter(|record| is_complete(record)) {
            let delivered = record.phase == Phase::Delivered;
            prop_assert_eq!(provider.balance(), if delivered { TOTAL } else { 0 });
            prop_assert_eq!(record.payment.captured - record.payment.refunded, provider.balance());
            prop_assert!(!provider.holds());
            let share = i64::from(delivered || record.stock_spent && shop.stock == 2);
            prop_assert_eq!(shop.stock, 3 - share);
        }
    }

    #[test]
    fn the_status_says_finished_and_ready_when_it_is_over_and_never_shows_the_payment_token(life in life()) {
        live(&life, |shop, decision| {
            let status = &decision.status;
            let text = serde_json::to_string(status).expect("a status");
            assert!(!text.contains(TOKEN), "{text}");
            let stalled = shown(status, "Stalled") == Some(true);
            assert_eq!(stalled, shop.ledger.as_ref().is_some_and(Record::is_stalled));
            if status.phase.is_final() {
                assert_eq!(shown(status, "Finished"), Some(true));
                assert_eq!(shown(status, "Ready"), Some(!stalled));
                assert_eq!(shown(status, "Reconciling"), None);
            } else {
                assert_ne!(shown(status, "Finished"), Some(true));
                assert_eq!(shown(status, "Ready"), Some(false));
                assert_eq!(shown(status, "Reconciling"), if stalled { None } else { Some(true) });
            }
        });
    }

    #[test]
    fn every_order_moves_waits_for_somebody_or_is_over(life in life()) {
        live(&life, |shop, decision| {
            let Some(record) = shop.ledger.as_ref().filter(|record| !record.phase.is_final()) else { return };
            let resting = decision.asks.is_empty() && !shop.o.order.suspend;
            let named = decision.status.waiting_for.is_some();
            // An answer that never came is asked for again.
            let settling = matches!(decision.wait, comanda_saga::Wait::Until(_));
            assert!(!resting || named || settling, "{:?} rests for nobody", record.phase);
        });
    }

    #[test]
    fn the_same_view_gives_the_same_decision_and_time_alone_is_no_news(life in life()) {
        live(&life, |shop, decision| {
            assert_eq!(decision, &shop.decide());
            let mut later = shop.clone();
            later.now += SignedDuration::from_secs(1);
            let later = later.decide();
            if decision.asks.is_empty() && later.asks.is_empty() {
                assert!(!status::is_news(&later.status, &decision.status));
            }
        });
    }

    #[test]
    fn a_restart_decides_nothing_that_the_ledger_does_not_know(life in life()) {
        let mut shop = live(&life, |_, _| {});
        if let Some(record) = &shop.ledger {
            let text = serde_json::to_string(record).expect("a record");
            let read: Record = serde_json::from_str(&text).expect("the same record");
            prop_assert_eq!(&read, record);
        }
        shop.restart();
        (shop.lost, shop.luck) = (Vec::new(), Vec::new());
        // An error that the provider keeps ends a reconcile, and only so many of them.
        for _ in 0..10 {
            shop.run();
        }
        let before = shop.done.len();
        shop.restart();
        let now = shop.now;
        if let Some(hand) = &mut shop.hand {
            hand.payment_seen_at = Some(now);
        }
        shop.run();
        for done in &shop.done[before..] {
            prop_assert!(matches!(done, Done::Called(Call::Read(_) | Call::Repeat(_))), "{:?}", done);
        }
    }

    #[test]
    fn events_may_come_in_any_order_and_more_than_once(
        (kitchen, courier, order) in heard()
    ) {
        let mut shop = Driver::delivering();
        let at = |signal, effect: Effect| event(signal, shop.record().journal[&effect].seq.unwrap_or_default());
        let mut events: Vec<_> =
            kitchen.into_iter().map(|state| at(DeviceSignal::Kitchen(state), Effect::Prepare)).collect();
        events.extend(courier.into_iter().map(|state| at(DeviceSignal::Courier(state), Effect::Deliver)));
        shop.o.events.clone_from(&events);
        let straight = shop.decide();
        let shuffled = order.iter().filter_map(|place| events.get(place % events.len().max(1)).cloned());
        shop.o.events = shuffled.chain(events.iter().rev().cloned()).collect();
        prop_assert_eq!(straight, shop.decide());
    }
}

fn heard() -> impl Strategy<Value = (Vec<KitchenState>, Vec<CourierState>, Vec<usize>)> {
    use CourierState as C;
    use KitchenState as K;
    (
        prop::sample::subsequence(vec![K::Accepted, K::Preparing, K::Rejected, K::Ready], 0..=4),
        prop::sample::subsequence(
            vec![C::Accepted, C::Declined, C::PickedUp, C::Failed, C::Delivered],
            0..=5,
        ),
        prop::collection::vec(0_usize..8, 0..12),
    )
}

/// True when the record says that nothing is held or owed, or that what is owed is the bank's to pay.
fn is_settled(record: &Record) -> bool {
    let payment = &record.payment;
    match payment.hold {
        Some(Hold::Taken) => {
            payment.captured == payment.refunded
                || matches!(payment.refund, Some(RefundState::Pending | RefundState::Disputed))
        }
        Some(Hold::Released) | None => true,
        _ => false,
    }
}
