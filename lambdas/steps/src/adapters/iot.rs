//! Kitchens and couriers over MQTT, through AWS IoT Core: commands out, events in.
//!
//! Three properties matter, and rumqttc gives none of them by itself:
//! - a command counts as sent when the broker has acknowledged it, not when it is queued;
//! - an event is acknowledged when its reader says so, which is after the ledger has it;
//! - a command whose sender was told "not acknowledged" is never sent later behind its back: when the
//!   connection is lost, everything in flight is dropped, and the ledger sends it again.

mod driver;
mod link;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rumqttc::{AsyncClient, EventLoop, MqttOptions, NetworkOptions, Transport};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::link::{Link, WINDOW};
use crate::ports::{DeviceError, Devices};

pub use link::{Connected, Incoming};
pub use tls::{BadCertificate, Pem};

/// Longest time from handing a command over to the broker's acknowledgement.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(5);
/// A command that waits longer is not acknowledged any more: a broker that throttles drops it without a word. Its
/// packet id stays taken, so a connection with many of them is made anew before no command finds a free one.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// AWS IoT Core drops a client that is silent for one and a half times this. Its least is 30 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests that may wait for the connection: all commands of the window and every acknowledgement of
/// an event the broker may have outstanding, so that an acknowledgement always finds room.
const REQUESTS: usize = 4096;
/// Events that may wait for their reader. A broker leaves fewer than this unacknowledged (AWS IoT Core
/// 100), so it fills up only when devices publish without acknowledgement.
const EVENTS: usize = 1024;
/// Brokers may deliver what they accepted: 128 KiB and a topic on AWS IoT Core. A packet beyond the
/// limit would break the connection, and come again, for ever; so the limit is above the broker's, and
/// large events are refused after reading.
const LARGEST_PACKET: usize = 512 * 1024;

/// How the broker is reached.
#[derive(Clone, Debug)]
pub struct IotSettings {
    /// `host:port`.
    pub endpoint: String,
    /// The fixed client id: a second client with it evicts the first.
    pub client_id: String,
    /// Certificate, key and the broker's authority.
    pub pem: Pem,
    /// Topic filters whose messages are wanted.
    pub filters: Vec<String>,
}

/// A connection that is kept up until it is dropped.
#[derive(Debug)]
pub struct IotDevices {
    link: Arc<Link>,
    connected: watch::Receiver<Connected>,
    window: Semaphore,
    driver: JoinHandle<()>,
}

/// Why there can be no connection at all.
#[derive(thiserror::Error, Debug)]
pub enum IotError {
    /// Not `host:port`.
    #[error("the device endpoint {0:?} is not host:port")]
    BadEndpoint(String),
    /// A certificate, key or authority that cannot be used.
    #[error(transparent)]
    BadCertificate(#[from] BadCertificate),
}

impl IotDevices {
    /// Starts connecting, and goes on trying until the value is dropped. Must be called within a tokio
    /// runtime. Events arrive on the channel; dropping it ends the connection.
    pub fn connect(settings: IotSettings) -> Result<(Self, mpsc::Receiver<Incoming>), IotError> {
        let (host, port) = settings
            .endpoint
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.to_owned(), port.parse::<u16>().ok()?)))
            .ok_or_else(|| IotError::BadEndpoint(settings.endpoint.clone()))?;
        let tls = tls::client_config(&settings.pem, port)?;
        let transport = Transport::tls_with_config(tls.into());
        Ok(Self::over(transport, &host, port, settings.client_id, settings.filters, UNACKNOWLEDGED))
    }

    fn over(
        transport: Transport,
        host: &str,
        port: u16,
        client_id: String,
        filters: Vec<String>,
        patience: Duration,
    ) -> (Self, mpsc::Receiver<Incoming>) {
        let mut options = MqttOptions::new(client_id, host, port);
        options
            .set_transport(transport)
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_inflight(WINDOW)
            .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET);
        let (client, mut events): (AsyncClient, EventLoop) = AsyncClient::new(options, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);

        let (deliver, incoming) = mpsc::channel(EVENTS);
        let (ready, connected) = watch::channel(Err("the first connection is being made".to_owned()));
        let link = Arc::new(Link::new(client));
        let driver = tokio::spawn(driver::run(events, Arc::clone(&link), filters, deliver, ready, patience));
        let window = Semaphore::new(usize::from(WINDOW));
        (Self { link, connected, window, driver }, incoming)
    }

    /// Whether the session is up, and changes of that.
    pub fn connected(&self) -> watch::Receiver<Connected> {
        self.connected.clone()
    }
}

#[async_trait]
impl Devices for IotDevices {
    async fn send(&self, topic: &str, payload: Vec<u8>) -> Result<(), DeviceError> {
        let acknowledged = async {
            let _place = self.window.acquire().await.map_err(|_| DeviceError("shut down".to_owned()))?;
            let acknowledgement = self.link.publish(topic, payload)?;
            acknowledgement
                .await
                .map_err(|_| DeviceError("the connection was lost before the acknowledgement".to_owned()))
        };
        timeout(ACKNOWLEDGEMENT, acknowledged).await.unwrap_or_else(|_| {
            Err(DeviceError(format!("no acknowledgement within {} seconds", ACKNOWLEDGEMENT.as_secs())))
        })
    }
}

impl Drop for IotDevices {
    /// Ends the connection; the session, with what is not acknowledged, stays at the broker.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests;
