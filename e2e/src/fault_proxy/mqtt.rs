//! The broker: packets one by one, from a TLS connection with the operator to one with the broker.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::classify::{self, Service};
use super::plan::{DELAY, Planned, WireFault};
use super::shared::{Shared, lock};
use crate::stack::aws::{DeviceCertificate, IotEndpoint};

/// Larger than any command or event.
const LARGEST: usize = 1 << 20;

/// The way to the broker, and the face the proxy shows instead of it.
pub(super) struct Broker {
    host: String,
    port: u16,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    authority: String,
}

/// A control packet, as it came.
struct Packet {
    bytes: Vec<u8>,
    /// Where the variable header begins.
    header: usize,
}

/// How a connection ends.
enum End {
    Closed,
    /// Nothing more comes through, and nobody says so.
    Frozen,
}

impl Broker {
    /// Speaks to the broker with the operator's certificate. Whoever trusts [`Broker::authority`] takes the
    /// proxy for the broker.
    pub(super) fn new(iot: &IotEndpoint, certificate: &DeviceCertificate) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(iot.ca_pem.as_bytes()) {
            roots.add(authority?)?;
        }
        let chain =
            CertificateDer::pem_slice_iter(certificate.cert_pem.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())?;
        let client =
            ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key)?;

        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "comanda-fault-proxy-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let mut serving = CertificateParams::new(vec!["localhost".to_owned()])?;
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let serving_key = KeyPair::generate()?;
        let serving = serving.signed_by(&serving_key, &ca)?;
        let key = PrivateKeyDer::try_from(serving_key.serialize_der()).map_err(anyhow::Error::msg)?;
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![serving.der().clone()], key)?;
        Ok(Self {
            host: iot.host.clone(),
            port: iot.port,
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            authority: ca.pem(),
        })
    }

    /// The certificate of the authority that vouches for the proxy, PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

/// Serves until the task is dropped.
pub(super) async fn serve(listener: TcpListener, broker: Broker, shared: Arc<Shared>) {
    let broker = Arc::new(broker);
    let mut connections = JoinSet::new();
    while let Ok((operator, _)) = listener.accept().await {
        if shared.is_down(Service::Mqtt) {
            continue;
        }
        let (broker, shared) = (Arc::clone(&broker), Arc::clone(&shared));
        connections.spawn(async move {
            tokio::select! {
                // A connection that breaks is what both sides must live with.
                _ = connection(operator, &broker, &shared) => {}
                () = shared.taken_down(Service::Mqtt) => {}
            }
        });
    }
}

async fn connection(operator: TcpStream, broker: &Broker, shared: &Shared) -> Result<()> {
    operator.set_nodelay(true)?;
    let upstream = TcpStream::connect((broker.host.as_str(), broker.port)).await?;
    upstream.set_nodelay(true)?;
    let name = ServerName::try_from(broker.host.clone())?;
    let upstream = broker.connector.connect(name, upstream).await?;
    let operator = broker.acceptor.accept(operator).await?;
    let (from_operator, to_operator) = split(operator);
    let (from_broker, to_broker) = split(upstream);
    let held = Held { shared, commands: Mutex::default() };
    let end = tokio::select! {
        end = commands(from_operator, to_broker, shared, &held) => end?,
        end = answers(from_broker, to_operator, shared, &held) => end?,
    };
    if matches!(end, End::Frozen) {
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Commands whose acknowledgement shall not arrive, by packet id. What is left when the connection ends is planned
/// again.
struct Held<'a> {
    shared: &'a Shared,
    commands: Mutex<Vec<(u16, Planned)>>,
}

impl Held<'_> {
    fn add(&self, id: u16, taken: Option<Planned>) {
        lock(&self.commands).extend(taken.map(|taken| (id, taken)));
    }

    fn take(&self, id: u16) -> Option<Planned> {
        let mut commands = lock(&self.commands);
        let place = commands.iter().position(|(held, _)| *held == id)?;
        Some(commands.swap_remove(place).1)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for (_, taken) in lock(&self.commands).drain(..) {
            self.shared.settle(taken, false);
        }
    }
}

