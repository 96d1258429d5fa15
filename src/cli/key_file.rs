//! A file of public keys: a JWK Set (RFC 7517 5), or one JWK.

use std::path::Path;

use serde_json::{Value, json};

/// More than any set of keys is.
const LARGEST: u64 = 1_048_576;

/// Reads the file; one key becomes a set of one. Whether the keys are any good is asked elsewhere.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let fail = |problem: String| format!("{}: {problem}", path.display());
    let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if length > LARGEST {
        return Err(fail("it is too large for a set of keys".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    // The error's words could quote a private key; its place is enough.
    let place =
        |error: serde_json::Error| format!("no JSON at line {} column {}", error.line(), error.column());
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| fail(place(error)))?;
    Ok(if document.get("kty").is_some() { json!({ "keys": [document] }) } else { document })
}
