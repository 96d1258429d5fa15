//! A stand-in server in the tests' own process: it hands out codes and tokens only to a browser that signed in and
//! consented through its forms, and takes each code and token once.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_bench::Result;
use chancery_bench::target::Server;

#[derive(Default)]
pub struct State {
    origin: String,
    issued: u64,
    usable: HashSet<String>,
    pub consented: HashSet<String>,
    revoked: HashSet<String>,
    pub logins: u32,
    pub refuse_tokens: bool,
    /// A parameter without which nothing is authorized and no client gets a token of its own.
    pub wants: Option<&'static str>,
}

struct Request {
    method: String,
    path: String,
    fields: HashMap<String, String>,
    cookies: String,
    authorization: String,
}

pub type Shared = Arc<Mutex<State>>;

pub fn start(name: &str) -> Result<(Shared, Server, PathBuf)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let state = Arc::new(Mutex::new(State { origin: origin.clone(), ..State::default() }));
    let shared = state.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = shared.clone();
            thread::spawn(move || serve(stream, &shared));
        }
    });
    let fixtures = std::env::temp_dir().join(format!("chancery-bench-{name}-{}", std::process::id()));
    fs::create_dir_all(&fixtures)?;
    fs::write(fixtures.join("user.json"), r#"{"username":"bench","password":"p&ss word"}"#)?;
    for client in [
        "machine-es256",
        "machine-eddsa",
        "machine-rs256",
        "machine-opaque",
        "web-es256",
        "web-rs256",
        "web-opaque",
    ] {
        let redirect_uris =
            if client.starts_with("web") { r#"["http://127.0.0.1:1/callback"]"# } else { "[]" };
        let object =
            format!(r#"{{"client_id":"{client}","client_secret":"secret","redirect_uris":{redirect_uris}}}"#);
        fs::write(fixtures.join(format!("{client}.json")), object)?;
    }
    Ok((state, Server::parse(&origin)?, fixtures))
}

fn serve(mut stream: TcpStream, state: &Shared) {
    while let Some(request) = read_request(&mut stream) {
        let Ok(mut state) = state.lock() else { return };
        let (status, headers, body) = answer(&request, &mut state);
        drop(state);
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_default().to_owned()
            };
            let length: usize = header("Content-Length").parse().unwrap_or(0);
            if body.len() >= length {
                let mut words = head.split(' ');
                let method = words.next()?.to_owned();
                let (path, query) = words.next()?.split_once('?').unwrap_or_default();
                let path = if path.is_empty() { head.split(' ').nth(1)? } else { path };
                let fields = fields(query).chain(fields(body)).collect();
                let (cookies, authorization) = (header("Cookie"), header("Authorization"));
                return Some(Request { method, path: path.to_owned(), fields, cookies, authorization });
            }
        }
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
    }
}

fn fields(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some((decode(name), decode(value)))
    })
}

type Parts = (u16, String, String);

