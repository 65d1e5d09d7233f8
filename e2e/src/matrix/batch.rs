//! One batch: orders with a fault each, side by side, who share one quiet period in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use comanda_crds::Order;
use comanda_saga::{Boundary, Point, Site};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, ResourceExt as _};

use super::Stage;
use super::cell::{Cell, Company, Fault, ProcessFault};
use super::crew::Crew;
use super::ending::Ending;
use super::ticket::{Ticket, commanded, missing_stock, stocks};
use crate::evidence::Witness;
use crate::fault_proxy::classify::OrderName;
use crate::fault_proxy::plan::{Passed, Planned};

const GLANCE: Duration = Duration::from_millis(100);
/// How soon after the last fault every order must be where it belongs.
const HEALING: Duration = Duration::from_mins(1);
/// How long nothing may happen afterwards.
const QUIET: Duration = Duration::from_secs(10);

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

/// An order with its fault.
struct Case {
    ticket: Ticket,
    cell: Cell,
}

/// Runs cells of one company together in a namespace of their own.
///
/// # Errors
/// When the stack itself does not work.
pub async fn run(stage: &Stage, namespace: &str, company: Company, cells: &[Cell]) -> Result<Outcome> {
    let begun = Instant::now();
    let mut cases: Vec<Case> = cells
        .iter()
        .enumerate()
        .map(|(number, cell)| Case { ticket: Ticket::new(cell.ending, number), cell: *cell })
        .collect();
    let faults = stage.installation.stack.dir().join(format!("faults-{namespace}"));
    plan(stage, namespace, &faults, &cases)?;
    let stock = stocks(stage).await?;

    let client = stage.installation.stack.kubernetes.client();
    let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
    let orders: Api<Order> = Api::namespaced(client, namespace);

    let names: &[&str] = if company == Company::Pauses { &["first", "second"] } else { &["first"] };
    let mut crew = Crew::start(&stage.installation, faults.clone(), names).await?;
    for case in &cases {
        orders.create(&PostParams::default(), &case.ticket.order()).await?;
    }
    let settled = settle(stage, &mut crew, &orders, &mut cases, &faults, namespace).await?;
    let devices = vec![&stage.kitchen, &stage.courier];
    let witness = Witness::new(&stage.installation, namespace, devices);
    let before = witness.snapshot().await?;
    let quiet = Instant::now() + QUIET;
    while Instant::now() < quiet {
        crew.attend().await?;
        tokio::time::sleep(GLANCE).await;
    }
    let after = witness.snapshot().await?;
    let fired = fired(stage, namespace, &faults)?;

    let mut verdicts: Vec<(Cell, Verdict)> = Vec::new();
    for case in &cases {
        let (site, point) = case.cell.place();
        let fired = fired.contains(&(case.ticket.name.clone(), site.name(), point.name()));
        let mut violations = case.ticket.judge(&before, &after);
        if !settled.in_time {
            violations.push(format!("the batch did not heal within {} s", HEALING.as_secs()));
        }
        if !violations.is_empty() {
            violations.push(crew.log_lines(&format!("\"{}\"", case.ticket.name)));
        }
        verdicts.push((case.cell, Verdict { fired, violations }));
    }
    for violation in missing_stock(stage, &stock, cases.iter().map(|case| &case.ticket)).await? {
        if let Some((_, verdict)) = verdicts.first_mut() {
            verdict.violations.push(violation);
        }
    }
    let interruptions = crew.restarts + crew.resumptions;
    crew.stop().await?;
    if let Some(proxy) = &stage.installation.proxy {
        proxy.clear();
    }
    Ok(Outcome { cells: verdicts, healed: settled.healed, took: begun.elapsed(), interruptions })
}

