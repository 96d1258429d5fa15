//! What an application does with Chancery, done by the `openidconnect` crate.
//!
//! Environment: ISSUER, REDIRECT_URI, USERNAME, PASSWORD, and one or more clients: CLIENT_ID with CLIENT_SECRET
//! (client_secret_basic), POST_CLIENT_ID with POST_CLIENT_SECRET (client_secret_post), PUBLIC_CLIENT_ID (none).

mod report;
mod walker;

use std::env;
use std::process::ExitCode;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, RefreshToken, RevocationUrl, Scope, TokenIntrospectionResponse,
    TokenResponse,
};
use report::{Outcome, Report, ensure};
use reqwest::blocking::Client as Http;
use url::Url;
use walker::Walker;

/// What RFC 8414 adds to the document of OpenID Connect Discovery.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
struct OAuthEndpoints {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
}
impl AdditionalProviderMetadata for OAuthEndpoints {}

type Metadata = ProviderMetadata<
    OAuthEndpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

struct Application {
    method: &'static str,
    id: String,
    secret: Option<String>,
    auth_type: AuthType,
}

/// A sign-in that has begun: what its answer must match.
struct Expected {
    verifier: PkceCodeVerifier,
    state: CsrfToken,
    nonce: Nonce,
}

struct Run<'a> {
    http: &'a Http,
    issuer: &'a str,
    redirect_uri: &'a Url,
    application: &'a Application,
}

impl Run<'_> {
    fn discover(&self) -> Outcome<Client> {
        let metadata = Metadata::discover(&IssuerUrl::new(self.issuer.to_owned())?, self.http)?;
        let endpoints = metadata.additional_metadata().clone();
        let secret = self.application.secret.clone().map(ClientSecret::new);
        Ok(CoreClient::from_provider_metadata(metadata, ClientId::new(self.application.id.clone()), secret)
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()))
            .set_auth_type(self.application.auth_type.clone())
            .set_introspection_url(endpoints.introspection_endpoint)
            .set_revocation_url(endpoints.revocation_endpoint))
    }

    fn begin(&self, client: &Client) -> (Url, Expected) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in ["profile", "email", "offline_access"] {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        (url, Expected { verifier, state, nonce })
    }

    /// The code in the answer, after its `state` and `iss` (RFC 9207) are proven.
    fn code(&self, callback: &Url, expected: &Expected) -> Outcome<AuthorizationCode> {
        let parameter =
            |name: &str| callback.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        ensure(parameter("state").as_deref() == Some(expected.state.secret()), "another state came back")?;
        ensure(parameter("iss").as_deref() == Some(self.issuer), "iss is not the issuer")?;
        let code = parameter("code").ok_or_else(|| format!("no code at {callback}"))?;
        Ok(AuthorizationCode::new(code.into_owned()))
    }

    fn all(&self, report: &mut Report, walker: &mut Walker) -> Option<()> {
        let client = report.check("discovery", || self.discover())?;
        let (url, expected) = self.begin(&client);
        let callback =
            report.check("sign-in: login and consent forms", || walker.walk(url, self.redirect_uri))?;
        let code =
            report.check("the response carries state, iss and a code", || self.code(&callback, &expected))?;
        let tokens = report.check("code exchange with PKCE", || {
            Ok(client.exchange_code(code)?.set_pkce_verifier(expected.verifier).request(self.http)?)
        })?;
        report.check("ID token: signature, nonce, at_hash", || verify(&client, &tokens, &expected.nonce));
        report.check("userinfo: same subject", || {
            let subject = subject(&client, &tokens, &expected.nonce)?;
            let _: CoreUserInfoClaims =
                client.user_info(tokens.access_token().clone(), Some(subject))?.request(self.http)?;
            Ok(())
        });
        let fresh = report.check("refresh: both tokens are new", || self.refresh(&client, &tokens))?;
        if self.application.secret.is_some() {
            report.check("introspection: active", || {
                ensure(self.is_active(&client, fresh.access_token())?, "the token is inactive")
            });
        }
        report.check("revocation of the access token", || {
            self.revoke(&client, fresh.access_token().secret())?;
            if self.application.secret.is_some() {
                return ensure(!self.is_active(&client, fresh.access_token())?, "the token is still active");
            }
            let answer: Result<Claims, _> =
                client.user_info(fresh.access_token().clone(), None)?.request(self.http);
            ensure(answer.is_err(), "userinfo still answers")
        });
        report.check("revocation of the refresh token", || {
            let token = refresh_token(&fresh)?;
            self.revoke(&client, token.secret())?;
            let answer = client.exchange_refresh_token(token)?.request(self.http);
            ensure(answer.is_err(), "a revoked refresh token still works")
        })
    }

    fn refresh(&self, client: &Client, tokens: &CoreTokenResponse) -> Outcome<CoreTokenResponse> {
        let old = refresh_token(tokens)?;
        let fresh: CoreTokenResponse = client.exchange_refresh_token(old)?.request(self.http)?;
        ensure(
            fresh.access_token().secret() != tokens.access_token().secret(),
            "the access token is the same",
        )?;
        let rotated = refresh_token(&fresh)?.secret() != old.secret();
        ensure(rotated, "the refresh token did not rotate")?;
        Ok(fresh)
    }

    fn is_active(&self, client: &Client, token: &AccessToken) -> Outcome<bool> {
        Ok(client.introspect(token).request(self.http)?.active())
    }

    /// By hand: the library refuses a revocation endpoint without TLS.
    fn revoke(&self, client: &Client, token: &str) -> Outcome<()> {
        let Application { id, secret, auth_type, .. } = self.application;
        let request = self.http.post(client.revocation_url().url().clone());
        let mut fields = vec![("token", token)];
        let request = match (auth_type, secret) {
            (AuthType::BasicAuth, secret) => request.basic_auth(id, secret.as_ref()),
            (_, secret) => {
                fields.push(("client_id", id));
                fields.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
                request
            }
        };
        let status = request.form(&fields).send()?.status();
        ensure(status == 200, format!("status {status}"))
    }
}

