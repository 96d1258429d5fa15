//! The protocol as a relying party speaks it: discovery, authorization code with PKCE, refresh, introspection,
//! revocation, sign-out.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::JwkSet;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::http_client::{HttpClient, HttpError};
use super::id_token::{self, Expected, Unbelievable};
use super::session::{SignIn, Tokens};
use crate::crypto::{digest, random};
use crate::model::{Algorithm, Secret};
use crate::outbound::Outbound;

/// RFC 6749 2.3.1 and appendix B: both halves of Basic credentials are form-encoded first.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// What the application was told when it was registered.
pub(crate) struct ClientSettings {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: String,
    /// The application's own address.
    pub home: String,
    pub id_token_alg: Algorithm,
}

/// What discovery says (OpenID Connect Discovery 3).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
}

/// Why a step did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    IdToken(#[from] Unbelievable),
    #[error("{0}")]
    Answer(&'static str),
    /// The server's own words in the redirect (RFC 6749 4.1.2.1).
    #[error("{code}: {description}")]
    Refused { code: String, description: String },
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    id_token: Option<String>,
}

pub(crate) struct RelyingParty {
    settings: ClientSettings,
    http: HttpClient,
    metadata: OnceCell<Metadata>,
}

impl RelyingParty {
    pub(crate) fn new(settings: ClientSettings, outbound: Arc<Outbound>) -> Self {
        Self { settings, http: HttpClient::new(outbound), metadata: OnceCell::new() }
    }

    pub(crate) fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Where to send the browser, and what to remember until it comes back.
    pub(crate) async fn start(&self) -> Result<(Url, SignIn), StepError> {
        let random = || random::secret().expose().to_owned();
        let sign_in = SignIn { state: random(), nonce: random(), code_verifier: random() };
        let mut url = endpoint(&self.metadata().await?.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", &self.settings.scope)
            .append_pair("state", &sign_in.state)
            .append_pair("nonce", &sign_in.nonce)
            // RFC 7636 4.2
            .append_pair("code_challenge", &digest::sha256_base64url(&sign_in.code_verifier))
            .append_pair("code_challenge_method", "S256");
        Ok((url, sign_in))
    }

    /// Ends what [`RelyingParty::start`] began, with the parameters the browser came back with.
    pub(crate) async fn finish(&self, query: &str, sign_in: &SignIn) -> Result<Tokens, StepError> {
        let code = self.code(query, sign_in)?;
        let redirect_uri = self.redirect_uri();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", sign_in.code_verifier.as_str()),
        ];
        let answer = self.token(&form).await?;
        let id_token = answer.id_token.ok_or(StepError::Answer("the server sent no ID token"))?;
        let claims = self.check_id_token(&id_token, Some(&sign_in.nonce), None).await?;
        let userinfo = self.userinfo(&answer.access_token, &claims).await?;
        Ok(Tokens {
            access_token: answer.access_token,
            refresh_token: answer.refresh_token,
            id_token,
            claims,
            userinfo,
        })
    }

    /// New tokens for the refresh token (RFC 6749 6).
    pub(crate) async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, StepError> {
        let token = tokens.refresh_token.as_deref();
        let token = token.ok_or(StepError::Answer("there is no refresh token; sign in again"))?;
        let answer = self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await?;
        let (id_token, claims) = match answer.id_token {
            Some(id_token) => {
                let claims = self.check_id_token(&id_token, None, tokens.claims["sub"].as_str()).await?;
                (id_token, claims)
            }
            None => (tokens.id_token.clone(), tokens.claims.clone()),
        };
        let userinfo = self.userinfo(&answer.access_token, &claims).await?;
        let refresh_token = answer.refresh_token.or_else(|| tokens.refresh_token.clone());
        Ok(Tokens { access_token: answer.access_token, refresh_token, id_token, claims, userinfo })
    }

    /// What the server says of the access token (RFC 7662 2).
    pub(crate) async fn introspect(&self, tokens: &Tokens) -> Result<Value, StepError> {
        let url = &self.metadata().await?.introspection_endpoint;
        let form = [("token", tokens.access_token.as_str()), ("token_type_hint", "access_token")];
        Ok(self.http.post(url, self.credentials(), &form).await?)
    }

