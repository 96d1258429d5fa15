//! The server and the model side by side: each operation is done to both, and their answers are compared.

use chancery::crypto::{digest, random};
use chancery::keys::{self, RotationTimes};
use chancery::model::{Algorithm, ClientId, ClientSecrets, Noted, RetiredSecret};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::model::{AccessToken, Grant, Outcome, State, Use};
use super::operations::{By, Mistake, Op};
use crate::support::{Answer, Browser, Registration, TestServer, hidden, query_of, text};

/// Seconds that a client's secret counts on after it was replaced.
const SECRET_KEPT: i64 = 600;

/// Of what ends one day, how many that end first are looked at.
const NEXT: usize = 4;

struct User {
    username: String,
    sub: String,
}

struct RefreshToken {
    text: String,
    grant: usize,
    generation: u32,
}

struct Client {
    registration: Registration,
    has_secret: bool,
    /// Replaces refresh tokens by their use.
    rotates: bool,
    /// The secret before the last, and when it stops counting.
    old_secret: Option<(String, i64)>,
}

/// What can be used for the last time.
#[derive(Clone, Copy)]
enum Last {
    OfGrant(usize, Use),
    AccessToken(usize),
    OldSecret(usize),
}

pub struct World<'s> {
    server: &'s TestServer,
    users: Vec<User>,
    browsers: Vec<Browser<'s>>,
    clients: Vec<Client>,
    /// May introspect everything.
    gateway: Registration,
    grants: Vec<Grant>,
    /// The code of each grant.
    codes: Vec<String>,
    refresh_tokens: Vec<RefreshToken>,
    access_tokens: Vec<AccessToken>,
}

type Held = Result<(), String>;

/// Compares what was answered with what the model says.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Held {
    if is == should { Ok(()) } else { Err(format!("{what}: {is:?}, but the model says {should:?}")) }
}

fn refused(answer: &Answer, status: u16, error: &str) -> Held {
    let is = (answer.status.as_u16(), answer.json()["error"].as_str().unwrap_or_default().to_owned());
    same("refusal", is, (status, error.to_owned()))
}

impl<'s> World<'s> {
    pub async fn new(server: &'s TestServer) -> Self {
        let mut users = Vec::new();
        for name in ["ada", "bob"] {
            let username = format!("{name}-{}", random::id());
            let sub = server.user(&username).await.id.as_str().to_owned();
            users.push(User { username, sub });
        }
        let client = |registration, has_secret, rotates| Client {
            registration,
            has_secret,
            rotates,
            old_secret: None,
        };
        let clients = vec![
            client(server.client(json!({})).await, true, true),
            client(server.public_client().await, false, true),
            client(server.client(json!({"rotation": "reuse", "token_format": "opaque"})).await, true, false),
        ];
        Self {
            server,
            users,
            browsers: vec![server.browser(), server.browser()],
            clients,
            gateway: server.client(json!({"introspection_policy": "any"})).await,
            grants: Vec::new(),
            codes: Vec::new(),
            refresh_tokens: Vec::new(),
            access_tokens: Vec::new(),
        }
    }

    fn now(&self) -> i64 {
        self.server.app.now().unix()
    }

    pub async fn perform(&mut self, operation: &Op) -> Held {
        match operation {
            Op::Authorize { user, client, offline } => self.authorize(*user, *client, *offline).await,
            Op::Redeem { code, by, mistake } if !self.codes.is_empty() => {
                self.redeem(code.of(self.codes.len()), *by, *mistake).await
            }
            Op::Refresh { token, by } if !self.refresh_tokens.is_empty() => {
                self.refresh(token.of(self.refresh_tokens.len()), *by).await
            }
            Op::RevokeRefreshToken { token, by } if !self.refresh_tokens.is_empty() => {
                self.revoke_refresh_token(token.of(self.refresh_tokens.len()), *by).await
            }
            Op::RevokeAccessToken { token, by } if !self.access_tokens.is_empty() => {
                self.revoke_access_token(token.of(self.access_tokens.len()), *by).await
            }
            Op::UseAccessToken { token } if !self.access_tokens.is_empty() => {
                self.use_access_token(&self.access_tokens[token.of(self.access_tokens.len())]).await
            }
            Op::IntrospectRefreshToken { token } if !self.refresh_tokens.is_empty() => {
                self.introspect_refresh_token(&self.refresh_tokens[token.of(self.refresh_tokens.len())]).await
            }
            Op::Redeem { .. }
            | Op::Refresh { .. }
            | Op::RevokeRefreshToken { .. }
            | Op::RevokeAccessToken { .. }
            | Op::UseAccessToken { .. }
            | Op::IntrospectRefreshToken { .. } => Ok(()),
            Op::Wait { seconds } => {
                self.server.advance(*seconds);
                Ok(())
            }
            Op::UseAtEnd { of, late } => self.use_at_end(*of, *late).await,
            Op::Purge => self.purge().await,
            Op::RotateKey => self.rotate_key().await,
            Op::RotateSecret { client, keep } => self.rotate_secret(*client, *keep).await,
            Op::UseOldSecret { client } => self.use_old_secret(*client).await,
            Op::TakeBack { user, client } => self.take_back(*user, *client).await,
            Op::SignOut { user } => self.sign_out(*user).await,
        }
    }

