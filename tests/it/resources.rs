//! Registered resources (RFC 8707): who may ask tokens for them, what these look like, and who takes them.

use serde_json::{Value, json};

use crate::device;
use crate::support::{Answer, Registration, TestServer, claims_of, on_both, query_of, text};
use chancery::model::Noted;

const A: &str = "https://a.example/api";
const B: &str = "https://b.example/api";
/// Has no scopes of its own.
const PLAIN: &str = "urn:example:plain";
const SCOPE: &str = "openid profile offline_access a:read a:write b:read read";

async fn server(kind: crate::support::Kind) -> TestServer {
    let server = TestServer::start(kind).await;
    server.resource(A, json!({"resource_name": "Calendars", "scope": "a:read a:write"})).await;
    server.resource(B, json!({"resource_name": "Invoices", "scope": "b:read"})).await;
    server.resource(PLAIN, json!({})).await;
    server
}

async fn client(server: &TestServer) -> Registration {
    server.client(json!({"scope": SCOPE, "resources": [A, B, PLAIN]})).await
}

/// A client credentials request for resources.
async fn machine(server: &TestServer, client: &Registration, scope: &str, resources: &[&str]) -> Answer {
    let mut form = vec![("grant_type", "client_credentials"), ("scope", scope)];
    form.extend(resources.iter().map(|uri| ("resource", *uri)));
    server.post_as(client, "/token", &form).await
}

