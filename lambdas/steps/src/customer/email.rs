//! E-mail addresses. What has a mailbox and a domain is taken: only the mail server of the domain knows which
//! mailboxes it has. What mail is unlikely to reach is doubted, and only what is no address is refused.

#[cfg(test)]
mod tests;

use super::{Finding, text};

/// The address alone, with its domain in lower case.
///
/// `mailto:` and its headers, a display name (`Ana <ana@example.com>`) and the dot at the domain's end are left off;
/// the full stops of Chinese and Japanese keyboards in the domain are dots (RFC 3490, section 3.1). The mailbox stays
/// as it is, since only its server may say that case does not matter (RFC 5321, section 2.4). No line break or other
/// control character is left, so that an address cannot add a header.
pub(super) fn normal(email: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line = text::normal(email).replace(breaks, " ");
    let address = bare(line.trim());
    let Some((mailbox, domain)) = parts(address) else { return address.to_owned() };
    let dotted = domain.replace('。', ".");
    let domain = dotted.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).trim_start();
    format!("{}@{}", mailbox.trim_end(), domain.to_lowercase())
}

/// What does not hold about an address in its normal form.
pub(super) fn finding(email: &str) -> Option<Finding> {
    let field = "email";
    let Some((mailbox, domain)) =
        parts(email).filter(|(mailbox, domain)| !mailbox.is_empty() && !domain.is_empty())
    else {
        let message = "The e-mail address is not one: write it like name@example.com.";
        return Some(Finding::refusal(field, message));
    };
    let doubt = |message: &str| Some(Finding::doubt(field, message));
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if domain.starts_with('[') || domain.rsplit('.').next().is_some_and(is_number) {
        return doubt("The e-mail address names a server by its number: write it like name@example.com.");
    }
    if !is_quoted(mailbox)
        && mailbox.contains(|c: char| c.is_whitespace() || matches!(c, '@' | ',' | ';' | '<' | '>'))
    {
        return doubt(
            "The e-mail address has a blank, a comma or a second @: write one address, like name@example.com.",
        );
    }
    if !domain.contains('.') {
        return doubt("The domain of the e-mail address has no dot: write it like name@example.com.");
    }
    if !domain.split('.').all(is_label) {
        return doubt("The domain of the e-mail address cannot be one: write it like name@example.com.");
    }
    None
}

/// The address in `mailto:ana@example.com?subject=…`, `Ana <ana@example.com>`, both, or as it is.
fn bare(text: &str) -> &str {
    let scheme = "mailto:";
    let linked = match text.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => text[scheme.len()..].split('?').next(),
        _ => None,
    };
    let named =
        || text.strip_suffix('>').and_then(|named| named.rsplit_once('<')).map(|(_, address)| address);
    match linked.or_else(named).map(str::trim) {
        Some(address) if address.contains('@') => bare(address),
        _ => text,
    }
}

/// Mailbox and domain. A quoted mailbox may have an @ in it, a domain not.
fn parts(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@')
}

/// Whether the mailbox stands in quotation marks, which take blanks and signs (RFC 5321, section 4.1.2).
fn is_quoted(mailbox: &str) -> bool {
    mailbox.len() > 2 && mailbox.starts_with('"') && mailbox.ends_with('"')
}

/// Whether a part of a domain can be one: letters and digits of any script, and hyphens but at its ends (RFC 1123,
/// section 2.1; RFC 5890, section 2.3).
fn is_label(label: &str) -> bool {
    let sign = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-';
    !label.is_empty()
        && label.chars().count() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.contains(|c: char| c.is_whitespace() || sign(c))
}
