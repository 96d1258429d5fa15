//! Where a registration comes from and what it says of the software (RFC 7591 2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::closed_set::closed_set;

/// Where a registration comes from and what it says of the software. A part of the metadata of [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientOrigin {
    /// Which redirect URIs it may have (OpenID Connect Registration 2). None: the operator knows what they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// How to reach the people who run it; for the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// The statement it was registered with, as it came (RFC 7591 3.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_statement: Option<String>,
    /// What a person reads, in other languages (RFC 7591 2.2): by member and language tag, as `client_name#fr`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub localized: BTreeMap<String, String>,
    /// Access tokens from up to this moment that no grant vouches for are good no more: the operator ended all access of
    /// the client then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_not_before: Option<Timestamp>,
    /// None: the operator registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_registered: Option<SelfRegistered>,
}

impl ClientOrigin {
    /// What `member` says in the language `tag`, where it says something in it.
    pub fn localized(&self, member: &str, tag: &str) -> Option<&str> {
        let in_language = |(name, _): &(&String, &String)| {
            let found = name.strip_prefix(member).and_then(|rest| rest.strip_prefix('#'));
            // RFC 7591 2.2: compared without regard to case; a region narrows what its language says.
            found.is_some_and(|found| primary(found).eq_ignore_ascii_case(primary(tag)))
        };
        self.localized.iter().find(in_language).map(|(_, text)| text.as_str())
    }
}

/// The language of a language tag (RFC 5646 2.2.1).
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

closed_set! {
    /// `application_type` (OpenID Connect Registration 2).
    pub enum ApplicationType: Serialize + Deserialize {
        Web = "web",
        Native = "native",
    }
}

/// That nobody here has looked at a client: it came by the registration endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfRegistered {
    /// The name of the initial access token it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_access_token: Option<String>,
    /// When it is removed, while nobody has used it. Not a part of the metadata.
    #[serde(skip)]
    pub unused_until: Option<Timestamp>,
}
