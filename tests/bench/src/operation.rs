//! The operations measured, their goals, and what each needs before it can run.

use std::sync::Arc;
use std::time::Duration;

use crate::Result;
use crate::browser::Browser;
use crate::http::Connection;
use crate::load;
use crate::target::{Client, Target, text};
use crate::task::{Expect, Pool, Task, tokens};

/// Below the lifetime of a code (60 s) with room for the measurement itself.
const PREPARE_LIMIT: Duration = Duration::from_secs(20);
/// More at once would only wait in the queue for password hashing, which refuses when it is full.
const MOST_SIGN_INS: usize = 32;
/// Everything a user can consent to here; what an operation asks later is part of it.
const ALL_SCOPES: &str = "openid profile email offline_access";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Machine {
    Es256,
    EdDsa,
    Rs256,
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Web {
    Es256,
    Rs256,
}

/// How access tokens are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Jwt,
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    ClientCredentials(Machine),
    Authorize,
    AuthorizeAndExchange,
    Exchange(Web),
    Refresh { scope: &'static str },
    IntrospectSeen(Format),
    IntrospectFirst,
    IntrospectRevoked(Format),
    Userinfo,
    Jwks,
    Discovery,
    LoginPage,
    SignIn,
}

#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub kind: Kind,
    /// Requests per second of the server's CPU time, with Postgres and durable.
    pub goal: Option<f64>,
    /// Does each request write to the database?
    pub writes: bool,
}

const fn reads(name: &'static str, kind: Kind, goal: Option<f64>) -> Operation {
    Operation { name, kind, goal, writes: false }
}

const fn writes(name: &'static str, kind: Kind, goal: Option<f64>) -> Operation {
    Operation { name, kind, goal, writes: true }
}

pub const OPERATIONS: &[Operation] = &[
    reads("client_credentials-es256", Kind::ClientCredentials(Machine::Es256), Some(20_000.0)),
    reads("client_credentials-eddsa", Kind::ClientCredentials(Machine::EdDsa), Some(28_000.0)),
    reads("client_credentials-rs256", Kind::ClientCredentials(Machine::Rs256), Some(2_300.0)),
    reads("client_credentials-opaque", Kind::ClientCredentials(Machine::Opaque), Some(22_000.0)),
    writes("code_flow-authorize", Kind::Authorize, None),
    writes("code_flow-pair", Kind::AuthorizeAndExchange, None),
    writes("code_flow-exchange-es256", Kind::Exchange(Web::Es256), Some(8_000.0)),
    writes("code_flow-exchange-rs256", Kind::Exchange(Web::Rs256), Some(2_000.0)),
    writes("refresh", Kind::Refresh { scope: "offline_access" }, Some(9_000.0)),
    writes("refresh-openid", Kind::Refresh { scope: "openid offline_access" }, None),
    reads("introspect-seen", Kind::IntrospectSeen(Format::Jwt), Some(17_000.0)),
    reads("introspect-first", Kind::IntrospectFirst, Some(8_500.0)),
    reads("introspect-opaque", Kind::IntrospectSeen(Format::Opaque), Some(18_000.0)),
    reads("introspect-revoked", Kind::IntrospectRevoked(Format::Jwt), None),
    reads("introspect-revoked-opaque", Kind::IntrospectRevoked(Format::Opaque), None),
    reads("userinfo", Kind::Userinfo, Some(15_000.0)),
    reads("jwks", Kind::Jwks, Some(75_000.0)),
    reads("discovery", Kind::Discovery, Some(75_000.0)),
    reads("login-page", Kind::LoginPage, None),
    // Last, because the memory of the hashing threads stays. The goal is 95 % of bare Argon2id.
    writes("sign-in", Kind::SignIn, Some(51.0)),
];

