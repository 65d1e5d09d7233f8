//! The soak: thousands of orders of every ending, two operators, and a fault every few seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use comanda_boundary::Boundary;
use futures::future::try_join_all;
use kube::api::PostParams;
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use strum::IntoEnumIterator as _;

use crate::fault_proxy::FaultProxy;
use crate::fault_proxy::classify::Service;
use crate::fault_proxy::plan::{Planned, WireFault};
use crate::matrix::{Carrier, Crew, Ending, GLANCE, Stage, Ticket, look, missing_stock, seed, stocks};
use crate::stack;
use crate::stack::progress::Progress;

const NAMESPACE: &str = "soak";
/// How often the orders are looked at.
const ROUND: Duration = Duration::from_secs(5);
/// How long after the last fault every order must have ended.
const HEALING: Duration = Duration::from_mins(10);

/// How much of it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many orders
    #[arg(long, default_value_t = 2000)]
    pub orders: usize,
    /// Over how many seconds they arrive
    #[arg(long, default_value_t = 300)]
    pub over: u64,
    /// How many seconds between faults
    #[arg(long, default_value_t = 5)]
    pub every: u64,
    /// Draws orders and faults. Default: from the clock; it is printed
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What a soak came to.
pub struct Report {
    seed: u64,
    orders: usize,
    faults: BTreeMap<&'static str, usize>,
    phases: BTreeMap<String, usize>,
    befallen: usize,
    interruptions: usize,
    charged: i64,
    healed: Duration,
    took: Duration,
    violations: Vec<String>,
}

impl Report {
    /// What was not as it must be.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The figures, in a few lines.
    pub fn summary(&self) -> String {
        let list = |counts: Vec<String>| counts.join(", ");
        let faults = self.faults.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let phases = self.phases.iter().map(|(name, count)| format!("{count} {name}")).collect();
        format!(
            "{} orders: {}\n{} faults: {}; {} calls were befallen\n{} restarts and resumptions, charged {} in all, healed {:.0} s after the last \
             fault, {} violations, {:.0} s, seed {}",
            self.orders,
            list(phases),
            self.faults.values().sum::<usize>(),
            list(faults),
            self.befallen,
            self.interruptions,
            self.charged,
            self.healed.as_secs_f64(),
            self.violations.len(),
            self.took.as_secs_f64(),
            self.seed,
        )
    }
}

/// Draws faults.
struct Trouble<'a> {
    proxy: &'a FaultProxy,
    random: StdRng,
    counts: BTreeMap<&'static str, usize>,
}

impl Trouble<'_> {
    /// One fault: a process killed or paused, calls that fail, a service that is away.
    fn strike(&mut self, crew: &mut Crew<'_>) {
        let name = match self.random.random_range(0..10) {
            0..4 => {
                crew.signal(self.random.random_range(0..2), Signal::SIGKILL);
                "kill"
            }
            4 => {
                crew.signal(self.random.random_range(0..2), Signal::SIGSTOP);
                "pause"
            }
            5..9 => {
                let happens = |boundary| {
                    WireFault::iter()
                        .filter(move |fault| fault.happens_at(boundary))
                        .map(move |it| (boundary, it))
                };
                let all: Vec<_> = Boundary::all().flat_map(happens).collect();
                let (boundary, fault) = all[self.random.random_range(0..all.len())];
                let count = self.random.random_range(1..4);
                self.proxy.plan(Planned { order: None, boundary, fault, count });
                fault.name()
            }
            _ => {
                let services =
                    [Service::Kubernetes, Service::DynamoDb, Service::Sns, Service::Stripe, Service::Mqtt];
                let service = *services.choose(&mut self.random).unwrap_or(&Service::Stripe);
                let lasts = Duration::from_millis(self.random.random_range(500..6000));
                self.proxy.take_down_for(service, lasts);
                "outage"
            }
        };
        *self.counts.entry(name).or_default() += 1;
    }
}

