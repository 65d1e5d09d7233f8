//! The customer's data, from wherever the order says.

use comanda_crds::{Inline, Order};
use comanda_steps::customer::Contact;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::context::{Context, bounded};
use crate::error::Error;

/// The key of a customer's Secret.
const KEY: &str = "customer";

/// The customer's data in its normal form; none when the intake has put it into the ledger.
pub async fn read(order: &Order, context: &Context) -> Result<Option<Contact>, Error> {
    let customer = &order.spec.customer;
    if let Some(inline) = &customer.inline {
        return Ok(Some(Contact::of(inline)));
    }
    let Some(reference) = &customer.secret_ref else { return Ok(None) };
    let namespace = order.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let secret = bounded(secrets.get_opt(&reference.name)).await?;
    let found = secret.as_ref().map(|secret| secret.data.as_ref().and_then(|data| data.get(KEY)));
    let customer = match found {
        None => Err(format!("does not exist: create it with a key `{KEY}`")),
        Some(None) => Err(format!("has no key `{KEY}`")),
        Some(Some(bytes)) => decode(&bytes.0),
    };
    customer
        .map(|customer| Some(Contact::of(&customer)))
        .map_err(|why| Error::Customer(format!("the Secret {} of customer.secretRef {why}", reference.name)))
}

/// A customer as JSON, or why it is none. The parser's own message could quote what it read, which is personal data.
fn decode(bytes: &[u8]) -> Result<Inline, String> {
    if bytes.starts_with(&[0xFF, 0xFE])
        || bytes.starts_with(&[0xFE, 0xFF])
        || bytes.iter().take(2).any(|byte| *byte == 0)
    {
        return Err(format!("holds UTF-16 in its key `{KEY}`: save it as UTF-8"));
    }
    // Editors on Windows begin UTF-8 with a byte order mark, which JSON does not allow.
    let json = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(json).map_err(|error| {
        format!(
            "does not hold a customer as JSON in its key `{KEY}` (line {}, column {})",
            error.line(),
            error.column()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMER: &str = r#"{"name":"Ana","phone":"1","email":"a@example.com","address":{"country":"ES"}}"#;

    fn utf16(text: &str, mark: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_before_the_json_is_not_part_of_it() {
        let marked = ["\u{FEFF}", CUSTOMER].concat();
        assert_eq!(decode(marked.as_bytes()), decode(CUSTOMER.as_bytes()));
        assert_eq!(decode(CUSTOMER.as_bytes()).expect("a customer").name, "Ana");
    }

    #[test]
    fn utf16_is_named_with_and_without_a_mark() {
        for bytes in [
            utf16(CUSTOMER, "\u{FEFF}", u16::to_le_bytes),
            utf16(CUSTOMER, "\u{FEFF}", u16::to_be_bytes),
            utf16(CUSTOMER, "", u16::to_le_bytes),
            utf16(CUSTOMER, "", u16::to_be_bytes),
        ] {
            assert_eq!(
                decode(&bytes),
                Err("holds UTF-16 in its key `customer`: save it as UTF-8".to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_customer_is_told_by_its_place_and_not_repeated() {
        let told = decode(br#"{"name": canary}"#).expect_err("no JSON");
        assert_eq!(told, "does not hold a customer as JSON in its key `customer` (line 1, column 10)");
    }
}
