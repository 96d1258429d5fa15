//! `kill -9` between the request and the code, while people answer the consent page: a yes is remembered and its request
//! answered, both or neither, and no form is honoured twice.

use std::sync::Arc;

use serde_json::json;

use super::{ONLINE, a_while, kills};
use crate::support::authorization::is_consent;
use crate::support::{
    Answer, Browser, Deployment, Kind, Process, Registration, all, hidden, on_both, path_of, query_of,
};

const SETTINGS: [(&str, &str); 1] = [("TOKENS__AUTHORIZATION_CODE_SECONDS", "600")];
const PEOPLE: usize = 3;
/// More than a person can answer until the kill.
const QUESTIONS: usize = 12;

/// An application that nobody has said a word to yet.
struct Question {
    client: Registration,
    /// The fields of the consent form, once it was sent: it may have been honoured.
    sent: Option<[(&'static str, String); 3]>,
    /// What it was answered with.
    code: Option<String>,
}

struct Person<'s> {
    browser: Browser<'s>,
    questions: Vec<Question>,
    /// Those whose yes was acknowledged.
    allowed: Vec<Registration>,
}

impl<'s> Person<'s> {
    async fn new(deployment: &'s Deployment) -> Self {
        let mut browser = deployment.pages.browser();
        browser.enter("ada").await;
        Self { browser, questions: Vec::new(), allowed: Vec::new() }
    }

    async fn stock(&mut self, deployment: &Deployment) {
        while self.questions.len() < QUESTIONS {
            let client = deployment.pages.client(json!({})).await;
            self.questions.push(Question { client, sent: None, code: None });
        }
    }

    /// Says yes to one application after the other, each time with a form sent twice, until there is no answer.
    async fn answer_all(&mut self, deployment: &Deployment, process: &Process) -> Option<()> {
        for question in &mut self.questions {
            let path = deployment.pages.authorization(&question.client, &ONLINE);
            let page = go(&mut self.browser, process, &path).await?;
            assert!(is_consent(&page), "{page:?}");
            let fields = [("request", hidden(&page, "request")), ("csrf", hidden(&page, "csrf"))];
            let [request, csrf] = fields;
            question.sent = Some([request, csrf, ("decision", "allow".to_owned())]);
            question.code = Some(code_of(&send(&mut self.browser, process, question).await?));
            let again = send(&mut self.browser, process, question).await?;
            assert_eq!(question.code, query_of(again.location(), "code"));
        }
        None
    }

    /// Holds a new process to what was acknowledged.
    async fn check(&mut self, deployment: &Deployment, process: &Process) {
        let over = self.questions.extract_if(.., |question| question.sent.is_some());
        for question in over.collect::<Vec<_>>() {
            // Honoured before or now: it is the same request, with one answer.
            let code = code_of(&send(&mut self.browser, process, &question).await.unwrap());
            assert!(question.code.as_ref().is_none_or(|before| *before == code), "an answer was lost");
            assert_eq!(deployment.pages.redeem(&question.client, &code).await.status, 200);
            let again = send(&mut self.browser, process, &question).await.unwrap();
            assert!(again.body.contains("This sign-in is over"), "a form was honoured twice: {again:?}");
            self.allowed.push(question.client);
        }
        let asked = deployment.pages.authorization(&self.questions[0].client, &ONLINE);
        let page = go(&mut self.browser, process, &asked).await.unwrap();
        assert!(is_consent(&page), "nobody said yes: {page:?}");
    }

    async fn is_asked_nothing_again(&mut self, deployment: &Deployment, process: &Process) {
        for client in &self.allowed {
            let path = deployment.pages.authorization(client, &ONLINE);
            code_of(&go(&mut self.browser, process, &path).await.unwrap());
        }
    }
}

/// A GET, and wherever our own pages lead.
async fn go(browser: &mut Browser<'_>, process: &Process, path: &str) -> Option<Answer> {
    let mut answer = browser.try_get_from(process, path).await?;
    let consent = browser.at("/consent");
    while answer.status == 303 && path_of(answer.location()).starts_with(&consent) {
        answer = browser.try_get_from(process, &path_of(answer.location())).await?;
    }
    Some(answer)
}

async fn send(browser: &mut Browser<'_>, process: &Process, question: &Question) -> Option<Answer> {
    let form = question.sent.as_ref().unwrap().each_ref().map(|(name, value)| (*name, value.as_str()));
    let path = browser.at("/consent");
    browser.try_post_to(process, &path, &form).await
}

#[track_caller]
fn code_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

/// From now on a yes takes the database long, so that kills come in the middle of it.
async fn slow_down(deployment: &Deployment, kind: Kind) {
    let statements: &[&'static str] = match kind {
        Kind::Postgres => &[
            "CREATE FUNCTION slow() RETURNS trigger AS \
             'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END' LANGUAGE plpgsql",
            "CREATE TRIGGER slow_grants BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION slow()",
            "CREATE TRIGGER slow_consents BEFORE INSERT ON consents FOR EACH ROW EXECUTE FUNCTION slow()",
        ],
        Kind::Sqlite => &[
            "CREATE TRIGGER slow_grants BEFORE INSERT ON grants BEGIN SELECT \
             (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) SELECT max(x) FROM c); END",
            "CREATE TRIGGER slow_consents BEFORE INSERT ON consents BEGIN SELECT \
             (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) SELECT max(x) FROM c); END",
        ],
    };
    for statement in statements {
        deployment.pages.sql(statement).await;
    }
}

/// Before anybody sends anything again.
async fn nothing_was_done_by_half(deployment: &Deployment) {
    let count = async |sql| deployment.pages.number(sql).await;
    let without_consent = "SELECT COUNT(*) FROM grants g LEFT JOIN consents c \
         ON c.user_id = g.user_id AND c.client_id = g.client_id WHERE c.user_id IS NULL";
    assert_eq!(count(without_consent).await, 0, "a code without its consent");
    let without_grant = "SELECT COUNT(*) FROM consents c LEFT JOIN grants g \
         ON g.user_id = c.user_id AND g.client_id = c.client_id WHERE g.user_id IS NULL";
    assert_eq!(count(without_grant).await, 0, "a consent without its code");
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT client_id) FROM grants";
    assert_eq!(count(twice).await, 0, "two codes of one form");
}

on_both! {
    async fn a_yes_is_remembered_and_answered_or_neither_when_killed_at_any_instant(kind: Kind) {
        let deployment = Deployment::prepare_with(kind, &SETTINGS).await;
        slow_down(&deployment, kind).await;
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            people.push(Person::new(&deployment).await);
        }
        let start = async || Arc::new(Process::start(&deployment.pages.environment).await);
        for _ in 0..kills() {
            let process = start().await;
            for person in &mut people {
                person.stock(&deployment).await;
            }
            let mut work: Vec<std::pin::Pin<Box<dyn Future<Output = Option<()>> + '_>>> = Vec::new();
            work.extend(people.iter_mut().map(|person| Box::pin(person.answer_all(&deployment, &process)) as _));
            work.push(Box::pin(async {
                a_while(600).await;
                process.kill();
                None
            }));
            all(work).await;
            let process = start().await;
            nothing_was_done_by_half(&deployment).await;
            for person in &mut people {
                person.check(&deployment, &process).await;
            }
            nothing_was_done_by_half(&deployment).await;
        }
        let process = start().await;
        for person in &mut people {
            person.is_asked_nothing_again(&deployment, &process).await;
        }
        assert!(people.iter().any(|person| !person.allowed.is_empty()), "too idle to show a thing");
    }
}
