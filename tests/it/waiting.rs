//! Requests that wait for somebody else's server: they take nobody's place, few wait for the same, and who asks for much of
//! this leaves room for others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use crate::request_objects;
use crate::support::{
    Answer, CLIENT_ASSERTION, Documents, HookService, Kind, LONGEST, OPEN, Registration, Signer, TestServer,
    encode, on_both, text, within,
};

const LOCAL: [(&str, &str); 2] = [("OUTBOUND__ALLOW_PRIVATE", "true"), ("OUTBOUND__TIMEOUT_SECONDS", "2")];
const ONE_REQUEST: (&str, &str) = ("SERVER__MAX_REQUESTS", "1");
const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A server whose answers take longer than anybody waits.
async fn stalling() -> Documents {
    stalling_at([127, 0, 0, 1]).await
}

async fn stalling_at(address: [u8; 4]) -> Documents {
    let documents = Documents::serve_at(address, &json!({})).await;
    documents.delay(Duration::from_secs(30));
    documents
}

async fn start(kind: Kind, settings: &[(&str, &str)]) -> Arc<TestServer> {
    Arc::new(TestServer::start_with(kind, &[&LOCAL[..], settings].concat()).await)
}

async fn client_of_keys(server: &TestServer, uri: &str) -> Registration {
    server.client(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri})).await
}

/// A request as it comes from this address.
fn from(address: [u8; 4], request: axum::http::request::Builder, body: String) -> Request<Body> {
    let peer = ConnectInfo(SocketAddr::from((address, 4711)));
    request.extension(peer).body(Body::from(body)).unwrap()
}

