//! One batch: orders with a fault each, side by side, who share one quiet period in the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use comanda_boundary::{Boundary, Site};
use comanda_saga::Record;
use kube::api::{DeleteParams, ListParams, PostParams};
use strum::IntoEnumIterator as _;

use super::cell::{Carrier, Cell, Company, Fault};
use super::crew::{Crew, GLANCE};
use super::ending::Ending;
use super::stage::Stage;
use super::ticket::{Ticket, look, missing_stock, stocks};
use crate::evidence::Snapshot;
use crate::fault_proxy::classify::OrderName;
use crate::fault_proxy::plan::{Passed, Planned};

/// How often the orders are looked at.
const ROUND: Duration = Duration::from_millis(400);

/// What came of a batch.
pub struct Outcome {
    /// What came of each cell.
    pub cells: Vec<(Cell, Verdict)>,
    /// From the last fault until the last order was where it belongs.
    pub healed: Duration,
    /// All of it.
    pub took: Duration,
    /// How often an operator was started again, or went on after a pause.
    pub interruptions: usize,
}

/// What came of one cell.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The fault happened.
    pub fired: bool,
    /// What was not as it must be.
    pub violations: Vec<String>,
}

/// Runs cells of one company together in a namespace of their own.
///
/// # Errors
/// When the stack itself does not work.
pub async fn run(stage: &Stage, namespace: &str, company: Company, cells: &[Cell]) -> Result<Outcome> {
    let begun = Instant::now();
    let mut tickets: Vec<Ticket> =
        cells.iter().map(|cell| Ticket::new(cell.ending, stage.number())).collect();
    let faults = fault_folder(stage, namespace)?;
    plan(stage, namespace, &faults, cells, &tickets)?;
    let stock = stocks(stage).await?;

    let names: &[&str] = if company == Company::Pauses { &["first", "second"] } else { &["first"] };
    let mut crew = Crew::start(&stage.installation, faults.clone(), names).await?;
    create(stage, namespace, &tickets).await?;
    let settled = settle(stage, &mut crew, namespace, &faults, &mut tickets).await?;
    let (before, after) = crew.rest(&stage.witness(namespace)).await?;
    let fired = fired(stage, namespace, &faults)?;

    let mut verdicts: Vec<(Cell, Verdict)> = Vec::new();
    for (cell, ticket) in cells.iter().zip(&tickets) {
        let (site, point) = cell.place();
        let fired = fired.contains(&(ticket.name.clone(), site.name(), point.name()));
        let mut violations = ticket.judge(&before, &after);
        if !settled.in_time {
            violations.push(format!("the batch did not heal within {} s", stage.healing().as_secs()));
        }
        if !violations.is_empty() {
            violations.push(crew.log_of(&ticket.name));
            violations.push(stage.executions_of(&ticket.name).await?);
        }
        verdicts.push((*cell, Verdict { fired, violations }));
    }
    let mut of_all = missing_stock(stage, &stock, &tickets).await?;
    let interruptions = crew.restarts + crew.resumptions;
    if company == Company::Calm && interruptions > 0 {
        of_all.push(format!("an operator ended by itself, {interruptions} times"));
    }
    let left = clear_away(stage, &mut crew, namespace).await?;
    if left > 0 {
        of_all.push(format!("{left} orders of the batch could not be deleted"));
    }
    // What is wrong with the batch is told with its first cell.
    if let Some((_, verdict)) = verdicts.first_mut() {
        verdict.violations.extend(of_all);
    }
    crew.stop().await?;
    stage.proxy()?.clear();
    Ok(Outcome { cells: verdicts, healed: settled.healed, took: begun.elapsed(), interruptions })
}

/// Where the operators of a namespace find the faults planned for them, and say which of them happened.
fn fault_folder(stage: &Stage, namespace: &str) -> Result<PathBuf> {
    let faults = stage.faults(namespace);
    fs::create_dir_all(faults.join("planned"))?;
    fs::create_dir_all(faults.join("fired"))?;
    Ok(faults)
}

/// Plans the fault of each order: with the operator itself, or with the proxy.
fn plan(stage: &Stage, namespace: &str, faults: &Path, cells: &[Cell], tickets: &[Ticket]) -> Result<()> {
    for (cell, ticket) in cells.iter().zip(tickets) {
        let (site, point) = cell.place();
        match cell.fault {
            Fault::Process(_) => {
                let file = format!("{namespace}+{}+{}+{}", ticket.name, site.name(), point.name());
                fs::write(faults.join("planned").join(file), cell.fault.name())?;
            }
            Fault::Wire(fault) => {
                let order = OrderName { namespace: namespace.to_owned(), name: ticket.name.clone() };
                let proxy = stage.proxy()?;
                proxy.plan(Planned { order: Some(order), boundary: cell.boundary, fault, count: 1 });
            }
        }
    }
    Ok(())
}

/// Creates the orders in a namespace of their own.
async fn create(stage: &Stage, namespace: &str, tickets: &[Ticket]) -> Result<()> {
    stage.installation.stack.kubernetes.ensure_namespace(namespace).await?;
    let orders = stage.orders(namespace);
    for ticket in tickets {
        orders.create(&PostParams::default(), &ticket.order()).await?;
    }
    Ok(())
}

