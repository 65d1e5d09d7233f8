//! Stripe: localstripe, and in front of it the proxy that adds Stripe's idempotency and its refusals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::port::free_port;
use super::process::Process;
use super::tools::Tools;
use crate::stripe_proxy::calls::Call;
use crate::stripe_proxy::events::{Endpoint, Event};
use crate::stripe_proxy::faults::Fault;

/// The key of the local account: localstripe takes anything that begins like one.
pub const SECRET_KEY: &str = "sk_test_comanda_local";
/// What the local Stripe signs its events with. It is no secret.
pub const SIGNING_SECRET: &str = "whsec_local_not_a_secret";

const PATIENCE: Duration = Duration::from_mins(1);

/// A running localstripe behind its proxy.
#[derive(Debug)]
pub struct Stripe {
    // The proxy goes first, so that no caller sees it without its upstream.
    proxy: Process,
    server: Process,
    url: String,
    log: PathBuf,
    http: reqwest::Client,
}

impl Stripe {
    /// Starts both with their logs below `dir`, reached at `port`. `program` is the program that has the subcommand `stripe-proxy`.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub async fn start(tools: &Tools, program: &Path, dir: &Path, port: u16) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let upstream_port = free_port()?;
        let upstream = format!("http://127.0.0.1:{upstream_port}");
        let mut python = Command::new(&tools.python);
        python.args(["-c", include_str!("stripe_server.py"), &upstream_port.to_string()]).current_dir(dir);
        let mut server = Process::spawn("localstripe", python, &dir.join("localstripe.log"))?;

        let url = format!("http://127.0.0.1:{port}");
        let log = dir.join("calls.jsonl");
        let mut command = Command::new(program);
        command.args([
            "stripe-proxy",
            "--upstream",
            &upstream,
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--log",
        ]);
        let mut proxy = Process::spawn(
            "stripe-proxy",
            {
                command.arg(&log);
                command
            },
            &dir.join("stripe-proxy.log"),
        )?;

        let http = reqwest::Client::new();
        let answers = async |url: String| http.get(url).send().await.ok().map(drop);
        server.ready("an answer", PATIENCE, async || answers(format!("{upstream}/v1/balance")).await).await?;
        proxy.ready("an answer", PATIENCE, async || answers(format!("{url}/_proxy/calls")).await).await?;
        Ok(Self { proxy, server, url, log, http })
    }

    /// The base URL of the API, as Stripe's client wants it: without `/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The JSONL file with one [`Call`] a line.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Every call so far.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn calls(&self) -> Result<Vec<Call>> {
        Ok(self
            .http
            .get(format!("{}/_proxy/calls", self.url))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    /// Makes the proxy misbehave as told.
    ///
    /// # Errors
    /// When the proxy refuses.
    pub async fn inject(&self, fault: &Fault) -> Result<()> {
        let answer = self.http.post(format!("{}/_proxy/faults", self.url)).json(fault).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "the proxy refused the fault: {status} {}", answer.text().await?);
        Ok(())
    }

    /// Ends all misbehaviour.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn clear_faults(&self) -> Result<()> {
        self.http.delete(format!("{}/_proxy/faults", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Forgets every idempotency key, as Stripe does a day after.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn forget_keys(&self) -> Result<()> {
        self.http.delete(format!("{}/_proxy/keys", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Keeps refunds that take their time pending, as a bank does for days, until [`Stripe::hear_banks`].
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn silence_banks(&self) -> Result<()> {
        self.http.delete(format!("{}/_proxy/banks", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Lets banks speak again.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn hear_banks(&self) -> Result<()> {
        self.http.put(format!("{}/_proxy/banks", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// From now on, events are sent to `url`.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn send_events_to(&self, url: &str) -> Result<()> {
        let endpoint = Endpoint { url: url.to_owned(), secret: SIGNING_SECRET.to_owned() };
        let answer = self.http.put(format!("{}/_proxy/webhook", self.url)).json(&endpoint).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// From now on, no events are sent.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn send_no_events(&self) -> Result<()> {
        self.http.delete(format!("{}/_proxy/webhook", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Events of orders whose identity matches are never sent.
    ///
    /// # Errors
    /// When the expression is none.
    pub async fn hold_events(&self, orders: &str) -> Result<()> {
        let request = self.http.post(format!("{}/_proxy/webhook/held", self.url));
        request.body(orders.to_owned()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Every event of an order so far, by its identity.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub async fn events(&self, order: &str) -> Result<Vec<Event>> {
        let answer = self.http.get(format!("{}/_proxy/webhook/events", self.url)).send().await?;
        let all: Vec<Event> = answer.error_for_status()?.json().await?;
        Ok(all.into_iter().filter(|event| event.order.as_deref() == Some(order)).collect())
    }

    /// The refunds of an intent, which were made, come back.
    ///
    /// # Errors
    /// When there is no such intent.
    pub async fn return_refunds(&self, intent: &str) -> Result<()> {
        self.http.post(format!("{}/_proxy/returned/{intent}", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// The customer disputes the charge of an intent.
    ///
    /// # Errors
    /// When there is no such intent.
    pub async fn dispute(&self, intent: &str) -> Result<()> {
        self.http.post(format!("{}/_proxy/disputes/{intent}", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Reads an object, such as `payment_intents/pi_…`, as Stripe would show it.
    ///
    /// # Errors
    /// When there is no such object.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let request = self.http.get(format!("{}/v1/{path}", self.url)).bearer_auth(SECRET_KEY);
        let answer = request.send().await?.error_for_status().with_context(|| format!("reading {path}"))?;
        Ok(answer.json().await?)
    }

    /// Reads every page of a list, such as `payment_intents` or `refunds?payment_intent=pi_…`.
    ///
    /// # Errors
    /// When there is no such list.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().and_then(|last| last["id"].as_str());
            let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let mut page = self.get(&format!("{path}{separator}limit=100{after}")).await?;
            let Value::Array(items) = page["data"].take() else { return Ok(all) };
            let empty = items.is_empty();
            all.extend(items);
            if empty || page["has_more"] != true {
                return Ok(all);
            }
        }
    }

    /// The proxy process, to pause, resume or kill it.
    pub fn proxy(&mut self) -> &mut Process {
        &mut self.proxy
    }

    /// Stops both.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(mut self) -> Result<()> {
        self.proxy.terminate(Duration::from_secs(1)).await?;
        self.server.terminate(Duration::from_secs(1)).await?;
        Ok(())
    }
}