fn post(path: &str) -> axum::http::request::Builder {
    Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

/// Somebody's assertion in the name of a client.
fn junk(server: &TestServer, client: &Registration, signer: &Signer, address: [u8; 4]) -> Request<Body> {
    let assertion = signer.sign(&server.assertion_claims(&client.id, &client.id, json!({})));
    let form = [MACHINE[0], ("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &assertion)];
    from(address, post("/token"), encode(&form))
}

fn send(server: &Arc<TestServer>, request: Request<Body>) -> JoinHandle<Answer> {
    let server = Arc::clone(server);
    tokio::spawn(async move { server.send(request).await })
}

async fn arrived(documents: &Documents) {
    within(LONGEST, "a request arrives", async || documents.requests() > 0).await;
}

on_both! {
    async fn who_waits_for_a_jwks_uri_is_not_in_hand(kind: Kind) {
        let server = start(kind, &[ONE_REQUEST]).await;
        let (documents, signer) = (stalling().await, Signer::new("ES256"));
        let (partner, other) = (client_of_keys(&server, &documents.url).await, server.client(json!({})).await);
        let waits = send(&server, junk(&server, &partner, &signer, [127, 0, 0, 2]));
        arrived(&documents).await;
        for _ in 0..3 {
            assert_eq!(server.post_as(&other, "/token", &MACHINE).await.status, 200);
        }
        assert!(!waits.is_finished());
        waits.await.unwrap().assert_error(401, "invalid_client");
        assert_eq!(server.post_as(&other, "/token", &MACHINE).await.status, 200, "nothing stays behind");
    }

    async fn who_waits_for_a_request_uri_is_not_in_hand(kind: Kind) {
        let server = start(kind, &[ONE_REQUEST]).await;
        let documents = stalling().await;
        let client = server.client(json!({"request_uris": [documents.url]})).await;
        let path = request_objects::path(&client, "request_uri", &documents.url);
        let waits = send(&server, from([127, 0, 0, 2], Request::get(path), String::new()));
        arrived(&documents).await;
        assert_eq!(server.post_as(&client, "/token", &MACHINE).await.status, 200);
        assert!(!waits.is_finished());
        waits.await.unwrap().assert_redirect_error("invalid_request_uri");
    }

    async fn who_waits_for_a_sector_is_not_in_hand(kind: Kind) {
        let server = start(kind, &[ONE_REQUEST, OPEN]).await;
        let (documents, other) = (stalling().await, server.client(json!({})).await);
        let metadata = json!({
            "redirect_uris": ["https://app.example/callback"], "subject_type": "pairwise",
            "sector_identifier_uri": documents.url,
        });
        let request = Request::post("/register").header(header::CONTENT_TYPE, "application/json");
        let waits = send(&server, from([127, 0, 0, 2], request, metadata.to_string()));
        arrived(&documents).await;
        assert_eq!(server.post_as(&other, "/token", &MACHINE).await.status, 200);
        assert!(!waits.is_finished());
        waits.await.unwrap().assert_error(400, "invalid_client_metadata");
    }

    async fn who_waits_for_the_token_hook_is_not_in_hand(kind: Kind) {
        let hook = HookService::serve().await;
        hook.delay(Duration::from_millis(600));
        let authority = HookService::authority();
        let settings = [
            ONE_REQUEST,
            ("TOKEN_HOOK__URL", hook.url.as_str()),
            ("TOKEN_HOOK__SECRET", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
            ("TOKEN_HOOK__ALLOW_PRIVATE", "true"),
            ("OUTBOUND__CA_FILE", &authority),
        ];
        let server = start(kind, &settings).await;
        let asked = Arc::new(server.client(json!({})).await);
        let other = server.client(json!({"token_hook": false})).await;
        let (waits, client) = (Arc::clone(&server), Arc::clone(&asked));
        let waits = tokio::spawn(async move { waits.post_as(&client, "/token", &MACHINE).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(server.post_as(&other, "/token", &MACHINE).await.status, 200);
        assert!(!waits.is_finished());
        assert_eq!(waits.await.unwrap().status, 200);
    }

    async fn few_wait_for_one_uri_and_the_rest_are_told_at_once_to_come_again(kind: Kind) {
        let server = start(kind, &[]).await;
        let (documents, signer) = (stalling().await, Signer::new("ES256"));
        let partner = client_of_keys(&server, &documents.url).await;
        let requested = server.client(json!({"request_uris": [stalling().await.url, documents.url]})).await;
        let (begun, mut all) = (Instant::now(), JoinSet::new());
        for _ in 0..60 {
            let (server, request) = (Arc::clone(&server), junk(&server, &partner, &signer, [127, 0, 0, 2]));
            all.spawn(async move { (server.send(request).await, begun.elapsed()) });
        }
        let answers = all.join_all().await;
        let (busy, waited): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == 503);
        assert!((1..=32).contains(&waited.len()), "{} waited", waited.len());
        for (answer, after) in &busy {
            answer.assert_error(503, "temporarily_unavailable");
            assert!(*after < Duration::from_millis(1500), "{after:?}");
        }
        assert_eq!(documents.requests(), 1);
        let path = request_objects::path(&requested, "request_uri", &documents.url);
        let begun = Instant::now();
        server.get(&path).await.assert_redirect_error("invalid_request_uri");
        let first = begun.elapsed();
        server.get(&path).await.assert_redirect_error("invalid_request_uri");
        assert!(begun.elapsed() - first < Duration::from_millis(500), "it failed a moment ago");
        assert_eq!(documents.requests(), 2);
    }

    async fn many_requests_for_one_request_uri_share_a_fetch(kind: Kind) {
        let server = start(kind, &[]).await;
        let documents = Documents::serve(&json!({})).await;
        let change = json!({"request_uris": [documents.url], "request_object_signing_alg": "none"});
        let client = server.client(change).await;
        let object = request_objects::unsigned(&request_objects::claims(&server, &client, json!({})));
        documents.answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{object}", object.len()));
        documents.delay(Duration::from_millis(500));
        let path = request_objects::path(&client, "request_uri", &documents.url);
        let asked: Vec<_> =
            (0..10).map(|_| send(&server, Request::get(&path).body(Body::empty()).unwrap())).collect();
        for answer in asked {
            let answer = answer.await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.returned("error")), (303, None), "{answer:?}");
        }
        assert_eq!(documents.requests(), 1);
    }

    async fn clients_whose_servers_stall_leave_room_to_fetch_for_others(kind: Kind) {
        let server = start(kind, &[]).await;
        let (mut held, signer) = (Vec::new(), Signer::new("ES256"));
        // More than all fetches there may be at once: twenty clients of one address, with four servers each.
        let mut stalled = Vec::new();
        for client in 0..20 {
            let mut uris: Vec<Value> = Vec::new();
            for number in 0..4 {
                stalled.push(stalling_at([127, 1, client, number + 1]).await);
                uris.push(json!(stalled.last().unwrap().url));
            }
            let client = server.client(json!({"request_uris": uris})).await;
            for uri in &uris {
                let path = request_objects::path(&client, "request_uri", uri.as_str().unwrap());
                held.push(send(&server, from([127, 0, 0, 2], Request::get(path), String::new())));
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let busy = held.iter().filter(|request| request.is_finished()).count();
        assert!(busy >= 60, "only {busy} were turned away");
        let documents = Documents::serve(&signer.jwks()).await;
        let victim = client_of_keys(&server, &documents.url).await;
        assert_eq!(server.send(junk(&server, &victim, &signer, [127, 0, 0, 1])).await.status, 200);
    }

    async fn an_address_has_its_share_of_what_is_in_hand(kind: Kind) {
        let server = start(kind, &[("SERVER__MAX_REQUESTS_PER_ADDRESS", "2")]).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let mut held = server.app.storage.db().begin().await.unwrap();
        if kind == Kind::Postgres {
            held.execute("LOCK TABLE grants", &[]).await.unwrap();
        }
        let form = encode(&[("grant_type", "refresh_token"), ("refresh_token", token.as_str())]);
        let credentials = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        let credentials = format!("Basic {credentials}");
        let refresh =
            |address| from(address, post("/token").header(header::AUTHORIZATION, &credentials), form.clone());
        let waiting: Vec<_> = (0..2).map(|_| send(&server, refresh([192, 0, 2, 1]))).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let refused = server.send(refresh([192, 0, 2, 1])).await;
        refused.assert_error(503, "temporarily_unavailable");
        assert_eq!(refused.header(header::RETRY_AFTER), "1");
        let other = from([192, 0, 2, 2], Request::get("/authorize"), String::new());
        assert_eq!(server.send(other).await.status, 400, "another address is served");
        held.commit().await.unwrap();
        for answer in waiting {
            assert_eq!(answer.await.unwrap().status, 200);
        }
    }
}
