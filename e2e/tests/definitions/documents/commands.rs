//! Every `kubectl` command that a document shows.

use std::fs;

use anyhow::{Context, Result, ensure};
use regex::Regex;

/// A command, and where it stands.
pub(super) struct Documented {
    /// The document and the line.
    pub(super) place: String,
    /// On one line, and without a prompt.
    pub(super) text: String,
}

impl Documented {
    /// Its words, as a shell takes them apart; quoted text stays part of its word.
    pub(super) fn words(&self) -> Vec<&str> {
        let word = Regex::new(r#"(?:"[^"]*"|'[^']*'|[^\s"'])+"#).expect("a pattern");
        word.find_iter(&self.text).map(|found| found.as_str()).collect()
    }

    /// The word by which it names orders without saying whose. cert-manager's group sorts before ours, so that
    /// `order` and `orders` are its own.
    pub(super) fn bare_name(&self) -> Option<&str> {
        let bare = Regex::new(r"(?i)^orders?($|[/.])").expect("a pattern");
        let whole = Regex::new(r"(?i)^orders?\.(v1alpha1\.)?comanda\.dev($|[/.])").expect("a pattern");
        let words = self.words();
        let name = |part: &&str| bare.is_match(part) && !whole.is_match(part);
        words.into_iter().find(|word| word.split(',').any(|part| name(&part)))
    }

    /// True when it names our orders.
    pub(super) fn is_about_orders(&self) -> bool {
        let ours = Regex::new(r"^(ord|orders\.comanda\.dev)($|[/.])").expect("a pattern");
        self.words().iter().any(|word| ours.is_match(word))
    }
}

/// The commands of the README, of every other document beside it, and of `docs`.
pub(super) fn all() -> Result<Vec<Documented>> {
    let root = comanda_e2e::package().join("..");
    let mut commands = Vec::new();
    for directory in ["", "docs"] {
        let mut files =
            fs::read_dir(root.join(directory))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "md")) {
            let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            commands.extend(commands_of(&name, &fs::read_to_string(file)?)?);
        }
    }
    Ok(commands)
}

/// A command is a line of a code block that begins with `kubectl`, or inline code that does.
pub(super) fn commands_of(document: &str, text: &str) -> Result<Vec<Documented>> {
    let mut commands = Vec::new();
    // The language of the block, while in one; what is continued in the next line; the paragraph so far.
    let (mut block, mut begun, mut prose) = (None, String::new(), String::new());
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{document}:{number}");
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(language), None) => {
                commands.extend(inline(&place, &std::mem::take(&mut prose))?);
                block = Some(language.trim());
            }
            (Some(_), Some(_)) => block = None,
            (None, Some("mermaid")) => {}
            (None, Some(_)) => {
                begun.push_str(line.trim());
                if begun.ends_with('\\') {
                    begun.truncate(begun.len() - 1);
                } else {
                    commands.extend(in_block(place, &std::mem::take(&mut begun))?);
                }
            }
            (None, None) if line.is_empty() => {
                commands.extend(inline(&place, &std::mem::take(&mut prose))?);
            }
            (None, None) => {
                prose.push_str(line.trim());
                prose.push(' ');
            }
        }
    }
    commands.extend(inline(document, &prose)?);
    Ok(commands)
}

fn in_block(place: String, line: &str) -> Result<Option<Documented>> {
    if !line.contains("kubectl") {
        return Ok(None);
    }
    let text = line.strip_prefix("$ ").unwrap_or(line);
    ensure!(
        text.starts_with("kubectl "),
        "{place}: this line has a kubectl command in the middle, which the test cannot run: {line}"
    );
    Ok(Some(Documented { place, text: text.to_owned() }))
}

/// The commands in the inline code of a paragraph that ends at `place`.
fn inline(place: &str, paragraph: &str) -> Result<Vec<Documented>> {
    let mut commands = Vec::new();
    for (index, part) in paragraph.split('`').enumerate() {
        if index % 2 == 1 && part.starts_with("kubectl ") {
            commands.push(Documented { place: place.to_owned(), text: part.to_owned() });
        } else {
            ensure!(
                !part.contains("kubectl "),
                "{place}: a kubectl command must be code that begins with kubectl, or nobody looks whether it \
                 works: {part}"
            );
        }
    }
    Ok(commands)
}
