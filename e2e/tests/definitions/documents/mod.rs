//! The `kubectl` commands of the documents, in a cluster that has cert-manager's orders too.

mod cluster;
mod commands;
mod table;

use anyhow::{Context, Result, ensure};

use crate::server::Server;
use cluster::Shared;
use commands::{Documented, commands_of};
use table::{Plan, Reach, plan};

pub(crate) async fn no_documented_command_says_order_or_orders(_: &Server) -> Result<()> {
    let bare: Vec<String> = commands::all()?.iter().filter_map(complaint).collect();
    ensure!(bare.is_empty(), "\n{}", bare.join("\n"));
    Ok(())
}

fn complaint(command: &Documented) -> Option<String> {
    let name = command.bare_name()?;
    let Documented { place, text } = command;
    Some(format!("{place}: {name} is cert-manager's where that is installed; say ord: {text}"))
}

pub(crate) async fn every_documented_command_works_and_reaches_our_orders(server: &Server) -> Result<()> {
    let cluster = Shared::with_cert_manager(server).await?;
    let (mut ran, mut wrong) = (0, Vec::new());
    for command in commands::all()? {
        let outcome = match plan(&command) {
            Ok(Plan::Mentioned) => continue,
            Ok(Plan::Orders(text, reach)) => reached(&cluster, &text, reach).await,
            Ok(Plan::Other(text)) => worked(&cluster, &text).await,
            Err(unplaced) => Err(anyhow::Error::msg(unplaced)),
        };
        ran += 1;
        if let Err(error) = outcome {
            wrong.push(format!("{}: {}\n  {error:#}", command.place, command.text));
        }
    }
    cluster.clear().await?;
    ensure!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // Far fewer would mean that they are not found any more.
    ensure!(ran >= 20, "only {ran} commands were found in the documents");
    Ok(())
}

pub(crate) async fn a_command_that_says_orders_reaches_cert_managers_and_is_noticed(
    server: &Server,
) -> Result<()> {
    let cluster = Shared::with_cert_manager(server).await?;
    for (text, name) in [
        ("kubectl get orders --namespace demo --output name", "orders"),
        ("kubectl get --namespace demo order madrid-dinner --output name", "order"),
        ("kubectl wait order/madrid-dinner --for=create --timeout=1s", "order/madrid-dinner"),
        ("kubectl annotate orders/madrid-dinner comanda.dev/take-over=yes", "orders/madrid-dinner"),
        ("kubectl explain order.spec", "order.spec"),
    ] {
        let document = format!("Do it:\n\n```\n$ {text}\n```\n");
        let [command] = &commands_of("a document", &document)?[..] else {
            anyhow::bail!("not one command in {document}");
        };
        ensure!(command.bare_name() == Some(name), "{text}: {:?}", command.bare_name());
        let ran = cluster.run(text).await?;
        ensure!(ran.succeeded, "{text}: {}", ran.said);
        ensure!(ran.theirs || ran.said.contains("acme.cert-manager.io"), "{text} reached ours: {}", ran.said);
        let noticed = reached(&cluster, text, &Reach::Asks(&["get", "list", "patch"])).await;
        ensure!(noticed.is_err(), "nobody noticed that {text} reached cert-manager's orders");
    }
    let ours = cluster.run("kubectl get ord --namespace demo --output name").await?;
    cluster.clear().await?;
    ensure!(ours.said.contains("order.comanda.dev/madrid-dinner"), "{}", ours.said);
    Ok(())
}

pub(crate) async fn a_documented_command_that_nobody_can_place_fails_with_a_sentence(
    _: &Server,
) -> Result<()> {
    for (document, sentence) in [
        ("```\nkubectl scale ord/x --replicas 2\n```", "add to ON_ORDERS what `kubectl scale` asks for"),
        ("```\nkubectl get \\\n  pods\n```", "add the beginning of this command to OTHERS"),
        ("Say `kubectl describe\nord <which>`.", "PLACEHOLDERS has no value for what is in <> here"),
        ("```\nkustomize build | kubectl apply -f -\n```", "has a kubectl command in the middle"),
        ("Run kubectl get ord.", "a kubectl command must be code that begins with kubectl"),
    ] {
        let said = match commands_of("a document", document) {
            Err(error) => error.to_string(),
            Ok(found) => {
                let command = found.first().with_context(|| format!("no command in {document}"))?;
                plan(command).err().with_context(|| format!("{document} was placed"))?
            }
        };
        ensure!(said.contains(sentence), "{document}: {said}");
    }
    Ok(())
}

/// Runs a command that names orders: it must succeed, come to ours, and to nobody else's.
async fn reached(cluster: &Shared<'_>, text: &str, reach: &Reach) -> Result<()> {
    let ran = cluster.run(text).await?;
    ensure!(ran.succeeded, "{}", ran.said);
    ensure!(!ran.theirs, "it reached orders.acme.cert-manager.io");
    match reach {
        Reach::Asks(verbs) => {
            let asked = ran.ours.iter().any(|verb| verbs.contains(&verb.as_str()));
            ensure!(asked, "none of {verbs:?} reached orders.comanda.dev, but {:?}", ran.ours);
        }
        Reach::Says(words) => ensure!(ran.said.contains(words), "it does not say {words}: {}", ran.said),
    }
    Ok(())
}

/// Runs a command that names no orders.
async fn worked(cluster: &Shared<'_>, text: &str) -> Result<()> {
    let ran = cluster.run(text).await?;
    ensure!(ran.succeeded, "{}", ran.said);
    ensure!(!ran.theirs, "it reached orders.acme.cert-manager.io");
    Ok(())
}
