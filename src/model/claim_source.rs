//! Where the value of an extra claim comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Extra claims of a client's tokens, by name.
pub type ClaimsMapping = BTreeMap<String, ClaimSource>;

const CONSTANT: &str = "const:";
const PROFILE: &str = "user.profile.";
/// The members of [`super::Profile`].
const PROFILE_MEMBERS: [&str; 13] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
];

/// An attribute of the user, or a text that is always the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimSource {
    Id,
    Username,
    Email,
    EmailVerified,
    PhoneNumber,
    PhoneNumberVerified,
    Groups,
    /// A member of the user's profile.
    Profile(&'static str),
    Constant(String),
}

/// A text that names no source.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is no source: write user.id, user.username, user.email, user.email_verified, user.phone_number, \
     user.phone_number_verified, user.groups, user.profile.locale (or another claim of the profile), or const:TEXT"
)]
pub struct UnknownSource(String);

impl FromStr for ClaimSource {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(constant) = text.strip_prefix(CONSTANT) {
            return Ok(Self::Constant(constant.to_owned()));
        }
        let unknown = || UnknownSource(text.to_owned());
        if let Some(member) = text.strip_prefix(PROFILE) {
            let known = PROFILE_MEMBERS.into_iter().find(|known| *known == member);
            return known.map(Self::Profile).ok_or_else(unknown);
        }
        match text {
            "user.id" => Ok(Self::Id),
            "user.username" => Ok(Self::Username),
            "user.email" => Ok(Self::Email),
            "user.email_verified" => Ok(Self::EmailVerified),
            "user.phone_number" => Ok(Self::PhoneNumber),
            "user.phone_number_verified" => Ok(Self::PhoneNumberVerified),
            "user.groups" => Ok(Self::Groups),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for ClaimSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("user.id"),
            Self::Username => f.write_str("user.username"),
            Self::Email => f.write_str("user.email"),
            Self::EmailVerified => f.write_str("user.email_verified"),
            Self::PhoneNumber => f.write_str("user.phone_number"),
            Self::PhoneNumberVerified => f.write_str("user.phone_number_verified"),
            Self::Groups => f.write_str("user.groups"),
            Self::Profile(member) => write!(f, "{PROFILE}{member}"),
            Self::Constant(text) => write!(f, "{CONSTANT}{text}"),
        }
    }
}

impl Serialize for ClaimSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Written by hand: what is derived would borrow the member of the profile from the document.
impl<'de> Deserialize<'de> for ClaimSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{ClaimSource, PROFILE_MEMBERS};
    use crate::model::{Address, Profile};

    #[test]
    fn every_source_is_written_as_it_is_read() {
        for text in
            ["user.id", "user.groups", "user.profile.locale", "user.email_verified", "const:", "const:a=b"]
        {
            assert_eq!(text.parse::<ClaimSource>().unwrap().to_string(), text);
        }
        for text in
            ["", "user", "user.password", "user.profile.", "user.profile.shoe_size", "email", "CONST:a"]
        {
            assert!(text.parse::<ClaimSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_member_of_a_profile_can_be_a_source() {
        let text = || Some(String::new());
        let profile = Profile {
            name: text(),
            given_name: text(),
            family_name: text(),
            middle_name: text(),
            nickname: text(),
            profile: text(),
            picture: text(),
            website: text(),
            gender: text(),
            birthdate: text(),
            zoneinfo: text(),
            locale: text(),
            address: Some(Address::default()),
            // No member of its own: each is a claim with a language.
            localized: Default::default(),
        };
        let profile = serde_json::to_value(profile).unwrap();
        let mut members: Vec<&str> = profile.as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = PROFILE_MEMBERS.to_vec();
        members.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, members);
    }
}
