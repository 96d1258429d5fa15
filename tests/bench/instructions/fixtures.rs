//! The server, and what is in its database before the first request: clients, and a user who is signed in and has
//! consented.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::app::App;
use chancery::boot;
use chancery::clock::Clock;
use chancery::config::Settings;
use chancery::crypto::handle::{self, Purpose};
use chancery::crypto::master_key::MasterKey;
use chancery::crypto::{digest, random};
use chancery::model::{
    Allowed, Authentication, AuthorizationRequestId, ClientMetadata, ClientSecrets, Grant, GrantContext,
    GrantId, GrantState, NetworkAddress, Noted, PendingRequest, Profile, RequestOwner, ScopeSet, Session,
    SessionId, SignInGeneration, User, UserId,
};
use chancery::server::listener;
use chancery::storage::{Authority, Insertion, Remember};
use chancery::telemetry::Telemetry;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const REDIRECT_URI: &str = "https://app.example/callback";
/// All that the user has consented to.
const SCOPE: &str = "openid profile email offline_access";

pub struct Registered {
    pub client: ClientMetadata,
    /// The value of `Authorization`.
    pub credentials: String,
}

/// The server as `chancery serve` puts it together, except that nothing runs in the background.
pub async fn start(database: &str) -> (Arc<App>, SocketAddr) {
    let environment = [
        ("SERVER__ISSUER", "https://id.example"),
        ("DATABASE__URL", database),
        ("SECRETS__MASTER_KEY", MasterKey::generate().expose()),
        ("KEYS__ALGORITHMS", "ES256"),
        ("TOKENS__ID_TOKEN_ALG", "ES256"),
        ("PASSWORDS__THREADS", "1"),
    ]
    .map(|(name, value)| (format!("CHANCERY_{name}"), value.to_owned()));
    let settings = Settings::load(None, environment).expect("the settings are right");
    let telemetry = Telemetry::start(&settings, |_| None).expect("the log starts");
    let storage = boot::open_storage(&settings).await.expect("the database opens");
    boot::migrate(&settings, &storage).await.expect("the schema is made");
    let master_key = boot::load_master_key(&settings).expect("the master key is right");
    let app = App::start(settings, storage, master_key, Clock::System).await.expect("the server starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("the listener has an address");
    let serving = Arc::clone(&app);
    tokio::spawn(async move {
        let _telemetry = telemetry;
        let (settings, service) = (&serving.settings.server, boot::service(&serving));
        let connections = Arc::clone(service.connections());
        listener::serve(listener, None, service, settings, &connections, std::future::pending()).await
    });
    (app, address)
}

/// A machine that gets tokens for itself.
pub async fn machine(app: &App, format: &str) -> Registered {
    register(app, json!({"grant_types": ["client_credentials"], "token_format": format})).await
}

/// An application that people use.
pub async fn web(app: &App, format: &str) -> Registered {
    let grant_types = ["authorization_code", "refresh_token"];
    register(app, json!({"grant_types": grant_types, "token_format": format})).await
}

async fn register(app: &App, change: Value) -> Registered {
    let mut metadata = json!({
        "client_id": random::id(),
        "client_name": "Counted",
        "redirect_uris": [REDIRECT_URI],
        "scope": SCOPE,
        "token_endpoint_auth_method": "client_secret_basic",
        "access_token_signed_response_alg": "ES256",
        "client_id_issued_at": app.now().unix(),
    });
    let members = metadata.as_object_mut().expect("metadata is an object");
    members.extend(change.as_object().expect("a change is an object").clone());
    let client: ClientMetadata = serde_json::from_value(metadata).expect("the metadata is right");
    let secret = random::secret();
    let secrets = ClientSecrets {
        current: Some(digest::sha256(secret.expose().as_bytes())),
        sealed: None,
        retired: None,
    };
    assert!(
        app.storage
            .insert_client(Noted::nothing(), &client, &secrets)
            .await
            .expect("the client is registered")
    );
    let credentials = STANDARD.encode(format!("{}:{}", client.id, secret.expose()));
    Registered { client, credentials: format!("Basic {credentials}") }
}

pub async fn user(app: &App) -> User {
    let now = app.now();
    let user = User {
        id: UserId::new(random::id()),
        username: "ada".to_owned(),
        email: Some("ada@mail.example".to_owned()),
        email_verified: true,
        phone_number: None,
        phone_number_verified: false,
        profile: Profile { name: Some("Ada Lovelace".to_owned()), ..Profile::default() },
        groups: Vec::new(),
        disabled: false,
        created_at: now,
        updated_at: now,
    };
    app.storage
        .insert_user(Noted::nothing(), &user, None)
        .await
        .expect("the user is stored")
        .expect("the name is free");
    user
}

/// Signs the user in. The value of the browser's cookie.
pub async fn sign_in(app: &App, user: &User) -> String {
    let now = app.now();
    let session = Session {
        id: SessionId::new(random::id()),
        user_id: user.id.clone(),
        auth_time: now,
        amr: "pwd".to_owned(),
        acr: None,
        only_for: None,
        persistent: true,
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(86_400),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        address: NetworkAddress::written("127.0.0.1"),
    };
    let salt = random::id();
    let started =
        app.storage.insert_session(Noted::nothing(), &session, &salt, SignInGeneration::FIRST).await;
    assert_eq!(started.expect("the session is stored"), Insertion::Inserted);
    let handle = handle::issue(&app.master_key, Purpose::Session, session.id.as_str(), 0, &salt);
    handle.expect("the session's id is well-formed").expose().to_owned()
}

/// The user has allowed the client everything.
pub async fn consent(app: &App, user: &User, client: &ClientMetadata) {
    let now = app.now();
    let scope: ScopeSet = SCOPE.parse().expect("the scope is right");
    let grant = Grant {
        id: GrantId::new(random::id()),
        client_id: client.id.clone(),
        user_id: user.id.clone(),
        session_id: None,
        scope: scope.clone(),
        resources: Vec::new(),
        authentication: Authentication { auth_time: now, amr: "pwd".to_owned() },
        context: GrantContext::default(),
        salt: random::id(),
        created_at: now,
        expires_at: None,
        state: GrantState::Active { refresh: None },
    };
    let asked = json!({"client_id": client.id, "redirect_uri": REDIRECT_URI, "scope": scope});
    let request = PendingRequest {
        id: AuthorizationRequestId::new(grant.id.as_str()),
        request: serde_json::from_value(asked).expect("the request is right"),
        owner: RequestOwner::Nobody,
        created_at: now,
        expires_at: now,
    };
    app.storage.insert_request(&request).await.expect("the request is stored");
    let remember = Remember { allowed: Allowed::of(&scope, &[]), until: None };
    let authority = Authority::Password(SignInGeneration::FIRST);
    let approved = app.storage.approve(Noted::nothing(), &grant, &remember, authority).await;
    assert_eq!(approved.expect("the consent is stored"), Insertion::Inserted);
}
