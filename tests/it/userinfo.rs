//! UserInfo (OpenID Connect Core 5.3), and bearer tokens (RFC 6750).

use axum::body::Body;
use axum::http::{Request, header};
use chancery::model::{Address, Noted, Profile, User, UserId};
use serde_json::{Value, json};

use crate::support::{Answer, START, TestServer, claims_of, names, on_both, text};

/// A challenge with an error (RFC 6750 3).
#[track_caller]
fn assert_challenge(answer: &Answer, status: u16, code: &str) {
    answer.assert_error(status, code);
    let challenge = answer.header(header::WWW_AUTHENTICATE);
    let expected = format!(r#"Bearer realm="userinfo", error="{code}", error_description=""#);
    assert!(challenge.starts_with(&expected), "{challenge}");
}

/// A user with every claim there is.
fn complete() -> User {
    let filled = |name: &str| Some(name.to_owned());
    let address = Address { locality: filled("London"), country: filled("UK"), ..Address::default() };
    let mut profile: Profile = serde_json::from_value(json!({
        "name": "n", "given_name": "g", "family_name": "f", "middle_name": "m", "nickname": "nick",
        "profile": "https://p.example", "picture": "https://i.example", "website": "https://w.example",
        "gender": "x", "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB",
    }))
    .unwrap();
    profile.address = Some(address);
    User {
        id: UserId::new("user-1"),
        username: "grace".into(),
        email: filled("grace@mail.example"),
        email_verified: true,
        phone_number: filled("+49 30 1"),
        phone_number_verified: false,
        profile,
        groups: vec!["admin".into(), "staff".into()],
        disabled: false,
        created_at: START,
        updated_at: START,
    }
}

/// What UserInfo says to a client that was granted `scope`.
async fn claims(server: &TestServer, scope: &str) -> Value {
    let client = server.client(json!({})).await;
    let tokens = server.tokens_with(&client, "grace", &[("scope", scope)]).await;
    let answer = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.json()["sub"], claims_of(&text(&tokens, "id_token"))["sub"]);
    answer.json()
}

