//! What the order costs by the store's catalogue, and whether that is what was agreed.

use std::collections::HashMap;

use comanda_saga::{Cause, Fault, Line, Money, Terms};

use crate::ports::{Article, Listing, PaymentRules};

/// The order's total in minor units, once every line is sold at the price agreed and the provider can charge it. Stock is
/// left to the reservation: only a transaction can promise it.
pub(super) fn total(terms: &Terms, listings: &[Listing], payments: &dyn PaymentRules) -> Result<i64, Fault> {
    let catalogue: HashMap<&str, &Listing> = listings.iter().map(|listing| (sku(listing), listing)).collect();
    let mut total = 0_i64;
    for line in &terms.lines {
        let price = price(terms, line, catalogue.get(line.sku.as_str()).copied())?;
        total = price
            .checked_mul(line.quantity)
            .and_then(|amount| total.checked_add(amount))
            .ok_or_else(too_much)?;
    }
    chargeable(total, terms, payments)
}

fn sku(listing: &Listing) -> &str {
    match listing {
        Listing::Article(Article { sku, .. }) | Listing::Unreadable { sku, .. } => sku,
    }
}

fn price(terms: &Terms, line: &Line, listing: Option<&Listing>) -> Result<i64, Fault> {
    let sku = &line.sku;
    let unavailable = |when: &str| {
        fault(Cause::Unavailable, format!("The store {} does not sell {sku}{when}.", terms.store))
    };
    let article = match listing {
        None => return Err(unavailable("")),
        Some(Listing::Unreadable { why, .. }) => {
            return Err(unavailable(&format!(" until its entry in the catalogue is mended: {why}")));
        }
        Some(Listing::Article(article)) => article,
    };
    if !article.available {
        return Err(unavailable(" now"));
    }
    if article.currency != terms.currency {
        return Err(fault(
            Cause::PriceMismatch,
            format!(
                "The catalogue sells {sku} in {}, and the order is in {}.",
                article.currency, terms.currency
            ),
        ));
    }
    match line.agreed_price {
        Some(agreed) if agreed < 0 => Err(fault(
            Cause::PriceMismatch,
            format!("The order gives two prices for {sku}: the catalogue has one."),
        )),
        Some(agreed) if agreed != article.price => Err(fault(
            Cause::PriceMismatch,
            format!(
                "The catalogue sells {sku} at {}, and the order says {}.",
                Money::new(article.price, &terms.currency),
                Money::new(agreed, &terms.currency),
            ),
        )),
        _ => Ok(article.price),
    }
}

fn chargeable(total: i64, terms: &Terms, payments: &dyn PaymentRules) -> Result<i64, Fault> {
    let amount = Money::new(total, &terms.currency);
    if let Some(agreed) = terms.agreed_total.filter(|agreed| *agreed != total) {
        return Err(fault(
            Cause::PriceMismatch,
            format!(
                "The order comes to {amount} by the catalogue, and its total says {}.",
                Money::new(agreed, &terms.currency)
            ),
        ));
    }
    if total <= 0 {
        return Err(fault(
            Cause::PriceMismatch,
            format!("The order comes to {amount} by the catalogue: there is nothing to charge."),
        ));
    }
    match payments.check_amount(&amount) {
        Ok(()) => Ok(total),
        Err(why) => Err(fault(Cause::PriceMismatch, format!("The order cannot be charged: {why}."))),
    }
}

/// More than the type of an amount holds.
fn too_much() -> Fault {
    fault(Cause::PriceMismatch, "The order comes to more than anybody can be charged.".to_owned())
}

