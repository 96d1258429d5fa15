//! The promises of the primer's identity provider, kept for a client of the profile `primer`.

use axum::body::Body;
use axum::http::{Method, Request, header};
use chancery::config::Settings;
use chancery::crypto::{digest, random};
use chancery::model::{Noted, Profile, Secret, User, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::{NO_PKCE, authorize, client, code, is_consent, is_sign_in, public, start, tokens_without_pkce};
use crate::support::{
    Answer, Browser, Kind, PASSWORD, REDIRECT_URI, Registration, START, TestServer, on_both, query_of, text,
};

const SCOPES: &str = "openid read write groups name email given_name family_name offline_access";
/// Userinfo under the older path, kept for these clients.
const ALIASES: [(&str, &str); 2] = [
    ("ALIASES__PATHS", "/authorize/=/authorize,/token/=/token,/userinfo/=/userinfo@primer"),
    ("GRANTS__PASSWORD", "true"),
];

/// The members of a client of the primer.
fn members() -> Value {
    json!({"scope": SCOPES})
}

async fn begin(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &ALIASES).await;
    administrator(&server).await;
    let client = client(&server, "primer", members()).await;
    (server, client)
}

/// The user `ada`, with every claim of the primer.
async fn administrator(server: &TestServer) {
    let profile = Profile {
        name: Some("Ada Lovelace".to_owned()),
        given_name: Some("Ada".to_owned()),
        family_name: Some("Lovelace".to_owned()),
        ..Profile::default()
    };
    let user = User {
        id: UserId::new(random::id()),
        username: "ada".to_owned(),
        email: Some("ada@mail.example".to_owned()),
        email_verified: true,
        phone_number: None,
        phone_number_verified: false,
        profile,
        groups: vec!["administrator".to_owned()],
        disabled: false,
        created_at: START,
        updated_at: START,
    };
    let hash = server.app.passwords.hash(Secret::new(PASSWORD)).await.unwrap();
    server.app.storage.insert_user(Noted::nothing(), &user, Some(&hash)).await.unwrap().unwrap();
}

