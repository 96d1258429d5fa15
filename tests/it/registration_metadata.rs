//! What an application may say of itself at the registration endpoint (RFC 7591 2): every member of the registry is
//! honoured or refused by its name, and nothing it sends is answered with a 500.

mod registry;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::http::{Method, StatusCode};
use chancery::protocol::registration::members::{LOCALIZABLE, OPERATORS, SERVER_MADE, STANDARD};
use serde_json::json;

use crate::support::{Answer, OPEN, TestServer, on_both, sources};
use registry::{Fate, registry};

/// Room for a table.
const ROOM: [(&str, &str); 4] = [
    OPEN,
    ("REGISTRATION__MAX_PER_ADDRESS", "100000"),
    ("REGISTRATION__MAX_IN_ALL", "100000"),
    ("REGISTRATION__MAX_CLIENTS", "100000"),
];

use Fate::{Honoured, Noted, Refused};

/// That a registration was refused because of this member, in the standard's own way.
#[track_caller]
fn assert_refused(answer: &Answer, member: &str) {
    let code = if member == "redirect_uris" { "invalid_redirect_uri" } else { "invalid_client_metadata" };
    let description = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    answer.assert_error(400, code);
    assert!(description.contains(&format!("{member}: ")), "{member}: {description}");
    assert!(description.bytes().all(|byte| matches!(byte, b' '..=b'~')), "RFC 7591 3.2.2: {description}");
}

