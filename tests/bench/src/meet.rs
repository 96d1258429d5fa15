//! A server that runs already: what it says of itself and what a client of it gets, written down for `compare`.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::Result;
use crate::algorithms::kind_of_token;
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
