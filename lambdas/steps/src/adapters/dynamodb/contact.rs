//! The customer's contact, sealed: who can read the table cannot read it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comanda_saga::Identity;

use crate::customer::Contact;
use crate::ports::LedgerError;

/// The key that seals contacts, AES-256-GCM with a random nonce each time.
///
/// A random nonce of 96 bits is safe for 2^32 sealings under one key (NIST SP 800-38D, 8.3).
#[derive(Debug)]
pub struct ContactKey(RandomizedNonceKey);

/// The contact key is not 32 bytes of base64.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the contact key is not 32 bytes in base64: make one with `openssl rand -base64 32`")]
pub struct BadContactKey;

impl ContactKey {
    /// Reads the key as the class's Secret holds it.
    pub fn from_base64(text: &str) -> Result<Self, BadContactKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| BadContactKey)?;
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map(Self).map_err(|_| BadContactKey)
    }

    /// Nonce, ciphertext and tag. The order's identity is authenticated with them, so that a sealed
    /// contact cannot be moved to another order.
    pub(super) fn seal(&self, identity: &Identity, contact: &Contact) -> Result<Vec<u8>, LedgerError> {
        let corrupt = || LedgerError::Corrupt(format!("{identity}: the contact cannot be sealed"));
        let mut sealed = serde_json::to_vec(contact).map_err(|_| corrupt())?;
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(identity.to_string()), &mut sealed)
            .map_err(|_| corrupt())?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    pub(super) fn open(&self, identity: &Identity, sealed: &[u8]) -> Result<Contact, LedgerError> {
        let corrupt = || {
            LedgerError::Corrupt(format!(
                "{identity}: the contact does not open with the class's contact key"
            ))
        };
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(corrupt)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| corrupt())?;
        let mut rest = rest.to_vec();
        let opened =
            self.0.open_in_place(nonce, Aad::from(identity.to_string()), &mut rest).map_err(|_| corrupt())?;
        serde_json::from_slice(opened).map(Contact::again).map_err(|_| corrupt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{contact, identity};

    fn key(byte: u8) -> ContactKey {
        ContactKey::from_base64(&STANDARD.encode([byte; 32])).expect("a key")
    }

    #[test]
    fn a_sealed_contact_opens_for_its_order_under_its_key_only() {
        let sealed = key(7).seal(&identity(), &contact()).expect("sealed");
        assert!(!sealed.windows(3).any(|window| window == b"Ana"), "the name is readable");
        assert_eq!(key(7).open(&identity(), &sealed), Ok(contact()));

        let other = Identity { order_id: "a-2".to_owned(), ..identity() };
        assert!(matches!(key(7).open(&other, &sealed), Err(LedgerError::Corrupt(_))));
        assert!(matches!(key(8).open(&identity(), &sealed), Err(LedgerError::Corrupt(_))));
        let mut changed = sealed.clone();
        changed[20] ^= 1;
        assert!(matches!(key(7).open(&identity(), &changed), Err(LedgerError::Corrupt(_))));
        assert!(matches!(key(7).open(&identity(), b"short"), Err(LedgerError::Corrupt(_))));
    }

    #[test]
    fn a_contact_that_was_sealed_as_it_was_written_opens_in_its_normal_form() {
        let written = crate::fixtures::customer();
        let written = comanda_crds::Inline { phone: "+34 600 000 000".to_owned(), ..written };
        let mut bytes = serde_json::to_vec(&written).expect("JSON");
        let aad = Aad::from(identity().to_string());
        let nonce = key(7).0.seal_in_place_append_tag(aad, &mut bytes).expect("sealed");
        assert_eq!(key(7).open(&identity(), &[nonce.as_ref().as_slice(), &bytes].concat()), Ok(contact()));
    }

    #[test]
    fn the_same_contact_never_seals_to_the_same_bytes() {
        let key = key(7);
        assert_ne!(key.seal(&identity(), &contact()), key.seal(&identity(), &contact()));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for text in ["", "c2hvcnQ=", "not base64!"] {
            assert_eq!(ContactKey::from_base64(text).map(|_| ()), Err(BadContactKey), "{text}");
        }
    }
}
