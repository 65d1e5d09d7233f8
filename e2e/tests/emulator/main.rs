//! The emulator of AWS, where it is corrected to do what AWS does.

use std::process::Command;

use anyhow::{Result, ensure};
use comanda_e2e::stack::aws::Aws;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::tools::Tools;

#[tokio::test]
async fn step_functions_end_time_out_and_refuse_as_awss_do() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let tools = Tools::ensure(&Progress::stderr()).await?;
    let aws = Aws::start(&tools, dir.path(), None).await?;
    let mut tests = Command::new(&tools.python);
    tests.arg(comanda_e2e::package().join("tests/emulator/states.py")).envs(aws.env());
    let tested = tokio::task::spawn_blocking(move || tests.output()).await??;
    aws.stop().await?;
    let said = String::from_utf8_lossy(&tested.stderr);
    ensure!(tested.status.success(), "{said}");
    ensure!(said.contains("Ran 14 tests"), "{said}");
    Ok(())
}
