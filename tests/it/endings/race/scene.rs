//! Two processes on one database: one in which things are made, one in which what they come from is ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery::clock::Clock;
use chancery::crypto::random;
use chancery::model::{KeySource, Noted, Secret, SubjectClaim, TrustedIssuer, User, UserId};
use serde_json::{Value, json};

use super::cells::{Creation, Ending};
use crate::device::DEVICE_CODE;
use crate::support::{
    Answer, Browser, JWT_BEARER, Kind, PASSWORD, Process, REDIRECT_URI, Registration, START, Signer,
    TestServer, VERIFIER, hidden, query_of, text,
};
use crate::token_exchange::TOKEN_EXCHANGE;

pub const PARTNER: &str = "https://partner.example";
pub const NEW_PASSWORD: &str = "another correct horse battery";
const GRANT_TYPES: [&str; 7] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    DEVICE_CODE,
    JWT_BEARER,
    TOKEN_EXCHANGE,
];

/// An API that tokens are for where it is what is taken.
const API: &str = "https://api.example";
/// What is left of a client's scope.
const LEFT: &str = "openid";

pub struct Scene {
    pub here: TestServer,
    there: TestServer,
    /// A process of the operating system that is there instead.
    process: Option<Arc<Process>>,
    clock: Mutex<()>,
    pub signer: Signer,
    hash: String,
    pub new_hash: String,
}

/// A request that makes something.
pub enum Act {
    Get(String),
    Post(&'static str, Vec<(&'static str, String)>),
    Token(Registration, Vec<(&'static str, String)>),
}

/// What is made and who makes it.
pub struct Item {
    pub cookies: BTreeMap<String, String>,
    pub act: Act,
    /// The device code, where it is a device's.
    pub device_code: String,
}

/// What came of it.
pub struct Made {
    pub answer: Answer,
    pub cookies: BTreeMap<String, String>,
    pub device_code: String,
}

/// One user with a client, and a browser in which they are signed in.
pub struct Round<'s> {
    pub user: User,
    pub client: Registration,
    pub owner: Browser<'s>,
    /// Of the owner's forms.
    pub csrf: String,
    /// What everything is asked for, where it is not the default.
    pub resource: Option<&'static str>,
}

impl Round<'_> {
    /// Parameters of a request, with what it is for.
    pub fn asked<'p>(&self, parameters: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
        let resource = self.resource.map(|resource| ("resource", resource));
        parameters.iter().copied().chain(resource).collect()
    }
}

impl Scene {
    pub async fn start(kind: Kind, own_process: bool) -> Self {
        // All of it comes from one address.
        let settings = [
            ("GRANTS__PASSWORD", "true"),
            ("SERVER__TRUSTED_PROXIES", "127.0.0.0/8"),
            ("AUTHORIZATION__MAX_WAITING_PER_ADDRESS", "1000000"),
            ("AUTHORIZATION__MAX_WAITING", "10000000"),
            ("DATABASE__MAX_CONNECTIONS", "16"),
        ];
        let here = TestServer::with_external_ui(kind, &settings).await;
        // The others read it when they start.
        here.resource(API, json!({"scope": "openid profile offline_access read"})).await;
        let there = here.replica().await;
        let process = match own_process {
            true => Some(Arc::new(Process::start(&here.environment).await)),
            false => None,
        };
        let signer = Signer::new("ES256");
        let issuer = TrustedIssuer {
            issuer: PARTNER.to_owned(),
            keys: KeySource::Jwks(signer.jwks()),
            subject_claim: SubjectClaim::Sub,
            created_at: START,
        };
        assert!(here.app.storage.insert_trusted_issuer(Noted::nothing(), &issuer).await.unwrap());
        let hash = async |password: &str| here.app.passwords.hash(Secret::new(password)).await.unwrap();
        let (hash, new_hash) = (hash(PASSWORD).await, hash(NEW_PASSWORD).await);
        Self { here, there, process, clock: Mutex::default(), signer, hash, new_hash }
    }

