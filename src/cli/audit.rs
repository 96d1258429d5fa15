//! `chancery audit`: looking at the audit log.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::time::Duration;

use serde_json::json;

use super::args::Output;
use super::args::audit::{AuditCommand, AuditExport, AuditVerify};
use super::open::{self, Context};
use super::{Failure, output};
use crate::audit::{self, ChainError};
use crate::boot;
use crate::config::Settings;
use crate::storage::AuditRange;

/// How often is looked for new entries.
const FOLLOW: Duration = Duration::from_secs(1);

pub(super) async fn run(settings: Settings, command: AuditCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    match command {
        AuditCommand::Verify(asked) => verify(&context, &asked).await?,
        AuditCommand::Head(asked) => head(&context, asked).await?,
        AuditCommand::Export(asked) => export(&context, &asked).await?,
        AuditCommand::Restart(asked) => restart(&context, asked).await?,
    }
    context.storage.db().close().await;
    Ok(())
}

async fn verify(context: &Context<'_>, asked: &AuditVerify) -> Result<(), Failure> {
    match context.audit()?.verify(asked.head.as_ref()).await? {
        Err(flaw) => Err(Failure::refused(format!("the audit log: {flaw}"))),
        Ok(verified) if asked.output.json => output::json(&verified),
        Ok(verified) => {
            let (entries, waiting) = (verified.entries, verified.waiting);
            let last = verified.head;
            output::line(&format!(
                "nothing is wrong with the {entries} entries up to number {last}; {waiting} wait for their place"
            ))?;
            if verified.unaccounted > 0 {
                let unaccounted = verified.unaccounted;
                output::line(&format!(
                    "{unaccounted} entries are missing that no other says were written: their processes were killed, or write \
                     them now"
                ))?;
            }
            if verified.unproven {
                let first = verified.removed_until + 1;
                output::line(&format!(
                    "there are entries before number {first} too, which nothing proves: `chancery audit restart` \
                     left them there, or somebody put them there"
                ))?;
            }
            Ok(())
        }
    }
}

async fn head(context: &Context<'_>, asked: Output) -> Result<(), Failure> {
    let head = context.audit()?.head().await?;
    let head =
        head.ok_or_else(|| Failure::refused("the audit log is empty; a server chains it each second"))?;
    match asked.json {
        true => output::json(&head),
        false => Ok(output::line(&head.to_string())?),
    }
}

async fn restart(context: &Context<'_>, asked: Output) -> Result<(), Failure> {
    let restarted = context.audit()?.restart(&open::operator(), context.now).await;
    let after = restarted.map_err(|error| match error {
        ChainError::Storage(error) => Failure::from(error),
        other => Failure::refused(other.to_string()),
    })?;
    match asked.json {
        true => output::json(&json!({ "restarted_after": after })),
        false => Ok(output::line(&format!("a new chain begins after entry {after}"))?),
    }
}

/// Writes entries as they are read; whoever reads them may stop at any time. Who follows is stopped between two batches,
/// so that the last line is whole.
async fn export(context: &Context<'_>, asked: &AuditExport) -> Result<(), Failure> {
    match print(context, asked).await {
        Err(Failure::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

async fn print(context: &Context<'_>, asked: &AuditExport) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout());
    let stopped = if asked.follow { Some(boot::stopped()?) } else { None };
    let everything = AuditRange::after(asked.after);
    let mut range = AuditRange {
        since: asked.since.unwrap_or(everything.since),
        until: asked.until.unwrap_or(everything.until),
        ..everything
    };
    loop {
        let batch = context.storage.chained_audit_entries(range).await?;
        for entry in &batch {
            range.after = entry.number;
            if is_asked_for(&asked.events, &entry.event) {
                writeln!(out, "{}", audit::line(entry))?;
            }
        }
        out.flush()?;
        match (&stopped, batch.is_empty()) {
            (Some(stopped), _) if *stopped.borrow() => return Ok(()),
            (None, true) => return Ok(()),
            (Some(stopped), true) => {
                // Woken early it looks once more, and ends above.
                let _ = tokio::time::timeout(FOLLOW, boot::signalled(stopped.clone())).await;
            }
            (_, false) => {}
        }
    }
}

fn is_asked_for(names: &[String], event: &str) -> bool {
    let group = event.split('.').next().unwrap_or_default();
    names.is_empty() || names.iter().any(|name| name == event || name.trim_end_matches('.') == group)
}
