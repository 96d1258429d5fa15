//! Names and passwords however a keyboard writes them (RFC 8265), and names that people may believe.

use axum::http::{Method, StatusCode};
use chancery::model::{KeySource, Noted, Secret, SoftwareIssuer, User, UserId};
use serde_json::json;

use crate::support::{OPEN, PASSWORD, Registration, Signer, TestServer, hidden, on_both, query_of, text};

const COMPOSED: &str = "löffel und gäbel 9";
const DECOMPOSED: &str = "lo\u{308}ffel und ga\u{308}bel 9";

/// Whether somebody can sign in so.
async fn works(server: &TestServer, username: &str, password: &str) -> bool {
    let mut browser = server.browser();
    let csrf = hidden(&browser.get("/login").await, "csrf");
    let form = [("csrf", csrf.as_str()), ("username", username), ("password", password)];
    browser.post("/login", &form).await.status == StatusCode::SEE_OTHER
}

async fn user_with_password(server: &TestServer, username: &str, password: &str) -> User {
    let user = server.user(username).await;
    let hash = server.app.passwords.hash(Secret::new(password)).await.unwrap();
    server.app.storage.set_password(Noted::nothing(), &user.id, &hash, server.app.now()).await.unwrap();
    user
}

/// As before names had one form: the keys in lower case, to be made anew.
async fn as_before(server: &TestServer, user: &User) {
    let db = server.app.storage.db();
    let (key, email) = (user.username.to_lowercase(), user.email.as_ref().unwrap().to_lowercase());
    let id = user.id.as_str();
    let update = "UPDATE users SET username_key = $2, email_key = $3 WHERE id = $1";
    assert_eq!(
        db.execute(update, &[id.into(), key.as_str().into(), email.as_str().into()]).await.unwrap(),
        1
    );
    db.execute("DELETE FROM conversions", &[]).await.unwrap();
}

/// What the consent page of this client says.
async fn consent_page(server: &TestServer, client: &Registration) -> String {
    let mut browser = server.browser();
    let first = browser.get(&server.authorization(client, &[])).await;
    let page = browser.follow(first).await;
    let answer = browser.sign_in(&page, "ada", PASSWORD).await;
    browser.follow(answer).await.body
}

/// What nobody should read as a name, and what is said of it.
const UNREADABLE: [(&str, &str); 14] = [
    ("\u{200b}", "U+200B"),
    ("\u{200e}\u{200f}", "U+200E"),
    ("A\u{202e}B", "U+202E"),
    ("A\u{2067}B", "U+2067"),
    ("Go\u{ad}ogle", "U+00AD"),
    ("\u{2060}", "U+2060"),
    ("a\nb", "U+000A"),
    ("a\u{1b}[31m", "U+001B"),
    ("Google\u{200b}", "U+200B"),
    ("\u{3164}", "U+3164"),
    ("\u{2800}", "U+2800"),
    ("a\u{e0041}", "U+E0041"),
    (" \u{3000}", "nothing in it that can be seen"),
    ("Z\u{335}\u{336}\u{337}\u{338}\u{339}algo", "marks"),
];

/// What looks like something else.
const MISLEADING: [&str; 5] = ["Gооgle", "раураӏ", "Sign in with РауРаӏ", "𝐆oogle", "Ｇｏｏｇｌｅ"];