    /// Another user, and another client where that is what ends.
    pub async fn round(&self, creation: Creation, ending: Ending) -> Round<'_> {
        match self.process {
            Some(_) => self.go_by_the_system(),
            // What is counted of one address begins anew.
            None => self.here.advance(1000),
        }
        let username = format!("u{}", random::id().to_lowercase());
        let user = User { username, email: None, id: UserId::new(random::id()), ..self.somebody() };
        self.here.app.storage.insert_user(Noted::nothing(), &user, Some(&self.hash)).await.unwrap().unwrap();
        let external = matches!(creation, Creation::ExternalLogin | Creation::ExternalConsent);
        let client = self.here.client(json!({
            "grant_types": GRANT_TYPES,
            "first_party": true,
            "token_exchange_policy": "any",
            "backchannel_logout_uri": "https://app.example/logout",
            "ui": if external { "external" } else { "own" },
            "resources": [API],
        }));
        let (client, mut owner) = (client.await, self.here.browser());
        owner.headers.push(("x-forwarded-for", address()));
        let page = owner.get("/login").await;
        let form = [("csrf", &*hidden(&page, "csrf")), ("username", &*user.username), ("password", PASSWORD)];
        assert_eq!(owner.post("/login", &form).await.status, 303);
        let csrf = hidden(&owner.get("/account").await, "csrf");
        if ending == Ending::KeyWithdrawn && creation == Creation::Exchange {
            self.let_the_key_be_known().await;
        }
        let resource = (ending == Ending::ResourceTaken).then_some(API);
        Round { user, client, owner, csrf, resource }
    }

    /// The clock here as that of the other process; one round at a time.
    fn go_by_the_system(&self) {
        let _turn = self.clock.lock().unwrap();
        self.here.advance(Clock::System.now().since(self.here.app.now()));
    }

    fn somebody(&self) -> User {
        User {
            id: UserId::new(""),
            username: String::new(),
            email: None,
            email_verified: false,
            phone_number: None,
            phone_number_verified: false,
            profile: chancery::model::Profile::default(),
            groups: Vec::new(),
            disabled: false,
            created_at: self.here.app.now(),
            updated_at: self.here.app.now(),
        }
    }

    /// A browser here with these cookies.
    pub fn browser(&self, cookies: &BTreeMap<String, String>) -> Browser<'_> {
        let mut browser = self.here.browser();
        browser.cookies = cookies.clone();
        browser.headers.push(("x-forwarded-for", address()));
        browser
    }

    /// Does it there.
    pub async fn make(&self, item: Item) -> Made {
        make_at(&self.there, self.process.as_ref(), item).await
    }

    /// Does it in the process that knows at once what a client may.
    pub async fn make_here(&self, item: Item) -> Made {
        make_at(&self.here, None, item).await
    }

    /// Whether anything of it is good.
    pub async fn lives(&self, creation: Creation, client: &Registration, made: &Made) -> bool {
        match creation {
            Creation::Session | Creation::Renewal | Creation::ExternalLogin => {
                self.browser(&made.cookies).get("/account").await.status == 200
            }
            _ => match self.tokens(creation, client, made).await {
                Some(tokens) => self.scope_of(client, &tokens).await.is_some(),
                None => false,
            },
        }
    }

    /// Whether anything of it is good for more than was left to its client, or is refreshed without `offline_access`.
    pub async fn lives_as_before(&self, creation: Creation, client: &Registration, made: &Made) -> bool {
        let Some(tokens) = self.tokens(creation, client, made).await else { return false };
        let scope = self.scope_of(client, &tokens).await.unwrap_or_default();
        let refreshed = match tokens["refresh_token"].as_str() {
            Some(token) => self.here.refresh(client, token).await.status == 200,
            None => false,
        };
        refreshed || scope.split(' ').any(|scope| !scope.is_empty() && scope != LEFT)
    }

    /// The tokens that it gave, or that its code or its device code gives.
    async fn tokens(&self, creation: Creation, client: &Registration, made: &Made) -> Option<Value> {
        let got;
        let answer = match creation {
            Creation::Session | Creation::Renewal | Creation::ExternalLogin => return None,
            Creation::Form | Creation::Silent | Creation::ExternalConsent => {
                let code = query_of(made.answer.location(), "code")?;
                got = self.here.redeem(client, &code).await;
                &got
            }
            Creation::Device => {
                let form = [("grant_type", DEVICE_CODE), ("device_code", &*made.device_code)];
                got = self.here.post_as(client, "/token", &form).await;
                &got
            }
            Creation::Code
            | Creation::Refresh
            | Creation::Exchange
            | Creation::Assertion
            | Creation::Password => &made.answer,
        };
        (answer.status == 200).then(|| answer.json())
    }

    /// What an access token is good for; none: for nothing.
    async fn scope_of(&self, client: &Registration, tokens: &Value) -> Option<String> {
        let about = self.here.introspect(client, &text(tokens, "access_token")).await;
        let told = (about.status == 200).then(|| about.json())?;
        (told["active"] == true).then(|| told["scope"].as_str().unwrap_or_default().to_owned())
    }

    /// Grants of sessions that are over whose clients nobody is going to tell.
    pub async fn untold(&self) -> i64 {
        self.here
            .number(
                "SELECT COUNT(*) FROM grants g WHERE g.session_id IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id) \
                 AND NOT EXISTS (SELECT 1 FROM logout_deliveries d \
                 WHERE d.session_id = g.session_id AND d.client_id = g.client_id)",
            )
            .await
    }

    /// Ends what the round stands on. False where the owner's form was not taken: their session was renewed by somebody
    /// else, and their cookie is worthless.
    pub async fn end(&self, ending: Ending, round: &mut Round<'_>) -> bool {
        let (storage, now, id) = (&self.here.app.storage, self.here.app.now(), round.user.id.clone());
        let csrf = round.csrf.clone();
        let csrf = ("csrf", csrf.as_str());
        match ending {
            Ending::PasswordSet => {
                assert!(storage.set_password(Noted::nothing(), &id, &self.new_hash, now).await.unwrap())
            }
            Ending::PasswordChanged => {
                let [current, new, again] = ["current_password", "new_password", "repeat_password"];
                let form = [csrf, (current, PASSWORD), (new, NEW_PASSWORD), (again, NEW_PASSWORD)];
                let answer = round.owner.post("/account/password", &form).await;
                return answer.status == 303;
            }
            Ending::Disabled => {
                assert!(storage.set_disabled(Noted::nothing(), &id, true, now).await.unwrap())
            }
            Ending::Deleted => assert!(storage.delete_user(Noted::nothing(), &id, now).await.unwrap()),
            Ending::SignedOut => {
                let answer = round.owner.post("/logout", &[csrf, ("decision", "sign_out")]).await;
                return answer.status.is_success();
            }
            Ending::SignedOutOfAll => {
                let answer = round.owner.post("/select_account", &[csrf, ("decision", "sign_out_all")]).await;
                return answer.status == 303;
            }
            Ending::SignedOutByOperator => storage.end_sessions(Noted::nothing(), &id, now).await.unwrap(),
            Ending::AccessTakenBack => {
                let form = [csrf, ("client_id", &*round.client.id)];
                let answer = round.owner.post("/account/apps/revoke", &form).await;
                return answer.status == 303;
            }
            Ending::ClientDeleted => {
                let client = chancery::model::ClientId::new(&round.client.id);
                assert!(storage.delete_client(Noted::nothing(), &client).await.unwrap());
                self.here.app.clients.forget();
            }
            Ending::GrantTypeTaken => {
                let left = json!({"grant_types": ["client_credentials"]});
                self.here.change_client(&round.client, left).await;
            }
            Ending::RedirectUriTaken => {
                let left = json!({"redirect_uris": ["https://app.example/elsewhere"]});
                self.here.change_client(&round.client, left).await;
            }
            Ending::ScopeTaken => self.here.change_client(&round.client, json!({"scope": LEFT})).await,
            Ending::ResourceTaken => self.here.change_client(&round.client, json!({"resources": []})).await,
            Ending::KeyWithdrawn => self.withdraw_key().await,
        }
        true
    }

    async fn withdraw_key(&self) {
        let app = &self.here.app;
        let kid = chancery::model::KeyId::new(self.signing_kid().await);
        let times = chancery::keys::RotationTimes::of(&app.settings);
        assert!(chancery::keys::withdraw(&app.keeper(), &kid, app.now(), times).await.unwrap());
        app.reload_keys().await.unwrap();
    }

    /// Until what is signed here counts there: a key that nobody there knows makes no subject token.
    async fn let_the_key_be_known(&self) {
        let Some(process) = &self.process else { return self.there.app.reload_keys().await.unwrap() };
        let kid = self.signing_kid().await;
        for _ in 0..1000 {
            if process.get("/jwks", &[]).await.body.contains(&kid) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the other process does not hear of the key");
    }

    /// The key that signs access tokens now.
    pub async fn signing_kid(&self) -> String {
        let client = self.here.client(json!({})).await;
        let token = self.here.client_token(&client, "read").await;
        jsonwebtoken::decode_header(&token).unwrap().kid.unwrap()
    }

    /// The parameters that redeem a code.
    pub fn redemption(code: String) -> Vec<(&'static str, String)> {
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", REDIRECT_URI.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ]
    }
}

async fn make_at(server: &TestServer, process: Option<&Arc<Process>>, item: Item) -> Made {
    let mut browser = server.browser();
    (browser.cookies, browser.headers) = (item.cookies, vec![("x-forwarded-for", address())]);
    if let Some(process) = process {
        browser.visit(process);
    }
    let answer = match &item.act {
        Act::Get(path) => browser.get(path).await,
        Act::Post(path, form) => browser.post(path, &pairs(form)).await,
        Act::Token(client, form) => match process {
            Some(process) => process.post(client, "/token", &pairs(form)).await,
            None => server.post_as(client, "/token", &pairs(form)).await,
        },
    };
    Made { answer, cookies: browser.cookies, device_code: item.device_code }
}

pub fn pairs<'f>(form: &'f [(&'static str, String)]) -> Vec<(&'static str, &'f str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// One of many, so that nobody's tries are counted together.
fn address() -> String {
    let [a, b, c] = random::bytes::<3>();
    format!("10.{a}.{b}.{c}")
}
