//! What bears a tag, a signature or a seal: none of it is believed because it can be read.

use std::str::from_utf8;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery::crypto::handle::{self, Handle, Purpose};
use chancery::crypto::jwe::{self, DecryptionKey, Payload, PublicKey, Recipient};
use chancery::crypto::jwks::KeySet;
use chancery::crypto::known_browser::KnownBrowser;
use chancery::crypto::master_key::MasterKey;
use chancery::model::{ContentEncryption, Encryption, KeyManagement, Secret, Timestamp, UserId};
use chancery::protocol::assertion::{self, Assertion, Expected};
use chancery::protocol::registration::statement::Statement;
use chancery::protocol::request_object::{self as objects, RequestObject};
use serde_json::json;

use super::lines;
use super::requests::client;

const ISSUER: &str = "https://id.example";
const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const PURPOSES: [Purpose; 8] = [
    Purpose::AuthorizationCode,
    Purpose::RefreshToken,
    Purpose::Session,
    Purpose::DeviceCode,
    Purpose::RegistrationAccessToken,
    Purpose::InitialAccessToken,
    Purpose::PushedRequest,
    Purpose::Verifier,
];

/// Made anew in each process: nobody knows it, as in real life.
static MASTER_KEY: LazyLock<MasterKey> = LazyLock::new(|| MasterKey::parse(&MasterKey::generate()).unwrap());
static DECRYPTION_KEY: LazyLock<DecryptionKey> =
    LazyLock::new(|| DecryptionKey::derive_all(&MASTER_KEY).unwrap().remove(0));
/// A public key of somebody, for whom no signature is given here.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    KeySet::read(&json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
         "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]}))
    .unwrap()
});

/// A JWT: of the header, the claims and the signature on three lines, or as it is.
fn jwt_of(data: &[u8]) -> Option<String> {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match lines(data) {
        Some([header, claims, signature]) => {
            Some(format!("{}.{}.{}", encoded(header), encoded(claims), encoded(signature)))
        }
        None => from_utf8(data).ok().map(str::to_owned),
    }
}

/// No handle is genuine that the server did not make; one that it made is read as it was written, for its purpose only.
pub fn handle(data: &[u8]) {
    if let Ok(text) = from_utf8(data) {
        for handle in PURPOSES.into_iter().filter_map(|purpose| Handle::parse(purpose, text)) {
            assert!(!handle.is_genuine(&MASTER_KEY, "salt"));
            assert_eq!(URL_SAFE_NO_PAD.decode(handle.id()).unwrap().len(), 16);
        }
    }
    let Some((id, salt)) = data.split_first_chunk::<16>() else { return };
    let (id, salt) = (URL_SAFE_NO_PAD.encode(id), String::from_utf8_lossy(salt));
    let generation = u32::from(data[0]) << 24;
    for purpose in PURPOSES {
        let made = handle::issue(&MASTER_KEY, purpose, &id, generation, &salt).unwrap();
        for other in PURPOSES {
            let read = Handle::parse(other, made.expose());
            assert_eq!(read.is_some(), other == purpose);
            let Some(read) = read else { continue };
            assert_eq!((read.id(), read.generation()), (id.clone(), generation));
            assert!(
                read.is_genuine(&MASTER_KEY, &salt) && !read.is_genuine(&MASTER_KEY, &format!("{salt}x"))
            );
        }
    }
}

/// No cookie that the server did not make knows anybody; one that is read is written as it was, and never grows.
pub fn known_browser(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let Some(browser) = KnownBrowser::parse(text) else { return };
    assert!(browser.cookie() == text && text.len() < 140);
    let user = UserId::new("ada");
    assert!(!browser.knows(&MASTER_KEY, &user, "1"));
    let after = KnownBrowser::after_sign_in(Some(&browser), &MASTER_KEY, &user, "1");
    assert!(after.knows(&MASTER_KEY, &user, "1") && after.id() == browser.id());
    assert_eq!(KnownBrowser::parse(&after.cookie()), Some(after));
}

/// What was not sealed here does not open; what was, opens as it was.
pub fn opaque(data: &[u8]) {
    const PURPOSE: &str = "access token";
    if let Ok(text) = from_utf8(data) {
        assert_eq!(MASTER_KEY.open_token(PURPOSE, text), None);
        assert!(MASTER_KEY.open(PURPOSE, &Secret::new(text)).is_err());
    }
    let sealed = MASTER_KEY.seal_token(PURPOSE, data).unwrap();
    assert_eq!(MASTER_KEY.open_token(PURPOSE, &sealed).as_deref(), Some(data));
    assert_eq!(MASTER_KEY.open_token("another", &sealed), None);
}

/// RFC 7523 3: whatever is accepted by its text names somebody, ends, and is good for nobody without a signature.
pub fn assertion(data: &[u8]) {
    let Some(jwt) = jwt_of(data) else { return };
    let endpoints = ["/token"];
    let expected = Expected { issuer: ISSUER, endpoints: &endpoints, now: NOW };
    for purpose in [assertion::Purpose::ClientAuthentication, assertion::Purpose::AuthorizationGrant] {
        let Ok(read) = Assertion::read(&jwt, purpose, &expected) else { continue };
        for text in [&read.issuer, &read.subject] {
            assert!(!text.is_empty() && !text.contains(char::is_control));
        }
        assert!(read.expires_at().plus(3600) > NOW && read.remembered_until() >= read.expires_at());
        assert!(!read.is_signed_by(&KEYS) && !read.is_signed_with(&Secret::new("s".repeat(64))));
    }
}

/// RFC 9101: what says that it is signed is not believed without a key.
pub fn request_object(data: &[u8]) {
    let Some(jwt) = jwt_of(data) else { return };
    let _ = objects::is_encrypted(&jwt);
    let client = client();
    let Ok(object) = RequestObject::read(&jwt, &client, ISSUER, NOW) else { return };
    let must_be_signed = object.needs_key().is_some();
    match object.proven(Some(&KEYS)) {
        Ok(proven) => assert!(!must_be_signed && !proven.is_signed),
        Err(_) => assert!(must_be_signed),
    }
}

/// RFC 7591 2.3
pub fn statement(data: &[u8]) {
    let Some(jwt) = jwt_of(data) else { return };
    let Ok(statement) = Statement::read(&jwt, NOW) else { return };
    assert!(statement.verified(&KEYS).is_err());
}

/// RFC 7516: what nobody encrypted to this server does not open; what somebody did, opens as it was.
pub fn jwe(data: &[u8]) {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let token = match lines(data) {
        Some([header, key, iv, text, tag]) => Some([header, key, iv, text, tag].map(encoded).join(".")),
        None => from_utf8(data).ok().map(str::to_owned),
    };
    if let Some(token) = token {
        assert!(DECRYPTION_KEY.decrypt(&token).is_none());
    }
    let ours = PublicKey::read(DECRYPTION_KEY.jwk(), None).unwrap();
    let encryption = Encryption { alg: KeyManagement::EcdhEs, enc: ContentEncryption::A128Gcm };
    let token = jwe::encrypt(encryption, &Recipient::Public(&ours), Payload::Claims, data).unwrap();
    assert_eq!(DECRYPTION_KEY.decrypt(&token).unwrap().plain.as_slice(), data);
}
