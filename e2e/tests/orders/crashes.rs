//! Scenes in which the operator dies, stops, or should not have been started.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::stripe_proxy::faults::{Action, Fault, Match};

use comanda_e2e::world::World;

pub async fn killed_between_a_capture_and_its_answer_it_captures_once(world: &World) -> Result<()> {
    let shop = world.namespace("killed").await?;
    let stripe = &world.installation.stack.stripe;
    let matches =
        Match { method: Some("POST".to_owned()), path_regex: "/capture$".to_owned(), ..Match::default() };
    stripe.inject(&Fault { matches, action: Action::DelayAnswerMs { ms: 3000 }, count: 1 }).await?;
    shop.order("captured", |_| {}).await?;
    // The kitchen is ready; the capture takes effect, and its answer is held back.
    shop.until_said(&world.kitchen, "captured", "ready").await?;
    tokio::time::sleep(Duration::from_millis(800)).await;
    world.kill_operator().await?;
    let intents = stripe.calls().await?;
    ensure!(!intents.is_empty(), "no call was made");
    stripe.clear_faults().await?;
    world.start_operator().await?;
    shop.until_phase("captured", Phase::Delivered).await?;
    shop.expect_delivered("captured").await
}

pub async fn killed_with_ten_orders_in_flight_all_end_right(world: &World) -> Result<()> {
    let shop = world.namespace("ten").await?;
    let before = shop.stock("paella").await?;
    let names: Vec<String> = (0..10).map(|number| format!("flight-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        shop.order(name, |_| {}).await?;
        // Spread, so that the kills below find orders at different steps.
        tokio::time::sleep(Duration::from_millis(30)).await;
        if number % 3 == 2 {
            world.kill_operator().await?;
            world.start_operator().await?;
        }
    }
    world.kill_operator().await?;
    world.start_operator().await?;
    for name in &names {
        shop.until(name, Duration::from_mins(1), |status| status.phase.is_final()).await?;
        shop.expect_delivered(name).await?;
    }
    ensure!(shop.stock("paella").await? == before - 10, "stock {before} -> {}", shop.stock("paella").await?);
    Ok(())
}

pub async fn the_leader_is_killed_and_the_other_replica_goes_on(world: &World) -> Result<()> {
    let shop = world.namespace("replicas").await?;
    let second = world.installation.operator("standby").await?;
    ensure!(second.metrics().await?.contains("comanda_leader 0"), "two replicas lead");
    for number in 0..4 {
        shop.order(&format!("slow-{number}"), |_| {}).await?;
    }
    shop.until_phase("slow-3", Phase::Preparing).await?;
    world.kill_operator().await?;
    let killed = Instant::now();
    *world.operator().await = Some(second);
    for number in 0..4 {
        let name = format!("slow-{number}");
        shop.until(&name, Duration::from_secs(40), |status| status.phase.is_final()).await?;
        shop.expect_delivered(&name).await?;
    }
    let metrics = world.operator().await.as_ref().context("the standby runs")?.metrics().await?;
    ensure!(metrics.contains("comanda_leader 1"), "who did this?");
    eprintln!("the other replica had finished {:.1} s after the kill", killed.elapsed().as_secs_f64());
    Ok(())
}

pub async fn a_stopped_operator_finishes_what_it_began_and_releases_the_lease(world: &World) -> Result<()> {
    let shop = world.namespace("stopped").await?;
    shop.order("slow-stopped", |_| {}).await?;
    shop.until_phase("slow-stopped", Phase::Preparing).await?;
    let stopped = Instant::now();
    let mut operator = world.operator().await.take().context("an operator runs")?;
    let status = operator.process.terminate(Duration::from_secs(15)).await?;
    ensure!(status.code() == Some(0), "it ended with {status}");
    ensure!(stopped.elapsed() < Duration::from_secs(10), "it took {:?}", stopped.elapsed());
    // Another name: had the lease not been released, this one would wait ten seconds for it.
    let begun = Instant::now();
    *world.operator().await = Some(world.installation.operator("successor").await?);
    shop.until_phase("slow-stopped", Phase::Delivered).await?;
    ensure!(begun.elapsed() < Duration::from_secs(8), "the successor took {:?}", begun.elapsed());
    shop.expect_delivered("slow-stopped").await
}

pub async fn a_wrong_configuration_is_refused_in_one_sentence(world: &World) -> Result<()> {
    let free = ["--listen", "127.0.0.1:0"];
    let cases: [(&str, &str, &str); 3] = [
        ("AWS_REGION", "", "no AWS region: set AWS_REGION"),
        ("KUBECONFIG", "/nonexistent/kubeconfig", "no way to the Kubernetes API: set KUBECONFIG"),
        ("COMANDA_LOG_LEVEL", "=nonsense=", "--log-level"),
    ];
    for (variable, value, sentence) in cases {
        let mut command = world.installation.operator_command(&free);
        if value.is_empty() {
            command.env_remove(variable).env_remove("AWS_DEFAULT_REGION");
        } else {
            command.env(variable, value);
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2), "{variable}: ended with {}: {said}", output.status);
        let last = said.trim_end().lines().last().unwrap_or_default();
        ensure!(last.starts_with("comanda-operator: ") && last.contains(sentence), "{variable}: {said}");
    }
    Ok(())
}