/// From the operator to the broker.
async fn commands<R: tokio::io::AsyncRead, W: tokio::io::AsyncWrite>(
    mut from: ReadHalf<R>,
    mut to: WriteHalf<W>,
    shared: &Shared,
    held: &Held<'_>,
) -> Result<End> {
    while let Some(packet) = Packet::read(&mut from).await? {
        if let Some((topic, id)) = packet.publish() {
            let call = classify::mqtt(&topic);
            let taken = shared.take(&call);
            let fault = taken.as_ref().map(|taken| taken.fault);
            match fault {
                Some(WireFault::LoseRequest) => {
                    shared.record(&call, fault, None);
                    return Ok(End::Closed);
                }
                Some(WireFault::KillThenLose) => {
                    shared.record(&call, fault, None);
                    shared.kill_operators().await;
                    return Ok(End::Closed);
                }
                Some(WireFault::HalfOpen) => {
                    shared.record(&call, fault, None);
                    return Ok(End::Frozen);
                }
                Some(WireFault::Delay) => tokio::time::sleep(DELAY).await,
                Some(WireFault::LoseAnswer | WireFault::KillAfter) => {
                    // Before the packet goes out, or its answer could be faster.
                    held.add(id, taken);
                }
                _ => {}
            }
            shared.record(&call, fault, None);
        }
        to.write_all(&packet.bytes).await?;
        to.flush().await?;
    }
    Ok(End::Closed)
}

/// From the broker to the operator.
async fn answers<R: tokio::io::AsyncRead, W: tokio::io::AsyncWrite>(
    mut from: ReadHalf<R>,
    mut to: WriteHalf<W>,
    shared: &Shared,
    held: &Held<'_>,
) -> Result<End> {
    while let Some(packet) = Packet::read(&mut from).await? {
        if let Some(taken) = packet.acknowledges().and_then(|id| held.take(id)) {
            let kills = taken.fault.kills();
            // Before the kill, which ends this connection from its other side.
            shared.settle(taken, true);
            if kills {
                shared.kill_operators().await;
            }
            return Ok(End::Closed);
        }
        let says = packet.acknowledges().is_some() || packet.publish().is_some();
        if says && shared.deaf.load(Ordering::SeqCst) {
            continue;
        }
        to.write_all(&packet.bytes).await?;
        to.flush().await?;
        if let Some((topic, _)) = packet.publish() {
            shared.record(&classify::mqtt(&topic), None, None);
        }
    }
    Ok(End::Closed)
}

impl Packet {
    /// The next packet; none at the end of the stream. Source: MQTT 3.1.1, section 2.2.
    async fn read(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Result<Option<Self>> {
        let mut bytes = match from.read_u8().await {
            Ok(first) => vec![first],
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut length = 0;
        for position in 0..4 {
            let byte = from.read_u8().await?;
            bytes.push(byte);
            length |= usize::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                break;
            }
        }
        ensure!(length <= LARGEST, "a packet of {length} bytes");
        let header = bytes.len();
        bytes.resize(header + length, 0);
        from.read_exact(&mut bytes[header..]).await.context("the rest of a packet")?;
        Ok(Some(Self { bytes, header }))
    }

    fn number(&self, offset: usize) -> Option<u16> {
        let at = self.header + offset;
        Some(u16::from_be_bytes(self.bytes.get(at..at + 2)?.try_into().ok()?))
    }

    /// Topic and packet id of a PUBLISH that wants to be acknowledged.
    fn publish(&self) -> Option<(String, u16)> {
        let (kind, quality) = (self.bytes[0] >> 4, (self.bytes[0] >> 1) & 3);
        if kind != 3 || quality == 0 {
            return None;
        }
        let length = usize::from(self.number(0)?);
        let start = self.header + 2;
        let topic = String::from_utf8(self.bytes.get(start..start + length)?.to_vec()).ok()?;
        Some((topic, self.number(2 + length)?))
    }

    /// The packet id of a PUBACK.
    fn acknowledges(&self) -> Option<u16> {
        (self.bytes[0] >> 4 == 4).then(|| self.number(0)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_are_told_apart() {
        let publish = [0x32, 7, 0, 3, b'a', b'/', b'b', 0, 9];
        let puback = [0x40, 2, 0, 9];
        let stream = [&publish[..], &puback].concat();
        let mut stream = &stream[..];
        let first = Packet::read(&mut stream).await.unwrap().unwrap();
        assert_eq!(first.publish(), Some(("a/b".to_owned(), 9)));
        assert_eq!(first.acknowledges(), None);
        let second = Packet::read(&mut stream).await.unwrap().unwrap();
        assert_eq!((second.publish(), second.acknowledges()), (None, Some(9)));
        assert!(Packet::read(&mut stream).await.unwrap().is_none());
    }
}
