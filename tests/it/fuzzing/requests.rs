//! Random requests to the whole server, with what means something somewhere at every place: whatever comes, nobody gets a
//! 500, and nobody is sent to a place that was not registered.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, header};
use chancery::model::ClientId;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::WORDS;
use crate::support::property::hold;
use crate::support::{Kind, TestServer};

/// A request with anything in it.
#[derive(Debug, Clone)]
struct Anything {
    path: &'static str,
    post: bool,
    content_type: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    parameters: Vec<(&'static str, String)>,
}

const PATHS: [&str; 26] = [
    "/authorize",
    "/token",
    "/introspect",
    "/userinfo",
    "/revoke",
    "/par",
    "/device_authorization",
    "/device",
    "/register",
    "/register/app",
    "/logout",
    "/jwks",
    "/.well-known/openid-configuration",
    "/.well-known/webfinger",
    "/.well-known/oauth-authorization-server",
    "/login",
    "/consent",
    "/account",
    "/account/apps/revoke",
    "/account/sessions/end",
    "/account/password",
    "/select_account",
    "/check_session",
    "/healthz",
    "/readyz",
    "/%ff",
];
const HEADERS: [&str; 13] = [
    "authorization",
    "cookie",
    "accept",
    "accept-language",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "host",
    "origin",
    "sec-fetch-site",
    "user-agent",
    "x-request-id",
];
const NAMES: [&str; 48] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "token",
    "token_type_hint",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "ui_locales",
    "claims_locales",
    "acr_values",
    "id_token_hint",
    "login_hint",
    "logout_hint",
    "claims",
    "request",
    "request_uri",
    "resource",
    "rel",
    "audience",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "assertion",
    "device_code",
    "user_code",
    "csrf",
    "decision",
    "username",
    "password",
    "session",
    "post_logout_redirect_uri",
    "access_token",
    "account",
];
/// What is right at some place, so that requests come as far as that.
const VALUES: [&str; 44] = [
    "",
    "app",
    "code",
    "code id_token",
    "id_token",
    "openid profile offline_access",
    "https://app.example/callback",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:id_token",
    "S256",
    "plain",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "form_post",
    "query.jwt",
    "none",
    "login consent",
    "de-CH,en;q=0.5,*;q=x",
    "Basic YXBwOnNlY3JldA==",
    "Bearer e30.e30.AAAA",
    "bearer cy_at_AAAA",
    "eyJhbGciOiJub25lIn0.e30.",
    "a.b.c.d.e",
    "cy_ac_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "cy_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "urn:ietf:params:oauth:request_uri:cy_pr_AAAA",
    "__Host-session=cy_st_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; a=b;;=",
    "acct:ada@id.example",
    "{\"id_token\":{\"sub\":{\"value\":\"x\"}}}",
    "WDJB-MJHT",
    "-1",
    "99999999999999999999",
    "allow",
    "sign_out",
    "application/jwt;q=1, */*;q=0",
    "for=\"[::1]:80\";proto=https, for=_x",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&VALUES[..]).prop_map(str::to_owned),
        1 => prop::collection::vec(select(&WORDS[..]), 1..6).prop_map(|words| words.concat()),
        1 => (select(&VALUES[..]), select(&WORDS[..])).prop_map(|(value, word)| format!("{value}{word}")),
        1 => "\\PC{0,40}",
    ]
}

fn anything() -> impl Strategy<Value = Anything> {
    let header = (select(&HEADERS[..]), value().prop_map(String::into_bytes));
    (
        select(&PATHS[..]),
        any::<bool>(),
        prop_oneof![4 => Just("application/x-www-form-urlencoded"), 1 => select(&["application/json", "text/plain;charset=x", ""][..])],
        prop::collection::vec(header, 0..4),
        prop::collection::vec((select(&NAMES[..]), value()), 0..10),
    )
        .prop_map(|(path, post, content_type, headers, parameters)| Anything {
            path,
            post,
            content_type,
            headers,
            parameters,
        })
}

impl Anything {
    fn into_request(self) -> Option<Request<Body>> {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish();
        let json = json!(self.parameters.into_iter().collect::<BTreeMap<_, _>>()).to_string();
        let body = if self.content_type == "application/json" { json } else { form.clone() };
        let request = match self.post {
            true => Request::builder().method(Method::POST).uri(self.path),
            false => Request::get(format!("{}?{form}", self.path)),
        };
        let mut request = request.body(Body::from(if self.post { body } else { String::new() })).ok()?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in self.headers {
            headers.append(name, HeaderValue::from_bytes(&value).ok()?);
        }
        Some(request)
    }
}

/// Bad input gets the standard's own error, whatever it is.
async fn is_answered(server: &TestServer, anything: Anything) -> Result<(), String> {
    let Some(request) = anything.into_request() else { return Ok(()) };
    let answer = server.send(request).await;
    // RFC 6749 5.2: the only 5xx that a caller can bring about is being told to come later.
    if answer.status.is_server_error() {
        return Err(format!("{answer:?}"));
    }
    let location = answer.location();
    let ours = ["https://id.example", "https://app.example/callback", "/"];
    if !location.is_empty() && !ours.iter().any(|place| location.starts_with(place)) {
        return Err(format!("redirected to {location}"));
    }
    Ok(())
}

mod any_request_gets_an_answer_of_the_standard {
    use super::*;

    fn rule(kind: Kind, seeds: &'static str) {
        let settings =
            [("GRANTS__PASSWORD", "true"), ("GRANTS__IMPLICIT", "true"), ("REGISTRATION__MODE", "open")];
        hold(kind, &settings, seeds, &anything(), async |server, anything| {
            let app = ClientId::new("app");
            if server.app.clients.find(&app).await.unwrap().is_none() {
                let grant_types = [
                    "authorization_code",
                    "refresh_token",
                    "client_credentials",
                    "password",
                    "implicit",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                    "urn:ietf:params:oauth:grant-type:device_code",
                ];
                let response_types = ["code", "code id_token", "id_token"];
                server
                    .client(json!({
                        "client_id": "app", "token_endpoint_auth_method": "none", "grant_types": grant_types,
                        "response_types": response_types,
                    }))
                    .await;
                server.app.clients.forget();
            }
            is_answered(server, anything).await
        });
    }

    #[test]
    fn sqlite() {
        rule(Kind::Sqlite, "tests/it/seeds/requests-sqlite.txt");
    }

    #[test]
    fn postgres() {
        rule(Kind::Postgres, "tests/it/seeds/requests-postgres.txt");
    }
}
