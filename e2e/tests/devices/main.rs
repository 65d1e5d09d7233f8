//! The simulated devices against a real broker.

mod example;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comanda_e2e::stack::aws::{Aws, DeviceCertificate, Holder};
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::simulators::{Device, Role, Simulator};
use comanda_e2e::stack::tools::Tools;
use comanda_steps::devices::{client_id, event_filters};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// A client of the broker: the operator's end, or a device that says what it should not.
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
        let aws = Aws::start(&tools, &dir.path().join("aws"), None).await?;
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
        let mut operator = Self::of(aws, "comanda:local:acme:here", &Holder::Operator).await?;
        for filter in event_filters("acme", "local") {
            operator.client.subscribe(filter, QoS::AtLeastOnce).await?;
            while !matches!(operator.events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
        }
        Ok(operator)
    }

    /// Connects as `client_id`, with what `holder` may do.
    async fn of(aws: &Aws, client_id: &str, holder: &Holder) -> Result<Self> {
        Self::with(aws, client_id, &aws.device_certificate(client_id, holder).await?).await
    }

    async fn with(aws: &Aws, client_id: &str, certificate: &DeviceCertificate) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(aws.iot().ca_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(certificate.cert_pem.as_bytes())?],
            PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())?,
        )?;
        let mut options = MqttOptions::new(client_id, &aws.iot().host, aws.iot().port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
        let (client, events) = AsyncClient::new(options, 100);
        let mut client = Self { client, events };
        while !matches!(client.events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
        Ok(client)
    }

    async fn command(&self, kind: &str, order: &str, command: &str, id: &str, seq: u64) -> Result<()> {
        let topic = format!("acme/local/shop/centro/{kind}/{order}/{command}");
        let payload = json!({
            "command": command, "commandId": id, "seq": seq, "orderId": order,
            "items": [{ "sku": "margherita", "quantity": 1 }],
        });
        Ok(self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string()).await?)
    }

    /// Waits until the broker has acknowledged what was said last. What is not polled for is not sent, and the client
    /// takes 100 messages without.
    async fn acknowledged(&mut self) -> Result<()> {
        let acknowledged = async {
            while !matches!(self.events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(5), acknowledged).await.context("no acknowledgement")?
    }

    /// Says who has an order, as Comanda does.
    async fn assign(&self, order: &str, device: &str, seq: u64) -> Result<()> {
        let base = format!("acme/local/shop/centro/couriers/{order}");
        let assigned = json!({ "command": "assigned", "commandId": format!("{order}/assign"), "seq": seq, "orderId": order });
        let taken = json!({
            "command": "taken", "commandId": format!("{order}/taken"), "seq": seq, "orderId": order, "device": device,
        });
        let topic = format!("{base}/assigned/{device}");
        self.client.publish(topic, QoS::AtLeastOnce, false, assigned.to_string()).await?;
        Ok(self.client.publish(format!("{base}/taken"), QoS::AtLeastOnce, false, taken.to_string()).await?)
    }

    /// The events of the next while, until `last` comes or nothing does.
    async fn hear(&mut self, last: &str) -> Result<Vec<Value>> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut heard = Vec::new();
        while let Ok(event) = tokio::time::timeout_at(deadline.into(), self.events.poll()).await {
            if let Event::Incoming(Packet::Publish(message)) = event? {
                let mut event: Value = serde_json::from_slice(&message.payload)?;
                event["from"] = json!(message.topic.rsplit('/').next());
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
        world.operator.command("kitchen", "o-1", "prepare", "c-1", 1).await?;
    }
    let events = world.operator.hear("ready").await?;
    assert_eq!(names(&events), ["accepted", "preparing", "ready"]);
    assert!(events.iter().all(|event| event["seq"] == 1 && event["from"] == "kitchen-1"), "{events:?}");
    world.operator.command("kitchen", "o-1", "cancel", "c-2", 2).await?;
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
    world.operator.command("kitchen", "o-1", "cancel", "c-2", 2).await?;
    assert_eq!(names(&world.operator.hear("cancelled").await?), ["cancelled"]);
    world.operator.command("kitchen", "o-1", "prepare", "c-1", 1).await?;
    world.operator.command("kitchen", "rejected-1", "prepare", "c-3", 1).await?;
    assert_eq!(names(&world.operator.hear("rejected").await?), ["rejected"]);
    Ok(())
}

#[tokio::test]
async fn a_device_whose_session_the_broker_keeps_gets_what_it_missed() -> Result<()> {
    let mut world = World::new().await?;
    let mut simulator = world.start(&kitchen().arg("--keep-session", "true")).await?;
    simulator.process.kill()?;
    world.operator.command("kitchen", "o-1", "prepare", "c-1", 1).await?;
    // The certificate changes with the new process, the client id and so the session does not.
    let _simulator = world.start(&kitchen().arg("--keep-session", "true")).await?;
    assert_eq!(names(&world.operator.hear("ready").await?), ["accepted", "preparing", "ready"]);
    Ok(())
}

#[tokio::test]
async fn a_courier_obeys_a_cancel_before_the_pick_up_and_refuses_it_after() -> Result<()> {
    let mut world = World::new().await?;
    let _courier = world.start(&courier("courier-1").arg("--accept-ms", "20").rule("early=slow:500")).await?;
    world.operator.command("couriers", "early", "deliver", "c-1", 1).await?;
    world.operator.hear("accepted").await?;
    world.operator.assign("early", "courier-1", 2).await?;
    world.operator.command("couriers", "early", "cancel", "c-2", 3).await?;
    assert_eq!(names(&world.operator.hear("cancelled").await?), ["cancelled"]);

    world.operator.command("couriers", "late", "deliver", "c-3", 1).await?;
    world.operator.hear("accepted").await?;
    world.operator.assign("late", "courier-1", 2).await?;
    world.operator.hear("picked-up").await?;
    world.operator.command("couriers", "late", "cancel", "c-4", 3).await?;
    world.operator.hear("cancel-refused").await?;
    world.operator.hear("delivered").await?;
    Ok(())
}

/// Says something on a topic; whether the broker took it. AWS IoT closes the connection of who may not.
async fn is_let(aws: &Aws, device: &Device, topic: &str) -> Result<bool> {
    let mut client = Operator::of(aws, &device.name, &device.holder()).await?;
    client.client.publish(topic, QoS::AtLeastOnce, false, "{}").await?;
    loop {
        match tokio::time::timeout(Duration::from_secs(5), client.events.poll()).await? {
            Ok(Event::Incoming(Packet::PubAck(_))) => return Ok(true),
            Ok(_) => {}
            Err(_) => return Ok(false),
        }
    }
}

#[tokio::test]
async fn the_policies_let_a_device_speak_as_itself_in_its_store_and_role_and_in_no_other_way() -> Result<()> {
    let world = World::new().await?;
    let tablet = Device::new(Role::Kitchen, "tablet-1", "acme").of("shop", "centro");
    let bike = Device::new(Role::Courier, "bike-1", "acme").of("shop", "centro");
    let base = "acme/local/shop/centro";
    for (device, topic, may) in [
        (&tablet, format!("{base}/kitchen/o-1/events/tablet-1"), true),
        (&bike, format!("{base}/couriers/o-1/events/bike-1"), true),
        (&bike, format!("{base}/positions/bike-1"), true),
        // A kitchen as a courier, a device as another, a store as another, a tenant as another.
        (&tablet, format!("{base}/couriers/o-1/events/tablet-1"), false),
        (&tablet, format!("{base}/kitchen/o-1/events/tablet-2"), false),
        (&bike, format!("{base}/couriers/o-1/events/bike-2"), false),
        (&tablet, "acme/local/shop/norte/kitchen/o-1/events/tablet-1".to_owned(), false),
        (&tablet, "acme/local/cafe/centro/kitchen/o-1/events/tablet-1".to_owned(), false),
        (&tablet, "acme/other/shop/centro/kitchen/o-1/events/tablet-1".to_owned(), false),
        (&tablet, "other/local/shop/centro/kitchen/o-1/events/tablet-1".to_owned(), false),
        // Nobody but Comanda commands, and nobody is where another is.
        (&bike, format!("{base}/couriers/o-1/assigned/bike-1"), false),
        (&tablet, format!("{base}/kitchen/o-1/prepare"), false),
        (&bike, format!("{base}/positions/bike-2"), false),
    ] {
        assert_eq!(is_let(&world.aws, device, &topic).await?, may, "{} on {topic}", device.name);
    }
    // Nor does a device connect under the name of another: its client id is not its thing's.
    let certificate = world.aws.device_certificate("bike-1", &bike.holder()).await?;
    let refused = Operator::with(&world.aws, "bike-2", &certificate).await;
    assert!(refused.is_err(), "a courier connected as another");
    Ok(())
}

#[tokio::test]
async fn what_is_longer_than_a_topic_may_be_does_not_reach_the_operator() -> Result<()> {
    let mut world = World::new().await?;
    let mut anyone = Operator::of(&world.aws, "anyone", &Holder::Anyone).await?;
    let base = "acme/local/shop/centro/kitchen/o-1/events";
    // Of more than seven slashes: no filter of the operator's has as many.
    for topic in [format!("{base}/tablet-1/more"), format!("{base}/tablet-1")] {
        anyone.client.publish(topic, QoS::AtLeastOnce, false, r#"{"event":"ready"}"#).await?;
        anyone.acknowledged().await?;
    }
    assert_eq!(world.operator.hear("ready").await?.len(), 1);
    // Of more than 256 bytes: the broker ends the connection.
    for (bytes, may) in [(256, true), (257, false)] {
        let topic = format!("{base}/{}", "t".repeat(bytes - base.len() - 1));
        anyone.client.publish(topic, QoS::AtLeastOnce, false, "{}").await?;
        assert_eq!(anyone.acknowledged().await.is_ok(), may, "{bytes}");
    }
    Ok(())
}

/// Two installations share a broker and a prefix, and one of them runs in two clusters.
#[tokio::test]
async fn operators_on_one_broker_neither_hear_nor_evict_one_another() -> Result<()> {
    let mut world = World::new().await?;
    let mut listeners = Vec::new();
    for (installation, cluster) in [("local", "lisbon"), ("local", "porto"), ("other", "lisbon")] {
        let id = client_id(installation, "acme", cluster);
        let mut client = Operator::of(&world.aws, &id, &Holder::Operator).await?;
        for filter in event_filters("acme", installation) {
            client.client.subscribe(filter, QoS::AtLeastOnce).await?;
            while !matches!(client.events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
        }
        listeners.push(client);
    }
    let _kitchen = world.start(&kitchen()).await?;
    world.operator.command("kitchen", "o-1", "prepare", "c-1", 1).await?;
    world.operator.hear("ready").await?;
    let mut other = listeners.pop().context("three")?;
    for mut listener in listeners {
        // An evicted client would get an error here.
        assert_eq!(names(&listener.hear("ready").await?), ["accepted", "preparing", "ready"]);
    }
    let silence = format!("{:#}", other.hear("ready").await.expect_err("the other installation heard it"));
    assert!(silence.contains("heard []"), "{silence}");
    Ok(())
}

#[tokio::test]
async fn a_courier_goes_when_it_is_assigned_and_stands_down_when_another_is() -> Result<()> {
    let mut world = World::new().await?;
    let waits = |name| courier(name).arg("--accept-ms", "20");
    let _one = world.start(&waits("bike-1").rule("declined=decline")).await?;
    let two = world.start(&waits("bike-2").rule("declined=silent-after-accept")).await?;
    world.operator.command("couriers", "o-1", "deliver", "c-1", 1).await?;
    let mut accepted = world.operator.hear("accepted").await?;
    accepted.extend(world.operator.hear("accepted").await?);
    assert_eq!(names(&accepted), ["accepted", "accepted"]);
    world.operator.assign("o-1", "bike-1", 2).await?;
    let events = world.operator.hear("delivered").await?;
    assert_eq!(names(&events), ["picked-up", "delivered"]);
    assert!(events.iter().all(|event| event["from"] == "bike-1" && event["seq"] == 2), "{events:?}");
    assert!(two.journal()?.iter().any(|line| line["kind"] == "stood-down" && line["for"] == "bike-1"));

    world.operator.command("couriers", "declined", "deliver", "c-5", 1).await?;
    let mut answers = world.operator.hear("declined").await.unwrap_or_default();
    answers.extend(world.operator.hear("accepted").await.unwrap_or_default());
    assert!(
        answers.iter().any(|event| event["event"] == "declined" && event["from"] == "bike-1"),
        "{answers:?}"
    );
    world.operator.assign("declined", "bike-2", 2).await?;
    assert!(world.operator.hear("picked-up").await.is_err(), "the courier said more than accepted");
    Ok(())
}

#[tokio::test]
async fn an_impostor_speaks_on_its_own_topic_and_calls_itself_another_in_what_it_says() -> Result<()> {
    let mut world = World::new().await?;
    let _kitchen = world.start(&kitchen().rule("forged=impostor")).await?;
    world.operator.command("kitchen", "forged", "prepare", "c-1", 1).await?;
    let forged = world.operator.hear("ready").await?;
    assert!(forged.iter().all(|event| event["device"] == "another" && event["from"] == "kitchen-1"));
    Ok(())
}

#[tokio::test]
async fn the_rule_keeps_the_bytes_of_every_copy_under_the_order_also_of_what_is_no_json() -> Result<()> {
    let world = World::new().await?;
    world.aws.keep_device_events("acme").await?;
    let tablet = Device::new(Role::Kitchen, "tablet-1", "acme").of("shop", "centro");
    let mut client = Operator::of(&world.aws, &tablet.name, &tablet.holder()).await?;
    let said = b"\xef\xbb\xbf{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":\"3\"}\0";
    for _ in 0..2 {
        let topic = "acme/local/shop/centro/kitchen/o-1/events/tablet-1";
        client.client.publish(topic, QoS::AtLeastOnce, false, said.to_vec()).await?;
        while !matches!(client.events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
    }
    let begun = Instant::now();
    let kept = loop {
        let items = world.aws.ledger_items().await?;
        let kept: Vec<Value> = items.into_iter().filter(|item| item["pk"] == "SAID#local/shop/o-1").collect();
        if kept.len() == 2 || begun.elapsed() > Duration::from_secs(5) {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(kept.len(), 2, "{kept:?}");
    for item in &kept {
        let at = item["at"].as_i64().context("a time")?;
        let sk = item["sk"].as_str().context("a key")?;
        assert!(sk.starts_with(&format!("kitchen#tablet-1#{}", at / 1000)), "{item}");
        assert_eq!(item["store"], "centro");
        assert_eq!(STANDARD.decode(item["payload"].as_str().context("bytes")?)?, said);
        let expires = item["expires"].as_f64().context("an end")?;
        assert_eq!(expires.trunc().to_string(), (at / 1000 + 2_592_000).to_string(), "{item}");
    }
    Ok(())
}
