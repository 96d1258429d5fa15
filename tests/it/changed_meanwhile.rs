//! A client is changed by its operator, by itself (RFC 7592), by several at once: nobody's change is lost, and what the
//! operator took stays taken.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use chancery::model::{ClientId, ClientMetadata};
use serde_json::{Value, json};

use crate::support::{
    Answer, Documents, Kind, OPEN, REDIRECT_URI, Registration, TestServer, all, merged, on_both,
    registration_of, run, text,
};

const PRIVATE: (&str, &str) = ("OUTBOUND__ALLOW_PRIVATE", "true");
/// As long as somebody waits for the list of a sector: others come between what they read and what they write.
const MEANWHILE: Duration = Duration::from_millis(1500);

/// A sector whose list takes its time.
async fn slow_sector() -> Documents {
    let documents = Documents::serve(&json!([REDIRECT_URI])).await;
    documents.delay(MEANWHILE);
    documents
}

/// Once somebody waits for it.
async fn is_waited_for(sector: &Documents) {
    for _ in 0..1000 {
        if sector.requests() > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody asks for the sector");
}

async fn registered(server: &TestServer, change: Value) -> Value {
    let answer = server.register(change).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn stored(server: &TestServer, client: &Registration) -> ClientMetadata {
    server.app.storage.client(&ClientId::new(&client.id)).await.unwrap().unwrap().client
}

/// A client replaces its metadata: what every update has, with these members.
async fn update(server: &TestServer, registered: &Value, change: &Value) -> Answer {
    let right = json!({"client_id": registered["client_id"], "redirect_uris": [REDIRECT_URI]});
    server.manage(Method::PUT, registered, &merged(right, change)).await
}

/// A client that has a scope of the operator's, in the middle of an update; then the operator's change, and the answer.
async fn updated_beside(kind: Kind, change: Value, operators: Value) -> (Answer, ClientMetadata) {
    let server = TestServer::start_with(kind, &[OPEN, PRIVATE]).await;
    let sector = slow_sector().await;
    let before = registered(&server, json!({})).await;
    let client = registration_of(&before);
    server.change_client(&client, json!({"scope": "openid groups"})).await;
    let pairwise = json!({"subject_type": "pairwise", "sector_identifier_uri": sector.url});
    let change = merged(change, &pairwise);
    let operator = async {
        is_waited_for(&sector).await;
        server.change_client(&client, operators).await;
    };
    let (answer, ()) = tokio::join!(update(&server, &before, &change), operator);
    (answer, stored(&server, &client).await)
}

on_both! {
    async fn what_the_operator_takes_while_a_client_updates_itself_stays_taken(kind: Kind) {
        let asked = json!({"scope": "openid groups"});
        let (answer, after) = updated_beside(kind, asked, json!({"scope": "openid"})).await;
        answer.assert_error(400, "invalid_client_metadata");
        assert!(text(&answer.json(), "error_description").contains("scope"), "{answer:?}");
        assert_eq!(after.scope.to_string(), "openid");
    }

    async fn what_the_operator_sets_while_a_client_updates_itself_stays_set(kind: Kind) {
        let asked = json!({"client_name": "New"});
        let (answer, after) = updated_beside(kind, asked, json!({"access_token_lifetime": 60})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((after.name.as_str(), after.access_token_lifetime), ("New", Some(60)));
    }

    async fn of_operators_and_a_client_that_change_it_at_once_no_operators_change_is_lost(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "100000")]).await;
        let replica = server.replica().await;
        let before = registered(&server, json!({})).await;
        let client = registration_of(&before);
        for round in 60..100 {
            server.change_client(&client, json!({"scope": "openid groups"})).await;
            let updates = (0..6).map(async |number| {
                let one = if number % 2 == 0 { &server } else { &replica };
                let change = json!({"scope": "openid groups", "client_name": format!("{round}-{number}")});
                update(one, &before, &change).await
            });
            let operators = async {
                tokio::time::sleep(Duration::from_millis(round % 4)).await;
                tokio::join!(
                    server.change_client(&client, json!({"scope": "openid"})),
                    replica.change_client(&client, json!({"access_token_lifetime": round})),
                )
            };
            let (answers, _) = tokio::join!(all(updates.collect()), operators);
            let after = stored(&server, &client).await;
            assert_eq!((after.scope.to_string().as_str(), after.access_token_lifetime), ("openid", Some(round as i64)));
            for answer in answers {
                if answer.status != 200 {
                    answer.assert_error(400, "invalid_client_metadata");
                }
            }
        }
    }

    async fn a_command_changes_what_it_names_and_nothing_that_others_changed_meanwhile(kind: Kind) {
        let server = Arc::new(TestServer::start_with(kind, &[PRIVATE]).await);
        let sector = slow_sector().await;
        let client = server.client(json!({"client_id": "app"})).await;
        let slow = {
            let (server, url) = (Arc::clone(&server), sector.url.clone());
            let line = ["client", "update", "app", "--subject-type", "pairwise", "--sector-identifier-uri"];
            tokio::spawn(async move { run(&server, &[&line[..], &[&url]].concat()).await })
        };
        is_waited_for(&sector).await;
        run(&server, &["client", "update", "app", "--access-token-lifetime", "60"]).await;
        run(&server, &["client", "update", "app", "--scope", "openid"]).await;
        let rotated = run(&server, &["client", "rotate-secret", "app"]).await;
        slow.await.unwrap();
        let after = stored(&server, &client).await;
        assert_eq!(after.identity.sector_identifier_uri, Some(sector.url.clone()));
        assert_eq!((after.access_token_lifetime, after.scope.to_string().as_str()), (Some(60), "openid"));
        server.app.clients.forget();
        let client = Registration { secret: text(&rotated, "client_secret"), ..client };
        assert_eq!(server.revoke(&client, "x").await.status, 200, "the new secret counts");
    }
}
