//! One batch: orders with a fault each, side by side, who share one quiet period in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use comanda_crds::{Order, Phase};
use comanda_saga::{Boundary, Point, Site};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::Stage;
use super::cell::{Cell, Company, Fault, ProcessFault};
use super::crew::Crew;
use super::ending::{Ending, Intervention, STORE};
use crate::evidence::{Snapshot, Witness};
use crate::fault_proxy::classify::OrderName;
use crate::fault_proxy::plan::{Passed, Planned};
use crate::installation::INSTALLATION;

const GLANCE: Duration = Duration::from_millis(100);
/// How soon after the last fault every order must be where it belongs.
const HEALING: Duration = Duration::from_mins(1);
/// How long nothing may happen afterwards.
const QUIET: Duration = Duration::from_secs(10);
/// A fault that has not happened after this long does not happen any more.
const STUCK: Duration = Duration::from_mins(4);

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
    name: String,
    cell: Cell,
    intervened: bool,
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
        .map(|(number, cell)| Case {
            name: format!("{}-{number}", cell.ending.name()),
            cell: *cell,
            intervened: false,
        })
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
        let order = Order::new(&case.name, case.cell.ending.spec());
        orders
            .create(&PostParams::default(), &order)
            .await
            .with_context(|| format!("creating {}", case.name))?;
    }
    let healed = settle(stage, &mut crew, &orders, &mut cases, &faults, namespace).await?;
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
        let fired = fired.contains(&(case.name.clone(), site.name(), point.name()));
        let mut violations = judge(case, &before, &after);
        if healed > HEALING {
            violations.push(format!("the batch took {healed:.0?} to heal"));
        }
        if !violations.is_empty() {
            violations.push(crew.log_lines(&format!("\"{}\"", case.name)));
        }
        verdicts.push((case.cell, Verdict { fired, violations }));
    }
    for violation in missing_stock(stage, &stock, &cases).await? {
        if let Some((_, verdict)) = verdicts.first_mut() {
            verdict.violations.push(violation);
        }
    }
    let interruptions = crew.restarts + crew.resumptions;
    crew.stop().await?;
    if let Some(proxy) = &stage.installation.proxy {
        proxy.clear();
    }
    Ok(Outcome { cells: verdicts, healed, took: begun.elapsed(), interruptions })
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
                let file = format!("{namespace}+{}+{}+{}", case.name, site.name(), point.name());
                fs::write(planned.join(file), case.cell.fault.name())?;
            }
            Fault::Wire(fault) => {
                let order = OrderName { namespace: namespace.to_owned(), name: case.name.clone() };
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

/// Looks after operators and orders until every fault happened and every order ended, or until it is clear
/// that they never will. Returns how long that took after the last fault.
async fn settle(
    stage: &Stage,
    crew: &mut Crew<'_>,
    orders: &Api<Order>,
    cases: &mut [Case],
    faults: &Path,
    namespace: &str,
) -> Result<Duration> {
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
        let mut ended = true;
        for case in cases.iter_mut() {
            let order = by_name.get(&case.name).copied();
            intervene(orders, case, order, &commanded).await?;
            ended &= has_ended(case.cell.ending, order);
        }
        let all = count >= cases.len();
        let patience = if all { HEALING } else { STUCK };
        if (ended && all) || last.elapsed() > patience {
            return Ok(last.elapsed());
        }
        if ended && last.elapsed() > HEALING / 4 {
            // What has not happened by now does not happen any more.
            return Ok(last.elapsed());
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn has_ended(ending: Ending, order: Option<&Order>) -> bool {
    match order {
        None => true,
        Some(order) if ending != Ending::Deleted => {
            order.status.as_ref().is_some_and(|status| status.phase.is_final())
        }
        Some(_) => false,
    }
}

/// Each order of the namespace with each command that a device received for it.
fn commanded(stage: &Stage, namespace: &str) -> Result<BTreeSet<(String, String)>> {
    let mut commanded = BTreeSet::new();
    for device in [&stage.kitchen, &stage.courier] {
        for line in device.journal()? {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if line["tenant"] == namespace && line["kind"] == "command" {
                commanded.insert((text(&line["orderId"]), text(&line["command"]["command"])));
            }
        }
    }
    Ok(commanded)
}

/// Cancels or deletes an order that has come far enough.
async fn intervene(
    orders: &Api<Order>,
    case: &mut Case,
    order: Option<&Order>,
    commanded: &BTreeSet<(String, String)>,
) -> Result<()> {
    let Some((phase, intervention)) = case.cell.ending.intervention() else { return Ok(()) };
    let reached = |order: &Order| order.status.as_ref().is_some_and(|status| status.phase == phase);
    let command = if phase == Phase::Preparing { "prepare" } else { "deliver" };
    let has_it = commanded.contains(&(case.name.clone(), command.to_owned()));
    if case.intervened || !has_it || !order.is_some_and(reached) {
        return Ok(());
    }
    match intervention {
        Intervention::Cancel => {
            let patch = json!({"spec": {"cancel": {"reason": "changed my mind"}}});
            orders.patch(&case.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        Intervention::Delete => {
            orders.delete(&case.name, &DeleteParams::default()).await?;
        }
    }
    case.intervened = true;
    Ok(())
}

/// What of an order is not as it must be.
fn judge(case: &Case, before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let (name, ending) = (&case.name, case.cell.ending);
    let mut violations = Vec::new();
    let (mut facts, expected) = (after.facts(name), ending.facts());
    // A creation whose answer was lost again and again is given up; the intent it made holds no money and
    // never will.
    let unconfirmed = "requires_confirmation, captured 0, refunded 0";
    let intents: Vec<&str> = facts.payment.split("; ").filter(|intent| *intent != unconfirmed).collect();
    facts.payment = intents.join("; ");
    if facts != expected {
        violations.push(format!("found {facts:?}, expected {expected:?}"));
    }
    let (charged, captures) = (after.charged(name), after.captures(name));
    if charged != ending.charge() || captures > 1 {
        violations.push(format!("charged {charged} in {captures} captures, expected {}", ending.charge()));
    }
    for (kind, ids) in after.notification_ids(name) {
        if ids.len() != 1 {
            violations.push(format!("{kind} was told under {} notification ids", ids.len()));
        }
    }
    let (then, now) = (before.trace(name), after.trace(name));
    if then != now {
        violations.push(format!("it did not rest: {then}; {} s later: {now}", QUIET.as_secs()));
    }
    violations
}

/// The stock of each ending's article.
async fn stocks(stage: &Stage) -> Result<BTreeMap<Ending, i64>> {
    let mut stocks = BTreeMap::new();
    for ending in stage.endings() {
        let stock = stage.installation.stack.aws.stock(INSTALLATION, STORE, ending.name()).await?;
        stocks.insert(ending, stock);
    }
    Ok(stocks)
}

/// What stock is missing, or too much, for what the orders came to.
async fn missing_stock(stage: &Stage, before: &BTreeMap<Ending, i64>, cases: &[Case]) -> Result<Vec<String>> {
    let after = stocks(stage).await?;
    let mut violations = Vec::new();
    for (ending, before) in before {
        let orders = cases.iter().filter(|case| case.cell.ending == *ending).count();
        let expected = before - ending.consumed() * i64::try_from(orders)?;
        let found = after.get(ending).copied().unwrap_or_default();
        if found != expected {
            let name = ending.name();
            violations.push(format!("stock of {name} was {before}, is {found}, must be {expected}"));
        }
    }
    Ok(violations)
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
        .map(|ending| Case {
            name: format!("{}-0", ending.name()),
            cell: Cell { ending, ..nothing },
            intervened: false,
        })
        .collect();
    for case in &cases {
        orders.create(&PostParams::default(), &Order::new(&case.name, case.cell.ending.spec())).await?;
    }
    settle(stage, &mut crew, &orders, &mut cases, &faults, namespace).await?;
    let witness = Witness::new(&stage.installation, namespace, vec![&stage.kitchen, &stage.courier]);
    let snapshot = witness.snapshot().await?;
    for case in &cases {
        let violations = judge(case, &snapshot, &snapshot);
        ensure!(
            violations.is_empty(),
            "without a fault, {}: {violations:?}\n{}",
            case.name,
            crew.log_lines(&case.name)
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
                    .is_some_and(|order| order.namespace == namespace && order.name == case.name)
            };
            let names: BTreeSet<&str> =
                passed.iter().filter(this).flat_map(|call| call.sites.clone()).collect();
            (case.cell.ending, Site::all().filter(|site| names.contains(site.name())).collect())
        })
        .collect())
}
