//! Kubeconfig files: one for the administrator, one for each service account under test.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Who the kubeconfig speaks for.
pub(super) enum User<'a> {
    Certificate { cert_pem: &'a str, key_pem: &'a str },
    Token(&'a str),
}

/// The text of a kubeconfig for one server and one user.
pub(super) fn kubeconfig(server: &str, ca_pem: &str, user: &User<'_>, namespace: &str) -> Result<String> {
    let user = match user {
        User::Certificate { cert_pem, key_pem } => json!({
            "client-certificate-data": STANDARD.encode(cert_pem),
            "client-key-data": STANDARD.encode(key_pem),
        }),
        User::Token(token) => json!({ "token": token }),
    };
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "comanda",
            "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
        }],
        "users": [{ "name": "comanda", "user": user }],
        "contexts": [{
            "name": "comanda",
            "context": { "cluster": "comanda", "user": "comanda", "namespace": namespace },
        }],
        "current-context": "comanda",
    });
    Ok(serde_yaml::to_string(&config)?)
}
