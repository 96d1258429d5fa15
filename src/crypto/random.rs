//! The one place that draws random values.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;

/// `N` bytes from a cryptographically secure generator seeded by the operating system.
#[allow(clippy::disallowed_methods, reason = "this is the place the ban points to")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// A 128-bit identifier: 22 characters of base64url, of which the first is no hyphen, so that a command line does not
/// take it for an option.
pub fn id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(bytes::<16>());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// A text of `length` characters, each drawn evenly from `alphabet`.
pub fn text_of(alphabet: &[u8], length: usize) -> String {
    // Bytes beyond the last whole multiple would favour the first characters.
    let fair = 256 / alphabet.len() * alphabet.len();
    let draws = std::iter::repeat_with(|| usize::from(bytes::<1>()[0])).filter(|byte| *byte < fair);
    draws.take(length).map(|byte| char::from(alphabet[byte % alphabet.len()])).collect()
}

/// A secret of 64 characters of base64url, which is long enough as a key for HS512 (RFC 7518 3.2).
pub fn long_secret() -> crate::model::Secret {
    crate::model::Secret::new(URL_SAFE_NO_PAD.encode(bytes::<48>()))
}

/// A 256-bit secret: 43 characters of base64url.
pub fn secret() -> crate::model::Secret {
    crate::model::Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn a_text_has_its_length_and_every_character_of_its_alphabet() {
        let text = text_of(b"XYZ", 500);
        assert_eq!(text.len(), 500);
        assert!(text.bytes().all(|letter| b"XYZ".contains(&letter)));
        assert!(["X", "Y", "Z"].iter().all(|letter| text.matches(letter).count() > 50), "{text}");
    }
}
