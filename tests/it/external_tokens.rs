//! What external login and consent pages say ends up in tokens: the lines HY-.. of the compatibility table, by name.

use axum::http::Method;
use serde_json::json;

use crate::support::{
    ExternalUi, REDIRECT_URI, TestServer, claims_of, names, on_both, query_of, redirect_to, text,
};

const ALL: [&str; 4] = ["openid", "profile", "email", "offline_access"];

on_both! {
    async fn hy_02_login_and_registration_live_in_an_existing_user_system(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let login = json!({"subject": "auth0|17 X", "acr": "urn:two", "amr": ["pwd", "otp"]});
        let challenge = ui.log_in(&mut browser, &challenge, login).await;
        let code = ui.allow(&mut browser, &challenge, json!({"grant_scope": ALL})).await;
        let tokens = server.redeem(&client, &code).await.json();
        let (_, access) = server.verified(&text(&tokens, "access_token")).await;
        let (_, id) = server.verified(&text(&tokens, "id_token")).await;
        for claims in [&access, &id] {
            assert_eq!(claims["sub"], "auth0|17 X");
            assert_eq!(claims["acr"], "urn:two");
            assert_eq!(claims["amr"], json!(["pwd", "otp"]));
        }
        let answer = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await;
        assert_eq!(answer.json()["sub"], "auth0|17 X");
        let answer = server.introspect(&client, &text(&tokens, "refresh_token")).await.json();
        assert_eq!((&answer["sub"], &answer["acr"]), (&json!("auth0|17 X"), &json!("urn:two")));
        assert_eq!(server.number("SELECT COUNT(*) FROM users WHERE password_hash IS NULL").await, 1);
    }

    async fn hy_03_oauth_works_without_openid(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let tokens = ExternalUi(&server).tokens(&client, &[("scope", "read")], json!({"grant_scope": ["read"]})).await;
        assert_eq!(names(&tokens), ["access_token", "expires_in", "scope", "token_type"]);
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn a_scope_is_granted_though_the_user_lacks_the_right_and_the_token_does_not_exceed_the_user(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let scope = "openid email groups write";
        let consent = json!({"grant_scope": scope.split(' ').collect::<Vec<_>>()});
        let tokens = ExternalUi(&server).tokens(&client, &[("scope", scope)], consent).await;
        assert_eq!(tokens["scope"], scope);
        let about = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.json();
        assert_eq!(about, json!({"sub": "ada", "groups": []}), "no rights and no claims that the user does not have");
    }

    async fn hy_06_granted_scopes_are_exactly_grant_scope(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let ui = ExternalUi(&server);
        for granted in [vec!["openid", "email"], vec!["email"], vec!["openid", "offline_access"], ALL.to_vec()] {
            let tokens = ui.tokens(&client, &[], json!({"grant_scope": granted})).await;
            assert_eq!(tokens["scope"], granted.join(" "));
            assert_eq!(claims_of(&text(&tokens, "access_token"))["scope"], granted.join(" "));
            assert_eq!(tokens["id_token"].is_string(), granted.contains(&"openid"));
            // HY-13: offline_access must be in grant_scope.
            assert_eq!(tokens["refresh_token"].is_string(), granted.contains(&"offline_access"));
        }
    }

    async fn hy_08_the_granted_audience_is_grant_access_token_audience(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let ui = ExternalUi(&server);
        let both = json!(["https://api.example", "https://other.example"]);
        for (granted, expected) in [
            (json!(["https://other.example"]), json!("https://other.example")),
            (both.clone(), both.clone()),
            (json!([]), json!(server.issuer())),
            (json!(null), both),
        ] {
            let consent = json!({"grant_scope": ALL, "grant_access_token_audience": granted});
            let tokens = ui.tokens(&client, &[], consent).await;
            assert_eq!(claims_of(&text(&tokens, "access_token"))["aud"], expected);
            let again = server.refresh(&client, &text(&tokens, "refresh_token")).await;
            assert_eq!(claims_of(&again.text("access_token"))["aud"], expected);
        }
    }

    async fn the_page_grants_some_of_the_resources_that_were_asked_for_and_no_token_is_for_others(kind: Kind) {
        const A: &str = "https://a.example";
        const B: &str = "https://b.example";
        let server = TestServer::with_external_ui(kind, &[]).await;
        server.resource(A, json!({})).await;
        server.resource(B, json!({})).await;
        let client = server.external_client().await;
        server.change_client(&client, json!({"resources": [A, B]})).await;
        let (ui, both) = (ExternalUi(&server), format!("{A} {B}"));
        let asked = [("audience", both.as_str())];
        let shown = ui.get("login", &ui.start(&mut server.browser(), &client, &asked).await).await.json();
        assert_eq!(shown["requested_access_token_audience"], json!([A, B]));
        assert_eq!(query_of(shown["request_url"].as_str().unwrap(), "audience").as_ref(), Some(&both));
        for (granted, expected, refused) in [
            (json!([B]), json!(B), Some(A)),
            (json!([A, B]), json!([A, B]), None),
            (json!([]), json!(server.issuer()), Some(A)),
            (json!(null), json!([A, B]), None),
        ] {
            let consent = json!({"grant_scope": ALL, "grant_access_token_audience": granted});
            let tokens = ui.tokens(&client, &asked, consent).await;
            assert_eq!(claims_of(&text(&tokens, "access_token"))["aud"], expected);
            let token = text(&tokens, "refresh_token");
            if let Some(uri) = refused {
                let form = [("grant_type", "refresh_token"), ("refresh_token", &*token), ("resource", uri)];
                server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_target");
            }
            let again = server.refresh(&client, &token).await;
            assert_eq!(claims_of(&again.text("access_token"))["aud"], expected);
        }
        // One of the client's own list is asked for like a resource, and then is all that can be granted.
        let asked_own = [("audience", "https://other.example")];
        let shown = ui.get("login", &ui.start(&mut server.browser(), &client, &asked_own).await).await.json();
        assert_eq!(shown["requested_access_token_audience"], json!(["https://other.example"]));
        for (granted, expected) in [(json!(null), json!("https://other.example")), (json!([]), json!(server.issuer()))] {
            let consent = json!({"grant_scope": ALL, "grant_access_token_audience": granted});
            let tokens = ui.tokens(&client, &asked_own, consent).await;
            assert_eq!(claims_of(&text(&tokens, "access_token"))["aud"], expected);
        }
        // The client's own audience was not asked for.
        let (mut browser, consent) = (server.browser(), json!({"grant_scope": ALL,
            "grant_access_token_audience": ["https://api.example"]}));
        let challenge = ui.start(&mut browser, &client, &asked).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        ui.put("consent/accept", &challenge, consent).await.assert_error(400, "invalid_request");
    }

    async fn mapped_claims_and_those_of_the_page_are_side_by_side_and_the_page_counts_more(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let mapping = json!({"tenant": "const:mapped", "plan": "const:free"});
        server.change_client(&client, json!({"claims_mapping": mapping, "id_token_claims_mapping": mapping})).await;
        let page = json!({"tenant": "page"});
        let consent = json!({"grant_scope": ALL, "session": {"access_token": page, "id_token": page}});
        let tokens = ExternalUi(&server).tokens(&client, &[], consent).await;
        let access = claims_of(&text(&tokens, "access_token"));
        assert_eq!((&access["tenant"], &access["plan"], &access["ext"]), (&json!("mapped"), &json!("free"), &page));
        let id = claims_of(&text(&tokens, "id_token"));
        assert_eq!((&id["tenant"], &id["plan"]), (&json!("page"), &json!("free")));
        let about = server.introspect(&client, &text(&tokens, "access_token")).await.json();
        assert_eq!((&about["tenant"], &about["ext"]), (&json!("mapped"), &page));
    }

    async fn hy_14_an_application_for_hydra_works_with_the_paths_and_the_json_it_knows(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[("login_hint", "ada@x"), ("ui_locales", "de en")]).await;
        let path = |rest: &str| format!("/oauth2/auth/requests/{rest}={challenge}");
        let shown = server.admin(Method::GET, &path("login?login_challenge"), None).await.json();
        let members = [
            "challenge", "client", "oidc_context", "request_url", "requested_access_token_audience",
            "requested_scope", "session_id", "skip", "subject",
        ];
        assert_eq!(names(&shown), members);
        assert_eq!((&shown["skip"], &shown["subject"]), (&json!(false), &json!("")));
        assert_eq!(shown["oidc_context"], json!({"login_hint": "ada@x", "ui_locales": ["de", "en"]}));
        assert_eq!(shown["requested_scope"], json!(ALL));
        assert_eq!(query_of(shown["request_url"].as_str().unwrap(), "client_id").as_ref(), Some(&client.id));
        // What the sample application of Hydra v1.6 sends.
        let login = json!({"subject": "foo@bar.com", "remember": true, "remember_for": 3600, "acr": "0",
            "force_subject_identifier": "", "context": {"from": "login"}});
        let answer = server.admin(Method::PUT, &path("login/accept?challenge"), Some(login)).await;
        let answer = browser.get(&redirect_to(&answer)).await;
        assert_eq!(query_of(answer.location(), "consent_challenge").as_ref(), Some(&challenge));
        let shown = server.admin(Method::GET, &path("consent?consent_challenge"), None).await.json();
        let members = [
            "acr", "challenge", "client", "context", "login_challenge", "login_session_id", "oidc_context",
            "request_url", "requested_access_token_audience", "requested_scope", "skip", "subject",
        ];
        assert_eq!(names(&shown), members);
        assert_eq!((&shown["subject"], &shown["acr"]), (&json!("foo@bar.com"), &json!("0")));
        assert_eq!(shown["context"], json!({"from": "login"}));
        assert_eq!(shown["client"]["client_name"], "Test Application");
        assert_eq!(shown["client"].get("client_secret"), None);
        let wrong = json!({"error": "access_denied", "error_description": "No.", "unknown": 1});
        for reject in ["consent/reject?consent_challenge", "consent/reject?challenge"] {
            let answer = server.admin(Method::PUT, &path(reject), Some(wrong.clone())).await;
            answer.assert_error(400, "invalid_request");
        }
        let consent = json!({"grant_scope": ["openid"], "session": {"access_token": {}, "id_token": {}},
            "grant_access_token_audience": shown["requested_access_token_audience"], "remember": false,
            "remember_for": 3600, "handled_at": "2020-07-01T00:00:00Z"});
        let answer = server.admin(Method::PUT, &path("consent/accept?challenge"), Some(consent)).await;
        let answer = browser.get(&redirect_to(&answer)).await;
        assert!(answer.location().starts_with(REDIRECT_URI), "{answer:?}");
        let code = query_of(answer.location(), "code").unwrap();
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn hy_15_ttl_refresh_token_sets_the_lifetime_and_minus_one_never_expires(kind: Kind) {
        const YEARS: i64 = 20 * 365 * 86_400;
        let never = [("TOKENS__REFRESH_TOKEN_SECONDS", "-1"), ("TOKENS__REFRESH_TOKEN_IDLE_SECONDS", "-1")];
        let server = TestServer::with_external_ui(kind, &never).await;
        let client = server.external_client().await;
        let ui = ExternalUi(&server);
        let tokens = ui.tokens(&client, &[], json!({"grant_scope": ALL})).await;
        assert_eq!(tokens.get("refresh_token_expires_in"), None);
        // A client may have its own.
        server.change_client(&client, json!({"refresh_token_lifetime": 600})).await;
        let short = ui.tokens(&client, &[], json!({"grant_scope": ALL})).await;
        assert_eq!(short["refresh_token_expires_in"], 600);
        server.advance(600);
        server.refresh(&client, &text(&short, "refresh_token")).await.assert_error(400, "invalid_grant");
        server.advance(YEARS);
        assert_eq!(server.refresh(&client, &text(&tokens, "refresh_token")).await.status, 200);
    }

    async fn session_claims_are_in_the_tokens_in_userinfo_and_in_introspection_also_after_a_refresh(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let client = server.external_client().await;
        let session = json!({"access_token": {"tenant": "acme"}, "id_token": {"email": "a@b.example", "roles": ["x"]}});
        let mut tokens = ExternalUi(&server).tokens(&client, &[], json!({"grant_scope": ALL, "session": session})).await;
        for _ in 0..2 {
            let access = text(&tokens, "access_token");
            assert_eq!(claims_of(&access)["ext"], json!({"tenant": "acme"}));
            assert_eq!(server.introspect(&client, &access).await.json()["ext"], json!({"tenant": "acme"}));
            let id = claims_of(&text(&tokens, "id_token"));
            assert_eq!((&id["email"], &id["roles"]), (&json!("a@b.example"), &json!(["x"])));
            let about = server.get_with_token("/userinfo", &access).await.json();
            assert_eq!((&about["email"], &about["sub"]), (&json!("a@b.example"), &json!("ada")));
            tokens = server.refresh(&client, &text(&tokens, "refresh_token")).await.json();
        }
    }

    async fn reserved_claims_too_many_claims_and_what_was_not_requested_are_refused(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let (client, ui, mut browser) = (server.external_client().await, ExternalUi(&server), server.browser());
        let challenge = ui.start(&mut browser, &client, &[]).await;
        let challenge = ui.log_in(&mut browser, &challenge, json!({"subject": "ada"})).await;
        for wrong in [
            json!({"grant_scope": ["openid", "write"]}),
            json!({"grant_scope": ["openid", "é"]}),
            json!({"grant_scope": []}),
            json!({}),
            json!({"grant_scope": ["openid"], "grant_access_token_audience": ["https://evil.example"]}),
            json!({"grant_scope": ["openid"], "session": {"access_token": {"sub": "bob"}}}),
            json!({"grant_scope": ["openid"], "session": {"id_token": {"aud": "x"}}}),
            json!({"grant_scope": ["openid"], "session": {"id_token": {"x": "a".repeat(5000)}}}),
            json!({"grant_scope": ["openid"], "remember_for": -1}),
            json!({"grant_scope": ["openid"], "grant": "everything"}),
            json!([]),
        ] {
            ui.put("consent/accept", &challenge, wrong).await.assert_error(400, "invalid_request");
        }
        let code = ui.allow(&mut browser, &challenge, json!({"grant_scope": ["openid"]})).await;
        assert_eq!(server.redeem(&client, &code).await.text("scope"), "openid");
    }
}
