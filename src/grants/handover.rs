//! Verifiers: what the browser brings back from an external page that has answered.

use crate::app::App;
use crate::crypto::handle::{self, Handle, Purpose};
use crate::model::{AuthorizationRequestId, ExternalPage};
use crate::protocol::OAuthError;

/// The generation of the verifier of a page's step.
const fn generation(page: ExternalPage) -> u32 {
    match page {
        ExternalPage::Login => 1,
        ExternalPage::Consent => 2,
    }
}

/// The page from which a browser comes with this verifier.
pub(crate) fn page_of(verifier: &Handle) -> Option<ExternalPage> {
    ExternalPage::ALL.into_iter().find(|page| generation(*page) == verifier.generation())
}

/// Where the page has to send the browser: always the same for one step of one request.
pub(crate) fn redirect_to(
    app: &App,
    id: &AuthorizationRequestId,
    salt: &str,
    page: ExternalPage,
) -> Result<String, OAuthError> {
    let verifier = handle::issue(&app.master_key, Purpose::Verifier, id.as_str(), generation(page), salt)
        .ok_or_else(|| OAuthError::server_error("the request's id is malformed"))?;
    let path = format!("/authorize/continue?verifier={}", verifier.expose());
    Ok(app.settings.server.issuer.join(&path))
}
