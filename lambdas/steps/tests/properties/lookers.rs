//! Orders of which somebody is told, at any time, that something became of the payment.

use proptest::prelude::*;

use crate::invariants::every_call_has_a_fresh_intent;
use crate::life::{life_with_looks, live};
use crate::support::TOTAL;
use crate::support::driver::Driver;

fn lives() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

/// Nothing more goes wrong, and whoever carries the order and whoever looks do their part.
fn settle(shop: &mut Driver) {
    (shop.lost, shop.luck) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        shop.restart();
        shop.run();
    }
    if shop.ledger.is_some() {
        shop.look().expect("an answer");
    }
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn looks_lead_to_no_second_charge_and_to_no_call_without_its_intent(life in life_with_looks()) {
        let shop = live(&life, |_, _| {});
        let provider = &shop.world.provider;
        prop_assert!(provider.captures <= 1);
        prop_assert!(provider.intents.iter().filter(|intent| intent.confirmed).count() <= 1);
        prop_assert!([0, TOTAL].contains(&provider.balance()));
        every_call_has_a_fresh_intent(&shop)?;
    }

    #[test]
    fn after_a_look_the_record_of_an_order_that_is_over_says_what_the_provider_says(life in life_with_looks()) {
        let mut shop = live(&life, |_, _| {});
        settle(&mut shop);
        let over = shop.ledger.as_ref().filter(|record| record.phase.is_final() && record.abandoned.is_none());
        let Some(record) = over else { return Ok(()) };
        let provider = &shop.world.provider;
        prop_assert_eq!(record.payment.captured - record.payment.refunded, provider.balance());
        prop_assert_eq!(record.payment.disputed, provider.disputed);
        let asked = record.payment.surprises.is_empty() || record.is_stalled();
        prop_assert!(asked, "{:?} is nobody's to see to", record.payment.surprises);
    }

    #[test]
    fn a_look_that_brings_nothing_new_changes_nothing(life in life_with_looks()) {
        let mut shop = live(&life, |_, _| {});
        settle(&mut shop);
        let before = shop.ledger.clone();
        if before.is_some() {
            shop.look().expect("an answer");
        }
        prop_assert_eq!(&shop.ledger, &before);
    }
}
