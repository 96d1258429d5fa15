//! Bad input, as tables: every parameter of every grant and endpoint for clients, missing, empty, repeated, too long, of
//! the wrong type, of another client, expired, replayed; and the error that its RFC names for it.
//!
//! Each table begins with a request that is right in every way; a row spoils one parameter of a fresh one.

mod authorize;
mod endpoints;
mod grants;
mod token_exchange;

use crate::support::{Answer, Registration, TestServer};

/// A request; parameters may come twice.
type Form = Vec<(&'static str, String)>;

/// What is done to one parameter.
#[derive(Debug, Clone)]
enum Bad {
    Missing,
    Empty,
    /// The same value once more.
    Repeated,
    TooLong,
    Is(String),
}

use Bad::{Empty, Missing, Repeated, TooLong};

fn is(value: impl Into<String>) -> Bad {
    Bad::Is(value.into())
}

/// A parameter, what is done to it, and the error of a 400.
type Row = (&'static str, Bad, &'static str);

/// A parameter that has to be there. `wrong` is the error for a value that is none of its kind.
fn required(parameter: &'static str, wrong: &'static str) -> Vec<Row> {
    let absent = [Missing, Empty].map(|bad| (parameter, bad, "invalid_request"));
    absent.into_iter().chain(optional(parameter, wrong)).collect()
}

/// A parameter that may be left out.
fn optional(parameter: &'static str, wrong: &'static str) -> Vec<Row> {
    let wrong_values = [TooLong, is("\u{1f600}"), is("\"x\\"), is(" x"), is("x\ty")];
    let mut rows = vec![(parameter, Repeated, "invalid_request")];
    rows.extend(wrong_values.map(|bad| (parameter, bad, wrong)));
    // RFC 6749 appendix B
    rows.push((parameter, is("x\0"), "invalid_request"));
    rows
}

/// RFC 6749 5.2, RFC 8693 2.1: what holds for the grant type of every token request.
fn grant_type() -> Vec<Row> {
    [
        required("grant_type", "unsupported_grant_type"),
        vec![
            ("grant_type", is("implicit"), "unsupported_grant_type"),
            ("grant_type", is("AUTHORIZATION_CODE"), "unsupported_grant_type"),
            ("grant_type", is("urn:ietf:params:oauth:grant-type:saml2-bearer"), "unsupported_grant_type"),
        ],
    ]
    .concat()
}

/// RFC 8707 2: what nobody can ask a token for. Both may be repeated.
fn target() -> Vec<Row> {
    let wrong =
        [TooLong, is("/api"), is("https://api.example/#x"), is("https://unknown.example"), is("\u{e4}")];
    let row = |parameter: &'static str| wrong.clone().map(|bad| (parameter, bad, "invalid_target"));
    let nul = [("resource", is("x\0"), "invalid_request"), ("audience", is("x\0"), "invalid_request")];
    row("resource").into_iter().chain(row("audience")).chain(nul).collect()
}

/// The request with one parameter spoilt.
fn spoilt(right: &Form, parameter: &'static str, bad: &Bad) -> Form {
    let value = right.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value.clone());
    let mut form: Form = right.iter().filter(|(name, _)| *name != parameter).cloned().collect();
    let values = match bad {
        Missing => vec![],
        Empty => vec![String::new()],
        Repeated => vec![value.clone().unwrap_or_else(|| "x".into()), value.unwrap_or_else(|| "x".into())],
        TooLong => vec!["x".repeat(10_000)],
        Bad::Is(value) => vec![value.clone()],
    };
    form.extend(values.into_iter().map(|value| (parameter, value)));
    form
}

async fn send(server: &TestServer, client: &Registration, path: &str, form: &Form) -> Answer {
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server.post_as(client, path, &form).await
}

/// Asserts that the right request succeeds, and what becomes of it with each row. `fresh` makes a right one.
async fn assert_table(
    server: &TestServer,
    client: &Registration,
    path: &str,
    fresh: impl AsyncFn() -> Form,
    rows: Vec<Row>,
) {
    let answer = send(server, client, path, &fresh().await).await;
    assert_eq!(answer.status, 200, "the right request: {answer:?}");
    for (parameter, bad, error) in rows {
        let answer = send(server, client, path, &spoilt(&fresh().await, parameter, &bad)).await;
        let found = (answer.status.as_u16(), answer.json()["error"].as_str().map(str::to_owned));
        let bad = format!("{bad:?}").chars().take(60).collect::<String>();
        assert_eq!(found, (400, Some(error.to_owned())), "{path} {parameter} {bad}: {answer:?}");
        answer.assert_error(400, error);
    }
    let answer = send(server, client, path, &fresh().await).await;
    assert_eq!(answer.status, 200, "and nothing was broken by them: {answer:?}");
}
