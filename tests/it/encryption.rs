//! ID tokens, UserInfo and authorization responses as their client registered them: signed, encrypted, or both (OpenID
//! Connect Core 2, 5.3.2, 10, JARM 2.2).

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::jwe::DecryptionKey;
use chancery::crypto::master_key::MasterKey;
use serde_json::{Value, json};

use crate::support::authorization::{STATE, ask};
use crate::support::{
    Answer, Documents, ExternalUi, PASSWORD, Registration, Signer, TestServer, claims_of, merged, names,
    on_both, redirect_to, text,
};

const LOCAL: [(&str, &str); 2] = [("OUTBOUND__ALLOW_PRIVATE", "true"), ("OUTBOUND__TIMEOUT_SECONDS", "1")];

/// A client's key pair of P-256.
fn key() -> DecryptionKey {
    DecryptionKey::derive_all(&MasterKey::parse(&MasterKey::generate()).unwrap()).unwrap().remove(0)
}

fn jwks(key: &DecryptionKey) -> Value {
    json!({ "keys": [key.jwk()] })
}

fn header_of(token: &str) -> Value {
    let head = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap()
}

fn opened(key: &DecryptionKey, token: &str) -> String {
    String::from_utf8(key.decrypt(token).expect("it opens").plain.to_vec()).unwrap()
}

async fn userinfo(server: &TestServer, tokens: &Value) -> String {
    let answer = server.get_with_token("/userinfo", &text(tokens, "access_token")).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::CONTENT_TYPE)), (200, "application/jwt"));
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    answer.body
}

/// A client that wants its ID tokens encrypted and publishes its keys at a URI.
async fn client_at(server: &TestServer, documents: &Documents) -> Registration {
    let members = json!({"jwks_uri": documents.url, "id_token_encrypted_response_alg": "ECDH-ES+A256KW",
        "userinfo_encrypted_response_alg": "ECDH-ES", "authorization_code_lifetime": 600});
    server.client(members).await
}

/// The claims of an authorization response that is one JWT, opened and verified.
async fn response_claims(server: &TestServer, key: &DecryptionKey, answer: &Answer) -> Value {
    for plain in ["code", "state", "error", "iss", "id_token"] {
        assert_eq!(answer.returned(plain), None, "{answer:?}");
    }
    let response = answer.returned("response").unwrap();
    assert_eq!(header_of(&response)["cty"], "JWT");
    let (header, claims) = server.verified(&opened(key, &response)).await;
    assert_eq!(header["typ"], "oauth-authz-resp+jwt");
    claims
}