    /// Every token there ever was.
    pub async fn look_at_everything(&self) -> Held {
        for token in &self.access_tokens {
            self.use_access_token(token).await?;
        }
        for token in &self.refresh_tokens {
            self.introspect_refresh_token(token).await?;
        }
        Ok(())
    }

    /// A request by the owner of a grant, or by another client.
    fn caller(&self, grant: usize, by: By) -> usize {
        let owner = self.grants[grant].client;
        match by {
            By::Owner => owner,
            By::AnotherClient => (owner + 1) % self.clients.len(),
        }
    }

    async fn post(&self, client: usize, path: &str, form: &[(&str, &str)]) -> Answer {
        let client = &self.clients[client];
        match client.has_secret {
            true => self.server.post_as(&client.registration, path, form).await,
            false => self.server.post_public(&client.registration, path, form).await,
        }
    }

    /// What ends one day, and when.
    fn ends(&self) -> Vec<(i64, Last)> {
        let of_grants = self.grants.iter().enumerate();
        let of_grants = of_grants.flat_map(|(at, grant)| {
            grant.ends().into_iter().map(move |(end, last)| (end, Last::OfGrant(at, last)))
        });
        let of_access = self.access_tokens.iter().enumerate();
        let of_access = of_access.map(|(at, token)| (token.ends_at(), Last::AccessToken(at)));
        let of_secrets = self.clients.iter().enumerate();
        let of_secrets =
            of_secrets.filter_map(|(at, client)| Some((client.old_secret.as_ref()?.1, Last::OldSecret(at))));
        of_grants.chain(of_access).chain(of_secrets).collect()
    }

    async fn use_at_end(&mut self, of: Index, late: i64) -> Held {
        let now = self.now();
        let mut ends: Vec<_> = self.ends().into_iter().filter(|(end, _)| end + late >= now).collect();
        // What ends soon, so that a long step does not pass everything else.
        ends.sort_by_key(|(end, _)| *end);
        ends.truncate(NEXT);
        let Some((end, last)) = (!ends.is_empty()).then(|| *of.get(&ends)) else { return Ok(()) };
        self.server.advance(end + late - now);
        match last {
            Last::OfGrant(grant, Use::Code) => self.redeem(grant, By::Owner, None).await,
            Last::OfGrant(grant, Use::RefreshToken { generation }) => {
                let mut tokens = self.refresh_tokens.iter();
                match tokens.position(|token| token.grant == grant && token.generation == generation) {
                    Some(at) => self.refresh(at, By::Owner).await,
                    None => Ok(()),
                }
            }
            Last::AccessToken(at) => self.use_access_token(&self.access_tokens[at]).await,
            Last::OldSecret(client) => self.use_old_secret(client).await,
        }
    }

    async fn authorize(&mut self, user: usize, client: usize, offline: bool) -> Held {
        let scope = if offline { "openid profile offline_access" } else { "openid profile" };
        let path = self.server.authorization(&self.clients[client].registration, &[("scope", scope)]);
        let answer = self.browsers[user].authorize_as(&path, &self.users[user].username).await;
        let code = query_of(answer.location(), "code").ok_or_else(|| format!("no code: {answer:?}"))?;
        self.grants.push(Grant::new(user, client, offline, self.now()));
        self.codes.push(code);
        Ok(())
    }

