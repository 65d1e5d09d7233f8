//! Whoever calls the deployed HTTP API.

use std::time::SystemTime;

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Aws;
use super::account::REGION;
use super::cli::Cli;
use super::deployment::{self, AccessKey};

/// A user of IAM who may call the API.
#[derive(Clone, Debug)]
pub struct Caller {
    client: reqwest::Client,
    url: String,
    /// With which it signs; none of one who does not.
    key: Option<AccessKey>,
}

/// What the API answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The id of the order that was taken in.
    ///
    /// # Errors
    /// When none was.
    pub fn id(&self) -> Result<String> {
        self.body["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no order was taken in: {self:?}"))
    }
}

impl Aws {
    /// A new user of IAM who calls the deployed API; without a name, one who does not sign.
    ///
    /// # Errors
    /// When there is no API, or IAM refuses.
    pub async fn caller(&self, name: Option<&str>) -> Result<Caller> {
        let url = &self.deployment.as_ref().context("this stack has no API")?.api_url;
        match name {
            Some(name) => Caller::make(&self.cli, url, name).await,
            None => Ok(Caller::unsigned(url)),
        }
    }
}

impl Caller {
    /// One who does not sign.
    fn unsigned(url: &str) -> Self {
        Self { client: reqwest::Client::new(), url: url.to_owned(), key: None }
    }

    /// A user who may call the API, and do nothing else.
    async fn make(cli: &Cli, url: &str, name: &str) -> Result<Self> {
        let statement = json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        cli.run(&["iam", "create-user", "--user-name", name]).await?;
        let put = ["iam", "put-user-policy", "--user-name", name, "--policy-name", "calls"];
        cli.run(&[&put[..], &["--policy-document", &policy]].concat()).await?;
        Ok(Self { key: Some(deployment::make_key(cli, name).await?), ..Self::unsigned(url) })
    }

    /// Sends an order.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn order(&self, key: &str, order: &Value) -> Result<Answer> {
        let headers = [("idempotency-key", key), ("content-type", "application/json")];
        self.answer("POST", "/orders", &headers, order.to_string().into_bytes()).await
    }

    /// Reads an order.
    ///
    /// # Errors
    /// As [`Caller::order`].
    pub async fn read(&self, id: &str) -> Result<Answer> {
        self.answer("GET", &format!("/orders/{id}"), &[], Vec::new()).await
    }

    /// Cancels an order.
    ///
    /// # Errors
    /// As [`Caller::order`].
    pub async fn cancel(&self, id: &str, reason: &str) -> Result<Answer> {
        let body = json!({ "reason": reason }).to_string().into_bytes();
        self.answer("POST", &format!("/orders/{id}/cancel"), &[("content-type", "application/json")], body)
            .await
    }

    /// Any request, signed where this caller does.
    ///
    /// # Errors
    /// When it cannot be signed, or the API not be reached.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<reqwest::Response> {
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method.parse()?, &url);
        for (name, value) in headers.iter().copied() {
            request = request.header(name, value);
        }
        if let Some(AccessKey { id, secret }) = &self.key {
            let identity = Credentials::new(id, secret, None, None, "comanda-e2e").into();
            let parameters = v4::SigningParams::builder()
                .identity(&identity)
                .region(REGION)
                .name("execute-api")
                .time(SystemTime::now())
                .settings(SigningSettings::default())
                .build()?;
            let signable =
                SignableRequest::new(method, &*url, std::iter::empty(), SignableBody::Bytes(&body))?;
            let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
            for (name, value) in instructions.headers() {
                request = request.header(name, value);
            }
        }
        Ok(request.body(body).send().await?)
    }

    async fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer> {
        let answer = self.send(method, path, headers, body).await?;
        Ok(Answer {
            status: answer.status(),
            body: serde_json::from_str(&answer.text().await?).unwrap_or_default(),
        })
    }
}
