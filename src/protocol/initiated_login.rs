//! A sign-in that begins here instead of at the application (OpenID Connect Core 4).

use url::Url;

use crate::model::{ClientMetadata, ScopeSet};

/// The scope with which an application knows by what name a person signs in.
const KNOWN_BY: &str = "profile";

/// Where a person is sent to start the application; none where it does not want that. `granted` is what they allowed it.
pub(crate) fn link(
    client: &ClientMetadata,
    issuer: &str,
    username: &str,
    granted: &ScopeSet,
) -> Option<String> {
    let start = client.sign_in.initiate_login_uri.as_deref()?;
    let mut url = Url::parse(start).ok().filter(|url| url.scheme() == "https")?;
    let home = client.client_uri.as_deref().filter(|home| is_at(home, &url));
    let mut query = url.query_pairs_mut();
    query.append_pair("iss", issuer);
    // The name goes through an address that proxies log, so only to who knows it anyway.
    if client.is_first_party() || granted.contains(KNOWN_BY) {
        query.append_pair("login_hint", username);
    }
    // An application must not follow what leads elsewhere; so it is not told to.
    if let Some(home) = home {
        query.append_pair("target_link_uri", home);
    }
    drop(query);
    Some(url.into())
}

fn is_at(home: &str, start: &Url) -> bool {
    Url::parse(home).is_ok_and(|home| home.origin() == start.origin())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::link;
    use crate::model::ClientMetadata;

    fn link_of(change: Value, granted: &str) -> Option<String> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "grant_types": [], "scope": "", "client_id_issued_at": 0,
            "token_endpoint_auth_method": "none", "initiate_login_uri": "https://app.example/start?x=1",
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let client: ClientMetadata = serde_json::from_value(metadata).unwrap();
        link(&client, "https://id.example/a", "ada", &granted.parse().unwrap())
    }

    #[test]
    fn the_application_is_told_who_asks_and_nothing_it_does_not_know() {
        let start = "https://app.example/start?x=1&iss=https%3A%2F%2Fid.example%2Fa";
        assert_eq!(link_of(json!({}), "openid").unwrap(), start);
        assert_eq!(link_of(json!({}), "openid profile").unwrap(), format!("{start}&login_hint=ada"));
        assert_eq!(link_of(json!({"first_party": true}), "").unwrap(), format!("{start}&login_hint=ada"));
        assert_eq!(link_of(json!({"initiate_login_uri": null}), ""), None);
        assert_eq!(link_of(json!({"initiate_login_uri": "javascript:alert(1)"}), ""), None);
    }

    #[test]
    fn the_target_is_at_the_application_itself() {
        let target =
            |home: &str| link_of(json!({ "client_uri": home }), "").unwrap().contains("target_link_uri");
        assert!(target("https://app.example/home"));
        for elsewhere in ["https://other.example/", "http://app.example/", "https://app.example:444/"] {
            assert!(!target(elsewhere), "{elsewhere}");
        }
    }
}