/// Plans the fault of each case: with the operator itself, or with the proxy.
fn plan(stage: &Stage, namespace: &str, faults: &Path, cases: &[Case]) -> Result<()> {
    let planned = faults.join("planned");
    fs::create_dir_all(&planned)?;
    fs::create_dir_all(faults.join("fired"))?;
    for case in cases {
        let (site, point) = case.cell.place();
        match case.cell.fault {
            Fault::Process(_) => {
                let file = format!("{namespace}+{}+{}+{}", case.ticket.name, site.name(), point.name());
                fs::write(planned.join(file), case.cell.fault.name())?;
            }
            Fault::Wire(fault) => {
                let order = OrderName { namespace: namespace.to_owned(), name: case.ticket.name.clone() };
                let proxy = stage.installation.proxy.as_ref().context("the matrix has a proxy")?;
                proxy.plan(Planned { order: Some(order), site, fault, count: 1 });
            }
        }
    }
    Ok(())
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
            && let Ok(boundary) = format!("{site}/{point}").parse::<comanda_saga::Boundary>()
        {
            fired.insert(((*order).to_owned(), boundary.site.name(), boundary.point.name()));
        }
    }
    let proxy = stage.installation.proxy.as_ref().context("the matrix has a proxy")?;
    for planned in proxy.fired() {
        if let Some(order) = planned.order.filter(|order| order.namespace == namespace) {
            fired.insert((order.name, planned.site.name(), planned.fault.point().name()));
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
    orders: &Api<Order>,
    cases: &mut [Case],
    faults: &Path,
    namespace: &str,
) -> Result<Settled> {
    let (mut count, mut last) = (0, Instant::now());
    loop {
        crew.attend().await?;
        let now = fired(stage, namespace, faults)?.len();
        if now != count {
            (count, last) = (now, Instant::now());
        }
        let objects = orders.list(&ListParams::default()).await?.items;
        let by_name: BTreeMap<String, &Order> =
            objects.iter().map(|order| (order.name_any(), order)).collect();
        let commanded = commanded(stage, namespace)?;
        // A fault is over when whoever was paused goes on.
        let mut ended = !crew.has_paused();
        for Case { ticket, .. } in cases.iter_mut() {
            let order = by_name.get(&ticket.name).copied();
            ticket.intervene(orders, order, &commanded).await?;
            ended &= ticket.has_ended(order);
        }
        let healed = last.elapsed();
        if ended || healed > HEALING {
            // What follows the last status, such as a fault just after it, is not long in coming.
            tokio::time::sleep(GLANCE).await;
            return Ok(Settled { healed, in_time: ended });
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Runs an order of each ending with no fault, and returns the sites that each came by, as the wire saw them.
///
/// # Errors
/// When one does not end as it must.
pub async fn visit(stage: &Stage, namespace: &str) -> Result<Vec<(Ending, BTreeSet<Site>)>> {
    let client = stage.installation.stack.kubernetes.client();
    stage.installation.stack.kubernetes.ensure_namespace(namespace).await?;
    let orders: Api<Order> = Api::namespaced(client, namespace);
    let faults = stage.installation.stack.dir().join("faults-none");
    for part in ["planned", "fired"] {
        fs::create_dir_all(faults.join(part))?;
    }
    let mut crew = Crew::start(&stage.installation, faults.clone(), &["first"]).await?;
    let nothing = Cell {
        ending: Ending::Delivered,
        boundary: Boundary { site: Site::Claim, point: Point::BeforeIntent },
        fault: Fault::Process(ProcessFault::Kill),
    };
    let mut cases: Vec<Case> = stage
        .endings()
        .map(|ending| Case { ticket: Ticket::new(ending, 0), cell: Cell { ending, ..nothing } })
        .collect();
    for case in &cases {
        orders.create(&PostParams::default(), &case.ticket.order()).await?;
    }
    settle(stage, &mut crew, &orders, &mut cases, &faults, namespace).await?;
    let witness = Witness::new(&stage.installation, namespace, vec![&stage.kitchen, &stage.courier]);
    let snapshot = witness.snapshot().await?;
    for case in &cases {
        let violations = case.ticket.judge(&snapshot, &snapshot);
        ensure!(
            violations.is_empty(),
            "without a fault, {}: {violations:?}\n{}",
            case.ticket.name,
            crew.log_lines(&case.ticket.name)
        );
    }
    crew.stop().await?;
    let passed = stage.installation.proxy.as_ref().context("the matrix has a proxy")?.passed();
    Ok(cases
        .iter()
        .map(|case| {
            let this = |call: &&Passed| {
                call.order
                    .as_ref()
                    .is_some_and(|order| order.namespace == namespace && order.name == case.ticket.name)
            };
            let names: BTreeSet<&str> =
                passed.iter().filter(this).flat_map(|call| call.sites.clone()).collect();
            (case.cell.ending, Site::all().filter(|site| names.contains(site.name())).collect())
        })
        .collect())
}
