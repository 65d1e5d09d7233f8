//! Against a broker of a few lines that does as it is told, over plain TCP.

use rumqttc::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, SubscribeReasonCode, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

struct Broker {
    listener: TcpListener,
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Broker {
    async fn start() -> (Self, IotDevices, mpsc::Receiver<Incoming>) {
        Self::of_an_operator_with(UNACKNOWLEDGED).await
    }

    async fn of_an_operator_with(patience: Duration) -> (Self, IotDevices, mpsc::Receiver<Incoming>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let filters = vec!["comanda/+/events".to_owned()];
        let (devices, incoming) =
            IotDevices::over(Transport::Tcp, "127.0.0.1", port, "operator".to_owned(), filters, patience);
        (Self { listener }, devices, incoming)
    }

    /// Takes a connection up to its subscription.
    async fn accept(&self, session_present: bool) -> Connection {
        let (stream, _) = self.listener.accept().await.expect("a client");
        let mut connection = Connection { stream, read: Vec::new() };
        let Packet::Connect(connect) = connection.next().await else { panic!("no CONNECT") };
        assert_eq!((connect.client_id.as_str(), connect.clean_session), ("operator", false));
        connection.say(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present))).await;
        let Packet::Subscribe(subscribe) = connection.next().await else { panic!("no SUBSCRIBE") };
        assert_eq!(subscribe.filters[0].path, "comanda/+/events");
        let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
        connection.say(&Packet::SubAck(SubAck::new(subscribe.pkid, granted))).await;
        connection
    }
}

impl Connection {
    async fn next(&mut self) -> Packet {
        timeout(Duration::from_secs(5), self.read_packet()).await.expect("a packet in time")
    }

    async fn read_packet(&mut self) -> Packet {
        loop {
            let mut bytes = self.read.as_slice().into();
            if let Ok(packet) = Packet::read(&mut bytes, LARGEST_PACKET) {
                self.read = bytes.to_vec();
                return packet;
            }
            assert_ne!(self.stream.read_buf(&mut self.read).await.expect("readable"), 0, "closed");
        }
    }

    async fn say(&mut self, packet: &Packet) {
        let mut bytes = [].as_slice().into();
        packet.write(&mut bytes, LARGEST_PACKET).expect("a packet");
        self.stream.write_all(&bytes).await.expect("writable");
    }

    async fn deliver(&mut self, packet_id: u16, payload: &str) {
        let mut publish = Publish::new("comanda/a/events", QoS::AtLeastOnce, payload);
        publish.pkid = packet_id;
        self.say(&Packet::Publish(publish)).await;
    }

    /// True when nothing comes for a while.
    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.read_packet()).await.is_err()
    }
}

async fn until(devices: &IotDevices, up: bool) {
    let mut connected = devices.connected();
    let changed = connected.wait_for(|connected| connected.is_ok() == up);
    timeout(Duration::from_secs(5), changed).await.expect("in time").expect("still there");
}

fn send(devices: &Arc<IotDevices>, topic: &'static str) -> JoinHandle<Result<(), DeviceError>> {
    let devices = Arc::clone(devices);
    tokio::spawn(async move { devices.send(topic, b"{}".to_vec()).await })
}

