//! Text as people type, paste and scan it, in one form.

use unicode_normalization::UnicodeNormalization;

/// NFKC, without blanks around it.
pub(super) fn normal(text: &str) -> String {
    text.nfkc().collect::<String>().trim().to_owned()
}
