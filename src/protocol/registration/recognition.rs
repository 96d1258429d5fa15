//! What people go by when they allow a client that registered itself: once it is another, it is to be allowed anew.

use std::collections::BTreeSet;

use crate::model::{ClientMetadata, sector};
use crate::protocol::redirect_uri;

/// Whether somebody who allowed the client would take it for the same one: its name and picture in every language, where it
/// leads, and the sector by which it knows its users.
pub(crate) fn looks_the_same(before: &ClientMetadata, after: &ClientMetadata) -> bool {
    appearance(before) == appearance(after)
}

type Appearance<'c> = (&'c str, Option<&'c str>, Vec<(&'c str, &'c str)>, BTreeSet<String>, Option<String>);

fn appearance(client: &ClientMetadata) -> Appearance<'_> {
    let is_seen = |member: &str| member.starts_with("client_name#") || member.starts_with("logo_uri#");
    let said = client.origin.localized.iter().filter(|(member, _)| is_seen(member));
    let identity = &client.identity;
    let sector = identity
        .is_pairwise()
        .then(|| sector(identity.sector_identifier_uri.as_deref(), &client.redirect_uris));
    (
        &client.name,
        client.logo_uri.as_deref(),
        said.map(|(member, text)| (member.as_str(), text.as_str())).collect(),
        places(client),
        sector.flatten(),
    )
}

/// Every place that people are sent to.
fn places(client: &ClientMetadata) -> BTreeSet<String> {
    let redirects = client.redirect_uris.iter().chain(&client.post_logout_redirect_uris);
    redirects.chain(&client.sign_in.initiate_login_uri).map(|uri| redirect_uri::place(uri)).collect()
}

/// Whether a person who allowed the client was told of this place: one of those that its answers go to.
pub(crate) fn is_known_place(client: &ClientMetadata, uri: &str) -> bool {
    let place = redirect_uri::place(uri);
    client.redirect_uris.iter().any(|known| redirect_uri::place(known) == place)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::looks_the_same;
    use crate::model::ClientMetadata;

    fn client(change: &Value) -> ClientMetadata {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "openid",
            "token_endpoint_auth_method": "none", "client_id_issued_at": 0, "localized": {"client_name#fr": "Appli"},
            "redirect_uris": ["https://app.example/cb"], "logo_uri": "https://app.example/logo.png",
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn a_client_is_another_with_another_name_picture_place_or_sector() {
        let before = client(&json!({}));
        for (change, same) in [
            (json!({"client_name": "Bank"}), false),
            (json!({"logo_uri": "https://app.example/other.png"}), false),
            (json!({"logo_uri": null}), false),
            (json!({"localized": {"client_name#fr": "Banque"}}), false),
            (json!({"redirect_uris": ["https://evil.example/cb"]}), false),
            (json!({"redirect_uris": ["https://app.example/cb", "https://evil.example/cb"]}), false),
            (json!({"redirect_uris": ["https://app.example:8443/cb"]}), false),
            (json!({"redirect_uris": ["com.example.app:/cb"]}), false),
            (json!({"post_logout_redirect_uris": ["https://evil.example/bye"]}), false),
            (json!({"initiate_login_uri": "https://evil.example/start"}), false),
            (json!({"subject_type": "pairwise"}), false),
            (json!({"redirect_uris": ["https://app.example/another"]}), true),
            (json!({"post_logout_redirect_uris": ["https://app.example/bye"]}), true),
            (
                json!({"contacts": ["a@b.example"], "scope": "openid email", "policy_uri": "https://x.example/"}),
                true,
            ),
        ] {
            assert_eq!(looks_the_same(&before, &client(&change)), same, "{change}");
        }
        let sector = |uri: &str| client(&json!({"subject_type": "pairwise", "sector_identifier_uri": uri}));
        assert!(!looks_the_same(&sector("https://a.example/list"), &sector("https://b.example/list")));
        assert!(looks_the_same(&sector("https://a.example/list"), &sector("https://a.example/other")));
    }
}
