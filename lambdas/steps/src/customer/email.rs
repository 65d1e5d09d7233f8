//! E-mail addresses. What has a mailbox and a domain is taken: only the mail server of the domain knows which
//! mailboxes it has. What mail is unlikely to reach is doubted, and only what is no address is refused.

#[cfg(test)]
mod tests;

use super::finding::Finding;
use super::text;

/// The address alone, with its domain in lower case.
///
/// What stands around it is left off: `mailto:` and its headers, a label (`e-mail:`), a display name
/// (`Ana <ana@example.com>`), quotation marks, a note in parentheses behind it, signs at its end, a blank before a dot;
/// the full stops of Chinese and Japanese keyboards in the domain are dots (RFC 3490, section 3.1). The mailbox stays
/// as it is, since only its server may say that case does not matter (RFC 5321, section 2.4). No line break or other
/// control character is left, so that an address cannot add a header.
pub(super) fn normal(email: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line = text::normal(email).replace(breaks, " ");
    let address = bare(line.trim());
    let Some((mailbox, domain)) = parts(address) else { return address.to_owned() };
    let dotted = domain.replace('。', ".").replace(" .", ".");
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
    if mailbox.bytes().all(|byte| byte == b'.') || mailbox.len() > 64 {
        return doubt("The mailbox of the e-mail address cannot be one: write it like name@example.com.");
    }
    if !domain.contains('.') {
        return doubt("The domain of the e-mail address has no dot: write it like name@example.com.");
    }
    if !domain.split('.').all(is_label) || domain.rsplit('.').next().is_some_and(|last| last.len() == 1) {
        return doubt("The domain of the e-mail address cannot be one: write it like name@example.com.");
    }
    None
}

/// The address without what people and programs put around it, one thing after the other.
fn bare(text: &str) -> &str {
    [unlabelled, unlinked, unnamed, unquoted, without_note, without_end]
        .iter()
        .filter_map(|without| without(text))
        .map(str::trim)
        .find(|address| address.contains('@'))
        .map_or(text, bare)
}

/// `E-mail: ana@example.com`.
fn unlabelled(text: &str) -> Option<&str> {
    let (label, address) = text.split_once(':')?;
    let is_label = |known: &&str| label.trim().eq_ignore_ascii_case(known);
    ["email", "e-mail", "mail"].iter().find(|known| is_label(known)).map(|_| address)
}

/// `mailto:ana@example.com?subject=…`.
fn unlinked(text: &str) -> Option<&str> {
    let (scheme, address) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("mailto").then(|| address.split('?').next())?
}

/// `Ana <ana@example.com>`.
fn unnamed(text: &str) -> Option<&str> {
    text.strip_suffix('>').and_then(|named| named.rsplit_once('<')).map(|(_, address)| address)
}

/// `'ana@example.com'`.
fn unquoted(text: &str) -> Option<&str> {
    let marks = ['\'', '"', '‘', '’', '“', '”', '«', '»', '`'];
    text.strip_prefix(marks)?.strip_suffix(marks)
}

/// `ana@example.com (work)`.
fn without_note(text: &str) -> Option<&str> {
    text.strip_suffix(')')?.rsplit_once('(').map(|(address, _)| address)
}

/// `ana@example.com;`.
fn without_end(text: &str) -> Option<&str> {
    text.strip_suffix(['.', '。', ',', ';', '/', '>'])
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
