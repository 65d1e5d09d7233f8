//! A release has no fault points.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use comanda_e2e::stack::tools::{Build, Profile, functions_binary, operator_binary};

/// What only a build with faults knows.
const VARIABLE: &[u8] = b"COMANDA_FAULTS";

/// Operator and functions as users have them do not know the variable that would stop them; those for tests do, so the
/// search would find it. That a release cannot be built with them is an error of the compiler
/// (`e2e/boundary/src/armed.rs`).
#[tokio::test]
async fn programs_as_users_have_them_cannot_be_told_to_stop_themselves() -> Result<()> {
    for (build, expected) in [(Build::Faults, true), (Build::Plain, false)] {
        // Each is looked at before the next build may put another in its place.
        for look in ["operator", "functions"] {
            let program = match look {
                "operator" => operator_binary(Profile::current(), build).await?,
                _ => functions_binary(Profile::current(), build).await?,
            };
            let found = knows_the_variable(&program)?;
            ensure!(found == expected, "{look}, {build:?}: the variable's name is in the program: {found}");
        }
    }
    Ok(())
}

fn knows_the_variable(program: &Path) -> Result<bool> {
    let program = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    Ok(program.windows(VARIABLE.len()).any(|window| window == VARIABLE))
}