on_both! {
    async fn each_scope_gives_its_own_claims_and_no_others(kind: Kind) {
        let server = TestServer::start(kind).await;
        let hash = server.app.passwords.hash(chancery::model::Secret::new(crate::support::PASSWORD)).await;
        server.app.storage.insert_user(Noted::nothing(), &complete(), Some(&hash.unwrap())).await.unwrap().unwrap();
        assert_eq!(claims(&server, "openid").await, json!({"sub": "user-1"}));
        assert_eq!(
            claims(&server, "openid profile").await,
            json!({
                "sub": "user-1", "preferred_username": "grace", "updated_at": START, "name": "n",
                "given_name": "g", "family_name": "f", "middle_name": "m", "nickname": "nick",
                "profile": "https://p.example", "picture": "https://i.example",
                "website": "https://w.example", "gender": "x", "birthdate": "1815-12-10",
                "zoneinfo": "Europe/London", "locale": "en-GB",
            })
        );
        let email = json!({"sub": "user-1", "email": "grace@mail.example", "email_verified": true});
        assert_eq!(claims(&server, "openid email").await, email);
        let phone = json!({"sub": "user-1", "phone_number": "+49 30 1", "phone_number_verified": false});
        assert_eq!(claims(&server, "openid phone").await, phone);
        let address = json!({"sub": "user-1", "address": {"locality": "London", "country": "UK"}});
        assert_eq!(claims(&server, "openid address").await, address);
        let groups = json!({"sub": "user-1", "groups": ["admin", "staff"]});
        assert_eq!(claims(&server, "openid groups").await, groups);
        assert_eq!(claims(&server, "openid offline_access read").await, json!({"sub": "user-1"}));
    }

    async fn what_is_not_known_of_a_user_is_left_out(kind: Kind) {
        let server = TestServer::start(kind).await;
        let bare =
            User { email: None, phone_number: None, profile: Profile::default(), groups: vec![], ..complete() };
        let hash = server.app.passwords.hash(chancery::model::Secret::new(crate::support::PASSWORD)).await;
        server.app.storage.insert_user(Noted::nothing(), &bare, Some(&hash.unwrap())).await.unwrap().unwrap();
        let found = claims(&server, "openid profile email phone address groups").await;
        assert_eq!(names(&found), ["groups", "preferred_username", "sub", "updated_at"]);
    }

    async fn oidcc_claims_locales_claims_come_in_the_languages_that_were_asked_for_too(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut user = complete();
        for (name, value) in [("given_name#fr", "Grâce"), ("given_name#de-AT", "Gracia"), ("name#ja-Hira", "ぐ")] {
            user.profile.localized.insert(name.to_owned(), value.to_owned());
        }
        let hash = server.app.passwords.hash(chancery::model::Secret::new(crate::support::PASSWORD)).await;
        server.app.storage.insert_user(Noted::nothing(), &user, Some(&hash.unwrap())).await.unwrap().unwrap();
        let client = server.client(json!({})).await;
        for (scope, locales, expected) in [
            ("openid profile", "", json!({})),
            ("openid profile", "fr", json!({"given_name#fr": "Grâce"})),
            ("openid profile", "de FR", json!({"given_name#fr": "Grâce", "given_name#de-AT": "Gracia"})),
            ("openid profile", "d en-GB j", json!({})),
            ("openid", "fr", json!({})),
        ] {
            let asked = [("scope", scope), ("claims_locales", locales)];
            let tokens = server.tokens_with(&client, "grace", &asked).await;
            let about = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.json();
            let mut tagged = about.as_object().unwrap().clone();
            tagged.retain(|name, _| name.contains('#'));
            assert_eq!(Value::Object(tagged), expected, "{scope}, {locales}");
            assert_eq!(about.get("given_name").is_some(), scope.contains("profile"));
        }
    }

    async fn the_token_comes_in_the_header_or_in_a_form(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let (bearer, lower) = (format!("Bearer {token}"), format!("bearer  {token}"));
        let json = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        for answer in [
            server.get_with_token("/userinfo", &token).await,
            server.post("/userinfo", &[("authorization", &bearer)], &[]).await,
            server.post("/userinfo", &[("authorization", &lower)], &[]).await,
            server.post("/userinfo", &[], &[("access_token", &token)]).await,
            server.post_raw("/userinfo", &[("authorization", &bearer)], "").await,
            server.post_raw("/userinfo", &json, "{}").await,
        ] {
            assert_eq!(answer.text("sub"), user.id.as_str());
        }
    }

    async fn without_a_token_the_scheme_is_named_and_no_error(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        for answer in [
            server.get("/userinfo").await,
            server.post("/userinfo", &[], &[]).await,
            server.post("/userinfo", &[], &[("access_token", "")]).await,
            // RFC 9700 4.3.2: not in the query.
            server.get(&format!("/userinfo?access_token={token}")).await,
            server.post(&format!("/userinfo?access_token={token}"), &[], &[]).await,
        ] {
            assert_eq!(answer.status, 401);
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), r#"Bearer realm="userinfo""#);
            assert_eq!(answer.body, "");
        }
    }

    async fn a_token_that_is_not_good_is_invalid_token(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, user) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let access_token = text(&tokens, "access_token");
        for wrong in ["x", "a.b.c", &text(&tokens, "id_token"), &text(&tokens, "refresh_token")] {
            assert_challenge(&server.get_with_token("/userinfo", wrong).await, 401, "invalid_token");
        }
        let revoked = text(&server.tokens(&client, "ada").await, "access_token");
        server.revoke(&client, &revoked).await;
        assert_challenge(&server.get_with_token("/userinfo", &revoked).await, 401, "invalid_token");
        server.app.storage.set_disabled(Noted::nothing(), &user.id, true, START).await.unwrap();
        assert_challenge(&server.get_with_token("/userinfo", &access_token).await, 401, "invalid_token");
        server.app.storage.set_disabled(Noted::nothing(), &user.id, false, START).await.unwrap();
        assert_eq!(server.get_with_token("/userinfo", &access_token).await.status, 200);
        server.advance(3600);
        assert_challenge(&server.get_with_token("/userinfo", &access_token).await, 401, "invalid_token");
    }

    async fn a_token_without_openid_is_insufficient_scope(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("scope", "profile email")]).await;
        let answer = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await;
        assert_challenge(&answer, 403, "insufficient_scope");
        let own = server.client_token(&client, "read").await;
        assert_challenge(&server.get_with_token("/userinfo", &own).await, 403, "insufficient_scope");
    }

    async fn a_token_sent_in_two_ways_is_refused(kind: Kind) {
        // RFC 6750 2
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        let bearer = format!("Bearer {token}");
        let both = server.post("/userinfo", &[("authorization", &bearer)], &[("access_token", &token)]).await;
        assert_challenge(&both, 400, "invalid_request");
        let twice = [("access_token", token.as_str()), ("access_token", &token)];
        assert_challenge(&server.post("/userinfo", &[], &twice).await, 400, "invalid_request");
        let headers = [("authorization", bearer.as_str()), ("authorization", &bearer)];
        assert_challenge(&server.post("/userinfo", &headers, &[]).await, 400, "invalid_request");
    }

    async fn an_authorization_header_of_another_scheme_is_refused(kind: Kind) {
        let server = TestServer::start(kind).await;
        for wrong in ["Basic YTpi", "Bearer", "Bearer ", "Token x"] {
            let answer = server.post("/userinfo", &[("authorization", wrong)], &[]).await;
            assert_challenge(&answer, 400, "invalid_request");
        }
    }

    async fn every_other_method_is_405(kind: Kind) {
        let server = TestServer::start(kind).await;
        for method in ["PUT", "DELETE", "PATCH"] {
            let request = Request::builder().method(method).uri("/userinfo").body(Body::empty()).unwrap();
            let answer = server.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.header(header::ALLOW)), (405, "GET,HEAD,POST"));
        }
    }
}
