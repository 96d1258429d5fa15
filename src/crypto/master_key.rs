//! The master key: 256 bits that the data keys of this installation are sealed under (docs/adr/0054). With the data keys
//! everything else is sealed, tagged and derived.
//!
//! From the master key itself come a key to seal the data keys with and a name for it (HKDF-SHA256, RFC 5869). An
//! installation from before there were data keys has one whose parts are derived from its master key, as they were then.

mod master;
mod ring;

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::data_key::{self, DataKey, Material};
pub use super::master_key_error::MasterKeyError;
use super::{digest, random};
use crate::model::{DataKeyState, SealedDataKey, Secret, Timestamp};
use master::Master;
use ring::Ring;

/// The master key, the ones before it, and the data keys that they open.
pub struct MasterKey {
    /// What data keys are sealed under first.
    masters: Vec<Master>,
    ring: RwLock<Arc<Ring>>,
}

/// Making and reading: with the current data key, and with any that counts.
impl MasterKey {
    /// Encrypts `plain` for the place named `purpose`; it opens only for the same purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Secret, MasterKeyError> {
        self.ring().current.seal(purpose, plain)
    }

    /// Opens what [`MasterKey::seal`] made.
    pub fn open(&self, purpose: &str, sealed: &Secret) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let ring = self.ring();
        let opened = ring.counting().find_map(|key| key.open(purpose, sealed).ok());
        opened.ok_or(MasterKeyError::WrongKey)
    }

    /// The same under the current data key. None: it is already.
    pub fn reseal(&self, purpose: &str, sealed: &Secret) -> Result<Option<Secret>, MasterKeyError> {
        let ring = self.ring();
        if ring.current.open(purpose, sealed).is_ok() {
            return Ok(None);
        }
        let opened = ring.keys.iter().find_map(|key| key.open(purpose, sealed).ok());
        ring.current.seal(purpose, &opened.ok_or(MasterKeyError::WrongKey)?).map(Some)
    }

    /// Encrypts a token for `purpose`.
    pub fn seal_token(&self, purpose: &str, plain: &[u8]) -> Result<String, MasterKeyError> {
        self.ring().current.seal_apart(purpose, plain)
    }

    /// Opens what [`MasterKey::seal_token`] made for the same purpose.
    pub fn open_token(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        self.ring().counting().find_map(|key| key.open_apart(purpose, bytes.clone()))
    }

    /// HMAC-SHA256 over `parts`, each preceded by its length, so that no two lists give the same input.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.ring().current.tag(parts)
    }

    /// The tags of `parts` that count, the one of now first.
    pub fn tags(&self, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        self.ring().counting().map(|key| key.tag(parts)).collect()
    }

    /// Whether `is_it` says so of a tag of `parts` that counts.
    pub fn is_tag(&self, parts: &[&[u8]], is_it: impl Fn(&[u8; 32]) -> bool) -> bool {
        self.ring().counting().any(|key| is_it(&key.tag(parts)))
    }

    /// The number of the data key, ended or not, from `from` on, of whose tag of `parts` `is_it` says so.
    pub fn tagged_by(&self, from: i64, parts: &[&[u8]], is_it: impl Fn(&[u8; 32]) -> bool) -> Option<i64> {
        let ring = self.ring();
        let mut later = ring.keys.iter().filter(|key| key.number >= from);
        later.find(|key| is_it(&key.tag(parts))).map(|key| key.number)
    }

    /// 256 bits that are the same for the same `parts` while the data key is: a key. The first part says what for.
    pub fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.ring().current.derive(parts)
    }

    /// The same of each data key that counts, the current one first.
    pub fn derive_all(&self, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        self.ring().counting().map(|key| key.derive(parts)).collect()
    }

    /// 256 bits that never change as long as there is this installation: a name that nobody can trace back.
    pub fn lasting(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.first().derive(parts)
    }

    /// A tag that never changes; for what is compared by others and lets nobody in.
    pub fn lasting_tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.first().tag(parts)
    }
}

/// The keys themselves.
impl MasterKey {
    /// Reads the base64 (standard or URL-safe, padded or not) of 32 bytes. Until [`MasterKey::load`] its one data key is the
    /// one that is derived from it.
    pub fn parse(text: &Secret) -> Result<Self, MasterKeyError> {
        let master = Master::parse(text)?;
        let first = Arc::new(DataKey::new(1, DataKeyState::Current, &master.derived)?);
        let ring = RwLock::new(Arc::new(Ring::new(vec![first], Vec::new())?));
        Ok(Self { masters: vec![master], ring })
    }

    /// With the ones before it: what is sealed under one of them opens too.
    pub fn with_previous(mut self, texts: &[Secret]) -> Result<Self, MasterKeyError> {
        for text in texts {
            let master = Master::parse(text)?;
            if self.masters.iter().all(|known| known.id != master.id) {
                self.masters.push(master);
            }
        }
        Ok(self)
    }

    /// A new master key, in the form that [`MasterKey::parse`] reads.
    pub fn generate() -> Secret {
        Secret::new(STANDARD.encode(random::bytes::<32>()))
    }

    /// What the master key is called; it tells nothing about it.
    pub fn id(&self) -> &str {
        self.masters.first().map_or("", |master| &master.id)
    }

    /// The ids of the ones before it.
    pub fn previous_ids(&self) -> impl Iterator<Item = &str> {
        self.masters.iter().skip(1).map(|master| master.id.as_str())
    }

    /// Those of them that seal nothing any more.
    pub fn idle_previous(&self) -> Vec<String> {
        let ring = self.ring();
        let is_idle = |id: &&str| ring.sealed_under.iter().all(|needed| needed != id);
        self.previous_ids().filter(is_idle).map(str::to_owned).collect()
    }

