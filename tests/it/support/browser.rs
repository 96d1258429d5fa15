//! A browser without scripts: cookies, forms, and the patience to follow our own redirects.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

use super::{PASSWORD, Process};
use serde_json::Value;

use super::server::{Answer, Registration, TestServer, encode, query_of};

pub struct Browser<'s> {
    server: &'s TestServer,
    /// The process that it asks instead.
    process: Option<Arc<Process>>,
    pub cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

impl<'s> Browser<'s> {
    pub fn new(server: &'s TestServer) -> Self {
        Self { server, process: None, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// From now on it asks this process.
    pub fn visit(&mut self, process: &Arc<Process>) {
        self.process = Some(Arc::clone(process));
    }

    /// And now it does not.
    pub fn leave(&mut self) {
        self.process = None;
    }

    /// One GET to a process; none where the connection broke.
    pub async fn try_get_from(&mut self, process: &Process, path: &str) -> Option<Answer> {
        let answer = process.try_send(self.request(Method::GET, path, None)).await?;
        self.keep_cookies(&answer);
        Some(answer)
    }

    /// One form posted to a process; none where the connection broke.
    pub async fn try_post_to(
        &mut self,
        process: &Process,
        path: &str,
        form: &[(&str, &str)],
    ) -> Option<Answer> {
        let answer = process.try_send(self.request(Method::POST, path, Some(encode(form)))).await?;
        self.keep_cookies(&answer);
        Some(answer)
    }

    /// One GET; a redirect is returned, not followed.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, Some(encode(form))).await
    }

    /// Goes where a page of ours sends the browser, until there is a page or another site.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            let prefix = format!("{}/", self.server.issuer());
            if answer.status != StatusCode::SEE_OTHER || !answer.location().starts_with(&prefix) {
                return answer;
            }
            let path = path_of(answer.location());
            answer = self.get(&path).await;
        }
        panic!("redirected in circles: {answer:?}");
    }

    /// Fills in the sign-in page.
    pub async fn sign_in(&mut self, page: &Answer, username: &str, password: &str) -> Answer {
        let (request, csrf) = (hidden(page, "request"), hidden(page, "csrf"));
        let form =
            [("request", request.as_str()), ("csrf", &csrf), ("username", username), ("password", password)];
        self.post(&self.at("/login"), &form).await
    }

    /// Answers the consent page.
    pub async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let (request, csrf) = (hidden(page, "request"), hidden(page, "csrf"));
        self.post(&self.at("/consent"), &[("request", &request), ("csrf", &csrf), ("decision", decision)])
            .await
    }

    /// The sign-in page for somebody else, from the account chooser.
    pub async fn use_another(&mut self, page: &Answer) -> Answer {
        let link =
            page.body.split("<a class=\"account\" href=\"").nth(1).unwrap_or_else(|| panic!("{page:?}"));
        let link = link.split('"').next().unwrap().replace("&#38;", "&");
        self.get(&link).await
    }

    /// Answers the account chooser for one of its accounts.
    pub async fn choose(&mut self, page: &Answer, username: &str, decision: &str) -> Answer {
        let row = page.body.split("<li>").find(|row| row.contains(&format!(">{username}</bdi>")));
        let row = row.unwrap_or_else(|| panic!("no {username} in {page:?}"));
        let field = |name: &str| {
            let rest = row.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, rest)| rest);
            rest.and_then(|rest| rest.split('"').next()).unwrap_or_default()
        };
        let form = ["request", "return", "csrf", "session"].map(|name| (name, field(name)));
        let form: Vec<_> = form.into_iter().chain([("decision", decision)]).collect();
        self.post(&self.at("/select_account"), &form).await
    }

    /// Signs in as somebody else too.
    pub async fn add(&mut self, username: &str) {
        let page = self.get(&self.at("/login?account=other")).await;
        let answer = self.sign_in(&page, username, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    }

    /// An authorization request through every page that comes up, to the redirect to the application.
    pub async fn authorize_as(&mut self, path: &str, username: &str) -> Answer {
        let first = self.get(path).await;
        let mut page = self.follow(first).await;
        if page.body.contains("name=\"password\"") {
            let answer = self.sign_in(&page, username, PASSWORD).await;
            page = self.follow(answer).await;
        }
        if page.body.contains("name=\"decision\"") {
            page = self.decide(&page, "allow").await;
        }
        page
    }

    /// Signs in by way of the account page.
    pub async fn enter(&mut self, username: &str) -> Answer {
        let page = self.get(&self.at("/login")).await;
        let form = [("csrf", &*hidden(&page, "csrf")), ("username", username), ("password", PASSWORD)];
        let answer = self.post(&self.at("/login"), &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer
    }

    /// Who the account page says is signed in.
    pub async fn signed_in_as(&mut self) -> Option<String> {
        let page = self.get(&self.at("/account")).await;
        (page.status == StatusCode::OK).then(|| hidden(&page, "username"))
    }

    /// The tokens of a whole flow in this browser.
    pub async fn tokens(&mut self, client: &Registration, username: &str, change: &[(&str, &str)]) -> Value {
        let answer = self.authorize_as(&self.server.authorization(client, change), username).await;
        let code = query_of(answer.location(), "code").unwrap_or_else(|| panic!("no code: {answer:?}"));
        let answer = self.server.redeem(client, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// A page of ours, below the issuer's path.
    pub fn at(&self, path: &str) -> String {
        path_of(&format!("{}{path}", self.server.issuer()))
    }

    fn request(&self, method: Method, path: &str, form: Option<String>) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !self.cookies.is_empty() {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if form.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request.body(Body::from(form.unwrap_or_default())).unwrap()
    }

    async fn send(&mut self, method: Method, path: &str, form: Option<String>) -> Answer {
        let request = self.request(method, path, form);
        let answer = match &self.process {
            Some(process) => process.try_send(request).await.expect("an answer"),
            None => self.server.send(request).await,
        };
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

/// Path and query of a URL of ours.
pub fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// The value of a hidden field of a page.
#[track_caller]
pub fn hidden(page: &Answer, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let found = page.body.split_once(&field).and_then(|(_, rest)| rest.split_once('"'));
    found.map(|(value, _)| value.to_owned()).unwrap_or_else(|| panic!("no field {name} in {page:?}"))
}
