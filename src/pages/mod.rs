//! What a person sees: views, texts, assets.

pub mod assets;
pub mod browser;
pub mod colour;
pub mod i18n;
pub mod links;
pub mod site;
pub mod views;

#[cfg(test)]
mod gallery;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;

use crate::app::App;

/// The pages' routes.
pub fn routes(_app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
}

/// The answer for every path that is none of ours.
pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}
