//! How a client is told who the user is: pairwise subjects, signed and encrypted ID tokens and UserInfo (OpenID Connect Registration 2).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::model::closed_set::closed_set;
use crate::model::{Algorithm, ContentEncryption, Encryption, KeyManagement};

/// How a client is told who the user is. A part of the metadata of [`ClientMetadata`](super::ClientMetadata).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientIdentity {
    /// Of introspection answers that are asked for as a JWT (RFC 9701 6). None: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<Algorithm>,
    /// None: `public`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_type: Option<SubjectType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<KeyManagement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<ContentEncryption>,
    /// None: UserInfo is plain JSON, or what is encrypted is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<Algorithm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<KeyManagement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<ContentEncryption>,
}

closed_set! {
    /// `subject_type` (OpenID Connect Core 8).
    pub enum SubjectType: Serialize + Deserialize {
        /// All clients get the same `sub` for a user.
        Public = "public",
        /// Clients of different sectors get different ones.
        Pairwise = "pairwise",
    }
}

impl ClientIdentity {
    pub fn id_token_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.id_token_encrypted_response_alg, self.id_token_encrypted_response_enc)
    }

    pub fn userinfo_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.userinfo_encrypted_response_alg, self.userinfo_encrypted_response_enc)
    }

    /// Whether something is encrypted with the client's secret.
    pub fn encrypts_with_secret(&self) -> bool {
        [self.id_token_encrypted_response_alg, self.userinfo_encrypted_response_alg]
            .into_iter()
            .flatten()
            .any(KeyManagement::is_symmetric)
    }

    pub fn is_pairwise(&self) -> bool {
        self.subject_type == Some(SubjectType::Pairwise)
    }
}

/// The sector that pairwise subjects are computed for (OpenID Connect Core 8.1): the host of the sector identifier, or
/// the one host of all redirect URIs. None: there are several hosts, or none that is the client's alone.
pub fn sector(sector_identifier_uri: Option<&str>, redirect_uris: &[String]) -> Option<String> {
    if let Some(uri) = sector_identifier_uri {
        return Url::parse(uri).ok()?.host_str().map(str::to_owned);
    }
    let mut hosts = redirect_uris.iter().map(|uri| host(uri));
    let first = hosts.next()??;
    hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// The host of a redirect URI, if it is a name: every native application has the same loopback address.
fn host(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    match url.host()? {
        Host::Domain(name) if name != "localhost" => Some(name.to_owned()),
        Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sector;

    #[test]
    fn the_sector_is_the_host_of_the_identifier_or_the_one_host_of_all_redirect_uris() {
        let of = |uri: Option<&str>, redirects: &[&str]| {
            let redirects: Vec<String> = redirects.iter().map(ToString::to_string).collect();
            sector(uri, &redirects)
        };
        let two = ["https://a.example/cb", "https://b.example/cb"];
        assert_eq!(of(Some("https://S.example/list"), &two).as_deref(), Some("s.example"));
        assert_eq!(of(None, &two), None);
        assert_eq!(
            of(None, &["https://a.example/1", "https://a.example:8443/2"]).as_deref(),
            Some("a.example")
        );
        for shared in ["http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb", "com.example.app:/cb"]
        {
            assert_eq!(of(None, &[shared]), None, "{shared}");
            assert_eq!(of(None, &["https://a.example/cb", shared]), None, "{shared}");
        }
        assert_eq!(of(None, &[]), None);
    }
}
