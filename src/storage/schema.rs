//! The schema: which migrations there are, which of them a database has, and what applying the rest would make wait.
//!
//! Migrations are read as Postgres runs them, each in a transaction of its own: a lock is held until its end. On SQLite
//! there is one write lock, whatever a migration does.

use sqlx::migrate::Migration;

use super::db::migrations::MIGRATIONS;
use super::db::values;
use super::{Db, StorageError};

/// A migration that a database lacks.
#[derive(Debug)]
pub struct PendingMigration {
    pub version: i64,
    pub name: &'static str,
    pub effects: Vec<Effect<'static>>,
}

/// What a statement of a migration does, and to which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    CreateTable {
        table: &'a str,
    },
    /// A table that another one refers to from now on.
    Reference {
        table: &'a str,
    },
    AddColumn {
        table: &'a str,
    },
    CreateIndex {
        index: &'a str,
        table: &'a str,
    },
    ChangeRows {
        table: &'a str,
    },
    /// Something else; what it makes wait is not known.
    Other {
        statement: &'a str,
    },
}

/// What has to wait while a migration runs, on Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    Nothing,
    /// Whoever changes the same rows.
    SameRows,
    /// Writes, for a moment.
    WritesBriefly,
    /// Writes, for as long as it takes to read the whole table.
    Writes,
    /// Reads and writes, for a moment.
    EverythingBriefly,
    Unknown,
}

impl<'a> Effect<'a> {
    /// The effects of a migration's statements, in order.
    pub fn of(sql: &'a str) -> Vec<Self> {
        statements(sql).iter().flat_map(|words| Self::of_statement(words)).collect()
    }

    fn of_statement(words: &[&'a str]) -> Vec<Self> {
        let own = match words {
            [] => return Vec::new(),
            ["CREATE", "TABLE", table, ..] => Self::CreateTable { table },
            ["ALTER", "TABLE", table, "ADD", "COLUMN", ..] => Self::AddColumn { table },
            ["CREATE", "INDEX", index, "ON", table, ..]
            | ["CREATE", "UNIQUE", "INDEX", index, "ON", table, ..] => Self::CreateIndex { index, table },
            ["INSERT", "INTO", table, ..] | ["UPDATE", table, ..] | ["DELETE", "FROM", table, ..] => {
                Self::ChangeRows { table }
            }
            [statement, ..] => Self::Other { statement },
        };
        let referenced = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| **word == "REFERENCES");
        let references = referenced.map(|(_, table)| Self::Reference { table });
        std::iter::once(own).chain(references).collect()
    }

    /// The table that it works on, where that is known.
    pub fn table(&self) -> Option<&'a str> {
        match self {
            Self::CreateTable { table }
            | Self::Reference { table }
            | Self::AddColumn { table }
            | Self::CreateIndex { table, .. }
            | Self::ChangeRows { table } => Some(table),
            Self::Other { .. } => None,
        }
    }

    /// What waits, if the table was there before.
    pub fn waits(&self) -> Waits {
        match self {
            Self::CreateTable { .. } => Waits::Nothing,
            Self::ChangeRows { .. } => Waits::SameRows,
            Self::Reference { .. } => Waits::WritesBriefly,
            Self::CreateIndex { .. } => Waits::Writes,
            // Its default is a constant, so no row is rewritten.
            Self::AddColumn { .. } => Waits::EverythingBriefly,
            Self::Other { .. } => Waits::Unknown,
        }
    }
}

/// The words of each statement, without comments; brackets and commas do not belong to words.
fn statements(sql: &str) -> Vec<Vec<&str>> {
    let mut statements = vec![Vec::new()];
    for line in sql.lines() {
        let code = line.split_once("--").map_or(line, |(code, _)| code);
        for (part, words) in code.split(';').enumerate() {
            if part > 0 {
                statements.push(Vec::new());
            }
            let words = words.split(|c: char| c.is_whitespace() || "(),".contains(c));
            if let Some(statement) = statements.last_mut() {
                statement.extend(words.filter(|word| !word.is_empty()));
            }
        }
    }
    statements
}

