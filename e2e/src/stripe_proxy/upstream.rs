//! localstripe, as the proxy calls it.

use anyhow::Result;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::answer::Answer;
use super::request::Params;

/// The server behind the proxy.
#[derive(Clone, Debug)]
pub struct Upstream {
    base: String,
    http: reqwest::Client,
}

impl Upstream {
    /// The server at `base`, such as `http://127.0.0.1:8420`.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http: reqwest::Client::new() }
    }

    /// Reads `path`. A server that does not answer is Stripe's own 500.
    pub async fn get(&self, authorization: &str, path: &str, query: &Params) -> Answer {
        self.call(Method::GET, authorization, path, query).await
    }

    /// Sends a form to `path`.
    pub async fn post(&self, authorization: &str, path: &str, form: &Params) -> Answer {
        self.call(Method::POST, authorization, path, form).await
    }

    /// Any call.
    pub async fn call(&self, method: Method, authorization: &str, path: &str, params: &Params) -> Answer {
        let answer = self.send(method, authorization, path, params).await;
        answer.unwrap_or_else(|error| {
            tracing::error!(%error, path, "localstripe did not answer");
            let message = "An error occurred with our connection to the local server.";
            Answer { status: 500, body: json!({ "error": { "type": "api_error", "message": message } }) }
        })
    }

    async fn send(&self, method: Method, authorization: &str, path: &str, params: &Params) -> Result<Answer> {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params.0).finish();
        let is_post = method == Method::POST;
        let query = if is_post || encoded.is_empty() { String::new() } else { format!("?{encoded}") };
        let mut request = self.http.request(method, format!("{}{path}{query}", self.base));
        if is_post {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded);
        }
        let answer = request.header(header::AUTHORIZATION, authorization).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        // localstripe answers bugs of its own in plain text.
        let body = serde_json::from_str(&text)
            .unwrap_or_else(|_| json!({ "error": { "type": "api_error", "message": text } }));
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// Whether the call did what was asked.
    pub fn is_success(&self) -> bool {
        self.status < 300
    }

    /// The body, if the call did what was asked.
    ///
    /// # Errors
    /// The answer itself, if it did not.
    pub fn success(self) -> Result<Value, Answer> {
        if self.is_success() { Ok(self.body) } else { Err(self) }
    }
}
