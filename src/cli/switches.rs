//! The switches of a client on the command line: a flag each, named like its member in the metadata.

use clap::Args;

use super::given::{Given, or_preset, set, within, word};
use crate::model::{
    AssertionAudience, ConsentPolicy, Presence, ProfileName, RefreshTokenPolicy, RotationPolicy,
    StatusProfile, Switches, TokenResponseAlias, UserinfoProfile,
};
use crate::protocol::registration::{MAX_ACCESS_TOKEN_LIFETIME, MAX_REFRESH_GRANTS};

/// What a client is set to beside what its profile presets. An empty text goes back to the preset.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SwitchArgs {
    /// The profile of the system that the client was written for: default, or one that docs/compatibility.md or
    /// clients.profiles_directory has.
    #[arg(long, value_name = "NAME", value_parser = word::<ProfileName>)]
    pub profile: Option<Given<ProfileName>>,
    /// The operator's own application, which may be trusted with passwords and skip consent.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub first_party: Option<bool>,
    /// Who gets a refresh token: offline_access, offline_or_secret, always, confidential_only, never.
    #[arg(long, value_name = "POLICY", value_parser = word::<RefreshTokenPolicy>)]
    pub refresh_policy: Option<Given<RefreshTokenPolicy>>,
    /// Whether a refresh replaces the refresh token: rotate, or reuse (with a secret only).
    #[arg(long, value_parser = word::<RotationPolicy>)]
    pub rotation: Option<Given<RotationPolicy>>,
    /// Whether a refresh needs the client's secret: required, optional.
    #[arg(long, value_name = "PRESENCE", value_parser = word::<Presence>)]
    pub refresh_authentication: Option<Given<Presence>>,
    /// The seconds a refresh token has to be old before it is used.
    #[arg(long, value_name = "SECONDS", value_parser = or_preset(within::<0, MAX_ACCESS_TOKEN_LIFETIME>))]
    pub refresh_interval: Option<Given<i64>>,
    /// How many grants with refresh tokens a user may have with the client; the oldest are revoked.
    #[arg(long, value_name = "NUMBER", value_parser = or_preset(within::<1, MAX_REFRESH_GRANTS>))]
    pub max_refresh_grants: Option<Given<i64>>,
    /// A member the token response has beside the standard's: scopes, expire_in; or bearer, for its token_type.
    /// May be repeated.
    #[arg(long = "token-response-alias", value_name = "ALIAS", value_parser = word::<TokenResponseAlias>)]
    pub token_response_aliases: Vec<Given<TokenResponseAlias>>,
    /// Status codes that differ from the standards': standard, invalid_grant_401, userinfo_403.
    #[arg(long, value_name = "PROFILE", value_parser = word::<StatusProfile>)]
    pub status_profile: Option<Given<StatusProfile>>,
    /// What UserInfo answers with: standard, or legacy_hs256 (a JWT signed with the client's secret).
    #[arg(long, value_name = "PROFILE", value_parser = word::<UserinfoProfile>)]
    pub userinfo_profile: Option<Given<UserinfoProfile>>,
    /// Whether consent is remembered: proven (not for a public client on loopback or a private-use scheme, which anybody
    /// could be), remember (whoever it is), always (the request has to say approval_prompt=auto).
    #[arg(long, value_name = "POLICY", value_parser = word::<ConsentPolicy>)]
    pub consent_policy: Option<Given<ConsentPolicy>>,
    /// Whether the client may say offline for the scope offline_access.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub offline_alias: Option<bool>,
    /// Whether an authorization request needs a state: required, optional.
    #[arg(long, value_name = "PRESENCE", value_parser = word::<Presence>)]
    pub state: Option<Given<Presence>>,
    /// Whether a token request needs the redirect_uri: required, optional.
    #[arg(long, value_name = "PRESENCE", value_parser = word::<Presence>)]
    pub token_redirect_uri: Option<Given<Presence>>,
    /// Whether the Authorization header needs the word Basic: required, optional.
    #[arg(long, value_name = "PRESENCE", value_parser = word::<Presence>)]
    pub authorization_scheme: Option<Given<Presence>>,
    /// What the aud of an assertion may be: issuer, issuer_or_token_endpoint (for older libraries).
    #[arg(long, value_name = "AUDIENCE", value_parser = word::<AssertionAudience>)]
    pub assertion_audience: Option<Given<AssertionAudience>>,
}

impl SwitchArgs {
    /// Puts what was given into `switches`.
    pub(super) fn apply(self, switches: &mut Switches) {
        set(&mut switches.profile, self.profile);
        set(&mut switches.refresh_policy, self.refresh_policy);
        set(&mut switches.rotation, self.rotation);
        set(&mut switches.refresh_authentication, self.refresh_authentication);
        set(&mut switches.status_profile, self.status_profile);
        set(&mut switches.userinfo_profile, self.userinfo_profile);
        set(&mut switches.consent_policy, self.consent_policy);
        set(&mut switches.state, self.state);
        set(&mut switches.token_redirect_uri, self.token_redirect_uri);
        set(&mut switches.authorization_scheme, self.authorization_scheme);
        set(&mut switches.assertion_audience, self.assertion_audience);
        switches.first_party = self.first_party.or(switches.first_party);
        switches.offline_alias = self.offline_alias.or(switches.offline_alias);
        set(&mut switches.refresh_interval, self.refresh_interval);
        set(&mut switches.max_refresh_grants, self.max_refresh_grants);
        if !self.token_response_aliases.is_empty() {
            let named = |given: Given<TokenResponseAlias>| match given {
                Given::Is(alias) => Some(alias),
                Given::Preset => None,
            };
            let aliases: Vec<_> = self.token_response_aliases.into_iter().filter_map(named).collect();
            switches.token_response_aliases = Some(aliases).filter(|aliases| !aliases.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_goes_back_to_the_preset() {
        let mut switches = Switches { rotation: Some(RotationPolicy::Reuse), ..Switches::default() };
        SwitchArgs { first_party: Some(true), ..SwitchArgs::default() }.apply(&mut switches);
        assert_eq!((switches.rotation, switches.first_party), (Some(RotationPolicy::Reuse), Some(true)));
        SwitchArgs { rotation: Some(Given::Preset), ..SwitchArgs::default() }.apply(&mut switches);
        assert_eq!(switches.rotation, None);
    }
}