on_both! {
    async fn every_member_of_the_registry_is_honoured_or_refused_by_its_name(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let (registry, tests) = (registry(), sources::functions());
        let named: BTreeSet<&str> = registry.iter().map(|(member, ..)| *member).collect();
        assert_eq!(named, STANDARD.iter().copied().collect(), "the table is the registry");
        for (member, value, fate) in registry {
            let answer = server.register(value.clone()).await;
            match fate {
                Refused if answer.status == StatusCode::CREATED => {
                    panic!("{member} is honoured now: name the test that shows that it takes effect")
                }
                Refused => assert_refused(&answer, member),
                Honoured(_) | Noted => {
                    assert_eq!(answer.status, StatusCode::CREATED, "{member}: {answer:?}");
                    assert_eq!(answer.json()[member], value[member]);
                }
            }
            if let Honoured(test) = fate {
                assert!(tests.contains(test), "{member}: there is no test {test}");
            }
        }
    }

    async fn an_algorithm_for_what_the_client_cannot_do_is_left_out(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let members = ["token_endpoint_auth_signing_alg", "request_object_signing_alg"];
        for member in members {
            // What the library idpyoidc sends of its own accord.
            let answer = server.register(json!({ member: "RS256" })).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
            assert!(answer.json()[member].is_null(), "{answer:?}");
            assert_refused(&server.register(json!({ member: "RS257" })).await, member);
        }
        let signed = json!({"request_object_signing_alg": "RS256", "require_signed_request_object": true});
        assert_refused(&server.register(signed).await, "request_object_signing_alg");
    }

    async fn what_is_not_done_may_be_declined_by_its_name(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let answer = server.register(json!({"tls_client_certificate_bound_access_tokens": false})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }

    async fn whatever_a_member_holds_the_answer_is_the_standards_own(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let long = "x".repeat(3000);
        let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
        let hostile = [
            json!(-1), json!(1.5), json!(1e300), json!(true), json!({}), json!([]), json!([1]), json!({"a": {"b": 1}}),
            json!(""), json!(" "), json!(long), json!([long]), json!("a\u{0}b"), json!(["\u{0}"]), json!("\u{202e}evil"),
            json!("javascript:alert(1)"), json!(["javascript:alert(1)"]), json!("data:text/html,x"),
            json!("https://user:secret@app.example/"), json!(["https://user@app.example/"]),
            json!("https://app.example/#fragment"), json!(["https://app.example/#"]), json!("//app.example"),
            json!("http://169.254.169.254/latest"),  json!("https://äpp.example/"),
            json!(vec!["https://app.example/cb"; 60]), json!("none"), json!(["none"]), deep,
        ];
        let words = ["default_acr_values", "client_name", "software_id", "software_version", "contacts", "scope"];
        for member in STANDARD {
            for value in &hostile {
                let answer = server.register(json!({ *member: value })).await;
                if answer.status == StatusCode::CREATED {
                    let said = answer.json()[member].clone();
                    // Its fragment is the digest of what is there (OpenID Connect Registration 2).
                    let digest = *member == "request_uris" && value == &json!(["https://app.example/#"]);
                    let nothing = said.is_null() && value == &json!([]);
                    let same = &said == value || nothing || (*member == "scope" && said == "");
                    assert!(same, "{member}: {value} was accepted as {said}");
                    // What some members may well be, or a word where words go.
                    let usual = [json!([]), json!(true), json!("none")];
                    let plain = digest || usual.contains(value) || words.contains(member);
                    assert!(plain, "{member}: {value} was accepted");
                } else {
                    assert_refused(&answer, member);
                }
            }
        }
    }

    async fn a_body_that_is_no_metadata_is_refused(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let deep = "[".repeat(20_000);
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        for body in ["", "x", "[]", "null", "\"{}\"", "{", "{} {}", "redirect_uris=https://app.example/", &deep, &nested] {
            let answer = server.send_metadata(Method::POST, "/register", None, body).await;
            answer.assert_error(400, "invalid_client_metadata");
        }
        let invalid = b"{\"client_name\": \"\xff\"}".to_vec();
        let headers = [("content-type", "application/json")];
        server.post_raw("/register", &headers, invalid).await.assert_error(400, "invalid_client_metadata");
        let right = "{\"redirect_uris\": [\"https://app.example/cb\"]}";
        for media_type in ["application/x-www-form-urlencoded", "text/plain", "application/jsonx", ""] {
            let answer = server.post_raw("/register", &[("content-type", media_type)], right).await;
            answer.assert_error(400, "invalid_client_metadata");
        }
        let parameters = [("content-type", "Application/JSON; charset=utf-8")];
        assert_eq!(server.post_raw("/register", &parameters, right).await.status, StatusCode::CREATED);
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(70_000));
        server.post_raw("/register", &headers, large).await.assert_error(413, "invalid_request");
        assert_eq!(server.get("/register").await.status, StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn the_operators_switches_and_what_the_server_makes_are_refused_by_name(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        for member in OPERATORS.iter().chain(SERVER_MADE) {
            assert_refused(&server.register(json!({ *member: "x" })).await, member);
        }
        let all = json!({"skip_consent": true, "first_party": true, "profile": "primer", "introspection_policy": "any"});
        let answer = server.register(all).await;
        for member in ["skip_consent", "first_party", "profile", "introspection_policy"] {
            assert_refused(&answer, member);
        }
    }

    async fn an_application_has_the_redirect_uris_of_its_type(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        let register = |kind: Option<&str>, uri: &str| {
            server.register(json!({"application_type": kind, "redirect_uris": [uri], "token_endpoint_auth_method": "none"}))
        };
        for (given, uri, registered) in [
            (None, "https://app.example/cb", Some("web")),
            (None, "http://127.0.0.1/cb", Some("native")),
            (None, "com.example.app:/cb", Some("native")),
            (Some("web"), "https://app.example/cb?x=1", Some("web")),
            (Some("native"), "http://[::1]:1234/cb", Some("native")),
            (Some("native"), "http://localhost/cb", Some("native")),
            (Some("native"), "https://app.example/claimed", Some("native")),
            (Some("web"), "http://localhost/cb", None),
            (Some("web"), "com.example.app:/cb", None),
            (Some("native"), "http://app.example/cb", None),
            (Some("native"), "myapp:/cb", None),
            (None, "https://app.example/cb#x", None),
            (None, "http://127.0.0.1.evil.example/", None),
        ] {
            let answer = register(given, uri).await;
            match registered {
                Some(registered) => assert_eq!(answer.json()["application_type"], registered, "{uri}: {answer:?}"),
                None => assert_refused(&answer, "redirect_uris"),
            }
        }
        assert_refused(&register(Some("desktop"), "https://app.example/").await, "application_type");
        assert_refused(&server.register(json!({"redirect_uris": null})).await, "redirect_uris");
        assert_refused(&server.register(json!({"redirect_uris": []})).await, "redirect_uris");
    }

    async fn a_client_gets_no_more_than_is_offered(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        for grant_type in ["client_credentials", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit"] {
            let answer = server.register(json!({"grant_types": ["authorization_code", grant_type]})).await;
            assert_refused(&answer, "grant_types");
        }
        assert_refused(&server.register(json!({"scope": "openid groups"})).await, "scope");
        assert_refused(&server.register(json!({"response_types": ["token"]})).await, "response_types");
        assert_refused(&server.register(json!({"response_types": []})).await, "response_types");
        assert_refused(&server.register(json!({"id_token_signed_response_alg": "PS256"})).await, "id_token_signed_response_alg");
        assert_refused(&server.register(json!({"id_token_signed_response_alg": "none"})).await, "id_token_signed_response_alg");
        let narrow = [OPEN, ("REGISTRATION__SCOPES", "read"), ("REGISTRATION__GRANT_TYPES", "client_credentials")];
        let server = TestServer::start_with(kind, &narrow).await;
        let machine = json!({"grant_types": ["client_credentials"], "redirect_uris": null});
        let registered = server.register(machine).await.json();
        assert_eq!((&registered["scope"], &registered["response_types"]), (&json!("read"), &json!([])));
    }

    async fn what_is_in_a_language_is_a_text_for_people(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        for (member, value) in [
            ("client_name#", json!("x")), ("client_name#de DE", json!("x")), ("client_name#de", json!(1)),
            ("client_name#de", json!("")), ("logo_uri#de", json!("javascript:alert(1)")),
            ("policy_uri#fr", json!("x")), ("client_name#fr", json!("x".repeat(201))),
        ] {
            let base = member.split('#').next().unwrap();
            assert_refused(&server.register(json!({ member: value })).await, base);
        }
        for member in LOCALIZABLE {
            let name = format!("{member}#ja-Hani-JP");
            let answer = server.register(json!({ name.clone(): "https://app.example/ja" })).await;
            assert_eq!(answer.json()[name], "https://app.example/ja", "{answer:?}");
        }
    }

    async fn what_people_are_shown_is_at_the_clients_own_host_where_the_operator_wants_it(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__SAME_HOST", "true")]).await;
        for member in ["client_uri", "logo_uri", "policy_uri", "tos_uri"] {
            let own = server.register(json!({ member: "https://app.example/x" })).await;
            assert_eq!(own.status, StatusCode::CREATED, "{own:?}");
            assert_refused(&server.register(json!({ member: "https://elsewhere.example/x" })).await, member);
        }
    }

    async fn keys_at_an_address_of_our_own_network_are_refused(kind: Kind) {
        let server = TestServer::start_with(kind, &ROOM).await;
        for uri in ["https://127.0.0.1/jwks", "https://[::1]/jwks", "https://10.0.0.1/jwks", "https://169.254.169.254/"] {
            assert_refused(&server.register(json!({"jwks_uri": uri})).await, "jwks_uri");
        }
    }

    async fn pkce_is_required_unless_the_operator_says_otherwise_and_always_without_a_secret(kind: Kind) {
        for (setting, method, optional) in [
            ("required", "client_secret_basic", false),
            ("optional", "client_secret_basic", true),
            ("optional", "none", false),
        ] {
            let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__PKCE", setting)]).await;
            let answer = server.register(json!({"token_endpoint_auth_method": method})).await;
            let client = crate::support::registration_of(&answer.json());
            let none = [("code_challenge", ""), ("code_challenge_method", "")];
            let answer = server.get(&server.authorization(&client, &none)).await;
            match optional {
                true => crate::support::authorization::assert_accepted(&answer),
                false => answer.assert_asks_before_redirect(crate::support::REDIRECT_URI, "invalid_request"),
            }
        }
    }
}

/// The names under which a source file serialises its public fields.
fn serialised(source: &str) -> Vec<String> {
    let (mut names, mut rename) = (Vec::new(), None);
    for line in source.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("rename = \"") {
            rename = rest.split('"').next().map(str::to_owned);
        }
        let Some(field) = line.strip_prefix("pub ").filter(|rest| rest.ends_with(',')) else { continue };
        let Some((name, _)) = field.split_once(": ") else { continue };
        names.push(rename.take().unwrap_or_else(|| name.to_owned()));
    }
    names
}

/// The fields of one struct of a source file.
fn fields_of(path: &str, name: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model").join(path);
    let text = fs::read_to_string(file).unwrap();
    let body = text.split(&format!("pub struct {name} {{")).nth(1).unwrap();
    serialised(body.split("\n}").next().unwrap())
}

#[test]
fn every_member_of_a_client_is_the_standards_the_servers_or_the_operators() {
    let groups = ["keys", "requests", "identity", "sign_in", "logout", "origin", "exchange", "switches"];
    let parts = [
        ("client.rs", "ClientMetadata"),
        ("client/requests.rs", "ClientRequests"),
        ("client/identity.rs", "ClientIdentity"),
        ("client/sign_in.rs", "ClientSignIn"),
        ("client/logout.rs", "ClientLogout"),
        ("client/origin.rs", "ClientOrigin"),
        ("client/exchange.rs", "ClientExchange"),
        ("switches.rs", "Switches"),
    ];
    let mut all = Vec::new();
    for (path, name) in parts {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model").join(path)).unwrap();
        if !text.contains(&format!("pub struct {name} {{}}")) {
            all.extend(fields_of(path, name));
        }
    }
    // Where its keys are is one value of two members.
    all.extend(["jwks", "jwks_uri"].map(str::to_owned));
    assert!(
        all.iter().any(|name| name == "client_name") && all.iter().any(|name| name == "first_party"),
        "{all:?}"
    );
    let known = |name: &str| {
        [STANDARD, SERVER_MADE, OPERATORS].iter().any(|table| table.contains(&name))
            || groups.contains(&name)
            || name == "software_statement"
    };
    let unknown: Vec<&String> = all.iter().filter(|name| !known(name)).collect();
    assert!(
        unknown.is_empty(),
        "name them in protocol/registration/members.rs, or strangers may set them: {unknown:?}"
    );
}
