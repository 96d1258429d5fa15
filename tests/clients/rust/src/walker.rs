//! A browser without a screen: follows redirects, keeps cookies, fills in the HTML forms it is shown.

use std::collections::BTreeMap;

use reqwest::blocking::{Client, Response};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

use crate::report::Outcome;

const HOPS: usize = 15;

pub struct Walker<'a> {
    http: &'a Client,
    username: &'a str,
    password: &'a str,
    cookies: BTreeMap<String, String>,
}

impl<'a> Walker<'a> {
    pub fn new(http: &'a Client, username: &'a str, password: &'a str) -> Self {
        Self { http, username, password, cookies: BTreeMap::new() }
    }

    /// Walks from `start` until the server sends the browser to `destination`; answers that URL.
    pub fn walk(&mut self, start: Url, destination: &Url) -> Outcome<Url> {
        let (mut url, mut fields) = (start, None::<Vec<(String, String)>>);
        let mut logins = 0;
        for _ in 0..HOPS {
            let response = self.send(&url, fields.take())?;
            if let Some(location) = response.headers().get(LOCATION) {
                url = url.join(location.to_str()?)?;
                if url.origin() == destination.origin() && url.path() == destination.path() {
                    return Ok(url);
                }
                continue;
            }
            let status = response.status();
            let page = response.text()?;
            let Some(form) = Form::first(&page) else {
                return Err(
                    format!("a page without a form, status {status}, at {url}: {}", text(&page)).into()
                );
            };
            logins += usize::from(form.asks_password());
            if logins > 1 {
                return Err(format!("the login form came back: {}", text(&page)).into());
            }
            fields = Some(form.fill(self.username, self.password));
            url = url.join(&form.action)?;
        }
        Err(format!("no end after {HOPS} pages; the last one was {url}").into())
    }

    fn send(&mut self, url: &Url, fields: Option<Vec<(String, String)>>) -> Outcome<Response> {
        let cookie = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let request = match &fields {
            Some(fields) => self.http.post(url.clone()).form(fields),
            None => self.http.get(url.clone()),
        };
        let response = request.header(COOKIE, cookie.join("; ")).send()?;
        for line in response.headers().get_all(SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(response)
    }
}

struct Form {
    action: String,
    /// Type, name and value of each field that is sent.
    fields: Vec<[String; 3]>,
}

impl Form {
    /// The page's first form that is posted.
    fn first(page: &str) -> Option<Self> {
        let (head, body) = page.split("<form").skip(1).find_map(|rest| {
            let (head, body) = rest.split_once('>')?;
            let posted = attribute(head, "method")?.eq_ignore_ascii_case("post");
            posted.then_some((head, body.split("</form").next()?))
        })?;
        let mut fields = Vec::new();
        for tag in body.split('<').skip(1) {
            let tag = tag.split('>').next()?;
            let is_button = tag.starts_with("button");
            let Some(name) = attribute(tag, "name").filter(|_| is_button || tag.starts_with("input")) else {
                continue;
            };
            let kind = attribute(tag, "type").unwrap_or_else(|| "text".to_owned());
            let value = attribute(tag, "value").unwrap_or_default();
            let unticked = kind == "checkbox" && !tag.contains("checked");
            // Of the buttons only the one that says yes is pressed.
            if !unticked && (!is_button || value == "allow") {
                fields.push([kind, name, value]);
            }
        }
        Some(Self { action: attribute(head, "action").unwrap_or_default(), fields })
    }

    fn asks_password(&self) -> bool {
        self.fields.iter().any(|[kind, ..]| kind == "password")
    }

    fn fill(&self, username: &str, password: &str) -> Vec<(String, String)> {
        let value_of = |kind: &str, value: &str| match kind {
            "password" => password.to_owned(),
            "text" | "email" => username.to_owned(),
            _ => value.to_owned(),
        };
        self.fields.iter().map(|[kind, name, value]| (name.clone(), value_of(kind, value))).collect()
    }
}

/// The value of an attribute, with the entities that templates write resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split([' ', '/', '\n']).next()?,
    };
    let mut value = value.to_owned();
    for (entity, character) in
        [("&#38;", "&"), ("&#34;", "\""), ("&#39;", "'"), ("&quot;", "\""), ("&amp;", "&")]
    {
        value = value.replace(entity, character);
    }
    Some(value)
}

/// What a person would read, shortened.
fn text(page: &str) -> String {
    let body = page.split_once("<body").map_or(page, |(_, body)| body);
    let words = body
        .split('<')
        .filter_map(|piece| piece.split_once('>'))
        .flat_map(|(_, text)| text.split_whitespace());
    words.take(80).collect::<Vec<_>>().join(" ")
}
