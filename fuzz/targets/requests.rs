//! Parameters and headers.

use std::str::from_utf8;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::config::{Network, TrustedProxies};
use chancery::http::bearer as bearer_tokens;
use chancery::model::{Catalogue, Client, Profiles, ResponseType, Timestamp};
use chancery::protocol::assertion::Expected;
use chancery::protocol::authorize::{self, Arrival, Offer};
use chancery::protocol::token_exchange::Request;
use chancery::protocol::{
    Parameters, claims_request, client_auth, logout, parameters, redirect_uri, request_object, resource,
};
use chancery::server::edge::ClientAddress;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::lines;

const ISSUER: &str = "https://id.example";
const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// A client with redirect URIs of every kind.
pub(super) fn client() -> Client {
    let metadata = serde_json::from_value(json!({
        "client_id": "app",
        "client_name": "App",
        "redirect_uris": [
            "https://app.example/callback", "http://127.0.0.1/callback", "http://[::1]:8080/callback", "com.example.app:/cb",
        ],
        "grant_types": ["authorization_code", "refresh_token", "implicit"],
        "response_types": ["code", "code id_token", "id_token"],
        "scope": "openid profile email offline_access read",
        "token_endpoint_auth_method": "client_secret_basic",
        "client_id_issued_at": 1_800_000_000,
    }))
    .unwrap();
    Profiles::default().resolve(metadata).unwrap()
}

/// What was accepted is the same when it is written and read, and holds no NUL, which Postgres could not store.
pub fn form(data: &[u8]) {
    let Ok(read) = Parameters::parse(data) else { return };
    let written = read.encoded_without(&[]);
    assert!(!written.contains("%00"));
    let again = Parameters::parse(written.as_bytes()).unwrap();
    assert_eq!(again.encoded_without(&[]), written);
    assert_eq!(again.refuse_repeated().is_ok(), read.refuse_repeated().is_ok());
    let _ =
        (request_object::source(&read), resource::asked(&read), Request::read(&read), logout::check(&read));
    if let Ok(Ok(decoded)) = from_utf8(data).map(parameters::decode) {
        assert!(decoded.len() <= data.len());
    }
}

/// RFC 6749 2.3.1: what a client wrote is what is read, and a credential sent twice is refused.
pub fn basic(data: &[u8]) {
    let expected = Expected { issuer: ISSUER, endpoints: &[], now: NOW };
    let none = Parameters::default();
    if let Ok(presented) = client_auth::presented(Some(data), &none, &expected) {
        assert!(!presented.client_id.as_str().contains('\0'));
        let twice = Parameters::parse(b"client_secret=x").unwrap();
        assert!(client_auth::presented(Some(data), &twice, &expected).is_err());
    }
    let Some([id, secret]) = lines(data) else { return };
    if from_utf8(id).is_err() || from_utf8(secret).is_err() || data.contains(&0) {
        return;
    }
    let encoded = |bytes: &[u8]| byte_serialize(bytes).collect::<String>();
    let header = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))));
    let presented = client_auth::presented(Some(header.as_bytes()), &none, &expected).unwrap();
    assert_eq!(presented.client_id.as_str().as_bytes(), id);
}

/// RFC 6750 2
pub fn bearer(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, value);
    let form = Parameters::parse(b"access_token=x").unwrap();
    assert!(bearer_tokens::token(&headers, Some(&form)).is_err());
    if let Ok(token) = bearer_tokens::token(&headers, None) {
        let token = token.unwrap();
        assert!(bearer_tokens::is_meant(&headers) && !token.is_empty() && token.trim() == token);
    }
}

/// Only a trusted peer is believed, and nobody is taken for one who is trusted further out than the chain goes.
pub fn forwarded(data: &[u8]) {
    let trusted = TrustedProxies::new(vec![Network::parse("10.0.0.0/8").unwrap()]);
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append("x-forwarded-for", value);
    }
    let stranger = "203.0.113.1".parse().unwrap();
    assert_eq!(ClientAddress::of(stranger, &headers, &trusted), ClientAddress(stranger));
    let found = ClientAddress::of("10.0.0.1".parse().unwrap(), &headers, &trusted).0;
    headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.7"));
    let nearest = ClientAddress::of("10.0.0.1".parse().unwrap(), &headers, &trusted).0;
    assert_eq!((found.to_canonical(), nearest.to_string().as_str()), (found, "198.51.100.7"));
}

/// Whatever is asked, the answer goes to a registered redirect URI only, and the second stage accepts only what the first
/// has proven.
pub fn authorization(data: &[u8]) {
    let (client, catalogue) = (client(), Catalogue::default());
    let Ok(parameters) = Parameters::parse(data) else { return };
    let Ok(target) = authorize::prove(&parameters, &client) else { return };
    assert!(client.redirect_uris.iter().any(|registered| redirect_uri::matches(registered, target.uri())));
    let _ = authorize::client_id(&parameters);
    let offer = Offer {
        catalogue: &catalogue,
        implicit: true,
        must_be_pushed: false,
        must_be_signed: false,
        external_pages: false,
    };
    let Ok(request) = authorize::validate(&parameters, &client, offer, Arrival::default(), &target) else {
        return;
    };
    assert_eq!(request.redirect_uri, target.uri());
    assert!(!request.response_type.has_code() || request.code_challenge.is_some());
    assert!(request.scope.iter().all(|name| client.scope.contains(name)), "{:?}", request.scope);
}

/// OpenID Connect Core 5.5
pub fn claims(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let encoded = format!("claims={}", byte_serialize(text.as_bytes()).collect::<String>());
    let Ok(parameters) = Parameters::parse(encoded.as_bytes()) else { return };
    let (client, catalogue) = (client(), Catalogue::default());
    for response_type in [ResponseType::Code, ResponseType::IdToken] {
        let _ = claims_request::asked(&parameters, &client, &catalogue, response_type);
    }
}
