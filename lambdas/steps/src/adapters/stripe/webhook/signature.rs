//! Whether a request is Stripe's: the `Stripe-Signature` header over the raw body.
//! Source: <https://docs.stripe.com/webhooks#verify-manually>.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use jiff::Timestamp;

/// How far the time of a signature may be from ours, in seconds, as Stripe's own libraries have it. Each time that an event
/// is sent it is signed anew.
const TOLERANCE: i64 = 300;
/// Longest header. One signature takes 69 bytes, and there is one for each secret that is being rolled.
const LONGEST_HEADER: usize = 4096;
/// What a signing secret begins with, and is longer than: the secret key of an account is none.
const SECRET: (&str, usize) = ("whsec_", 20);

/// An endpoint's signing secrets. While one is rolled, the old and the new both count.
/// Source: <https://docs.stripe.com/webhooks#roll-endpoint-secrets>.
pub struct SigningSecrets(Vec<hmac::Key>);

/// A text that holds no signing secret.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("it must have one signing secret a line, as Stripe's dashboard shows it: whsec_…")]
pub struct NoSecret;

/// A request that is not known to be Stripe's. Which of these it is, whoever sent it is not told.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// There is no such header, or it is none of Stripe's.
    #[error("the header cannot be read")]
    Header,
    /// No signature of it holds with any of the secrets.
    #[error("no signature holds")]
    Signature,
    /// It was signed too long ago, or in the future.
    #[error("the signature is too old or of another time")]
    Stale,
}

/// What a header says.
struct Header<'a> {
    signed_at: i64,
    /// That time as it was written, which is what was signed.
    written: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl SigningSecrets {
    /// Reads secrets, one a line.
    ///
    /// # Errors
    /// When there is none, or a line is none: an empty secret would let everybody sign.
    pub fn read(text: &str) -> Result<Self, NoSecret> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let holds = |line: &&str| line.starts_with(SECRET.0) && line.len() >= SECRET.1;
        if lines.is_empty() || !lines.iter().all(holds) {
            return Err(NoSecret);
        }
        // The key is the whole text, as it is shown.
        Ok(Self(lines.iter().map(|line| hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes())).collect()))
    }

    /// Whether a header signs these bytes, lately and with one of the secrets.
    ///
    /// # Errors
    /// Why it is not known to.
    pub fn verify(&self, header: &str, body: &[u8], now: Timestamp) -> Result<(), Forged> {
        let header = Header::read(header).ok_or(Forged::Header)?;
        let mut holds = false;
        for key in &self.0 {
            let mut signing = hmac::Context::with_key(key);
            signing.update(header.written.as_bytes());
            signing.update(b".");
            signing.update(body);
            let expected = signing.sign();
            for signature in &header.signatures {
                holds |= verify_slices_are_equal(expected.as_ref(), signature).is_ok();
            }
        }
        if !holds {
            return Err(Forged::Signature);
        }
        let age = now.as_second().saturating_sub(header.signed_at);
        if age.saturating_abs() > TOLERANCE { Err(Forged::Stale) } else { Ok(()) }
    }
}

impl<'a> Header<'a> {
    /// `t=<seconds>,v1=<hex>,v1=<hex>`. Other schemes say nothing: `v0` is a test's.
    fn read(header: &'a str) -> Option<Self> {
        if header.len() > LONGEST_HEADER {
            return None;
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for part in header.split(',') {
            let (scheme, value) = part.trim().split_once('=')?;
            match scheme {
                // Two times would be two headers, made one on the way.
                "t" if time.replace(value).is_some() => return None,
                "v1" => signatures.extend(hex(value)),
                _ => {}
            }
        }
        let written = time?;
        let signed_at = written.bytes().all(|byte| byte.is_ascii_digit()).then(|| written.parse().ok())??;
        Some(Self { signed_at, written, signatures })
    }
}

/// The bytes of a signature; none of what is no signature.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from((high? << 4) | low?).ok()?;
    }
    Some(bytes)
}
