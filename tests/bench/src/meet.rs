//! A server that runs already: what it says of itself and what a client of it gets, written down for `compare`.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Result;
use crate::http::Connection;
use crate::target::{Client, DISCOVERY, Extras, Server, Target, text};
use crate::task::tokens;

/// A client for client credentials.
pub struct Credentials {
    pub id: String,
    pub secret: String,
    pub scope: Option<String>,
}

/// Describes a server in a directory that exists: without credentials only its documents can be asked for.
pub async fn meet(
    url: &str,
    pid: Option<u32>,
    credentials: Option<Credentials>,
    directory: &Path,
) -> Result<()> {
    let issuer = url.strip_suffix(DISCOVERY).unwrap_or(url);
    let mut about = json!({ "name": issuer, "url": issuer, "pid": pid });
    if let Some(scope) = credentials.as_ref().and_then(|found| found.scope.as_deref()) {
        about["client_credentials"] = json!({ "scope": scope });
    }
    let target = Target::load(Server::parse(issuer)?, directory, Extras::read(&about)).await?;
    if let Some(found) = credentials {
        let name = kind_of_client(&target, &Client::new(&found.id, &found.secret, "")).await?;
        let fixture = json!({ "client_id": found.id, "client_secret": found.secret });
        fs::write(directory.join(format!("{name}.json")), fixture.to_string())?;
    }
    Ok(fs::write(directory.join("server.json"), about.to_string())?)
}

/// Its tokens tell which of Chancery's clients does the same work.
async fn kind_of_client(target: &Target, client: &Client) -> Result<&'static str> {
    let mut connection = Connection::new(target.server.address);
    let answer = connection.send(&target.client_credentials(client)).await?;
    let answer = tokens(&answer).map_err(|error| format!("client credentials: {error}"))?;
    kind_of_token(&text(&answer, "access_token")?)
}

fn kind_of_token(token: &str) -> Result<&'static str> {
    let Some(algorithm) = algorithm(token) else { return Ok("machine-opaque") };
    match algorithm.as_str() {
        "ES256" => Ok("machine-es256"),
        "EdDSA" => Ok("machine-eddsa"),
        "RS256" => Ok("machine-rs256"),
        other => Err(format!("its access tokens are signed with {other}, which is not compared").into()),
    }
}

/// Of a JWT (RFC 7515 7.1); anything else is opaque.
fn algorithm(token: &str) -> Option<String> {
    let [header, _, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header["alg"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_it_is() -> Result<()> {
        let jwt = |header: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(kind_of_token(&jwt(r#"{"alg":"ES256","typ":"at+jwt"}"#))?, "machine-es256");
        assert_eq!(kind_of_token(&jwt(r#"{"alg":"EdDSA"}"#))?, "machine-eddsa");
        assert_eq!(kind_of_token(&jwt(r#"{"alg":"RS256"}"#))?, "machine-rs256");
        assert!(kind_of_token(&jwt(r#"{"alg":"PS512"}"#)).is_err());
        for opaque in ["abc", "a.b", "a.b.c", "a.b.c.d.e"] {
            assert_eq!(kind_of_token(opaque)?, "machine-opaque");
        }
        Ok(())
    }
}