type Claims = openidconnect::UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>;

fn refresh_token(tokens: &CoreTokenResponse) -> Outcome<&RefreshToken> {
    Ok(tokens.refresh_token().ok_or("no refresh token came")?)
}

fn subject(
    client: &Client,
    tokens: &CoreTokenResponse,
    nonce: &Nonce,
) -> Outcome<openidconnect::SubjectIdentifier> {
    let id_token = tokens.id_token().ok_or("no ID token came")?;
    Ok(id_token.claims(&client.id_token_verifier(), nonce)?.subject().clone())
}

fn verify(client: &Client, tokens: &CoreTokenResponse, nonce: &Nonce) -> Outcome<()> {
    let id_token = tokens.id_token().ok_or("no ID token came")?;
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce)?;
    let algorithm = id_token.signing_alg()?;
    let actual =
        AccessTokenHash::from_token(tokens.access_token(), algorithm, id_token.signing_key(&verifier)?)?;
    let expected = claims.access_token_hash().ok_or("at_hash is missing")?;
    ensure(*expected == actual, "at_hash is of another access token")
}

fn applications() -> Vec<Application> {
    let list = [
        ("client_secret_basic", "CLIENT_ID", "CLIENT_SECRET", AuthType::BasicAuth),
        ("client_secret_post", "POST_CLIENT_ID", "POST_CLIENT_SECRET", AuthType::RequestBody),
        ("none", "PUBLIC_CLIENT_ID", "", AuthType::RequestBody),
    ];
    list.into_iter()
        .filter_map(|(method, id, secret, auth_type)| {
            let secret = if secret.is_empty() { None } else { env::var(secret).ok() };
            Some(Application { method, id: env::var(id).ok()?, secret, auth_type })
        })
        .collect()
}

fn run(report: &mut Report) -> Outcome<()> {
    let required = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let (issuer, username, password) = (required("ISSUER")?, required("USERNAME")?, required("PASSWORD")?);
    let redirect_uri = Url::parse(&required("REDIRECT_URI")?)?;
    let http = Http::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    for application in &applications() {
        report.prefix = format!("rust {}: ", application.method);
        let run = Run { http: &http, issuer: &issuer, redirect_uri: &redirect_uri, application };
        run.all(report, &mut Walker::new(&http, &username, &password));
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut report = Report::default();
    if let Err(error) = run(&mut report) {
        report.prefix.clear();
        report.check::<()>("the environment", || Err(error));
    }
    if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
