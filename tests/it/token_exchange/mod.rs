//! Token exchange (RFC 8693): `web` has a token of a user for an API; `backend`, which serves that API, exchanges it for
//! one for the next.

mod acting;
mod subjects;

use chancery::model::User;
use serde_json::{Value, json};

use crate::support::{Answer, Kind, Registration, TestServer, claims_of, merged, names, on_both, text};

pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What `backend` serves, with scopes of its own.
const API: &str = "https://api.example";
/// What `backend` calls, without any.
pub const NEXT: &str = "https://next.example";

pub struct Place {
    pub server: TestServer,
    pub user: User,
    pub web: Registration,
    pub backend: Registration,
}

impl Place {
    /// `backend` may do everything that a switch allows.
    pub async fn new(kind: Kind) -> Self {
        Self::with(kind, json!({"token_exchange_policy": "any"})).await
    }

    pub async fn with(kind: Kind, change: Value) -> Self {
        let server = TestServer::start(kind).await;
        server.resource(API, json!({"scope": "read write"})).await;
        server.resource(NEXT, json!({})).await;
        let user = server.user("ada").await;
        let web = server.client(json!({"client_id": "web", "resources": [API]})).await;
        let backend = json!({
            "client_id": "backend", "resource_server": API, "resources": [NEXT],
            "grant_types": [TOKEN_EXCHANGE, "client_credentials"], "scope": "openid offline_access read",
        });
        let backend = server.client(merged(backend, &change)).await;
        Self { server, user, web, backend }
    }

    /// Tokens of the user for `web`; the access token is for the API.
    pub async fn tokens(&self) -> Value {
        let change = [("resource", API), ("scope", "openid offline_access read write")];
        self.server.tokens_with(&self.web, "ada", &change).await
    }

    pub async fn subject_token(&self) -> String {
        text(&self.tokens().await, "access_token")
    }

    /// Exchanges an access token as `backend`.
    pub async fn exchange(&self, subject_token: &str, form: &[(&str, &str)]) -> Answer {
        exchange(&self.server, &self.backend, subject_token, form).await
    }

    /// A token that speaks for the user.
    pub async fn exchanged(&self, subject_token: &str) -> String {
        self.exchange(subject_token, &[]).await.text("access_token")
    }
}

/// Exchanges an access token. Later parameters replace these.
pub async fn exchange(
    server: &TestServer,
    client: &Registration,
    subject_token: &str,
    form: &[(&str, &str)],
) -> Answer {
    let right = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", subject_token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let kept = right.iter().filter(|(name, _)| !form.iter().any(|(other, _)| other == name));
    let whole: Vec<_> = kept.chain(form).copied().collect();
    server.post_as(client, "/token", &whole).await
}

