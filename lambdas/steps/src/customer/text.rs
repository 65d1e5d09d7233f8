//! Text as people type, paste and scan it, in one form.

use unicode_normalization::UnicodeNormalization;

/// NFKC, with every run of white space as one blank, none around it, and no invisible characters.
///
/// What NFKC would turn into something else stays as it is written: ordinals, superscripts, subscripts and
/// fractions (`12½` is not `121⁄2`). The joiners that Persian and Indic names are spelt with stay too.
pub(super) fn normal(text: &str) -> String {
    cleaned(text, |run| run.nfkc().collect())
}

/// The same with NFC for NFKC: for text that would be too long, as one letter can become eighteen.
pub(super) fn composed(text: &str) -> String {
    cleaned(text, |run| run.nfc().collect())
}

fn cleaned(text: &str, compose: fn(&str) -> String) -> String {
    let visible = text.chars().filter(|letter| !is_invisible(*letter));
    let mut composed = String::with_capacity(text.len());
    let mut run = String::new();
    for letter in visible {
        if changes_meaning(letter) {
            composed.push_str(&compose(&run));
            run.clear();
            composed.push(letter);
        } else {
            run.push(letter);
        }
    }
    composed.push_str(&compose(&run));
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The compatibility decomposition of these says something else once it stands beside other characters.
fn changes_meaning(letter: char) -> bool {
    matches!(letter,
        'ª' | 'º' | '¹' | '²' | '³' | '¼'..='¾' // ordinals, superscripts and fractions of Latin-1
        | '\u{2070}'..='\u{209F}' // superscripts and subscripts
        | '\u{2150}'..='\u{215F}' | '\u{2189}' // vulgar fractions
    )
}

/// Control and format characters that nobody sees. A line break is white space, not one of them, and neither are
/// the joiners U+200C and U+200D.
fn is_invisible(letter: char) -> bool {
    (letter.is_control() && !letter.is_whitespace())
        || matches!(letter,
            '\u{00AD}' // soft hyphen
            | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{200B}' | '\u{2060}' | '\u{FEFF}' // zero-width space, word joiner, byte order mark
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_form_however_it_was_typed() {
        for (written, form) in [
            ("  Calle   Mayor 1 ", "Calle Mayor 1"),
            ("Ｍａｉｎ　Ｓｔ　１", "Main St 1"),
            ("ﾔﾏﾀﾞ", "ヤマダ"),
            ("Jose\u{301}", "José"),
            ("Rua A,\r\n\tBloco\u{A0}2", "Rua A, Bloco 2"),
            ("\u{2028}a\u{85}b\u{2009}c", "a b c"),
            ("㈱コマンダ", "(株)コマンダ"),
            ("", ""),
            (" \u{200B}\u{FEFF} ", ""),
        ] {
            assert_eq!(normal(written), form, "{written:?}");
        }
    }

    /// UAX #15 warns that compatibility mappings of these lose what distinguishes them from plain digits and letters.
    #[test]
    fn what_nfkc_would_make_into_something_else_stays() {
        for written in ["12½ Main St", "1¼", "⅓", "3º 2ª", "m²", "x³", "Unit ¹", "H₂O", "10ⁿ", "↉", "⅟"]
        {
            assert_eq!(normal(written), written);
        }
        assert_eq!(normal("Ａ３º"), "A3º");
    }

    #[test]
    fn invisible_characters_go_and_the_joiners_that_names_need_stay() {
        for (written, form) in [
            ("\u{FEFF}Ana", "Ana"),
            ("An\u{200B}a\u{2060}", "Ana"),
            ("Co\u{AD}manda", "Comanda"),
            ("\u{202B}שלום\u{202C}", "שלום"),
            ("\u{2066}Ana\u{2069}\u{200E}", "Ana"),
            ("Ana\u{0}\u{7F}\u{1B}", "Ana"),
            ("علی\u{200C}رضا", "علی\u{200C}رضا"), // Persian: Ali-Reza
            ("ක්\u{200D}ර", "ක්\u{200D}ර"),         // Sinhala: kra
        ] {
            assert_eq!(normal(written), form, "{written:?}");
        }
    }

    #[test]
    fn to_normalise_twice_changes_nothing_more() {
        for written in ["´a", "ａ ½ｂ", "\u{301}x", "ﷺ", "a\u{AD}\u{301}", "º\u{301}", " ¨ "] {
            let once = normal(written);
            assert_eq!(normal(&once), once, "{written:?}");
        }
    }
}
