//! Proof Key for Code Exchange (RFC 7636), method S256 only.

use crate::crypto::digest;

/// RFC 7636 4.2: the S256 challenge is the base64url of a SHA-256, 43 characters.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// RFC 7636 4.1: a verifier is 43 to 128 unreserved characters.
pub fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// RFC 7636 4.6: whether the challenge was made from this verifier.
pub fn matches(challenge: &str, verifier: &str) -> bool {
    digest::equal(digest::sha256_base64url(verifier).as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{is_challenge, is_verifier, matches};

    /// RFC 7636 appendix B
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_standard_matches() {
        assert!(is_verifier(VERIFIER) && is_challenge(CHALLENGE) && matches(CHALLENGE, VERIFIER));
    }

    #[test]
    fn another_verifier_does_not_match() {
        assert!(!matches(CHALLENGE, &VERIFIER.replace('d', "e")));
        assert!(!matches(CHALLENGE, CHALLENGE));
    }

    #[test]
    fn lengths_and_characters_are_those_of_the_standard() {
        assert!(!is_verifier(&"a".repeat(42)) && is_verifier(&"a".repeat(43)));
        assert!(is_verifier(&"a".repeat(128)) && !is_verifier(&"a".repeat(129)));
        assert!(!is_verifier(&"a b".repeat(20)) && !is_challenge(&"=".repeat(43)));
    }
}
