//! How an answer goes back to an application: by a redirect, or by a form that the browser posts (OAuth 2.0 Form Post
//! Response Mode).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::answer::Failure;
use super::views::{Application, FormPostPage};
use super::visitor::Visitor;
use crate::app::App;
use crate::grants::authorization_response;
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::response::{AuthorizationResponse, Delivery, RedirectTarget};

/// The application learns who posts, and nothing of our address but its origin.
const ORIGIN: HeaderValue = HeaderValue::from_static("strict-origin");

impl Visitor {
    /// Sends the browser back to the application.
    pub async fn deliver(
        &self,
        app: &App,
        client: &Client,
        response: AuthorizationResponse,
    ) -> Result<Response, Failure> {
        match authorization_response::deliver(app, client, response).await? {
            Delivery::Redirect(location) => Ok(self.redirect(app, &location)),
            Delivery::Form { action, fields } => Ok(self.form_post(app, client, &action, fields)),
        }
    }

    /// Sends the browser back with an error.
    pub async fn refuse(
        &self,
        app: &App,
        client: &Client,
        target: &RedirectTarget,
        error: &OAuthError,
    ) -> Result<Response, Failure> {
        crate::http::log(error);
        let mut response = self.deliver(app, client, target.failure(app.issuer(), error)).await?;
        crate::http::note(&mut response, error);
        Ok(response)
    }

    fn form_post(
        &self,
        app: &App,
        client: &Client,
        action: &str,
        fields: Vec<(&'static str, String)>,
    ) -> Response {
        let view = FormPostPage {
            frame: self.frame(app, None),
            application: Application::new(
                &client.name,
                client.logo_uri.as_deref(),
                client.client_uri.as_deref(),
            ),
            action,
            fields,
        };
        let mut response = self.page(app, StatusCode::OK, &view);
        response.headers_mut().insert(header::REFERRER_POLICY, ORIGIN);
        response
    }
}
