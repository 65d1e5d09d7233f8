//! `IoT` Core: the broker's address, its CA, and certificates for devices.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::account::{ACCOUNT, REGION};
use super::deployment::DevicePolicies;

use crate::stack::simulators::{INSTALLATION, PREFIX};

/// The policies that ship: see `docs/devices.md`.
const KITCHEN: &str = include_str!("../../../../lambdas/iot-policies/kitchen.json");
const COURIER: &str = include_str!("../../../../lambdas/iot-policies/courier.json");
const OPERATOR: &str = include_str!("../../../../lambdas/iot-policies/operator.json");

/// What a certificate lets its holder do.
#[derive(Clone, Debug)]
pub enum Holder {
    /// What an operator may, below every prefix of every installation: scenes make classes of their own.
    Operator,
    /// What a tablet may in its kitchen.
    Kitchen(Place),
    /// What a courier may in their store.
    Courier(Place),
    /// Anything: a scene that plays several devices, or forges them.
    Anyone,
}

/// Where a device belongs. What is absent is not bound: the simulators of a scene serve several stores.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The first level of its topics.
    pub prefix: String,
    /// The installation.
    pub installation: String,
    /// The attribute `tenant` of its thing.
    pub tenant: Option<String>,
    /// The attribute `store` of its thing.
    pub store: Option<String>,
}

