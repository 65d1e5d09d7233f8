//! How names of areas are spelt: which spellings are one, and which words around a name say only what kind it is.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let file: File = serde_json::from_str(include_str!("../../../data/area-words.json"))
        .expect("data/area-words.json is well formed");
    Words::of(file)
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "sources")]
    _sources: Vec<String>,
    /// Words that are abbreviated within names, and what they stand for.
    short: HashMap<String, String>,
    /// Letters that are written for one another; the first stands for all.
    same: Vec<String>,
    /// Kinds of area that stand before a name, such as `provincia`.
    before: Vec<String>,
    /// Kinds of area that stand after a name, such as `prefecture`.
    after: Vec<String>,
    /// Words that join a kind to the name that follows, such as `de`.
    joining: Vec<String>,
    /// Kinds of area that are written without a blank after a name, such as `県`.
    attached: Vec<String>,
    /// Kinds of area that are written without a blank before a name, such as `จังหวัด`.
    #[serde(rename = "attachedBefore")]
    attached_before: Vec<String>,
}

struct Words {
    short: HashMap<String, String>,
    same: HashMap<char, char>,
    before: Vec<Vec<String>>,
    after: Vec<Vec<String>>,
    joining: Vec<String>,
    attached: Vec<String>,
    attached_before: Vec<String>,
}

impl Words {
    fn of(file: File) -> Self {
        let same = file.same.iter().flat_map(|group| {
            let first = group.chars().next().unwrap_or_default();
            group.chars().skip(1).map(move |letter| (letter, first))
        });
        let mut words = Self {
            short: file.short,
            same: same.collect(),
            before: Vec::new(),
            after: Vec::new(),
            joining: file.joining,
            attached: Vec::new(),
            attached_before: Vec::new(),
        };
        words.before = file.before.iter().map(|kind| words.tokens(kind)).collect();
        words.after = file.after.iter().map(|kind| words.tokens(kind)).collect();
        words.attached = file.attached.iter().map(|kind| words.tokens(kind).concat()).collect();
        words.attached_before = file.attached_before.iter().map(|kind| words.tokens(kind).concat()).collect();
        for kinds in [&mut words.before, &mut words.after] {
            kinds.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
        }
        words.attached.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
        words
    }

    /// The words of a name without case, accents and marks.
    fn tokens(&self, name: &str) -> Vec<String> {
        let bare: String = name
            .to_lowercase()
            .nfkd()
            .filter(|letter| !is_mark(*letter))
            .map(|letter| hiragana(self.same.get(&letter).copied().unwrap_or(letter)))
            .collect();
        let bare: String = bare.nfc().collect();
        bare.replace('ß', "ss")
            .replace('æ', "ae")
            .split(|letter: char| !letter.is_alphanumeric() && !is_joiner(letter))
            .map(|token| token.chars().filter(|letter| !is_joiner(*letter)).collect::<String>())
            .filter(|token| !token.is_empty())
            .collect()
    }

    /// The words of a name, those that are abbreviated in full. A word alone is rather a code: STA is Stavropol.
    fn in_full(&self, name: &str) -> Vec<String> {
        let tokens = self.tokens(name);
        if tokens.len() == 1 {
            return tokens;
        }
        tokens.into_iter().map(|token| self.short.get(&token).cloned().unwrap_or(token)).collect()
    }

    /// The name without one more kind of area, if it has one.
    fn without_kind(&self, tokens: &[String]) -> Option<Vec<String>> {
        let long = |kind: &&Vec<String>| kind.len() < tokens.len();
        if let Some(kind) = self.before.iter().filter(long).find(|kind| tokens.starts_with(kind)) {
            let name = &tokens[kind.len()..];
            let joined = name.iter().take_while(|token| self.joining.contains(token)).count();
            if joined < name.len() {
                return Some(name[joined..].to_vec());
            }
            // `State of DE` names Delaware, `Comunidad de` nothing.
            let joins = kind.last().is_some_and(|word| self.joining.contains(word));
            return joins.then(|| name.to_vec());
        }
        if let Some(kind) = self.after.iter().filter(long).find(|kind| tokens.ends_with(kind)) {
            return Some(tokens[..tokens.len() - kind.len()].to_vec());
        }
        self.without_attached(tokens)
    }