impl PendingMigration {
    fn of(migration: &'static Migration) -> Self {
        Self {
            version: migration.version,
            name: &migration.description,
            effects: Effect::of(migration.sql.as_str()),
        }
    }

    /// What each table that was there before would make wait, at worst; in the order of the statements.
    pub fn waits(&self) -> Vec<(Option<&'static str>, Waits)> {
        let made = |table| self.effects.contains(&Effect::CreateTable { table });
        let mut worst: Vec<(Option<&'static str>, Waits)> = Vec::new();
        for effect in self.effects.iter().filter(|effect| !effect.table().is_some_and(made)) {
            match worst.iter_mut().find(|(table, _)| *table == effect.table()) {
                Some((_, waits)) => *waits = (*waits).max(effect.waits()),
                None => worst.push((effect.table(), effect.waits())),
            }
        }
        worst
    }
}

impl Db {
    /// What [`Db::migrate`] would apply, in order. An error where a newer version of this program has been.
    pub async fn pending_migrations(&self) -> Result<Vec<PendingMigration>, StorageError> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
        let applied: Vec<i64> = match self.fetch_all::<(i64,)>(APPLIED, &[]).await {
            Ok(applied) => applied.into_iter().map(|(version,)| version).collect(),
            // The table is not there: nothing was ever applied.
            Err(StorageError::Database(sqlx::Error::Database(_))) => Vec::new(),
            Err(error) => return Err(error),
        };
        if let Some(unknown) = applied.iter().find(|version| !MIGRATIONS.version_exists(**version)) {
            return Err(StorageError::NewerSchema(*unknown));
        }
        let pending = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
        Ok(pending.map(PendingMigration::of).collect())
    }

    /// About how many rows a table has; `None` where the database keeps no estimate. Nothing is counted.
    pub async fn estimated_rows(&self, table: &str) -> Result<Option<i64>, StorageError> {
        const ESTIMATE: &str = "SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE oid = to_regclass($1)";
        if !self.locks_by_table() {
            return Ok(None);
        }
        let estimate: Option<(i64,)> = self.fetch_optional(ESTIMATE, values![table]).await?;
        // -1: the table was never looked at.
        Ok(estimate.map(|(rows,)| rows).filter(|rows| *rows >= 0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, MIGRATIONS, PendingMigration, Waits};

    fn pending(sql: &'static str) -> PendingMigration {
        PendingMigration { version: 1, name: "test", effects: Effect::of(sql) }
    }

    #[test]
    fn no_migration_does_what_the_plan_has_no_word_for() {
        for migration in MIGRATIONS.iter() {
            let waits = PendingMigration::of(migration).waits();
            assert!(waits.iter().all(|(_, waits)| *waits != Waits::Unknown), "{}", migration.version);
        }
    }

    #[test]
    fn what_waits_is_the_worst_that_is_done_to_a_table() {
        let sql = "-- Why; and how.\nUPDATE a SET b = 1;\nALTER TABLE a ADD COLUMN c TEXT; -- more\n\
                   CREATE INDEX a_c ON a (c);\nCREATE UNIQUE INDEX d_e ON d(e);";
        let expected = vec![(Some("a"), Waits::EverythingBriefly), (Some("d"), Waits::Writes)];
        assert_eq!(pending(sql).waits(), expected);
    }

    #[test]
    fn nobody_waits_for_a_table_that_is_new() {
        let sql = "CREATE TABLE a (\n  id TEXT PRIMARY KEY REFERENCES b (id)\n);\nCREATE INDEX a_id ON a (id);\n\
                   INSERT INTO a VALUES ('x');";
        assert_eq!(pending(sql).waits(), vec![(Some("b"), Waits::WritesBriefly)]);
    }

    #[test]
    fn a_statement_that_is_not_known_is_told_as_such() {
        assert_eq!(pending("VACUUM FULL;").waits(), vec![(None, Waits::Unknown)]);
        assert_eq!(pending("ALTER TABLE a ALTER COLUMN b TYPE BIGINT").waits(), vec![(None, Waits::Unknown)]);
    }
}
