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

/// A 128-bit identifier: 22 characters of base64url.
pub fn id() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}

/// A secret of 64 characters of base64url, which is long enough as a key for HS512 (RFC 7518 3.2).
pub fn long_secret() -> crate::model::Secret {
    crate::model::Secret::new(URL_SAFE_NO_PAD.encode(bytes::<48>()))
}

/// A 256-bit secret: 43 characters of base64url.
pub fn secret() -> crate::model::Secret {
    crate::model::Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()))
}
