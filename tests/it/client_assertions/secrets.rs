//! Assertions that are signed with a secret which is retired, sealed, or too short.

use super::*;
use chancery::model::Noted;

on_both! {
    async fn a_retired_secret_signs_until_its_end(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = secret_client(&server, json!({})).await;
        let id = ClientId::new(&client.id);
        let mut stored = server.app.storage.client(&id).await.unwrap().unwrap();
        let old = stored.secrets;
        let new = "n".repeat(64);
        let sealed = seal_secret(&server.app.master_key, &id, &Secret::new(&*new)).unwrap();
        let retired =
            RetiredSecret { digest: old.current.unwrap(), sealed: old.sealed, expires_at: START.plus(100) };
        stored.secrets = ClientSecrets { current: Some([0; 32]), sealed: Some(sealed), retired: Some(retired) };
        assert!(server.app.storage.update_client(Noted::nothing(), &stored, START).await.unwrap());
        server.app.clients.forget();
        let ask = |secret: String| {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let (server, assertion) = (&server, Signer::of_secret("HS256", secret.as_bytes()).sign(&claims));
            async move { server.ask_with(&assertion, &[]).await }
        };
        assert_eq!(ask(client.secret.clone()).await.status, 200);
        assert_eq!(ask(new.clone()).await.status, 200);
        server.advance(100);
        assert_refused(&ask(client.secret.clone()).await, "retired");
        assert_eq!(ask(new).await.status, 200);
    }

    async fn a_secret_is_sealed_for_a_client_that_needs_it_and_for_no_other(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = secret_client(&server, json!({})).await;
        server.client(json!({})).await;
        let sealed: Vec<(String, String)> = server
            .app
            .storage
            .db()
            .fetch_all("SELECT id, sealed_secret FROM clients WHERE sealed_secret IS NOT NULL", &[])
            .await
            .unwrap();
        assert_eq!(sealed.len(), 1);
        assert_eq!(sealed[0].0, client.id);
        assert!(!sealed[0].1.contains(&client.secret));
    }

    async fn a_secret_that_is_too_short_for_the_algorithm_makes_no_signature(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = secret_client(&server, json!({})).await;
        let id = ClientId::new(&client.id);
        let mut stored = server.app.storage.client(&id).await.unwrap().unwrap();
        let short = "s".repeat(43);
        stored.secrets.sealed = Some(seal_secret(&server.app.master_key, &id, &Secret::new(&*short)).unwrap());
        server.app.storage.update_client(Noted::nothing(), &stored, START).await.unwrap();
        for (algorithm, accepted) in [("HS256", true), ("HS384", false), ("HS512", false)] {
            let claims = server.assertion_claims(&client.id, &client.id, json!({}));
            let answer = server.ask_with(&Signer::of_secret(algorithm, short.as_bytes()).sign(&claims), &[]).await;
            assert_eq!(answer.status == 200, accepted, "{algorithm}");
        }
    }
}
