//! The software statement of a registration (RFC 7591 2.3): whoever signed it is asked for, and what it says counts more than
//! what the client says.

use crate::app::App;
use crate::protocol::OAuthError;
use crate::protocol::registration::members::SOFTWARE_STATEMENT;
use crate::protocol::registration::request::Members;
use crate::protocol::registration::statement::{self, Statement};

/// The members with those of the software statement over them, if there is one.
pub(super) async fn believed(app: &App, mut given: Members) -> Result<Members, OAuthError> {
    let Some(jwt) = given.get(SOFTWARE_STATEMENT) else {
        if app.settings.registration.require_software_statement {
            return Err(statement::missing());
        }
        return Ok(given);
    };
    let jwt = jwt.as_str().ok_or_else(|| statement::invalid("software_statement is a JWT, a text."))?;
    let statement = Statement::read(jwt, app.now())?;
    let issuer = app.storage.software_issuer(&statement.issuer).await?.ok_or_else(statement::unapproved)?;
    let keys = app
        .remote_keys
        .of(&issuer.keys, statement.kid.as_deref(), app.now())
        .await?
        .ok_or_else(statement::keyless)?;
    let claims = statement.verified(&keys)?;
    statement::lay_over(&mut given, claims);
    Ok(given)
}
