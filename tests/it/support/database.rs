//! Databases of one test each: a file, or a copy of a migrated template.

use std::path::PathBuf;

use chancery::crypto::random;
use chancery::storage::Db;
use tokio::sync::OnceCell;

use super::LONGEST;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// How many statements these are with an entry of the audit log: on Postgres it goes with the write itself.
    pub fn with_an_entry(self, statements: u64) -> u64 {
        match self {
            Self::Sqlite => statements + 1,
            Self::Postgres => statements,
        }
    }
}

/// A database that exists, and what the settings call it.
pub struct Database {
    pub url: String,
    directory: Option<PathBuf>,
}

impl Drop for Database {
    fn drop(&mut self) {
        match &self.directory {
            Some(directory) => drop(std::fs::remove_dir_all(directory)),
            None => drop_database(&self.url),
        }
    }
}

impl Database {
    pub async fn make(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let directory = std::env::temp_dir().join(format!("chancery-test-{}", random::id()));
                std::fs::create_dir_all(&directory).unwrap();
                let url = format!("sqlite:{}", directory.join("chancery.db").display());
                Self { url, directory: Some(directory) }
            }
            Kind::Postgres => Self { url: copy_of_template().await, directory: None },
        }
    }

    /// One without a schema.
    pub async fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::make(kind).await,
            Kind::Postgres => {
                let name = format!("test_{}", name());
                run(format!("CREATE DATABASE {name}")).await;
                Self { url: with_name(&name), directory: None }
            }
        }
    }
}

/// Thousands of tests would fill a disk. A thread of its own, as a runtime cannot be waited for inside another.
fn drop_database(url: &str) {
    let name = url::Url::parse(url).unwrap().path().trim_start_matches('/').to_owned();
    let dropping = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(execute(format!("DROP DATABASE {name} WITH (FORCE)")))
    });
    // A test that failed because the server is gone has said so already.
    drop(dropping.join());
}

fn server_url() -> String {
    std::env::var("CHANCERY_TEST_POSTGRES_URL")
        .expect("CHANCERY_TEST_POSTGRES_URL is not set; run ./scripts/test, which starts a Postgres")
}

fn with_name(name: &str) -> String {
    let mut url = url::Url::parse(&server_url()).unwrap();
    url.set_path(name);
    url.into()
}

/// A migrated database to copy: made once a process.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", name());
            run(format!("CREATE DATABASE {name}")).await;
            let db =
                Db::open_postgres(&with_name(&name), 2, std::time::Duration::from_secs(5)).await.unwrap();
            db.migrate().await.unwrap();
            db.close().await;
            name
        })
        .await
}

async fn copy_of_template() -> String {
    let (template, name) = (template().await, format!("test_{}", name()));
    run(format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    with_name(&name)
}

fn name() -> String {
    random::bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copying a template needs it to itself, so it is done one at a time.
async fn run(sql: String) {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    execute(sql).await;
}

async fn execute(sql: String) {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    let executed = tokio::time::timeout(LONGEST, async {
        let mut connection = sqlx::PgConnection::connect(&server_url()).await.unwrap();
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    });
    executed.await.expect("Postgres does not answer");
}
