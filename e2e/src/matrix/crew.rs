//! The operators of a run: started again when they die, woken when they were paused long enough.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use crate::evidence::{Snapshot, Witness};
use crate::installation::{Installation, Operator};

/// How long the Lease holds, in seconds: how long a paused leader is waited for.
const LEASE: &str = "3";
/// How long a successor works before the paused leader goes on.
const AHEAD: Duration = Duration::from_millis(700);
/// How long one that went on may still do what it was about to do.
const AFTERMATH: Duration = Duration::from_secs(3);
/// How long nothing may happen once everything has ended.
const QUIET: Duration = Duration::from_secs(10);
/// How often the replicas are looked at.
pub const GLANCE: Duration = Duration::from_millis(100);
/// How long a replica may take to say whether it leads.
const ANSWER: Duration = Duration::from_secs(1);

/// The replicas of one installation.
pub struct Crew<'a> {
    installation: &'a Installation,
    faults: PathBuf,
    replicas: Vec<Replica>,
    disturbed: Option<Instant>,
    /// How often a replica was started again.
    pub restarts: usize,
    /// How often one went on after a pause.
    pub resumptions: usize,
}

struct Replica {
    name: String,
    operator: Operator,
    /// Since when another leads while this one is paused.
    replaced: Option<Instant>,
}

impl<'a> Crew<'a> {
    /// Starts replicas, whose planned faults are in the directory `faults`.
    ///
    /// # Errors
    /// When one does not get ready.
    pub async fn start(installation: &'a Installation, faults: PathBuf, names: &[&str]) -> Result<Self> {
        let mut crew =
            Self { installation, faults, replicas: Vec::new(), disturbed: None, restarts: 0, resumptions: 0 };
        for name in names {
            let operator = crew.operator(name).await?;
            crew.replicas.push(Replica { name: (*name).to_owned(), operator, replaced: None });
        }
        crew.announce();
        Ok(crew)
    }

    async fn operator(&self, name: &str) -> Result<Operator> {
        let faults = self.faults.as_os_str();
        self.installation
            .operator_with(name, &["--lease-seconds", LEASE], &[("COMANDA_FAULTS", faults)])
            .await
    }

    /// Tells the proxy whom to end.
    fn announce(&self) {
        if let Some(proxy) = &self.installation.proxy {
            let pids: Vec<u32> = self.replicas.iter().map(|replica| replica.operator.process.pid()).collect();
            proxy.set_operators(&pids);
        }
    }

    /// Starts the dead again, and wakes the paused whose place is taken.
    ///
    /// # Errors
    /// When a replica cannot be started again.
    pub async fn attend(&mut self) -> Result<()> {
        for index in 0..self.replicas.len() {
            if self.replicas[index].operator.process.exit_status()?.is_some() {
                let name = self.replicas[index].name.clone();
                let operator =
                    self.operator(&name).await.with_context(|| format!("starting {name} again"))?;
                self.replicas[index] = Replica { name, operator, replaced: None };
                self.restarts += 1;
                self.announce();
            } else if self.is_paused(index) {
                self.relieve(index).await?;
            }
        }
        Ok(())
    }

    fn is_paused(&self, index: usize) -> bool {
        self.replicas[index].operator.process.is_paused()
    }

    /// A paused replica goes on when another has led for a while. One that only stood by goes on at once, and
    /// so does one when all are paused: the first of them.
    async fn relieve(&mut self, index: usize) -> Result<()> {
        let mut led = false;
        let mut others_paused = true;
        for other in (0..self.replicas.len()).filter(|other| *other != index) {
            if self.is_paused(other) {
                continue;
            }
            others_paused = false;
            // It may be paused between the look and the question.
            let metrics = tokio::time::timeout(ANSWER, self.replicas[other].operator.metrics()).await;
            led |= metrics.is_ok_and(|text| text.unwrap_or_default().contains("\ncomanda_leader 1"));
        }
        let replica = &mut self.replicas[index];
        let since = match (led || others_paused, replica.replaced) {
            (false, _) => return Ok(()),
            (true, None) => *replica.replaced.insert(Instant::now()),
            (true, Some(since)) => since,
        };
        if since.elapsed() >= AHEAD {
            replica.replaced = None;
            replica.operator.process.signal(Signal::SIGCONT)?;
            self.resumptions += 1;
            self.disturbed = Some(Instant::now());
        }
        Ok(())
    }

    /// Sends a signal to one of the replicas; one that has ended already does not mind.
    pub fn signal(&mut self, index: usize, signal: Signal) {
        if let Some(replica) = self.replicas.get_mut(index) {
            let _ = replica.operator.process.signal(signal);
        }
    }

    /// True while a replica is paused, or went on a moment ago: it may still do what it was about to do.
    pub fn has_paused(&self) -> bool {
        let paused = |index: usize| self.is_paused(index);
        let recently = self.disturbed.is_some_and(|since| since.elapsed() < AFTERMATH);
        recently || (0..self.replicas.len()).any(paused)
    }

    /// What the systems say before and after a while in which nothing may happen.
    ///
    /// # Errors
    /// When a replica cannot be started again, or a system does not answer.
    pub async fn rest(&mut self, witness: &Witness<'_>) -> Result<(Snapshot, Snapshot)> {
        let before = witness.snapshot().await?;
        let quiet = Instant::now();
        while quiet.elapsed() < QUIET {
            self.attend().await?;
            tokio::time::sleep(GLANCE).await;
        }
        Ok((before, witness.snapshot().await?))
    }

    /// What every log says of an order, for a report.
    pub fn log_of(&self, order: &str) -> String {
        let order = format!("\"{order}\"");
        let mut lines = String::new();
        for replica in &self.replicas {
            let log = replica.operator.log().unwrap_or_default();
            for line in log.lines().filter(|line| line.contains(&order)) {
                lines.extend([replica.name.as_str(), ": ", line, "\n"]);
            }
        }
        lines
    }

    /// Ends all of them.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        for mut replica in self.replicas {
            let _ = replica.operator.process.signal(Signal::SIGCONT);
            replica.operator.process.terminate(Duration::from_secs(12)).await?;
        }
        Ok(())
    }
}
