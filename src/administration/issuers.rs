//! Issuers that are believed: about users (RFC 7523 2.1), or about software (RFC 7591 2.3). To be one is not to be the other.

use serde::Serialize;

use super::{Administration, NotDone, Outcome, Refusal};
use crate::audit::Event;
use crate::config::Settings;
use crate::crypto::jwks::KeySet;
use crate::model::{KeySource, SoftwareIssuer, SubjectClaim, TrustedIssuer, text};
use crate::protocol::registration::InvalidMetadata;
use crate::protocol::remote_uri;

const LONGEST_ISSUER: usize = 512;

/// What an issuer is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Assertions,
    SoftwareStatements,
}

impl Purpose {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Assertions => "assertions",
            Self::SoftwareStatements => "software statements",
        }
    }
}

/// The same, with how it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// What of a local user the `sub` of an assertion is.
    Assertions(SubjectClaim),
    SoftwareStatements,
}

impl Trust {
    fn purpose(self) -> Purpose {
        match self {
            Self::Assertions(_) => Purpose::Assertions,
            Self::SoftwareStatements => Purpose::SoftwareStatements,
        }
    }
}

/// An issuer that is to be believed, with its keys, or where they are.
#[derive(Debug)]
pub(crate) struct NewIssuer {
    pub issuer: String,
    /// None where what was given could not be read.
    pub keys: Option<KeySource>,
    pub trust: Trust,
}

/// One that is believed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Issuer {
    Assertions(TrustedIssuer),
    SoftwareStatements(SoftwareIssuer),
}

impl Administration<'_> {
    /// `problems` is what of the request could not be read.
    pub(crate) async fn add_issuer(
        &self,
        new: NewIssuer,
        mut problems: Vec<InvalidMetadata>,
    ) -> Outcome<Issuer, Refusal> {
        problems.extend(issuer_problems(self.settings, &new));
        Refusal::of(problems)?;
        let NewIssuer { issuer: name, keys, trust } = new;
        let keys = keys.ok_or_else(without_keys)?;
        let (issuer, created_at) = (name.clone(), self.now());
        let noted = self.noted(Event::IssuerAdded { issuer: &name, purpose: trust.purpose().as_str() })?;
        let (added, issuer) = match trust {
            Trust::Assertions(subject_claim) => {
                let issuer = TrustedIssuer { issuer, keys, subject_claim, created_at };
                (self.storage.insert_trusted_issuer(noted, &issuer).await?, Issuer::Assertions(issuer))
            }
            Trust::SoftwareStatements => {
                let issuer = SoftwareIssuer { issuer, keys, created_at };
                (
                    self.storage.insert_software_issuer(noted, &issuer).await?,
                    Issuer::SoftwareStatements(issuer),
                )
            }
        };
        Refusal::unless_new(added, &name)?;
        Ok(issuer)
    }

    /// Believes an issuer no more. What came of it ends by itself, or stays.
    pub(crate) async fn remove_issuer(&self, purpose: Purpose, issuer: &str) -> Outcome<(), Refusal> {
        let noted = self.noted(Event::IssuerRemoved { issuer, purpose: purpose.as_str() })?;
        let removed = match purpose {
            Purpose::Assertions => self.storage.delete_trusted_issuer(noted, issuer).await?,
            Purpose::SoftwareStatements => self.storage.delete_software_issuer(noted, issuer).await?,
        };
        Refusal::unless_found(removed, issuer)
    }
}

fn without_keys() -> NotDone<Refusal> {
    let problem = "give jwks or jwks_uri".to_owned();
    NotDone::Refused(Refusal::Invalid(vec![InvalidMetadata { member: "jwks", problem }]))
}

fn issuer_problems(settings: &Settings, new: &NewIssuer) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    let name = &new.issuer;
    if name.len() > LONGEST_ISSUER || name.contains(' ') || text::check_readable(name).is_err() {
        let problem = format!("give what is in iss, 1 to {LONGEST_ISSUER} bytes without spaces");
        complain("issuer", problem);
    }
    if name == settings.server.issuer.as_str() {
        complain("issuer", "this server's own tokens are no assertions for it".to_owned());
    }
    let uri = new.keys.as_ref().and_then(KeySource::jwks_uri);
    let uri = uri.map(|uri| remote_uri::check(uri, settings.outbound.allow_private));
    if let Some(Err(error)) = uri {
        complain("jwks_uri", error.to_string());
    }
    match new.keys.as_ref().and_then(KeySource::jwks).map(KeySet::read_handed_over) {
        Some(Err(error)) => complain("jwks", error.to_string()),
        Some(Ok(keys)) if !keys.can_verify() => {
            complain("jwks", "no key in it can verify a signature".to_owned());
        }
        Some(Ok(_)) | None => {}
    }
    problems
}
