//! How an answer goes back to an application: by a redirect, or by a form that the browser posts (OAuth 2.0 Form Post
//! Response Mode).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::answer::Failure;
use super::views::{Application, FormPostPage, Problem, StrangerPage};
use super::visit::Visit;
use crate::app::App;
use crate::grants::authorization_response::ResponseEncoder;
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::response::{AuthorizationResponse, Delivery, RedirectTarget};
use crate::site::links::ReturnTo;

/// The application learns who posts, and nothing of our address but its origin.
const ORIGIN: HeaderValue = HeaderValue::from_static("strict-origin");

impl Visit {
    /// Sends the browser back to the application.
    pub(crate) fn deliver(
        &self,
        client: &Client,
        encoder: &ResponseEncoder,
        response: AuthorizationResponse,
    ) -> Result<Response, Failure> {
        match encoder.encode(&self.app, client, response)? {
            Delivery::Redirect(location) => Ok(self.redirect(&location)),
            Delivery::Form { action, fields } => Ok(self.form_post(client, &action, fields)),
        }
    }

    /// Sends the browser back with an error.
    pub(crate) async fn refuse(
        &self,
        client: &Client,
        target: &RedirectTarget,
        error: &OAuthError,
    ) -> Result<Response, Failure> {
        let encoder = ResponseEncoder::find(&self.app, client, target).await?;
        self.refuse_with(&encoder, &self.app, client, target, error)
    }

    /// The same where no person has seen anything of the request yet: one who is to be led to an application that registered
    /// itself is asked first.
    pub(crate) async fn refuse_unseen(
        &self,
        client: &Client,
        target: &RedirectTarget,
        error: &OAuthError,
    ) -> Result<Response, Failure> {
        if self.may_be_led_to(client).await? {
            return self.refuse(client, target, error).await;
        }
        crate::request::log(error);
        let encoder = ResponseEncoder::find(&self.app, client, target).await?;
        let answer = encoder.encode(&self.app, client, target.failure(self.app.issuer(), error))?;
        let place = ReturnTo::parse(target.uri()).ok_or_else(|| Failure::new(Problem::WrongReturnAddress))?;
        let frame = self.frame(None);
        let application = Application::of(client, frame.text.tag());
        let view = StrangerPage { frame, application, place, detail: &error.description, answer: &answer };
        let mut response = self.page_with_opener(StatusCode::BAD_REQUEST, &view);
        crate::http::note(&mut response, error);
        Ok(response)
    }

    pub(crate) fn refuse_with(
        &self,
        encoder: &ResponseEncoder,
        app: &App,
        client: &Client,
        target: &RedirectTarget,
        error: &OAuthError,
    ) -> Result<Response, Failure> {
        crate::request::log(error);
        let mut response = self.deliver(client, encoder, target.failure(app.issuer(), error))?;
        crate::http::note(&mut response, error);
        Ok(response)
    }

    fn form_post(&self, client: &Client, action: &str, fields: Vec<(&'static str, String)>) -> Response {
        let frame = self.frame(None);
        let application = Application::of(client, frame.text.tag());
        let view = FormPostPage { frame, application, action, fields };
        let mut response = self.page_with_opener(StatusCode::OK, &view);
        response.headers_mut().insert(header::REFERRER_POLICY, ORIGIN);
        response
    }
}