    /// Gives the grant back (RFC 7009 2.1): with the refresh token, the access tokens end too.
    pub(crate) async fn revoke(&self, tokens: &Tokens) -> Result<(), StepError> {
        let url = &self.metadata().await?.revocation_endpoint;
        let (token, hint) = match &tokens.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&tokens.access_token, "access_token"),
        };
        self.http.post(url, self.credentials(), &[("token", token), ("token_type_hint", hint)]).await?;
        Ok(())
    }

    /// Where to send the browser to sign out of the server too (OpenID Connect RP-Initiated Logout 2).
    pub(crate) async fn sign_out(&self, tokens: &Tokens) -> Result<Url, StepError> {
        let mut url = endpoint(&self.metadata().await?.end_session_endpoint)?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", &tokens.id_token)
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.settings.home);
        Ok(url)
    }

    fn code(&self, query: &str, sign_in: &SignIn) -> Result<String, StepError> {
        let parameter = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if parameter("state").is_none_or(|state| !digest::equal(state.as_bytes(), sign_in.state.as_bytes())) {
            return Err(StepError::Answer("this answer belongs to another sign-in (state); sign in again"));
        }
        // RFC 9207 2.4: before anything else of the answer is believed, errors included.
        if parameter("iss").as_deref() != Some(&self.settings.issuer) {
            return Err(StepError::Answer("this answer comes from another server (iss); sign in again"));
        }
        if let Some(code) = parameter("error") {
            let description = parameter("error_description").unwrap_or_default();
            return Err(StepError::Refused { code, description });
        }
        parameter("code").ok_or(StepError::Answer("the answer holds no code; sign in again"))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<TokenAnswer, StepError> {
        let url = &self.metadata().await?.token_endpoint;
        let answer = self.http.post(url, self.credentials(), form).await?;
        serde_json::from_value(answer).map_err(|_| StepError::Answer("the token answer is incomplete"))
    }

    async fn check_id_token(
        &self,
        token: &str,
        nonce: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Value, StepError> {
        let keys = self.http.get(&self.metadata().await?.jwks_uri, None).await?;
        let keys: JwkSet =
            serde_json::from_value(keys).map_err(|_| StepError::Answer("the JWKS cannot be read"))?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            algorithm: match self.settings.id_token_alg {
                Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
                Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
                Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
                Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
                Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
            },
            nonce,
            subject,
        };
        Ok(id_token::check(token, &keys, &expected)?)
    }

    async fn userinfo(&self, access_token: &str, claims: &Value) -> Result<Value, StepError> {
        let url = &self.metadata().await?.userinfo_endpoint;
        let userinfo = self.http.get(url, Some(access_token)).await?;
        // OpenID Connect Core 5.3.4: MUST be the subject of the ID token.
        if userinfo["sub"] != claims["sub"] {
            return Err(StepError::Answer("userinfo is about somebody else"));
        }
        Ok(userinfo)
    }

    async fn metadata(&self) -> Result<&Metadata, StepError> {
        let discover = || async {
            let url = format!("{}/.well-known/openid-configuration", self.settings.issuer);
            let document = self.http.get(&url, None).await?;
            let metadata: Metadata = serde_json::from_value(document)
                .map_err(|_| StepError::Answer("the discovery document is incomplete"))?;
            // OpenID Connect Discovery 4.3: MUST be the issuer that was asked.
            if metadata.issuer != self.settings.issuer {
                return Err(StepError::Answer("the discovery document names another issuer"));
            }
            Ok(metadata)
        };
        self.metadata.get_or_try_init(discover).await
    }

    fn redirect_uri(&self) -> String {
        format!("{}callback", self.settings.home)
    }

    /// `client_secret_basic` (RFC 6749 2.3.1)
    fn credentials(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let (id, secret) = (encode(&self.settings.client_id), encode(self.settings.client_secret.expose()));
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }
}

fn endpoint(url: &str) -> Result<Url, StepError> {
    Url::parse(url).map_err(|_| StepError::Answer("the discovery document holds a broken URL"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outbound::Limits;

    fn relying_party() -> RelyingParty {
        let settings = ClientSettings {
            issuer: "http://localhost:8080".into(),
            client_id: "demo-app".into(),
            client_secret: Secret::new("a+b"),
            scope: "openid".into(),
            home: "http://localhost:8081/".into(),
            id_token_alg: Algorithm::RS256,
        };
        let limits =
            Limits { allow_private: true, ca_file: None, timeout: Duration::from_secs(1), max_bytes: 1024 };
        RelyingParty::new(settings, Arc::new(Outbound::new(limits).unwrap()))
    }

    fn sign_in() -> SignIn {
        SignIn { state: "s".into(), nonce: "n".into(), code_verifier: "v".into() }
    }

    #[test]
    fn an_answer_is_believed_only_with_the_right_state_and_issuer() {
        let code = |query: &str| relying_party().code(query, &sign_in());
        const ISS: &str = "iss=http%3A%2F%2Flocalhost%3A8080";
        assert_eq!(code(&format!("code=c&state=s&{ISS}")).unwrap(), "c");
        for query in [
            format!("code=c&{ISS}"),
            format!("code=c&state=other&{ISS}"),
            "code=c&state=s".to_owned(),
            "code=c&state=s&iss=http%3A%2F%2Flocalhost%3A9090".to_owned(),
            format!("state=s&{ISS}"),
        ] {
            assert!(code(&query).is_err(), "{query}");
        }
    }

    #[test]
    fn an_error_is_told_in_the_servers_words() {
        let query = "error=access_denied&error_description=No.&state=s&iss=http%3A%2F%2Flocalhost%3A8080";
        assert_eq!(relying_party().code(query, &sign_in()).unwrap_err().to_string(), "access_denied: No.");
    }

    #[test]
    fn basic_credentials_are_form_encoded_first() {
        let encoded = STANDARD.encode("demo-app:a%2Bb");
        assert_eq!(relying_party().credentials(), format!("Basic {encoded}"));
    }
}
