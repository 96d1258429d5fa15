//! Nobody changes the log unnoticed; many write it at once; its front goes and the rest still verifies.

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery::audit::{Actor, ChainError, Event, Flaw, Place};
use chancery::crypto::master_key::MasterKey;
use chancery::model::UserId;
use serde_json::json;

use crate::support::{Kind, TestServer, assert_told, on_both, output, program};

/// Queues this many entries.
fn queue(server: &TestServer, many: usize) {
    let user = UserId::new("u");
    for _ in 0..many {
        server.app.note(&Actor::Server, Event::UserUpdated { user: &user });
    }
}

/// Writes this many entries and chains them.
pub(super) async fn write(server: &TestServer, many: usize) {
    queue(server, many);
    server.audit_log().await;
}

/// A server with ten entries.
pub(super) async fn ten(kind: Kind) -> TestServer {
    let server = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256")]).await;
    write(&server, 9).await;
    let verified = server.verify_audit_log(None).await.unwrap();
    assert_eq!((verified.entries, verified.head, verified.waiting, verified.removed_until), (10, 10, 0, 0));
    server
}

async fn head(server: &TestServer) -> Place {
    server.app.audit.head().await.unwrap().unwrap()
}

on_both! {
    async fn an_entry_that_was_changed_is_named(kind: Kind) {
        for change in [
            "UPDATE audit_log SET body = REPLACE(body, '\"u\"', '\"v\"') WHERE number = 5",
            "UPDATE audit_log SET at = at - 1 WHERE number = 5",
            "UPDATE audit_log SET event = 'user.deleted' WHERE number = 5",
            "UPDATE audit_log SET id = 'x' WHERE number = 5",
            "UPDATE audit_log SET hash = 'x' WHERE number = 5",
        ] {
            let server = ten(kind).await;
            server.sql(change).await;
            assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(5)), "{change}");
            // What is written after it does not make it good.
            write(&server, 3).await;
            assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(5)), "{change}");
        }
    }

    async fn an_entry_that_was_removed_in_the_middle_is_named(kind: Kind) {
        let server = ten(kind).await;
        server.sql("DELETE FROM audit_log WHERE number = 4").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Missing(4)));
        // Also where the numbers are made to fit.
        server.sql("UPDATE audit_log SET number = -number WHERE number > 4").await;
        server.sql("UPDATE audit_log SET number = -number - 1 WHERE number < 0").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(4)));
    }

    async fn entries_that_changed_places_are_named(kind: Kind) {
        let server = ten(kind).await;
        server.sql("UPDATE audit_log SET number = 100 WHERE number = 6").await;
        server.sql("UPDATE audit_log SET number = 6 WHERE number = 7").await;
        server.sql("UPDATE audit_log SET number = 7 WHERE number = 100").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(6)));
    }

    async fn an_entry_that_was_put_in_is_named(kind: Kind) {
        let server = ten(kind).await;
        server.sql("UPDATE audit_log SET number = -number WHERE number > 7").await;
        server.sql("UPDATE audit_log SET number = -number + 1 WHERE number < 0").await;
        server.sql("INSERT INTO audit_log SELECT 8, 'x', at, event, body, hash FROM audit_log WHERE number = 7").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(8)));
        // At the end, with the mark moved after it.
        let server = ten(kind).await;
        server.sql("INSERT INTO audit_log SELECT 11, 'x', at, event, body, 'h' FROM audit_log WHERE number = 10").await;
        server.sql("UPDATE audit_marks SET number = 11, hash = 'h' WHERE name = 'head'").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Changed(11)));
    }

    async fn an_end_that_was_cut_off_is_noticed_by_the_mark(kind: Kind) {
        let server = ten(kind).await;
        server.sql("DELETE FROM audit_log WHERE number > 8").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Cut { last: 8, expected: 10 }));
        server.sql("UPDATE audit_marks SET number = 8, hash = (SELECT hash FROM audit_log WHERE number = 8) \
            WHERE name = 'head'").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::ForeignHead(8)));
        // Nobody writes over the evidence: what comes waits.
        server.app.note(&Actor::Server, Event::AdminApiRefused);
        server.app.audit.flush(server.app.now()).await.unwrap();
        let chained = server.app.audit.chain_waiting(server.app.now()).await;
        assert!(matches!(chained, Err(ChainError::ForeignHead)), "{chained:?}");
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::ForeignHead(8)));
    }

    async fn an_end_that_was_cut_off_with_an_old_mark_put_back_is_noticed_by_the_head_that_was_kept(kind: Kind) {
        let server = ten(kind).await;
        server.sql("CREATE TABLE old AS SELECT * FROM audit_marks").await;
        write(&server, 5).await;
        let kept = head(&server).await;
        assert_eq!(kept.number, 15);
        assert!(server.verify_audit_log(Some(&kept)).await.is_ok());
        server.sql("DELETE FROM audit_log WHERE number > 10").await;
        server.sql("DELETE FROM audit_marks").await;
        server.sql("INSERT INTO audit_marks SELECT * FROM old").await;
        assert!(server.verify_audit_log(None).await.is_ok(), "nothing in the database tells");
        assert_eq!(server.verify_audit_log(Some(&kept)).await, Err(Flaw::Cut { last: 10, expected: 15 }));
        // The server goes on, unknowing; the head that was kept is another one.
        write(&server, 8).await;
        assert_eq!(server.verify_audit_log(Some(&kept)).await, Err(Flaw::OtherHead(15)));
        let wrong = Place { hash: "x".to_owned(), ..head(&server).await };
        assert_eq!(server.verify_audit_log(Some(&wrong)).await, Err(Flaw::OtherHead(18)));
    }

    async fn a_mark_of_an_end_that_was_undone_is_noticed(kind: Kind) {
        let server = ten(kind).await;
        server.sql("CREATE TABLE old AS SELECT * FROM audit_marks").await;
        write(&server, 5).await;
        server.sql("CREATE TABLE undone AS SELECT * FROM audit_marks").await;
        server.sql("DELETE FROM audit_log WHERE number > 10").await;
        server.sql("DELETE FROM audit_marks").await;
        server.sql("INSERT INTO audit_marks SELECT * FROM old").await;
        write(&server, 5).await;
        // What the process wrote before is missing.
        let found = server.verify_audit_log(None).await;
        assert!(matches!(found, Err(Flaw::TakenOut { sequence: 11, .. })), "{found:?}");
        server.sql("DELETE FROM audit_marks").await;
        server.sql("INSERT INTO audit_marks SELECT * FROM undone").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::ForeignHead(15)), "another fifteenth entry");
    }

    async fn a_mark_that_was_set_back_is_noticed(kind: Kind) {
        let server = ten(kind).await;
        server.sql("UPDATE audit_marks SET number = 0, hash = '', tag = '' WHERE name = 'head'").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::BeyondHead(0)));
    }

    async fn a_front_that_somebody_else_removed_is_noticed(kind: Kind) {
        let server = ten(kind).await;
        server.sql("UPDATE audit_marks SET number = 3, hash = (SELECT hash FROM audit_log WHERE number = 3) \
            WHERE name = 'anchor'").await;
        server.sql("DELETE FROM audit_log WHERE number <= 3").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::ForeignAnchor(3)));
        server.sql("UPDATE audit_marks SET number = 0, hash = '', tag = '' WHERE name = 'anchor'").await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::Missing(1)));
    }

    async fn entries_before_the_beginning_are_told_as_unproven(kind: Kind) {
        let server = ten(kind).await;
        assert!(!server.verify_audit_log(None).await.unwrap().unproven);
        server.advance(86_400);
        server.app.audit.cut(server.app.now()).await.unwrap().unwrap();
        write(&server, 1).await;
        assert!(!server.verify_audit_log(None).await.unwrap().unproven);
        for insert in [
            "INSERT INTO audit_log VALUES (10, 'x', 0, 'user.deleted', '{}', 'h')",
            "INSERT INTO audit_log VALUES (-1, 'x', 0, 'user.deleted', '{}', 'h')",
        ] {
            server.sql(insert).await;
            let verified = server.verify_audit_log(None).await.unwrap();
            assert!(verified.unproven && verified.entries == 1, "{verified:?}");
            server.sql("DELETE FROM audit_log WHERE id = 'x'").await;
        }
    }

    async fn whoever_has_the_database_alone_cannot_write_entries_that_wait(kind: Kind) {
        let server = ten(kind).await;
        server.sql("INSERT INTO audit_waiting (id, at, ordinal, event, body, tag) \
            VALUES ('x', 1800000000, 0, 'user.deleted', '{\"user\":\"u\"}', 'guessed')").await;
        let (told, ()) = server.told(async {}).await;
        assert!(told.is_empty());
        let forged = server.audit_log().await.split_off(10);
        assert_told(&forged, &[json!({
            "event": "audit.forged", "actor": "unknown", "claimed_event": "user.deleted", "id": "x", "user": null,
        })]);
        assert!(server.verify_audit_log(None).await.is_ok());
    }

    async fn an_entry_that_was_taken_out_while_it_waited_is_missed(kind: Kind) {
        let server = ten(kind).await;
        let write = async |count: usize| {
            for _ in 0..count {
                let user = UserId::new("u");
                server.app.audit.write(&Actor::Server, &Event::UserUpdated { user: &user }, server.app.now()).await.unwrap();
            }
        };
        write(1).await;
        server.sql("DELETE FROM audit_waiting").await;
        // The next one says that it had been written.
        write(1).await;
        server.audit_log().await;
        let found = server.verify_audit_log(None).await;
        assert!(matches!(&found, Err(Flaw::TakenOut { sequence: 11, before: 11, .. })), "{found:?}");
    }

    async fn the_last_entry_of_a_process_is_missed_when_it_says_how_far_all_is_written(kind: Kind) {
        let server = ten(kind).await;
        let now = server.app.now();
        server.app.audit.close(now);
        let log = server.audit_log().await;
        assert_told(&log[10..], &[json!({"event": "audit.complete", "actor": "server", "sequence": 11, "complete_to": 10})]);
        server.app.audit.close(now);
        assert_eq!(server.audit_log().await.len(), 11, "nothing is new");
        let user = UserId::new("u");
        server.app.audit.write(&Actor::Server, &Event::UserUpdated { user: &user }, now).await.unwrap();
        server.sql("DELETE FROM audit_waiting").await;
        server.audit_log().await;
        assert_eq!(server.verify_audit_log(None).await.unwrap().unaccounted, 0);
        server.app.audit.close(now);
        server.audit_log().await;
        let found = server.verify_audit_log(None).await;
        assert!(matches!(&found, Err(Flaw::TakenOut { sequence: 12, .. })), "{found:?}");
    }

    async fn an_entry_that_was_held_back_and_put_in_later_is_noticed(kind: Kind) {
        let server = ten(kind).await;
        let user = UserId::new("u");
        let event = Event::UserUpdated { user: &user };
        let write = || server.app.audit.write(&Actor::Server, &event, server.app.now());
        write().await.unwrap();
        server.sql("CREATE TABLE kept AS SELECT * FROM audit_waiting").await;
        server.sql("DELETE FROM audit_waiting").await;
        write().await.unwrap();
        assert_eq!(server.audit_log().await.len(), 11);
        server.sql("INSERT INTO audit_waiting SELECT * FROM kept").await;
        assert_eq!(server.audit_log().await.len(), 12, "it is genuine");
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::HeldBack(12)));
    }

    async fn a_copy_of_an_entry_that_is_put_in_later_is_noticed(kind: Kind) {
        let server = ten(kind).await;
        let user = UserId::new("u");
        let event = Event::UserUpdated { user: &user };
        let write = || server.app.audit.write(&Actor::Server, &event, server.app.now());
        write().await.unwrap();
        server.sql("CREATE TABLE kept AS SELECT * FROM audit_waiting").await;
        write().await.unwrap();
        server.audit_log().await;
        server.sql("INSERT INTO audit_waiting SELECT * FROM kept").await;
        server.audit_log().await;
        assert_eq!(server.verify_audit_log(None).await, Err(Flaw::HeldBack(13)));
    }

    async fn an_act_that_changes_nothing_or_is_left_out_leaves_no_gap(kind: Kind) {
        let server = ten(kind).await;
        let (app, gone) = (&server.app, UserId::new("nobody"));
        for _ in 0..3 {
            let noted = app.noted(&Actor::Server, Event::UserDeleted { user: &gone });
            assert!(!app.storage.delete_user(noted, &gone, app.now()).await.unwrap());
            drop(app.noted(&Actor::Server, Event::UserDeleted { user: &gone }));
        }
        for _ in 0..700 {
            app.note(&Actor::Unknown, Event::SignInThrottled { user: None });
        }
        let user = server.user("ada").await;
        let noted = app.noted(&Actor::Server, Event::UserDeleted { user: &user.id });
        assert!(app.storage.delete_user(noted, &user.id, app.now()).await.unwrap());
        server.audit_log().await;
        app.audit.close(app.now());
        let log = server.audit_log().await;
        let sequences: BTreeSet<i64> = log.iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect();
        let expected: BTreeSet<i64> = (1..=log.len() as i64).collect();
        assert_eq!(sequences, expected);
        assert_eq!(log.last().unwrap()["complete_to"], json!(log.len() - 1));
        assert_eq!(server.verify_audit_log(None).await.unwrap().unaccounted, 0);
    }

    async fn entries_of_which_nobody_knows_whether_they_were_written_are_told(kind: Kind) {
        let server = ten(kind).await;
        let (app, user) = (&server.app, server.user("ada").await);
        server.sql("ALTER TABLE audit_waiting RENAME TO away").await;
        let event = Event::UserUpdated { user: &user.id };
        let write = || app.audit.write(&Actor::Server, &event, app.now());
        assert!(write().await.is_err() && write().await.is_err());
        server.sql("ALTER TABLE away RENAME TO audit_waiting").await;
        write().await.unwrap();
        let log = server.audit_log().await;
        assert_told(&log[10..], &[
            json!({"event": "user.updated", "sequence": 13, "complete_to": 10}),
            json!({"event": "audit.unsure", "actor": "server", "sequences": [11, 12]}),
        ]);
        write().await.unwrap();
        assert_eq!(server.audit_log().await[12]["complete_to"], 14);
        assert!(server.verify_audit_log(None).await.is_ok());
    }

    async fn what_a_process_that_was_killed_had_queued_is_told_apart(kind: Kind) {
        let server = ten(kind).await;
        let user = UserId::new("u");
        let killed = server.replica().await;
        killed.app.note(&Actor::Server, Event::AdminApiRefused);
        killed.app.audit.write(&Actor::Server, &Event::UserUpdated { user: &user }, killed.app.now()).await.unwrap();
        drop(killed);
        server.audit_log().await;
        let verified = server.verify_audit_log(None).await.unwrap();
        assert_eq!((verified.entries, verified.unaccounted), (11, 1));
    }

    async fn another_master_key_verifies_nothing_and_writes_nothing(kind: Kind) {
        let server = ten(kind).await;
        let key = Arc::new(MasterKey::parse(&MasterKey::generate()).unwrap());
        let audit = chancery::audit::Audit::new(server.app.storage.clone(), key);
        assert_eq!(audit.verify(None).await.unwrap(), Err(Flaw::Changed(1)));
        audit.note(&Actor::Server, &Event::AdminApiRefused, server.app.now());
        audit.flush(server.app.now()).await.unwrap();
        assert!(matches!(audit.chain_waiting(server.app.now()).await, Err(ChainError::ForeignHead)));
        // Until it begins a chain of its own: the old entries stay, and what waited is not believed.
        assert_eq!(audit.restart(&Actor::Server, server.app.now()).await.unwrap(), 10);
        let verified = audit.verify(None).await.unwrap().unwrap();
        assert_eq!((verified.removed_until, verified.head), (10, 12));
        assert!(verified.unproven, "what was there before");
        assert_eq!(server.number("SELECT COUNT(*) FROM audit_log").await, 12);
        assert_eq!(server.number("SELECT COUNT(*) FROM audit_log WHERE event = 'admin_api.refused'").await, 1);
    }

    async fn a_log_that_is_broken_can_be_gone_on_with(kind: Kind) {
        let server = ten(kind).await;
        server.sql("DELETE FROM audit_log WHERE number = 4").await;
        server.sql("UPDATE audit_marks SET number = 2 WHERE name = 'head'").await;
        assert_eq!(server.app.audit.restart(&Actor::Server, server.app.now()).await.unwrap(), 10);
        write(&server, 2).await;
        let told = server.audit_log().await;
        assert_told(&told[9..10], &[json!({"event": "audit.restarted", "actor": "server", "after": 10, "number": 11})]);
        let verified = server.verify_audit_log(None).await.unwrap();
        assert_eq!((verified.entries, verified.head), (3, 13));
    }

    async fn forty_on_two_replicas_at_once_write_one_chain(kind: Kind) {
        let server = ten(kind).await;
        let replica = server.replica().await;
        let user = UserId::new("u");
        let apps = [Arc::clone(&server.app), Arc::clone(&replica.app)];
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let (app, user) = (Arc::clone(&apps[number % 2]), user.clone());
                tokio::spawn(async move {
                    app.audit.write(&Actor::Server, &Event::UserUpdated { user: &user }, app.now()).await.unwrap();
                    app.audit.chain_waiting(app.now()).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let entries = server.audit_log().await;
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry["id"].to_string()).collect();
        assert_eq!((entries.len(), ids.len()), (50, 50));
        assert_eq!(server.verify_audit_log(None).await.unwrap().entries, 50);
        assert_eq!(replica.verify_audit_log(None).await.unwrap().waiting, 0);
    }

    async fn many_batches_of_several_reads_are_one_chain(kind: Kind) {
        let server = ten(kind).await;
        write(&server, 6345).await;
        let verified = server.verify_audit_log(None).await.unwrap();
        assert_eq!((verified.entries, verified.waiting), (6355, 0));
    }

    async fn a_batch_takes_its_places_by_few_statements(kind: Kind) {
        let server = ten(kind).await;
        queue(&server, 500);
        let statements = || server.app.storage.db().statements();
        let before = statements();
        server.app.audit.flush(server.app.now()).await.unwrap();
        assert_eq!(statements() - before, 5);
        server.app.audit.chain_waiting(server.app.now()).await.unwrap();
        // What waits, the head, five INSERTs, the DELETE.
        assert_eq!(statements() - before - 5, 8);
        assert_eq!(server.verify_audit_log(None).await.unwrap().entries, 510);
    }

    async fn an_act_that_fails_or_changes_nothing_is_not_told_and_one_that_cannot_be_told_is_not_done(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let (app, gone) = (&server.app, UserId::new("nobody"));
        let noted = app.noted(&Actor::Server, Event::UserDeleted { user: &gone });
        let (told, found) = server.told(app.storage.delete_user(noted, &gone, app.now())).await;
        assert!(told.is_empty() && !found.unwrap());
        server.sql("ALTER TABLE audit_waiting RENAME TO away").await;
        let deleted = app.noted(&Actor::Server, Event::UserDeleted { user: &user.id });
        assert!(app.storage.delete_user(deleted, &user.id, app.now()).await.is_err());
        let updated = app.noted(&Actor::Server, Event::UserUpdated { user: &user.id });
        assert!(app.storage.set_profile(updated, &user.id, &user.profile, app.now()).await.is_err());
        assert!(app.storage.user(&user.id).await.unwrap().is_some());
    }

    async fn what_is_queued_survives_a_database_that_is_away(kind: Kind) {
        let server = ten(kind).await;
        server.sql("ALTER TABLE audit_waiting RENAME TO away").await;
        server.app.note(&Actor::Server, Event::AdminApiRefused);
        assert!(server.app.audit.flush(server.app.now()).await.is_err());
        server.sql("ALTER TABLE away RENAME TO audit_waiting").await;
        assert_told(&server.audit_log().await[10..], &[json!({"event": "admin_api.refused"})]);
    }

    async fn what_is_older_than_the_retention_goes_and_the_rest_verifies(kind: Kind) {
        let server = ten(kind).await;
        let old = head(&server).await;
        write(&server, 1100).await;
        server.advance(86_400);
        write(&server, 5).await;
        let (app, cut) = (&server.app, server.app.now().plus(-60));
        let mut rounds = 0;
        while app.audit.cut(cut).await.unwrap().unwrap() {
            rounds += 1;
        }
        assert_eq!(rounds, 1, "in batches");
        let verified = server.verify_audit_log(None).await.unwrap();
        assert_eq!((verified.entries, verified.removed_until, verified.head), (5, 1110, 1115));
        assert_eq!(server.number("SELECT COUNT(*) FROM audit_log").await, 5);
        assert!(!app.audit.cut(cut).await.unwrap().unwrap());
        // A head of what has gone cannot be compared; the last that went still can.
        assert_eq!(server.verify_audit_log(Some(&old)).await, Err(Flaw::HeadRemoved(10)));
        let wrong = Place { number: 1110, hash: "x".to_owned() };
        assert_eq!(server.verify_audit_log(Some(&wrong)).await, Err(Flaw::OtherHead(1110)));
        // All of it may go.
        server.advance(86_400);
        app.audit.cut(app.now()).await.unwrap().unwrap();
        assert_eq!(server.verify_audit_log(None).await.unwrap().entries, 0);
        write(&server, 1).await;
        assert_eq!(server.verify_audit_log(None).await.unwrap().head, 1116);
    }

    async fn retention_removes_nothing_that_does_not_verify(kind: Kind) {
        // Whoever has the database alone makes entries old, so that the server removes them by itself.
        for (change, flaw) in [
            ("UPDATE audit_log SET at = 0 WHERE number <= 5", Flaw::Changed(1)),
            ("UPDATE audit_log SET at = 0 WHERE number = 10", Flaw::Changed(10)),
            ("DELETE FROM audit_log WHERE number = 2", Flaw::Missing(2)),
            ("UPDATE audit_marks SET tag = 'x' WHERE name = 'anchor'", Flaw::ForeignAnchor(0)),
        ] {
            let server = ten(kind).await;
            server.sql(change).await;
            server.advance(86_400);
            write(&server, 5).await;
            let before = server.number("SELECT COUNT(*) FROM audit_log").await;
            let cutoff = server.app.now().plus(-60);
            assert_eq!(server.app.audit.cut(cutoff).await.unwrap(), Err(flaw.clone()), "{change}");
            assert_eq!(server.number("SELECT COUNT(*) FROM audit_log").await, before, "{change}");
            assert_eq!(server.verify_audit_log(None).await, Err(flaw), "{change}");
        }
    }

    async fn the_command_verifies_prints_the_head_and_exports_json_lines(kind: Kind) {
        let server = ten(kind).await;
        server.advance(2 * 86_400);
        server.app.note(&Actor::Server, Event::AdminApiRefused);
        server.audit_log().await;
        let run = async |line: &[&str]| {
            let output = output(program(&server.environment, line)).await;
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.success(), text(output.stdout), text(output.stderr))
        };
        let (good, said, _) = run(&["audit", "verify"]).await;
        assert!(good && said.contains("11 entries"), "{said}");
        let (_, printed, _) = run(&["audit", "head"]).await;
        assert_eq!(printed.trim(), head(&server).await.to_string());
        assert!(run(&["audit", "verify", "--head", printed.trim()]).await.0);
        let (good, _, said) = run(&["audit", "verify", "--head", "11:x"]).await;
        assert!(!good && said.contains("entry 11 is not the one"), "{said}");
        let log = server.audit_log().await;
        let lines = async |line: &[&str]| -> Vec<serde_json::Value> {
            let (good, said, problem) = run(&[&["audit", "export"], line].concat()).await;
            assert!(good, "{problem}");
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(lines(&[]).await, log);
        assert_eq!(lines(&["--event", "admin_api.refused"]).await, log[10..]);
        assert_eq!(lines(&["--event", "user", "--event", "key."]).await, log[..10]);
        assert_eq!(lines(&["--since", "2027-01-16"]).await, log[10..]);
        assert_eq!(lines(&["--until", "2027-01-16T00:00:00Z"]).await, log[..10]);
        assert_eq!(lines(&["--after", "8"]).await, log[8..]);
        server.sql("DELETE FROM audit_log WHERE number = 2").await;
        let (good, _, said) = run(&["audit", "verify"]).await;
        assert!(!good && said.contains("entry 2 is missing"), "{said}");
        let (good, said, problem) = run(&["audit", "restart", "--json"]).await;
        assert!(good && said.contains("11"), "{problem}");
        let (good, said, _) = run(&["audit", "verify"]).await;
        assert!(good && said.contains("entries before number 12 too, which nothing proves"), "{said}");
    }
}
