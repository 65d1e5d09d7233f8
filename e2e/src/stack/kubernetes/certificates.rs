//! The certificate authority of one run, and the keys it vouches for.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// Files the API server is started with, and what its administrator needs.
pub(super) struct Certificates {
    pub ca: PathBuf,
    pub ca_pem: String,
    pub serving_cert: PathBuf,
    pub serving_key: PathBuf,
    /// Signs service-account tokens.
    pub service_account_key: PathBuf,
    /// Verifies them.
    pub service_account_public: PathBuf,
    pub admin_cert_pem: String,
    pub admin_key_pem: String,
}

/// Makes everything anew in `dir`. The keys live as long as the run.
pub(super) fn generate(dir: &Path) -> Result<Certificates> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "comanda-local-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let names = ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc"];
    let mut serving = CertificateParams::new(names.map(str::to_owned))?;
    serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let serving_key = KeyPair::generate()?;
    let serving_cert = serving.signed_by(&serving_key, &ca)?;

    let mut admin = CertificateParams::default();
    admin.distinguished_name.push(DnType::CommonName, "comanda-local-admin");
    // The group every API server binds to cluster-admin by itself.
    admin.distinguished_name.push(DnType::OrganizationName, "system:masters");
    admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let admin_key = KeyPair::generate()?;
    let admin_cert = admin.signed_by(&admin_key, &ca)?;

    let service_account = KeyPair::generate()?;
    Ok(Certificates {
        ca: write(dir, "ca.pem", &ca.pem())?,
        ca_pem: ca.pem(),
        serving_cert: write(dir, "serving.pem", &serving_cert.pem())?,
        serving_key: write(dir, "serving-key.pem", &serving_key.serialize_pem())?,
        service_account_key: write(dir, "service-account-key.pem", &service_account.serialize_pem())?,
        service_account_public: write(dir, "service-account.pem", &service_account.public_key_pem())?,
        admin_cert_pem: admin_cert.pem(),
        admin_key_pem: admin_key.serialize_pem(),
    })
}

/// Writes a file only its owner may read.
pub(super) fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
