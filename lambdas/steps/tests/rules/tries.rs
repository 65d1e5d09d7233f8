//! What is asked for again after a lost answer or an error: when, how often and under which key.

use comanda_saga::{Call, Cause, Effect, EntryState, KitchenState, Look, Phase};
use comanda_steps::carry::Request;

use crate::support::Ask;
use crate::support::driver::{Driver, Lost};
use crate::support::world::Luck;

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_called_again() {
    for call in [Call::Do(Effect::Authorize), Call::Do(Effect::Capture)] {
        for loss in [Lost::Answer, Lost::Request] {
            let mut shop = Driver::new();
            shop.lost.push((call, loss));
            shop.run();
            if call == Call::Do(Effect::Capture) {
                shop.kitchen(KitchenState::Ready);
                shop.run();
            }
            let before = shop.calls().len();
            assert_eq!(shop.calls().last(), Some(&call));
            shop.restart();
            shop.run();
            assert_eq!(shop.calls()[before], Call::Read(Look::Payment), "{call:?} {loss:?}");
            let again = usize::from(loss == Lost::Request);
            assert_eq!(shop.count(call), 1 + again, "{call:?} {loss:?}");
            assert_eq!(shop.world.provider.refused, 0);
        }
    }
}

#[test]
fn a_lost_creation_is_repeated_under_its_key_while_the_key_lives() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::OpenPayment), Lost::Answer));
    shop.run();
    shop.restart();
    shop.wait(22 * 3600);
    shop.run();
    assert_eq!(shop.world.provider.intents.len(), 1);
    assert_eq!(shop.record().journal[&Effect::OpenPayment].attempt, 1);
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn past_the_life_of_its_key_a_lost_creation_gets_a_new_one_and_only_one_is_ever_confirmed() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::OpenPayment), Lost::Answer));
    shop.run();
    shop.restart();
    shop.wait(23 * 3600);
    shop.run();
    let keys: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.key.as_str()).collect();
    assert_eq!(keys, ["test/lisbon/order-1/pi/1", "test/lisbon/order-1/pi/2"]);
    let confirmed: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.confirmed).collect();
    assert_eq!(confirmed, [false, true]);
}

#[test]
fn a_stored_error_is_left_for_a_new_key_once_a_look_shows_that_nothing_happened() {
    for (call, effect) in
        [(Call::Do(Effect::Authorize), Effect::Authorize), (Call::Do(Effect::Capture), Effect::Capture)]
    {
        let mut shop = Driver::with_luck(&[(call, Luck::Stored)]);
        shop.run();
        if call == Call::Do(Effect::Capture) {
            shop.kitchen(KitchenState::Ready);
            shop.run();
        }
        assert_eq!(shop.calls().last(), Some(&call));
        shop.luck.clear();
        shop.run();
        assert_eq!(shop.record().journal[&effect].attempt, 2, "{call:?}");
        assert!(shop.record().is_done(effect), "{call:?}");
        assert_eq!(shop.world.provider.refused, 0);
    }
}

#[test]
fn a_creation_that_fails_again_and_again_gets_a_new_key() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::OpenPayment), Luck::Stored)]);
    shop.run();
    shop.luck.clear();
    for _ in 0..5 {
        shop.run();
    }
    assert_eq!(shop.count(Call::Do(Effect::OpenPayment)), 5, "four under the first key, one under the next");
    let keys: Vec<_> = shop.world.provider.intents.iter().map(|intent| intent.key.as_str()).collect();
    assert_eq!(keys, ["test/lisbon/order-1/pi/2"]);
}

#[test]
fn an_undo_past_the_life_of_the_key_leaves_the_unconfirmed_intent_alone() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::OpenPayment), Lost::Answer));
    shop.run();
    shop.o.order.cancel = Some("changed my mind".to_owned());
    shop.wait(23 * 3600);
    shop.restart();
    shop.run();
    assert_eq!(shop.record().phase, Phase::Cancelled);
    assert_eq!(shop.count(Call::Do(Effect::OpenPayment)), 1);
    assert_eq!(shop.stock, 3);
}

#[test]
fn a_process_that_died_before_it_asked_has_used_up_no_try() {
    let mut shop = Driver::new();
    shop.lost.push((Call::Do(Effect::NotifyConfirmed), Lost::Request));
    shop.run();
    // The class allows two tries, of which one has failed. Five processes take the intent and die.
    for _ in 0..5 {
        shop.restart();
        if let [Ask::Record(Request::Write(write, _)), ..] = shop.decide().asks.as_slice() {
            shop.ledger = Some(write.record.clone());
        }
    }
    shop.restart();
    shop.run();
    assert_eq!(shop.world.confirmations, 1);
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Done));
}

