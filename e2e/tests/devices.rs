//! The simulated devices against a real broker.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use comanda_e2e::stack::aws::Aws;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::simulators::{Device, Role, Simulator};
use comanda_e2e::stack::tools::Tools;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// The operator's end of the broker.
struct Operator {
    client: AsyncClient,
    events: EventLoop,
}

struct World {
    aws: Aws,
    operator: Operator,
    dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Result<Self> {
        let tools = Tools::ensure(&Progress::stderr()).await?;
        let dir = tempfile::tempdir()?;
        let aws = Aws::start(&tools, &dir.path().join("aws")).await?;
        let operator = Operator::connect(&aws).await?;
        Ok(Self { aws, operator, dir })
    }

    async fn start(&self, device: &Device) -> Result<Simulator> {
        Simulator::start(&self.aws, Path::new(env!("CARGO_BIN_EXE_comanda-e2e")), self.dir.path(), device)
            .await
    }
}

impl Operator {
    async fn connect(aws: &Aws) -> Result<Self> {
        let certificate = aws.device_certificate("operator").await?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(aws.iot().ca_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(certificate.cert_pem.as_bytes())?],
            PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())?,
        )?;
        let mut options = MqttOptions::new("operator", &aws.iot().host, aws.iot().port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
        let (client, events) = AsyncClient::new(options, 100);
        let mut operator = Self { client, events };
        for kind in ["orders", "couriers"] {
            operator.client.subscribe(format!("acme/+/stores/+/{kind}/+/events"), QoS::AtLeastOnce).await?;
            while !matches!(operator.events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
        }
        Ok(operator)
    }

    async fn command(&self, kind: &str, order: &str, command: &str, id: &str, seq: u64) -> Result<()> {
        let topic = format!("acme/shop/stores/centro/{kind}/{order}/{command}");
        let payload = json!({
            "command": command, "commandId": id, "seq": seq, "orderId": order,
            "items": [{ "sku": "margherita", "quantity": 1 }],
        });
        Ok(self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string()).await?)
    }

    /// The events of the next while, until `last` comes or nothing does.
    async fn hear(&mut self, last: &str) -> Result<Vec<Value>> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut heard = Vec::new();
        while let Ok(event) = tokio::time::timeout_at(deadline.into(), self.events.poll()).await {
            if let Event::Incoming(Packet::Publish(message)) = event? {
                let event: Value = serde_json::from_slice(&message.payload)?;
                let ends = event["event"] == last;
                heard.push(event);
                if ends {
                    return Ok(heard);
                }
            }
        }
        Err(anyhow::anyhow!("waited for {last}, heard {heard:?}"))
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"].as_str()).collect()
}

fn kitchen() -> Device {
    Device::new(Role::Kitchen, "kitchen-1", "acme").arg("--accept-ms", "20").arg("--prepare-ms", "60")
}

fn courier(name: &str) -> Device {
    Device::new(Role::Courier, name, "acme").arg("--pickup-ms", "60").arg("--deliver-ms", "300")
}

#[tokio::test]
async fn a_kitchen_prepares_an_order_once_and_refuses_to_cancel_it_when_ready() -> Result<()> {
    let mut world = World::new().await?;
    let simulator = world.start(&kitchen()).await?;
    for _ in 0..2 {
        world.operator.command("orders", "o-1", "prepare", "c-1", 1).await?;
    }
    let events = world.operator.hear("ready").await?;
    assert_eq!(names(&events), ["accepted", "preparing", "ready"]);
    assert!(events.iter().all(|event| event["seq"] == 1 && event["device"] == "kitchen-1"), "{events:?}");
    world.operator.command("orders", "o-1", "cancel", "c-2", 2).await?;
    assert_eq!(names(&world.operator.hear("cancel-refused").await?), ["cancel-refused"]);

    let journal = simulator.journal()?;
    let verdicts =
        journal.iter().filter(|line| line["kind"] == "command").map(|line| line["verdict"].as_str());
    assert_eq!(verdicts.collect::<Option<Vec<_>>>().context("verdicts")?, ["new", "duplicate", "new"]);
    Ok(())
}

#[tokio::test]
async fn a_cancel_that_overtakes_its_order_keeps_it_from_being_prepared() -> Result<()> {
    let mut world = World::new().await?;
    let _simulator = world.start(&kitchen().rule("rejected-*=reject")).await?;
    world.operator.command("orders", "o-1", "cancel", "c-2", 2).await?;
    assert_eq!(names(&world.operator.hear("cancelled").await?), ["cancelled"]);
    world.operator.command("orders", "o-1", "prepare", "c-1", 1).await?;
    world.operator.command("orders", "rejected-1", "prepare", "c-3", 1).await?;
    assert_eq!(names(&world.operator.hear("rejected").await?), ["rejected"]);
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_away_gets_what_it_missed() -> Result<()> {
    let mut world = World::new().await?;
    let mut simulator = world.start(&kitchen()).await?;
    simulator.process.kill()?;
    world.operator.command("orders", "o-1", "prepare", "c-1", 1).await?;
    // The certificate changes with the new process, the client id and so the session does not.
    let _simulator = world.start(&kitchen()).await?;
    assert_eq!(names(&world.operator.hear("ready").await?), ["accepted", "preparing", "ready"]);
    Ok(())
}

#[tokio::test]
async fn the_first_courier_to_accept_has_the_order_and_the_other_stands_down() -> Result<()> {
    let mut world = World::new().await?;
    let _quick = world.start(&courier("courier-quick").arg("--accept-ms", "20")).await?;
    let slow = world.start(&courier("courier-slow").arg("--accept-ms", "600")).await?;
    world.operator.command("couriers", "o-1", "deliver", "c-1", 1).await?;
    let events = world.operator.hear("delivered").await?;
    assert_eq!(names(&events), ["accepted", "picked-up", "location", "delivered"]);
    assert!(events.iter().all(|event| event["device"] == "courier-quick"), "{events:?}");
    assert!(
        slow.journal()?.iter().any(|line| line["kind"] == "stood-down" && line["for"] == "courier-quick")
    );
    Ok(())
}

#[tokio::test]
async fn a_courier_obeys_a_cancel_before_the_pick_up_and_refuses_it_after() -> Result<()> {
    let mut world = World::new().await?;
    let _courier = world.start(&courier("courier-1").arg("--accept-ms", "20").rule("early=slow:500")).await?;
    world.operator.command("couriers", "early", "deliver", "c-1", 1).await?;
    world.operator.hear("accepted").await?;
    world.operator.command("couriers", "early", "cancel", "c-2", 2).await?;
    assert_eq!(names(&world.operator.hear("cancelled").await?), ["cancelled"]);

    world.operator.command("couriers", "late", "deliver", "c-3", 1).await?;
    world.operator.hear("picked-up").await?;
    world.operator.command("couriers", "late", "cancel", "c-4", 2).await?;
    world.operator.hear("cancel-refused").await?;
    world.operator.hear("delivered").await?;
    Ok(())
}
