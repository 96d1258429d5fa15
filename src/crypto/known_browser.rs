//! The browsers in which somebody has signed in before: a cookie with a random name of the browser and a tag for each of a
//! few users. It shows that the right password was given there once. It signs nobody in: it makes the wrong passwords of
//! strangers count for themselves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::master_key::MasterKey;
use super::{digest, random};
use crate::model::UserId;

/// Users of one browser; the one who signed in the longest ago goes first.
const MOST: usize = 5;
/// Characters of the name and of each tag: 128 bits.
const PART: usize = 22;
const SEPARATOR: char = ':';

/// What a browser brings, well-formed, but not yet known to be genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBrowser {
    id: String,
    tags: Vec<String>,
}

impl KnownBrowser {
    /// Reads the cookie. None for anything that is not one.
    pub fn parse(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split(SEPARATOR).map(str::to_owned);
        let id = parts.next()?;
        let tags: Vec<String> = parts.take(MOST + 1).collect();
        let fits = |part: &String| {
            part.len() == PART && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        (fits(&id) && tags.len() <= MOST && tags.iter().all(fits)).then_some(Self { id, tags })
    }

    /// The browser's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this user has signed in here. `since` is something that changes with their password, and when
    /// all their sign-ins are ended.
    pub fn knows(&self, key: &MasterKey, user: &UserId, since: &str) -> bool {
        let is_known = |tag: &[u8; 32]| {
            let tag = written(tag);
            self.tags.iter().any(|known| digest::equal(known.as_bytes(), tag.as_bytes()))
        };
        key.is_tag(&parts(&self.id, user, since), is_known)
    }

    /// The same browser, or a new one, after this user has signed in.
    pub fn after_sign_in(before: Option<&Self>, key: &MasterKey, user: &UserId, since: &str) -> Self {
        let id = before.map_or_else(random::id, |before| before.id.clone());
        let tag = written(&key.tag(&parts(&id, user, since)));
        let others = before.map(|before| before.tags.as_slice()).unwrap_or_default();
        let others = others.iter().filter(|other| **other != tag).take(MOST - 1).cloned();
        let tags = std::iter::once(tag.clone()).chain(others).collect();
        Self { id, tags }
    }

    /// The cookie's value.
    pub fn cookie(&self) -> String {
        let parts = std::iter::once(&self.id).chain(&self.tags);
        parts.map(String::as_str).collect::<Vec<_>>().join(&SEPARATOR.to_string())
    }
}

fn parts<'p>(id: &'p str, user: &'p UserId, since: &'p str) -> [&'p [u8]; 4] {
    [b"known browser", id.as_bytes(), user.as_str().as_bytes(), since.as_bytes()]
}

fn written(tag: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&tag[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate()).unwrap()
    }

    #[test]
    fn a_browser_is_known_to_who_signed_in_there_until_their_password_changes() {
        let (key, ada) = (key(), UserId::new("ada"));
        let browser = KnownBrowser::after_sign_in(None, &key, &ada, "1");
        let read = KnownBrowser::parse(&browser.cookie()).unwrap();
        assert!(read == browser && read.knows(&key, &ada, "1"));
        assert!(!read.knows(&key, &ada, "2") && !read.knows(&key, &UserId::new("bob"), "1"));
        assert!(!read.knows(&self::key(), &ada, "1"));
        let elsewhere = KnownBrowser { id: random::id(), ..read };
        assert!(!elsewhere.knows(&key, &ada, "1"), "a tag is worth nothing beside another name");
    }

    #[test]
    fn few_users_are_remembered_and_each_once() {
        let (key, mut browser) = (key(), None);
        let user = |number: usize| UserId::new(number.to_string());
        for number in [0, 1, 2, 3, 4, 5, 1] {
            browser = Some(KnownBrowser::after_sign_in(browser.as_ref(), &key, &user(number), "1"));
        }
        let browser = browser.unwrap();
        let known: Vec<_> = (0..6).filter(|number| browser.knows(&key, &user(*number), "1")).collect();
        assert_eq!(known, [1, 2, 3, 4, 5]);
        assert_eq!(browser.cookie().len(), 6 * PART + 5);
        assert!(!browser.cookie().contains("ada"));
    }

    #[test]
    fn what_is_not_such_a_cookie_is_none() {
        let good = KnownBrowser::after_sign_in(None, &key(), &UserId::new("ada"), "1").cookie();
        for text in
            ["", ":", "x", &good[1..], &format!("{good}:"), &format!("{good}A"), &good.replace(':', ".")]
        {
            assert_eq!(KnownBrowser::parse(text), None, "{text}");
        }
        assert_eq!(KnownBrowser::parse(&[&good[..PART]; 7].join(":")), None);
    }
}
