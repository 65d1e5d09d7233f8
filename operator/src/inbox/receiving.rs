//! How a queue is received from, whichever it is and whoever reads it.

use std::time::Duration;

use comanda_steps::ports::{Inbox, Received};
use tokio::sync::watch;
use tracing::{info, warn};

/// First and longest pause after a queue that does not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Of how many failures in a row one is told.
pub const QUIET: u32 = 20;
/// First and longest pause, in seconds, before a message that was left comes again. Ten of them make half an hour: so long
/// may another cluster's operator be away before its messages are dead letters.
const LEFT: (u32, u32) = (5, 900);

/// What one receive brings: so many messages at most. Of a queue that does not answer none, after a pause that grows with
/// the `failures` in a row; `answers` is told which it is.
pub async fn receive(
    inbox: &dyn Inbox,
    most: usize,
    queue_url: &str,
    answers: &watch::Sender<Result<(), String>>,
    failures: &mut u32,
) -> Vec<Received> {
    match inbox.receive(most).await {
        Ok(messages) => {
            *failures = 0;
            answers.send_if_modified(|known| std::mem::replace(known, Ok(())).is_err());
            messages
        }
        Err(error) => {
            if failures.is_multiple_of(QUIET) {
                warn!(%error, queue_url, failures, "the queue is asked again");
            }
            let pause = PAUSES.0.saturating_mul(1 << (*failures).min(5)).min(PAUSES.1);
            *failures += 1;
            let _ = answers.send_replace(Err(error.to_string()));
            tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            Vec::new()
        }
    }
}

/// A message is done with, or left: then it comes again, ever later.
pub async fn settle(inbox: &dyn Inbox, received: &Received, is_done: bool, queue_url: &str) {
    let settled = if is_done {
        inbox.delete(received).await
    } else {
        inbox.leave(received, pause(received.times)).await
    };
    if let Err(error) = settled {
        info!(%error, queue_url, "the message comes again");
    }
}

/// How long until a message that was received so often comes again, in seconds.
fn pause(times: u32) -> u32 {
    LEFT.0.saturating_mul(1 << times.saturating_sub(1).min(10)).min(LEFT.1)
}
