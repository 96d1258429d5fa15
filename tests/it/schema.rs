//! Upgrades of the schema: the plan, and databases that a newer version has been at.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery::storage::{Db, Waits};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::{Database, Kind, on_both, output, program};

const WAIT: Duration = Duration::from_secs(5);

/// What a command printed, and what it complained of; whether it was successful.
async fn run(
    database: &Database,
    line: &'static [&'static str],
    more: &[(&str, &str)],
) -> (bool, String, String) {
    let mut environment = vec![("CHANCERY_DATABASE__URL".to_owned(), database.url.clone())];
    environment.push(("CHANCERY_SECRETS__MASTER_KEY".to_owned(), "A".repeat(43) + "="));
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let output = output(program(&environment, line)).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

async fn open(database: &Database) -> Db {
    match database.url.strip_prefix("sqlite:") {
        Some(path) => Db::open_sqlite(path.as_ref(), WAIT).await.unwrap(),
        None => Db::open_postgres(&database.url, 2, WAIT).await.unwrap(),
    }
}

on_both! {
    async fn a_plan_tells_what_would_be_done_and_changes_nothing(kind: Kind) {
        let database = Database::empty(kind).await;
        let all = std::fs::read_dir("migrations").unwrap().count();
        let (success, told, _) = run(&database, &["migrate", "--plan"], &[]).await;
        assert!(success && told.starts_with(&format!("{all} migrations to apply")), "{told}");
        assert!(told.contains("\n0001 foundation\n  makes the table clients\n"), "{told}");
        let waiting = match kind {
            Kind::Sqlite => "waits: all writes, until it is done; reads go on",
            Kind::Postgres => "waits on grants: writes, for as long as it takes to read the whole table",
        };
        assert!(told.contains(waiting), "{told}");
        let db = open(&database).await;
        assert_eq!(db.pending_migrations().await.unwrap().len(), all, "the plan changed something");
        db.migrate().await.unwrap();
        assert_eq!(run(&database, &["migrate", "--plan"], &[]).await.1, "the database is up to date\n");
    }

    async fn a_database_that_a_newer_version_was_at_is_refused_in_words(kind: Kind) {
        let database = Database::empty(kind).await;
        let db = open(&database).await;
        db.migrate().await.unwrap();
        let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                   VALUES (9999, 'tomorrow', TRUE, '', 0)";
        db.execute(row, &[]).await.unwrap();
        let lines: [&[&str]; 4] = [&["serve"], &["migrate"], &["migrate", "--plan"], &["client", "list"]];
        for (line, on_start) in lines.into_iter().flat_map(|line| [(line, "true"), (line, "false")]) {
            let on_start = [("CHANCERY_DATABASE__MIGRATE_ON_START", on_start)];
            let (success, _, complaint) = run(&database, line, &on_start).await;
            assert!(!success && complaint.contains("the migration 9999, which this program"), "{line:?} {complaint}");
            assert!(!complaint.contains("panicked"), "{complaint}");
        }
    }
}

#[tokio::test]
async fn what_the_plan_says_waits_is_what_postgres_locks() {
    let database = Database::empty(Kind::Postgres).await;
    let plan = open(&database).await.pending_migrations().await.unwrap();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    for migration in plan {
        let file = format!("migrations/{:04}_{}.sql", migration.version, migration.name.replace(' ', "_"));
        let tables = tables(&mut connection).await;
        connection.execute("BEGIN").await.unwrap();
        connection.execute(AssertSqlSafe(std::fs::read_to_string(&file).unwrap())).await.unwrap();
        let mut locked = locked(&mut connection).await;
        locked.retain(|table, waits| tables.contains(table) && *waits != Waits::Nothing);
        connection.execute("COMMIT").await.unwrap();
        let told = migration.waits().into_iter().map(|(table, waits)| (table.unwrap().to_owned(), waits));
        assert_eq!(told.collect::<BTreeMap<_, _>>(), locked, "{file}");
    }
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let tables = sqlx::query_scalar("SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind = 'r'");
    tables.fetch_all(connection).await.unwrap()
}

/// The locks that this connection's transaction holds, by table: the strongest of each.
async fn locked(connection: &mut PgConnection) -> BTreeMap<String, Waits> {
    let locks: Vec<(String, String)> = sqlx::query_as(
        "SELECT CAST(relname AS TEXT), mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation \
         WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    let mut strongest = BTreeMap::new();
    for (table, mode) in locks {
        let waits = match mode.as_str() {
            "AccessShareLock" | "RowShareLock" => Waits::Nothing,
            "RowExclusiveLock" => Waits::SameRows,
            "ShareRowExclusiveLock" => Waits::WritesBriefly,
            "ShareLock" => Waits::Writes,
            "AccessExclusiveLock" => Waits::EverythingBriefly,
            other => panic!("{table}: {other}"),
        };
        let entry = strongest.entry(table).or_insert(waits);
        *entry = waits.max(*entry);
    }
    strongest
}
