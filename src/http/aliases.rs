//! Other spellings of the endpoints' paths, for clients that cannot be told ours. None by default, and the metadata knows
//! none: a request to one is a request to the endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use tower::ServiceExt as _;

use crate::config::Alias;
use crate::model::ClientPolicy;

/// What is preset for the clients that an address is kept for.
#[derive(Debug, Clone)]
pub(crate) struct Pinned(pub Arc<ClientPolicy>);

/// The endpoints, and each alias of them. Without aliases nothing is put before the router.
pub(crate) fn before(endpoints: Router, aliases: &[Alias], prefix: &str) -> Router {
    if aliases.is_empty() {
        return endpoints;
    }
    let table: HashMap<String, Alias> =
        aliases.iter().map(|alias| (format!("{prefix}{}", alias.path), alias.clone())).collect();
    let (table, prefix): (Arc<_>, Arc<str>) = (Arc::new(table), prefix.into());
    Router::new().fallback(move |mut request: Request| {
        let (endpoints, table, prefix) = (endpoints.clone(), Arc::clone(&table), Arc::clone(&prefix));
        async move {
            if let Some(alias) = table.get(request.uri().path()) {
                send_to(&mut request, &prefix, alias);
            }
            endpoints.oneshot(request).await
        }
    })
}

fn send_to(request: &mut Request, prefix: &str, alias: &Alias) {
    let path = format!("{prefix}{}", alias.endpoint);
    let target = request.uri().query().map_or(path.clone(), |query| format!("{path}?{query}"));
    // Both parts have been parsed before, so this never fails.
    if let Ok(target) = PathAndQuery::try_from(target) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    if let Some(presets) = &alias.presets {
        request.extensions_mut().insert(Pinned(Arc::clone(presets)));
    }
}
