//! E-mail addresses: refused only without a mailbox or a domain.

use super::{Finding, text};

/// The address without blanks around it.
pub(super) fn normal(email: &str) -> String {
    text::normal(email)
}

/// What does not hold about an address in its normal form.
pub(super) fn finding(email: &str) -> Option<Finding> {
    let field = "email";
    match email.rsplit_once('@') {
        Some((mailbox, domain)) if !mailbox.is_empty() && !domain.is_empty() => {
            (!domain.contains('.')).then(|| {
                Finding::doubt(
                    field,
                    "The domain of the e-mail address has no dot: write it like name@example.com.",
                )
            })
        }
        _ => Some(Finding::refusal(field, "The e-mail address is not one: write it like name@example.com.")),
    }
}
