//! The names of client metadata: which an application may send, and what becomes of them.

/// The IANA registry "OAuth Dynamic Client Registration Metadata" without what the server makes. Each is honoured, or
/// refused by its name: [`super::request`] sees whether the client it made says it too.
pub const STANDARD: &[&str] = &[
    // RFC 7591 2
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    // OpenID Connect Registration 2
    "application_type",
    "sector_identifier_uri",
    "subject_type",
    "id_token_signed_response_alg",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "request_object_signing_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "token_endpoint_auth_signing_alg",
    "default_max_age",
    "require_auth_time",
    "default_acr_values",
    "initiate_login_uri",
    "request_uris",
    // OpenID Connect RP-Initiated, Front-Channel, Back-Channel Logout
    "post_logout_redirect_uris",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    // RFC 8705
    "tls_client_certificate_bound_access_tokens",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
    // RFC 9101, RFC 9126, RFC 9396, RFC 9449, RFC 9701
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "authorization_details_types",
    "dpop_bound_access_tokens",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    // JARM
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    // CIBA
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
    // OpenID Federation, FAPI, OpenID for Verifiable Presentations, UMA, ETSI
    "client_registration_types",
    "signed_jwks_uri",
    "organization_name",
    "description",
    "keywords",
    "information_uri",
    "organization_uri",
    "use_mtls_endpoint_aliases",
    "encrypted_response_enc_values_supported",
    "vp_formats_supported",
    "claims_redirect_uris",
    "nfv_token_signed_response_alg",
    "nfv_token_encrypted_response_alg",
    "nfv_token_encrypted_response_enc",
];

/// RFC 7591 2.3: the statement a registration comes with.
pub const SOFTWARE_STATEMENT: &str = "software_statement";

/// RFC 7591 3.2.1: what the server makes; a client does not choose it.
pub const SERVER_MADE: &[&str] = &[
    "client_id",
    "client_secret",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

/// RFC 7591 2.2: what people read, and may be had in their language.
pub const LOCALIZABLE: &[&str] = &["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];

/// This server's own switches. They are the operator's: an application cannot have them by asking.
pub const OPERATORS: &[&str] = &[
    "tokens_not_before",
    "scope_strategy",
    "access_token_signed_response_alg",
    "audience",
    "resources",
    "resource_server",
    "token_format",
    "claims_mapping",
    "id_token_claims_mapping",
    "token_hook",
    "skip_consent",
    "verification_uri_complete",
    "ui",
    "pkce",
    "introspection_policy",
    "authorization_code_lifetime",
    "access_token_lifetime",
    "refresh_token_lifetime",
    "refresh_token_idle_lifetime",
    "profile",
    "first_party",
    "refresh_policy",
    "rotation",
    "refresh_authentication",
    "refresh_interval",
    "max_refresh_grants",
    "offline_alias",
    "token_exchange_policy",
    "token_exchange_clients",
    "may_act",
    "token_response_aliases",
    "status_profile",
    "userinfo_profile",
    "consent_policy",
    "state",
    "token_redirect_uri",
    "authorization_scheme",
    "assertion_audience",
    "localized",
    "self_registered",
    "unused_until",
];

/// The name as it stands in one of the tables.
pub fn known(table: &[&'static str], name: &str) -> Option<&'static str> {
    table.iter().copied().find(|known| *known == name)
}
