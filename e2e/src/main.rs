//! Entry point of `comanda-e2e`; see the library.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use comanda_e2e::demo::{Demo, Executor};
use comanda_e2e::devices::{self, CourierOptions, KitchenOptions};
use comanda_e2e::installation::{CLASS, TENANT};
use comanda_e2e::stack::Options;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::{intake_server, matrix, soak, stripe_proxy};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs Comanda on this machine, without an account and without containers.
#[derive(Debug, Parser)]
#[command(name = "comanda-e2e", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything, carry a dozen orders, and show evidence of what became of them
    Demo {
        /// Leave it running afterwards, until Ctrl-C, and say how to reach it
        #[arg(long)]
        keep: bool,
        /// Apply no orders: the servers, a class, an operator and devices for your own kubectl apply
        #[arg(long)]
        stack_only: bool,
        /// Who carries the orders
        #[arg(long, value_enum, default_value_t)]
        executor: Executor,
    },
    /// Crash, pause and cut off the operator at every boundary of every effect, and look what became of the orders
    Matrix(matrix::Options),
    /// Carry thousands of orders by two operators, of which one dies or meets a fault every few seconds
    Soak(soak::Options),
    /// Run a command beside the HTTP intake: see `.ci/fuzz`
    #[command(hide = true)]
    Intake(intake_server::Options),
    /// Be a kitchen tablet
    #[command(hide = true)]
    Kitchen(KitchenOptions),
    /// Be a courier's telephone
    #[command(hide = true)]
    Courier(CourierOptions),
    /// Stand in front of localstripe
    #[command(hide = true)]
    StripeProxy(stripe_proxy::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let result = match Arguments::parse().command {
        Command::Demo { keep, stack_only, executor } => demo(keep, stack_only, executor).await,
        Command::Soak(options) => run_soak(options).await,
        Command::Matrix(options) => run_matrix(options).await,
        Command::Intake(options) => intake_server::run(&options).await,
        Command::Kitchen(options) => devices::run_kitchen(options).await.map(|()| ExitCode::SUCCESS),
        Command::Courier(options) => devices::run_courier(options).await.map(|()| ExitCode::SUCCESS),
        Command::StripeProxy(options) => stripe_proxy::run(options).await.map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        // Without the backtrace that anyhow adds where RUST_BACKTRACE is set: the chain says it.
        eprintln!("comanda-e2e: {error:#}");
        ExitCode::FAILURE
    })
}

/// Ends with 1 when a piece of evidence is not as expected. Whatever was started is stopped, also when it
/// is interrupted half-way: dropping it stops it.
async fn demo(keep: bool, stack_only: bool, executor: Executor) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let (interrupted, progress) = (ExitCode::from(130), Progress::stderr());
    let demo = tokio::select! {
        demo = Demo::start(Options::default(), executor, &progress) => demo?,
        () = &mut stopped => return Ok(interrupted),
    };
    let mut as_expected = true;
    if !stack_only {
        as_expected = tokio::select! {
            result = demo.run() => result?,
            () = &mut stopped => return Ok(interrupted),
        };
    }
    if keep || stack_only {
        describe(&demo);
        tokio::select! {
            failed = demo.turn_alarms() => match failed? {},
            () = &mut stopped => {}
        }
    }
    demo.stop().await?;
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends with 1 when an order did not come to what it must.
async fn run_matrix(options: matrix::Options) -> Result<ExitCode> {
    let report = until_interrupted(matrix::run(Options::default(), &options, &Progress::stderr())).await?;
    let Some(report) = report else { return Ok(ExitCode::from(130)) };
    println!("{}", report.summary());
    Ok(if report.violations() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends with 1 when an order did not come to what it must.
async fn run_soak(options: soak::Options) -> Result<ExitCode> {
    let report = until_interrupted(soak::run(Options::default(), &options, &Progress::stderr())).await?;
    let Some(report) = report else { return Ok(ExitCode::from(130)) };
    for violation in report.violations() {
        println!("{violation}");
    }
    println!("{}", report.summary());
    Ok(if report.violations().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// None when SIGINT or SIGTERM came first: what was started is dropped, and so stopped.
async fn until_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        result = work => result.map(Some),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
    }
}

fn describe(demo: &Demo) {
    let stack = demo.stack();
    println!("\nIt is running. In another terminal:\n");
    println!("  export KUBECONFIG={}", stack.kubernetes.kubeconfig().display());
    println!("  kubectl get ord --namespace {TENANT} --output wide");
    println!("  kubectl apply --namespace {TENANT} --filename e2e/orders/01-madrid-dinner.yaml\n");
    println!("Orders use the class {CLASS}. Further:");
    println!("  operator's metrics  {}/metrics", demo.operator_url());
    println!("  AWS emulator        {}", stack.aws.endpoint());
    println!("  Stripe emulator     {}", stack.stripe.url());
    println!("  logs and data       {}\n", stack.dir().display());
    println!("Ctrl-C stops everything.");
}
