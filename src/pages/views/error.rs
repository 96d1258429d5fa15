//! The error page, and everything that it can say.

use askama::Template;
use axum::http::StatusCode;

use super::Application;
use crate::site::Frame;

#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    pub frame: Frame<'a>,
    pub problem: Problem,
    pub application: Option<Application>,
    /// The description for a developer; never anything secret.
    pub detail: Option<&'a str>,
    pub request_id: &'a str,
}

macro_rules! problems {
    ($($variant:ident $key:literal $status:ident,)+) => {
        /// Everything an error page can say, with its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Problem { $($variant,)+ }

        impl Problem {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            fn title(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".title"),)+ }
            }

            fn what(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".what"),)+ }
            }

            fn next(self) -> &'static str {
                match self { $(Self::$variant => concat!("problem.", $key, ".next"),)+ }
            }
        }
    };
}

problems! {
    UnknownApplication "unknown_application" BAD_REQUEST,
    WrongReturnAddress "wrong_return_address" BAD_REQUEST,
    BadRequest "bad_request" BAD_REQUEST,
    Expired "expired" BAD_REQUEST,
    StaleForm "stale_form" FORBIDDEN,
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS,
    NotFound "not_found" NOT_FOUND,
    Busy "busy" SERVICE_UNAVAILABLE,
    Unavailable "unavailable" SERVICE_UNAVAILABLE,
    Internal "internal" INTERNAL_SERVER_ERROR,
}
