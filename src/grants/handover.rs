//! Verifiers: what the browser brings back from an external page that has answered.

use crate::app::App;
use crate::crypto::handle::{self, Purpose};
use crate::model::Handover;
use crate::protocol::OAuthError;

/// The generation of the verifier of the login step.
pub(crate) const LOGIN: u32 = 1;
/// The generation of the verifier of the consent step.
pub(crate) const CONSENT: u32 = 2;

/// Where the page has to send the browser: always the same for one step of one request.
pub(crate) fn redirect_to(app: &App, handover: &Handover, generation: u32) -> Result<String, OAuthError> {
    let id = handover.request_id.as_str();
    let verifier = handle::issue(&app.master_key, Purpose::Verifier, id, generation, &handover.salt)
        .ok_or_else(|| OAuthError::server_error("the request's id is malformed"))?;
    let path = format!("/authorize/continue?verifier={}", verifier.expose());
    Ok(app.settings.server.issuer.join(&path))
}
