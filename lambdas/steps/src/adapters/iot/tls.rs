//! Mutual TLS with the broker.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// AWS IoT Core speaks MQTT on port 443 to those who ask for it by this name.
/// Source: <https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html>.
const ALPN_ON_443: &[u8] = b"x-amzn-mqtt-ca";

/// What a `kubernetes.io/tls` Secret holds, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// `tls.crt`: the certificate, with its chain.
    pub certificate: String,
    /// `tls.key`: its key.
    pub key: String,
    /// `ca.crt`: who vouches for the broker.
    pub authority: String,
}

impl fmt::Debug for Pem {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// A part of the certificate's Secret that cannot be used.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("{key} of the device certificate's Secret cannot be used: {reason}")]
pub struct BadCertificate {
    /// The key within the Secret.
    pub key: &'static str,
    /// Why.
    pub reason: String,
}

pub(super) fn client_config(pem: &Pem, port: u16) -> Result<ClientConfig, BadCertificate> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&pem.authority, "ca.crt")? {
        roots.add(authority).map_err(bad("ca.crt"))?;
    }
    let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(bad("tls.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(bad("tls.crt"))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&pem.certificate, "tls.crt")?, key)
        .map_err(bad("tls.key"))?;
    if port == 443 {
        config.alpn_protocols = vec![ALPN_ON_443.to_vec()];
    }
    Ok(config)
}

fn certificates(pem: &str, key: &'static str) -> Result<Vec<CertificateDer<'static>>, BadCertificate> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(bad(key))?;
    if certificates.is_empty() {
        return Err(BadCertificate { key, reason: "it holds no certificate in PEM".to_owned() });
    }
    Ok(certificates)
}

fn bad<E: fmt::Display>(key: &'static str) -> impl FnOnce(E) -> BadCertificate {
    move |error| BadCertificate { key, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_a_certificate_is_refused_by_the_name_of_its_key() {
        let empty = Pem { certificate: String::new(), key: String::new(), authority: "nothing".to_owned() };
        let error = client_config(&empty, 8883).map(|_| ()).expect_err("refused");
        assert_eq!(error.key, "ca.crt");
        assert_eq!(
            error.to_string(),
            "ca.crt of the device certificate's Secret cannot be used: it holds no certificate in PEM"
        );
    }
}