on_both! {
    async fn a_token_is_exchanged_for_one_that_speaks_for_its_subject(kind: Kind) {
        let place = Place::new(kind).await;
        let before = claims_of(&place.subject_token().await);
        place.server.advance(600);
        let subject = place.subject_token().await;
        let answer = place.exchange(&subject, &[("resource", NEXT)]).await.json();
        assert_eq!(names(&answer), ["access_token", "expires_in", "issued_token_type", "scope", "token_type"]);
        assert_eq!((&answer["issued_token_type"], &answer["token_type"]), (&json!(ACCESS_TOKEN), &json!("Bearer")));
        let (header, claims) = place.server.verified(&text(&answer, "access_token")).await;
        assert_eq!(header["typ"], "at+jwt");
        let subject = claims_of(&subject);
        assert_ne!(subject["grant"], before["grant"]);
        assert_ne!(subject["jti"], claims["jti"]);
        let expected = json!({
            "iss": place.server.issuer(), "sub": place.user.id, "aud": NEXT, "client_id": "backend",
            "iat": subject["iat"], "exp": subject["exp"], "jti": claims["jti"], "scope": "read",
            "grant": subject["grant"], "sid": subject["sid"], "auth_time": subject["auth_time"], "acr": "1",
            "amr": ["pwd"], "exchanged": "user",
        });
        assert_eq!(claims, expected);
    }

    async fn the_grant_type_is_for_registered_clients_that_authenticate(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        exchange(&place.server, &place.web, &subject, &[]).await.assert_error(400, "unauthorized_client");
        let change = json!({"token_endpoint_auth_method": "none", "grant_types": [TOKEN_EXCHANGE]});
        let public = place.server.client(change).await;
        let form = [("grant_type", TOKEN_EXCHANGE), ("subject_token", &subject), ("subject_token_type", ACCESS_TOKEN)];
        place.server.post_public(&public, "/token", &form).await.assert_invalid_client();
        place.server.post("/token", &[], &form).await.assert_invalid_client();
    }

    async fn a_client_may_only_delegate_unless_its_policy_says_more(kind: Kind) {
        let place = Place::with(kind, json!({})).await;
        let (subject, own) =
            (place.subject_token().await, place.server.client_token(&place.backend, "read").await);
        let by_name = [("actor_token", own.as_str()), ("actor_token_type", ACCESS_TOKEN)];
        for (policy, impersonates, delegates) in [
            (json!({}), false, true),
            (json!({"token_exchange_policy": "delegation"}), false, true),
            (json!({"token_exchange_policy": "impersonation"}), true, false),
            (json!({"token_exchange_policy": "any"}), true, true),
        ] {
            place.server.change_client(&place.backend, policy).await;
            for (form, allowed) in [(&[][..], impersonates), (&by_name[..], delegates)] {
                let answer = place.exchange(&subject, form).await;
                match allowed {
                    true => assert_eq!(answer.status, 200, "{answer:?}"),
                    false => answer.assert_error(400, "unauthorized_client"),
                }
            }
        }
    }

    async fn a_scope_is_never_more_than_the_token_has_and_the_client_and_the_resource_may(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        assert_eq!(claims_of(&subject)["scope"], "read write");
        // `write` is not registered for the backend; `admin` is, but the token does not have it.
        let change = json!({"scope": "openid offline_access read admin"});
        place.server.change_client(&place.backend, change).await;
        assert_eq!(place.exchange(&subject, &[]).await.json()["scope"], "read");
        assert_eq!(place.exchange(&subject, &[("scope", "read")]).await.json()["scope"], "read");
        for scope in ["write", "read write", "admin", "openid", "offline_access", "unheard-of", "re\"ad"] {
            place.exchange(&subject, &[("scope", scope)]).await.assert_error(400, "invalid_scope");
        }
        place.server.resource("https://other.example", json!({"scope": "admin"})).await;
        let change = json!({"resources": [NEXT, "https://other.example"]});
        place.server.change_client(&place.backend, change).await;
        let other = [("resource", "https://other.example"), ("scope", "read")];
        place.exchange(&subject, &other).await.assert_error(400, "invalid_scope");
        assert_eq!(place.exchange(&subject, &other[..1]).await.json()["scope"], "");
        // Not by a pattern either, nor by what a scope implies.
        place.server.scope("read", json!({"implies": "admin"})).await;
        for strategy in ["exact", "wildcard", "hierarchical"] {
            let change = json!({"scope": "* admin read", "scope_strategy": strategy});
            place.server.change_client(&place.backend, change).await;
            for scope in ["admin", "read:r", "write:d"] {
                place.exchange(&subject, &[("scope", scope)]).await.assert_error(400, "invalid_scope");
            }
        }
    }

    async fn a_token_is_for_what_the_client_is_registered_for(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        let aud = async |form: &[(&str, &str)]| claims_of(&place.exchange(&subject, form).await.text("access_token"))["aud"].clone();
        assert_eq!(aud(&[]).await, place.server.issuer());
        assert_eq!(aud(&[("audience", NEXT)]).await, NEXT);
        place.server.change_client(&place.backend, json!({"audience": ["billing", "ledger"]})).await;
        assert_eq!(aud(&[]).await, json!(["billing", "ledger"]));
        assert_eq!(aud(&[("audience", "ledger")]).await, "ledger");
        assert_eq!(aud(&[("audience", "ledger"), ("resource", NEXT)]).await, json!([NEXT, "ledger"]));
        for (name, value) in [
            ("resource", API), ("audience", API), ("resource", "https://unknown.example"), ("audience", "web"),
            ("resource", "billing"), ("resource", "https://next.example#x"),
        ] {
            place.exchange(&subject, &[(name, value)]).await.assert_error(400, "invalid_target");
        }
    }

    async fn a_clients_own_token_gets_smaller_and_never_other(kind: Kind) {
        let place = Place::new(kind).await;
        let own = json!({"grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE], "resources": [API, NEXT],
            "token_exchange_policy": "impersonation"});
        place.server.change_client(&place.web, own).await;
        let both = format!("{API} {NEXT}");
        let change = [("audience", both.as_str()), ("scope", "openid offline_access read write")];
        let tokens = place.server.tokens_with(&place.web, "ada", &change).await;
        let again = async |token: &str, form: &[(&str, &str)]| exchange(&place.server, &place.web, token, form).await;
        let (access, id) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
        let of_id = [("subject_token_type", ID_TOKEN)];
        for (token, kind) in [(&access, &[][..]), (&id, &of_id)] {
            assert_eq!(claims_of(&again(token, kind).await.text("access_token"))["aud"], json!([API, NEXT]));
            let form = [kind, &[("resource", API), ("scope", "read")]].concat();
            let claims = claims_of(&again(token, &form).await.text("access_token"));
            assert_eq!((&claims["aud"], &claims["scope"]), (&json!(API), &json!("read")));
        }
        // The user granted no token for what they were not asked about (RFC 8707 2.2).
        for change in [vec![("resource", API), ("scope", "openid read")], vec![("scope", "openid read")]] {
            let tokens = place.server.tokens_with(&place.web, "ada", &change).await;
            let next = [("resource", NEXT)];
            again(&text(&tokens, "access_token"), &next).await.assert_error(400, "invalid_target");
            let form = [next[0], of_id[0]];
            again(&text(&tokens, "id_token"), &form).await.assert_error(400, "invalid_target");
        }
    }

    async fn a_token_lives_as_its_resource_says_and_never_longer_than_its_subject_token(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        place.server.advance(3500);
        assert_eq!(place.exchange(&subject, &[]).await.json()["expires_in"], 100);
        place.server.change_client(&place.backend, json!({"access_token_lifetime": 60})).await;
        let token = place.exchanged(&subject).await;
        assert_eq!(claims_of(&token)["exp"].as_i64(), Some(place.server.app.now().unix() + 60));
        assert!(place.server.is_active(&place.backend, &place.server.client_token(&place.backend, "read").await).await
            == place.server.is_active(&place.backend, &token).await);
        place.server.advance(99);
        assert_eq!(place.exchange(&subject, &[]).await.json()["expires_in"], 1);
        place.server.advance(1);
        place.exchange(&subject, &[]).await.assert_error(400, "invalid_request");
    }

    async fn a_jwt_can_be_asked_for_and_is_refused_where_tokens_are_opaque(kind: Kind) {
        let place = Place::new(kind).await;
        let subject = place.subject_token().await;
        let answer = place.exchange(&subject, &[("requested_token_type", JWT)]).await.json();
        assert_eq!(answer["issued_token_type"], JWT);
        let answer = place.exchange(&subject, &[("requested_token_type", ACCESS_TOKEN)]).await.json();
        assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
        place.server.change_client(&place.backend, json!({"token_format": "opaque", "resource_server": null, "token_exchange_clients": ["web"]})).await;
        place.exchange(&subject, &[("requested_token_type", JWT)]).await.assert_error(400, "invalid_request");
        let opaque = place.exchanged(&subject).await;
        assert!(opaque.starts_with("cy_at_"));
        // An opaque one is exchanged like any other, but is no JWT.
        assert_eq!(place.exchange(&opaque, &[]).await.status, 200);
        place.exchange(&opaque, &[("subject_token_type", JWT)]).await.assert_error(400, "invalid_request");
    }

    async fn introspection_tells_who_acts_and_who_may(kind: Kind) {
        let place = Place::new(kind).await;
        place.server.change_client(&place.web, json!({"may_act": "backend"})).await;
        place.server.change_client(&place.backend, json!({"resource_server": null, "token_exchange_clients": ["web"]})).await;
        let own = place.server.client_token(&place.backend, "read").await;
        let actor = [("actor_token", own.as_str()), ("actor_token_type", ACCESS_TOKEN)];
        let subject = place.subject_token().await;
        let token = place.exchange(&subject, &actor).await.text("access_token");
        let told = place.server.introspect(&place.backend, &token).await.json();
        assert_eq!(told["act"], json!({"sub": "backend"}));
        assert_eq!(told["may_act"], json!({"sub": "backend"}));
        assert_eq!((&told["sub"], &told["client_id"]), (&json!(place.user.id), &json!("backend")));
        let told = place.server.introspect(&place.web, &subject).await.json();
        assert_eq!((&told["may_act"], told.get("act")), (&json!({"sub": "backend"}), None));
    }

    async fn userinfo_is_for_the_client_that_the_user_signed_in_to(kind: Kind) {
        let place = Place::new(kind).await;
        let token = place.exchanged(&place.subject_token().await).await;
        assert_eq!(place.server.get_with_token("/userinfo", &token).await.status, 403);
    }

    async fn a_token_has_the_mapped_claims_of_its_own_client(kind: Kind) {
        let place = Place::new(kind).await;
        place.server.change_client(&place.web, json!({"claims_mapping": {"of_web": "user.email"}})).await;
        place.server.change_client(&place.backend, json!({"claims_mapping": {"name": "user.username"}})).await;
        let subject = place.subject_token().await;
        assert!(claims_of(&subject)["of_web"].is_string());
        let claims = claims_of(&place.exchanged(&subject).await);
        assert_eq!((&claims["name"], claims.get("of_web")), (&json!("ada"), None));
    }
}
