//! What follows for a client from its profile and its switches.

use serde_json::{Value, json};

use super::*;
use crate::config::embedded;
use crate::model::Switches;

/// A client of the strict profile.
pub(crate) fn strict(metadata: Value) -> Client {
    Profiles::default().resolve(serde_json::from_value(metadata).unwrap()).unwrap()
}

fn client(change: Value) -> Client {
    let mut metadata = json!({
        "client_id": "app", "client_name": "App", "scope": "openid offline_access",
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
    });
    metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    embedded().resolve(serde_json::from_value(metadata).unwrap()).unwrap()
}

fn profiles() -> Vec<String> {
    embedded().names().split(", ").map(str::to_owned).collect()
}

#[test]
fn a_client_that_says_nothing_is_strict_and_weakens_nothing() {
    let client = client(json!({}));
    assert_eq!(*client.policy(), ClientPolicy::default());
    assert!(client.weakens().is_empty());
    assert!(!client.needs_sealed_secret());
    let document = serde_json::to_value(&*client).unwrap();
    assert!(document.get("profile").is_none() && document.get("pkce").is_none(), "{document}");
}

#[test]
fn a_switch_wins_over_the_profile() {
    let primer = client(json!({"profile": "primer"}));
    assert_eq!(primer.policy().userinfo, UserinfoProfile::LegacyHs256);
    assert!(primer.policy().has_alias(TokenResponseAlias::Scopes));
    let own = client(json!({
        "profile": "primer", "userinfo_profile": "standard", "token_response_aliases": [], "pkce": "required",
        "refresh_policy": "never", "authorization_code_lifetime": 30, "status_profile": "standard",
    }));
    let policy = own.policy();
    assert_eq!((policy.userinfo, policy.pkce), (UserinfoProfile::Standard, PkcePolicy::Required));
    assert_eq!(policy.authorization_code_lifetime, Some(30));
    assert!(!policy.has_alias(TokenResponseAlias::Scopes));
    assert!(!own.gets_refresh_token(&"offline_access".parse().unwrap()));
    let again: ClientMetadata = serde_json::from_value(serde_json::to_value(&*own).unwrap()).unwrap();
    assert_eq!(again, *own);
}

#[test]
fn the_form_of_tokens_and_the_language_of_scopes_are_the_profiles_unless_they_are_set() {
    use crate::model::ScopeStrategy::{Exact, Hierarchical, Wildcard};
    use crate::model::TokenFormat::{Jwt, Opaque};
    for (profile, expected) in [
        ("default", (Jwt, Exact)),
        ("ilert", (Jwt, Hierarchical)),
        ("fattureincloud", (Jwt, Exact)),
        ("primer", (Jwt, Exact)),
        ("aqueduct", (Opaque, Hierarchical)),
        ("hydra16", (Opaque, Wildcard)),
    ] {
        let known = client(json!({"profile": profile}));
        let policy = known.policy();
        assert_eq!((policy.token_format, policy.scope_strategy), expected, "{profile:?}");
        let own = json!({"profile": profile, "token_format": "jwt", "scope_strategy": "exact"});
        let known = client(own);
        let policy = known.policy();
        assert_eq!((policy.token_format, policy.scope_strategy), (Jwt, Exact), "{profile:?}");
    }
}

#[test]
fn no_profile_lets_a_client_without_a_secret_do_what_needs_one() {
    for profile in profiles() {
        for own in
            [json!({}), json!({"pkce": "optional", "rotation": "reuse", "userinfo_profile": "legacy_hs256"})]
        {
            let mut public = json!({"profile": profile, "token_endpoint_auth_method": "none"});
            public.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            let known = client(public);
            let policy = known.policy();
            assert_eq!(policy.pkce, PkcePolicy::Required, "{profile:?}");
            assert_eq!(policy.rotation, RotationPolicy::Rotate, "{profile:?}");
            assert_eq!(policy.userinfo, UserinfoProfile::Standard, "{profile:?}");
            assert_eq!(policy.refresh_authentication, Presence::Required, "{profile:?}");
        }
    }
}

#[test]
fn what_is_signed_with_the_secret_is_for_methods_with_a_secret() {
    for (method, userinfo, sealed) in [
        ("client_secret_basic", UserinfoProfile::LegacyHs256, true),
        ("client_secret_jwt", UserinfoProfile::LegacyHs256, true),
        ("private_key_jwt", UserinfoProfile::Standard, false),
        ("none", UserinfoProfile::Standard, false),
    ] {
        for own in [json!({"profile": "primer"}), json!({"userinfo_profile": "legacy_hs256"})] {
            let mut metadata = own;
            metadata["token_endpoint_auth_method"] = json!(method);
            let client = client(metadata);
            assert_eq!(
                (client.policy().userinfo, client.needs_sealed_secret()),
                (userinfo, sealed),
                "{method}"
            );
        }
    }
    let strict = |method: &str| client(json!({"token_endpoint_auth_method": method})).needs_sealed_secret();
    assert!(strict("client_secret_jwt") && !strict("client_secret_basic") && !strict("private_key_jwt"));
}

#[test]
fn every_profile_but_the_default_weakens_something() {
    for profile in profiles() {
        let weakens = client(json!({"profile": profile})).weakens();
        assert_eq!(weakens.is_empty(), profile == ProfileName::STRICT, "{profile:?}: {weakens:?}");
    }
}

#[test]
fn the_refresh_policy_says_who_gets_a_refresh_token() {
    for (policy, method, with_offline, without) in [
        ("offline_access", "client_secret_post", true, false),
        ("offline_access", "none", true, false),
        ("offline_or_secret", "client_secret_post", true, true),
        ("offline_or_secret", "none", true, false),
        ("always", "none", true, true),
        ("confidential_only", "client_secret_basic", true, true),
        ("confidential_only", "none", false, false),
        ("never", "client_secret_basic", false, false),
    ] {
        let members = json!({"refresh_policy": policy, "token_endpoint_auth_method": method});
        let client = client(members);
        let gets = |scope: &str| client.gets_refresh_token(&scope.parse().unwrap());
        assert_eq!(
            (gets("openid offline_access"), gets("openid")),
            (with_offline, without),
            "{policy} {method}"
        );
    }
    let unregistered = client(json!({"refresh_policy": "always", "grant_types": ["authorization_code"]}));
    assert!(!unregistered.gets_refresh_token(&"offline_access".parse().unwrap()));
}

#[test]
fn nobody_says_what_holds_for_a_client_whose_profile_is_unknown() {
    let metadata = ClientMetadata { switches: of_profile("acme"), ..client(json!({})).into_metadata() };
    let unknown = Profiles::default().resolve(metadata.clone()).unwrap_err();
    assert_eq!(unknown.to_string(), "\"acme\" is not a profile: there are default");
    let presets = ClientPolicy { offline_alias: true, ..ClientPolicy::default() };
    let known = Profiles::of([(ProfileName::new("acme"), presets)]).resolve(metadata).unwrap();
    assert!(known.policy().offline_alias);
}

fn of_profile(name: &str) -> Switches {
    Switches { profile: Some(ProfileName::new(name)), ..Switches::default() }
}