#[test]
fn a_message_is_tried_as_often_as_the_class_allows_and_never_stops_an_order() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::NotifyConfirmed), Lost::Request); 2];
    for _ in 0..3 {
        shop.run();
    }
    assert_eq!(shop.count(Call::Do(Effect::NotifyConfirmed)), 2);
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Failed));
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn a_try_that_a_crash_cut_short_does_not_count_against_the_message() {
    let mut shop = Driver::new();
    // The class allows two. Four processes die between the intent and its answer.
    for _ in 0..4 {
        shop.lost = vec![(Call::Do(Effect::NotifyConfirmed), Lost::Request)];
        shop.run();
        shop.restart();
    }
    shop.run();
    assert_eq!(shop.record().state(Effect::NotifyConfirmed), Some(EntryState::Done));
}

#[test]
fn a_creation_that_crashes_cut_short_keeps_its_key() {
    let mut shop = Driver::new();
    for _ in 0..6 {
        shop.lost = vec![(Call::Do(Effect::OpenPayment), Lost::Answer)];
        shop.run();
        shop.restart();
    }
    shop.run();
    assert_eq!(shop.record().journal[&Effect::OpenPayment].attempt, 1);
    assert_eq!(shop.record().phase, Phase::Preparing);
}

#[test]
fn a_look_up_costs_no_write() {
    let mut shop = Driver::preparing();
    shop.lost.push((Call::Do(Effect::Capture), Lost::Answer));
    shop.kitchen(KitchenState::Ready);
    shop.run();
    // That there was no answer is known, and not written.
    let hand = shop.in_hand();
    assert_ne!(hand.record, hand.saved);
    assert_eq!(shop.decide().asks, [Ask::Record(Request::Call(Call::Read(Look::Payment)))]);
}

#[test]
fn a_key_is_used_for_twenty_three_hours() {
    for (seconds, keys) in [(23 * 3600 - 1, 1), (23 * 3600, 2)] {
        let mut shop = Driver::new();
        shop.lost.push((Call::Do(Effect::OpenPayment), Lost::Request));
        shop.run();
        shop.wait(seconds);
        shop.run();
        assert_eq!(shop.record().journal[&Effect::OpenPayment].attempt, keys);
        let key = format!("test/lisbon/order-1/pi/{keys}");
        assert_eq!(shop.world.provider.intents[0].key, key);
    }
}

#[test]
fn a_key_is_tried_four_times() {
    let mut shop = Driver::new();
    shop.lost = vec![(Call::Do(Effect::OpenPayment), Lost::Request); 8];
    let mut keys = Vec::new();
    for _ in 0..9 {
        shop.run();
        keys.push(shop.record().journal[&Effect::OpenPayment].attempt);
    }
    assert_eq!(keys, [1, 1, 1, 1, 2, 2, 2, 2, 3]);
    assert_eq!(shop.world.provider.intents.len(), 1);
}

#[test]
fn a_contact_that_cannot_be_opened_ends_the_order_before_it_is_cooked_and_after_the_tries_of_a_message() {
    let mut shop = Driver::with_luck(&[
        (Call::Do(Effect::NotifyConfirmed), Luck::NoContact),
        (Call::Do(Effect::NotifyEnding), Luck::NoContact),
    ]);
    shop.run();
    assert_eq!(shop.record().phase, Phase::Notifying);
    // The class allows two tries of each message.
    for _ in 0..4 {
        shop.run();
    }
    let fault = shop.record().fault.as_ref().map(|fault| fault.cause);
    assert_eq!((shop.record().phase, fault), (Phase::Failed, Some(Cause::ContactUnreadable)));
    assert_eq!(
        (shop.count(Call::Do(Effect::NotifyConfirmed)), shop.count(Call::Do(Effect::Prepare))),
        (2, 0)
    );
    assert_eq!((shop.world.provider.balance(), shop.world.provider.holds(), shop.stock), (0, false, 3));
}

#[test]
fn a_contact_that_can_be_opened_again_in_time_is_no_fault() {
    let mut shop = Driver::with_luck(&[(Call::Do(Effect::NotifyConfirmed), Luck::NoContact)]);
    shop.run();
    shop.luck.clear();
    shop.run();
    assert_eq!((shop.record().phase, shop.record().contact_unreadable), (Phase::Preparing, false));
}