/// Deletes the orders, so that later operators do not begin with them. Returns how many do not go.
async fn clear_away(stage: &Stage, crew: &mut Crew<'_>, namespace: &str) -> Result<usize> {
    let orders = stage.orders(namespace);
    orders.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let begun = Instant::now();
    loop {
        let left = orders.list_metadata(&ListParams::default()).await?.items.len();
        if left == 0 || begun.elapsed() > stage.healing() {
            return Ok(left);
        }
        crew.attend().await?;
        tokio::time::sleep(GLANCE).await;
    }
}

/// Order, site and point of every fault that happened.
fn fired(
    stage: &Stage,
    namespace: &str,
    faults: &Path,
) -> Result<BTreeSet<(String, &'static str, &'static str)>> {
    let mut fired = BTreeSet::new();
    for entry in fs::read_dir(faults.join("fired"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('+').collect();
        if let [_, order, site, point] = &parts[..]
            && let Ok(boundary) = format!("{site}/{point}").parse::<Boundary>()
        {
            fired.insert(((*order).to_owned(), boundary.site.name(), boundary.point.name()));
        }
    }
    let proxy = stage.proxy()?;
    for planned in proxy.fired() {
        if let Some(order) = planned.order.filter(|order| order.namespace == namespace) {
            let Boundary { site, point } = planned.boundary;
            fired.insert((order.name, site.name(), point.name()));
        }
    }
    Ok(fired)
}

/// How a batch came to rest.
struct Settled {
    /// From the last fault until the last order was where it belongs.
    healed: Duration,
    /// All of them came there.
    in_time: bool,
}

/// Looks after operators and orders until every order ended, or until it is clear that one never will.
async fn settle(
    stage: &Stage,
    crew: &mut Crew<'_>,
    namespace: &str,
    faults: &Path,
    tickets: &mut [Ticket],
) -> Result<Settled> {
    let (mut count, mut last, mut looked) = (0, Instant::now(), Instant::now());
    loop {
        crew.attend().await?;
        let now = fired(stage, namespace, faults)?.len();
        if now != count {
            (count, last) = (now, Instant::now());
        }
        tokio::time::sleep(GLANCE).await;
        if looked.elapsed() < ROUND {
            continue;
        }
        // A fault is over when whoever was paused goes on, and what was sent has arrived.
        let ended = look(stage, namespace, tickets).await? == tickets.len();
        let in_time = ended && !crew.has_paused() && !stage.proxy()?.has_late();
        let healed = last.elapsed();
        if in_time || healed > stage.healing() {
            return Ok(Settled { healed, in_time });
        }
        looked = Instant::now();
    }
}

/// Runs an order of each ending with no fault, and returns the sites that each came by: as the wire saw them and, of what
/// functions did, as the ledger has them.
///
/// # Errors
/// When one does not end as it must.
pub async fn visit(stage: &Stage, namespace: &str) -> Result<Vec<(Ending, BTreeSet<Site>)>> {
    let faults = fault_folder(stage, namespace)?;
    let mut crew = Crew::start(&stage.installation, faults.clone(), &["first"]).await?;
    let mut tickets: Vec<Ticket> = Ending::iter().map(|ending| Ticket::new(ending, stage.number())).collect();
    create(stage, namespace, &tickets).await?;
    settle(stage, &mut crew, namespace, &faults, &mut tickets).await?;
    let snapshot = stage.witness(namespace).snapshot().await?;
    for ticket in &tickets {
        let violations = ticket.judge(&snapshot, &snapshot);
        let name = &ticket.name;
        ensure!(violations.is_empty(), "without a fault, {name}: {violations:?}\n{}", crew.log_of(name));
    }
    crew.stop().await?;
    let passed = stage.proxy()?.passed();
    let sites = |ticket: &Ticket| -> Result<BTreeSet<Site>> {
        let this = |call: &&Passed| {
            call.order.as_ref().is_some_and(|order| order.namespace == namespace && order.name == ticket.name)
        };
        let names: BTreeSet<&str> = passed.iter().filter(this).flat_map(|call| call.sites.clone()).collect();
        let mut sites: BTreeSet<Site> = Site::all().filter(|site| names.contains(site.name())).collect();
        if stage.carrier == Carrier::Machine {
            sites.extend(recorded(&snapshot, &ticket.name)?);
        }
        Ok(sites)
    };
    tickets.iter().map(|ticket| Ok((ticket.ending, sites(ticket)?))).collect()
}

/// The sites that the record of an order that has ended tells of.
fn recorded(snapshot: &Snapshot, order: &str) -> Result<BTreeSet<Site>> {
    let record = snapshot.record(order).context("the ledger has no such order")?;
    let record: Record = serde_json::from_value(record.clone())?;
    let happened = record.journal.iter().filter(|(effect, entry)| !effect.is_called() || entry.tries > 0);
    Ok(happened.map(|(effect, _)| Site::Effect(*effect)).chain([Site::Finish]).collect())
}