    /// The number of the data key that things are made with.
    pub fn current_number(&self) -> i64 {
        self.ring().current.number
    }

    /// A data key of random bits, sealed.
    pub fn new_data_key(
        &self,
        number: i64,
        state: DataKeyState,
        now: Timestamp,
    ) -> Result<SealedDataKey, MasterKeyError> {
        self.sealed(number, state, &data_key::random_material(), now)
    }

    /// The first data key of an installation that worked without: one that is derived from a master key that `opens` something
    /// it keeps. None: no master key does.
    pub fn adopted_data_key(
        &self,
        now: Timestamp,
        opens: impl Fn(&Self) -> bool,
    ) -> Result<Option<SealedDataKey>, MasterKeyError> {
        for master in &self.masters {
            let first = Arc::new(DataKey::new(1, DataKeyState::Current, &master.derived)?);
            self.replace(Ring::new(vec![first], Vec::new())?);
            if opens(self) {
                return self.sealed(1, DataKeyState::Current, &master.derived, now).map(Some);
            }
        }
        Ok(None)
    }

    fn sealed(
        &self,
        number: i64,
        state: DataKeyState,
        material: &Material,
        created_at: Timestamp,
    ) -> Result<SealedDataKey, MasterKeyError> {
        let master = self.masters.first().ok_or(MasterKeyError::Malformed)?;
        let sealed = master.seal(number, state, material)?;
        Ok(SealedDataKey { number, state, sealed, sealed_under: master.id.clone(), created_at })
    }

    /// The same data key in this state, under the first master key. None: it is as it should be.
    pub fn reseal_data_key(
        &self,
        key: &SealedDataKey,
        state: DataKeyState,
    ) -> Result<Option<SealedDataKey>, MasterKeyError> {
        if key.sealed_under == self.id() && key.state == state {
            return Ok(None);
        }
        self.sealed(key.number, state, &self.material(key)?, key.created_at).map(Some)
    }

    /// The id of the master key of these that a data key is derived from: whoever knows it knows the data key.
    pub fn derived_from(&self, key: &SealedDataKey) -> Option<&str> {
        let material = self.material(key).ok()?;
        let same = |master: &&Master| digest::equal(&*master.derived, &*material);
        self.masters.iter().find(same).map(|master| master.id.as_str())
    }

    fn material(&self, key: &SealedDataKey) -> Result<Material, MasterKeyError> {
        self.masters.iter().find_map(|master| master.open(key)).ok_or_else(|| MasterKeyError::Sealed {
            number: key.number,
            needed: key.sealed_under.clone(),
            given: self.masters.iter().map(|master| master.id.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Works with these data keys from now on. One that does not open is an error, unless it was known before: a process that
    /// was not given the new master key goes on with what it has.
    pub fn load(&self, keys: &[SealedDataKey], are_known: bool) -> Result<(), MasterKeyError> {
        let before = self.ring();
        let mut ring = Vec::with_capacity(keys.len());
        for key in keys {
            let opened = self.material(key);
            let known = before.keys.iter().find(|known| are_known && known.number == key.number);
            ring.push(Arc::new(match (opened, known) {
                (Ok(material), _) => DataKey::new(key.number, key.state, &material)?,
                // What has ended stays so.
                (Err(_), Some(known)) if known.counts() => known.in_state(key.state),
                (Err(_), Some(known)) => known.in_state(known.state),
                (Err(error), _) => return Err(error),
            }));
        }
        self.replace(Ring::new(ring, keys.iter().map(|key| key.sealed_under.clone()).collect())?);
        Ok(())
    }

    fn first(&self) -> Arc<DataKey> {
        let ring = self.ring();
        Arc::clone(ring.keys.first().unwrap_or(&ring.current))
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, ring: Ring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::MasterKey;
    use crate::model::Secret;

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_purpose_only() {
        let key = key();
        let sealed = key.seal("signing key", b"private").unwrap();
        assert_eq!(&**key.open("signing key", &sealed).unwrap(), b"private");
        assert!(key.open("client secret", &sealed).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let sealed = key().seal("signing key", b"private").unwrap();
        assert!(key().open("signing key", &sealed).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let key = key();
        let sealed = key.seal("signing key", b"private").unwrap();
        let mut text = sealed.expose().to_owned();
        let flipped = if text[20..].starts_with('A') { "B" } else { "A" };
        text.replace_range(20..21, flipped);
        assert!(key.open("signing key", &Secret::new(text)).is_err());
    }

    #[test]
    fn tags_depend_on_where_one_part_ends_and_the_next_begins() {
        let key = key();
        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(MasterKey::parse(&Secret::new("c2hvcnQ=")).is_err());
        assert!(MasterKey::parse(&Secret::new("not base64!")).is_err());
    }

    #[test]
    fn a_sealed_token_opens_whole_for_its_purpose_and_its_key_only() {
        let key = key();
        let sealed = key.seal_token("access token", b"claims").unwrap();
        assert_eq!(key.open_token("access token", &sealed).as_deref(), Some(&b"claims"[..]));
        assert_ne!(key.seal_token("access token", b"claims").unwrap(), sealed);
        assert_eq!(key.open_token("another purpose", &sealed), None);
        assert_eq!(self::key().open_token("access token", &sealed), None);
        // What is sealed for the database is no token.
        let stored = key.seal("access token", b"claims").unwrap();
        assert_eq!(key.open_token("access token", stored.expose()), None);
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(key.open_token("access token", &URL_SAFE_NO_PAD.encode(&changed)), None, "{at}");
            assert_eq!(key.open_token("access token", &URL_SAFE_NO_PAD.encode(&bytes[..at])), None, "{at}");
        }
    }
}