    fn without_attached(&self, tokens: &[String]) -> Option<Vec<String>> {
        let (first, others) = tokens.split_first()?;
        if let Some(rest) = self.attached_before.iter().find_map(|kind| first.strip_prefix(kind.as_str())) {
            let name = [rest.to_owned()].into_iter().chain(others.iter().cloned());
            return Some(name.filter(|token| !token.is_empty()).collect());
        }
        let (last, others) = tokens.split_last()?;
        let rest = self.attached.iter().find_map(|kind| last.strip_suffix(kind.as_str()))?;
        let fewest = if rest.is_ascii() { 3 } else { 2 };
        let enough = rest.chars().count() >= fewest || !others.is_empty();
        enough.then(|| {
            others.iter().cloned().chain([rest.to_owned()]).filter(|token| !token.is_empty()).collect()
        })
    }
}

/// What is compared of a name: first as it is written, then with one kind of area after another taken away.
pub(super) fn forms(country: &str, name: &str) -> Vec<String> {
    let mut tokens = WORDS.in_full(name);
    let mut forms = Vec::new();
    while !tokens.is_empty() {
        let form = romanised(country, tokens.concat());
        if !forms.contains(&form) {
            forms.push(form);
        }
        match WORDS.without_kind(&tokens) {
            Some(shorter) => tokens = shorter,
            None => break,
        }
    }
    forms
}

/// Whether a kind such as `県` is written at the end of a name. Kinds in Latin letters are ends of words too often.
pub(super) fn ends_in_kind(name: &str) -> bool {
    let tokens = WORDS.tokens(name);
    let ends_in = |kind: &&String| tokens.last().is_some_and(|last| last.ends_with(kind.as_str()));
    WORDS.attached.iter().filter(|kind| !kind.is_ascii()).any(|kind| ends_in(&kind))
}

/// Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic, voicing marks of kana, and modifier letters
/// such as the ʻokina. Vowel signs of Indic scripts and of Thai are letters.
fn is_mark(letter: char) -> bool {
    matches!(letter,
        '\u{02B0}'..='\u{036F}' | '\u{0591}'..='\u{05C7}' | '\u{0610}'..='\u{061A}' | '\u{0640}'
        | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{3099}' | '\u{309A}' | '\u{200C}' | '\u{200D}')
}

/// Katakana stand in Unicode in the order of hiragana, 96 places behind them.
fn hiragana(letter: char) -> char {
    match letter {
        'ァ'..='ヶ' => char::from_u32(u32::from(letter) - 0x60).unwrap_or(letter),
        _ => letter,
    }
}

/// What stands within a word.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '‘' | '`' | '´')
}

/// Japanese and Korean have several romanisations; what differs only by them is one name.
fn romanised(country: &str, name: String) -> String {
    let rules: &[(&str, &str)] = match country {
        "JP" => &JAPANESE,
        "KR" | "KP" => &KOREAN,
        _ => return name,
    };
    if !name.is_ascii() {
        return name;
    }
    rules.iter().fold(name, |name, (from, to)| name.replace(from, to))
}

/// Long vowels are written ō, ou, oo, oh or o; Hepburn, Kunrei and Nihon differ in a few consonants (ISO 3602,
/// `shi` for `si`); Hepburn had `m` before `b`, `m` and `p`.
const JAPANESE: [(&str, &str); 14] = [
    ("ou", "o"),
    ("oo", "o"),
    ("ohk", "ok"),
    ("ohi", "oi"),
    ("ohs", "os"),
    ("ohc", "oc"),
    ("uu", "u"),
    ("shi", "si"),
    ("chi", "ti"),
    ("tsu", "tu"),
    ("fu", "hu"),
    ("ji", "zi"),
    ("mb", "nb"),
    ("mm", "nm"),
];

/// The Revised Romanisation of 2000 writes g, d, b, j, eo and eu where McCune-Reischauer writes k, t, p, ch, ŏ and ŭ.
const KOREAN: [(&str, &str); 8] =
    [("eo", "o"), ("eu", "u"), ("g", "k"), ("d", "t"), ("b", "p"), ("j", "ch"), ("l", "r"), ("rr", "r")];
