//! Registered scopes: what people are told, what implies what, and the languages in which clients' scopes are compared.

use serde_json::{Value, json};

use crate::support::{Answer, Registration, TestServer, claims_of, names, on_both, query_of, text};
use chancery::model::Noted;

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn asks(server: &TestServer, client: &Registration, scope: &str) -> Answer {
    server.post_as(client, "/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await
}

/// Asserts which scopes a client with this one and this strategy may ask for.
async fn assert_may_ask(server: &TestServer, strategy: &str, held: &str, yes: &[&str], no: &[&str]) {
    let client = server.client(json!({"scope": held, "scope_strategy": strategy})).await;
    for scope in yes {
        let answer = asks(server, &client, scope).await;
        assert_eq!(answer.status, 200, "{strategy} {held} {scope}: {answer:?}");
        // Granted is what was asked, not what would have been allowed.
        assert_eq!(answer.json()["scope"], *scope);
        assert_eq!(claims_of(&answer.text("access_token"))["scope"], *scope);
    }
    for scope in no {
        asks(server, &client, scope).await.assert_error(400, "invalid_scope");
        let change = [("scope", *scope), ("state", "x")];
        let answer = server.browser().get(&server.authorization(&client, &change)).await;
        assert_eq!(query_of(answer.location(), "error").as_deref(), Some("invalid_scope"), "{scope}");
    }
}

/// The consent page for these scopes in a language.
async fn consent(server: &TestServer, client: &Registration, scope: &str, language: &'static str) -> Answer {
    let mut browser = server.browser();
    browser.headers.push(("accept-language", language.to_owned()));
    browser.enter("ada").await;
    let answer = browser.get(&server.authorization(client, &[("scope", scope)])).await;
    browser.follow(answer).await
}

on_both! {
    async fn x23_exact_is_the_default_and_takes_scopes_as_they_are(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"scope": "foo.* user source:w"})).await;
        for scope in ["foo.bar", "user:email", "source:r", "FOO.*"] {
            asks(&server, &client, scope).await.assert_error(400, "invalid_scope");
        }
        assert_eq!(asks(&server, &client, "foo.* user source:w").await.status, 200);
    }

    async fn il_06_il_24_aq_22_x23_hierarchical_scopes_cover_what_is_below_them(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (yes, no) = (["source:w", "source:r", "source", "source:r source:w"], ["source:d", "sources", "alert:r"]);
        assert_may_ask(&server, "hierarchical", "source:w", &yes, &no).await;
        assert_may_ask(&server, "hierarchical", "source:d", &["source:w", "source:d"], &["alert:d"]).await;
        assert_may_ask(&server, "hierarchical", "source", &["source:r"], &["source:w"]).await;
        let no = ["users", "user:", "us", "user:email:w"];
        assert_may_ask(&server, "hierarchical", "user", &["user", "user:email", "user:email:primary"], &no).await;
    }

    async fn hy_19_x23_a_wildcard_covers_whole_parts(kind: Kind) {
        let server = TestServer::start(kind).await;
        let no = ["foo", "foo.", "foobar", "foo..bar", "bar.foo"];
        assert_may_ask(&server, "wildcard", "foo.*", &["foo.bar", "foo.bar.baz"], &no).await;
        // Even so a client that may ask for everything has no user of its own.
        let client = server.client(json!({"scope": "*", "scope_strategy": "wildcard"})).await;
        for scope in ["openid", "offline_access"] {
            asks(&server, &client, scope).await.assert_error(400, "invalid_scope");
        }
    }

    async fn x23_an_implied_scope_may_be_asked_for(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.scope("admin", json!({"implies": "edit"})).await;
        server.scope("edit", json!({"implies": "view admin"})).await;
        assert_may_ask(&server, "exact", "admin", &["admin", "edit", "view", "view edit"], &["other"]).await;
        assert_may_ask(&server, "exact", "view", &["view"], &["edit", "admin"]).await;
        assert!(server.app.storage.delete_scope(Noted::nothing(), "edit").await.unwrap());
        server.app.reload_registry().await.unwrap();
        assert_may_ask(&server, "exact", "admin", &["edit"], &["view"]).await;
    }

    async fn granted_never_exceeds_what_was_asked_allowed_and_consented(kind: Kind) {
        let server = TestServer::start(kind).await;
        let scope = "openid offline_access source:d";
        let client = server.client(json!({"scope": scope, "scope_strategy": "hierarchical"})).await;
        server.user("ada").await;
        let tokens = server.tokens_with(&client, "ada", &[("scope", "openid offline_access source:w")]).await;
        assert_eq!(tokens["scope"], "openid offline_access source:w");
        let token = text(&tokens, "refresh_token");
        let refresh = |scope: &'static str| [("grant_type", "refresh_token"), ("refresh_token", &*token), ("scope", scope)];
        // The client may ask for it, but nobody consented.
        server.post_as(&client, "/token", &refresh("source:d")).await.assert_error(400, "invalid_scope");
        let tokens = server.post_as(&client, "/token", &refresh("source:r")).await.json();
        assert_eq!(tokens["scope"], "source:r");
        // A yes to less is no yes to more.
        let page = consent(&server, &client, "openid source:d", "en").await;
        assert!(page.body.contains("source:d") && page.body.contains("name=\"decision\""), "{page:?}");
    }

    async fn il_05_the_consent_page_says_what_a_scope_means_in_the_readers_language(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let descriptions = json!({"en": "Read your sources", "de": "Ihre Quellen lesen <b>"});
        server.scope("read", json!({"descriptions": descriptions})).await;
        server.scope("write", json!({"descriptions": {"en": "Change your sources"}})).await;
        server.scope("email", json!({"descriptions": {"en": "Write to you"}})).await;
        let client = server.client(json!({"scope": "openid email read write other"})).await;
        let scope = "openid email read write other";
        let page = consent(&server, &client, scope, "en").await;
        for sentence in ["Read your sources", "Change your sources", "Write to you", "the permission called other"] {
            assert!(page.body.contains(sentence), "{sentence}: {page:?}");
        }
        let page = consent(&server, &client, scope, "de-AT").await;
        // In German where there is German, ours too; else in English rather than not at all.
        for sentence in ["Ihre Quellen lesen &#60;b&#62;", "Change your sources", "Ihre E-Mail-Adresse sehen", "namens other"] {
            assert!(page.body.contains(sentence), "{sentence}: {page:?}");
        }
    }

    async fn public_scopes_are_listed_in_the_metadata_as_soon_as_they_are_registered(kind: Kind) {
        let server = TestServer::start(kind).await;
        let listed = |answer: Answer| answer.json()["scopes_supported"].as_array().unwrap().clone();
        let before = listed(server.get(DISCOVERY).await);
        server.scope("calendar", json!({"public": true})).await;
        server.scope("internal", json!({})).await;
        server.scope("email", json!({"public": true})).await;
        let after = listed(server.get(DISCOVERY).await);
        assert_eq!(after, [&before[..], &[json!("calendar")]].concat());
        let (statements, _) = server.statements(server.get(DISCOVERY)).await;
        assert_eq!(statements, 0);
        assert!(server.app.storage.delete_scope(Noted::nothing(), "calendar").await.unwrap());
        server.app.reload_registry().await.unwrap();
        assert_eq!(listed(server.get(DISCOVERY).await), before);
    }

    async fn extra_claims_come_from_the_user_as_of_now(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = server.user("ada").await;
        let client = server
            .client(json!({
                "claims_mapping": {
                    "mail": "user.email", "roles": "user.groups", "tenant": "const:acme",
                    "https://acme.example/locale": "user.profile.locale", "uid": "user.id",
                },
                "id_token_claims_mapping": {"roles": "user.groups"},
            }))
            .await;
        let tokens = server.tokens(&client, "ada").await;
        let claims = claims_of(&text(&tokens, "access_token"));
        assert_eq!(claims["mail"], "ada@mail.example");
        assert_eq!((&claims["roles"], &claims["tenant"]), (&json!(["staff"]), &json!("acme")));
        assert_eq!(claims["uid"], user.id.as_str());
        // What is not known of the user is left out.
        assert_eq!(claims["https://acme.example/locale"], Value::Null);
        let id_token = claims_of(&text(&tokens, "id_token"));
        assert_eq!((&id_token["roles"], &id_token["mail"]), (&json!(["staff"]), &Value::Null));
        let told = server.introspect(&client, &text(&tokens, "access_token")).await.json();
        assert_eq!((&told["tenant"], &told["roles"]), (&json!("acme"), &json!(["staff"])));
        server.sql("UPDATE users SET groups = '[\"editors\"]'").await;
        let tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!(claims_of(&text(&tokens, "access_token"))["roles"], json!(["editors"]));
        // A client of its own has no user.
        let claims = claims_of(&server.client_token(&client, "read").await);
        assert_eq!((&claims["tenant"], &claims["mail"]), (&json!("acme"), &Value::Null));
        assert_eq!(names(&claims), ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "tenant"]);
    }
}
