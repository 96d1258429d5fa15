//! Keys behind a `jwks_uri`: fetched, kept as the headers say, and kept when they cannot be fetched again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Answer, Documents, Kind, Registration, Signer, TestServer, dear_rsa_keys, merged, on_both,
};

const LOCAL: [(&str, &str); 2] = [("OUTBOUND__ALLOW_PRIVATE", "true"), ("OUTBOUND__TIMEOUT_SECONDS", "1")];

struct Place {
    server: TestServer,
    documents: Documents,
    client: Registration,
    signer: Signer,
}

impl Place {
    async fn new(kind: Kind) -> Self {
        Self::with(kind, &LOCAL).await
    }

    async fn with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let signer = Signer::new("ES256");
        let documents = Documents::serve(&signer.jwks()).await;
        let server = TestServer::start_with(kind, settings).await;
        let client = client(&server, &documents.url).await;
        Self { server, documents, client, signer }
    }

    async fn ask(&self, signer: &Signer) -> Answer {
        self.ask_with(signer, json!({})).await
    }

    async fn ask_with(&self, signer: &Signer, header: Value) -> Answer {
        let claims = self.server.assertion_claims(&self.client.id, &self.client.id, json!({}));
        self.server.ask_with(&signer.sign_with(&header, &claims), &[]).await
    }

    #[track_caller]
    fn assert_requests(&self, expected: usize) {
        assert_eq!(self.documents.requests(), expected);
    }
}

async fn client(server: &TestServer, uri: &str) -> Registration {
    server.client(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri})).await
}

