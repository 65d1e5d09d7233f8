use comanda_crds::{Item, OrderSpec};
use comanda_saga::{Line, Terms, digest};

use crate::support::spec;

fn item(sku: &str, quantity: i32, unit_price: Option<i64>) -> Item {
    Item { sku: sku.to_owned(), quantity, unit_price }
}

#[test]
fn every_immutable_field_matters_and_no_other() {
    type Change = fn(&mut OrderSpec);
    let immutable: [Change; 9] = [
        |s| s.class_name = "porto".to_owned(),
        |s| s.customer.secret_ref.as_mut().expect("a reference").name = "rui".to_owned(),
        |s| s.store = "chiado".to_owned(),
        |s| s.items[0].sku = "salad".to_owned(),
        |s| s.items[0].unit_price = None,
        |s| s.currency = "USD".to_owned(),
        |s| s.total = None,
        |s| s.payment.payment_method = "pm_card_mastercard".to_owned(),
        |s| s.payment.customer = Some("cus_1".to_owned()),
    ];
    let changed = |change: Change| {
        let mut spec = spec();
        change(&mut spec);
        digest(&spec)
    };
    for (place, change) in immutable.into_iter().enumerate() {
        assert_ne!(changed(change), digest(&spec()), "change {place}");
    }
    let others: [Change; 4] = [
        |s| s.cancel = Some(comanda_crds::Cancel { reason: "ordered twice".to_owned() }),
        |s| s.suspend = true,
        |s| s.ttl_seconds_after_finished = Some(60),
        |s| s.order_id = Some("the-identity-is-checked-by-itself".to_owned()),
    ];
    for (place, change) in others.into_iter().enumerate() {
        assert_eq!(changed(change), digest(&spec()), "change {place}");
    }
}

/// A digest stands in the ledger for as long as the order does: another build must find the same. This
/// one was taken of the JSON text by another program.
#[test]
fn the_digest_is_the_same_in_every_build() {
    assert_eq!(digest(&spec()), "44da0e4ecb511bd08cfacedfcfc85e4975693e5926f5f2b439bb032fcb748100");
}

#[test]
fn two_prices_for_one_article_are_never_the_catalogues() {
    let lines = |items| Terms::of(&OrderSpec { items, ..spec() }).lines;
    let two = lines(vec![item("cola", 1, Some(250)), item("cola", 2, Some(300)), item("cola", 1, None)]);
    assert_eq!(two, [Line { sku: "cola".to_owned(), quantity: 4, agreed_price: Some(-1) }]);
    let one = lines(vec![item("cola", 1, None), item("cola", 2, Some(300))]);
    assert_eq!(one, [Line { sku: "cola".to_owned(), quantity: 3, agreed_price: Some(300) }]);
}