/// `client_credentials` stands for all of its kind, `client_credentials-es256` for the one.
pub fn select(only: Option<&str>) -> Result<Vec<&'static Operation>> {
    let chosen = |operation: &&Operation| {
        only.is_none_or(|only| {
            operation.name.strip_prefix(only).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let selected: Vec<_> = OPERATIONS.iter().filter(chosen).collect();
    if selected.is_empty() {
        let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        return Err(format!("no such operation; there are: {}", names.join(", ")).into());
    }
    Ok(selected)
}

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
        let mut browser = Browser::new(&target);
        let mut connection = Connection::new(target.server.address);
        browser.authorize(&mut connection, &target.web_es256, ALL_SCOPES).await?;
        browser.authorize(&mut connection, &target.web_rs256, ALL_SCOPES).await?;
        browser.authorize(&mut connection, &target.web_opaque, ALL_SCOPES).await?;
        let cookies = browser.cookie_header();
        Ok(Self { target, cookies, concurrency, pool, threads })
    }

    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// One task for each worker.
    pub async fn prepare(&self, kind: Kind) -> Result<Vec<Task>> {
        let target = &self.target;
        let web = &target.web_es256;
        match kind {
            Kind::ClientCredentials(machine) => {
                let request = target.token(self.machine(machine), &[("grant_type", "client_credentials")]);
                Ok(self.repeat(request, "\"access_token\""))
            }
            Kind::Authorize => Ok(self.authorize_tasks(web)),
            Kind::AuthorizeAndExchange => {
                let authorize = self.authorize_request(web, "openid");
                Ok(self.each(|| Task::AuthorizeAndExchange {
                    target: target.clone(),
                    client: web.clone(),
                    authorize: authorize.clone(),
                }))
            }
            Kind::Exchange(algorithm) => self.exchange_tasks(algorithm),
            Kind::Refresh { scope } => self.rotate_tasks(scope).await,
            Kind::IntrospectSeen(format) => {
                let requests = self.introspections(format).await?;
                Ok(repeat_each(requests.into_iter(), "\"active\":true"))
            }
            Kind::IntrospectRevoked(format) => {
                let requests = self.introspections_of_revoked(format).await?;
                Ok(repeat_each(requests.into_iter(), "\"active\":false"))
            }
            Kind::IntrospectFirst => {
                let tokens = self.collect(self.rotate_tasks("offline_access").await?)?;
                let requests = tokens.iter().map(|token| target.introspect(web, token)).collect();
                Ok(self.once(requests, "\"active\":true"))
            }
            Kind::Userinfo => {
                let grants = self.grants(web, "openid profile email").await?;
                let request = |grant: &Grant| target.userinfo(&grant.access_token);
                Ok(repeat_each(grants.iter().map(request), "\"sub\""))
            }
            Kind::SignIn => {
                let task = || Task::SignIn { target: target.clone(), client: web.clone() };
                Ok((0..self.concurrency.min(MOST_SIGN_INS)).map(|_| task()).collect())
            }
            Kind::LoginPage => {
                let mut connection = Connection::new(target.server.address);
                let page = Browser::new(target).login_page(&mut connection, web).await?;
                Ok(self.repeat(page, "<form"))
            }
            Kind::Jwks => Ok(self.repeat(target.server.get(&target.endpoints.jwks, &[]), "\"keys\"")),
            Kind::Discovery => {
                Ok(self.repeat(target.server.get(&target.endpoints.discovery, &[]), "\"issuer\""))
            }
        }
    }

    fn machine(&self, machine: Machine) -> &Client {
        match machine {
            Machine::Es256 => &self.target.machine_es256,
            Machine::EdDsa => &self.target.machine_eddsa,
            Machine::Rs256 => &self.target.machine_rs256,
            Machine::Opaque => &self.target.machine_opaque,
        }
    }

    fn client_of(&self, format: Format) -> &Client {
        match format {
            Format::Jwt => &self.target.web_es256,
            Format::Opaque => &self.target.web_opaque,
        }
    }

    /// A question about a token of each of the grants.
    async fn introspections(&self, format: Format) -> Result<Vec<Vec<u8>>> {
        let client = self.client_of(format);
        let grants = self.grants(client, "openid").await?;
        Ok(grants.iter().map(|grant| self.target.introspect(client, &grant.access_token)).collect())
    }

    /// The same, each token taken back beforehand.
    async fn introspections_of_revoked(&self, format: Format) -> Result<Vec<Vec<u8>>> {
        let client = self.client_of(format);
        let mut connection = Connection::new(self.target.server.address);
        let grants = self.grants(client, "openid").await?;
        for grant in &grants {
            let answer = connection.send(&self.target.revoke(client, &grant.access_token)).await?;
            if answer.status != 200 {
                return Err(answer.describe().into());
            }
        }
        Ok(grants.iter().map(|grant| self.target.introspect(client, &grant.access_token)).collect())
    }

    fn each(&self, task: impl Fn() -> Task) -> Vec<Task> {
        (0..self.concurrency).map(|_| task()).collect()
    }

    fn repeat(&self, request: Vec<u8>, needle: &'static str) -> Vec<Task> {
        repeat_each(std::iter::repeat_n(request, self.concurrency), needle)
    }

    fn once(&self, requests: Vec<Vec<u8>>, needle: &'static str) -> Vec<Task> {
        let pool = Pool::new(requests);
        self.each(|| Task::Once { pool: pool.clone(), expect: Expect::Body(needle) })
    }

    fn authorize_request(&self, client: &Client, scope: &str) -> Vec<u8> {
        let path = self.target.authorize_path(client, scope);
        self.target.server.get(&path, &[("Cookie", &self.cookies)])
    }

    fn authorize_tasks(&self, client: &Client) -> Vec<Task> {
        let request = self.authorize_request(client, "openid");
        self.each(|| Task::Repeat { request: request.clone(), expect: Expect::Code })
    }

    fn exchange_tasks(&self, algorithm: Web) -> Result<Vec<Task>> {
        let client = match algorithm {
            Web::Es256 => &self.target.web_es256,
            Web::Rs256 => &self.target.web_rs256,
        };
        let codes = self.collect(self.authorize_tasks(client))?;
        let requests = codes.iter().map(|code| self.target.exchange(client, code)).collect();
        Ok(self.once(requests, "\"id_token\""))
    }

    async fn rotate_tasks(&self, scope: &str) -> Result<Vec<Task>> {
        let client = &self.target.web_es256;
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

    /// A grant for each worker, all from the one session.
    async fn grants(&self, client: &Client, scope: &str) -> Result<Vec<Grant>> {
        let mut connection = Connection::new(self.target.server.address);
        let authorize = self.authorize_request(client, scope);
        let mut grants = Vec::with_capacity(self.concurrency);
        for _ in 0..self.concurrency {
            let answer = connection.send(&authorize).await?;
            let location = answer.header("location").ok_or_else(|| answer.describe())?;
            let code = crate::browser::code(&location)?;
            let exchange = self.target.exchange(client, &code);
            let tokens = tokens(&connection.send(&exchange).await?)?;
            grants.push(Grant {
                access_token: text(&tokens, "access_token")?,
                refresh_token: text(&tokens, "refresh_token").ok(),
            });
        }
        Ok(grants)
    }
}

fn repeat_each(requests: impl Iterator<Item = Vec<u8>>, needle: &'static str) -> Vec<Task> {
    requests.map(|request| Task::Repeat { request, expect: Expect::Body(needle) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_selected_by_name_or_family() -> Result<()> {
        assert_eq!(select(None)?.len(), OPERATIONS.len());
        assert_eq!(select(Some("client_credentials"))?.len(), 4);
        assert_eq!(select(Some("refresh-openid"))?.len(), 1);
        assert_eq!(select(Some("refresh"))?.len(), 2);
        assert!(select(Some("ref")).is_err());
        Ok(())
    }
}
