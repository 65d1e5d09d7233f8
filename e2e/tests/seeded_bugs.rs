//! The seeded bugs do not rot: each still applies to the tree, and names a test that is there. That the tests
//! catch them is for `e2e/seeded-bugs/run` to show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many there are at least.
const BUGS: usize = 40;

fn root() -> PathBuf {
    comanda_e2e::package().join("..").canonicalize().expect("the workspace")
}

/// Every patch: its name and its text.
fn bugs() -> Vec<(String, String)> {
    let directory = root().join("e2e/seeded-bugs");
    let mut bugs: Vec<_> = fs::read_dir(directory)
        .expect("the seeded bugs")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a patch"))
        })
        .collect();
    bugs.sort();
    assert!(bugs.len() >= BUGS, "only {} seeded bugs", bugs.len());
    bugs
}

fn header<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(field))
}

/// All Rust code in which a test may be.
fn sources(directory: &Path, found: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_seeded_bug_still_applies() {
    let root = root();
    for (name, _) in bugs() {
        let output = Command::new("git")
            .args(["apply", "--check"])
            .arg(root.join("e2e/seeded-bugs").join(format!("{name}.patch")))
            .current_dir(&root)
            // Unpacked inside of another repository, the tree is not a part of that.
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(&root))
            .output()
            .expect("git");
        assert!(
            output.status.success(),
            "{name} does not apply any more: seed it anew. {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn every_seeded_bug_says_what_it_is_and_which_test_catches_it() {
    let mut code = String::new();
    for part in ["operator", "lambdas", "e2e/tests"] {
        sources(&root().join(part), &mut code);
    }
    let mut numbers = BTreeSet::new();
    for (name, text) in bugs() {
        let number = name.split('-').next().and_then(|number| number.parse::<u32>().ok());
        assert!(number.is_some_and(|number| numbers.insert(number)), "{name} has no number of its own");
        let bug = header(&text, "Bug: ").unwrap_or_default();
        assert!(bug.ends_with('.'), "{name} does not say what it is: {bug:?}");
        let caught_by = header(&text, "Caught-by: test ").and_then(|rest| rest.strip_suffix(" -- --exact"));
        let test = caught_by.and_then(|words| words.rsplit([' ', ':']).next()).unwrap_or_default();
        assert!(
            !test.is_empty() && code.contains(&format!("fn {test}(")),
            "{name} is caught by a test that does not exist: {test:?}"
        );
    }
}
