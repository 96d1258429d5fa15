//! What all JWTs that others make have in common (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::Timestamp;

/// Characters of one part: a part is read before it is known whose it is.
const LONGEST: usize = 16_384;

/// A part of the compact form that is JSON, and not too long.
pub(crate) fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    if encoded.len() > LONGEST {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// Whether `typ` says this media type, or nothing but that it is a JWT. RFC 7515 4.1.9: compared without regard to case,
/// with or without `application/`.
pub(crate) fn is_type(typ: Option<&str>, media_type: &str) -> bool {
    let Some(typ) = typ.map(str::to_ascii_lowercase) else { return true };
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    typ == "jwt" || typ == media_type
}

/// A NumericDate, which may have a fraction (RFC 7519 2).
pub(crate) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_f64().map(seconds)
}

/// The whole second of a NumericDate.
pub(crate) fn seconds(value: f64) -> Timestamp {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "whole seconds are what is compared; the cast saturates"
    )]
    Timestamp::from_unix(value.floor() as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_part_of_a_jwt_is_read_up_to_a_length() {
        let of = |length: usize| {
            let text = json!({ "x": "y".repeat(length * 3 / 4 - 8) }).to_string();
            part::<Value>(&URL_SAFE_NO_PAD.encode(text)).is_some()
        };
        assert!(of(LONGEST) && !of(LONGEST + 8));
    }
}