on_both! {
    async fn oidcc_userinfo_rs256_a_signed_userinfo_names_issuer_and_client(kind: Kind) {
        let server = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256,EdDSA,RS256,PS256")]).await;
        let user = server.user("ada").await;
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
            let client = server.client(json!({"userinfo_signed_response_alg": algorithm})).await;
            let tokens = server.tokens(&client, "ada").await;
            let token = userinfo(&server, &tokens).await;
            let (head, claims) = server.verified(&token).await;
            assert_eq!((&head["alg"], head.get("typ")), (&json!(algorithm), None));
            assert_eq!(claims["sub"], user.id.as_str());
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer()), &json!(client.id)));
            let post = server.post("/userinfo", &[], &[("access_token", &text(&tokens, "access_token"))]).await;
            assert_eq!(post.status, 200);
        }
    }

    async fn a_userinfo_jwt_is_no_token_of_any_other_kind(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let client = server.client(json!({"userinfo_signed_response_alg": "ES256"})).await;
        let tokens = server.tokens(&client, "ada").await;
        let token = userinfo(&server, &tokens).await;
        server.get_with_token("/userinfo", &token).await.assert_error(401, "invalid_token");
        assert!(!server.is_active(&client, &token).await);
    }

    async fn userinfo_is_encrypted_plain_or_signed_first(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (key, user) = (key(), server.user("ada").await);
        let members = json!({"jwks": jwks(&key), "userinfo_encrypted_response_alg": "ECDH-ES"});
        let client = server.client(members.clone()).await;
        let token = userinfo(&server, &server.tokens(&client, "ada").await).await;
        let head = header_of(&token);
        assert_eq!(names(&head), ["alg", "enc", "epk", "kid"]);
        // Registration 2: the default.
        assert_eq!((&head["enc"], &head["kid"]), (&json!("A128CBC-HS256"), &key.jwk()["kid"]));
        let claims: Value = serde_json::from_str(&opened(&key, &token)).unwrap();
        assert_eq!(claims["sub"], user.id.as_str());

        let nested = json!({"userinfo_signed_response_alg": "ES256", "userinfo_encrypted_response_enc": "A256GCM"});
        let client = server.client(merged(members, &nested)).await;
        let token = userinfo(&server, &server.tokens(&client, "ada").await).await;
        assert_eq!((&header_of(&token)["cty"], &header_of(&token)["enc"]), (&json!("JWT"), &json!("A256GCM")));
        let (_, claims) = server.verified(&opened(&key, &token)).await;
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!(user.id), &json!(client.id)));
    }

    async fn an_id_token_is_signed_and_then_encrypted_whatever_grant_it_comes_from(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (key, user) = (key(), server.user("ada").await);
        let client = server.client(json!({"jwks": jwks(&key), "scope": "openid offline_access",
            "id_token_encrypted_response_alg": "ECDH-ES+A128KW", "id_token_encrypted_response_enc": "A256CBC-HS512"})).await;
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid offline_access")]).await;
        let refreshed = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        for tokens in [&tokens, &refreshed] {
            let token = text(tokens, "id_token");
            assert_eq!(names(&header_of(&token)), ["alg", "cty", "enc", "epk", "kid"]);
            let (head, claims) = server.verified(&opened(&key, &token)).await;
            assert_eq!((&head["typ"], &claims["sub"]), (&json!("JWT"), &json!(user.id)));
            // What is not the client's own business stays readable for the server of a resource.
            assert_eq!(claims_of(&text(tokens, "access_token"))["sub"], user.id.as_str());
        }
    }

    async fn a_client_secret_encrypts_what_was_registered_with_a_symmetric_algorithm(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let client = server.client(json!({"id_token_encrypted_response_alg": "dir",
            "id_token_encrypted_response_enc": "A256GCM", "token_endpoint_auth_method": "client_secret_basic"})).await;
        let tokens = server.tokens(&client, "ada").await;
        let parts: Vec<Vec<u8>> =
            text(&tokens, "id_token").split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert!(parts[1].is_empty());
        // OpenID Connect Core 10.2: the key is the left of the hash of the secret.
        let key = chancery::crypto::digest::sha256(client.secret.as_bytes());
        let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &key).unwrap();
        let key = aws_lc_rs::aead::LessSafeKey::new(key);
        let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(&parts[2]).unwrap();
        let id_token = text(&tokens, "id_token");
        let aad = aws_lc_rs::aead::Aad::from(id_token.split('.').next().unwrap().as_bytes());
        let mut bytes = [parts[3].clone(), parts[4].clone()].concat();
        let token = key.open_in_place(nonce, aad, &mut bytes).unwrap();
        let (_, claims) = server.verified(std::str::from_utf8(token).unwrap()).await;
        assert_eq!(claims["aud"], json!(client.id));
    }

    async fn keys_behind_a_uri_are_used_and_a_new_one_after_the_copy_has_aged(kind: Kind) {
        let (old, new) = (key(), key());
        let documents = Documents::serve(&jwks(&old)).await;
        let server = TestServer::start_with(kind, &LOCAL).await;
        let _user = server.user("ada").await;
        let client = client_at(&server, &documents).await;
        let tokens = server.tokens(&client, "ada").await;
        opened(&old, &text(&tokens, "id_token"));
        opened(&old, &userinfo(&server, &tokens).await);
        assert_eq!(documents.requests(), 1);
        documents.publish(&jwks(&new), "");
        server.advance(601);
        opened(&new, &text(&server.tokens(&client, "ada").await, "id_token"));
    }

    async fn without_a_key_nothing_is_sent_unencrypted_and_the_code_is_not_spent(kind: Kind) {
        let documents = Documents::serve(&Signer::new("EdDSA").jwks()).await;
        let server = TestServer::start_with(kind, &LOCAL).await;
        let _user = server.user("ada").await;
        let client = client_at(&server, &documents).await;
        let code = server.code(&client, "ada", &[]).await;
        let refused = server.redeem(&client, &code).await;
        refused.assert_error(400, "invalid_request");
        let description = text(&refused.json(), "error_description");
        assert!(description.contains("ECDH-ES+A256KW") && description.contains("jwks_uri"), "{description}");
        let key = key();
        documents.publish(&jwks(&key), "");
        // The set without such a key is fresh, but worth another look once a minute.
        server.advance(59);
        server.redeem(&client, &code).await.assert_error(400, "invalid_request");
        server.advance(1);
        let tokens = server.redeem(&client, &code).await.json();
        opened(&key, &text(&tokens, "id_token"));
        opened(&key, &userinfo(&server, &tokens).await);
        server.change_client(&client, json!({"jwks_uri": "https://127.0.0.1:1/nothing"})).await;
        let answer = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await;
        answer.assert_error(400, "invalid_request");
    }

    async fn an_answer_is_signed_and_then_encrypted_in_every_mode(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let key = key();
        let client = server.client(json!({"jwks": jwks(&key), "response_types": ["code", "code id_token"],
            "authorization_encrypted_response_alg": "ECDH-ES+A256KW",
            "authorization_encrypted_response_enc": "A256GCM"})).await;
        for (response_type, mode, mark) in [
            ("code", "", "?response="), ("code", "jwt", "?response="), ("code", "fragment.jwt", "#response="),
            ("code", "form_post.jwt", ""), ("code id_token", "", "#response="),
        ] {
            let mut change = vec![("response_type", response_type)];
            change.extend((!mode.is_empty()).then_some(("response_mode", mode)));
            let answer = server.browser().authorize_as(&server.authorization(&client, &change), "ada").await;
            assert!(answer.location().contains(mark), "{answer:?}");
            let head = header_of(&answer.returned("response").unwrap());
            assert_eq!((&head["alg"], &head["enc"]), (&json!("ECDH-ES+A256KW"), &json!("A256GCM")));
            let claims = response_claims(&server, &key, &answer).await;
            assert_eq!((&claims["state"], &claims["aud"]), (&json!(STATE), &json!(client.id)));
            assert_eq!(server.redeem(&client, &text(&claims, "code")).await.status, 200);
        }
    }

    async fn errors_are_encrypted_too_and_no_plain_mode_may_be_asked_for(kind: Kind) {
        let server = TestServer::start(kind).await;
        let key = key();
        let members = json!({"jwks": jwks(&key), "authorization_encrypted_response_alg": "ECDH-ES"});
        let client = server.client(members).await;
        let answer = ask(&server, &client, &[("prompt", "none")]).await;
        assert_eq!(response_claims(&server, &key, &answer).await["error"], "login_required");
        for mode in ["query", "fragment", "form_post", "unknown"] {
            let answer = ask(&server, &client, &[("response_mode", mode)]).await;
            assert_eq!(response_claims(&server, &key, &answer).await["error"], "invalid_request", "{mode}");
        }
    }

    async fn a_request_that_waits_is_answered_as_the_client_is_registered_by_then(kind: Kind) {
        let server = TestServer::start(kind).await;
        let _user = server.user("ada").await;
        let key = key();
        let client = server.client(json!({"jwks": jwks(&key)})).await;
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(first).await;
        server.change_client(&client, json!({"authorization_encrypted_response_alg": "ECDH-ES"})).await;
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        let answer = browser.decide(&page, "allow").await;
        assert!(response_claims(&server, &key, &answer).await["code"].is_string());
    }

    async fn a_client_secret_encrypts_the_answer(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"authorization_encrypted_response_alg": "A128KW",
            "token_endpoint_auth_method": "client_secret_basic"})).await;
        let answer = ask(&server, &client, &[("prompt", "none")]).await;
        let head = header_of(&answer.returned("response").unwrap());
        assert_eq!((&head["alg"], &head["cty"]), (&json!("A128KW"), &json!("JWT")));
    }

    async fn without_a_key_for_it_an_answer_goes_nowhere(kind: Kind) {
        let documents = Documents::serve(&Signer::new("EdDSA").jwks()).await;
        let server = TestServer::start_with(kind, &LOCAL).await;
        let _user = server.user("ada").await;
        let client = server.client(json!({"jwks_uri": documents.url,
            "authorization_encrypted_response_alg": "ECDH-ES"})).await;
        let refused = ask(&server, &client, &[("prompt", "none")]).await;
        refused.assert_page_error(400);
        assert!(refused.body.contains("jwks_uri"), "{refused:?}");
        let path = server.authorization(&client, &[]);
        server.browser().authorize_as(&path, "ada").await.assert_page_error(400);
        let key = key();
        documents.publish(&jwks(&key), "");
        server.advance(60);
        let answer = server.browser().authorize_as(&path, "ada").await;
        assert!(response_claims(&server, &key, &answer).await["code"].is_string());
    }

    async fn while_there_is_no_key_for_it_the_answer_waits_and_nothing_is_used_up(kind: Kind) {
        let documents = Documents::serve(&Signer::new("EdDSA").jwks()).await;
        let server = TestServer::with_external_ui(kind, &LOCAL).await;
        let _user = server.user("ada").await;
        let metadata = json!({"jwks_uri": documents.url, "authorization_encrypted_response_alg": "ECDH-ES"});
        let own = server.client(metadata.clone()).await;
        let external = server.client(merged(metadata, &json!({"ui": "external"}))).await;
        let (ui, key) = (ExternalUi(&server), key());
        // Our own pages: the form of the consent page can be sent again.
        let mut browser = server.browser();
        let answer = browser.get(&server.authorization(&own, &[])).await;
        let page = browser.follow(answer).await;
        let answer = browser.sign_in(&page, "ada", PASSWORD).await;
        let page = browser.follow(answer).await;
        browser.decide(&page, "allow").await.assert_page_error(400);
        browser.decide(&page, "deny").await.assert_page_error(400);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 0);
        // Those of somebody else: so can the verifiers.
        let mut backs = Vec::new();
        for (what, body) in [("consent/accept", json!({"grant_scope": ["openid"]})), ("consent/reject", json!({}))] {
            let mut browser = server.browser();
            let challenge = ui.start(&mut browser, &external, &[]).await;
            let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "eve"})).await;
            let back = redirect_to(&ui.put(what, &challenge, body).await);
            browser.get(&back).await.assert_page_error(400);
            backs.push((browser, back));
        }
        // A pushed request.
        let path = server.authorization(&own, &[("prompt", "none")]);
        let pushed: Vec<_> = url::form_urlencoded::parse(path.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
        let pushed: Vec<_> = pushed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request_uri = text(&server.post_as(&own, "/par", &pushed).await.json(), "request_uri");
        let silent = crate::request_objects::path(&own, "request_uri", &request_uri);
        browser.get(&silent).await.assert_page_error(400);

        documents.publish(&jwks(&key), "");
        server.advance(60);
        let answer = browser.get(&silent).await;
        assert_eq!(response_claims(&server, &key, &answer).await["error"], "consent_required");
        let answer = browser.decide(&page, "allow").await;
        assert!(response_claims(&server, &key, &answer).await["code"].is_string());
        for ((mut browser, back), member) in backs.into_iter().zip(["code", "error"]) {
            let answer = browser.get(&back).await;
            assert!(response_claims(&server, &key, &answer).await[member].is_string());
        }
    }
}
