//! stub
use crate::app::App;
use axum::Router;
use std::sync::Arc;
pub fn routes(_app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
}
pub async fn not_found() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_FOUND
}
