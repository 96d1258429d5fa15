//! The server under test, and plain requests to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::response::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery::app::App;
use chancery::boot::{self, StartError};
use chancery::clock::Clock;
use chancery::config::Settings;
use chancery::crypto::master_key::MasterKey;
use chancery::crypto::{digest, random};
use chancery::model::{ClientMetadata, ClientSecrets, Noted, Profile, Secret, Timestamp, User, UserId};
use chancery::registry::clients;
use chancery::server::edge::Edge;
use serde_json::{Value, json};
use tower::Service as _;

use super::database::{Database, Kind};
use super::{Browser, CHALLENGE, PASSWORD, REDIRECT_URI, VERIFIER};

/// When every test begins.
pub const START: Timestamp = Timestamp::from_unix(1_800_000_000);
const ISSUER: &str = "https://id.example";

pub struct TestServer {
    pub app: Arc<App>,
    edge: Edge,
    database: Arc<Database>,
    /// What a process of its own needs to serve the same database.
    pub environment: Vec<(String, String)>,
}

/// A registered client and its secret.
#[derive(Clone)]
pub struct Registration {
    pub id: String,
    pub secret: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// Asserts an OAuth error in JSON, with the headers every such answer has.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json()["error"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header(header::CACHE_CONTROL), "no-store");
        assert!(self.json()["error_description"].as_str().is_some_and(|text| !text.is_empty()));
    }

    /// Asserts a redirect to the application with an error.
    #[track_caller]
    pub fn assert_redirect_error(&self, code: &str) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        assert!(self.location().starts_with(REDIRECT_URI), "{self:?}");
        assert_eq!(self.returned("error").as_deref(), Some(code), "{self:?}");
        assert_eq!(self.returned("iss").as_deref(), Some(ISSUER));
        for name in ["code", "access_token", "id_token"] {
            assert_eq!(self.returned(name), None, "{self:?}");
        }
    }

    /// Asserts a page that leads to the application with an error only if a person wants that.
    #[track_caller]
    pub fn assert_asks_before_redirect(&self, redirect_uri: &str, code: &str) {
        self.assert_page_error(400);
        let separator = if redirect_uri.contains('?') { "&#38;" } else { "?" };
        let link = format!("href=\"{redirect_uri}{separator}error={code}&#38;");
        assert!(self.body.contains(&link), "{link} in {self:?}");
    }

    /// A parameter that comes back to the application: in the query, the fragment, or the form.
    pub fn returned(&self, name: &str) -> Option<String> {
        match self.location() {
            "" => self.field(name),
            location => query_of(location, name).or_else(|| fragment_of(location, name)),
        }
    }

    /// A field of the form that the browser posts to the application.
    fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(rest.split_once('"')?.0.replace("&#38;", "&").replace("&#34;", "\""))
    }

    /// Asserts a page that says what went wrong, and no redirect.
    #[track_caller]
    pub fn assert_page_error(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert!(self.header(header::CONTENT_TYPE).starts_with("text/html"), "{self:?}");
        assert_eq!(self.location(), "");
    }
}

