//! What is queued gets into the log, or is counted there: with a full queue, and when the server stops.

use std::time::Duration;

use chancery::audit::{Actor, Event, SignInProblem};
use chancery::boot;
use chancery::model::UserId;
use serde_json::json;

use crate::support::{Kind, TestServer, assert_told, on_both};

const LONGEST: usize = 10_000;

on_both! {
    async fn what_a_full_queue_left_out_is_told_when_the_database_is_back(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (audit, user) = (&server.app.audit, UserId::new("u"));
        let (told, ()) = server.told(async {
            server.sql("ALTER TABLE audit_waiting RENAME TO away").await;
            for _ in 0..LONGEST + 5 {
                server.app.note(&Actor::Server, Event::UserUpdated { user: &user });
            }
            for _ in 0..3 {
                server.advance(60);
                assert!(audit.flush(server.app.now()).await.is_err());
            }
            server.sql("ALTER TABLE away RENAME TO audit_waiting").await;
        })
        .await;
        assert_eq!(told.len(), LONGEST + 1);
        assert_told(&told[LONGEST..], &[json!({"event": "audit.left_out", "of": "user.updated", "count": 5})]);
    }

    async fn an_address_that_fails_often_hides_neither_another_nor_what_names_a_user(kind: Kind) {
        let server = TestServer::start_with(kind, &[("SERVER__TRUSTED_PROXIES", "0.0.0.0/0")]).await;
        let bob = server.user("bob").await;
        let flooding = [("x-forwarded-for", "203.0.113.1")];
        let form = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "x")];
        let (told, ()) = server.told(async {
            for _ in 0..620 {
                server.post("/token", &flooding, &form).await.assert_invalid_client();
            }
            let (note, user) = (|event| server.app.note(&Actor::Unknown, event), Some(&bob.id));
            note(Event::SignInFailed { user, reason: SignInProblem::WrongPassword });
            note(Event::SignInFailed { user: None, reason: SignInProblem::UnknownUser });
            server.post("/token", &[("x-forwarded-for", "203.0.113.2")], &form).await.assert_invalid_client();
        })
        .await;
        assert_eq!(told.len(), 63);
        assert_told(&told[60..], &[
            json!({"event": "sign_in.failed", "user": bob.id, "reason": "wrong_password"}),
            json!({"event": "sign_in.failed", "user": null, "reason": "unknown_user"}),
            json!({"event": "client.authentication_failed", "address": "203.0.113.2"}),
        ]);
        let (told, ()) = server.told(async { server.advance(60) }).await;
        assert_told(&told, &[json!({"event": "audit.left_out", "of": "client.authentication_failed", "count": 560})]);
    }

    async fn what_was_left_out_in_the_last_minute_is_told_when_the_server_stops(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (told, ()) = server.told(async {
            for _ in 0..61 {
                server.app.note(&Actor::Unknown, Event::AdminApiRefused);
            }
            server.app.audit.finish(server.app.now()).await.unwrap();
        })
        .await;
        assert_told(&told[60..], &[
            json!({"event": "audit.left_out", "of": "admin_api.refused", "count": 1}),
            json!({"event": "audit.complete"}),
        ]);
    }

    async fn what_is_being_written_when_the_server_stops_is_written(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (told, ()) = server.told(async {
            let mut busy = server.app.storage.db().begin().await.unwrap();
            if kind == Kind::Postgres {
                busy.lock("LOCK TABLE audit_waiting IN EXCLUSIVE MODE", &[]).await.unwrap();
            }
            server.app.note(&Actor::Unknown, Event::AdminApiRefused);
            let background = boot::spawn_background_tasks(&server.app);
            // It takes the entry from the queue, and waits for the database.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            background.end().await;
            drop(busy);
            server.app.audit.finish(server.app.now()).await.unwrap();
        })
        .await;
        assert_told(&told, &[json!({"event": "admin_api.refused"}), json!({"event": "audit.complete"})]);
    }
}
