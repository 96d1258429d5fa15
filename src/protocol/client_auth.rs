//! Client authentication (RFC 6749 2.3). [`authenticate`] and, for refreshes, [`authenticate_refresh`] are the only
//! functions that can make an [`AuthenticatedClient`], so what takes one cannot be reached without. Where an assertion
//! proves the client they make one only by way of [`NeedsFirstUse`], which waits for the storage to say that the
//! assertion was not used before.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::assertion::{Assertion, Expected, Purpose};
use super::error::{ErrorCode, OAuthError};
use super::parameters::{self, Parameters};
use crate::crypto::digest;
use crate::crypto::jwks::KeySet;
use crate::model::{AuthMethod, Client, ClientId, ClientSecrets, GrantType, Presence, Secret, Timestamp};

/// What a request says of the client that sent it.
#[derive(Debug)]
pub struct Presented {
    pub client_id: ClientId,
    proof: Proof,
    /// The header named its scheme, or there was none.
    names_scheme: bool,
}

#[derive(Debug)]
enum Proof {
    None,
    Basic(Secret),
    Post(Secret),
    Assertion(Box<Assertion>),
}

/// RFC 7523 2.2
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Presented {
    /// The assertion, if that is how the client proves itself.
    pub fn assertion(&self) -> Option<&Assertion> {
        match &self.proof {
            Proof::Assertion(assertion) => Some(assertion),
            Proof::None | Proof::Basic(_) | Proof::Post(_) => None,
        }
    }
}

/// What is registered for a client that proofs are held against.
#[derive(Debug)]
pub struct Credentials<'a> {
    pub client: Arc<Client>,
    pub secrets: &'a ClientSecrets,
    /// The secrets themselves, where the client's method needs them.
    pub shared: &'a [SharedSecret],
    /// The public keys, where the client's method needs them and they could be had.
    pub keys: Option<&'a KeySet>,
}

/// A client secret in clear, and the moment it stops counting, if there is one.
#[derive(Debug)]
pub struct SharedSecret {
    pub secret: Secret,
    pub expires_at: Option<Timestamp>,
}

/// What a right proof amounts to.
#[derive(Debug)]
pub enum Authentication {
    Complete(AuthenticatedClient),
    NeedsFirstUse(NeedsFirstUse),
}

/// What decides whether a client is who it says: [`authenticate`] or [`authenticate_refresh`].
pub type Rule = fn(&Presented, Option<Credentials<'_>>, Timestamp) -> Result<Authentication, OAuthError>;

/// A client whose assertion is right, if it is used for the first time.
#[derive(Debug)]
pub struct NeedsFirstUse {
    client: Arc<Client>,
    id: String,
    remembered_until: Timestamp,
}

impl NeedsFirstUse {
    /// By what the use is remembered.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    pub fn remembered_until(&self) -> Timestamp {
        self.remembered_until
    }

    /// Whose it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes the storage's answer whether this was the first use.
    pub fn answered(self, first_use: bool) -> Result<AuthenticatedClient, OAuthError> {
        if first_use {
            return Ok(AuthenticatedClient(self.client));
        }
        Err(refused_assertion("The assertion was used before; make one with a new jti for each request."))
    }
}

/// A client that has proven who it is, or a public one that has said so.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient(Arc<Client>);

impl AuthenticatedClient {
    /// RFC 6749 5.2 `unauthorized_client`.
    pub fn may_use(&self, grant_type: GrantType) -> Result<(), OAuthError> {
        if self.0.may_use(grant_type) {
            return Ok(());
        }
        let description = "The client is not registered for this grant type.";
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, description))
    }

    /// For endpoints where only a client that can keep a secret may ask.
    pub fn must_be_confidential(&self) -> Result<(), OAuthError> {
        if self.0.is_confidential() { Ok(()) } else { Err(invalid_client()) }
    }
}

impl std::ops::Deref for AuthenticatedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

fn invalid_client() -> OAuthError {
    let description = "Client authentication failed: unknown client, wrong secret, or a method it is not registered for; \
        an assertion needs a kid where the client has several keys.";
    OAuthError::new(ErrorCode::InvalidClient, description)
}