/// A parameter of a URL.
pub fn query_of(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A parameter of a fragment.
fn fragment_of(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut pairs = url::form_urlencoded::parse(url.fragment()?.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl TestServer {
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[]).await
    }

    /// `settings` are environment variables without their prefix: `("SERVER__ISSUER", "https://...")`.
    pub async fn start_with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let database = Database::make(kind).await;
        let master_key = MasterKey::generate();
        let mut environment = vec![
            ("CHANCERY_SERVER__ISSUER".to_owned(), ISSUER.to_owned()),
            ("CHANCERY_DATABASE__URL".to_owned(), database.url.clone()),
            ("CHANCERY_DATABASE__MAX_CONNECTIONS".to_owned(), "4".to_owned()),
            ("CHANCERY_SECRETS__MASTER_KEY".to_owned(), master_key.expose().to_owned()),
            ("CHANCERY_KEYS__ALGORITHMS".to_owned(), "ES256,EdDSA".to_owned()),
            ("CHANCERY_TOKENS__ID_TOKEN_ALG".to_owned(), "ES256".to_owned()),
            // A machine that is busy with other tests is late, and no test is to be refused for that.
            ("CHANCERY_SERVER__MAX_DELAY_MS".to_owned(), "60000".to_owned()),
            ("CHANCERY_DATABASE__ACQUIRE_TIMEOUT_MS".to_owned(), "10000".to_owned()),
            ("CHANCERY_PASSWORDS__MEMORY_KIB".to_owned(), "7168".to_owned()),
            ("CHANCERY_PASSWORDS__ITERATIONS".to_owned(), "1".to_owned()),
            ("CHANCERY_PASSWORDS__THREADS".to_owned(), "1".to_owned()),
        ];
        for (name, value) in settings {
            let name = format!("CHANCERY_{name}");
            environment.retain(|(known, _)| *known != name);
            environment.push((name, (*value).to_owned()));
        }
        let settings = Settings::load(None, environment.clone()).unwrap();
        let storage = boot::open_storage(&settings).await.unwrap();
        boot::migrate(&settings, &storage).await.unwrap();
        let clock = Clock::manual(START);
        let app = App::start(settings, storage, MasterKey::parse(&master_key).unwrap(), clock).await.unwrap();
        let edge = boot::service(&app);
        Self { app, edge, database: Arc::new(database), environment }
    }

    /// Another process on the same database with the same settings.
    pub async fn replica(&self) -> Self {
        let settings = self.app.settings.clone();
        let storage = boot::open_storage(&settings).await.unwrap();
        let master_key = boot::load_master_key(&settings).unwrap();
        let app = App::start(settings, storage, master_key, self.app.clock.clone()).await.unwrap();
        let edge = boot::service(&app);
        Self { app, edge, database: Arc::clone(&self.database), environment: self.environment.clone() }
    }

    /// Another process on the same database with other settings.
    pub async fn replica_with(&self, settings: &[(&str, &str)]) -> Self {
        self.try_replica_with(settings).await.unwrap()
    }

    pub async fn try_replica_with(&self, settings: &[(&str, &str)]) -> Result<Self, StartError> {
        let mut environment = self.environment.clone();
        for (name, value) in settings {
            let name = format!("CHANCERY_{name}");
            environment.retain(|(known, _)| *known != name);
            environment.push((name, (*value).to_owned()));
        }
        let settings = Settings::load(None, environment.clone()).unwrap();
        let storage = boot::open_storage(&settings).await?;
        let master_key = boot::load_master_key(&settings)?;
        let app = App::start(settings, storage, master_key, self.app.clock.clone()).await?;
        let edge = boot::service(&app);
        Ok(Self { app, edge, database: Arc::clone(&self.database), environment })
    }

    /// A server on another SQLite file, with the same settings.
    pub async fn on_file(&self, path: &Path) -> Self {
        let url = format!("sqlite:{}", path.display());
        let mut environment = self.environment.clone();
        environment.push(("CHANCERY_DATABASE__URL".to_owned(), url));
        let settings = Settings::load(None, environment.clone()).unwrap();
        let storage = boot::open_storage(&settings).await.unwrap();
        let master_key = boot::load_master_key(&settings).unwrap();
        let app = App::start(settings, storage, master_key, self.app.clock.clone()).await.unwrap();
        Self { edge: boot::service(&app), app, database: Arc::clone(&self.database), environment }
    }

    /// The file of a server on SQLite.
    pub fn database_file(&self) -> PathBuf {
        self.database.url.trim_start_matches("sqlite:").into()
    }

    /// The value of a setting, of those that were given.
    pub fn environment_of(&self, name: &str) -> String {
        let name = format!("CHANCERY_{name}");
        self.environment.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    pub fn issuer(&self) -> &str {
        self.app.issuer()
    }

    /// Registers a confidential client with every grant type; `change` replaces members of its metadata.
    pub async fn client(&self, change: Value) -> Registration {
        let mut metadata = json!({
            "client_id": format!("client-{}", random::id()),
            "client_name": "Test Application",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "scope": "openid profile email address phone groups offline_access read write",
            "token_endpoint_auth_method": "client_secret_basic",
            "client_id_issued_at": START.unix(),
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let client: ClientMetadata = serde_json::from_value(metadata).unwrap();
        let client = self.app.settings.clients.profiles.resolve(client).unwrap();
        let method = client.token_endpoint_auth_method;
        let secret = if client.needs_sealed_secret() { random::long_secret() } else { random::secret() };
        let current = method.has_secret().then(|| digest::sha256(secret.expose().as_bytes()));
        let seal = || clients::seal_secret(&self.app.master_key, &client.id, &secret).unwrap();
        let sealed = client.needs_sealed_secret().then(seal);
        let secrets = ClientSecrets { current, sealed, retired: None };
        assert!(self.app.storage.insert_client(Noted::nothing(), &client, &secrets).await.unwrap());
        Registration { id: client.id.as_str().to_owned(), secret: secret.expose().to_owned() }
    }

    /// A public client.
    pub async fn public_client(&self) -> Registration {
        let grant_types = ["authorization_code", "refresh_token"];
        self.client(json!({"token_endpoint_auth_method": "none", "grant_types": grant_types})).await
    }

    /// Creates a user with [`PASSWORD`], and every claim filled in.
    pub async fn user(&self, username: &str) -> User {
        let user = User {
            id: UserId::new(random::id()),
            username: username.to_owned(),
            email: Some(format!("{username}@mail.example")),
            email_verified: true,
            phone_number: Some("+49 30 123456".to_owned()),
            phone_number_verified: false,
            profile: Profile { name: Some("Ada Lovelace".to_owned()), ..Profile::default() },
            groups: vec!["staff".to_owned()],
            disabled: false,
            created_at: START,
            updated_at: START,
        };
        let hash = self.app.passwords.hash(Secret::new(PASSWORD)).await.unwrap();
        self.app.storage.insert_user(Noted::nothing(), &user, Some(&hash)).await.unwrap().unwrap();
        user
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// An answer that need not be text.
    pub async fn raw(&self, request: Request<Body>) -> (Parts, Bytes) {
        let response = self.edge.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, axum::body::to_bytes(body, usize::MAX).await.unwrap())
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.raw(request).await;
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_with_token(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Posts a form with these headers.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(encode(form))).unwrap()).await
    }

    /// Posts a form with client_secret_basic.
    pub async fn post_as(&self, client: &Registration, path: &str, form: &[(&str, &str)]) -> Answer {
        let credentials = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        self.post(path, &[("authorization", &format!("Basic {credentials}"))], form).await
    }

    /// The parameters of an authorization request that is right in every way.
    pub fn authorization(&self, client: &Registration, change: &[(&str, &str)]) -> String {
        let mut parameters = vec![
            ("client_id", client.id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid profile email offline_access"),
            ("state", "af0ifjsldkj"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in change {
            parameters.retain(|(known, _)| known != name);
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        format!("/authorize?{}", encode(&parameters))
    }

    /// A code for this client: somebody signs in, and consents where they are asked.
    pub async fn code(&self, client: &Registration, username: &str, change: &[(&str, &str)]) -> String {
        let mut browser = self.browser();
        let answer = browser.authorize_as(&self.authorization(client, change), username).await;
        query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// Redeems a code with everything right.
    pub async fn redeem(&self, client: &Registration, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.post_as(client, "/token", &form).await
    }

    /// The tokens of a whole flow.
    pub async fn tokens(&self, client: &Registration, username: &str) -> Value {
        let code = self.code(client, username, &[]).await;
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    pub async fn refresh(&self, client: &Registration, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post_as(client, "/token", &form).await
    }

    /// Whether introspection by its own client calls a token active.
    pub async fn is_active(&self, client: &Registration, token: &str) -> bool {
        let answer = self.post_as(client, "/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["active"].as_bool().unwrap()
    }

    /// How many statements `work` takes.
    pub async fn statements<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.app.storage.db().statements();
        let done = work.await;
        (self.app.storage.db().statements() - before, done)
    }
}

/// The claims of a JWT, unverified.
pub fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
