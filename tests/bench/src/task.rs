//! What one worker repeats: a request, a check of its answer, and what the next request needs of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::Result;
use crate::browser::{self, Browser};
use crate::http::{Answer, Connection};
use crate::target::{Client, Target, text};

/// What an answer must be for the request to count.
#[derive(Clone, Copy)]
pub enum Expect {
    /// 200 and this text in the body.
    Body(&'static str),
    /// A redirect that carries a code.
    Code,
}

/// Requests made beforehand, each sent once, shared by all workers.
#[derive(Clone)]
pub struct Pool {
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
}

impl Pool {
    pub fn new(requests: Vec<Vec<u8>>) -> Self {
        Self { requests: Arc::new(requests), next: Arc::default() }
    }

    fn take(&self) -> Option<&[u8]> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.requests.get(index).map(Vec::as_slice)
    }
}

#[derive(Clone)]
pub enum Task {
    Repeat {
        request: Vec<u8>,
        expect: Expect,
    },
    Once {
        pool: Pool,
        expect: Expect,
    },
    Rotate {
        target: Arc<Target>,
        client: Client,
        refresh_token: String,
    },
    /// A new browser each time: login page, password, code.
    SignIn {
        target: Arc<Target>,
        client: Client,
    },
    /// Load beside that of the others, whose latencies alone are kept.
    Aside(Box<Self>),
    AuthorizeAndExchange {
        target: Arc<Target>,
        client: Client,
        authorize: Vec<u8>,
    },
}

/// The outcome of one step: what it produced (a code or a token) where there is something to keep.
pub enum Step {
    Done(Option<String>),
    /// Nothing that counts.
    Aside,
    /// The pool is empty.
    Exhausted,
}

impl Task {
    pub async fn step(&mut self, connection: &mut Connection) -> Result<Step> {
        let product = match self {
            Self::Repeat { request, expect } => check(&connection.send(request).await?, *expect)?,
            Self::Once { pool, expect } => {
                let Some(request) = pool.take() else { return Ok(Step::Exhausted) };
                check(&connection.send(request).await?, *expect)?
            }
            Self::Rotate { target, client, refresh_token } => {
                let request = target.refresh(client, refresh_token);
                let tokens = tokens(&connection.send(&request).await?)?;
                *refresh_token = text(&tokens, "refresh_token")?;
                Some(text(&tokens, "access_token")?)
            }
            Self::SignIn { target, client } => {
                Some(Browser::new(target).authorize(connection, client, "openid").await?)
            }
            Self::Aside(task) => {
                Box::pin(task.step(connection)).await?;
                return Ok(Step::Aside);
            }
            Self::AuthorizeAndExchange { target, client, authorize } => {
                let code = check(&connection.send(authorize).await?, Expect::Code)?.unwrap_or_default();
                let request = target.exchange(client, &code);
                check(&connection.send(&request).await?, Expect::Body("\"access_token\""))?
            }
        };
        Ok(Step::Done(product))
    }

    /// Is it the same request each time, so that it can be measured again?
    pub fn is_repeatable(&self) -> bool {
        matches!(self, Self::Repeat { .. })
    }

    /// Does it cost the server what the requests that count did not?
    pub fn is_aside(&self) -> bool {
        matches!(self, Self::Aside(_))
    }

    /// Does the work end by itself?
    pub fn is_finite(&self) -> bool {
        matches!(self, Self::Once { .. })
    }
}

fn check(answer: &Answer<'_>, expect: Expect) -> Result<Option<String>> {
    match expect {
        Expect::Body(needle) => {
            let found = answer.body.windows(needle.len()).any(|part| part == needle.as_bytes());
            if answer.status == 200 && found { Ok(None) } else { Err(answer.describe().into()) }
        }
        Expect::Code => match (answer.status, answer.header("location")) {
            (302 | 303, Some(location)) => browser::code(&location).map(Some),
            _ => Err(answer.describe().into()),
        },
    }
}

/// The JSON object of a token response.
pub fn tokens(answer: &Answer<'_>) -> Result<Value> {
    if answer.status != 200 {
        return Err(answer.describe().into());
    }
    Ok(serde_json::from_slice(answer.body)?)
}