/// Runs a soak.
///
/// # Errors
/// When the stack itself does not work. What orders do wrong is in the report.
pub async fn run(stack: stack::Options, options: &Options, progress: &Progress) -> Result<Report> {
    let seed = seed(options.seed, progress);
    let mut random = StdRng::seed_from_u64(seed);
    let stage = Stage::start(stack, Carrier::Operator, progress).await?;
    let proxy = stage.proxy()?;
    stage.installation.stack.kubernetes.ensure_namespace(NAMESPACE).await?;
    let mut tickets: Vec<Ticket> = Ending::iter()
        .cycle()
        .take(options.orders)
        .enumerate()
        .map(|(n, ending)| Ticket::new(ending, n))
        .collect();
    tickets.shuffle(&mut random);
    let before = stocks(&stage).await?;
    let faults = stage.installation.stack.dir().join("faults-soak");
    std::fs::create_dir_all(&faults)?;
    let mut crew = Crew::start(&stage.installation, faults, &["first", "second"]).await?;
    let mut trouble = Trouble { proxy, random, counts: BTreeMap::new() };

    let begun = Instant::now();
    let healed = storm(&stage, &mut crew, &mut tickets, &mut trouble, options, progress).await?;
    let Examined { mut violations, charged, phases } = examine(&stage, &mut crew, &tickets).await?;
    violations.extend(missing_stock(&stage, &before, &tickets).await?);
    let interruptions = crew.restarts + crew.resumptions;
    crew.stop().await?;
    let (faults, befallen) = (trouble.counts, proxy.fired().len());
    stage.stop().await?;
    let orders = options.orders;
    Ok(Report {
        seed,
        orders,
        faults,
        phases,
        befallen,
        interruptions,
        charged,
        healed,
        took: begun.elapsed(),
        violations,
    })
}

/// Lets the orders arrive and the faults strike, until every order ended or no more will. Returns how long
/// that took after the last fault.
async fn storm(
    stage: &Stage,
    crew: &mut Crew<'_>,
    tickets: &mut [Ticket],
    trouble: &mut Trouble<'_>,
    options: &Options,
    progress: &Progress,
) -> Result<Duration> {
    let orders = stage.orders(NAMESPACE);
    let (begun, over, every) =
        (Instant::now(), Duration::from_secs(options.over), Duration::from_secs(options.every));
    let (mut arrived, mut struck, mut looked) = (0, begun, begun);
    let mut last_fault = begun;
    let mut ended = 0;
    loop {
        if arrived == options.orders {
            // What was planned and befell nobody yet would be a fault after the last.
            trouble.proxy.clear();
        }
        let due = options.orders as u128 * begun.elapsed().as_millis() / over.as_millis().max(1);
        let due = usize::try_from(due)?.min(options.orders);
        let fresh = &tickets[arrived..due];
        try_join_all(
            fresh.iter().map(async |ticket| orders.create(&PostParams::default(), &ticket.order()).await),
        )
        .await?;
        arrived = due;
        crew.attend().await?;
        let all_here = arrived == options.orders;
        if struck.elapsed() >= every && !all_here {
            trouble.strike(crew);
            (struck, last_fault) = (Instant::now(), Instant::now());
        }
        if looked.elapsed() >= ROUND {
            looked = Instant::now();
            let now = look(stage, NAMESPACE, &mut tickets[..arrived]).await?;
            if now / 100 > ended / 100 {
                let seconds = begun.elapsed().as_secs();
                progress.line(format!("{seconds} s: {arrived} orders arrived, {now} ended"));
            }
            ended = now;
        }
        let ended_all = all_here && ended == options.orders && !crew.has_paused();
        if ended_all || last_fault.elapsed() > HEALING {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(last_fault.elapsed())
}

/// What the systems say of all orders together.
struct Examined {
    violations: Vec<String>,
    charged: i64,
    phases: BTreeMap<String, usize>,
}

/// Waits for the quiet that must be, and holds every order against what it must have come to.
async fn examine(stage: &Stage, crew: &mut Crew<'_>, tickets: &[Ticket]) -> Result<Examined> {
    let (before, after) = crew.rest(&stage.witness(NAMESPACE)).await?;
    let (mut violations, mut phases) = (Vec::new(), BTreeMap::new());
    for ticket in tickets {
        *phases.entry(after.facts(&ticket.name).ledger).or_default() += 1;
        for violation in ticket.judge(&before, &after) {
            violations.push(format!("{}: {violation}\n{}", ticket.name, crew.log_of(&ticket.name)));
        }
    }
    // All that the account took and gave back, whomever it was for.
    let stripe = &stage.installation.stack.stripe;
    let taken: i64 = stripe
        .list("payment_intents")
        .await?
        .iter()
        .filter_map(|intent| intent["amount_received"].as_i64())
        .sum();
    let returned: i64 = stripe
        .list("refunds")
        .await?
        .iter()
        .filter(|refund| refund["status"] == "succeeded")
        .filter_map(|refund| refund["amount"].as_i64())
        .sum();
    let charged = taken - returned;
    let owed: i64 = tickets.iter().map(|ticket| ticket.ending.charge()).sum();
    if charged != owed {
        violations.push(format!("{charged} was charged in all, and {owed} is owed"));
    }
    Ok(Examined { violations, charged, phases })
}
