//! Short texts with a grammar of their own.

use std::str::from_utf8;

use chancery::crypto::digest;
use chancery::model::{ScopeSet, text as shown, user_name};
use chancery::protocol::device::{ALPHABET, UserCode};
use chancery::protocol::{pkce, redirect_uri as uri, resource as resources, webfinger as finger};
use url::Url;

use super::lines;

/// RFC 6749 3.3. What is accepted is in the grammar, holds nothing twice, and is the same when it is written and read.
pub fn scope(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let Ok(scopes) = text.parse::<ScopeSet>() else { return };
    let names: Vec<&str> = scopes.iter().collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!name.is_empty() && text.split(' ').any(|token| token == *name));
        assert!(name.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)));
        assert!(!names[..at].contains(name));
    }
    assert_eq!(scopes.to_string().parse::<ScopeSet>().unwrap(), scopes);
}

/// RFC 8628 6.1
pub fn user_code(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let Some(code) = UserCode::parse(text) else { return };
    assert!(code.as_str().len() == 8 && code.as_str().bytes().all(|letter| ALPHABET.contains(&letter)));
    for again in [code.displayed(), code.as_str().to_ascii_lowercase(), format!(" {} ", code.as_str())] {
        assert_eq!(UserCode::parse(&again).as_ref(), Some(&code));
    }
}

/// RFC 7636 4.1, 4.2: a challenge belongs to the verifier it was made from and to no other.
pub fn verifier(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let challenge = digest::sha256_base64url(text);
    assert!(pkce::is_challenge(&challenge) && pkce::matches(&challenge, text));
    assert!(!pkce::matches(&challenge, &format!("{text}x")) && !pkce::matches(text, text));
    if pkce::is_verifier(text) {
        assert!((43..=128).contains(&text.len()) && text.is_ascii() && !text.contains(['+', '/', '=', ' ']));
    }
}

/// RFC 9700 2.1: what matches a registered URI is the same text, or differs in the port of a loopback literal alone.
pub fn redirect_uri(data: &[u8]) {
    let Some([registered, requested]) = lines(data) else { return };
    let (Ok(registered), Ok(requested)) = (from_utf8(registered), from_utf8(requested)) else { return };
    let is_fine = uri::check(registered).is_ok();
    if is_fine {
        assert!(uri::matches(registered, registered) && !registered.contains('#') && registered.is_ascii());
        let parsed = Url::parse(registered).unwrap();
        let scheme = parsed.scheme();
        // RFC 3986 6.2: one place, one text; only the path may be left out.
        assert!(parsed.as_str() == registered || parsed.path() == "/", "{registered}");
        assert!(!registered.contains('*'));
        assert!(
            scheme == "https"
                || scheme.contains('.')
                || Url::parse(registered).is_ok_and(|url| uri::is_loopback(&url)),
            "{registered}"
        );
    }
    if is_fine && uri::matches(registered, requested) && registered != requested {
        let checked = uri::check(requested);
        assert!(
            matches!(checked, Ok(()) | Err(uri::InvalidRedirectUri::Form(_))),
            "{requested}: {checked:?}"
        );
        let parts = [registered, requested].map(|text| Url::parse(text).unwrap());
        let [one, other] = parts.map(|mut url| {
            assert!(url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "[::1]")), "{url}");
            url.set_port(None).unwrap();
            url
        });
        assert_eq!(one, other);
    }
}

/// What is written out can be read, is the same when it is written out again, and a name that can be read stays as it is.
pub fn name(data: &[u8]) {
    let Ok(name) = from_utf8(data) else { return };
    let shown = shown::escaped(name);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(shown::escaped(&shown), shown);
    if shown::check_readable(name).is_ok() {
        assert!(shown.chars().any(|char| !char.is_whitespace()));
        assert_eq!(shown::check_characters(name), Ok(()));
    }
    let _ = shown::check_script(name);
}

/// RFC 8265: a name that is accepted has one form, and every key is its own.
pub fn user_name(data: &[u8]) {
    let Ok(name) = from_utf8(data) else { return };
    for key in [user_name::username_key, user_name::email_key] {
        let once = key(name);
        assert_eq!(key(&once), once, "{name:?}");
        assert!(!once.contains(|char: char| char.is_ascii_uppercase()), "{once:?}");
    }
    if let Ok(prepared) = user_name::prepared(name) {
        assert_eq!(user_name::prepared(&prepared).as_ref(), Ok(&prepared), "{name:?}");
        assert_eq!(user_name::username_key(&prepared), user_name::username_key(name));
        assert!(!prepared.is_empty() && !prepared.contains(char::is_whitespace));
    }
}

/// RFC 7033: whoever asks for a resource of another host is told nothing.
pub fn webfinger(data: &[u8]) {
    const ISSUER: &str = "https://id.example/auth";
    let Ok(text) = from_utf8(data) else { return };
    let Some(answer) = finger::answer(ISSUER, text, std::iter::empty()) else { return };
    assert_eq!(answer["subject"], text);
    assert_eq!(answer["links"][0]["href"], ISSUER);
    if let Ok(url) = Url::parse(text)
        && url.scheme() != "acct"
    {
        assert_eq!(url.host_str(), Some("id.example"));
    }
}

/// RFC 8707 2: an absolute URI without a fragment.
pub fn resource(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if resources::check_uri(text).is_ok() {
        assert!(!text.contains('#') && !text.contains(char::is_whitespace));
        Url::parse(text).unwrap();
    }
}
