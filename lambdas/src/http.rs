//! A request that API Gateway hands to a function, and the function's answer, as far as both are used.
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//! (payload format 2.0).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A request. Whoever sent it may be anybody.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// A header that came twice has both values, with a comma between.
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// An answer without a body.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status.
    pub status_code: u16,
}

impl Request {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, byte for byte; none where what was handed over is none.
    pub fn body(&self) -> Option<Vec<u8>> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded { STANDARD.decode(body).ok() } else { Some(body.as_bytes().to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> Request {
        serde_json::from_str(json).expect("a request")
    }

    #[test]
    fn a_body_is_handed_over_byte_for_byte_as_text_or_as_base64() {
        let text = request(r#"{"version":"2.0","body":"{\"a\": 1}\n","isBase64Encoded":false}"#);
        assert_eq!(text.body(), Some(b"{\"a\": 1}\n".to_vec()));
        let bytes = request(r#"{"body":"//4=","isBase64Encoded":true}"#);
        assert_eq!(bytes.body(), Some(vec![0xff, 0xfe]));
        assert_eq!(request(r#"{"body":"?","isBase64Encoded":true}"#).body(), None);
        assert_eq!(request("{}").body(), Some(Vec::new()));
    }

    #[test]
    fn headers_are_found_however_they_are_written() {
        let request = request(r#"{"headers":{"Stripe-Signature":"t=1","host":"x"}}"#);
        assert_eq!(request.header("stripe-signature"), Some("t=1"));
        assert_eq!(request.header("authorization"), None);
    }

    #[test]
    fn an_answer_is_a_status() {
        let answer = serde_json::to_string(&Answer { status_code: 400 }).expect("JSON");
        assert_eq!(answer, r#"{"statusCode":400}"#);
    }
}
