//! The keyed chain: every hash is an HMAC under the master key over the hash before it and its own entry, so that
//! whoever has the database alone can neither change an entry nor compute the chain again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::digest;
use crate::crypto::master_key::MasterKey;
use crate::model::{AuditEntry, ChainedEntry, Mark, Timestamp};

/// Which end of the chain a mark is of.
#[derive(Debug, Clone, Copy)]
pub enum End {
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
pub fn seal(key: &MasterKey, mut entry: AuditEntry) -> AuditEntry {
    entry.tag = entry_tag(key, &entry);
    entry
}

/// Whether somebody with the master key wrote it.
pub fn is_genuine(key: &MasterKey, entry: &AuditEntry) -> bool {
    digest::equal(entry.tag.as_bytes(), entry_tag(key, entry).as_bytes())
}

fn entry_tag(key: &MasterKey, entry: &AuditEntry) -> String {
    let AuditEntry { id, at, ordinal, event, body, tag: _ } = entry;
    let (at, ordinal) = (at.unix().to_be_bytes(), ordinal.to_be_bytes());
    tag(key, &[b"audit entry", id.as_bytes(), &at, &ordinal, event.as_bytes(), body.as_bytes()])
}

/// The entry in this place, after the one with the hash `before`.
pub fn place(key: &MasterKey, number: i64, before: &str, entry: AuditEntry) -> ChainedEntry {
    let AuditEntry { id, at, event, body, ordinal: _, tag: _ } = entry;
    let mut placed = ChainedEntry { number, id, at, event, body, hash: String::new() };
    placed.hash = hash(key, before, &placed);
    placed
}

/// The hash that an entry has to have after this one.
pub fn hash(key: &MasterKey, before: &str, entry: &ChainedEntry) -> String {
    let ChainedEntry { number, id, at, event, body, hash: _ } = entry;
    let (number, at) = (number.to_be_bytes(), at.unix().to_be_bytes());
    let parts: [&[u8]; 7] =
        [b"audit log", before.as_bytes(), &number, id.as_bytes(), &at, event.as_bytes(), body.as_bytes()];
    tag(key, &parts)
}

/// A mark of this place.
pub fn mark(key: &MasterKey, end: End, number: i64, hash: &str) -> Mark {
    let tag = mark_tag(key, end, number, hash);
    Mark { number, hash: hash.to_owned(), tag }
}

/// Whether the server set this mark; where nothing was ever written, the migration did.
pub fn is_set_by_us(key: &MasterKey, end: End, mark: &Mark) -> bool {
    let untouched = mark.number == 0 && mark.hash.is_empty() && mark.tag.is_empty();
    untouched || digest::equal(mark.tag.as_bytes(), mark_tag(key, end, mark.number, &mark.hash).as_bytes())
}

fn mark_tag(key: &MasterKey, end: End, number: i64, hash: &str) -> String {
    tag(key, &[end.label(), &number.to_be_bytes(), hash.as_bytes()])
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
