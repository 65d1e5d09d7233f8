//! A sample of the fault matrix, another with each commit. `cargo matrix` runs all of it.

use std::process::Command;

use anyhow::{Result, ensure};
use comanda_e2e::matrix::{self, Options};
use comanda_e2e::stack;
use comanda_e2e::stack::progress::Progress;

/// Cells of each company.
const SAMPLE: usize = 14;

#[ignore = "minutes: run it with --ignored"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_all_faults_at_all_boundaries_leaves_every_order_as_it_must_be() -> Result<()> {
    let options = Options { sample: Some(SAMPLE), seed: Some(seed()), ..Options::default() };
    let stack = stack::Options {
        program: Some(env!("CARGO_BIN_EXE_comanda-e2e").into()),
        ..stack::Options::default()
    };
    let report = matrix::run(stack, &options, &Progress::stderr()).await?;
    println!("{}", report.summary());
    ensure!(report.violations() == 0, "{} cells went wrong, see above", report.violations());
    Ok(())
}

/// `COMANDA_SEED`, or the commit's: the same for the same sources, and another with each change.
fn seed() -> u64 {
    if let Some(seed) = std::env::var("COMANDA_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return seed;
    }
    let head = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let head = head.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    head.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(1)
}
