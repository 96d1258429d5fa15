//! Signatures on requests to a service of the operator, in the manner of the Standard Webhooks specification: an HMAC under
//! a secret that both sides know, over the id, the time, and the body.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::model::{Secret, Timestamp};

/// What a secret may begin with, so that people and scanners see what it is.
const PREFIX: &str = "whsec_";
/// Bytes: the specification recommends between 192 and 512 bits.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret, ready to sign with.
pub(crate) struct WebhookKey(hmac::Key);

/// Says nothing about the secret.
#[derive(Debug, thiserror::Error)]
#[error("it is not the base64 of 24 to 64 bytes, with or without whsec_ before it")]
pub struct InvalidWebhookSecret;

impl WebhookKey {
    pub(crate) fn parse(text: &Secret) -> Result<Self, InvalidWebhookSecret> {
        let bare = text.expose().trim();
        let bare = bare.strip_prefix(PREFIX).unwrap_or(bare).trim_end_matches('=');
        let bytes = Zeroizing::new(STANDARD_NO_PAD.decode(bare).map_err(|_| InvalidWebhookSecret)?);
        if !LENGTHS.contains(&bytes.len()) {
            return Err(InvalidWebhookSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of the header `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{}.", at.unix()).as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::WebhookKey;
    use crate::model::{Secret, Timestamp};

    #[test]
    fn a_signature_is_that_of_the_example_that_the_libraries_of_the_specification_test_with() {
        let key = WebhookKey::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let at = Timestamp::from_unix(1_614_265_330);
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        let parse = |text: &str| WebhookKey::parse(&Secret::new(text)).is_ok();
        for good in [
            "A".repeat(32),
            format!("whsec_{}", "A".repeat(32)),
            format!("{}=", "A".repeat(43)),
            "A".repeat(86),
        ] {
            assert!(parse(&good), "{good}");
        }
        for bad in [String::new(), "whsec_".to_owned(), "A".repeat(31), "A".repeat(87), "!".repeat(32)] {
            assert!(!parse(&bad), "{bad}");
        }
    }
}