/// What is wrong with an assertion by its text, which may be said: only whether it may be for an endpoint depends on the
/// client, and tells nothing of one that needs no exception.
pub fn refused_assertion(description: impl Into<Cow<'static, str>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}

/// Finds the client's credentials in the `Authorization` header or the body.
pub fn presented(
    authorization: Option<&[u8]>,
    parameters: &Parameters<'_>,
    expected: &Expected<'_>,
) -> Result<Presented, OAuthError> {
    if ["client_assertion", "client_assertion_type"].iter().any(|name| parameters.get(name).is_some()) {
        return asserted(authorization, parameters, expected);
    }
    let posted_id = parameters.get("client_id");
    let posted_secret = parameters.get("client_secret");
    let Some(header) = authorization else {
        let client_id = ClientId::new(posted_id.ok_or_else(invalid_client)?);
        let proof = posted_secret.map_or(Proof::None, |secret| Proof::Post(Secret::new(secret)));
        return Ok(Presented { client_id, proof, names_scheme: true });
    };
    let (client_id, secret, names_scheme) = basic(header)?;
    // RFC 6749 2.3: the client MUST NOT use more than one method in a request.
    if posted_secret.is_some() || posted_id.is_some_and(|posted| posted != client_id) {
        return Err(OAuthError::invalid_request("The client authenticates in two ways at once."));
    }
    let proof = if secret.is_empty() { Proof::None } else { Proof::Basic(Secret::new(secret)) };
    Ok(Presented { client_id: ClientId::new(client_id), proof, names_scheme })
}

/// RFC 7521 4.2, RFC 7523 2.2
fn asserted(
    authorization: Option<&[u8]>,
    parameters: &Parameters<'_>,
    expected: &Expected<'_>,
) -> Result<Presented, OAuthError> {
    let (kind, assertion) =
        (parameters.require("client_assertion_type")?, parameters.require("client_assertion")?);
    // RFC 7521 4.2.1: the client MUST NOT use more than one method in a request.
    if authorization.is_some() || parameters.get("client_secret").is_some() {
        return Err(OAuthError::invalid_request("The client authenticates in two ways at once."));
    }
    if kind != JWT_BEARER {
        return Err(refused_assertion(
            "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
        ));
    }
    let assertion =
        Assertion::read(assertion, Purpose::ClientAuthentication, expected).map_err(refused_assertion)?;
    // RFC 7523 3: for client authentication, sub MUST be the client_id; iss is the same then.
    if assertion.issuer != assertion.subject {
        return Err(refused_assertion("The assertion's iss and sub must both be the client_id."));
    }
    // RFC 7521 4.2: client_id is unnecessary, but MUST identify the same client.
    if parameters.get("client_id").is_some_and(|posted| posted != assertion.subject) {
        return Err(OAuthError::invalid_request("client_id is not the sub of the assertion."));
    }
    Ok(Presented {
        client_id: ClientId::new(&*assertion.subject),
        proof: Proof::Assertion(Box::new(assertion)),
        names_scheme: true,
    })
}

/// RFC 6749 2.3.1: Basic, where id and secret are form-encoded first. Some clients leave out the scheme, which only
/// those may that are registered for it.
fn basic(header: &[u8]) -> Result<(String, String, bool), OAuthError> {
    let (encoded, names_scheme) = match header.split_at_checked(6) {
        Some((scheme, encoded)) if scheme.eq_ignore_ascii_case(b"basic ") => (encoded, true),
        _ => (header, false),
    };
    let decoded = STANDARD.decode(encoded.trim_ascii()).map_err(|_| invalid_client())?;
    let decoded = std::str::from_utf8(&decoded).map_err(|_| invalid_client())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(invalid_client)?;
    let text =
        |text| parameters::decode(text).map(std::borrow::Cow::into_owned).map_err(|_| invalid_client());
    Ok((text(id)?, text(secret)?, names_scheme))
}

/// Checks what was presented against what is registered; `registered` is none for an unknown client.
pub fn authenticate(
    presented: &Presented,
    registered: Option<Credentials<'_>>,
    now: Timestamp,
) -> Result<Authentication, OAuthError> {
    let registered = registered.ok_or_else(invalid_client)?;
    if !presented.names_scheme && registered.client.policy().authorization_scheme == Presence::Required {
        return Err(invalid_client());
    }
    let proven = match (registered.client.token_endpoint_auth_method, &presented.proof) {
        (AuthMethod::None, Proof::None) => true,
        (AuthMethod::ClientSecretBasic, Proof::Basic(secret))
        | (AuthMethod::ClientSecretPost, Proof::Post(secret)) => is_right(registered.secrets, secret, now),
        (_, Proof::Assertion(assertion)) if is_signed(&registered, assertion, now) => {
            return Ok(Authentication::NeedsFirstUse(NeedsFirstUse {
                client: registered.client,
                id: assertion.id(),
                remembered_until: assertion.remembered_until(),
            }));
        }
        _ => false,
    };
    if proven {
        return Ok(Authentication::Complete(AuthenticatedClient(registered.client)));
    }
    Err(invalid_client())
}

/// Whether the client itself made an assertion, by its method and algorithm. A client with a secret has no public key
/// here and a client with keys no secret, so none of them can be taken for the other.
fn is_signed(registered: &Credentials<'_>, assertion: &Assertion, now: Timestamp) -> bool {
    let client = &registered.client;
    let algorithm = assertion.algorithm;
    if client.token_endpoint_auth_signing_alg.is_some_and(|registered| registered != algorithm) {
        return false;
    }
    match client.token_endpoint_auth_method {
        AuthMethod::ClientSecretJwt => {
            let counts = |shared: &&SharedSecret| shared.expires_at.is_none_or(|expires_at| expires_at > now);
            let mut shared = registered.shared.iter().filter(counts);
            algorithm.is_symmetric() && shared.any(|shared| assertion.is_signed_with(&shared.secret))
        }
        AuthMethod::PrivateKeyJwt => {
            !algorithm.is_symmetric() && registered.keys.is_some_and(|keys| assertion.is_signed_by(keys))
        }
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::None => false,
    }
}

/// The same for a refresh. RFC 6749 6 demands that a confidential client authenticates; the operator can relieve one of
/// it, for applications of which no instance ever had the secret. Whoever holds a refresh token can then use it.
pub fn authenticate_refresh(
    presented: &Presented,
    registered: Option<Credentials<'_>>,
    now: Timestamp,
) -> Result<Authentication, OAuthError> {
    match (&registered, &presented.proof) {
        (Some(Credentials { client, .. }), Proof::None)
            if presented.names_scheme && client.policy().refresh_authentication == Presence::Optional =>
        {
            Ok(Authentication::Complete(AuthenticatedClient(Arc::clone(client))))
        }
        _ => authenticate(presented, registered, now),
    }
}

fn is_right(secrets: &ClientSecrets, secret: &Secret, now: Timestamp) -> bool {
    let digest = digest::sha256(secret.expose().as_bytes());
    let current = secrets.current.is_some_and(|current| digest::equal(&current, &digest));
    let retired = secrets
        .retired
        .as_ref()
        .is_some_and(|retired| retired.expires_at > now && digest::equal(&retired.digest, &digest));
    current || retired
}

#[cfg(test)]
mod tests {
    use super::{OAuthError, Presented, Proof};
    use crate::model::Timestamp;
    use crate::protocol::Parameters;
    use crate::protocol::assertion::Expected;

    fn presented(header: Option<&[u8]>, parameters: &Parameters<'_>) -> Result<Presented, OAuthError> {
        let now = Timestamp::from_unix(0);
        super::presented(header, parameters, &Expected { issuer: "https://id.example", endpoints: &[], now })
    }

    fn parameters(text: &str) -> Parameters<'_> {
        Parameters::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        // id "a+b", secret "c d:e%", form-encoded, then base64.
        let found = presented(Some(b"Basic YSUyQmI6YytkJTNBZSUyNQ=="), &parameters("")).unwrap();
        assert_eq!(found.client_id.as_str(), "a+b");
        assert!(matches!(found.proof, Proof::Basic(secret) if secret.expose() == "c d:e%"));
    }

    #[test]
    fn two_methods_at_once_are_refused() {
        let header = Some(&b"Basic YTpi"[..]);
        assert!(presented(header, &parameters("client_id=a&client_secret=b")).is_err());
        assert!(presented(header, &parameters("client_id=other")).is_err());
        assert!(presented(header, &parameters("client_id=a")).is_ok());
    }

    #[test]
    fn another_scheme_or_broken_base64_is_no_client() {
        for header in [&b"Bearer abc"[..], b"Basic", b"Basic !!!", b"Basic YWJj", b"", b"Basic /w=="] {
            assert!(presented(Some(header), &parameters("client_id=a")).is_err());
        }
    }

    #[test]
    fn a_header_without_a_scheme_is_remembered_as_such() {
        let found = presented(Some(b"YTo="), &parameters("")).unwrap();
        assert!(!found.names_scheme && found.client_id.as_str() == "a");
        assert!(presented(Some(b"Basic YTo="), &parameters("")).unwrap().names_scheme);
    }

    #[test]
    fn an_empty_basic_secret_is_no_secret() {
        let found = presented(Some(b"Basic YTo="), &parameters("")).unwrap();
        assert!(matches!(found.proof, Proof::None));
    }
}
