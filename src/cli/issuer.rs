//! `chancery issuer`: issuers whose assertions stand for a user's authorization (RFC 7523 2.1), and issuers whose
//! statements about software are believed (RFC 7591 2.3). To be one is not to be the other.

use serde::Serialize;
use serde_json::json;

use super::args::issuer::{IssuerAdd, IssuerCommand, IssuerPurpose};
use super::open::Office;
use super::{Failure, key_file, output};
use crate::audit::Event;
use crate::config::Settings;
use crate::crypto::jwks::KeySet;
use crate::model::{KeySource, SoftwareIssuer, TrustedIssuer, text};
use crate::protocol::remote_uri;
use crate::storage::Storage;

pub(super) async fn run(settings: Settings, command: IssuerCommand) -> Result<(), Failure> {
    let office = Office::open(&settings).await?;
    match command {
        IssuerCommand::Add(asked) => add(&office, asked).await?,
        IssuerCommand::List(asked) => list(&office.storage, asked.purpose, asked.output.json).await?,
        IssuerCommand::Remove(asked) => {
            remove(&office, asked.purpose, &asked.issuer, asked.output.json).await?;
        }
    }
    office.close().await
}

async fn add(office: &Office<'_>, asked: IssuerAdd) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let jwks = match asked.jwks.as_deref().map(key_file::read).transpose() {
        Ok(jwks) => jwks,
        Err(problem) => {
            problems.push(format!("jwks: {problem}"));
            None
        }
    };
    problems.extend(problems_of(office.settings, &asked));
    match jwks.as_ref().map(KeySet::read_handed_over) {
        Some(Err(error)) => problems.push(format!("jwks: {error}")),
        Some(Ok(keys)) if !keys.can_verify() => {
            problems.push("jwks: no key in it can verify a signature".to_owned());
        }
        Some(Ok(_)) | None => {}
    }
    let keys = KeySource::of(jwks, asked.jwks_uri);
    problems.extend(keys.as_ref().err().map(ToString::to_string));
    Failure::of("trusting the issuer", problems)?;
    let Ok(Some(keys)) = keys else { return Err(Failure::refused("give jwks or jwks_uri")) };
    let (name, as_json) = (asked.issuer.clone(), asked.output.json);
    let noting = || office.noting(Event::IssuerAdded { issuer: &name, purpose: what(asked.purpose) });
    let (added, document) = match asked.purpose {
        IssuerPurpose::Assertions => {
            let issuer = TrustedIssuer {
                issuer: asked.issuer,
                keys,
                subject_claim: asked.subject_claim,
                created_at: office.now,
            };
            (noting()?.insert_trusted_issuer(&issuer).await?, json!(issuer))
        }
        IssuerPurpose::SoftwareStatements => {
            let issuer = SoftwareIssuer { issuer: asked.issuer, keys, created_at: office.now };
            (noting()?.insert_software_issuer(&issuer).await?, json!(issuer))
        }
    };
    if !added {
        return Err(Failure::refused(format!(
            "the issuer {name} is trusted already\n    remove it first: `chancery issuer remove --issuer {name}`"
        )));
    }
    if as_json {
        return output::json(&document);
    }
    Ok(output::line(&format!("{} of {name} are trusted now", what(asked.purpose)))?)
}

fn what(purpose: IssuerPurpose) -> &'static str {
    match purpose {
        IssuerPurpose::Assertions => "assertions",
        IssuerPurpose::SoftwareStatements => "software statements",
    }
}

fn problems_of(settings: &Settings, asked: &IssuerAdd) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &asked.issuer;
    if name.len() > 512 || name.contains(' ') || text::check_readable(name).is_err() {
        problems.push("issuer: give what is in iss, 1 to 512 bytes without spaces".to_owned());
    }
    if name == settings.server.issuer.as_str() {
        problems.push("issuer: this server's own tokens are no assertions for it".to_owned());
    }
    if let Some(Err(error)) =
        asked.jwks_uri.as_deref().map(|uri| remote_uri::check(uri, settings.outbound.allow_private))
    {
        problems.push(format!("jwks_uri: {error}"));
    }
    problems
}

async fn list(storage: &Storage, purpose: IssuerPurpose, as_json: bool) -> Result<(), Failure> {
    match purpose {
        IssuerPurpose::Assertions => {
            let row = |issuer: &TrustedIssuer| {
                vec![
                    issuer.issuer.clone(),
                    issuer.subject_claim.as_str().to_owned(),
                    keys(&issuer.keys),
                    output::moment(issuer.created_at),
                ]
            };
            let heading = ["ISSUER", "SUBJECT IS", "KEYS", "TRUSTED SINCE"];
            print(&storage.trusted_issuers().await?, &heading, row, as_json)
        }
        IssuerPurpose::SoftwareStatements => {
            let row = |issuer: &SoftwareIssuer| {
                let (name, keys) = (issuer.issuer.clone(), keys(&issuer.keys));
                vec![name, keys, output::moment(issuer.created_at)]
            };
            print(&storage.software_issuers().await?, &["ISSUER", "KEYS", "TRUSTED SINCE"], row, as_json)
        }
    }
}

fn print<T: Serialize>(
    issuers: &[T],
    heading: &[&str],
    row: impl Fn(&T) -> Vec<String>,
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        return output::json(&issuers);
    }
    if issuers.is_empty() {
        return Ok(output::line("no issuer is trusted; `chancery issuer add` changes that")?);
    }
    Ok(output::table(heading, &issuers.iter().map(row).collect::<Vec<_>>())?)
}

fn keys(source: &KeySource) -> String {
    source.jwks_uri().cloned().unwrap_or_else(|| "given here".to_owned())
}

async fn remove(
    office: &Office<'_>,
    purpose: IssuerPurpose,
    issuer: &str,
    as_json: bool,
) -> Result<(), Failure> {
    let removed = Event::IssuerRemoved { issuer, purpose: what(purpose) };
    let storage = office.noting(removed)?;
    let (removed, rest) = match purpose {
        IssuerPurpose::Assertions => {
            (storage.delete_trusted_issuer(issuer).await?, "tokens that came of them end by themselves")
        }
        IssuerPurpose::SoftwareStatements => {
            (storage.delete_software_issuer(issuer).await?, "clients that came with them stay")
        }
    };
    let what = what(purpose);
    if !removed {
        return Err(Failure::refused(format!(
            "the issuer {issuer} is not trusted with {what}\n    `chancery issuer list` shows those that are"
        )));
    }
    if as_json {
        return output::json(&json!({ "issuer": issuer, "removed": true }));
    }
    Ok(output::line(&format!("{what} of {issuer} are trusted no more; {rest}"))?)
}
