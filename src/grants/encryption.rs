//! Answers that only their client can read: its key is found first, so that a code is not spent and nothing is sent
//! unencrypted where there is none.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::app::App;
use crate::crypto::jwe::{self, Payload, Recipient};
use crate::crypto::jwks::KeySet;
use crate::model::{Client, Encryption, KeySource};
use crate::protocol::OAuthError;
use crate::registry::clients::{self, Registered};
use crate::server::load::Crowded;

/// A way to encrypt that is ready to use.
pub(crate) struct Encryptor {
    encryption: Encryption,
    key: Key,
}

enum Key {
    /// Holds one that fits.
    Public(Arc<KeySet>),
    Shared(Zeroizing<Vec<u8>>),
}

impl Encryptor {
    /// Finds the client's key for what it registered; `answer` is what is to be encrypted, for the error.
    pub(crate) async fn find(
        app: &App,
        client: &Client,
        encryption: Encryption,
        answer: &str,
    ) -> Result<Self, OAuthError> {
        let registered = app.clients.find(&client.id).await?;
        let key = match registered {
            Some(registered) if encryption.alg.is_symmetric() => {
                shared(app, &registered, encryption)?.map(Key::Shared)
            }
            Some(registered) => public(app, &registered, encryption).await?.map(Key::Public),
            None => None,
        };
        let key = key.ok_or_else(|| no_key(client, encryption, answer))?;
        Ok(Self { encryption, key })
    }

    /// Encrypts to the client.
    pub(crate) fn encrypt(&self, payload: Payload, plain: &[u8]) -> Result<String, OAuthError> {
        let recipient = match &self.key {
            Key::Public(keys) => {
                let key = keys.encryption_key(self.encryption.alg);
                Recipient::Public(key.ok_or_else(|| OAuthError::server_error("a key set lost its key"))?)
            }
            Key::Shared(key) => Recipient::Shared(key),
        };
        jwe::encrypt(self.encryption, &recipient, payload, plain).map_err(OAuthError::server_error)
    }
}

async fn public(
    app: &App,
    registered: &Registered,
    encryption: Encryption,
) -> Result<Option<Arc<KeySet>>, Crowded> {
    let suits = |keys: &KeySet| keys.encryption_key(encryption.alg).is_some();
    let keys = match &registered.client.keys {
        Some(KeySource::Jwks(_)) => registered.keys.clone(),
        Some(KeySource::JwksUri(uri)) => {
            let client = Some(&registered.client.id);
            app.remote_keys.find_suited(client, uri, suits, app.now()).await?
        }
        None => None,
    };
    Ok(keys.filter(|keys| suits(keys)))
}

/// OpenID Connect Core 10.2
fn shared(
    app: &App,
    registered: &Registered,
    encryption: Encryption,
) -> Result<Option<Zeroizing<Vec<u8>>>, OAuthError> {
    let Some(sealed) = &registered.secrets.sealed else { return Ok(None) };
    let secret = clients::open_secret(&app.master_key, &registered.client.id, sealed);
    let secret = secret.map_err(OAuthError::server_error)?;
    Ok(Some(jwe::shared_key(&secret, encryption.shared_key_length())))
}

fn no_key(client: &Client, encryption: Encryption, answer: &str) -> OAuthError {
    let alg = encryption.alg;
    tracing::warn!(client = %client.id, %alg, "a client has no key that {answer} can be encrypted to");
    let remedy = match (alg.is_symmetric(), client.jwks_uri()) {
        (true, _) => "the server does not know the client's secret; rotate it once",
        (false, Some(_)) => "no key for it could be had from the client's jwks_uri; publish one with use enc",
        (false, None) => "the client's jwks holds no key for it; register one with use enc",
    };
    OAuthError::invalid_request(format!("{answer} is to be encrypted with {alg}, but {remedy}."))
}