on_both! {
    async fn keys_are_fetched_once_and_kept_as_long_as_the_headers_say(kind: Kind) {
        let place = Place::new(kind).await;
        place.documents.publish(&place.signer.jwks(), "Cache-Control: public, max-age=300\r\n");
        for _ in 0..3 {
            assert_eq!(place.ask(&place.signer).await.status, 200);
        }
        place.assert_requests(1);
        place.server.advance(299);
        assert_eq!(place.ask(&place.signer).await.status, 200);
        place.assert_requests(1);
        place.server.advance(1);
        assert_eq!(place.ask(&place.signer).await.status, 200);
        place.assert_requests(2);
    }

    async fn keys_are_kept_for_a_minute_at_least_and_a_day_at_most(kind: Kind) {
        let place = Place::new(kind).await;
        place.documents.publish(&place.signer.jwks(), "Cache-Control: no-store\r\n");
        place.ask(&place.signer).await;
        place.server.advance(59);
        place.ask(&place.signer).await;
        place.assert_requests(1);
        place.documents.publish(&place.signer.jwks(), "Cache-Control: max-age=31536000\r\n");
        place.server.advance(1);
        place.ask(&place.signer).await;
        place.assert_requests(2);
        place.server.advance(24 * 3600 - 1);
        place.ask(&place.signer).await;
        place.assert_requests(2);
        place.server.advance(1);
        place.ask(&place.signer).await;
        place.assert_requests(3);
    }

    async fn a_dear_key_of_a_fetched_set_is_passed_over(kind: Kind) {
        let place = Place::new(kind).await;
        let dear = dear_rsa_keys();
        let set = json!({"keys": dear.iter().cloned().chain([place.signer.jwk()]).collect::<Vec<_>>()});
        place.documents.publish(&set, "");
        assert_eq!(place.ask(&place.signer).await.status, 200, "the others count");
        for key in dear {
            place.ask_with(&Signer::new("RS256"), json!({"kid": key["kid"]})).await.assert_invalid_client();
        }
    }

    async fn an_unknown_kid_is_looked_for_once_a_minute(kind: Kind) {
        let place = Place::new(kind).await;
        assert_eq!(place.ask(&place.signer).await.status, 200);
        place.server.advance(60);
        let new = Signer::new("ES256");
        place.documents.publish(&json!({"keys": [place.signer.jwk(), new.jwk()]}), "");
        assert_eq!(place.ask(&new).await.status, 200, "a new key counts at once");
        place.assert_requests(2);
        for number in 0..5 {
            let made_up = json!({"kid": format!("made up {number}")});
            place.ask_with(&new, made_up).await.assert_invalid_client();
        }
        place.assert_requests(2);
        place.server.advance(60);
        for _ in 0..5 {
            place.ask_with(&new, json!({"kid": "made up"})).await.assert_invalid_client();
        }
        place.assert_requests(3);
    }

    async fn a_withdrawn_key_counts_no_more(kind: Kind) {
        let place = Place::new(kind).await;
        assert_eq!(place.ask(&place.signer).await.status, 200);
        let new = Signer::new("ES256");
        place.documents.publish(&new.jwks(), "");
        place.server.advance(601);
        place.ask(&place.signer).await.assert_invalid_client();
        assert_eq!(place.ask(&new).await.status, 200);
    }

    async fn the_last_good_copy_counts_while_the_uri_does_not_answer(kind: Kind) {
        let place = Place::new(kind).await;
        assert_eq!(place.ask(&place.signer).await.status, 200);
        let private = merged(place.signer.jwk(), &json!({"d": "AAAA"}));
        for (number, broken) in [
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".to_owned(),
            "nonsense".to_owned(),
            String::new(),
            format!("HTTP/1.1 200 OK\r\n\r\n{}", json!({"keys": [private]})),
        ]
        .into_iter()
        .enumerate()
        {
            place.documents.answer(broken.clone());
            place.server.advance(601);
            assert_eq!(place.ask(&place.signer).await.status, 200, "{broken}");
            assert_eq!(place.ask(&place.signer).await.status, 200, "{broken}");
            place.assert_requests(number + 2);
        }
        // Not for ever: its owner may have withdrawn the key.
        place.server.advance(25 * 3600);
        place.ask(&place.signer).await.assert_invalid_client();
    }

    async fn the_last_good_copy_counts_while_the_server_is_down(kind: Kind) {
        let Place { server, documents, client, signer } = Place::new(kind).await;
        let ask = || {
            let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
            let server = &server;
            async move { server.ask_with(&assertion, &[]).await }
        };
        assert_eq!(ask().await.status, 200);
        drop(documents);
        server.advance(601);
        assert_eq!(ask().await.status, 200);
    }

    async fn a_slow_server_costs_the_timeout_and_once_a_while(kind: Kind) {
        let place = Place::new(kind).await;
        place.documents.delay(Duration::from_secs(30));
        let begun = Instant::now();
        place.ask(&place.signer).await.assert_invalid_client();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let begun = Instant::now();
        place.ask(&place.signer).await.assert_invalid_client();
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        place.documents.delay(Duration::ZERO);
        // From the end of the fetch on, which took a second.
        place.server.advance(6);
        assert_eq!(place.ask(&place.signer).await.status, 200);
    }

    async fn a_body_that_is_too_large_is_refused(kind: Kind) {
        let settings = [LOCAL[0], LOCAL[1], ("OUTBOUND__MAX_BYTES", "2048")];
        let place = Place::with(kind, &settings).await;
        let padded = merged(place.signer.jwks(), &json!({"padding": "x".repeat(2048)}));
        place.documents.publish(&padded, "");
        place.ask(&place.signer).await.assert_invalid_client();
        // Without a length, too.
        place.documents.answer(format!("HTTP/1.1 200 OK\r\n\r\n{padded}"));
        place.server.advance(60);
        place.ask(&place.signer).await.assert_invalid_client();
        place.documents.publish(&place.signer.jwks(), "");
        place.server.advance(60);
        assert_eq!(place.ask(&place.signer).await.status, 200);
    }

    async fn a_private_address_is_never_asked(kind: Kind) {
        let place = Place::with(kind, &[]).await;
        let port = url::Url::parse(&place.documents.url).unwrap().port().unwrap();
        for uri in [
            place.documents.url.clone(),
            format!("https://127.0.0.1:{port}/jwks.json"),
            format!("https://localhost:{port}/jwks.json"),
            format!("https://[::ffff:127.0.0.1]:{port}/jwks.json"),
            format!("https://0x7f000001:{port}/jwks.json"),
            "https://169.254.169.254/latest/meta-data".to_owned(),
        ] {
            let client = client(&place.server, &uri).await;
            let claims = place.server.assertion_claims(&client.id, &client.id, json!({}));
            place.server.ask_with(&place.signer.sign(&claims), &[]).await.assert_invalid_client();
        }
        place.assert_requests(0);
    }

    async fn a_caller_that_hangs_up_does_not_take_the_fetch_with_it(kind: Kind) {
        let place = Place::new(kind).await;
        place.documents.delay(Duration::from_millis(300));
        let hung_up = tokio::time::timeout(Duration::from_millis(100), place.ask(&place.signer)).await;
        assert!(hung_up.is_err());
        assert_eq!(place.ask(&place.signer).await.status, 200);
        place.assert_requests(1);
    }

    async fn requests_at_once_share_one_fetch(kind: Kind) {
        let place = Place::new(kind).await;
        place.documents.delay(Duration::from_millis(100));
        let asked = (0..10).map(|_| place.ask(&place.signer));
        let mut set = Vec::new();
        for ask in asked {
            set.push(Box::pin(ask));
        }
        let (mut good, mut waiting) = (0, set);
        // Polled in turn: every one of them is under way before the first is answered.
        std::future::poll_fn(|context| {
            waiting.retain_mut(|ask| match ask.as_mut().poll(context) {
                std::task::Poll::Ready(answer) => {
                    good += usize::from(answer.status == 200);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert_eq!(good, 10);
        place.assert_requests(1);
    }
}
