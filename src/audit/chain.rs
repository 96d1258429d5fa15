//! The keyed chain: every hash is an HMAC under a data key over the hash before it and its own entry, so that whoever has
//! the database alone can neither change an entry nor compute the chain again. Data keys follow each other: after an
//! entry of one none of an earlier one is believed, and the ends are marked with one that counts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::digest;
use crate::crypto::master_key::MasterKey;
use crate::model::{AuditEntry, ChainedEntry, Mark, Timestamp};

/// Which end of the chain a mark is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Anchor,
    Head,
}

impl End {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Anchor => b"audit anchor",
            Self::Head => b"audit head",
        }
    }
}

fn tag(key: &MasterKey, parts: &[&[u8]]) -> String {
    URL_SAFE_NO_PAD.encode(key.tag(parts))
}

/// Tags an entry that waits for its place.
pub(super) fn seal(key: &MasterKey, mut entry: AuditEntry) -> AuditEntry {
    entry.tag = with_entry_parts(&entry, |parts| tag(key, parts));
    entry
}

/// Whether somebody with the master key wrote it.
pub(super) fn is_genuine(key: &MasterKey, entry: &AuditEntry) -> bool {
    with_entry_parts(entry, |parts| key.is_tag(parts, |tag| is(tag, &entry.tag)))
}

fn with_entry_parts<T>(entry: &AuditEntry, then: impl FnOnce(&[&[u8]]) -> T) -> T {
    let AuditEntry { id, at, ordinal, event, body, tag: _ } = entry;
    let (at, ordinal) = (at.unix().to_be_bytes(), ordinal.to_be_bytes());
    then(&[b"audit entry", id.as_bytes(), &at, &ordinal, event.as_bytes(), body.as_bytes()])
}

/// Whether a text is this tag.
fn is(tag: &[u8; 32], text: &str) -> bool {
    digest::equal(URL_SAFE_NO_PAD.encode(tag).as_bytes(), text.as_bytes())
}

/// The entry in this place, after the one with the hash `before`.
pub(super) fn place(key: &MasterKey, number: i64, before: &str, entry: AuditEntry) -> ChainedEntry {
    let AuditEntry { id, at, event, body, ordinal: _, tag: _ } = entry;
    let mut placed = ChainedEntry { number, id, at, event, body, hash: String::new() };
    placed.hash = hash(key, before, &placed);
    placed
}

/// The hash of an entry after this one.
fn hash(key: &MasterKey, before: &str, entry: &ChainedEntry) -> String {
    with_hash_parts(before, entry, |parts| tag(key, parts))
}

/// The number of the data key, none before `from`, with which this is the right hash of an entry after this one.
pub(super) fn hashed_by(key: &MasterKey, from: i64, before: &str, entry: &ChainedEntry) -> Option<i64> {
    with_hash_parts(before, entry, |parts| key.tagged_by(from, parts, |tag| is(tag, &entry.hash)))
}

fn with_hash_parts<T>(before: &str, entry: &ChainedEntry, then: impl FnOnce(&[&[u8]]) -> T) -> T {
    let ChainedEntry { number, id, at, event, body, hash: _ } = entry;
    let (number, at) = (number.to_be_bytes(), at.unix().to_be_bytes());
    let parts: [&[u8]; 7] =
        [b"audit log", before.as_bytes(), &number, id.as_bytes(), &at, event.as_bytes(), body.as_bytes()];
    then(&parts)
}

/// A mark of this place.
pub(super) fn mark(key: &MasterKey, end: End, number: i64, hash: &str) -> Mark {
    let tag = tag(key, &[end.label(), &number.to_be_bytes(), hash.as_bytes()]);
    Mark { number, hash: hash.to_owned(), tag }
}

/// Whether the server set this mark, with a data key that counts; where nothing was ever written, the migration did.
pub(super) fn is_set_by_us(key: &MasterKey, end: End, mark: &Mark) -> bool {
    let parts: [&[u8]; 3] = [end.label(), &mark.number.to_be_bytes(), mark.hash.as_bytes()];
    is_untouched(mark) || key.is_tag(&parts, |tag| is(tag, &mark.tag))
}

/// Whether this mark was set with a data key after the current one: by a process that knows already that it has begun.
pub(super) fn is_of_the_next(key: &MasterKey, end: End, mark: &Mark) -> bool {
    let parts: [&[u8]; 3] = [end.label(), &mark.number.to_be_bytes(), mark.hash.as_bytes()];
    !is_untouched(mark) && key.tagged_by(key.current_number() + 1, &parts, |tag| is(tag, &mark.tag)).is_some()
}

fn is_untouched(mark: &Mark) -> bool {
    mark.number == 0 && mark.hash.is_empty() && mark.tag.is_empty()
}

/// An entry as one line of JSON: its members, and its place.
pub fn line(entry: &ChainedEntry) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_str(&entry.body).unwrap_or_default();
    if !document.is_object() {
        document = serde_json::json!({ "unreadable": entry.body });
    }
    document["number"] = entry.number.into();
    document["id"] = entry.id.as_str().into();
    document["at"] = Timestamp::to_iso8601(entry.at).into();
    document["event"] = entry.event.as_str().into();
    document["hash"] = entry.hash.as_str().into();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> AuditEntry {
        AuditEntry {
            id: id.to_owned(),
            at: Timestamp::from_unix(1_800_000_000),
            ordinal: 1,
            event: "user.created".to_owned(),
            body: r#"{"user":"u"}"#.to_owned(),
            tag: String::new(),
        }
    }

    #[test]
    fn every_member_of_an_entry_counts() {
        let key = MasterKey::parse(&MasterKey::generate()).unwrap();
        let sealed = seal(&key, entry("a"));
        assert!(is_genuine(&key, &sealed));
        let changes: [fn(&mut AuditEntry); 5] = [
            |entry| entry.id.push('x'),
            |entry| entry.at = entry.at.plus(1),
            |entry| entry.ordinal += 1,
            |entry| entry.event.push('x'),
            |entry| entry.body.push(' '),
        ];
        for change in changes {
            let mut changed = sealed.clone();
            change(&mut changed);
            assert!(!is_genuine(&key, &changed), "{changed:?}");
        }
        assert!(!is_genuine(&MasterKey::parse(&MasterKey::generate()).unwrap(), &sealed));
    }

    #[test]
    fn a_place_depends_on_everything_before_it() {
        let key = MasterKey::parse(&MasterKey::generate()).unwrap();
        let chain = |ids: [&str; 2]| {
            let first = place(&key, 1, "", entry(ids[0]));
            place(&key, 2, &first.hash, entry(ids[1]))
        };
        assert_eq!(chain(["a", "b"]), chain(["a", "b"]));
        assert_ne!(chain(["a", "b"]).hash, chain(["c", "b"]).hash);
    }

    #[test]
    fn a_mark_is_of_one_end_and_one_place() {
        let key = MasterKey::parse(&MasterKey::generate()).unwrap();
        let head = mark(&key, End::Head, 7, "h");
        assert!(is_set_by_us(&key, End::Head, &head));
        assert!(!is_set_by_us(&key, End::Anchor, &head));
        assert!(!is_set_by_us(&key, End::Head, &Mark { number: 6, ..head.clone() }));
        assert!(is_set_by_us(&key, End::Head, &Mark { number: 0, hash: "".into(), tag: "".into() }));
        assert!(!is_set_by_us(&key, End::Head, &Mark { number: 1, hash: "".into(), tag: "".into() }));
    }
}
