//! The server under test, what was registered there for the run, and the requests made of both.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::Result;
use crate::http::Connection;

/// The pair of RFC 7636 Appendix B: hashing a fresh one each time would only slow the generator.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Everything but the unreserved characters of RFC 3986 2.3: tokens go out as ordinary clients send them.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A server on this machine: `http://127.0.0.1:8080`, with the issuer's path prefix if it has one.
#[derive(Clone, Debug)]
pub struct Server {
    pub address: SocketAddr,
    pub authority: String,
    pub prefix: String,
}

impl Server {
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = authority.to_socket_addrs()?.next().ok_or("the URL's host has no address")?;
        if !address.ip().is_loopback() {
            return Err("only a server on this machine is measured: the URL's host is not loopback".into());
        }
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { address, authority: authority.to_owned(), prefix })
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// The path of a URL of this server; a relative one is taken as it is.
    pub fn local(&self, url: &str) -> Option<String> {
        if url.starts_with('/') {
            return Some(url.to_owned());
        }
        let path = url.strip_prefix(&self.origin())?;
        path.starts_with('/').then(|| path.to_owned())
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        self.head("GET", path, headers, "\r\n")
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Vec<u8> {
        let body = encode_form(form);
        let ending = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.head("POST", path, headers, &ending)
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)], ending: &str) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(ending);
        text.into_bytes()
    }
}

pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

pub fn encode_form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// A registered client, as `chancery client create --json` printed it.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub basic: String,
    pub redirect_uri: String,
}

#[derive(Clone, Debug)]
pub struct User {
    pub username: String,
    pub password: String,
}

#[derive(Clone, Debug)]
pub struct Endpoints {
    pub authorize: String,
    pub token: String,
    pub introspect: String,
    pub revoke: String,
    pub userinfo: String,
    pub jwks: String,
    pub discovery: String,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub server: Server,
    pub endpoints: Endpoints,
    pub user: User,
    pub machine_es256: Client,
    pub machine_eddsa: Client,
    pub machine_rs256: Client,
    pub machine_opaque: Client,
    pub web_es256: Client,
    pub web_rs256: Client,
    pub web_opaque: Client,
}

impl Target {
    pub async fn load(server: Server, fixtures: &Path) -> Result<Self> {
        let endpoints = discover(&server).await?;
        let user = read_json(&fixtures.join("user.json"))?;
        let client = |name: &str| Client::read(&fixtures.join(format!("{name}.json")));
        Ok(Self {
            server,
            endpoints,
            user: User { username: text(&user, "username")?, password: text(&user, "password")? },
            machine_es256: client("machine-es256")?,
            machine_eddsa: client("machine-eddsa")?,
            machine_rs256: client("machine-rs256")?,
            machine_opaque: client("machine-opaque")?,
            web_es256: client("web-es256")?,
            web_rs256: client("web-rs256")?,
            web_opaque: client("web-opaque")?,
        })
    }

    pub fn authorize_path(&self, client: &Client, scope: &str) -> String {
        let query = encode_form(&[
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &client.redirect_uri),
            ("scope", scope),
            ("state", "bench-state"),
            ("nonce", "bench-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        format!("{}?{query}", self.endpoints.authorize)
    }

    pub fn token(&self, client: &Client, form: &[(&str, &str)]) -> Vec<u8> {
        self.server.post(&self.endpoints.token, &[("Authorization", &client.basic)], form)
    }

    pub fn exchange(&self, client: &Client, code: &str) -> Vec<u8> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, &form)
    }

    pub fn refresh(&self, client: &Client, refresh_token: &str) -> Vec<u8> {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    pub fn introspect(&self, client: &Client, token: &str) -> Vec<u8> {
        let headers = [("Authorization", client.basic.as_str())];
        self.server.post(&self.endpoints.introspect, &headers, &[("token", token)])
    }

    pub fn revoke(&self, client: &Client, token: &str) -> Vec<u8> {
        let headers = [("Authorization", client.basic.as_str())];
        self.server.post(&self.endpoints.revoke, &headers, &[("token", token)])
    }

    pub fn userinfo(&self, access_token: &str) -> Vec<u8> {
        let bearer = format!("Bearer {access_token}");
        self.server.get(&self.endpoints.userinfo, &[("Authorization", &bearer)])
    }
}

impl Client {
    fn read(path: &Path) -> Result<Self> {
        let object = read_json(path)?;
        let id = text(&object, "client_id")?;
        let secret = text(&object, "client_secret")?;
        // RFC 6749 2.3.1: both are form-encoded before they are joined.
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret))));
        let redirect_uri = object["redirect_uris"][0].as_str().unwrap_or_default().to_owned();
        Ok(Self { id, basic, redirect_uri })
    }
}

async fn discover(server: &Server) -> Result<Endpoints> {
    let discovery = format!("{}{DISCOVERY}", server.prefix);
    let mut connection = Connection::new(server.address);
    let answer = connection.send(&server.get(&discovery, &[])).await?;
    if answer.status != 200 {
        return Err(format!("discovery: {}", answer.describe()).into());
    }
    let metadata: Value = serde_json::from_slice(answer.body)?;
    let path = |name: &str| -> Result<String> {
        let url = text(&metadata, name)?;
        server.local(&url).ok_or_else(|| format!("{name} {url} is not below {}", server.origin()).into())
    };
    Ok(Endpoints {
        authorize: path("authorization_endpoint")?,
        token: path("token_endpoint")?,
        introspect: path("introspection_endpoint")?,
        revoke: path("revocation_endpoint")?,
        userinfo: path("userinfo_endpoint")?,
        jwks: path("jwks_uri")?,
        discovery,
    })
}

fn read_json(path: &Path) -> Result<Value> {
    let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&content).map_err(|error| format!("{}: {error}", path.display()).into())
}

pub fn text(object: &Value, name: &str) -> Result<String> {
    let value = object[name].as_str().map(str::to_owned);
    value.ok_or_else(|| format!("the JSON object has no text member {name}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_on_this_machine() -> Result<()> {
        let server = Server::parse("http://127.0.0.1:8080/auth/")?;
        assert_eq!((server.authority.as_str(), server.prefix.as_str()), ("127.0.0.1:8080", "/auth"));
        assert_eq!(server.local("http://127.0.0.1:8080/token").as_deref(), Some("/token"));
        assert_eq!(server.local("http://127.0.0.1:80801/token"), None);
        assert!(Server::parse("https://127.0.0.1:8080").is_err());
        assert!(Server::parse("http://192.0.2.1:80").is_err());
        Ok(())
    }

    #[test]
    fn a_form_is_encoded_and_its_length_stated() -> Result<()> {
        let server = Server::parse("http://127.0.0.1:8080")?;
        let request = String::from_utf8(server.post("/token", &[("A", "b")], &[("x y", "a&b")]))?;
        assert!(request.starts_with("POST /token HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nA: b\r\n"));
        assert!(request.ends_with("Content-Length: 11\r\n\r\nx%20y=a%26b"), "{request}");
        Ok(())
    }
}