fn fault(cause: Cause, message: String) -> Fault {
    Fault { cause, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Provider;

    fn total(terms: &Terms, listings: &[Listing]) -> Result<i64, Fault> {
        super::total(terms, listings, &Provider::default())
    }

    fn article(sku: &str, price: i64, currency: &str) -> Listing {
        Listing::Article(Article {
            sku: sku.to_owned(),
            price,
            currency: currency.to_owned(),
            available: true,
            stock: 0,
            name: String::new(),
        })
    }

    fn terms(currency: &str, lines: &[(&str, i64, Option<i64>)]) -> Terms {
        Terms {
            store: "centro".to_owned(),
            currency: currency.to_owned(),
            lines: lines
                .iter()
                .map(|(sku, quantity, agreed_price)| Line {
                    sku: (*sku).to_owned(),
                    quantity: *quantity,
                    agreed_price: *agreed_price,
                })
                .collect(),
            agreed_total: None,
            payment_method: "pm_card_visa".to_owned(),
            payment_customer: None,
        }
    }

    fn refusal(terms: &Terms, articles: &[Listing]) -> (Cause, String) {
        let fault = total(terms, articles).expect_err("a refusal");
        (fault.cause, fault.message)
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines_even_where_stock_looks_short() {
        let terms = terms("EUR", &[("margherita", 2, Some(950)), ("water", 3, None)]);
        assert_eq!(
            total(&terms, &[article("margherita", 950, "EUR"), article("water", 150, "EUR")]),
            Ok(2350)
        );
    }

    #[test]
    fn an_article_the_store_does_not_have_or_does_not_sell_now_is_unavailable() {
        let order = terms("EUR", &[("calzone", 1, None)]);
        assert_eq!(
            refusal(&order, &[article("margherita", 950, "EUR")]),
            (Cause::Unavailable, "The store centro does not sell calzone.".to_owned())
        );
        let Listing::Article(article) = article("calzone", 1100, "EUR") else { panic!("an article") };
        let sold_out = Listing::Article(Article { available: false, ..article });
        assert_eq!(
            refusal(&order, &[sold_out]),
            (Cause::Unavailable, "The store centro does not sell calzone now.".to_owned())
        );
    }

    #[test]
    fn an_article_that_cannot_be_read_is_unavailable_and_named_and_the_others_sell_on() {
        let unreadable = Listing::Unreadable {
            sku: "calzone".to_owned(),
            why: "its price is not a whole number".to_owned(),
        };
        let shelf = [unreadable, article("margherita", 950, "EUR")];
        assert_eq!(
            refusal(&terms("EUR", &[("margherita", 1, None), ("calzone", 1, None)]), &shelf),
            (
                Cause::Unavailable,
                "The store centro does not sell calzone until its entry in the catalogue is mended: its price is not a \
                 whole number."
                    .to_owned()
            )
        );
        assert_eq!(total(&terms("EUR", &[("margherita", 1, None)]), &shelf), Ok(950));
    }

    #[test]
    fn prices_and_totals_that_are_not_the_catalogues_are_told_as_people_write_them() {
        let articles = [article("ramen", 1200, "JPY"), article("pizza", 950, "EUR")];
        assert_eq!(
            refusal(&terms("EUR", &[("pizza", 1, Some(900))]), &articles),
            (
                Cause::PriceMismatch,
                "The catalogue sells pizza at 9.50 EUR, and the order says 9.00 EUR.".to_owned()
            )
        );
        assert_eq!(
            refusal(&terms("EUR", &[("pizza", 1, Some(-1))]), &articles),
            (Cause::PriceMismatch, "The order gives two prices for pizza: the catalogue has one.".to_owned())
        );
        assert_eq!(
            refusal(&terms("EUR", &[("ramen", 1, None)]), &articles),
            (Cause::PriceMismatch, "The catalogue sells ramen in JPY, and the order is in EUR.".to_owned())
        );
        let agreed = Terms { agreed_total: Some(2300), ..terms("JPY", &[("ramen", 2, Some(1200))]) };
        assert_eq!(
            refusal(&agreed, &articles),
            (
                Cause::PriceMismatch,
                "The order comes to 2400 JPY by the catalogue, and its total says 2300 JPY.".to_owned()
            )
        );
    }

    #[test]
    fn an_order_that_cannot_be_charged_is_refused() {
        assert_eq!(
            refusal(&terms("EUR", &[("tap-water", 2, None)]), &[article("tap-water", 0, "EUR")]),
            (
                Cause::PriceMismatch,
                "The order comes to 0.00 EUR by the catalogue: there is nothing to charge.".to_owned()
            )
        );
        let dear = [article("truffle", i64::MAX / 2, "EUR"), article("caviar", i64::MAX, "EUR")];
        let too_much = "The order comes to more than anybody can be charged.";
        for lines in [&[("truffle", 3, None)][..], &[("truffle", 1, None), ("caviar", 1, None)]] {
            assert_eq!(refusal(&terms("EUR", lines), &dear), (Cause::PriceMismatch, too_much.to_owned()));
        }
    }

    #[test]
    fn an_order_that_the_provider_cannot_charge_is_refused_in_its_words() {
        let provider = Provider { charges_up_to: Some(2000), ..Provider::default() };
        for (quantity, expected) in
            [(2, Ok(2000)), (3, Err("The order cannot be charged: 30.00 EUR is too much for it."))]
        {
            let order = terms("EUR", &[("pizza", quantity, None)]);
            let total = super::total(&order, &[article("pizza", 1000, "EUR")], &provider);
            assert_eq!(total.map_err(|fault| fault.message), expected.map_err(str::to_owned));
        }
    }
}
