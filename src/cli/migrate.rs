//! `chancery migrate`: the schema brought up to date, or what that would do.

use super::args::MigrateArgs;
use super::{Failure, open, output};
use crate::boot;
use crate::config::Settings;
use crate::storage::{Db, Effect, PendingMigration, Waits};

const UP_TO_DATE: &str = "the database is up to date";

pub(super) async fn run(settings: Settings, args: MigrateArgs) -> Result<(), Failure> {
    let storage = open::connect(&settings).await?;
    if args.plan {
        plan(storage.db()).await?;
    } else {
        boot::migrate(&settings, &storage).await?;
        output::line(UP_TO_DATE)?;
    }
    storage.db().close().await;
    Ok(())
}

/// Prints what is pending, and changes nothing.
async fn plan(db: &Db) -> Result<(), Failure> {
    let pending = db.pending_migrations().await?;
    if pending.is_empty() {
        return Ok(output::line(UP_TO_DATE)?);
    }
    output::line(&format!("{} to apply, each in a transaction of its own", counted(pending.len())))?;
    for migration in &pending {
        output::line("")?;
        output::line(&format!("{:04} {}", migration.version, migration.name))?;
        for effect in &migration.effects {
            output::line(&format!("  {}", deed(effect)))?;
        }
        for line in waiting(db, migration).await? {
            output::line(&format!("  {line}"))?;
        }
    }
    Ok(())
}

fn counted(migrations: usize) -> String {
    match migrations {
        1 => "1 migration".to_owned(),
        more => format!("{more} migrations"),
    }
}

fn deed(effect: &Effect<'_>) -> String {
    match effect {
        Effect::CreateTable { table } => format!("makes the table {table}"),
        Effect::Reference { table } => format!("refers to {table}"),
        Effect::AddColumn { table } => format!("adds a column to {table}"),
        Effect::CreateIndex { index, table } => format!("makes the index {index} on {table}"),
        Effect::ChangeRows { table } => format!("changes rows of {table}"),
        Effect::Other { statement } => format!("runs a statement that begins with {statement}"),
    }
}

/// What would have to wait, a line for each table that is there already.
async fn waiting(db: &Db, migration: &PendingMigration) -> Result<Vec<String>, Failure> {
    if !db.locks_by_table() {
        return Ok(vec!["waits: all writes, until it is done; reads go on".to_owned()]);
    }
    let mut lines = Vec::new();
    for (table, waits) in migration.waits() {
        let who = match waits {
            Waits::Nothing => continue,
            Waits::SameRows => "writes to the same rows",
            Waits::WritesBriefly => "writes, for a moment",
            Waits::Writes => "writes, for as long as it takes to read the whole table; reads go on",
            Waits::EverythingBriefly => "reads and writes, for a moment",
            Waits::Unknown => "not known: read the migration",
        };
        lines.push(match table {
            Some(table) => format!("waits on {}: {who}", sized(db, table).await?),
            None => format!("waits: {who}"),
        });
    }
    if lines.is_empty() {
        lines.push("waits: nothing".to_owned());
    }
    Ok(lines)
}

async fn sized(db: &Db, table: &str) -> Result<String, Failure> {
    Ok(match db.estimated_rows(table).await? {
        Some(rows) => format!("{table} (about {rows} rows)"),
        None => table.to_owned(),
    })
}
