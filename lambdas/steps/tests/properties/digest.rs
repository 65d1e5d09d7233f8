use comanda_crds::{Item, OrderSpec};
use comanda_saga::digest;
use proptest::prelude::*;

use crate::support::spec;

fn item(sku: &str, quantity: i32, unit_price: Option<i64>) -> Item {
    Item { sku: sku.to_owned(), quantity, unit_price }
}

fn of(items: Vec<Item>) -> String {
    digest(&OrderSpec { items, ..spec() })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let line = (prop::sample::select(vec!["cola", "pizza", "salad"]), 1..9_i32, prop::option::of(1..3_i64));
    prop::collection::vec(line.prop_map(|(sku, quantity, price)| item(sku, quantity, price)), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_lines_does_not_matter(
        (items, shuffled) in items().prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle()))
    ) {
        prop_assert_eq!(of(items), of(shuffled));
    }

    #[test]
    fn the_grouping_of_lines_does_not_matter(items in items()) {
        let singly = items.iter().flat_map(|line| {
            std::iter::repeat_n(Item { quantity: 1, ..line.clone() }, usize::try_from(line.quantity).unwrap())
        });
        prop_assert_eq!(of(items.clone()), of(singly.collect()));
    }

    #[test]
    fn one_more_of_anything_matters(items in items(), which in any::<prop::sample::Index>()) {
        let mut more = items.clone();
        let line = which.index(more.len());
        more[line].quantity += 1;
        prop_assert_ne!(of(items), of(more));
    }
}
