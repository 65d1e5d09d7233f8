//! What ends a wait: lost, doubled, and how little is asked where none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::installation::{INSTALLATION, TENANT};
use comanda_e2e::world::{CLASS, DELEGATED, Shop, World, until};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

const OPERATOR: &str = "system:serviceaccount:comanda-system:comanda-operator";
/// In which nothing more may come of an order that has ended.
const REST: Duration = Duration::from_secs(1);

/// What the kitchen said is kept, and whoever kept it could not end the wait for it: the wait ends when the command would be
/// sent again.
pub async fn a_wake_that_is_lost_costs_no_more_than_the_wait(world: &World) -> Result<()> {
    let (shop, tablet) = (world.shop(TENANT), world.tablet("tablet-unheard").await?);
    let order = "silent-unheard";
    shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    let waiting = shop.until_in(order, "AwaitKitchen").await?;
    shop.lose_wake(order, waiting).await?;
    tablet.say(&shop, order, "ready").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    shop.expect_delivered(order).await?;
    let [execution] = &shop.executions(order).await?[..] else { anyhow::bail!("not one execution") };
    let late = world.installation.stack.aws.states_timed_out(execution).await?;
    ensure!(late == ["AwaitKitchen"], "the wake was not lost: {late:?}");
    Ok(())
}

/// Kitchen and courier say everything twice, and both the operator and the rule's function keep it.
pub async fn what_devices_say_twice_to_operator_and_function_has_one_effect(world: &World) -> Result<()> {
    let order = "twice-by-both";
    let shop = world.stall(order).await?;
    shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    shop.until_phase(order, Phase::Delivered).await?;
    shop.expect_delivered(order).await?;
    shop.expect_no_call_repeated(order).await?;
    shop.expect_consumed(1).await?;
    ensure!(shop.executions(order).await?.len() == 1, "not one execution");
    let of = format!("{INSTALLATION}/{TENANT}/{order}");
    until("both kept it", async || {
        let items = world.installation.stack.aws.ledger_items().await?;
        let kept = |pk: String, sk: &str| {
            let of_order = items.iter().filter(|item| item["pk"] == pk.as_str());
            of_order.filter(|item| item["sk"].as_str().is_some_and(|known| known.starts_with(sk))).count()
        };
        let (operators, rules) = (kept(format!("ORDER#{of}"), "EVENT#"), kept(format!("SAID#{of}"), ""));
        // Three of the kitchen and three of the courier: the operator keeps each once, but for what it has read of the
        // rule's by then.
        ensure!(operators <= 6, "the operator kept {operators}");
        Ok(operators > 0 && rules >= 12)
    })
    .await
}

/// What an order may cost the API server, whoever carries it; and an execution of which messages come is not looked at.
pub async fn a_delivered_order_costs_at_most_five_writes_and_no_look_at_its_execution(
    world: &World,
) -> Result<()> {
    let shop = world.shop(TENANT);
    for (order, class, most) in [("cheap-direct", CLASS, 4), ("cheap-delegated", DELEGATED, 5)] {
        shop.order(order, |spec| class.clone_into(&mut spec.class_name)).await?;
        shop.until_phase(order, Phase::Delivered).await?;
        shop.expect_delivered(order).await?;
        shop.expect_rest(order, REST).await?;
        let (writes, reads) =
            (requests(&shop, order, &["patch", "update"])?, requests(&shop, order, &["get"])?);
        let events = events(&shop, order).await?;
        eprintln!("{order}: {writes} writes, {reads} reads, {events} Events");
        ensure!(writes <= most, "{order}: {writes} writes");
        ensure!(reads == 0, "{order}: {reads} reads past the cache");
        ensure!(events <= 2, "{order}: {events} Events");
    }
    let aws = &world.installation.stack.aws;
    let name = shop.execution("cheap-delegated", 1);
    let started = aws.states_calls("StartExecution")?;
    ensure!(started.iter().filter(|call| call["name"] == name.as_str()).count() == 1, "started not once");
    let looks = aws.states_calls("DescribeExecution")?;
    let of_order = looks.iter().filter_map(|call| call["executionArn"].as_str());
    let looks = of_order.filter(|arn| arn.ends_with(&format!(":{name}"))).count();
    ensure!(looks == 0, "{looks} looks at its execution");
    Ok(())
}

/// The operator's requests about the object of an order.
fn requests(shop: &Shop<'_>, order: &str, verbs: &[&str]) -> Result<usize> {
    let wanted: BTreeSet<&str> = verbs.iter().copied().collect();
    let of_order = shop.world.installation.stack.kubernetes.audit_events(|event| {
        let object = &event["objectRef"];
        event["user"]["username"] == OPERATOR
            && event["stage"] == "ResponseComplete"
            && (object["resource"] == "orders" && object["name"] == order)
            && object["namespace"] == *shop.namespace
            && event["verb"].as_str().is_some_and(|verb| wanted.contains(verb))
    })?;
    Ok(of_order.len())
}

/// How many writes the objects of these orders cost, creation aside.
pub fn writes(shop: &Shop<'_>, orders: &[String]) -> Result<Vec<usize>> {
    let mut counted: BTreeMap<&str, usize> = orders.iter().map(|order| (order.as_str(), 0)).collect();
    shop.world.installation.stack.kubernetes.audit_events(|event| {
        let object = &event["objectRef"];
        if event["user"]["username"] == OPERATOR
            && event["stage"] == "ResponseComplete"
            && (object["resource"] == "orders" && object["namespace"] == *shop.namespace)
            && event["verb"].as_str().is_some_and(|verb| ["patch", "update"].contains(&verb))
            && let Some(count) = object["name"].as_str().and_then(|name| counted.get_mut(name))
        {
            *count += 1;
        }
        false
    })?;
    Ok(counted.into_values().collect())
}

/// The Events about an order, repeated ones too.
async fn events(shop: &Shop<'_>, order: &str) -> Result<usize> {
    let events: Api<Event> =
        Api::namespaced(shop.world.installation.stack.kubernetes.client(), &shop.namespace);
    let events = events.list(&ListParams::default()).await?.items;
    let about = events.iter().filter(|event| {
        event.regarding.as_ref().is_some_and(|regarding| regarding.name.as_deref() == Some(order))
    });
    let times = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
    Ok(usize::try_from(about.map(times).sum::<i32>())?)
}
