//! A user's browser, as far as signing in needs one: cookies, redirects, and the server's own forms.

use crate::Result;
use crate::html::{self, Form};
use crate::http::{Answer, Connection};
use crate::target::{Client, Target};

const MAX_STEPS: usize = 12;

pub struct Browser<'t> {
    target: &'t Target,
    cookies: Vec<(String, String)>,
}

enum Next {
    Follow(String),
    Submit(Form),
}

impl<'t> Browser<'t> {
    pub fn new(target: &'t Target) -> Self {
        Self { target, cookies: Vec::new() }
    }

    pub fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Opens an authorization request and answers whatever page comes until the client gets its code.
    pub async fn authorize(
        &mut self,
        connection: &mut Connection,
        client: &Client,
        scope: &str,
    ) -> Result<String> {
        let mut path = self.target.authorize_path(client, scope)?;
        let mut form: Option<Form> = None;
        for _ in 0..MAX_STEPS {
            let request = match form.take() {
                None => self.target.server.get(&path, &[("Cookie", &self.cookie_header())]),
                Some(form) => self.submission(&path, &form)?,
            };
            let answer = connection.send(&request).await?;
            keep_cookies(&mut self.cookies, &answer);
            match next(&answer)? {
                Next::Follow(location) => {
                    if location.starts_with(&client.redirect_uri) {
                        return code(&location);
                    }
                    path = self.local(&location)?;
                }
                Next::Submit(found) => {
                    if !found.action.is_empty() {
                        path = self.local(&found.action)?;
                    }
                    form = Some(found);
                }
            }
        }
        Err(format!("no code after {MAX_STEPS} pages").into())
    }

    /// The request for the page that asks somebody unknown to sign in.
    pub async fn login_page(&mut self, connection: &mut Connection, client: &Client) -> Result<Vec<u8>> {
        let mut path = self.target.authorize_path(client, "openid")?;
        for _ in 0..MAX_STEPS {
            let request = self.target.server.get(&path, &[("Cookie", &self.cookie_header())]);
            let answer = connection.send(&request).await?;
            keep_cookies(&mut self.cookies, &answer);
            match next(&answer)? {
                Next::Follow(location) => path = self.local(&location)?,
                // Anew, as the first answer brought a cookie that the next ones come with.
                Next::Submit(_) => {
                    return Ok(self.target.server.get(&path, &[("Cookie", &self.cookie_header())]));
                }
            }
        }
        Err(format!("no form after {MAX_STEPS} pages").into())
    }

    fn local(&self, location: &str) -> Result<String> {
        let path = self.target.server.local(location);
        path.ok_or_else(|| format!("the server sent the browser to {location}").into())
    }

    fn submission(&self, path: &str, form: &Form) -> Result<Vec<u8>> {
        let mut fields: Vec<(&str, &str)> =
            form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if form.is_login() {
            let user = self.target.user.as_ref().ok_or("a login page, and no user who could sign in")?;
            fields.push(("username", &user.username));
            fields.push(("password", &user.password));
        } else {
            fields.push(("decision", "allow"));
        }
        let (cookies, origin) = (self.cookie_header(), self.target.server.origin());
        let headers = [("Cookie", cookies.as_str()), ("Origin", &origin), ("Sec-Fetch-Site", "same-origin")];
        Ok(self.target.server.post(path, &headers, &fields))
    }
}

fn next(answer: &Answer<'_>) -> Result<Next> {
    match answer.status {
        302 | 303 => Ok(Next::Follow(answer.header("location").ok_or("a redirect without Location")?)),
        200 => {
            let page = std::str::from_utf8(answer.body)?;
            let form = html::forms(page).into_iter().find(|form| form.is_login() || is_consent(form));
            form.map(Next::Submit).ok_or_else(|| "a page with neither the login nor the consent form".into())
        }
        _ => Err(answer.describe().into()),
    }
}

fn is_consent(form: &Form) -> bool {
    form.action.split('?').next().is_some_and(|path| path.ends_with("/consent"))
}

fn keep_cookies(cookies: &mut Vec<(String, String)>, answer: &Answer<'_>) {
    for line in answer.headers("set-cookie") {
        let pair = line.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        cookies.retain(|(known, _)| known != name.trim());
        if !value.is_empty() {
            cookies.push((name.trim().to_owned(), value.to_owned()));
        }
    }
}

/// The `code` of a redirect to the client; an error response is reported as it is.
pub fn code(location: &str) -> Result<String> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let value = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    value.map(str::to_owned).ok_or_else(|| format!("the client got no code: {location}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_from_the_redirect() -> Result<()> {
        assert_eq!(code("http://127.0.0.1/cb?state=x&code=abc&iss=y")?, "abc");
        assert!(code("http://127.0.0.1/cb?error=access_denied").is_err());
        Ok(())
    }
}
