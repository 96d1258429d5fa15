//! What `scripts/instructions` runs under callgrind: the server and one client in one thread, one request at a time,
//! one operation after the other. Prints the names of the operations in the order of their measurements.
//!
//! usage: instructions DATABASE_URL REQUESTS
//!        instructions documents TIMES

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on ends")]

mod connection;
mod distance;
mod documents;
mod fixtures;

use std::hint::black_box;
use std::sync::Arc;

use chancery::app::App;
use connection::Connection;
use distance::Distance;
use fixtures::{REDIRECT_URI, Registered};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Requests before those that count: caches fill, statements are prepared.
const WARM_UP: usize = 20;

/// Callgrind starts at zero where this is called.
#[inline(never)]
fn counting_begins() {
    black_box("begins");
}

/// Callgrind writes down what it counted where this is called.
#[inline(never)]
fn counting_ends() {
    black_box("ends");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (first, second) = match arguments.as_slice() {
        [first, second] => (first.as_str(), second.as_str()),
        _ => panic!("usage: instructions DATABASE_URL REQUESTS, or documents TIMES"),
    };
    match first {
        distance::PASS_ON => distance::pass_on(second),
        "documents" => documents::measure(second.parse().expect("TIMES is a number")),
        database => measure(database, second.parse().expect("REQUESTS is a number")),
    }
}

fn measure(database: &str, requests: usize) {
    let distance = database.starts_with("postgres").then(|| Distance::to(database));
    let database = distance.as_ref().map_or(database, |distance| &distance.url);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async { Measurement::start(database, requests).await.run().await });
}

struct Measurement {
    app: Arc<App>,
    connection: Connection,
    /// How many of each are counted.
    requests: usize,
    machine: Registered,
    machine_opaque: Registered,
    web: Registered,
    web_opaque: Registered,
    cookies: String,
}

impl Measurement {
    async fn start(database: &str, requests: usize) -> Self {
        let (app, address) = fixtures::start(database).await;
        let user = fixtures::user(&app).await;
        let session = fixtures::sign_in(&app, &user).await;
        let mut measurement = Self {
            connection: Connection::open(address).await,
            requests,
            machine: fixtures::machine(&app, "jwt").await,
            machine_opaque: fixtures::machine(&app, "opaque").await,
            web: fixtures::web(&app, "jwt").await,
            web_opaque: fixtures::web(&app, "opaque").await,
            cookies: format!("__Host-session={session}"),
            app,
        };
        for web in [&measurement.web, &measurement.web_opaque] {
            fixtures::consent(&measurement.app, &user, &web.client).await;
        }
        // What a browser has from its first request on.
        let first = measurement.authorize(&measurement.web, "openid");
        let answer = measurement.connection.send(&first).await;
        let state = answer.in_head("set-cookie: __Host-state=", ';').expect("the browser gets its state");
        measurement.cookies.push_str(&format!("; __Host-state={state}"));
        measurement
    }

    async fn run(mut self) {
        let healthz = get("/healthz", "");
        self.repeat("healthz", &healthz, "200 OK").await;
        self.repeat("jwks", &get("/jwks", ""), "\"keys\"").await;
        self.repeat("discovery", &get("/.well-known/openid-configuration", ""), "\"issuer\"").await;
        let request = token(&self.machine, "grant_type=client_credentials");
        self.repeat("client_credentials-es256", &request, "\"access_token\"").await;
        let request = token(&self.machine_opaque, "grant_type=client_credentials");
        self.repeat("client_credentials-opaque", &request, "\"access_token\"").await;
        let request = self.authorize(&self.web, "openid");
        self.repeat("authorize", &request, "code=").await;
        self.exchange().await;
        let tokens = self.refresh().await;
        self.introspect_first(&tokens).await;
        let request = introspect(&self.web, &tokens[0]);
        self.repeat("introspect-seen", &request, "\"active\":true").await;
        let opaque = self.tokens(true, "openid").await.0;
        let request = introspect(&self.web_opaque, &opaque);
        self.repeat("introspect-opaque", &request, "\"active\":true").await;
        let access_token = self.tokens(false, "openid profile email").await.0;
        let request = get("/userinfo", &format!("authorization: Bearer {access_token}\r\n"));
        self.repeat("userinfo", &request, "\"email\"").await;
    }

