//! The MQTT session of a device: mutual TLS, `QoS` 1, kept unless it is told otherwise.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter, TlsConfiguration, Transport,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;

use super::journal::Journal;
use super::message::Topic;
use super::options::DeviceOptions;
use super::outbox::Outbox;

/// Messages that wait for the network; a burst of orders in a benchmark included.
const QUEUE: usize = 40_000;

/// The largest message `IoT` Core takes.
const LARGEST_MESSAGE: usize = 128 * 1024;

/// How many messages `IoT` Core leaves unacknowledged.
const IN_FLIGHT: u16 = 100;

const RECONNECT_AFTER: Duration = Duration::from_millis(300);

/// A kitchen or a courier.
pub(super) trait Device {
    /// The topics of one store to listen on, below `<prefix>/<installation>/<tenant>/<store>/`.
    fn topics(&self) -> Vec<String>;

    /// Takes one message. It must not wait: the session is served by the same task.
    fn receive(&self, topic: Topic, payload: &[u8]);
}

/// Connects, and hands over what arrives, until the process ends.
pub(super) async fn run<D: Device>(options: &DeviceOptions, device: impl FnOnce(Outbox) -> D) -> Result<()> {
    let journal = Journal::open(&options.log)?;
    let (client, events) = AsyncClient::new(mqtt_options(options)?, QUEUE);
    let outbox = Outbox {
        client: client.clone(),
        prefix: options.prefix.clone(),
        device: options.client_id.clone(),
        journal: journal.clone(),
    };
    let device = device(outbox);
    let filters = filters(&device, options);
    serve(&client, events, &filters, &journal, &options.prefix, &device).await
}

fn filters(device: &impl Device, options: &DeviceOptions) -> Vec<SubscribeFilter> {
    let DeviceOptions { prefix, installation, tenant, store, .. } = options;
    let topics = device.topics().into_iter();
    topics
        .map(|topic| format!("{prefix}/{installation}/{tenant}/{store}/{topic}"))
        .map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce))
        .collect()
}

async fn serve<D: Device>(
    client: &AsyncClient,
    mut events: EventLoop,
    filters: &[SubscribeFilter],
    journal: &Journal,
    prefix: &str,
    device: &D,
) -> Result<()> {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                journal.write("connected", json!({ "sessionPresent": ack.session_present }));
                // Also into a session the broker kept: subscribing again changes nothing.
                client.try_subscribe_many(filters.to_vec()).context("queueing the subscriptions")?;
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => journal.write("subscribed", json!({})),
            Ok(Event::Incoming(Packet::Publish(message))) => match Topic::parse(prefix, &message.topic) {
                Some(topic) => device.receive(topic, &message.payload),
                None => journal.write("unknown-topic", json!({ "topic": message.topic })),
            },
            Ok(_) => {}
            Err(error) => {
                journal.write("disconnected", json!({ "error": error.to_string() }));
                tokio::time::sleep(RECONNECT_AFTER).await;
            }
        }
    }
}

fn mqtt_options(options: &DeviceOptions) -> Result<MqttOptions> {
    let (host, port) = options.endpoint.rsplit_once(':').context("--endpoint reads host:port")?;
    let mut mqtt =
        MqttOptions::new(&options.client_id, host, port.parse().context("the port of --endpoint")?);
    mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls(options)?))));
    mqtt.set_clean_session(!options.keep_session)
        .set_keep_alive(Duration::from_secs(30))
        .set_inflight(IN_FLIGHT);
    mqtt.set_max_packet_size(LARGEST_MESSAGE, LARGEST_MESSAGE);
    Ok(mqtt)
}

fn tls(options: &DeviceOptions) -> Result<ClientConfig> {
    let read = |path: &std::path::Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(&options.ca)?) {
        roots.add(certificate.context("--ca")?)?;
    }
    let chain =
        CertificateDer::pem_slice_iter(&read(&options.cert)?).collect::<Result<_, _>>().context("--cert")?;
    let key = PrivateKeyDer::from_pem_slice(&read(&options.key)?).context("--key")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_client_auth_cert(chain, key)?)
}
