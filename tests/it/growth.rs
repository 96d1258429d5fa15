//! Nothing stays in the database for ever: what has ended is removed, by one of the processes for all.

use std::sync::Arc;

use chancery::model::{ClientId, Noted, Timestamp, TokenId};
use chancery::storage::{StorageError, db};
use serde_json::{Value, json};

use crate::support::{Kind, LONGEST, Registration, START, TestServer, all, on_both, text, within};

const DAY: i64 = 86_400;

/// A server, a client, and the first refresh token of a user.
async fn first(kind: Kind, change: Value) -> (TestServer, Registration, String) {
    let server = TestServer::start(kind).await;
    let (client, _) = (server.client(change).await, server.user("ada").await);
    let token = text(&server.tokens(&client, "ada").await, "refresh_token");
    (server, client, token)
}

/// Twice: the first look at grants without an end begins anywhere.
async fn remove(server: &TestServer) -> u64 {
    let mut grants = 0;
    for _ in 0..2 {
        grants += server.app.remove_expired().await.unwrap().grants;
    }
    grants
}

/// How many of these say yes.
fn yes(answers: Vec<Result<bool, StorageError>>) -> usize {
    answers.into_iter().filter(|answer| *answer.as_ref().unwrap()).count()
}

/// Three thousand copies of the first grant, in this state, with other codes.
fn copies(state: &str, code_expires_at: &str, refreshable: bool) -> &'static str {
    let columns = "client_id, user_id, session_id, salt, scope, auth_time, amr, redirect_uri, \
         generation, rotated_at, created_at, expires_at";
    let sql = format!(
        "INSERT INTO grants (id, state, code_expires_at, refreshable, {columns}) \
         SELECT '{state}-{refreshable}' || i, '{state}', {code_expires_at}, {refreshable}, {columns} \
         FROM (SELECT * FROM grants LIMIT 1) g, generate_series(1, 3000) i"
    );
    sql.leak()
}

/// The reads of this index, once Postgres, which is a second late, tells of so many looks into it and the primary key.
async fn told_reads_of(server: &TestServer, index: &str, looks: i64) -> (i64, i64) {
    let mut told = (0, 0);
    within(LONGEST, "the looks are told", async || {
        let by_id = reads_of(server, "grants_pkey").await;
        told = reads_of(server, index).await;
        by_id.0 + told.0 >= looks
    })
    .await;
    told
}

/// How often Postgres has looked into an index of grants, and how many of its entries it has read.
async fn reads_of(server: &TestServer, index: &str) -> (i64, i64) {
    const READS: &str = "SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = $1";
    let reads: Option<(i64, i64)> =
        server.app.storage.db().fetch_optional(READS, &[db::Value::Text(index)]).await.unwrap();
    reads.unwrap()
}