    async fn redeem(&mut self, at: usize, by: By, mistake: Option<Mistake>) -> Held {
        let (now, client) = (self.now(), self.caller(at, by));
        let (verifier, redirect_uri) = match mistake {
            None => (crate::support::VERIFIER, crate::support::REDIRECT_URI),
            Some(Mistake::Verifier) => {
                ("not-the-one-of-the-authorization-request-0", crate::support::REDIRECT_URI)
            }
            Some(Mistake::RedirectUri) => (crate::support::VERIFIER, "https://app.example/other"),
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &self.codes[at]),
            ("code_verifier", verifier),
            ("redirect_uri", redirect_uri),
        ];
        let answer = self.post(client, "/token", &form).await;
        let should = self.grants[at].redeem(client, mistake.is_none(), now);
        self.tokens(at, &answer, should)
    }

    async fn refresh(&mut self, at: usize, by: By) -> Held {
        let RefreshToken { text, grant, generation } = &self.refresh_tokens[at];
        let (now, at, generation) = (self.now(), *grant, *generation);
        let client = self.caller(at, by);
        let form = [("grant_type", "refresh_token"), ("refresh_token", text)];
        let answer = self.post(client, "/token", &form).await;
        let rotates = self.clients[client].rotates;
        let should = self.grants[at].refresh(client, generation, rotates, now);
        self.tokens(at, &answer, should)
    }

    /// Takes the tokens out of an answer, if there should be any.
    fn tokens(&mut self, grant: usize, answer: &Answer, should: Outcome) -> Held {
        let Outcome::Tokens { generation } = should else { return refused(answer, 400, "invalid_grant") };
        same("status", answer.status.as_u16(), 200)?;
        let (tokens, now) = (answer.json(), self.now());
        same("expires_in", tokens["expires_in"].as_i64(), Some(600))?;
        let made = text(&tokens, "access_token");
        same("a new access token", self.access_tokens.iter().all(|known| known.text != made), true)?;
        self.access_tokens.push(AccessToken { text: made, grant, made_at: now, revoked: false });
        let refresh_token = tokens["refresh_token"].as_str();
        same("refresh token", refresh_token.is_some(), self.grants[grant].offline)?;
        let Some(refresh_token) = refresh_token else { return Ok(()) };
        let mut known = self.refresh_tokens.iter();
        match known.find(|known| known.grant == grant && known.generation == generation) {
            Some(known) => same("the same refresh token again", refresh_token, known.text.as_str()),
            None => {
                let text = refresh_token.to_owned();
                self.refresh_tokens.push(RefreshToken { text, grant, generation });
                Ok(())
            }
        }
    }

    async fn revoke_refresh_token(&mut self, at: usize, by: By) -> Held {
        let RefreshToken { text, grant, .. } = &self.refresh_tokens[at];
        let (at, client) = (*grant, self.caller(*grant, by));
        let answer = self.post(client, "/revoke", &[("token", text)]).await;
        if client != self.grants[at].client && self.grants[at].state != State::Gone {
            return refused(&answer, 400, "unauthorized_client");
        }
        self.grants[at].revoke();
        same("status", answer.status.as_u16(), 200)
    }

    async fn revoke_access_token(&mut self, at: usize, by: By) -> Held {
        let (now, token) = (self.now(), &self.access_tokens[at]);
        let client = self.caller(token.grant, by);
        let answer = self.post(client, "/revoke", &[("token", &token.text)]).await;
        if client != self.grants[token.grant].client && !token.has_expired(now) {
            return refused(&answer, 400, "unauthorized_client");
        }
        self.access_tokens[at].revoked = true;
        same("status", answer.status.as_u16(), 200)
    }

    async fn use_access_token(&self, token: &AccessToken) -> Held {
        let grant = &self.grants[token.grant];
        let is_good = token.is_good(grant, self.now());
        let answer = self.introspected(&token.text).await?;
        same("access token at introspection", answer["active"] == true, is_good)?;
        if is_good {
            self.names(&answer, grant)?;
        }
        let answer = self.server.get_with_token("/userinfo", &token.text).await;
        if !is_good {
            return refused(&answer, 401, "invalid_token");
        }
        same("status of UserInfo", answer.status.as_u16(), 200)?;
        same("sub of UserInfo", text(&answer.json(), "sub"), self.users[grant.user].sub.clone())
    }

    async fn introspect_refresh_token(&self, token: &RefreshToken) -> Held {
        let grant = &self.grants[token.grant];
        let is_valid = grant.is_valid(token.generation, self.now());
        let answer = self.introspected(&token.text).await?;
        same("refresh token at introspection", answer["active"] == true, is_valid)?;
        if is_valid { self.names(&answer, grant) } else { Ok(()) }
    }

    async fn introspected(&self, token: &str) -> Result<Value, String> {
        let answer = self.server.introspect(&self.gateway, token).await;
        same("status of introspection", answer.status.as_u16(), 200)?;
        Ok(answer.json())
    }

    /// Whose token introspection says it is.
    fn names(&self, answer: &Value, grant: &Grant) -> Held {
        same("sub", text(answer, "sub"), self.users[grant.user].sub.clone())?;
        same("client_id", text(answer, "client_id"), self.clients[grant.client].registration.id.clone())
    }

    async fn purge(&mut self) -> Held {
        while self.server.app.storage.purge(self.server.app.now()).await.unwrap().is_full() {}
        let now = self.now();
        self.grants.iter_mut().for_each(|grant| grant.purge(now));
        Ok(())
    }

    /// Another key signs from now on; what the one before signed is as good as it was.
    async fn rotate_key(&self) -> Held {
        let app = &self.server.app;
        let times = RotationTimes { publish: 0, ..RotationTimes::of(&app.settings) };
        keys::rotate(&app.keeper(), Algorithm::ES256, app.now(), times).await.unwrap();
        app.storage.retire_keys(app.now(), app.now().plus(-app.settings.keys.hint_seconds)).await.unwrap();
        app.reload_keys().await.unwrap();
        Ok(())
    }

    async fn rotate_secret(&mut self, at: usize, keep: bool) -> Held {
        let (app, now) = (&self.server.app, self.server.app.now());
        let client = &mut self.clients[at];
        if !client.has_secret {
            return Ok(());
        }
        let mut stored = app.storage.client(&ClientId::new(&client.registration.id)).await.unwrap().unwrap();
        let secret = random::secret();
        let until = if keep { now.plus(SECRET_KEPT) } else { now };
        let retired = stored.secrets.current.filter(|_| keep).map(|digest| RetiredSecret {
            digest,
            sealed: None,
            expires_at: until,
        });
        let current = Some(digest::sha256(secret.expose().as_bytes()));
        stored.secrets = ClientSecrets { current, sealed: None, retired };
        assert!(app.storage.update_client(Noted::nothing(), &stored, now).await.unwrap());
        app.clients.forget();
        let old = std::mem::replace(&mut client.registration.secret, secret.expose().to_owned());
        client.old_secret = Some((old, until.unix()));
        Ok(())
    }

    async fn use_old_secret(&self, at: usize) -> Held {
        let client = &self.clients[at];
        let Some((secret, until)) = &client.old_secret else { return Ok(()) };
        let caller = Registration { id: client.registration.id.clone(), secret: secret.clone() };
        let answer = self.server.introspect(&caller, "x").await;
        if self.now() < *until {
            return same("status with the old secret", answer.status.as_u16(), 200);
        }
        refused(&answer, 401, "invalid_client")
    }

    /// On the account page.
    async fn take_back(&mut self, user: usize, client: usize) -> Held {
        let (browser, id) = (&mut self.browsers[user], &self.clients[client].registration.id);
        if browser.signed_in_as().await.is_none() {
            browser.enter(&self.users[user].username).await;
        }
        let csrf = hidden(&browser.get("/account").await, "csrf");
        let answer = browser.post("/account/apps/revoke", &[("csrf", &csrf), ("client_id", id)]).await;
        same("status of the account page", answer.status.as_u16(), 303)?;
        let of_both = |grant: &&mut Grant| grant.user == user && grant.client == client;
        self.grants.iter_mut().filter(of_both).for_each(Grant::revoke);
        Ok(())
    }

    /// A user has one browser. What was made in a session of it that ended by itself has expired long before.
    async fn sign_out(&mut self, user: usize) -> Held {
        let browser = &mut self.browsers[user];
        let page = browser.get("/logout").await;
        if !page.body.contains("name=\"decision\"") {
            return Ok(());
        }
        let form = [("csrf", &*hidden(&page, "csrf")), ("decision", "sign_out")];
        let answer = browser.post("/logout", &form).await;
        same("signed out", browser.signed_in_as().await, None)
            .map_err(|held| format!("{held}: {answer:?}"))?;
        self.grants.iter_mut().filter(|grant| grant.user == user).for_each(Grant::sign_out);
        Ok(())
    }
}
