//! Request objects that only this server can read (RFC 9101 6.1, OpenID Connect Core 6.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::jwe::{self, Payload, Recipient};
use chancery::crypto::jwks::KeySet;
use chancery::model::{ContentEncryption, Encryption, KeyManagement};
use serde_json::{Value, json};

use crate::request_objects::{ask, claims, path, start, unsigned};
use crate::support::authorization::{STATE, assert_accepted};
use crate::support::{Documents, Signer, TestServer, on_both, text};

const USUAL: Encryption = Encryption { alg: KeyManagement::EcdhEsA256Kw, enc: ContentEncryption::A256Gcm };

/// The keys that the server publishes, for one use.
async fn published(server: &TestServer, usage: &str) -> Vec<Value> {
    let set = server.get("/jwks").await.json();
    set["keys"].as_array().unwrap().iter().filter(|key| key["use"] == usage).cloned().collect()
}

/// The one to encrypt to.
async fn key(server: &TestServer) -> Value {
    published(server, "enc").await.remove(0)
}

fn encrypted_to(key: &Value, encryption: Encryption, payload: Payload, plain: &str) -> String {
    let set = KeySet::read(&json!({ "keys": [key] })).unwrap();
    let recipient = Recipient::Public(set.encryption_key(encryption.alg).unwrap());
    jwe::encrypt(encryption, &recipient, payload, plain.as_bytes()).unwrap()
}

fn nested(key: &Value, object: &str) -> String {
    encrypted_to(key, USUAL, Payload::Jwt, object)
}