#[tokio::test]
async fn a_command_is_sent_once_the_broker_has_acknowledged_it_in_whatever_order() {
    let (broker, devices, _incoming) = Broker::start().await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    let devices = Arc::new(devices);

    let first = send(&devices, "one");
    let Packet::Publish(one) = connection.next().await else { panic!("no PUBLISH") };
    let second = send(&devices, "two");
    let Packet::Publish(two) = connection.next().await else { panic!("no PUBLISH") };
    assert_eq!((one.topic.as_str(), two.topic.as_str(), one.qos), ("one", "two", QoS::AtLeastOnce));

    connection.say(&Packet::PubAck(PubAck::new(two.pkid))).await;
    assert_eq!(second.await.expect("no panic"), Ok(()));
    assert!(!first.is_finished(), "counted as sent without an acknowledgement");
    connection.say(&Packet::PubAck(PubAck::new(one.pkid))).await;
    assert_eq!(first.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_command_in_flight_when_the_connection_is_lost_fails_and_is_not_sent_behind_its_senders_back() {
    let (broker, devices, _incoming) = Broker::start().await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    let devices = Arc::new(devices);
    let sending = send(&devices, "one");
    assert!(matches!(connection.next().await, Packet::Publish(_)));
    drop(connection);

    let lost = DeviceError("the connection was lost before the acknowledgement".to_owned());
    assert_eq!(sending.await.expect("no panic"), Err(lost));
    until(&devices, false).await;
    let refused = DeviceError("there is no connection".to_owned());
    assert_eq!(devices.send("two", Vec::new()).await, Err(refused));

    let mut connection = broker.accept(true).await;
    until(&devices, true).await;
    assert!(connection.is_silent().await, "the lost command was sent again");

    let again = send(&devices, "one");
    let Packet::Publish(publish) = connection.next().await else { panic!("no PUBLISH") };
    connection.say(&Packet::PubAck(PubAck::new(publish.pkid))).await;
    assert_eq!(again.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_connection_full_of_commands_that_are_never_acknowledged_is_made_anew() {
    let patience = Duration::from_millis(500);
    let (broker, devices, _incoming) = Broker::of_an_operator_with(patience).await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    let devices = Arc::new(devices);
    let first = send(&devices, "one");
    assert!(matches!(connection.next().await, Packet::Publish(_)));
    tokio::time::sleep(patience).await;
    connection.deliver(1, "ready").await;
    assert!(connection.is_silent().await, "one command that is not acknowledged ended the connection");

    for _ in 1..WINDOW / 2 {
        send(&devices, "more");
        assert!(matches!(connection.next().await, Packet::Publish(_)));
    }
    connection.deliver(2, "ready").await;
    let lost = DeviceError("the connection was lost before the acknowledgement".to_owned());
    assert_eq!(first.await.expect("no panic"), Err(lost));
    let _connection = broker.accept(true).await;
    until(&devices, true).await;
}

#[tokio::test]
async fn an_event_is_acknowledged_when_its_reader_says_so_and_not_before() {
    let (broker, devices, mut incoming) = Broker::start().await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    connection.deliver(7, "ready").await;
    let event = incoming.recv().await.expect("an event");
    assert_eq!((event.topic(), event.payload()), ("comanda/a/events", b"ready".as_slice()));
    assert!(connection.is_silent().await, "acknowledged before its time");
    event.acknowledge();
    assert_eq!(connection.next().await, Packet::PubAck(PubAck::new(7)));
}

#[tokio::test]
async fn a_retained_event_comes_with_each_connection_and_is_handed_over_and_acknowledged_as_any_other() {
    let (broker, devices, mut incoming) = Broker::start().await;
    for packet_id in 1..=2 {
        let mut connection = broker.accept(packet_id == 2).await;
        until(&devices, true).await;
        let mut publish = Publish::new("comanda/a/events", QoS::AtLeastOnce, "ready");
        (publish.pkid, publish.retain) = (packet_id, true);
        connection.say(&Packet::Publish(publish)).await;
        let event = incoming.recv().await.expect("an event");
        assert_eq!((event.topic(), event.payload()), ("comanda/a/events", b"ready".as_slice()));
        event.acknowledge();
        assert_eq!(connection.next().await, Packet::PubAck(PubAck::new(packet_id)));
        drop(connection);
        until(&devices, false).await;
    }
}

#[tokio::test]
async fn an_acknowledgement_never_reaches_a_later_connection_where_its_number_means_another_event() {
    let (broker, devices, mut incoming) = Broker::start().await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    connection.deliver(7, "from the first connection").await;
    let stale = incoming.recv().await.expect("an event");
    drop(connection);
    until(&devices, false).await;

    let mut connection = broker.accept(true).await;
    until(&devices, true).await;
    connection.deliver(7, "from the second").await;
    let fresh = incoming.recv().await.expect("an event");
    stale.acknowledge();
    assert!(connection.is_silent().await, "a stale acknowledgement was sent");
    fresh.acknowledge();
    assert_eq!(connection.next().await, Packet::PubAck(PubAck::new(7)));
}

#[tokio::test]
async fn events_that_find_no_room_come_by_a_new_connection_once_all_others_are_acknowledged() {
    let (broker, devices, mut incoming) = Broker::start().await;
    let mut connection = broker.accept(false).await;
    until(&devices, true).await;
    for number in 0..=EVENTS {
        connection.deliver(u16::try_from(number + 1).expect("small"), &number.to_string()).await;
    }
    assert!(connection.is_silent().await, "the connection ended before its events were acknowledged");
    for number in 0..EVENTS {
        let event = incoming.recv().await.expect("an event");
        assert_eq!(event.payload(), number.to_string().as_bytes());
        event.acknowledge();
        let id = u16::try_from(number + 1).expect("small");
        assert_eq!(connection.next().await, Packet::PubAck(PubAck::new(id)));
    }
    until(&devices, false).await;
    let mut connection = broker.accept(true).await;
    connection.deliver(1, "again").await;
    assert_eq!(incoming.recv().await.expect("an event").payload(), b"again");
}

#[tokio::test]
async fn an_endpoint_without_a_port_is_refused() {
    let pem = Pem { certificate: String::new(), key: String::new(), authority: String::new() };
    let settings = IotSettings {
        endpoint: "broker".to_owned(),
        client_id: "operator".to_owned(),
        pem,
        filters: Vec::new(),
    };
    assert!(matches!(IotDevices::connect(settings), Err(IotError::BadEndpoint(_))));
}