on_both! {
    async fn a_password_is_right_in_every_form_that_keyboards_write(kind: Kind) {
        let server = TestServer::start(kind).await;
        user_with_password(&server, "ann", COMPOSED).await;
        user_with_password(&server, "bob", DECOMPOSED).await;
        for name in ["ann", "bob"] {
            for password in [COMPOSED, DECOMPOSED, "löffel\u{a0}und gäbel\u{2003}9"] {
                assert!(works(&server, name, password).await, "{name} {password}");
            }
            assert!(!works(&server, name, "loffel und gabel 9").await);
        }
    }

    async fn the_password_grant_takes_the_same_forms(kind: Kind) {
        let server = TestServer::start_with(kind, &[("GRANTS__PASSWORD", "true")]).await;
        user_with_password(&server, "jörg", COMPOSED).await;
        let grants = json!({"grant_types": ["password"], "first_party": true});
        let client = server.client(grants).await;
        let form = [("grant_type", "password"), ("username", "JO\u{308}RG"), ("password", DECOMPOSED)];
        assert_eq!(server.post_as(&client, "/token", &form).await.status, StatusCode::OK);
    }

    async fn one_form_of_a_name_is_one_user(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = user_with_password(&server, "Jörg", COMPOSED).await;
        for name in ["Jörg", "jo\u{308}rg", "JÖRG", "ｊörg", " jörg ", "JO\u{308}RG@mail.example"] {
            assert!(works(&server, name, COMPOSED).await, "{name}");
        }
        assert!(!works(&server, "jorg", COMPOSED).await);
        for taken in ["jo\u{308}rg", "ＪÖRG"] {
            let mut other = user.clone();
            other.id = UserId::new(taken);
            (other.username, other.email) = (taken.to_owned(), None);
            let inserted = server.app.storage.insert_user(Noted::nothing(), &other, None).await.unwrap();
            assert!(inserted.is_err(), "{taken} is somebody else");
        }
    }

    async fn an_address_is_the_same_in_both_forms_of_its_domain(kind: Kind) {
        let server = TestServer::start(kind).await;
        let mut user = server.user("ann").await;
        user.id = UserId::new("another");
        (user.username, user.email) = ("jane".to_owned(), Some("Jane@Bücher.example".to_owned()));
        let hash = server.app.passwords.hash(Secret::new(COMPOSED)).await.unwrap();
        server.app.storage.insert_user(Noted::nothing(), &user, Some(&hash)).await.unwrap().unwrap();
        for address in ["jane@bücher.example", "jane@xn--bcher-kva.example", "JANE@BU\u{308}CHER.EXAMPLE"] {
            assert!(works(&server, address, COMPOSED).await, "{address}");
            assert!(server.app.storage.user_by_email(address).await.unwrap().is_some());
        }
    }

    async fn who_was_there_before_names_had_one_form_signs_in_as_ever_and_in_the_other_forms(kind: Kind) {
        let server = TestServer::start(kind).await;
        let user = user_with_password(&server, "JO\u{308}RG", COMPOSED).await;
        as_before(&server, &user).await;
        assert!(works(&server, "jo\u{308}rg", COMPOSED).await, "by a server that has not made the keys anew");
        assert!(server.app.storage.renew_user_keys().await.unwrap().is_empty());
        for name in ["jo\u{308}rg", "JO\u{308}RG", "jörg", "jörg@mail.example"] {
            assert!(works(&server, name, COMPOSED).await, "{name}");
        }
        // Once is enough: what it costs does not grow with the users.
        let (statements, _) = server.statements(server.app.storage.renew_user_keys()).await;
        assert_eq!(statements, 1);
    }

    async fn two_users_whose_names_became_one_both_sign_in_by_what_they_always_typed(kind: Kind) {
        let server = TestServer::start(kind).await;
        let other = user_with_password(&server, "jo\u{308}rg", "the password of the other").await;
        as_before(&server, &other).await;
        let user = user_with_password(&server, "jörg", COMPOSED).await;
        let kept = server.app.storage.renew_user_keys().await.unwrap();
        assert_eq!(kept, std::slice::from_ref(&other.id));
        assert!(works(&server, "jörg", COMPOSED).await && works(&server, "JÖRG", COMPOSED).await);
        assert!(works(&server, "jo\u{308}rg", "the password of the other").await);
        assert!(!works(&server, "jo\u{308}rg", COMPOSED).await, "one is not the other");
        assert_eq!(server.app.storage.user_by_username("jörg").await.unwrap().unwrap().id, user.id);
    }

    async fn a_new_password_holds_nothing_that_could_not_be_typed_again(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let mut browser = server.browser();
        let page = browser.get("/login").await;
        let form = [("csrf", hidden(&page, "csrf")), ("username", "ada".into()), ("password", PASSWORD.into())];
        browser.post("/login", &form.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let new = "copied\u{200b}from a page";
        let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
        let answer = browser.post("/account/password", &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("a character that cannot be seen"), "{answer:?}");
    }

    async fn an_application_is_not_registered_with_a_name_that_nobody_can_read(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1000")]).await;
        for (name, why) in UNREADABLE {
            for member in ["client_name", "client_name#de", "client_name#ja-Hira"] {
                let answer = server.register(json!({member: name})).await;
                answer.assert_error(400, "invalid_client_metadata");
                let description = text(&answer.json(), "error_description");
                assert!(description.contains(why) && description.contains("client_name"), "{name:?} {description}");
            }
        }
        for member in ["contacts", "software_id", "software_version"] {
            let value = if member == "contacts" { json!(["a\u{202e}b"]) } else { json!("a\u{202e}b") };
            server.register(json!({member: value})).await.assert_error(400, "invalid_client_metadata");
        }
        for name in ["Müller & Söhne", "日本語アプリ", "العربية", "Яндекс Browser", "می\u{200c}خواهم", "❤\u{fe0f} 🦄"] {
            let answer = server.register(json!({"client_name": name})).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{name}: {answer:?}");
            assert_eq!(answer.json()["client_name"], name);
        }
    }

    async fn an_application_is_not_registered_with_a_name_that_passes_for_another(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1000")]).await;
        for name in MISLEADING {
            for member in ["client_name", "client_name#ru"] {
                let answer = server.register(json!({member: name})).await;
                answer.assert_error(400, "invalid_client_metadata");
                assert!(answer.body.contains("UTS 39"), "{name} {answer:?}");
            }
        }
        // Nor does it become one later.
        let registered = server.register(json!({})).await.json();
        let mut change = registered.clone();
        let made = ["client_id_issued_at", "client_secret", "client_secret_expires_at", "registration_access_token", "registration_client_uri"];
        change.as_object_mut().unwrap().retain(|name, _| !made.contains(&name.as_str()));
        change["client_name"] = json!("Gооgle");
        server.manage(Method::PUT, &registered, &change).await.assert_error(400, "invalid_client_metadata");
    }

    async fn nobody_vouches_for_a_name_that_nobody_can_read(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN]).await;
        let signer = Signer::new("ES256");
        let issuer = SoftwareIssuer {
            issuer: "https://vouch.example".to_owned(),
            keys: KeySource::Jwks(signer.jwks()),
            created_at: server.app.now(),
        };
        assert!(server.app.storage.insert_software_issuer(Noted::nothing(), &issuer).await.unwrap());
        for name in ["A\u{202e}B", "Gооgle"] {
            for member in ["client_name", "client_name#de"] {
                let jwt = signer.sign(&json!({"iss": "https://vouch.example", member: name}));
                let answer = server.register(json!({"software_statement": jwt})).await;
                answer.assert_error(400, "invalid_client_metadata");
                assert!(answer.body.contains("client_name"), "{answer:?}");
            }
        }
    }

    async fn a_name_from_before_its_rule_is_shown_with_what_cannot_be_seen_written_out(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        for (name, shown) in [("A\u{202e}B", "A\\u{202e}B"), ("\u{200b}", "\\u{200b}"), ("Go\u{ad}ogle", "Go\\u{ad}ogle")] {
            let client = server.client(json!({"client_name": name})).await;
            let page = consent_page(&server, &client).await;
            assert!(page.contains(&format!("<bdi>{shown}</bdi>")), "{page}");
            assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{ad}']), "{page}");
        }
    }

    async fn a_uri_that_browsers_write_otherwise_or_that_has_a_wildcard_is_not_registered(kind: Kind) {
        let server = TestServer::start_with(kind, &[OPEN, ("REGISTRATION__MAX_PER_ADDRESS", "1000")]).await;
        for (uri, why) in [
            ("https:evil.example/cb", "https://evil.example/cb"),
            ("https:/logout", "https://logout/"),
            ("HTTPS://app.example/cb", "https://app.example/cb"),
            ("https://App.example/cb", "https://app.example/cb"),
            ("https://app.example:443/cb", "https://app.example/cb"),
            ("https://@app.example/cb", "https://app.example/cb"),
            ("https://app.example/a/../cb", "https://app.example/cb"),
            ("https://app.example/\t", "control"),
            ("https://app.example\\cb", "backslash"),
            ("https://*.app.example/cb", "no wildcards"),
            ("https://app.example/*", "no wildcards"),
            ("https://evil.example;sandbox/cb", "its host"),
        ] {
            for member in ["redirect_uris", "post_logout_redirect_uris"] {
                let answer = server.register(json!({member: [uri]})).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{member} {uri}");
                let description = text(&answer.json(), "error_description");
                assert!(description.contains(why) || why == "control", "{uri}: {description}");
            }
        }
        let singles = ["client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri", "sector_identifier_uri", "initiate_login_uri", "backchannel_logout_uri", "frontchannel_logout_uri", "client_uri#de"];
        for member in singles {
            let answer = server.register(json!({member: "https://app.example:443/x"})).await;
            answer.assert_error(400, "invalid_client_metadata");
            assert!(text(&answer.json(), "error_description").contains("https://app.example/x"), "{answer:?}");
        }
        let answer = server.register(json!({"request_uris": ["https://App.example/x#digest"]})).await;
        answer.assert_error(400, "invalid_client_metadata");
        for uri in ["https://app.example", "com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]:8080/cb"] {
            let answer = server.register(json!({"redirect_uris": [uri], "application_type": "native"})).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{uri}: {answer:?}");
        }
    }

    async fn a_uri_from_before_its_rule_is_compared_to_the_letter_as_ever(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let uri = "https://app.example:443/a/../callback";
        let client = server.client(json!({"redirect_uris": [uri]})).await;
        let answer = server.browser().authorize_as(&server.authorization(&client, &[("redirect_uri", uri)]), "ada").await;
        assert!(answer.location().starts_with(&format!("{uri}?")), "{answer:?}");
        assert!(query_of(answer.location(), "code").is_some());
        for other in ["https://app.example/callback", "https://app.example:443/callback"] {
            server.get(&server.authorization(&client, &[("redirect_uri", other)])).await.assert_page_error(400);
        }
    }
}