impl Holder {
    /// The name of its policy among those that were deployed, and the thing's attributes; none for a holder who is not of
    /// the installation.
    fn deployed<'a>(&self, policies: &'a DevicePolicies) -> Result<Option<(&'a str, Value)>> {
        let (policy, place) = match self {
            Self::Operator => return Ok(Some((&policies.operator, json!({})))),
            Self::Anyone => return Ok(None),
            Self::Kitchen(place) => (&policies.kitchen, place),
            Self::Courier(place) => (&policies.courier, place),
        };
        let Place { tenant: Some(tenant), store: Some(store), .. } = place else {
            bail!("the deployed policies bind a device to one store: {place:?}");
        };
        let deployed = place.prefix == PREFIX && place.installation == INSTALLATION;
        ensure!(deployed, "the deployed policies are of {PREFIX}/{INSTALLATION}: {place:?}");
        Ok(Some((policy, json!({ "tenant": tenant, "store": store }))))
    }

    /// The policy's name and document, and the thing's attributes.
    fn policy(&self) -> (String, String, Value) {
        let any = Place { prefix: "*".to_owned(), installation: "*".to_owned(), ..Place::default() };
        let (kind, document, place) = match self {
            Self::Operator => ("operator", OPERATOR.to_owned(), &any),
            Self::Kitchen(place) => ("kitchen", KITCHEN.to_owned(), place),
            Self::Courier(place) => ("courier", COURIER.to_owned(), place),
            Self::Anyone => {
                let statement = json!({ "Effect": "Allow", "Action": "iot:*", "Resource": "*" });
                let document = json!({ "Version": "2012-10-17", "Statement": [statement] });
                ("anyone", document.to_string(), &any)
            }
        };
        let mut document = document
            .replace("REGION:ACCOUNT", &format!("{REGION}:{ACCOUNT}"))
            .replace("PREFIX", &place.prefix)
            .replace("INSTALLATION", &place.installation);
        let mut attributes = serde_json::Map::new();
        let mut name = format!("comanda-{kind}-{}-{}", place.prefix, place.installation).replace('*', "any");
        for (attribute, value) in [("tenant", &place.tenant), ("store", &place.store)] {
            if let Some(value) = value {
                attributes.insert(attribute.to_owned(), json!(value));
                name += "-bound";
            } else {
                let variable = format!("${{iot:Connection.Thing.Attributes[{attribute}]}}");
                document = document.replace(&variable, "*");
                name += "-any";
            }
        }
        (name, document, Value::Object(attributes))
    }
}

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
    deployed: Option<DevicePolicies>,
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
        Ok(Self { host: "localhost".to_owned(), port, ca_pem, ca_file, dir, deployed: None })
    }

    /// Certificates get these policies from now on, and none is made for them.
    pub(super) fn hold_to(&mut self, policies: DevicePolicies) {
        self.deployed = Some(policies);
    }

    /// Makes the rule that keeps what devices say in the ledger, whoever listens. It is that of
    /// `docs/devices.md`.
    pub(super) async fn keep_events(&self, endpoint: &str, prefix: &str, table: &str) -> Result<()> {
        // ministack takes what begins and ends with a call for one call: hence the empty text before the key's levels.
        let sql = format!(
            "SELECT 'SAID#' + topic(2) + '/' + topic(3) + '/' + topic(6) AS pk, \
             '' + topic(5) + '#' + topic(8) + '#' + timestamp() + '#' + newuuid() AS sk, topic(4) AS store, \
             encode(*, 'base64') AS payload, timestamp() AS at, timestamp() / 1000 + 2592000 AS expires \
             FROM '{prefix}/+/+/+/+/+/events/+'"
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

    pub(super) async fn device_certificate(
        &self,
        endpoint: &str,
        name: &str,
        holder: &Holder,
    ) -> Result<DeviceCertificate> {
        let path = "/keys-and-certificate?setAsActive=true";
        let made = call(endpoint, reqwest::Method::POST, path, Value::Null).await?;
        let field = |value: &Value| value.as_str().map(str::to_owned).context("IoT left out a field");
        let cert_pem = field(&made["certificatePem"])?;
        let key_pem = field(&made["keyPair"]["PrivateKey"])?;
        let certificate = field(&made["certificateArn"])?;
        let (policy, attributes) = self.policy(endpoint, holder).await?;
        let thing = json!({ "attributePayload": { "attributes": attributes } });
        // A device that is started again has the thing already.
        created(call(endpoint, reqwest::Method::POST, &format!("/things/{name}"), thing).await)?;
        let path = format!("/things/{name}/principals");
        let attach = request(endpoint, reqwest::Method::PUT, &path).header("x-amzn-principal", &certificate);
        attach.send().await?.error_for_status().context("attaching a certificate to its thing")?;
        let target = json!({ "target": certificate });
        call(endpoint, reqwest::Method::PUT, &format!("/target-policies/{policy}"), target).await?;

        let [cert_file, key_file] = ["cert", "key"].map(|part| self.dir.join(format!("{name}.{part}.pem")));
        fs::write(&cert_file, &cert_pem)?;
        fs::write(&key_file, &key_pem)?;
        Ok(DeviceCertificate { cert_pem, key_pem, cert_file, key_file })
    }

    /// The name of a policy that is there, and the thing's attributes.
    async fn policy(&self, endpoint: &str, holder: &Holder) -> Result<(String, Value)> {
        if let Some(policies) = &self.deployed
            && let Some((policy, attributes)) = holder.deployed(policies)?
        {
            return Ok((policy.to_owned(), attributes));
        }
        let (policy, document, attributes) = holder.policy();
        let document = json!({ "policyDocument": document });
        created(call(endpoint, reqwest::Method::POST, &format!("/policies/{policy}"), document).await)?;
        Ok((policy, attributes))
    }
}

/// One call of the control plane, without the SDK, which would be a crate of its own for three calls.
async fn call(endpoint: &str, method: reqwest::Method, path: &str, body: Value) -> Result<Value> {
    let answer = request(endpoint, method, path).json(&body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("IoT answered {status} to {path}: {text}");
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn request(endpoint: &str, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    as_root(reqwest::Client::new().request(method, format!("{endpoint}{path}")), "iot")
}

/// The request as the account's root signs it.
pub(super) fn as_root(request: reqwest::RequestBuilder, service: &str) -> reqwest::RequestBuilder {
    // ministack finds the service in the credential's scope and does not verify the signature unless told to.
    let scope = format!("AWS4-HMAC-SHA256 Credential=comanda-local/20250101/{REGION}/{service}/aws4_request");
    let authorization = format!("{scope}, SignedHeaders=host, Signature=none");
    request.header("authorization", authorization)
}

/// What was there already is as good as made.
fn created(answer: Result<Value>) -> Result<()> {
    match answer {
        Err(error) if error.to_string().contains("AlreadyExists") => Ok(()),
        answer => answer.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit counts no white space.
    /// Source: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html#security-limits>.
    #[test]
    fn the_policies_that_ship_are_json_of_at_most_2048_characters() {
        for (name, policy) in [("kitchen", KITCHEN), ("courier", COURIER), ("operator", OPERATOR)] {
            let document: Value = serde_json::from_str(policy).expect("JSON");
            // With a region, an account and the longest prefix and installation in their places.
            let [region, prefix, installation] =
                ["ap-southeast-2".to_owned(), "p".repeat(22), "i".repeat(32)];
            let filled = document.to_string().replace("REGION:ACCOUNT", &format!("{region}:{ACCOUNT}"));
            let filled = filled.replace("PREFIX", &prefix).replace("INSTALLATION", &installation);
            assert!(filled.len() <= 2048, "{name}: {} characters", filled.len());
        }
    }
}
