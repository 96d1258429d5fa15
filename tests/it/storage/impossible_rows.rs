//! A row that cannot be is an error, and nobody outside is told of it.

use super::*;

#[track_caller]
pub fn assert_impossible<T: std::fmt::Debug>(result: Result<T, StorageError>, expected: &str) {
    match result {
        Err(StorageError::ImpossibleRow { table, .. }) => assert_eq!(table, expected),
        other => panic!("not an impossible row of {expected}: {other:?}"),
    }
}

on_both! {
    async fn a_row_that_cannot_be_is_an_error_with_the_name_of_its_table(kind: Kind) {
        let world = World::start(kind).await;
        let (storage, server) = (world.storage(), &world.server);
        let grant = world.active("one").await;
        approve(storage, &world.grant("two"), "openid").await.unwrap();
        storage.insert_request(&world.request("one")).await.unwrap();
        server.sql("UPDATE grants SET generation = -1").await;
        assert_impossible(storage.grant(&grant).await, "grants");
        server.sql("UPDATE grants SET generation = 1, scope = '\"'").await;
        assert_impossible(storage.grant(&grant).await, "grants");
        server.sql("UPDATE consents SET scope = '\"'").await;
        assert_impossible(storage.consent(&world.user.id, &world.client, START).await, "consents");
        assert_impossible(storage.consents_of(&world.user.id, START).await, "consents");
        server.sql("UPDATE authorization_requests SET browser = '', session_id = 'session'").await;
        assert_impossible(storage.request(&AuthorizationRequestId::new("one")).await, "authorization_requests");
        storage.insert_handover(&AuthorizationRequestId::new("one"), "salt", None).await.unwrap();
        server.sql("UPDATE handovers SET session_id = 'session'").await;
        assert_impossible(storage.handover(&AuthorizationRequestId::new("one")).await, "handovers");
        server.sql("UPDATE handovers SET step = 'consent'").await;
        assert_impossible(storage.handover(&AuthorizationRequestId::new("one")).await, "handovers");
        server.sql("UPDATE authorization_requests SET parameters = '{}'").await;
        assert_impossible(storage.request(&AuthorizationRequestId::new("one")).await, "authorization_requests");
        server.sql("UPDATE users SET groups = 'x'").await;
        assert_impossible(storage.user(&world.user.id).await, "users");
        assert_impossible(storage.users().await, "users");
        server.sql("UPDATE clients SET secret_digest = 'AAAA'").await;
        assert_impossible(storage.client(&world.client).await, "clients");
        server.sql("UPDATE clients SET secret_digest = NULL, metadata = '{}'").await;
        assert_impossible(storage.clients().await, "clients");
        server.sql("UPDATE signing_keys SET algorithm = 'HS256' WHERE algorithm = 'ES256'").await;
        assert_impossible(storage.signing_keys(START).await, "signing_keys");
    }

    async fn a_row_that_cannot_be_is_a_500_that_says_nothing_of_it(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[]).await;
        server.sql("UPDATE grants SET scope = '\"'").await;
        let answer = server.redeem(&client, &code).await;
        answer.assert_error(500, "server_error");
        assert!(!answer.body.contains("grants") && !answer.body.contains("impossible"), "{answer:?}");
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
