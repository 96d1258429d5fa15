//! What is queued gets into the log, or is counted there: with a full queue, and when the server stops.

use std::time::Duration;

use chancery::app;
use chancery::audit::{Actor, Event};
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

    async fn what_was_left_out_in_the_last_minute_is_told_when_the_server_stops(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (told, ()) = server.told(async {
            for _ in 0..601 {
                server.app.note(&Actor::Unknown, Event::AdminApiRefused);
            }
            server.app.audit.finish(server.app.now()).await.unwrap();
        })
        .await;
        assert_told(&told[600..], &[
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
            let background = app::spawn_background_tasks(&server.app);
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
