//! Validation: the address and contact hold by the country's rules, and the order costs what was agreed.
//!
//! It has no effect outside, so it has no undo; the stock is taken by the ledger afterwards.

mod prices;

use comanda_crds::Doubts;
use comanda_saga::{Cause, Fault, Outcome, Record};

use crate::customer::{Contact, Weight};
use crate::ports::{Catalogue, Listing, PaymentRules};

/// Asks the catalogue, and judges.
pub async fn look(
    record: &Record,
    contact: &Contact,
    catalogue: &dyn Catalogue,
    payments: &dyn PaymentRules,
) -> Outcome {
    let skus: Vec<&str> = record.terms.lines.iter().map(|line| line.sku.as_str()).collect();
    match catalogue.articles(&record.identity.installation, &record.terms.store, &skus).await {
        Ok(listings) => match validate(record, contact, &listings, payments) {
            Ok((total, doubts)) => Outcome::Validated { total, doubts },
            Err(fault) => Outcome::Refused(fault),
        },
        Err(error) => Outcome::Unknown { effect: None, message: error.to_string() },
    }
}

/// The order's total in minor units and what is in doubt about the customer's data, or why the order cannot be
/// accepted. Everything wrong with the customer's data is told at once; no message repeats it.
fn validate(
    record: &Record,
    contact: &Contact,
    listings: &[Listing],
    payments: &dyn PaymentRules,
) -> Result<(i64, Vec<String>), Fault> {
    let (mut refusals, mut doubts) = (Vec::new(), Vec::new());
    for finding in contact.findings() {
        match (finding.weight, record.class.validation.doubts) {
            (Weight::Doubt, Doubts::Accept) => doubts.push(format!("{}: {}", finding.field, finding.message)),
            (Weight::Refusal, _) | (Weight::Doubt, Doubts::Refuse) => refusals.push(finding.message),
        }
    }
    if !refusals.is_empty() {
        return Err(Fault { cause: Cause::InvalidCustomer, message: refusals.join(" ") });
    }
    prices::total(&record.terms, listings, payments).map(|total| (total, doubts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Provider, article, contact, customer, record};
    use crate::ports::CatalogueError;

    struct Shelf(Result<Vec<Listing>, CatalogueError>);

    #[async_trait::async_trait]
    impl Catalogue for Shelf {
        async fn articles(
            &self,
            installation: &str,
            store: &str,
            skus: &[&str],
        ) -> Result<Vec<Listing>, CatalogueError> {
            assert_eq!((installation, store, skus), ("bistro", "centro", ["margherita"].as_slice()));
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn an_order_that_holds_has_its_total() {
        let shelf = Shelf(Ok(vec![Listing::Article(article("margherita", 950))]));
        assert_eq!(
            look(&record(), &contact(), &shelf, &Provider::default()).await,
            Outcome::Validated { total: 1900, doubts: Vec::new() }
        );
    }

    #[tokio::test]
    async fn everything_wrong_with_the_customer_is_told_at_once_and_nothing_is_repeated() {
        let mut customer = customer();
        customer.phone = "123".to_owned();
        customer.email = "secret-mailbox".to_owned();
        customer.address.postal_code = Some("99".to_owned());
        let contact = Contact::of(&customer);
        let shelf = Shelf(Ok(vec![Listing::Article(article("margherita", 950))]));
        let Outcome::Refused(fault) = look(&record(), &contact, &shelf, &Provider::default()).await else {
            panic!("not refused")
        };
        assert_eq!(fault.cause, Cause::InvalidCustomer);
        assert_eq!(
            fault.message,
            "The phone number cannot be dialled: write it in international form, such as +34 600 000 000. \
             The e-mail address is not one: write it like name@example.com. \
             The postal code does not have the form used in Spain (ES), such as 28039."
        );
    }

    #[tokio::test]
    async fn a_catalogue_that_does_not_answer_proves_nothing() {
        let shelf = Shelf(Err(CatalogueError::Unreachable("timeout".to_owned())));
        assert_eq!(
            look(&record(), &contact(), &shelf, &Provider::default()).await,
            Outcome::Unknown { effect: None, message: "the catalogue does not answer: timeout".to_owned() }
        );
    }
}
