//! `IoT` Core: the broker's address, its CA, and certificates for devices.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::REGION;

/// Lets a device do anything; ministack evaluates it only with `AUTH=true`.
const DEVICE_POLICY: &str = "comanda-device";

/// Where devices and the operator connect.
#[derive(Clone, Debug)]
pub struct IotEndpoint {
    /// The name in the broker's certificate.
    pub host: String,
    /// MQTT over mutual TLS.
    pub port: u16,
    /// The authority of the broker's certificate.
    pub ca_pem: String,
    /// The same as a file.
    pub ca_file: PathBuf,
    dir: PathBuf,
}

/// What a device shows the broker.
#[derive(Clone, Debug)]
pub struct DeviceCertificate {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// Its key, PEM.
    pub key_pem: String,
    /// `cert_pem` as a file.
    pub cert_file: PathBuf,
    /// `key_pem` as a file.
    pub key_file: PathBuf,
}

impl IotEndpoint {
    pub(super) async fn open(endpoint: &str, port: u16, dir: &Path) -> Result<Self> {
        let dir = dir.join("devices");
        fs::create_dir_all(&dir)?;
        let answer = reqwest::get(format!("{endpoint}/_ministack/iot/ca.pem")).await?.error_for_status()?;
        let ca_pem = answer.text().await?;
        let ca_file = dir.join("ca.pem");
        fs::write(&ca_file, &ca_pem)?;

        let statement = json!({ "Effect": "Allow", "Action": "iot:*", "Resource": "*" });
        let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let path = format!("/policies/{DEVICE_POLICY}");
        call(endpoint, reqwest::Method::POST, &path, json!({ "policyDocument": document })).await?;
        Ok(Self { host: "localhost".to_owned(), port, ca_pem, ca_file, dir })
    }

    /// Makes the rule that keeps what devices say in the ledger, whoever listens. It is that of
    /// `docs/order-classes.md`.
    pub(super) async fn keep_events(&self, endpoint: &str, prefix: &str, table: &str) -> Result<()> {
        let sql = format!(
            "SELECT topic() AS pk, device + '#' + eventId AS sk, eventId, event, device, seq, reason, timestamp() AS at, \
             timestamp() / 1000 + 2592000 AS expires FROM '{prefix}/+/stores/+/+/+/events' WHERE event <> 'location'"
        );
        let writer = "arn:aws:iam::000000000000:role/device-events";
        let action = json!({ "dynamoDBv2": { "roleArn": writer, "putItem": { "tableName": table } } });
        let rule = json!({ "sql": sql, "awsIotSqlVersion": "2016-03-23", "actions": [action] });
        call(endpoint, reqwest::Method::POST, "/rules/comanda_device_events", rule).await?;
        Ok(())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) async fn device_certificate(&self, endpoint: &str, name: &str) -> Result<DeviceCertificate> {
        let path = "/keys-and-certificate?setAsActive=true";
        let made = call(endpoint, reqwest::Method::POST, path, Value::Null).await?;
        let field = |value: &Value| value.as_str().map(str::to_owned).context("IoT left out a field");
        let cert_pem = field(&made["certificatePem"])?;
        let key_pem = field(&made["keyPair"]["PrivateKey"])?;
        let target = json!({ "target": field(&made["certificateArn"])? });
        call(endpoint, reqwest::Method::PUT, &format!("/target-policies/{DEVICE_POLICY}"), target).await?;

        let [cert_file, key_file] = ["cert", "key"].map(|part| self.dir.join(format!("{name}.{part}.pem")));
        fs::write(&cert_file, &cert_pem)?;
        fs::write(&key_file, &key_pem)?;
        Ok(DeviceCertificate { cert_pem, key_pem, cert_file, key_file })
    }
}

/// One call of the control plane, without the SDK, which would be a crate of its own for three calls.
async fn call(endpoint: &str, method: reqwest::Method, path: &str, body: Value) -> Result<Value> {
    // ministack finds the service in the credential's scope and does not verify the signature unless told to.
    let scope = format!("AWS4-HMAC-SHA256 Credential=comanda-local/20250101/{REGION}/iot/aws4_request");
    let authorization = format!("{scope}, SignedHeaders=host, Signature=none");
    let request = reqwest::Client::new().request(method, format!("{endpoint}{path}"));
    let answer = request.header("authorization", authorization).json(&body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("IoT answered {status} to {path}: {text}");
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
