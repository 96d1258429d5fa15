//! The server under test, what was registered there for the run, and the requests made of both.

use std::collections::HashMap;
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

impl Client {
    /// Do users sign in to it?
    pub fn has_users(&self) -> bool {
        !self.redirect_uri.is_empty()
    }
}

#[derive(Clone, Debug)]
pub struct User {
    pub username: String,
    pub password: String,
}

#[derive(Clone, Debug)]
pub struct Endpoints {
    pub token: String,
    pub jwks: String,
    pub discovery: String,
    authorize: Option<String>,
    introspect: Option<String>,
    revoke: Option<String>,
    userinfo: Option<String>,
}

/// What a server wants besides what the standards say, where it is not Chancery.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The cookies of a user who is signed in: its pages cannot be filled in here.
    pub session: Option<String>,
    authorize: Vec<(String, String)>,
    client_credentials: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub server: Server,
    pub endpoints: Endpoints,
    pub extras: Extras,
    pub user: Option<User>,
    /// Others who may sign in at the same time.
    others: Vec<User>,
    clients: HashMap<&'static str, Client>,
}

/// The clients that an operation may need; a server that cannot do something lacks those for it.
const CLIENTS: [&str; 7] = [
    "machine-es256",
    "machine-eddsa",
    "machine-rs256",
    "machine-opaque",
    "web-es256",
    "web-rs256",
    "web-opaque",
];

impl Target {
    /// A server, and what the directory says is registered there.
    pub async fn load(server: Server, fixtures: &Path, extras: Extras) -> Result<Self> {
        let endpoints = discover(&server).await?;
        let mut clients = HashMap::new();
        for name in CLIENTS {
            let path = fixtures.join(format!("{name}.json"));
            if path.exists() {
                clients.insert(name, Client::read(&path)?);
            }
        }
        let user = fixtures.join("user.json");
        let user = user.exists().then(|| User::read(&user)).transpose()?;
        let others = (1..).map(|number| fixtures.join(format!("user-{number}.json")));
        let others =
            others.take_while(|path| path.exists()).map(|path| User::read(&path)).collect::<Result<_>>()?;
        Ok(Self { server, endpoints, extras, user, others, clients })
    }

    /// The same for another user: a server need not take many sign-ins of one at once.
    pub fn for_user(&self, number: usize) -> Self {
        let users: Vec<&User> = self.user.iter().chain(&self.others).collect();
        let user = users.get(number % users.len().max(1)).map(|user| (*user).clone());
        Self { user, ..self.clone() }
    }

    pub fn client(&self, name: &str) -> Result<&Client> {
        self.clients.get(name).ok_or_else(|| format!("no client {name} is registered").into())
    }

    pub fn clients(&self) -> impl Iterator<Item = (&'static str, &Client)> {
        self.clients.iter().map(|(name, client)| (*name, client))
    }

    pub fn authorize_path(&self, client: &Client, scope: &str) -> Result<String> {
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &client.redirect_uri),
            ("scope", scope),
            ("state", "bench-state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        // A parameter of OpenID Connect, which some refuse outside of it.
        if scope.split(' ').any(|value| value == "openid") {
            fields.push(("nonce", "bench-nonce"));
        }
        fields.extend(pairs(&self.extras.authorize));
        Ok(format!("{}?{}", named(&self.endpoints.authorize, "authorization")?, encode_form(&fields)))
    }

    pub fn client_credentials(&self, client: &Client) -> Vec<u8> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(pairs(&self.extras.client_credentials));
        self.token(client, &form)
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

    pub fn introspect(&self, client: &Client, token: &str) -> Result<Vec<u8>> {
        let headers = [("Authorization", client.basic.as_str())];
        let path = named(&self.endpoints.introspect, "introspection")?;
        Ok(self.server.post(path, &headers, &[("token", token)]))
    }

    pub fn revoke(&self, client: &Client, token: &str) -> Result<Vec<u8>> {
        let headers = [("Authorization", client.basic.as_str())];
        let path = named(&self.endpoints.revoke, "revocation")?;
        Ok(self.server.post(path, &headers, &[("token", token)]))
    }

    pub fn userinfo(&self, access_token: &str) -> Result<Vec<u8>> {
        let bearer = format!("Bearer {access_token}");
        let path = named(&self.endpoints.userinfo, "userinfo")?;
        Ok(self.server.get(path, &[("Authorization", &bearer)]))
    }

    pub fn introspects(&self) -> bool {
        self.endpoints.introspect.is_some()
    }
}

fn named<'e>(endpoint: &'e Option<String>, name: &str) -> Result<&'e str> {
    endpoint.as_deref().ok_or_else(|| format!("the server's metadata have no {name}_endpoint").into())
}

fn pairs(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

impl Extras {
    /// From the description of a server, where every member may be absent.
    pub fn read(object: &Value) -> Self {
        Self {
            session: object["session"].as_str().map(str::to_owned),
            authorize: fields(&object["authorize"]),
            client_credentials: fields(&object["client_credentials"]),
        }
    }
}

fn fields(object: &Value) -> Vec<(String, String)> {
    let members = object.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

impl User {
    fn read(path: &Path) -> Result<Self> {
        let object = read_json(path)?;
        Ok(Self { username: text(&object, "username")?, password: text(&object, "password")? })
    }
}

impl Client {
    pub fn new(id: &str, secret: &str, redirect_uri: &str) -> Self {
        // RFC 6749 2.3.1: both are form-encoded before they are joined.
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))));
        Self { id: id.to_owned(), basic, redirect_uri: redirect_uri.to_owned() }
    }

    fn read(path: &Path) -> Result<Self> {
        let object = read_json(path)?;
        let redirect_uri = object["redirect_uris"][0].as_str().unwrap_or_default();
        Ok(Self::new(&text(&object, "client_id")?, &text(&object, "client_secret")?, redirect_uri))
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
    let optional = |name: &str| metadata.get(name).map(|_| path(name)).transpose();
    Ok(Endpoints {
        token: path("token_endpoint")?,
        jwks: path("jwks_uri")?,
        authorize: optional("authorization_endpoint")?,
        introspect: optional("introspection_endpoint")?,
        revoke: optional("revocation_endpoint")?,
        userinfo: optional("userinfo_endpoint")?,
        discovery,
    })
}

pub fn read_json(path: &Path) -> Result<Value> {
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
