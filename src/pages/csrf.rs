//! Cross-site request forgery: every form carries a tag that only this browser's pages can hold.
//!
//! The tag is an HMAC over the browser's random name and its session, so it needs no storage, dies with the session,
//! and cannot be taken from one browser to another (which also covers sign-in itself).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::digest;
use crate::crypto::master_key::MasterKey;
use crate::model::SessionId;

/// The tag for the forms of a browser; `session` is none before sign-in.
pub(super) fn token(key: &MasterKey, browser: &str, session: Option<&SessionId>) -> String {
    URL_SAFE_NO_PAD.encode(key.tag(&parts(browser, session)))
}

/// Whether a form's tag is the right one.
pub(super) fn is_right(
    key: &MasterKey,
    browser: &str,
    session: Option<&SessionId>,
    sent: Option<&str>,
) -> bool {
    let sent = sent.and_then(|sent| URL_SAFE_NO_PAD.decode(sent).ok());
    sent.is_some_and(|sent| key.is_tag(&parts(browser, session), |tag| digest::equal(&sent, tag)))
}

fn parts<'p>(browser: &'p str, session: Option<&'p SessionId>) -> [&'p [u8]; 3] {
    [b"csrf", browser.as_bytes(), session.map_or("", SessionId::as_str).as_bytes()]
}