async fn refresh(server: &TestServer, client: &Registration, token: &str, more: &[(&str, &str)]) -> Answer {
    let form = [&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat();
    server.post_as(client, "/token", &form).await
}

fn access(tokens: &Value) -> Value {
    claims_of(&text(tokens, "access_token"))
}

on_both! {
    async fn x24_a_token_is_for_the_resource_that_was_asked_for(kind: Kind) {
        let server = server(kind).await;
        let client = client(&server).await;
        for name in ["resource", "audience"] {
            let form = [("grant_type", "client_credentials"), ("scope", "a:read"), (name, A)];
            let answer = server.post_as(&client, "/token", &form).await;
            let claims = claims_of(&answer.text("access_token"));
            assert_eq!((&claims["aud"], &claims["scope"]), (&json!(A), &json!("a:read")), "{name}");
        }
        // Without one it is for the default audience, as ever.
        let claims = claims_of(&server.client_token(&client, "a:read").await);
        assert_eq!(claims["aud"], server.issuer());
    }

    async fn hy_07_x24_a_token_may_be_for_several_resources(kind: Kind) {
        let server = server(kind).await;
        let client = client(&server).await;
        let answer = machine(&server, &client, "a:read b:read", &[A, B, A]).await;
        let claims = claims_of(&answer.text("access_token"));
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!([A, B]), &json!("a:read b:read")));
        let list = format!("{A} {B}");
        let form = [("grant_type", "client_credentials"), ("scope", "a:read"), ("audience", &list)];
        let answer = server.post_as(&client, "/token", &form).await;
        assert_eq!(claims_of(&answer.text("access_token"))["aud"], json!([A, B]));
    }

    async fn what_is_unknown_not_allowed_relative_or_has_a_fragment_is_an_invalid_target(kind: Kind) {
        let server = server(kind).await;
        let (client, stranger) = (client(&server).await, server.client(json!({"scope": SCOPE, "resources": [B]})).await);
        let fragment = format!("{A}#x");
        let prefix = format!("{A}/");
        for uri in ["https://unknown.example", &fragment, &prefix, "/api", "api", "https://a b", " "] {
            machine(&server, &client, "a:read", &[uri]).await.assert_error(400, "invalid_target");
            let change = [("resource", uri), ("scope", "openid a:read")];
            let answer = server.browser().get(&server.authorization(&client, &change)).await;
            answer.assert_redirect_error("invalid_target");
        }
        machine(&server, &client, "a:read", &[A, "https://unknown.example"]).await.assert_error(400, "invalid_target");
        machine(&server, &stranger, "a:read", &[A]).await.assert_error(400, "invalid_target");
        let change = [("audience", A), ("scope", "openid")];
        let answer = server.browser().get(&server.authorization(&stranger, &change)).await;
        answer.assert_redirect_error("invalid_target");
    }

    async fn what_was_granted_can_be_narrowed_and_never_widened(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let request = [("audience", &*format!("{A} {B}")), ("scope", "openid offline_access a:read b:read")];
        let code = server.code(&client, "ada", &request).await;
        let redeem = |uri: &'static str| [("resource", uri)];
        server.redeem_with(&client, &code, &redeem(PLAIN)).await.assert_error(400, "invalid_target");
        // The code is not spent by that: it was a mistake, not an attack.
        let tokens = server.redeem_with(&client, &code, &redeem(A)).await.json();
        assert_eq!((&access(&tokens)["aud"], &access(&tokens)["scope"]), (&json!(A), &json!("a:read")));
        assert_eq!(tokens["scope"], "a:read");
        assert!(tokens["id_token"].is_string());

        let token = text(&tokens, "refresh_token");
        for uri in [PLAIN, "https://unknown.example"] {
            refresh(&server, &client, &token, &[("resource", uri)]).await.assert_error(400, "invalid_target");
        }
        let other = refresh(&server, &client, &token, &[("resource", B)]).await.json();
        assert_eq!((&access(&other)["aud"], &access(&other)["scope"]), (&json!(B), &json!("b:read")));
        let all = refresh(&server, &client, &text(&other, "refresh_token"), &[]).await.json();
        assert_eq!((&access(&all)["aud"], &access(&all)["scope"]), (&json!([A, B]), &json!("a:read b:read")));
        // Asked for by name it has to make sense.
        let token = text(&all, "refresh_token");
        let wrong = refresh(&server, &client, &token, &[("resource", B), ("scope", "a:read")]).await;
        wrong.assert_error(400, "invalid_scope");
        let narrow = refresh(&server, &client, &token, &[("resource", A), ("scope", "a:read openid")]).await;
        assert_eq!(narrow.json()["scope"], "a:read");
    }

    async fn a_device_asks_for_resources_too_and_its_user_sees_which(kind: Kind) {
        let server = server(kind).await;
        server.user("ada").await;
        let change = json!({"scope": SCOPE, "resources": [A, B]});
        let client = device::device_client(&server, change).await;
        let ask = async |form: &[(&str, &str)]| server.post_as(&client, "/device_authorization", form).await;
        ask(&[("scope", "a:read"), ("resource", PLAIN)]).await.assert_error(400, "invalid_target");
        ask(&[("scope", "a:read"), ("resource", B)]).await.assert_error(400, "invalid_scope");
        let form = [("scope", "openid offline_access a:read b:read"), ("resource", A), ("resource", B)];
        let started = ask(&form).await.json();
        let mut browser = server.browser();
        let page = device::type_code(&mut browser, "ada", &text(&started, "user_code")).await;
        assert!(page.body.contains("Calendars") && page.body.contains("Invoices"), "{page:?}");
        assert_eq!(device::decide(&mut browser, &page, "allow").await.status, 200);
        let code = text(&started, "device_code");
        let poll = [("grant_type", device::DEVICE_CODE), ("device_code", &*code), ("resource", PLAIN)];
        server.post_as(&client, "/token", &poll).await.assert_error(400, "invalid_target");
        // That did not use the code up.
        let tokens = device::poll(&server, &client, &started).await.json();
        assert_eq!((&access(&tokens)["aud"], &access(&tokens)["scope"]), (&json!([A, B]), &json!("a:read b:read")));
        let token = text(&tokens, "refresh_token");
        let narrow = refresh(&server, &client, &token, &[("resource", B)]).await.json();
        assert_eq!((&access(&narrow)["aud"], &access(&narrow)["scope"]), (&json!(B), &json!("b:read")));
    }

    async fn a_grant_without_resources_gets_no_token_for_one(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let request = [("scope", "openid offline_access a:read")];
        let code = server.code(&client, "ada", &request).await;
        server.redeem_with(&client, &code, &[("resource", A)]).await.assert_error(400, "invalid_target");
        let tokens = server.redeem(&client, &code).await.json();
        let token = text(&tokens, "refresh_token");
        refresh(&server, &client, &token, &[("resource", A)]).await.assert_error(400, "invalid_target");
        assert_eq!(access(&refresh(&server, &client, &token, &[]).await.json())["aud"], server.issuer());
    }

    async fn a_resource_taken_from_the_client_or_deleted_is_in_no_new_token(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let request = [("audience", &*format!("{A} {B}")), ("scope", "openid offline_access a:read b:read")];
        let token = text(&server.tokens_with(&client, "ada", &request).await, "refresh_token");
        server.change_client(&client, json!({"resources": [B]})).await;
        let tokens = refresh(&server, &client, &token, &[]).await.json();
        assert_eq!((&access(&tokens)["aud"], &access(&tokens)["scope"]), (&json!(B), &json!("b:read")));
        let token = text(&tokens, "refresh_token");
        refresh(&server, &client, &token, &[("resource", A)]).await.assert_error(400, "invalid_target");
        assert!(server.app.storage.delete_resource(Noted::nothing(), B).await.unwrap());
        server.app.reload_registry().await.unwrap();
        // Not one for the default audience instead.
        refresh(&server, &client, &token, &[]).await.assert_error(400, "invalid_target");
    }

    async fn a_resource_admits_only_its_own_scopes(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        machine(&server, &client, "b:read", &[A]).await.assert_error(400, "invalid_scope");
        machine(&server, &client, "a:read read", &[A]).await.assert_error(400, "invalid_scope");
        let change = [("resource", A), ("scope", "openid b:read")];
        let answer = server.browser().get(&server.authorization(&client, &change)).await;
        answer.assert_redirect_error("invalid_scope");
        // Without scopes of its own it admits all but those of OpenID Connect.
        let change = [("resource", PLAIN), ("scope", "openid profile offline_access read a:read")];
        let tokens = server.tokens_with(&client, "ada", &change).await;
        assert_eq!(access(&tokens)["scope"], "read a:read");
        assert_eq!(access(&tokens)["aud"], PLAIN);
    }

    async fn scopes_of_openid_connect_do_not_go_into_a_resources_tokens(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("resource", A), ("scope", "openid profile offline_access")]).await;
        assert!(tokens["id_token"].is_string() && tokens["refresh_token"].is_string());
        // RFC 6749 5.1: told, because it is not what was asked for.
        assert_eq!((&tokens["scope"], &access(&tokens)["scope"]), (&json!(""), &Value::Null));
    }

    async fn userinfo_takes_no_token_that_is_for_another_resource(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("resource", A), ("scope", "openid a:read")]).await;
        let answer = server.get_with_token("/userinfo", &text(&tokens, "access_token")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
        // Nor one whose default audience is one.
        let other = server.client(json!({"audience": [B]})).await;
        let tokens = server.tokens(&other, "ada").await;
        assert_eq!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status, 401);
        let both = server.client(json!({"audience": [B, server.issuer()]})).await;
        let tokens = server.tokens(&both, "ada").await;
        assert_eq!(server.get_with_token("/userinfo", &text(&tokens, "access_token")).await.status, 200);
    }

    async fn x11_a_resource_server_is_told_of_its_own_resources_tokens_only(kind: Kind) {
        let server = server(kind).await;
        let (app, _) = (client(&server).await, server.user("ada").await);
        let of_a = server.client(json!({"resource_server": A, "scope": SCOPE, "resources": [A, B]})).await;
        let of_b = server.client(json!({"resource_server": B})).await;
        let tokens = server.tokens_with(&app, "ada", &[("resource", A), ("scope", "openid offline_access a:read")]).await;
        let token = text(&tokens, "access_token");
        let told = server.introspect(&of_a, &token).await.json();
        assert_eq!((&told["active"], &told["aud"], &told["scope"]), (&json!(true), &json!(A), &json!("a:read")));
        assert!(!server.is_active(&of_b, &token).await);
        assert!(!server.is_active(&of_a, &text(&tokens, "refresh_token")).await);
        let both = machine(&server, &app, "a:read", &[A, B]).await.text("access_token");
        assert!(server.is_active(&of_a, &both).await && server.is_active(&of_b, &both).await);
        // Its own tokens for others must not look good to it either; those for it, and those that name it, do.
        let own = machine(&server, &of_a, "b:read", &[B]).await.text("access_token");
        assert!(!server.is_active(&of_a, &own).await);
        assert!(!server.is_active(&of_a, &server.client_token(&of_a, "a:read").await).await);
        let own = machine(&server, &of_a, "a:read", &[A]).await.text("access_token");
        assert!(server.is_active(&of_a, &own).await);
        server.change_client(&app, json!({"audience": [of_a.id]})).await;
        assert!(server.is_active(&of_a, &server.client_token(&app, "a:read").await).await);
        // Its own refresh tokens are its business as a client.
        let tokens = server.tokens_with(&of_a, "ada", &[("scope", "openid offline_access")]).await;
        assert!(server.is_active(&of_a, &text(&tokens, "refresh_token")).await);
    }

    async fn the_format_lifetime_and_algorithm_are_the_resources(kind: Kind) {
        let server = server(kind).await;
        let short = "https://short.example";
        let members = json!({"access_token_lifetime": 60, "access_token_signed_response_alg": "EdDSA"});
        server.resource(short, members).await;
        let members = json!({
            "resources": [A, short], "access_token_lifetime": 600, "scope": SCOPE,
            "access_token_signed_response_alg": "ES256",
        });
        let client = server.client(members).await;
        let answer = machine(&server, &client, "read", &[short]).await;
        assert_eq!(answer.json()["expires_in"], 60);
        let (header, claims) = server.verified(&answer.text("access_token")).await;
        assert_eq!(header["alg"], "EdDSA");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        let answer = machine(&server, &client, "a:read", &[A]).await;
        assert_eq!(answer.json()["expires_in"], 600);
        assert_eq!(server.verified(&answer.text("access_token")).await.0["alg"], "ES256");
        // Two algorithms don't go into one token.
        machine(&server, &client, "a:read", &[A, short]).await.assert_error(400, "invalid_target");
    }

    async fn resources_of_differing_formats_are_asked_for_one_at_a_time(kind: Kind) {
        let server = server(kind).await;
        let sealed = "https://sealed.example";
        server.resource(sealed, json!({"token_format": "opaque", "access_token_lifetime": 60})).await;
        let (client, _) = (server.client(json!({"resources": [PLAIN, sealed]})).await, server.user("ada").await);
        let answer = machine(&server, &client, "read", &[PLAIN, sealed]).await;
        answer.assert_error(400, "invalid_target");
        assert!(answer.json()["error_description"].as_str().unwrap().contains("one resource at a time"));
        // They can be granted together.
        let request = [("audience", &*format!("{PLAIN} {sealed}")), ("scope", "openid offline_access read")];
        let code = server.code(&client, "ada", &request).await;
        server.redeem(&client, &code).await.assert_error(400, "invalid_target");
        let tokens = server.redeem_with(&client, &code, &[("resource", PLAIN)]).await.json();
        assert_eq!((&access(&tokens)["aud"], &tokens["expires_in"]), (&json!(PLAIN), &json!(3600)));
        let token = text(&tokens, "refresh_token");
        let tokens = refresh(&server, &client, &token, &[("resource", sealed)]).await.json();
        assert!(text(&tokens, "access_token").starts_with("cy_at_"));
        assert_eq!(tokens["expires_in"], 60);
    }

    async fn the_consent_page_names_the_resources(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let path = server.authorization(&client, &[("scope", "openid a:read b:read")]);
        let uris = format!("&resource={}&resource={}", url_encoded(A), url_encoded(B));
        let answer = browser.get(&format!("{path}{uris}")).await;
        let page = browser.follow(answer).await;
        assert!(page.body.contains("Calendars") && page.body.contains("Invoices"), "{page:?}");
        let answer = browser.decide(&page, "allow").await;
        let code = query_of(answer.location(), "code").unwrap();
        let tokens = server.redeem(&client, &code).await.json();
        assert_eq!(access(&tokens)["aud"], json!([A, B]));
    }

    async fn a_token_outlives_its_grants_code_when_the_resource_says_so(kind: Kind) {
        let server = server(kind).await;
        let long = "https://long.example";
        server.resource(long, json!({"access_token_lifetime": 86_400})).await;
        let (client, _) = (server.client(json!({"resources": [long]})).await, server.user("ada").await);
        let tokens = server.tokens_with(&client, "ada", &[("resource", long), ("scope", "openid read")]).await;
        server.advance(80_000);
        server.sql("DELETE FROM revoked_tokens").await;
        server.app.storage.purge(server.app.now()).await.unwrap();
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await);
        server.advance(6_400);
        assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
    }

    async fn resources_cost_no_statement(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        machine(&server, &client, "a:read", &[A]).await;
        let (statements, answer) = server.statements(machine(&server, &client, "a:read", &[A])).await;
        assert_eq!((statements, answer.status.as_u16()), (0, 200));
        let code = server.code(&client, "ada", &[("resource", A), ("scope", "openid offline_access a:read")]).await;
        let (statements, answer) = server.statements(server.redeem_with(&client, &code, &[("resource", A)])).await;
        assert_eq!((statements, answer.status.as_u16()), (2, 200));
        let token = answer.text("refresh_token");
        let (statements, answer) = server.statements(refresh(&server, &client, &token, &[("resource", A)])).await;
        assert_eq!((statements, answer.status.as_u16()), (2, 200));
        let token = answer.text("access_token");
        let (statements, active) = server.statements(server.is_active(&client, &token)).await;
        assert_eq!((statements, active), (1, true));
    }

    async fn another_process_sees_a_change_by_itself(kind: Kind) {
        let (server, uri) = (server(kind).await, "https://new.example");
        let replica = server.replica().await;
        let _tasks = chancery::boot::spawn_background_tasks(&replica.app);
        let client = server.client(json!({"resources": [uri]})).await;
        machine(&replica, &client, "read", &[uri]).await.assert_error(400, "invalid_target");
        server.resource(uri, json!({})).await;
        for _ in 0..100 {
            if machine(&replica, &client, "read", &[uri]).await.status == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the change was not noticed");
    }

    async fn a_grant_that_a_program_of_before_wrote_has_no_resources(kind: Kind) {
        let server = server(kind).await;
        let (client, _) = (client(&server).await, server.user("ada").await);
        let code = server.code(&client, "ada", &[("resource", A), ("scope", "openid a:read")]).await;
        // What the column holds when nobody names it.
        server.sql("UPDATE grants SET resources = ''").await;
        assert_eq!(access(&server.redeem(&client, &code).await.json())["aud"], server.issuer());
    }

    async fn introspection_takes_no_token_as_credentials_that_is_for_another_resource(kind: Kind) {
        let server = server(kind).await;
        let members = json!({"scope": SCOPE, "resources": [A], "introspection_policy": "any"});
        let client = server.client(members).await;
        let asks = async |token: &str| {
            server.post("/introspect", &[("authorization", &format!("Bearer {token}"))], &[("token", token)]).await
        };
        assert_eq!(asks(&server.client_token(&client, "a:read").await).await.json()["active"], true);
        let token = machine(&server, &client, "a:read", &[A]).await.text("access_token");
        asks(&token).await.assert_invalid_client();
    }

    async fn the_password_grant_asks_for_resources_too(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true")]).await;
        server.user("ada").await;
        server.resource(A, json!({"scope": "a:read"})).await;
        let client = server
            .client(json!({
                "scope": "a:read offline_access", "resources": [A], "first_party": true,
                "grant_types": ["password", "refresh_token"],
            }))
            .await;
        let enter = async |resource: &str| {
            let form = [
                ("grant_type", "password"), ("username", "ada"), ("password", crate::support::PASSWORD),
                ("scope", "a:read offline_access"), ("resource", resource),
            ];
            server.post_as(&client, "/token", &form).await
        };
        let tokens = enter(A).await.json();
        assert_eq!(claims_of(tokens["access_token"].as_str().unwrap())["aud"], A);
        let tokens = refresh(&server, &client, tokens["refresh_token"].as_str().unwrap(), &[]).await.json();
        assert_eq!(claims_of(tokens["access_token"].as_str().unwrap())["aud"], A);
        enter("https://unknown.example").await.assert_error(400, "invalid_target");
    }
}

fn url_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
