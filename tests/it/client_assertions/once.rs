//! An assertion counts once, in every process, and costs one write.

use super::*;

on_both! {
    async fn an_assertion_counts_once_and_after_its_end_not_at_all(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let claims = server.assertion_claims(&client.id, &client.id, json!({"jti": "one"}));
        let assertion = signer.sign(&claims);
        assert_eq!(server.ask_with(&assertion, &[]).await.status, 200);
        assert_told(&server.ask_with(&assertion, &[]).await, "replayed");
        // The same jti in another assertion is a replay too, unless it is another client's.
        let later = server.assertion_claims(&client.id, &client.id, json!({"jti": "one", "exp": START.unix() + 90}));
        assert_told(&server.ask_with(&signer.sign(&later), &[]).await, "the same jti");
        let other = server.client_with_keys(&signer, json!({})).await;
        let claims = server.assertion_claims(&other.id, &other.id, json!({"jti": "one"}));
        assert_eq!(server.ask_with(&signer.sign(&claims), &[]).await.status, 200);
        // Purging forgets only what has expired.
        server.advance(89);
        server.app.storage.purge(server.app.now()).await.unwrap();
        assert_told(&server.ask_with(&assertion, &[]).await, "within the leeway");
        server.advance(1);
        assert_told(&server.ask_with(&assertion, &[]).await, "expired");
        // Kept for a clock that is put right.
        for (seconds, gone) in [(0, 0), (2 * 3600, 2)] {
            server.advance(seconds);
            assert_eq!(server.app.storage.purge(server.app.now()).await.unwrap().assertions, gone);
        }
    }

    async fn one_of_forty_uses_an_assertion(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
        let server = Arc::new(server);
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (server, assertion) = (Arc::clone(&server), assertion.clone());
                tokio::spawn(async move { server.ask_with(&assertion, &[]).await })
            })
            .collect();
        let mut good = 0;
        for task in tasks {
            let answer = task.await.unwrap();
            if answer.status == 200 { good += 1 } else { assert_told(&answer, "raced") }
        }
        assert_eq!(good, 1);
    }

    async fn an_assertion_that_one_process_took_is_used_for_every_other(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let replica = server.replica().await;
        let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
        assert_eq!(server.ask_with(&assertion, &[]).await.status, 200);
        assert_told(&replica.ask_with(&assertion, &[]).await, "at another process");
    }

    async fn an_assertion_without_kid_is_by_the_only_key_of_its_kind(kind: Kind) {
        let server = TestServer::start(kind).await;
        let signers = ["ES256", "RS256", "ES256", "EdDSA"].map(Signer::new);
        let keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
        let client = server.client_with_keys(&signers[0], json!({"jwks": {"keys": keys}})).await;
        for signer in &signers {
            let claims = || server.assertion_claims(&client.id, &client.id, json!({}));
            assert_eq!(server.ask_with(&signer.sign(&claims()), &[]).await.status, 200);
            // Of two keys that fit none is tried.
            let is_only = signer.jwk()["crv"] != "P-256";
            let unnamed = server.ask_with(&signer.sign_with(&json!({"kid": null}), &claims()), &[]).await;
            assert_eq!(unnamed.status == 200, is_only, "{unnamed:?}");
        }
        // A kid names one key, and no other is tried.
        let claims = server.assertion_claims(&client.id, &client.id, json!({}));
        let misnamed = signers[0].sign_with(&json!({"kid": signers[2].jwk()["kid"]}), &claims);
        assert_refused(&server.ask_with(&misnamed, &[]).await, "another key's kid");
    }

    async fn an_assertion_costs_one_write(kind: Kind) {
        let (server, client, signer) = start(kind).await;
        let secret = secret_client(&server, json!({})).await;
        for (client, signer) in [(&client, &signer), (&secret, &hmac_of(&secret, "HS256"))] {
            for expected in [2, 1, 1] {
                let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
                let (statements, answer) = server.statements(server.ask_with(&assertion, &[])).await;
                assert_eq!((statements, answer.status.as_u16()), (expected, 200));
            }
            let refused = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({"exp": 1})));
            let (statements, _) = server.statements(server.ask_with(&refused, &[])).await;
            assert_eq!(statements, 0, "what is refused by its text costs nothing");
        }
    }
}