    async fn repeat(&mut self, name: &str, request: &[u8], expected: &str) {
        let requests = vec![request.to_vec(); WARM_UP + self.requests];
        self.each(name, &requests, expected).await;
    }

    /// Each request once; those after the warm-up count.
    async fn each(&mut self, name: &str, requests: &[Vec<u8>], expected: &str) {
        let (warm_up, counted) = requests.split_at(WARM_UP);
        for request in warm_up {
            self.connection.send(request).await.assert_has(expected);
        }
        counting_begins();
        for request in counted {
            self.connection.send(request).await.assert_has(expected);
        }
        counting_ends();
        println!("{name}");
    }

    /// Without refresh tokens, whose number is limited.
    async fn exchange(&mut self) {
        let mut requests = Vec::new();
        for _ in 0..WARM_UP + self.requests {
            let code = self.code(false, "openid").await;
            requests.push(redeem(&self.web, &code));
        }
        self.each("exchange", &requests, "\"id_token\"").await;
    }

    /// One chain of refresh tokens. The access tokens that came with them.
    async fn refresh(&mut self) -> Vec<String> {
        let mut refresh_token = self.tokens(false, "offline_access").await.1;
        let mut access_tokens = Vec::new();
        for number in 0..WARM_UP + self.requests {
            if number == WARM_UP {
                counting_begins();
            }
            let form = format!("grant_type=refresh_token&refresh_token={refresh_token}");
            let answer = self.connection.send(&token(&self.web, &form)).await;
            refresh_token = answer.member("refresh_token").expect("a successor").to_owned();
            access_tokens.push(answer.member("access_token").expect("an access token").to_owned());
        }
        counting_ends();
        println!("refresh");
        access_tokens
    }

    async fn introspect_first(&mut self, tokens: &[String]) {
        // The server has made them itself, and knows them.
        self.app.verified_tokens.forget();
        let requests: Vec<_> = tokens.iter().map(|token| introspect(&self.web, token)).collect();
        self.each("introspect-first", &requests, "\"active\":true").await;
    }

    /// An access token, and a refresh token or nothing.
    async fn tokens(&mut self, opaque: bool, scope: &str) -> (String, String) {
        let code = self.code(opaque, scope).await;
        let request = redeem(self.client(opaque), &code);
        let answer = self.connection.send(&request).await;
        let member = |name| answer.member(name).unwrap_or_default().to_owned();
        (member("access_token"), member("refresh_token"))
    }

    async fn code(&mut self, opaque: bool, scope: &str) -> String {
        let request = self.authorize(self.client(opaque), scope);
        let answer = self.connection.send(&request).await;
        answer.in_head("code=", '&').expect("the application gets a code").to_owned()
    }

    fn client(&self, opaque: bool) -> &Registered {
        if opaque { &self.web_opaque } else { &self.web }
    }

    fn authorize(&self, web: &Registered, scope: &str) -> Vec<u8> {
        let (id, scope) = (&web.client.id, scope.replace(' ', "+"));
        let path = format!(
            "/authorize?client_id={id}&response_type=code&redirect_uri={REDIRECT_URI}&scope={scope}&state=af0ifjsldkj\
             &nonce=n-0S6_WzA2Mj&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        get(&path, &format!("cookie: {}\r\n", self.cookies))
    }
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: id.example\r\n{headers}\r\n").into_bytes()
}

fn post(client: &Registered, path: &str, form: &str) -> Vec<u8> {
    let (credentials, length) = (&client.credentials, form.len());
    let head = format!("POST {path} HTTP/1.1\r\nhost: id.example\r\nauthorization: {credentials}\r\n");
    let about = format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n");
    format!("{head}{about}\r\n{form}").into_bytes()
}

fn token(client: &Registered, form: &str) -> Vec<u8> {
    post(client, "/token", form)
}

fn redeem(client: &Registered, code: &str) -> Vec<u8> {
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
    token(client, &format!("{form}&code_verifier={VERIFIER}"))
}

fn introspect(client: &Registered, token: &str) -> Vec<u8> {
    post(client, "/introspect", &format!("token={token}"))
}
