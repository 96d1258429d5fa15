//! `chancery issuer`: issuers whose assertions stand for a user's authorization (RFC 7523 2.1), and issuers whose
//! statements about software are believed (RFC 7591 2.3). To be one is not to be the other.

use serde::Serialize;
use serde_json::json;

use super::args::issuer::{IssuerAdd, IssuerCommand, IssuerPurpose};
use super::open::Context;
use super::{Failure, key_file, output};
use crate::administration::{Administration, NewIssuer, NotDone, Purpose, Refusal, Trust};
use crate::config::Settings;
use crate::model::{KeySource, SoftwareIssuer, TrustedIssuer};
use crate::protocol::registration::InvalidMetadata;
use crate::storage::Storage;

pub(super) async fn run(settings: Settings, command: IssuerCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let administration = context.administration();
    match command {
        IssuerCommand::Add(asked) => add(&administration, asked).await?,
        IssuerCommand::List(asked) => list(&context.storage, asked.purpose.into(), asked.output.json).await?,
        IssuerCommand::Remove(asked) => {
            remove(&administration, asked.purpose.into(), &asked.issuer, asked.output.json).await?;
        }
    }
    context.close().await
}

async fn add(administration: &Administration<'_>, asked: IssuerAdd) -> Result<(), Failure> {
    let (jwks, problem) = match asked.jwks.as_deref().map(key_file::read).transpose() {
        Ok(jwks) => (jwks, None),
        Err(problem) => (None, Some(InvalidMetadata { member: "jwks", problem })),
    };
    let name = asked.issuer.clone();
    let trust = match asked.purpose {
        IssuerPurpose::Assertions => Trust::Assertions(asked.subject_claim),
        IssuerPurpose::SoftwareStatements => Trust::SoftwareStatements,
    };
    let purpose = Purpose::from(asked.purpose).as_str();
    let keys = KeySource::of(jwks, asked.jwks_uri)
        .map_err(|both| InvalidMetadata { member: "jwks", problem: both.to_string() });
    let (keys, both) = keys.map_or_else(|both| (None, Some(both)), |keys| (keys, None));
    let new = NewIssuer { issuer: asked.issuer, keys, trust };
    let added = administration.add_issuer(new, problem.into_iter().chain(both).collect()).await;
    let issuer = added.map_err(told("trusting the issuer", purpose))?;
    if asked.output.json {
        return output::json(&issuer);
    }
    Ok(output::line(&format!("{purpose} of {name} are trusted now"))?)
}

impl From<IssuerPurpose> for Purpose {
    fn from(purpose: IssuerPurpose) -> Self {
        match purpose {
            IssuerPurpose::Assertions => Self::Assertions,
            IssuerPurpose::SoftwareStatements => Self::SoftwareStatements,
        }
    }
}

async fn list(storage: &Storage, purpose: Purpose, as_json: bool) -> Result<(), Failure> {
    match purpose {
        Purpose::Assertions => {
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
        Purpose::SoftwareStatements => {
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
    administration: &Administration<'_>,
    purpose: Purpose,
    issuer: &str,
    as_json: bool,
) -> Result<(), Failure> {
    let what = purpose.as_str();
    administration.remove_issuer(purpose, issuer).await.map_err(told("removing the issuer", what))?;
    if as_json {
        return output::json(&json!({ "issuer": issuer, "removed": true }));
    }
    let rest = match purpose {
        Purpose::Assertions => "tokens that came of them end by themselves",
        Purpose::SoftwareStatements => "clients that came with them stay",
    };
    Ok(output::line(&format!("{what} of {issuer} are trusted no more; {rest}"))?)
}

fn told(doing: &'static str, what: &'static str) -> impl FnOnce(NotDone<Refusal>) -> Failure {
    move |not_done| {
        Failure::not_done(not_done, |refusal| match refusal {
            Refusal::Invalid(problems) => Failure::invalid(doing, &problems),
            Refusal::Exists(name) => Failure::refused(format!(
                "the issuer {name} is trusted already\n    remove it first: `chancery issuer remove --issuer {name}`"
            )),
            Refusal::Unknown(name) => Failure::refused(format!(
                "the issuer {name} is not trusted with {what}\n    `chancery issuer list` shows those that are"
            )),
        })
    }
}