/// The same JWE with other members in its header.
fn with_header(token: &str, change: &Value) -> String {
    let (head, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The same JWE with another first byte in one part.
fn tampered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    bytes[0] ^= 1;
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

on_both! {
    async fn an_encrypted_request_object_is_the_whole_request(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let object = nested(&key(&server).await, &signer.sign(&claims(&server, &client, json!({}))));
        let answer = server.browser().authorize_as(&path(&client, "request", &object), "ada").await;
        assert_eq!(answer.returned("state").as_deref(), Some(STATE));
        assert_eq!(server.redeem(&client, &answer.returned("code").unwrap()).await.status, 200);
    }

    async fn every_algorithm_of_the_metadata_opens(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let (key, metadata) = (key(&server).await, server.get("/.well-known/openid-configuration").await.json());
        let object = signer.sign(&claims(&server, &client, json!({})));
        let offered = |member: &str| metadata[member].as_array().unwrap().clone();
        for alg in offered("request_object_encryption_alg_values_supported") {
            for enc in offered("request_object_encryption_enc_values_supported") {
                let encryption = Encryption {
                    alg: serde_json::from_value(alg.clone()).unwrap(),
                    enc: serde_json::from_value(enc.clone()).unwrap(),
                };
                let object = encrypted_to(&key, encryption, Payload::Jwt, &object);
                assert_accepted(&ask(&server, &client, &object).await);
            }
        }
    }

    async fn an_encrypted_object_can_be_pushed_and_fetched(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({"require_signed_request_object": true})).await;
        let object = nested(&key(&server).await, &signer.sign(&claims(&server, &client, json!({}))));
        let answer = server.post_as(&client, "/par", &[("request", &object)]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let uri = text(&answer.json(), "request_uri");
        assert_accepted(&server.get(&path(&client, "request_uri", &uri)).await);
        let answer = server.post_as(&client, "/par", &[("request", &tampered(&object, 4))]).await;
        answer.assert_error(400, "invalid_request_object");
        let documents = Documents::serve(&json!({})).await;
        documents.answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{object}", object.len()));
        server.change_client(&client, json!({"request_uris": [documents.url]})).await;
        assert_accepted(&server.get(&path(&client, "request_uri", &documents.url)).await);
    }

    async fn what_does_not_open_gets_one_answer_whatever_the_cause(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let key = key(&server).await;
        let object = signer.sign(&claims(&server, &client, json!({})));
        let good = nested(&key, &object);
        let elsewhere = TestServer::start(kind).await;
        let foreign = published(&elsewhere, "enc").await.remove(0);
        let mut renamed = foreign.clone();
        renamed["kid"] = key["kid"].clone();
        let mut closed = vec![
            nested(&foreign, &object), nested(&renamed, &object),
            encrypted_to(&key, USUAL, Payload::Claims, &object),
            with_header(&good, &json!({"alg": "ECDH-ES"})), with_header(&good, &json!({"alg": "ECDH-ES+A128KW"})),
            with_header(&good, &json!({"alg": "RSA-OAEP"})), with_header(&good, &json!({"alg": "RSA1_5"})),
            with_header(&good, &json!({"alg": "dir"})), with_header(&good, &json!({"alg": "A256KW"})),
            with_header(&good, &json!({"alg": "none"})), with_header(&good, &json!({"alg": 1})),
            with_header(&good, &json!({"enc": "A128GCM"})), with_header(&good, &json!({"epk": {}})),
            with_header(&good, &json!({"epk": key})), with_header(&good, &json!({"zip": "DEF"})),
            with_header(&good, &json!({"crit": ["exp"]})), with_header(&good, &json!({"cty": "at+jwt"})),
            "a.b.c.d.e".to_owned(), "....".to_owned(), format!("{}.", good.rsplit_once('.').unwrap().0),
        ];
        closed.extend((0..5).map(|part| tampered(&good, part)));
        let mut answers = Vec::new();
        for object in &closed {
            let answer = ask(&server, &client, object).await;
            answer.assert_redirect_error("invalid_request_object");
            answers.push(answer.location().to_owned());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_accepted(&ask(&server, &client, &good).await);
    }

    async fn signing_keys_open_nothing_and_the_other_key_signs_nothing(kind: Kind) {
        let signer = Signer::new("ES256");
        let (server, client) = start(kind, &signer, json!({})).await;
        let (key, object) = (key(&server).await, signer.sign(&claims(&server, &client, json!({}))));
        assert_eq!(published(&server, "enc").await.len(), 1);
        let signing = published(&server, "sig").await;
        assert!(signing.iter().all(|each| each["x"] != key["x"] && each["kid"] != key["kid"]));
        let curve = signing.iter().find(|each| each["crv"] == "P-256").unwrap();
        for kid in [&curve["kid"], &key["kid"]] {
            let recipient = json!({"kty": "EC", "crv": "P-256", "x": curve["x"], "y": curve["y"], "kid": kid});
            ask(&server, &client, &nested(&recipient, &object)).await.assert_redirect_error("invalid_request_object");
        }
    }

    async fn what_is_inside_is_signed_and_checked_as_if_it_were_not_encrypted(kind: Kind) {
        let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
        let (server, client) = start(kind, &signer, json!({})).await;
        let (key, now) = (key(&server).await, server.app.now().unix());
        let right = claims(&server, &client, json!({}));
        let good = signer.sign(&right);
        for object in [
            other.sign(&right), nested(&key, &good), right.to_string(), String::new(), "a.b.c".to_owned(),
            signer.sign(&claims(&server, &client, json!({"client_id": "other"}))),
            signer.sign(&claims(&server, &client, json!({"exp": now - 60}))),
            signer.sign(&claims(&server, &client, json!({"request_uri": "https://app.example/r"}))),
        ] {
            let answer = ask(&server, &client, &nested(&key, &object)).await;
            answer.assert_redirect_error("invalid_request_object");
        }
        // Even where it may be unsigned if it is not encrypted.
        server.change_client(&client, json!({"request_object_signing_alg": "none"})).await;
        assert_accepted(&ask(&server, &client, &unsigned(&right)).await);
        let answer = ask(&server, &client, &nested(&key, &unsigned(&right))).await;
        answer.assert_redirect_error("invalid_request_object");
    }

    async fn a_client_registered_to_encrypt_its_objects_sends_no_other(kind: Kind) {
        let signer = Signer::new("ES256");
        let members = json!({"request_object_encryption_alg": "ECDH-ES+A256KW",
            "request_object_encryption_enc": "A256GCM"});
        let (server, client) = start(kind, &signer, members).await;
        let (key, object) = (key(&server).await, signer.sign(&claims(&server, &client, json!({}))));
        assert_accepted(&ask(&server, &client, &nested(&key, &object)).await);
        ask(&server, &client, &object).await.assert_redirect_error("invalid_request_object");
        let form = server.post_as(&client, "/par", &[("request", &object)]).await;
        form.assert_error(400, "invalid_request_object");
        for other in [
            Encryption { alg: KeyManagement::EcdhEs, ..USUAL },
            Encryption { enc: ContentEncryption::A128CbcHs256, ..USUAL },
        ] {
            let object = encrypted_to(&key, other, Payload::Jwt, &object);
            ask(&server, &client, &object).await.assert_redirect_error("invalid_request_object");
        }
    }
}
