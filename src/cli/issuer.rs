//! `chancery issuer`: issuers whose assertions stand for a user's authorization (RFC 7523 2.1).

use serde_json::json;

use super::args::issuer::{IssuerAdd, IssuerCommand, SubjectClaimArg};
use super::{Failure, key_file, open, output};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::jwks::KeySet;
use crate::model::{SubjectClaim, Timestamp, TrustedIssuer};
use crate::outbound::Outbound;
use crate::storage::Storage;

pub async fn run(settings: Settings, command: IssuerCommand) -> Result<(), Failure> {
    let storage = open::storage(&settings).await?;
    match command {
        IssuerCommand::Add(asked) => add(&settings, &storage, asked, Clock::System.now()).await?,
        IssuerCommand::List(output) => list(&storage, output.json).await?,
        IssuerCommand::Remove(asked) => remove(&storage, &asked.issuer, asked.output.json).await?,
    }
    storage.db().close().await;
    Ok(())
}

async fn add(
    settings: &Settings,
    storage: &Storage,
    asked: IssuerAdd,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let jwks = match asked.jwks.as_deref().map(key_file::read).transpose() {
        Ok(jwks) => jwks,
        Err(problem) => {
            problems.push(format!("jwks: {problem}"));
            None
        }
    };
    problems.extend(problems_of(settings, &asked));
    match jwks.as_ref().map(KeySet::read) {
        Some(Err(error)) => problems.push(format!("jwks: {error}")),
        Some(Ok(keys)) if !keys.can_verify() => {
            problems.push("jwks: no key in it can verify a signature".to_owned());
        }
        Some(Ok(_)) | None => {}
    }
    Failure::of("trusting the issuer", problems)?;
    let issuer = TrustedIssuer {
        issuer: asked.issuer,
        jwks,
        jwks_uri: asked.jwks_uri,
        subject_claim: subject_claim(asked.subject_claim),
        created_at: now,
    };
    if !storage.insert_trusted_issuer(&issuer).await? {
        let name = &issuer.issuer;
        return Err(Failure::refused(format!(
            "the issuer {name} is trusted already\n    remove it first: `chancery issuer remove --issuer {name}`"
        )));
    }
    if asked.output.json {
        return output::json(&issuer);
    }
    Ok(output::line(&format!("assertions of {} are trusted now", issuer.issuer))?)
}

fn problems_of(settings: &Settings, asked: &IssuerAdd) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &asked.issuer;
    if name.is_empty() || name.len() > 512 || name.contains(|char: char| char.is_control() || char == ' ') {
        problems.push("issuer: give what is in iss, 1 to 512 bytes without spaces".to_owned());
    }
    if name == settings.server.issuer.as_str() {
        problems.push("issuer: this server's own tokens are no assertions for it".to_owned());
    }
    if let Some(Err(error)) =
        asked.jwks_uri.as_deref().map(|uri| Outbound::check(uri, settings.outbound.allow_private))
    {
        problems.push(format!("jwks_uri: {error}"));
    }
    problems
}

async fn list(storage: &Storage, as_json: bool) -> Result<(), Failure> {
    let issuers = storage.trusted_issuers().await?;
    if as_json {
        return output::json(&issuers);
    }
    if issuers.is_empty() {
        output::line("no issuer is trusted; `chancery issuer add` changes that")?;
        return Ok(());
    }
    let row = |issuer: &TrustedIssuer| {
        vec![
            issuer.issuer.clone(),
            issuer.subject_claim.as_str().to_owned(),
            issuer.jwks_uri.clone().unwrap_or_else(|| "given here".to_owned()),
            output::moment(issuer.created_at),
        ]
    };
    let rows: Vec<_> = issuers.iter().map(row).collect();
    output::table(&["ISSUER", "SUBJECT IS", "KEYS", "TRUSTED SINCE"], &rows)?;
    Ok(())
}

async fn remove(storage: &Storage, issuer: &str, as_json: bool) -> Result<(), Failure> {
    if !storage.delete_trusted_issuer(issuer).await? {
        return Err(Failure::refused(format!(
            "the issuer {issuer} is not trusted\n    `chancery issuer list` shows those that are"
        )));
    }
    if as_json {
        return output::json(&json!({ "issuer": issuer, "removed": true }));
    }
    Ok(output::line(&format!(
        "assertions of {issuer} are trusted no more; tokens that came of them end by themselves"
    ))?)
}

fn subject_claim(given: SubjectClaimArg) -> SubjectClaim {
    match given {
        SubjectClaimArg::Sub => SubjectClaim::Sub,
        SubjectClaimArg::Username => SubjectClaim::Username,
        SubjectClaimArg::Email => SubjectClaim::Email,
    }
}
