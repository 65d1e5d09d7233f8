//! A release has no fault points.

use anyhow::{Result, ensure};
use comanda_e2e::stack::tools::{Build, Profile, operator_binary};

/// What only a build with faults knows.
const VARIABLE: &[u8] = b"COMANDA_FAULTS";

/// The operator as users have it does not know the variable that would stop it; the one for tests does, so the
/// search would find it. That a release cannot be built with them is an error of the compiler (`faults.rs`).
#[tokio::test]
async fn an_operator_as_users_have_it_cannot_be_told_to_stop_itself() -> Result<()> {
    for (build, expected) in [(Build::Faults, true), (Build::Plain, false)] {
        let program = std::fs::read(operator_binary(Profile::current(), build).await?)?;
        let found = program.windows(VARIABLE.len()).any(|window| window == VARIABLE);
        ensure!(found == expected, "{build:?}: the variable's name is in the program: {found}");
    }
    Ok(())
}
