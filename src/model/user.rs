//! A person who signs in, with the standard claims of OpenID Connect Core 5.1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// A user. The password's hash is not in it: only sign-in asks the storage for that.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub phone_number: Option<String>,
    pub phone_number_verified: bool,
    pub profile: Profile,
    pub groups: Vec<String>,
    pub disabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How often everything that a user's sign-ins made had been ended when they proved who they are: the proof counts while
/// it stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInGeneration(i64);

/// How often a user had taken access back when they said yes to something: the yes counts while it stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentGeneration(i64);

macro_rules! generation {
    ($($name:ident),+) => {$(
        impl $name {
            /// That of a new user.
            pub const FIRST: Self = Self(0);

            pub const fn new(number: i64) -> Self {
                Self(number)
            }

            pub const fn number(self) -> i64 {
                self.0
            }
        }
    )+};
}

generation!(SignInGeneration, ConsentGeneration);

impl SignInGeneration {
    /// Somebody was vouched for who was no user yet.
    pub const OF_NOBODY: Self = Self(-1);
}

impl User {
    /// What pages call them.
    pub fn display_name(&self) -> &str {
        self.profile.name.as_deref().unwrap_or(&self.username)
    }
}

/// The claims behind the `profile` and `address` scopes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Claims in a language, by their whole names: `given_name#ja-Hira` (OpenID Connect Core 5.2).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub localized: BTreeMap<String, String>,
}

/// OpenID Connect Core 5.1.1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Address {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}