fn answer(request: &Request, state: &mut State) -> Parts {
    let field = |name: &str| request.fields.get(name).map(String::as_str).unwrap_or_default();
    let bearer = request.authorization.strip_prefix("Bearer ");
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/.well-known/openid-configuration") => (200, String::new(), metadata(&state.origin)),
        ("GET", "/jwks") => (200, String::new(), r#"{"keys":[]}"#.into()),
        ("GET", "/authorize") => authorize(request, state),
        ("POST", "/login") => {
            let known = field("username") == "bench" && field("password") == "p&ss word";
            if !known || field("csrf") != "login<1>" || !request.cookies.contains("browser=b") {
                return refused("access_denied");
            }
            state.logins += 1;
            let location = format!("Location: /authorize?{}\r\n", field("request"));
            (303, format!("Set-Cookie: session=s; Path=/; HttpOnly\r\n{location}"), String::new())
        }
        ("POST", "/consent") => {
            if field("csrf") != "consent"
                || field("decision") != "allow"
                || !request.cookies.contains("session=s")
            {
                return refused("access_denied");
            }
            state.consented.insert(field("client").to_owned());
            let location = format!("Location: {}/authorize?{}\r\n", state.origin, field("request"));
            (303, location, String::new())
        }
        ("POST", "/token") => token(request, state),
        ("POST", "/introspect") if request.authorization.starts_with("Basic ") => {
            let active = state.usable.contains(field("token")) && !state.revoked.contains(field("token"));
            (200, String::new(), format!(r#"{{"active":{active}}}"#))
        }
        ("POST", "/revoke") if request.authorization.starts_with("Basic ") => {
            state.revoked.insert(field("token").to_owned());
            (200, String::new(), String::new())
        }
        ("GET", "/userinfo") if bearer.is_some_and(|token| state.usable.contains(token)) => {
            (200, String::new(), r#"{"sub":"u"}"#.into())
        }
        _ => (404, String::new(), String::new()),
    }
}

fn metadata(origin: &str) -> String {
    let names = ["authorization", "token", "introspection", "revocation", "userinfo"];
    let paths = ["authorize", "token", "introspect", "revoke", "userinfo"];
    let endpoints: Vec<String> = names
        .iter()
        .zip(paths)
        .map(|(name, path)| format!(r#""{name}_endpoint":"{origin}/{path}""#))
        .collect();
    format!(r#"{{"issuer":"{origin}","jwks_uri":"{origin}/jwks",{}}}"#, endpoints.join(","))
}

fn authorize(request: &Request, state: &mut State) -> Parts {
    let pairs: Vec<(&str, &str)> =
        request.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let again = chancery_bench::target::encode_form(&pairs).replace('&', "&amp;");
    let client = request.fields.get("client_id").cloned().unwrap_or_default();
    if state.wants.is_some_and(|name| !request.fields.contains_key(name)) {
        return refused("invalid_request");
    }
    if request.fields.get("code_challenge_method").is_none_or(|method| method != "S256") {
        return refused("invalid_request");
    }
    if !request.cookies.contains("session=s") {
        let page = format!(
            r#"<form action="/login" method=post><input type=hidden name=request value="{again}">
            <input type=hidden name="csrf" value="login&lt;1&gt;"><input name=username>
            <input type=password name=password><button>Sign in</button></form>"#
        );
        return (200, "Set-Cookie: browser=b; HttpOnly\r\n".into(), page);
    }
    if !state.consented.contains(&client) {
        let page = format!(
            r#"<form action="/language"><input type=hidden name=csrf value=no></form>
            <form action="/consent" method=post><input type=hidden name=request value="{again}">
            <input type=hidden name=client value="{client}"><input type=hidden name=csrf value=consent>
            <button name=decision value=allow>Allow</button></form>"#
        );
        return (200, String::new(), page);
    }
    let code = issue(state, "code");
    let redirect = request.fields.get("redirect_uri").cloned().unwrap_or_default();
    (303, format!("Location: {redirect}?state=x&code={code}\r\n"), String::new())
}

fn token(request: &Request, state: &mut State) -> Parts {
    let field = |name: &str| request.fields.get(name).map(String::as_str).unwrap_or_default();
    if state.refuse_tokens || !request.authorization.starts_with("Basic ") {
        return refused("invalid_grant");
    }
    let presented = match field("grant_type") {
        "client_credentials" if state.wants.is_some_and(|name| field(name).is_empty()) => {
            return refused("invalid_scope");
        }
        "client_credentials" => None,
        "authorization_code" => Some(field("code")),
        "refresh_token" => Some(field("refresh_token")),
        _ => return refused("unsupported_grant_type"),
    };
    if presented.is_some_and(|presented| !state.usable.remove(presented)) {
        return refused("invalid_grant");
    }
    let (access, id) = algorithms(request);
    let access = issue(state, &access.map(header).unwrap_or("access".to_owned()));
    let (refresh, id) = (issue(state, "refresh"), format!("{}.e30.c2ln", header(id)));
    let body = format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","id_token":"{id}"}}"#);
    (200, String::new(), body)
}

/// What the client's name promises of its access tokens, if they are JWTs, and of its ID tokens.
fn algorithms(request: &Request) -> (Option<&'static str>, &'static str) {
    let basic = request.authorization.trim_start_matches("Basic ");
    let client = String::from_utf8(STANDARD.decode(basic).unwrap_or_default()).unwrap_or_default();
    match client.split(':').next().unwrap_or_default() {
        "machine-es256" | "web-es256" => (Some("ES256"), "ES256"),
        "machine-eddsa" => (Some("EdDSA"), "ES256"),
        "machine-rs256" => (Some("RS256"), "ES256"),
        "web-rs256" => (Some("ES256"), "RS256"),
        _ => (None, "ES256"),
    }
}

/// Of a JWT signed with this algorithm.
fn header(algorithm: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}"}}"#))
}

fn issue(state: &mut State, what: &str) -> String {
    state.issued += 1;
    // Three parts behind a header, one behind anything else.
    let end = if what.starts_with("ey") { ".sig" } else { "" };
    let value = format!("{what}{}{}{end}", if end.is_empty() { "-" } else { "." }, state.issued);
    state.usable.insert(value.clone());
    value
}

fn refused(error: &str) -> Parts {
    (400, String::new(), format!(r#"{{"error":"{error}"}}"#))
}
