//! What each operation needs before it can run: a session, grants, codes, tokens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::browser::Browser;
use crate::http::Connection;
use crate::load;
use crate::operation::Kind;
use crate::target::{Client, Target, text};
use crate::task::{Expect, Pool, Task, tokens};

/// Below the lifetime of a code (60 s) with room for the measurement itself.
const PREPARE_LIMIT: Duration = Duration::from_secs(20);
/// More at once would only wait in the queue for password hashing, which has so many places for one address by default.
const MOST_SIGN_INS: usize = 16;
/// Sign-ins at once beside another operation: more than there are threads for hashing on most machines.
const HASHING: usize = 16;
/// Everything a user can consent to here; what an operation asks later is part of it.
const ALL_SCOPES: &str = "openid profile email offline_access";

/// A user who has signed in and consented, and the sizes of the run.
pub struct Context {
    target: Arc<Target>,
    cookies: String,
    concurrency: usize,
    pool: usize,
    threads: usize,
}

struct Grant {
    access_token: String,
    refresh_token: Option<String>,
}

impl Context {
    /// Signs in once: hashing a password takes the server longer than hundreds of token requests.
    pub async fn sign_in(
        target: Arc<Target>,
        concurrency: usize,
        pool: usize,
        threads: usize,
    ) -> Result<Self> {
        let cookies = match &target.extras.session {
            Some(cookies) => cookies.clone(),
            None => signed_in(&target).await?,
        };
        Ok(Self { target, cookies, concurrency, pool, threads })
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// One task for each worker.
    pub async fn prepare(&self, kind: Kind) -> Result<Vec<Task>> {
        let target = &self.target;
        let client = kind.client().ok_or_else(|| "no client asks for this".into());
        let client = client.and_then(|name| target.client(name));
        match kind {
            Kind::ClientCredentials(_) => Ok(self.client_credentials_tasks(client?)),
            Kind::ClientCredentialsWhileHashing(_) => self.while_hashing(client?),
            Kind::Authorize => self.authorize_tasks(client?),
            Kind::AuthorizeAndExchange => self.pair_tasks(client?),
            Kind::Exchange(_) => self.exchange_tasks(client?),
            Kind::Refresh { scope } => self.rotate_tasks(client?, scope).await,
            Kind::IntrospectSeen(_) => {
                let client = client?;
                let tokens = access_tokens(self.grants(client, "openid").await?);
                self.introspections(client, &tokens, "\"active\":true")
            }
            Kind::IntrospectRevoked(_) => self.introspections_of_revoked(client?).await,
            Kind::IntrospectOwn(_) => {
                let client = client?;
                let tokens = self.own_tokens(client).await?;
                self.introspections(client, &tokens, "\"active\":true")
            }
            Kind::IntrospectFirst => {
                let client = client?;
                let tokens = self.collect(self.rotate_tasks(client, "offline_access").await?)?;
                let requests = tokens.iter().map(|token| target.introspect(client, token));
                Ok(self.once(requests.collect::<Result<_>>()?, "\"active\":true"))
            }
            Kind::Userinfo(_) => {
                let tokens = access_tokens(self.grants(client?, "openid profile email").await?);
                let requests = tokens.iter().map(|token| target.userinfo(token));
                Ok(repeat_each(requests.collect::<Result<_>>()?, "\"sub\""))
            }
            Kind::SignIn => self.sign_in_tasks(client?),
            Kind::LoginPage => {
                let mut connection = Connection::patient(target.server.address);
                let page = Browser::new(target).login_page(&mut connection, client?).await?;
                Ok(self.repeat(page, "<form"))
            }
            Kind::Jwks => Ok(self.repeat(target.server.get(&target.endpoints.jwks, &[]), "\"keys\"")),
            Kind::Discovery => {
                Ok(self.repeat(target.server.get(&target.endpoints.discovery, &[]), "\"issuer\""))
            }
        }
    }

    /// A token of the client's own for each worker.
    async fn own_tokens(&self, client: &Client) -> Result<Vec<String>> {
        let mut connection = Connection::patient(self.target.server.address);
        let request = self.target.client_credentials(client);
        let mut found = Vec::with_capacity(self.concurrency);
        for _ in 0..self.concurrency {
            found.push(text(&tokens(&connection.send(&request).await?)?, "access_token")?);
        }
        Ok(found)
    }

    /// Questions about tokens that have been taken back.
    async fn introspections_of_revoked(&self, client: &Client) -> Result<Vec<Task>> {
        let mut connection = Connection::patient(self.target.server.address);
        let tokens = access_tokens(self.grants(client, "openid").await?);
        for token in &tokens {
            let answer = connection.send(&self.target.revoke(client, token)?).await?;
            if answer.status != 200 {
                return Err(answer.describe().into());
            }
        }
        self.introspections(client, &tokens, "\"active\":false")
    }

    fn introspections(&self, client: &Client, tokens: &[String], needle: &'static str) -> Result<Vec<Task>> {
        let requests = tokens.iter().map(|token| self.target.introspect(client, token));
        Ok(repeat_each(requests.collect::<Result<_>>()?, needle))
    }

    fn each(&self, task: impl Fn() -> Task) -> Vec<Task> {
        (0..self.concurrency).map(|_| task()).collect()
    }

    fn repeat(&self, request: Vec<u8>, needle: &'static str) -> Vec<Task> {
        repeat_each(vec![request; self.concurrency], needle)
    }

    fn once(&self, requests: Vec<Vec<u8>>, needle: &'static str) -> Vec<Task> {
        let pool = Pool::new(requests);
        self.each(|| Task::Once { pool: pool.clone(), expect: Expect::Body(needle) })
    }

    fn authorize_request(&self, client: &Client, scope: &str) -> Result<Vec<u8>> {
        let path = self.target.authorize_path(client, scope)?;
        Ok(self.target.server.get(&path, &[("Cookie", &self.cookies)]))
    }

    fn authorize_tasks(&self, client: &Client) -> Result<Vec<Task>> {
        let request = self.authorize_request(client, "openid")?;
        Ok(self.each(|| Task::Repeat { request: request.clone(), expect: Expect::Code }))
    }

    fn pair_tasks(&self, client: &Client) -> Result<Vec<Task>> {
        let authorize = self.authorize_request(client, "openid")?;
        Ok(self.each(|| Task::AuthorizeAndExchange {
            target: self.target.clone(),
            client: client.clone(),
            authorize: authorize.clone(),
        }))
    }

    fn exchange_tasks(&self, client: &Client) -> Result<Vec<Task>> {
        let codes = self.collect(self.authorize_tasks(client)?)?;
        let requests = codes.iter().map(|code| self.target.exchange(client, code)).collect();
        Ok(self.once(requests, "\"id_token\""))
    }

    fn sign_in_tasks(&self, client: &Client) -> Result<Vec<Task>> {
        Ok((0..self.concurrency.min(MOST_SIGN_INS)).map(|number| self.sign_in_task(client, number)).collect())
    }

    fn sign_in_task(&self, client: &Client, number: usize) -> Task {
        Task::SignIn { target: Arc::new(self.target.for_user(number)), client: client.clone() }
    }

    fn client_credentials_tasks(&self, machine: &Client) -> Vec<Task> {
        self.repeat(self.target.client_credentials(machine), "\"access_token\"")
    }

    /// Token requests, and enough sign-ins that all threads for hashing are busy.
    fn while_hashing(&self, machine: &Client) -> Result<Vec<Task>> {
        let mut tasks = self.client_credentials_tasks(machine);
        let web = self.target.client("web-es256")?;
        tasks.extend((0..HASHING).map(|number| Task::Aside(Box::new(self.sign_in_task(web, number)))));
        Ok(tasks)
    }

    async fn rotate_tasks(&self, client: &Client, scope: &str) -> Result<Vec<Task>> {
        let grants = self.grants(client, scope).await?;
        let task = |grant: Grant| {
            let refresh_token = grant.refresh_token.ok_or("no refresh token in the token response")?;
            Ok(Task::Rotate { target: self.target.clone(), client: client.clone(), refresh_token })
        };
        grants.into_iter().map(task).collect()
    }

    fn collect(&self, tasks: Vec<Task>) -> Result<Vec<String>> {
        load::collect(&self.target.server, tasks, self.threads, self.pool, PREPARE_LIMIT)
    }

    /// A token response for each client, by its name.
    pub async fn specimens(&self) -> Result<Vec<(&'static str, Value)>> {
        let mut connection = Connection::patient(self.target.server.address);
        let mut found = Vec::new();
        for (name, client) in self.target.clients() {
            let answer = match client.has_users() {
                true => self.new_grant(&mut connection, client, "openid").await?,
                false => tokens(&connection.send(&self.target.client_credentials(client)).await?)?,
            };
            found.push((name, answer));
        }
        Ok(found)
    }

    /// From the one session.
    async fn new_grant(&self, connection: &mut Connection, client: &Client, scope: &str) -> Result<Value> {
        let answer = connection.send(&self.authorize_request(client, scope)?).await?;
        let location = answer.header("location").ok_or_else(|| answer.describe())?;
        let exchange = self.target.exchange(client, &crate::browser::code(&location)?);
        tokens(&connection.send(&exchange).await?)
    }

    /// A grant for each worker.
    async fn grants(&self, client: &Client, scope: &str) -> Result<Vec<Grant>> {
        let mut connection = Connection::patient(self.target.server.address);
        let mut grants = Vec::with_capacity(self.concurrency);
        for _ in 0..self.concurrency {
            let tokens = self.new_grant(&mut connection, client, scope).await?;
            grants.push(Grant {
                access_token: text(&tokens, "access_token")?,
                refresh_token: text(&tokens, "refresh_token").ok(),
            });
        }
        Ok(grants)
    }
}

/// The cookies of a user who has consented to all that the server's web clients may ask.
async fn signed_in(target: &Target) -> Result<String> {
    let mut browser = Browser::new(target);
    let mut connection = Connection::patient(target.server.address);
    for (_, client) in target.clients().filter(|(_, client)| client.has_users()) {
        browser.authorize(&mut connection, client, ALL_SCOPES).await?;
    }
    Ok(browser.cookie_header())
}

fn access_tokens(grants: Vec<Grant>) -> Vec<String> {
    grants.into_iter().map(|grant| grant.access_token).collect()
}

fn repeat_each(requests: Vec<Vec<u8>>, needle: &'static str) -> Vec<Task> {
    let task = |request| Task::Repeat { request, expect: Expect::Body(needle) };
    requests.into_iter().map(task).collect()
}
