//! What somebody signs in or chooses an account for: a waiting authorization request, or a page of our own.

use super::answer::Failure;
use super::flow::Flow;
use super::own_page::OwnPage;
use super::views::Application;
use super::visit::Visit;
use crate::app::App;
use crate::protocol::Parameters;
use crate::site::i18n::Messages;
use crate::site::links::ReturnTo;

pub(super) enum Destination {
    Request(Box<Flow>),
    Page(OwnPage),
}

impl Destination {
    /// The one that the parameters of a page name.
    pub(super) async fn of(visit: &Visit, parameters: &Parameters<'_>) -> Result<Self, Failure> {
        match parameters.get("request") {
            Some(id) => Ok(Self::Request(Flow::resume(visit, id).await?)),
            None => Ok(Self::Page(OwnPage::requested(&visit.app, parameters))),
        }
    }

    /// The address of one of the pages on the way there.
    pub(super) fn by_way_of(&self, app: &App, page: &str) -> String {
        match (self, self.return_page(app)) {
            (Self::Request(_), _) => format!("{page}?request={}", self.request_id()),
            (Self::Page(_), own) if own.is_empty() => page.to_owned(),
            (Self::Page(_), own) => {
                let own: String = url::form_urlencoded::byte_serialize(own.as_bytes()).collect();
                format!("{page}?return={own}")
            }
        }
    }

    pub(super) fn request_id(&self) -> &str {
        let pending = self.flow().and_then(|flow| flow.pending.as_ref());
        pending.map_or("", |pending| pending.id.as_str())
    }

    /// The page of ours; empty for the account page.
    pub(super) fn return_page(&self, app: &App) -> String {
        match self {
            Self::Request(_) | Self::Page(OwnPage::Account) => String::new(),
            Self::Page(own) => own.path(app),
        }
    }

    pub(super) fn application(&self, text: &Messages) -> Option<Application> {
        Some(Application::of(&self.flow()?.client, text.tag()))
    }

    pub(super) fn return_to(&self) -> Option<ReturnTo> {
        ReturnTo::parse(self.flow()?.target.uri())
    }

    pub(super) fn ui_locales(&self) -> Option<&str> {
        self.flow()?.request.ui_locales.as_deref()
    }

    fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Request(flow) => Some(flow),
            Self::Page(_) => None,
        }
    }
}
