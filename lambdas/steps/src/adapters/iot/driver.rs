//! The task that keeps the connection up.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{Event, EventLoop, Outgoing, Packet, QoS, SubscribeReasonCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::link::{Connected, Incoming, Link, WINDOW};

/// Pause before the first try to connect again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A connection that lasted this long was a good one, and the next pause is short again. One that is
/// evicted at once by a client of the same id was not.
const STABLE: Duration = Duration::from_secs(10);

/// How many commands may lack their acknowledgement before one that never comes is worth a new connection.
const CROWDED: u16 = WINDOW / 2;

/// Why a connection ended.
enum End {
    Lost(String),
    /// More events came than there was room for. All that were taken in are acknowledged; for those that were
    /// not, a new connection has to be made.
    Overflowed,
    /// Nobody reads events any more.
    Unwanted,
}

/// Connects and connects again, until nobody reads events any more. A connection whose packet ids are taken by
/// commands that have waited longer than `patience` for their acknowledgement ends.
pub(super) async fn run(
    mut events: EventLoop,
    link: Arc<Link>,
    filters: Vec<String>,
    deliver: mpsc::Sender<Incoming>,
    ready: watch::Sender<Connected>,
    patience: Duration,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        let end = attend(&mut events, &link, &filters, &deliver, &ready, patience).await;
        let why = match &end {
            End::Lost(reason) => reason.clone(),
            End::Overflowed => "it is made anew for events that found no room".to_owned(),
            End::Unwanted => "nobody reads events any more".to_owned(),
        };
        ready.send_modify(|connected| *connected = Err(why.clone()));
        link.lost(&mut events);
        match end {
            End::Lost(_) => {}
            End::Overflowed => {
                tracing::info!("connecting again for events that found no room");
                continue;
            }
            End::Unwanted => return,
        }
        if since.elapsed() >= STABLE {
            pause = FIRST_PAUSE;
        }
        tracing::warn!(
            reason = why,
            pause_ms = pause.as_millis(),
            "the connection to the device broker is down"
        );
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        if deliver.is_closed() {
            return;
        }
    }
}

/// Serves one connection, until it ends.
async fn attend(
    events: &mut EventLoop,
    link: &Arc<Link>,
    filters: &[String],
    deliver: &mpsc::Sender<Incoming>,
    ready: &watch::Sender<Connected>,
    patience: Duration,
) -> End {
    let up = || {
        link.ready();
        ready.send_modify(|connected| *connected = Ok(Timestamp::now()));
    };
    // Taken in and not acknowledged; and whether one could not be taken in.
    let (mut unacknowledged, mut overflowed) = (0_usize, false);
    loop {
        if overflowed && unacknowledged == 0 {
            return End::Overflowed;
        }
        // Looked at with each packet, so at the latest with the next keep-alive.
        let crowded = events.state.collision.is_some() || events.state.inflight() >= CROWDED;
        if let Some(wait) = link.longest_wait().filter(|wait| crowded && *wait >= patience) {
            let seconds = wait.as_secs();
            return End::Lost(format!("a command has not been acknowledged for {seconds} seconds"));
        }
        match events.poll().await {
            Err(error) => return End::Lost(error.to_string()),
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // Again at every connection: the broker may have lost the session.
                if filters.is_empty() {
                    up();
                } else if !link.subscribe(filters) {
                    return End::Lost("the topic filters are not valid".to_owned());
                }
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return End::Lost(
                        "the broker refuses the subscription: check the client's policy".to_owned(),
                    );
                }
                up();
            }
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => link.sent(packet),
            Ok(Event::Incoming(Packet::PubAck(answer))) => link.acknowledged(answer.pkid),
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                // Waiting here would stop keep-alive and acknowledgements. What finds no room is left to the
                // broker, which delivers it again by the next connection. That is made when all that found
                // room is acknowledged, so that each connection brings the backlog on.
                let wants_acknowledgement = publish.qos != QoS::AtMostOnce;
                match deliver.try_send(link.received(publish)) {
                    Ok(()) => unacknowledged += usize::from(wants_acknowledgement),
                    Err(TrySendError::Full(_)) => overflowed = true,
                    Err(TrySendError::Closed(_)) => return End::Unwanted,
                }
            }
            Ok(Event::Outgoing(Outgoing::PubAck(_))) => unacknowledged = unacknowledged.saturating_sub(1),
            Ok(_) => {}
        }
    }
}
