//! A call as its caller sent it.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::idempotency::{Fingerprint, Key};

/// A call to the API, taken apart.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// The parameters of its query and its form.
    pub params: Params,
    /// Its `Authorization` header.
    pub authorization: String,
    /// Its `Idempotency-Key` header; only a POST has one that counts.
    pub key: Option<String>,
}

/// Parameters in the order they came, with Stripe's bracket notation left as it is.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Request {
    /// Takes a call apart.
    pub fn new(method: Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut params = Params::parse(uri.query().unwrap_or_default().as_bytes());
        params.0.extend(Params::parse(body).0);
        let key = header("idempotency-key").filter(|_| method == Method::POST);
        Self {
            path: uri.path().to_owned(),
            params,
            authorization: header("authorization").unwrap_or_default(),
            key,
            method,
        }
    }

    /// Account and key, when there is one.
    pub fn idempotency(&self) -> Option<(Key, Fingerprint)> {
        let key = Key { account: self.authorization.clone(), key: self.key.clone()? };
        let mut params = self.params.0.clone();
        params.sort();
        Some((key, Fingerprint { path: self.path.clone(), params }))
    }

    /// The path below `/v1`, in segments.
    pub fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches("/v1").split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// The intent the call names in its path or its parameters.
    pub fn intent(&self) -> Option<&str> {
        match self.segments().as_slice() {
            ["payment_intents", id, ..] => Some(id),
            _ => self.params.get("payment_intent"),
        }
    }
}

impl Params {
    /// Parses a query or a form.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the parameter, or one below it (`name[…]`), is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| top_level(key) == name)
    }

    /// Replaces the value of a parameter that is there.
    pub fn replace(&mut self, name: &str, value: &str) {
        for (_, old) in self.0.iter_mut().filter(|(key, _)| key == name) {
            value.clone_into(old);
        }
    }

    /// What is in `names`, with everything below it.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(key, _)| names.contains(&top_level(key))).cloned().collect())
    }

    /// The first parameter that is not in `names`.
    pub fn unknown(&self, names: &[&str]) -> Option<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).find(|key| !names.contains(&top_level(key)))
    }

    /// The parameters below one, as an object; null where there are none.
    pub fn object(&self, name: &str) -> Value {
        let mut object = Value::Null;
        for (key, value) in self.0.iter().filter(|(key, _)| top_level(key) == name) {
            let mut place = &mut object;
            for level in key.split('[').skip(1) {
                place = &mut place[level.trim_end_matches(']')];
            }
            *place = Value::from(value.as_str());
        }
        object
    }

    /// Whether the caller wants an object in place of its id.
    pub fn expands(&self, field: &str) -> bool {
        self.0
            .iter()
            .any(|(key, value)| top_level(key) == "expand" && value.trim_start_matches("data.") == field)
    }
}

fn top_level(key: &str) -> &str {
    key.split('[').next().unwrap_or(key)
}
