//! Handles: the one form of every code, refresh token, session cookie and verifier.
//!
//! A handle is `id . generation . tag`. The id finds a row, the generation says which of the row's successive handles
//! this is, and the tag is an HMAC under a data key over purpose, id, generation and the row's random salt. So the
//! database holds nothing that could be presented, the master key alone forges nothing, and the handle of a known row
//! can be computed again (which is what makes a lost refresh response harmless).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::digest;
use super::master_key::MasterKey;
use crate::model::Secret;

const ID: usize = 16;
const GENERATION: usize = 4;
/// 128 bits: RFC 6749 10.10 asks for a chance of guessing of at most 2^-128.
const TAG: usize = 16;
const LENGTH: usize = ID + GENERATION + TAG;

/// What a handle is for; one made for one purpose is worth nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    AuthorizationCode,
    RefreshToken,
    Session,
    DeviceCode,
    /// What a client manages its own registration with (RFC 7592 1.2).
    RegistrationAccessToken,
    /// What lets a client be registered (RFC 7591 1.2).
    InitialAccessToken,
    /// `request_uri` of a pushed authorization request (RFC 9126); its salt is the client's id.
    PushedRequest,
    /// What the browser brings back from an external page.
    Verifier,
}

impl Purpose {
    /// What the text begins with. Lets secret scanners, and introspection, tell what they see.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "cy_ac_",
            Self::RefreshToken => "cy_rt_",
            Self::Session => "cy_st_",
            Self::DeviceCode => "cy_dc_",
            Self::RegistrationAccessToken => "cy_ra_",
            Self::InitialAccessToken => "cy_ia_",
            Self::PushedRequest => "cy_pr_",
            Self::Verifier => "cy_cv_",
        }
    }
}

/// A handle as presented: well-formed, but not yet known to be genuine.
#[derive(Debug, Clone)]
pub struct Handle {
    purpose: Purpose,
    id: [u8; ID],
    generation: u32,
    tag: [u8; TAG],
}

impl Handle {
    /// Reads a handle of this purpose. None for anything else.
    pub fn parse(purpose: Purpose, text: &str) -> Option<Self> {
        let body = text.strip_prefix(purpose.prefix())?;
        let mut bytes = [0; LENGTH];
        if URL_SAFE_NO_PAD.decode_slice(body, &mut bytes).ok()? != LENGTH {
            return None;
        }
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (generation, rest) = rest.split_first_chunk::<GENERATION>()?;
        let (tag, _) = rest.split_first_chunk::<TAG>()?;
        Some(Self { purpose, id: *id, generation: u32::from_be_bytes(*generation), tag: *tag })
    }

    /// The id of the row it names.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether this server made it, for a row with this salt.
    pub fn is_genuine(&self, key: &MasterKey, salt: &str) -> bool {
        let generation = self.generation.to_be_bytes();
        key.is_tag(&parts(self.purpose, &self.id, &generation, salt), |tag| {
            digest::equal(&self.tag, &tag[..TAG])
        })
    }
}

/// Makes the handle of a row. None where `id` is not one that [`super::random::id`] made.
pub fn issue(key: &MasterKey, purpose: Purpose, id: &str, generation: u32, salt: &str) -> Option<Secret> {
    let mut bytes = [0; LENGTH];
    let mut id_bytes = [0; ID];
    if URL_SAFE_NO_PAD.decode_slice(id, &mut id_bytes).ok()? != ID {
        return None;
    }
    bytes[..ID].copy_from_slice(&id_bytes);
    let generation = generation.to_be_bytes();
    bytes[ID..ID + GENERATION].copy_from_slice(&generation);
    let tag = key.tag(&parts(purpose, &id_bytes, &generation, salt));
    bytes[ID + GENERATION..].copy_from_slice(&tag[..TAG]);
    let mut text = String::with_capacity(purpose.prefix().len() + LENGTH / 3 * 4);
    text.push_str(purpose.prefix());
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    Some(Secret::new(text))
}

/// What the tag is of.
fn parts<'p>(
    purpose: Purpose,
    id: &'p [u8; ID],
    generation: &'p [u8; GENERATION],
    salt: &'p str,
) -> [&'p [u8]; 4] {
    [purpose.prefix().as_bytes(), id, generation, salt.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::{Handle, Purpose, issue};
    use crate::crypto::master_key::MasterKey;
    use crate::crypto::random;

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate()).unwrap()
    }

    #[test]
    fn a_handle_names_its_row_and_generation_and_is_genuine() {
        let (key, id) = (key(), random::id());
        let text = issue(&key, Purpose::RefreshToken, &id, 7, "salt").unwrap();
        let handle = Handle::parse(Purpose::RefreshToken, text.expose()).unwrap();
        assert_eq!((handle.id(), handle.generation()), (id, 7));
        assert!(handle.is_genuine(&key, "salt"));
    }

    #[test]
    fn a_handle_is_computed_again_the_same() {
        let (key, id) = (key(), random::id());
        let make = || issue(&key, Purpose::RefreshToken, &id, 1, "salt").unwrap().expose().to_owned();
        assert_eq!(make(), make());
    }

    #[test]
    fn another_salt_key_generation_or_purpose_makes_it_worthless() {
        let (key, id) = (key(), random::id());
        let text = issue(&key, Purpose::RefreshToken, &id, 1, "salt").unwrap();
        let handle = Handle::parse(Purpose::RefreshToken, text.expose()).unwrap();
        assert!(!handle.is_genuine(&key, "other"));
        assert!(!handle.is_genuine(&self::key(), "salt"));
        assert!(Handle::parse(Purpose::AuthorizationCode, text.expose()).is_none());
        let moved = text.expose().replacen("cy_rt_", "cy_ac_", 1);
        assert!(!Handle::parse(Purpose::AuthorizationCode, &moved).unwrap().is_genuine(&key, "salt"));
        let later = Handle { generation: 2, ..handle };
        assert!(!later.is_genuine(&key, "salt"));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let (key, id) = (key(), random::id());
        let text = issue(&key, Purpose::Session, &id, 0, "salt").unwrap().expose().to_owned();
        for position in "cy_st_".len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let genuine = Handle::parse(Purpose::Session, &changed)
                .is_some_and(|handle| handle.is_genuine(&key, "salt"));
            assert!(!genuine, "position {position}");
        }
    }

    #[test]
    fn malformed_texts_are_no_handles() {
        for text in ["", "cy_st_", "cy_st_AAAA", "cy_st_!!!!", "Bearer x", &"A".repeat(5000)] {
            assert!(Handle::parse(Purpose::Session, text).is_none(), "{text:?}");
        }
    }
}