on_both! {
    async fn a_code_is_redeemed_without_looking_at_those_of_others(kind: Kind) {
        if kind == Kind::Sqlite {
            return; // It always takes the primary key, and has no statistics to be wrong.
        }
        let (server, client, _) = first(kind, json!({})).await;
        server.sql(copies("active", "code_expires_at - i", true)).await;
        // As of now nobody has a code.
        server.sql("ANALYZE grants").await;
        server.sql(copies("code", "code_expires_at + i", true)).await;
        let (by_id, others) = (reads_of(&server, "grants_pkey").await, reads_of(&server, "grants_unredeemed").await);
        for _ in 0..5 {
            server.tokens(&client, "ada").await;
        }
        assert_eq!(told_reads_of(&server, "grants_unredeemed", by_id.0 + others.0 + 10).await.1, others.1);
    }

    async fn a_refresh_token_is_rotated_without_looking_at_those_of_others(kind: Kind) {
        if kind == Kind::Sqlite {
            return; // As above.
        }
        let (server, client, mut token) = first(kind, json!({})).await;
        server.sql(copies("active", "code_expires_at", false)).await;
        // As of now there is one refresh token.
        server.sql("ANALYZE grants").await;
        server.sql(copies("active", "code_expires_at", true)).await;
        let (by_id, others) = (reads_of(&server, "grants_pkey").await, reads_of(&server, "grants_refreshable").await);
        for _ in 0..20 {
            token = server.refresh(&client, &token).await.text("refresh_token");
        }
        assert_eq!(told_reads_of(&server, "grants_refreshable", by_id.0 + others.0 + 40).await.1, others.1);
    }

    async fn a_grant_without_an_end_goes_a_day_after_its_unused_refresh_token(kind: Kind) {
        let lifetimes = json!({"refresh_token_lifetime": -1, "refresh_token_idle_lifetime": 1000});
        let (server, client, token) = first(kind, lifetimes).await;
        server.advance(900);
        let token = server.refresh(&client, &token).await.text("refresh_token");
        server.advance(DAY + 999);
        server.refresh(&client, &token).await.assert_error(400, "invalid_grant");
        assert_eq!(remove(&server).await, 0);
        server.advance(1);
        assert_eq!(remove(&server).await, 1);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn a_grant_that_never_ends_stays(kind: Kind) {
        let lifetimes = json!({"refresh_token_lifetime": -1, "refresh_token_idle_lifetime": -1});
        let (server, client, token) = first(kind, lifetimes).await;
        server.advance(10_000 * DAY);
        assert_eq!(remove(&server).await, 0);
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn a_grant_that_is_used_at_this_moment_is_not_removed(kind: Kind) {
        let lifetimes = json!({"refresh_token_lifetime": -1, "refresh_token_idle_lifetime": 1000});
        let (server, client, token) = first(kind, lifetimes).await;
        let storage = &server.app.storage;
        let found = storage.endless_grants_after("").await.unwrap();
        let [grant] = &found.grants[..] else { panic!("one grant") };
        assert!(found.is_over && grant.client_id == ClientId::new(&client.id) && grant.last_used_at == START);
        server.advance(10);
        let token = server.refresh(&client, &token).await.text("refresh_token");
        assert_eq!(storage.remove_unused_grant(&grant.id, grant.last_used_at).await.unwrap(), 0);
        assert_eq!(server.refresh(&client, &token).await.status, 200);
    }

    async fn all_grants_without_an_end_are_looked_at_in_turn(kind: Kind) {
        let (server, _, _) = first(kind, json!({"refresh_token_lifetime": -1})).await;
        server.sql("INSERT INTO grants (id, client_id, user_id, state, salt, scope, auth_time, amr, redirect_uri, \
             code_expires_at, refreshable, generation, rotated_at, created_at) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             SELECT 'copy-' || n.i, g.client_id, g.user_id, g.state, g.salt, g.scope, g.auth_time, g.amr, g.redirect_uri, \
             g.code_expires_at, g.refreshable, g.generation, g.rotated_at, g.created_at FROM grants g, n").await;
        server.advance(400 * DAY);
        let mut removed = Vec::new();
        for _ in 0..4 {
            removed.push(server.app.remove_expired().await.unwrap().grants);
        }
        assert!(removed.iter().all(|grants| *grants <= 1000), "{removed:?}");
        assert_eq!(removed.iter().sum::<u64>(), 2501, "{removed:?}");
    }

    async fn what_devices_never_came_for_goes_in_batches_and_none_of_it_stays(kind: Kind) {
        let (server, _, _) = first(kind, json!({"refresh_token_lifetime": -1, "refresh_token_idle_lifetime": -1})).await;
        server.sql("INSERT INTO grants (id, client_id, user_id, state, salt, scope, auth_time, amr, redirect_uri, \
             code_expires_at, refreshable, generation, rotated_at, created_at) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
             SELECT 'device-' || n.i, g.client_id, g.user_id, g.state, g.salt, g.scope, g.auth_time, g.amr, '', \
             g.code_expires_at, g.refreshable, g.generation, g.rotated_at, g.created_at FROM grants g, n").await;
        server.sql("INSERT INTO device_authorizations (id, salt, client_id, user_code, scope, state, user_id, \
             interval_seconds, address, user_agent, created_at, expires_at) \
             SELECT id, salt, client_id, id, scope, 'approved', user_id, 5, '', '', created_at, created_at + 600 \
             FROM grants WHERE id LIKE 'device-%'").await;
        server.advance(DAY + 600);
        let mut removed = Vec::new();
        for _ in 0..3 {
            let purged = server.app.storage.purge(server.app.now()).await.unwrap();
            removed.push((purged.grants, purged.is_full()));
            let lone = "SELECT COUNT(*) FROM grants g WHERE id LIKE 'device-%' \
                 AND NOT EXISTS (SELECT 1 FROM device_authorizations d WHERE d.id = g.id)";
            assert_eq!(server.number(lone).await, 0, "nothing would ever remove these");
        }
        assert_eq!(removed, [(500, true), (500, true), (200, false)]);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
        assert_eq!(server.number("SELECT COUNT(*) FROM device_authorizations").await, 0);
    }

    /// A client is told of the end of a session by the last grant it has there, so that one stays.
    async fn what_living_sessions_need_is_not_looked_at_with_each_round_and_keeps_nothing_else(kind: Kind) {
        let told = json!({"backchannel_logout_uri": "https://app.example/logout", "refresh_token_lifetime": 1000});
        let (server, _, _) = first(kind, told).await;
        server.sql("INSERT INTO sessions (id, salt, user_id, auth_time, amr, created_at, last_seen_at, expires_at, \
             user_agent, address) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             SELECT 'copy-' || n.i, s.salt, s.user_id, s.auth_time, s.amr, s.created_at, s.last_seen_at, s.expires_at, \
             '', '' FROM sessions s, n").await;
        server.sql("INSERT INTO grants (id, client_id, user_id, session_id, state, salt, scope, auth_time, amr, \
             redirect_uri, code_expires_at, refreshable, generation, rotated_at, created_at, expires_at) \
             SELECT s.id, g.client_id, g.user_id, s.id, g.state, g.salt, g.scope, g.auth_time, g.amr, '', \
             g.code_expires_at, g.refreshable, g.generation, g.rotated_at, g.created_at, \
             g.expires_at - 2600 + CAST(SUBSTR(s.id, 6) AS INTEGER) FROM grants g, sessions s WHERE s.id LIKE 'copy-%'").await;
        server.sql("UPDATE grants SET session_id = NULL WHERE id NOT LIKE 'copy-%'").await;
        let rounds = async |many: usize| {
            let mut removed = Vec::new();
            for _ in 0..many {
                let purged = server.app.storage.purge(server.app.now()).await.unwrap();
                removed.push((purged.grants, purged.is_full()));
            }
            removed
        };
        let one_more = "INSERT INTO grants (id, client_id, user_id, state, salt, scope, auth_time, amr, redirect_uri, \
             code_expires_at, refreshable, generation, rotated_at, created_at, expires_at) \
             SELECT 'late', client_id, user_id, state, salt, scope, auth_time, amr, '', code_expires_at, refreshable, \
             generation, rotated_at, created_at, expires_at + 3000 FROM grants WHERE id = 'copy-1'";
        server.sql(one_more).await;
        server.advance(DAY + 1000);
        assert_eq!(rounds(3).await, [(0, true), (0, true), (1, false)], "the one that nobody needs is behind them");
        // Those that were passed are not in the way of what ends later.
        server.advance(1000);
        assert_eq!(rounds(1).await, [(1, false)]);
        // They go within the hour once nobody needs them any more.
        server.sql("DELETE FROM sessions WHERE id LIKE 'copy-%'").await;
        assert_eq!(rounds(1).await, [(0, false)]);
        server.advance(3600);
        assert_eq!(rounds(6).await, [[(500, true)].repeat(5), vec![(0, false)]].concat());
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
    }

    async fn a_consent_for_a_time_goes_when_it_is_over(kind: Kind) {
        let (server, _, _) = first(kind, json!({})).await;
        assert_eq!(server.number("SELECT COUNT(*) FROM consents WHERE expires_at IS NULL").await, 1);
        server.advance(DAY);
        assert_eq!(server.app.remove_expired().await.unwrap().consents, 0, "one without an end stays");
        server.sql("UPDATE consents SET expires_at = 1800086401").await;
        assert_eq!(server.app.remove_expired().await.unwrap().consents, 0);
        server.advance(1);
        assert_eq!(server.app.remove_expired().await.unwrap().consents, 1);
    }

    async fn a_registration_token_without_uses_goes_a_day_after_it_was_made(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.initial_access_token(None, None).await;
        server.initial_access_token(Some(0), None).await;
        server.initial_access_token(Some(1), None).await;
        for (wait, left) in [(DAY - 1, 3), (1, 2), (1000 * DAY, 2)] {
            server.advance(wait);
            remove(&server).await;
            assert_eq!(server.number("SELECT COUNT(*) FROM registration_tokens").await, left, "{wait}");
        }
    }

    async fn what_has_ended_is_kept_as_long_as_the_settings_say(kind: Kind) {
        let settings = [("DATABASE__ENDED_KEPT_SECONDS", "90"), ("SESSIONS__REQUEST_SECONDS", "60")];
        let server = TestServer::start_with(kind, &settings).await;
        let client = server.client(json!({"refresh_token_lifetime": 1000})).await;
        server.user("ada").await;
        server.tokens(&client, "ada").await;
        server.advance(1089);
        assert_eq!(remove(&server).await, 0);
        server.advance(1);
        assert_eq!(remove(&server).await, 1);
        assert_eq!(server.number("SELECT COUNT(*) FROM authorization_requests").await, 0);
    }

    async fn one_process_at_a_time_has_the_turn_to_remove(kind: Kind) {
        let server = TestServer::start(kind).await;
        let storage = &server.app.storage;
        let take = async |now: Timestamp| {
            let one = |number: usize| {
                let storage = storage.clone();
                async move { storage.take_purge_lock(&format!("process {number}"), now).await }
            };
            yes(all((0..40).map(one).collect()).await)
        };
        assert_eq!(take(START).await, 1);
        assert_eq!(take(START.plus(89)).await, 1, "the same one, which keeps it");
        assert_eq!(take(START.plus(178)).await, 1);
        assert!(!storage.take_purge_lock("another", START.plus(267)).await.unwrap());
        assert!(storage.take_purge_lock("another", START.plus(268)).await.unwrap());
        // Back from a clock that was an hour ahead.
        assert!(storage.take_purge_lock("ahead", START.plus(DAY)).await.unwrap());
        assert!(storage.take_purge_lock("another", START.plus(300)).await.unwrap());
    }

    async fn of_many_processes_one_removes_everything_and_the_others_do_not_wait(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut processes = vec![Arc::clone(&server.app)];
        for _ in 0..3 {
            processes.push(server.replica().await.app);
        }
        for number in 0..1700 {
            server.app.storage.revoke_token(Noted::nothing(), &TokenId::new(format!("{number}")), START).await.unwrap();
        }
        server.advance(DAY);
        let run = |app: Arc<chancery::app::App>| async move {
            let before = app.storage.db().statements();
            let mut removed = Vec::new();
            for _ in 0..5 {
                removed.extend(app.remove_expired_in_turn().await.unwrap().map(|purged| purged.tokens));
            }
            (removed, app.storage.db().statements() - before)
        };
        let mut done = all(processes.into_iter().map(run).collect()).await;
        done.sort();
        let (busy, idle) = done.split_last().unwrap();
        assert_eq!(busy.0, [500, 500, 500, 200, 0]);
        for (removed, statements) in idle {
            assert_eq!((removed.len(), *statements), (0, 5), "one statement to look whose turn it is");
        }
    }

    async fn clients_are_gone_through_in_steps(kind: Kind) {
        let (server, _, _) = first(kind, json!({})).await;
        server.sql("INSERT INTO clients (id, metadata, created_at, updated_at) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) \
             SELECT 'copy-' || n.i, REPLACE(c.metadata, c.id, 'copy-' || n.i), c.created_at, c.updated_at FROM clients c, n").await;
        let (mut place, mut steps) = (String::new(), Vec::new());
        while let Some((clients, last)) = server.app.storage.clients_after(&place).await.unwrap() {
            steps.push(clients.len());
            place = last;
        }
        assert_eq!(steps, [500, 500, 101]);
    }
}