/// Header and claims of the answer of UserInfo, whose signature another implementation has verified with the secret.
fn verified(client: &Registration, answer: &Answer) -> (Value, Value) {
    assert_eq!(
        (answer.status.as_u16(), answer.header(header::CONTENT_TYPE)),
        (200, "application/jwt"),
        "{answer:?}"
    );
    let mut validation = Validation::new(Algorithm::HS256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key = DecodingKey::from_secret(client.secret.as_bytes()).unwrap();
    let claims = decode(&answer.body, &key, &validation).unwrap().claims;
    (json!(decode_header(&answer.body).unwrap()), claims)
}

/// An access token of this scope, and what UserInfo says of it.
async fn userinfo(server: &TestServer, client: &Registration, scope: &str) -> (String, Value) {
    let token = text(&tokens_without_pkce(server, client, scope).await, "access_token");
    let answer = server.get_with_token("/userinfo/", &token).await;
    (token, verified(client, &answer).1)
}

/// A request of somebody who is signed in, up to where it stops.
async fn ask(
    browser: &mut Browser<'_>,
    server: &TestServer,
    client: &Registration,
    change: &[(&str, &str)],
) -> Answer {
    let change = [NO_PKCE.as_slice(), &[("scope", "read email")], change].concat();
    let answer = browser.get(&server.authorization(client, &change)).await;
    browser.follow(answer).await
}

on_both! {
    async fn pr_01_the_code_password_and_client_credentials_grants_work(kind: Kind) {
        let (server, client) = begin(kind).await;
        tokens_without_pkce(&server, &client, "read").await;
        let machine = [("grant_type", "client_credentials"), ("scope", "read")];
        assert_eq!(server.post_as(&client, "/token/", &machine).await.status, 200);
        let trusted = trusted(&server).await;
        let password = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
        assert_eq!(server.post_as(&trusted, "/token/", &password).await.status, 200);
    }

    async fn pr_01_the_implicit_grant_works_where_it_is_switched_on(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__IMPLICIT", "true")]).await;
        server.user("ada").await;
        let metadata = json!({"scope": SCOPES, "grant_types": ["implicit"], "response_types": ["token"]});
        let client = client(&server, "primer", metadata).await;
        let change = [NO_PKCE.as_slice(), &[("response_type", "token"), ("scope", "read email")]].concat();
        let answer = authorize(&server, &client, &change).await;
        let token = answer.returned("access_token").unwrap();
        assert!(answer.location().contains('#') && answer.returned("refresh_token").is_none(), "{answer:?}");
        verified(&client, &server.get_with_token("/userinfo", &token).await);
        assert!(server.is_active(&client, &token).await);
    }

    async fn pr_04_clients_of_the_code_flow_without_pkce_are_confidential(kind: Kind) {
        let (server, _) = begin(kind).await;
        let mut metadata = public();
        metadata["scope"] = json!(SCOPES);
        let public = client(&server, "primer", metadata).await;
        let path = server.authorization(&public, &[NO_PKCE.as_slice(), &[("scope", "read")]].concat());
        server.browser().get(&path).await.assert_redirect_error("invalid_request");
    }

    async fn pr_05_a_registration_holds_a_list_of_redirect_uris(kind: Kind) {
        let (server, _) = begin(kind).await;
        let uris = ["https://one.example/cb", "https://two.example/cb"];
        let client = client(&server, "primer", json!({"scope": SCOPES, "redirect_uris": uris})).await;
        for uri in uris {
            let change = [NO_PKCE.as_slice(), &[("scope", "read"), ("redirect_uri", uri)]].concat();
            assert!(authorize(&server, &client, &change).await.location().starts_with(uri));
        }
        let change = [("redirect_uri", "https://three.example/cb")];
        server.get(&server.authorization(&client, &change)).await.assert_page_error(400);
    }

    async fn pr_06_a_missing_parameter_of_the_authorization_request_is_an_error(kind: Kind) {
        let (server, client) = begin(kind).await;
        let path = |missing: &str| {
            let change = [NO_PKCE.as_slice(), &[("scope", "read"), ("nonce", ""), ("state", ""), (missing, "")]].concat();
            server.authorization(&client, &change).replace("/authorize?", "/authorize/?")
        };
        code(&server.browser().authorize_as(&path("x"), "ada").await);
        server.get(&path("client_id")).await.assert_page_error(400);
        server.get(&path("response_type")).await.assert_redirect_error("invalid_request");
        server.get(&path("scope")).await.assert_redirect_error("invalid_scope");
        server.change_client(&client, json!({"redirect_uris": [REDIRECT_URI, "https://two.example/cb"]})).await;
        server.get(&path("redirect_uri")).await.assert_page_error(400);
    }

    async fn pr_07_state_is_optional_and_comes_back_unchanged(kind: Kind) {
        let (server, client) = begin(kind).await;
        let long = "a b+c/%&=\u{e9}".repeat(300);
        for state in ["", "x", &long] {
            let change = [NO_PKCE.as_slice(), &[("scope", "read"), ("state", state)]].concat();
            let answer = authorize(&server, &client, &change).await;
            code(&answer);
            assert_eq!(query_of(answer.location(), "state").unwrap_or_default(), state);
        }
    }

    async fn pr_08_scopes_are_separated_by_spaces_and_openid_may_be_among_them(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = tokens_without_pkce(&server, &client, "read write email name").await;
        assert_eq!((&tokens["scope"], tokens["id_token"].is_string()), (&json!("read write email name"), false));
        let tokens = tokens_without_pkce(&server, &client, "openid read").await;
        assert!(tokens["id_token"].is_string(), "{tokens}");
    }

    async fn pr_09_claims_that_are_asked_for_as_scopes_are_told_by_userinfo(kind: Kind) {
        let (server, client) = begin(kind).await;
        let (_, claims) = userinfo(&server, &client, "read email name given_name family_name").await;
        for (name, value) in [
            ("email", "ada@mail.example"), ("name", "Ada Lovelace"), ("given_name", "Ada"), ("family_name", "Lovelace"),
        ] {
            assert_eq!(claims[name], value);
        }
        let (_, claims) = userinfo(&server, &client, "read name").await;
        assert_eq!(claims["name"], "Ada Lovelace");
        assert!(claims.get("email").is_none() && claims.get("groups").is_none(), "{claims}");
    }

    async fn pr_10_approval_prompt_is_force_or_auto(kind: Kind) {
        let (server, client) = begin(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        for value in ["force", "auto"] {
            assert!(is_consent(&ask(&mut browser, &server, &client, &[("approval_prompt", value)]).await), "{value}");
        }
        ask(&mut browser, &server, &client, &[("approval_prompt", "never")]).await.assert_redirect_error("invalid_request");
    }

    async fn pr_11_who_says_nothing_is_asked_every_time(kind: Kind) {
        let (server, client) = begin(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        for change in [&[][..], &[("approval_prompt", "force")]] {
            for _ in 0..2 {
                let page = ask(&mut browser, &server, &client, change).await;
                assert!(is_consent(&page), "{page:?}");
                code(&browser.decide(&page, "allow").await);
            }
        }
    }

    async fn pr_12_auto_asks_the_first_time_only(kind: Kind) {
        let (server, client) = begin(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let auto = [("approval_prompt", "auto")];
        let page = ask(&mut browser, &server, &client, &auto).await;
        assert!(is_consent(&page), "{page:?}");
        code(&browser.decide(&page, "allow").await);
        code(&ask(&mut browser, &server, &client, &auto).await);
        // What is new is asked about.
        let more = [("approval_prompt", "auto"), ("scope", "read write")];
        assert!(is_consent(&ask(&mut browser, &server, &client, &more).await));
    }

    async fn pr_13_with_skip_authorization_there_is_no_approval_page(kind: Kind) {
        let (server, client) = begin(kind).await;
        server.change_client(&client, json!({"skip_consent": true})).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        for change in [&[][..], &[("approval_prompt", "force")], &[("approval_prompt", "auto")]] {
            code(&ask(&mut browser, &server, &client, change).await);
        }
    }

    async fn pr_14_credentials_are_asked_only_without_a_session(kind: Kind) {
        let (server, client) = begin(kind).await;
        let mut browser = server.browser();
        let login = ask(&mut browser, &server, &client, &[]).await;
        assert!(is_sign_in(&login), "{login:?}");
        browser.sign_in(&login, "ada", PASSWORD).await;
        let page = ask(&mut browser, &server, &client, &[]).await;
        assert!(is_consent(&page) && !is_sign_in(&page), "{page:?}");
    }

    async fn pr_15_the_approval_page_lists_claims_and_scopes(kind: Kind) {
        let (server, client) = begin(kind).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        let page = ask(&mut browser, &server, &client, &[("scope", "read write email")]).await;
        for listed in ["permission called read", "permission called write", "See your email address"] {
            assert!(page.body.contains(listed), "{listed}: {page:?}");
        }
    }

    async fn pr_16_the_redirect_has_code_and_state(kind: Kind) {
        let (server, client) = begin(kind).await;
        let change = [NO_PKCE.as_slice(), &[("scope", "read"), ("state", "xyz")]].concat();
        let answer = authorize(&server, &client, &change).await;
        code(&answer);
        assert_eq!(query_of(answer.location(), "state").as_deref(), Some("xyz"));
    }

    async fn pr_17_a_code_lives_ten_minutes_for_one_attempt(kind: Kind) {
        let (server, client) = begin(kind).await;
        let change = [NO_PKCE.as_slice(), &[("scope", "read")]].concat();
        let first = server.code(&client, "ada", &change).await;
        server.advance(599);
        assert_eq!(server.redeem_with(&client, &first, &[("code_verifier", "")]).await.status, 200);
        let second = server.code(&client, "ada", &change).await;
        server.advance(600);
        server.redeem_with(&client, &second, &[("code_verifier", "")]).await.assert_error(400, "invalid_grant");
        let third = server.code(&client, "ada", &change).await;
        let wrong = [("code_verifier", ""), ("redirect_uri", "https://app.example/other")];
        server.redeem_with(&client, &third, &wrong).await.assert_error(400, "invalid_grant");
        server.redeem_with(&client, &third, &[("code_verifier", "")]).await.assert_error(400, "invalid_grant");
    }

    async fn pr_18_id_and_secret_work_in_the_header_and_in_the_body(kind: Kind) {
        let (server, basic) = begin(kind).await;
        let form = [("grant_type", "client_credentials"), ("scope", "read")];
        assert_eq!(server.post_as(&basic, "/token/", &form).await.status, 200);
        let members = json!({"scope": SCOPES, "token_endpoint_auth_method": "client_secret_post"});
        let post = client(&server, "primer", members).await;
        let form = [("client_secret", post.secret.as_str()), ("grant_type", "client_credentials"), ("scope", "read")];
        assert_eq!(server.post_public(&post, "/token/", &form).await.status, 200);
    }

    async fn pr_19_the_body_needs_grant_type_code_and_redirect_uri(kind: Kind) {
        let (server, client) = begin(kind).await;
        for (missing, error) in
            [("grant_type", "invalid_request"), ("code", "invalid_request"), ("redirect_uri", "invalid_grant")]
        {
            // With PKCE too, which makes redirect_uri needless for others.
            let code = server.code(&client, "ada", &[("scope", "read")]).await;
            server.redeem_with(&client, &code, &[(missing, "")]).await.assert_error(400, error);
        }
    }

    async fn pr_20_the_answer_has_the_members_the_client_reads(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = tokens_without_pkce(&server, &client, "read write").await;
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!((&tokens["scopes"], &tokens["scope"]), (&json!("read write"), &json!("read write")));
        assert!(tokens["access_token"].is_string() && tokens["refresh_token"].is_string(), "{tokens}");
        assert!(tokens["expires_in"].is_i64(), "{tokens}");
    }

    async fn pr_21_the_password_grant_serves_trusted_clients(kind: Kind) {
        let (server, client) = begin(kind).await;
        let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", "read email")];
        server.post_as(&client, "/token/", &form).await.assert_error(400, "unauthorized_client");
        let trusted = trusted(&server).await;
        let tokens = server.post_as(&trusted, "/token/", &form).await.json();
        assert_eq!(tokens["scope"], "read email");
        assert!(server.is_active(&trusted, &text(&tokens, "access_token")).await);
    }

    async fn pr_22_client_credentials_act_on_the_clients_own_behalf(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = server.client_token(&client, "read").await;
        assert_eq!(server.verified(&token).await.1["sub"], json!(client.id));
    }

    async fn pr_23_a_refresh_needs_no_credentials(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        assert_eq!(server.post_public(&client, "/token/", &form).await.status, 200);
        // That is all it is good for: nothing else takes a client without its secret, and a wrong secret is wrong.
        for (path, form) in [
            ("/token/", &[("grant_type", "client_credentials"), ("scope", "read")][..]),
            ("/introspect", &[("grant_type", "refresh_token"), ("token", &token)]),
            ("/revoke", &[("grant_type", "refresh_token"), ("token", &token)]),
        ] {
            server.post_public(&client, path, form).await.assert_invalid_client();
        }
        let impostor = Registration { id: client.id.clone(), secret: "wrong".to_owned() };
        server.refresh(&impostor, &token).await.assert_invalid_client();
        // And it is this profile's only.
        let strict = server.client(json!({})).await;
        let token = text(&server.tokens(&strict, "ada").await, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        server.post_public(&strict, "/token", &form).await.assert_invalid_client();
    }

    async fn pr_24_userinfo_takes_a_bearer_token_by_get(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        for path in ["/userinfo/", "/userinfo"] {
            assert_eq!(server.get_with_token(path, &token).await.status, 200);
        }
    }

    async fn pr_25_userinfo_answers_with_application_jwt(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        let (statements, answer) = server.statements(server.get_with_token("/userinfo/", &token)).await;
        assert_eq!((answer.status.as_u16(), statements), (200, 1));
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/jwt");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    }

    async fn pr_26_userinfo_is_signed_with_the_clients_secret(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "openid read").await, "access_token");
        let answer = server.get_with_token("/userinfo/", &token).await;
        let (header, _) = verified(&client, &answer);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("userinfo+jwt")));
        // It is no token of this server.
        assert_eq!(server.get_with_token("/userinfo", &answer.body).await.status, 401);
        assert!(!server.is_active(&client, &answer.body).await);
    }

    async fn pr_26_without_a_copy_of_the_secret_nothing_is_signed(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        server.sql("UPDATE clients SET sealed_secret = NULL").await;
        server.app.clients.forget();
        server.get_with_token("/userinfo/", &token).await.assert_error(500, "server_error");
    }

    async fn pr_27_any_other_method_is_405(kind: Kind) {
        let (server, client) = begin(kind).await;
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        for path in ["/userinfo/", "/userinfo"] {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let request = Request::builder().method(&method).uri(path);
                let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                let answer = server.send(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
                assert!(answer.header(header::ALLOW).contains("GET"), "{answer:?}");
            }
        }
        assert_eq!(server.post("/userinfo/", &[], &[]).await.status, 405, "without a token too");
    }

    async fn pr_28_a_missing_or_invalid_bearer_token_is_403(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(server.get("/userinfo/").await.status, 403);
        assert_eq!(server.get_with_token("/userinfo/", "made-up").await.status, 403);
        let token = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        let revoked = text(&tokens_without_pkce(&server, &client, "read").await, "access_token");
        server.revoke(&client, &revoked).await;
        for path in ["/userinfo/", "/userinfo"] {
            assert_eq!(server.get_with_token(path, &revoked).await.status, 403);
        }
        server.advance(3600);
        for path in ["/userinfo/", "/userinfo"] {
            server.get_with_token(path, &token).await.assert_error(403, "invalid_token");
        }
        // Where no client is known, and the path is nobody's, the standard's answer (RFC 6750 3.1).
        assert_eq!(server.get("/userinfo").await.status, 401);
    }

    async fn pr_29_sub_is_the_name_of_the_user(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(userinfo(&server, &client, "read").await.1["sub"], "ada");
    }

    async fn pr_30_the_scope_groups_adds_the_groups(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(userinfo(&server, &client, "groups").await.1["groups"], json!(["administrator"]));
        assert!(userinfo(&server, &client, "read").await.1.get("groups").is_none());
    }

    async fn pr_31_iss_is_the_name_of_the_server(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(userinfo(&server, &client, "read").await.1["iss"], "Chancery");
    }

    async fn pr_32_aud_is_the_client(kind: Kind) {
        let (server, client) = begin(kind).await;
        assert_eq!(userinfo(&server, &client, "read").await.1["aud"], json!(client.id));
    }

    async fn pr_33_iat_exp_and_nbf_are_there(kind: Kind) {
        let (server, client) = begin(kind).await;
        let (_, claims) = userinfo(&server, &client, "read").await;
        let now = START.unix();
        assert_eq!((&claims["iat"], &claims["nbf"], &claims["exp"]), (&json!(now), &json!(now), &json!(now + 3600)));
    }

    async fn pr_34_at_hash_matches_the_access_token(kind: Kind) {
        use base64::Engine as _;
        let (server, client) = begin(kind).await;
        let (token, claims) = userinfo(&server, &client, "read").await;
        let half = &digest::sha256(token.as_bytes())[..16];
        assert_eq!(claims["at_hash"], base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(half));
    }

    async fn pr_35_a_token_has_no_scope_that_was_not_granted_whoever_owns_it(kind: Kind) {
        let (server, client) = begin(kind).await;
        let tokens = tokens_without_pkce(&server, &client, "read groups").await;
        let told = server.introspect(&client, &text(&tokens, "access_token")).await.json();
        assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("read groups")));
        let refresh = text(&tokens, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("scope", "write")];
        server.post_as(&client, "/token", &form).await.assert_error(400, "invalid_scope");
    }

    async fn pr_36_the_scopes_of_the_primer_can_be_registered_and_granted(kind: Kind) {
        let (server, client) = begin(kind).await;
        for scope in ["read", "write", "groups", "name", "email", "given_name", "family_name"] {
            assert_eq!(tokens_without_pkce(&server, &client, scope).await["scope"], scope);
        }
        let change = [NO_PKCE.as_slice(), &[("scope", "delete")]].concat();
        server.get(&server.authorization(&client, &change)).await.assert_redirect_error("invalid_scope");
    }

    async fn pr_37_skip_authorization_is_off_unless_it_is_set(kind: Kind) {
        let (server, client) = start(kind, "primer", members()).await;
        let mut browser = server.browser();
        browser.enter("ada").await;
        assert!(is_consent(&ask(&mut browser, &server, &client, &[("approval_prompt", "auto")]).await));
    }
}

async fn trusted(server: &TestServer) -> Registration {
    let grant_types = ["password", "refresh_token"];
    client(server, "primer", json!({"scope": SCOPES, "first_party": true, "grant_types": grant_types})).await
}

#[test]
fn pr_03_a_plain_http_issuer_is_refused() {
    let with = |issuer: &str| {
        Settings::load(None, [("CHANCERY_SERVER__ISSUER".to_owned(), issuer.to_owned())]).is_ok()
    };
    assert!(with("https://id.example") && with("http://localhost:8080"));
    assert!(!with("http://id.example"));
}

#[test]
fn pr_21_a_client_that_is_not_the_operators_cannot_register_for_passwords() {
    let check = |first_party: bool| {
        let metadata = json!({
            "client_id": "app", "client_name": "App", "grant_types": ["password"], "scope": "read",
            "token_endpoint_auth_method": "client_secret_basic", "profile": "primer", "first_party": first_party,
            "client_id_issued_at": 0,
        });
        super::problems(metadata).len()
    };
    assert_eq!((check(true), check(false)), (0, 1));
}
