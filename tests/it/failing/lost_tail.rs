//! A power cut takes what SQLite had not synced: the end of the write-ahead log. Whatever was acknowledged before is
//! synced, so it is there wherever the log is cut behind it, and what comes after has happened or has not.

use std::fs;
use std::path::{Path, PathBuf};

use chancery::crypto::random;
use serde_json::json;

use crate::support::{Kind, Registration, TestServer, text};

/// Cuts between two acknowledged writes.
const CUTS: usize = 3;

/// What was acknowledged, and how long the log was then.
struct Acknowledged {
    what: What,
    log: u64,
}

#[derive(Debug)]
enum What {
    /// A code was redeemed.
    Redeemed(String),
    /// A refresh token was replaced by this one.
    Refreshed(String),
    /// A token was revoked.
    Revoked(String),
}

fn beside(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// Writes one after the other, each noted once it is acknowledged.
async fn work(server: &TestServer, client: &Registration, path: &Path) -> Vec<Acknowledged> {
    let mut all = Vec::new();
    let mut note = |what| all.push(Acknowledged { what, log: fs::metadata(log_of(path)).unwrap().len() });
    for _ in 0..2 {
        let code = server.code(client, "ada", &[]).await;
        let tokens = server.redeem(client, &code).await.json();
        note(What::Redeemed(code));
        let refreshed = server.refresh(client, &text(&tokens, "refresh_token")).await;
        note(What::Refreshed(refreshed.text("refresh_token")));
        let access_token = refreshed.text("access_token");
        server.post_as(client, "/revoke", &[("token", &access_token)]).await;
        note(What::Revoked(access_token));
        // The last one alone: a code that comes again ends everything that came from it.
        server.post_as(client, "/revoke", &[("token", &refreshed.text("refresh_token"))]).await;
        note(What::Revoked(refreshed.text("refresh_token")));
    }
    all
}

/// Holds a server on the cut database to what was acknowledged before the cut.
async fn check(server: &TestServer, client: &Registration, acknowledged: &[Acknowledged]) {
    for Acknowledged { what, .. } in acknowledged {
        match what {
            What::Redeemed(_) => {}
            What::Refreshed(token) => {
                // It is good, unless its revocation was acknowledged too.
                let revoked = acknowledged
                    .iter()
                    .any(|other| matches!(&other.what, What::Revoked(other) if other == token));
                assert!(revoked || server.is_active(client, token).await, "a refresh was lost");
            }
            What::Revoked(token) => {
                assert!(!server.is_active(client, token).await, "a revoked token came back")
            }
        }
    }
    // At last, because it revokes.
    for Acknowledged { what, .. } in acknowledged {
        if let What::Redeemed(code) = what {
            server.redeem(client, code).await.assert_error(400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn a_lost_tail_of_the_log_takes_nothing_that_was_acknowledged() {
    let server = TestServer::start(Kind::Sqlite).await;
    server.user("ada").await;
    let client = server.client(json!({})).await;
    let path = server.database_file();
    let acknowledged = work(&server, &client, &path).await;
    let copies = path.with_extension("copies");
    fs::create_dir_all(&copies).unwrap();
    for (index, here) in acknowledged.iter().enumerate() {
        let next = acknowledged.get(index + 1).map_or(here.log, |next| next.log);
        for cut in 0..CUTS {
            let room = next - here.log;
            let length =
                here.log + if cut == 0 { 0 } else { u64::from_le_bytes(random::bytes()) % (room + 1) };
            let copy = copies.join(format!("{index}-{cut}.db"));
            fs::copy(&path, &copy).unwrap();
            let mut log = fs::read(log_of(&path)).unwrap();
            log.truncate(usize::try_from(length).unwrap());
            // What was not synced need not be missing: its pages may hold anything.
            if cut == CUTS - 1 {
                log.extend(random::bytes::<5000>());
            }
            fs::write(log_of(&copy), log).unwrap();
            let after = server.on_file(&copy).await;
            check(&after, &client, &acknowledged[..=index]).await;
        }
    }
}

#[tokio::test]
async fn every_commit_is_synced() {
    let server = TestServer::start(Kind::Sqlite).await;
    let mut writer = server.app.storage.db().begin().await.unwrap();
    let synchronous: Option<(i64,)> = writer.fetch_optional("PRAGMA synchronous", &[]).await.unwrap();
    let journal: Option<(String,)> = writer.fetch_optional("PRAGMA journal_mode", &[]).await.unwrap();
    // FULL: in WAL mode the log is synced with each commit.
    assert_eq!((synchronous.unwrap().0, journal.unwrap().0.as_str()), (2, "wal"));
}
