//! The local stack: real servers as child processes, each on a free port with its own data.

pub mod aws;
pub mod clock;
pub mod kubernetes;
pub mod port;
pub mod process;
pub mod progress;
mod run_directory;
pub mod simulators;
pub mod stripe;
pub mod tools;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use aws::{Aws, Functions};
use kubernetes::Kubernetes;
use port::free_port;
use progress::Progress;
use run_directory::RunDirectory;
use stripe::Stripe;
use tools::Tools;

/// How to start a [`Stack`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program with this crate's subcommands. A test names `env!("CARGO_BIN_EXE_comanda-e2e")`; without it, the
    /// running program is meant.
    pub program: Option<PathBuf>,
    /// Where the run directory is made; without it, the system's directory for temporary files.
    pub runs_in: Option<PathBuf>,
    /// Keeps the run directory, with its logs, after the end.
    pub keep: bool,
    /// The program of the functions: see [`tools::functions_binary`]. With it, AWS has what `lambdas/template.yaml`
    /// makes, and holds everybody to their policies. Without it, AWS has a few resources and no policies but those of
    /// devices.
    pub functions: Option<PathBuf>,
}

/// Everything an installation needs, running.
pub struct Stack {
    /// The control plane.
    pub kubernetes: Kubernetes,
    /// AWS.
    pub aws: Aws,
    /// Stripe.
    pub stripe: Stripe,
    program: PathBuf,
    dir: RunDirectory,
}

impl Stack {
    /// Builds what is missing and starts everything at once.
    ///
    /// # Errors
    /// When a tool cannot be had or a server does not come up; what had started is stopped.
    pub async fn start(options: Options, progress: &Progress) -> Result<Self> {
        let tools = Box::pin(Tools::ensure(progress)).await?;
        let program = match options.program {
            Some(program) => program,
            None => env::current_exe().context("finding this program")?,
        };
        let dir = RunDirectory::new(options.runs_in.as_deref(), options.keep)?;
        let path = dir.path().to_owned();

        let begun = Instant::now();
        progress.line("starting Kubernetes, AWS and Stripe");
        let [kubernetes_dir, aws_dir, stripe_dir] =
            ["kubernetes", "aws", "stripe"].map(|part| path.join(part));
        let stripe_port = free_port()?;
        let stripe_url = format!("http://127.0.0.1:{stripe_port}");
        let functions =
            options.functions.as_deref().map(|program| Functions { program, stripe_url: &stripe_url });
        // Boxed: the three futures together are large, and callers would carry them.
        let (kubernetes, aws, stripe) = tokio::try_join!(
            timed("Kubernetes", progress, Box::pin(Kubernetes::start(&tools, &kubernetes_dir))),
            timed("AWS", progress, Box::pin(Aws::start(&tools, &aws_dir, functions))),
            timed("Stripe", progress, Box::pin(Stripe::start(&tools, &program, &stripe_dir, stripe_port))),
        )?;
        progress.line(format!(
            "the stack is up after {:.1} s, in {}",
            begun.elapsed().as_secs_f64(),
            path.display()
        ));
        Ok(Self { kubernetes, aws, stripe, program, dir })
    }

    /// The directory with every log of this run.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The program with this crate's subcommands.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Stops everything and removes the run directory, unless it is to be kept.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        tokio::try_join!(self.kubernetes.stop(), self.aws.stop(), self.stripe.stop())?;
        Ok(())
    }
}

async fn timed<T>(name: &str, progress: &Progress, start: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    let started = start.await.with_context(|| format!("starting {name}"))?;
    progress.line(format!("{name} is up after {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(started)
}
