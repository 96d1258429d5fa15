//! Every member that IANA has registered for the metadata of clients, with a right value, and what becomes of it here.

use serde_json::{Value, json};

/// What becomes of a member.
pub enum Fate {
    /// It is said again, and this test shows that it takes effect.
    Honoured(&'static str),
    /// For the operator and for the client itself: it changes nothing.
    Noted,
    Refused,
}

use Fate::{Honoured, Noted, Refused};

/// A member, a right value of it with what it needs beside it, and what becomes of it.
pub fn registry() -> Vec<(&'static str, Value, Fate)> {
    let one = |member: &'static str, value: Value, fate| (member, json!({ member: value }), fate);
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let uri = json!("https://app.example/x");
    let with_keys = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "EdDSA"});
    vec![
        one(
            "redirect_uris",
            json!(["https://app.example/a"]),
            Honoured("only_the_same_text_matches_a_registered_redirect_uri"),
        ),
        one(
            "token_endpoint_auth_method",
            json!("client_secret_post"),
            Honoured("a_registered_client_authenticates_only_as_it_registered"),
        ),
        one(
            "grant_types",
            json!(["authorization_code", "refresh_token"]),
            Honoured("a_registered_client_has_only_the_grant_types_it_registered"),
        ),
        one(
            "response_types",
            json!(["code"]),
            Honoured(
                "a_registered_client_signs_people_in_after_they_were_asked_and_told_that_nobody_checked_it",
            ),
        ),
        one(
            "client_name",
            json!("Acme"),
            Honoured("what_the_client_says_in_the_language_of_the_person_is_shown"),
        ),
        one("client_uri", uri.clone(), Honoured("the_consent_page_links_to_what_was_registered")),
        one("logo_uri", uri.clone(), Honoured("the_consent_page_links_to_what_was_registered")),
        one(
            "scope",
            json!("openid email"),
            Honoured("a_registered_client_has_only_the_scopes_it_registered"),
        ),
        one("contacts", json!(["ops@app.example"]), Noted),
        one("tos_uri", uri.clone(), Honoured("the_consent_page_links_to_what_was_registered")),
        one("policy_uri", uri.clone(), Honoured("the_consent_page_links_to_what_was_registered")),
        one("jwks_uri", uri.clone(), Honoured("keys_are_fetched_once_and_kept_as_long_as_the_headers_say")),
        one("jwks", keys.clone(), Honoured("a_registered_key_authenticates_the_client")),
        one("software_id", json!("4NRB1-0XZABZI9E6-5SM3R"), Noted),
        one("software_version", json!("2.1"), Noted),
        one("application_type", json!("web"), Honoured("an_application_has_the_redirect_uris_of_its_type")),
        // It cannot be fetched; `a_client_that_registers_itself_must_be_in_the_list_of_its_sector` has one that can.
        one("sector_identifier_uri", uri.clone(), Refused),
        one(
            "subject_type",
            json!("pairwise"),
            Honoured("clients_of_one_sector_share_a_subject_that_those_of_another_cannot_connect"),
        ),
        one("id_token_signed_response_alg", json!("EdDSA"), Honoured("the_id_token_is_signed_as_registered")),
        (
            "id_token_encrypted_response_alg",
            json!({"id_token_encrypted_response_alg": "RSA-OAEP", "jwks_uri": uri}),
            Honoured("an_id_token_is_signed_and_then_encrypted_whatever_grant_it_comes_from"),
        ),
        (
            "id_token_encrypted_response_enc",
            json!({"id_token_encrypted_response_alg": "dir", "id_token_encrypted_response_enc": "A128GCM"}),
            Honoured("a_client_secret_encrypts_what_was_registered_with_a_symmetric_algorithm"),
        ),
        one(
            "userinfo_signed_response_alg",
            json!("ES256"),
            Honoured("oidcc_userinfo_rs256_a_signed_userinfo_names_issuer_and_client"),
        ),
        (
            "userinfo_encrypted_response_alg",
            json!({"userinfo_encrypted_response_alg": "ECDH-ES", "jwks_uri": uri}),
            Honoured("userinfo_is_encrypted_plain_or_signed_first"),
        ),
        (
            "userinfo_encrypted_response_enc",
            json!({"userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A256GCM",
                "jwks_uri": uri}),
            Honoured("userinfo_is_encrypted_plain_or_signed_first"),
        ),
        (
            "request_object_signing_alg",
            json!({"request_object_signing_alg": "ES256", "jwks": keys}),
            Honoured("a_registered_algorithm_is_the_only_one"),
        ),
        (
            "request_object_encryption_alg",
            json!({"request_object_encryption_alg": "ECDH-ES", "jwks": keys}),
            Honoured("a_client_registered_to_encrypt_its_objects_sends_no_other"),
        ),
        (
            "request_object_encryption_enc",
            json!({"request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM", "jwks": keys}),
            Honoured("a_client_registered_to_encrypt_its_objects_sends_no_other"),
        ),
        ("token_endpoint_auth_signing_alg", with_keys, Honoured("a_registered_key_authenticates_the_client")),
        one("default_max_age", json!(60), Honoured("default_max_age_counts_where_the_request_says_nothing")),
        one(
            "require_auth_time",
            json!(true),
            Honoured("default_max_age_counts_where_the_request_says_nothing"),
        ),
        one(
            "default_acr_values",
            json!(["1"]),
            Honoured("acr_values_of_the_request_or_the_client_reach_the_pages_of_somebody_else"),
        ),
        one(
            "initiate_login_uri",
            uri.clone(),
            Honoured("an_app_with_access_is_started_from_the_account_page"),
        ),
        (
            "request_uris",
            json!({"request_uris": ["https://app.example/r"]}),
            Honoured("a_registered_request_uri_is_fetched"),
        ),
        one(
            "post_logout_redirect_uris",
            json!(["https://app.example/out"]),
            Honoured("signing_out_returns_to_what_the_client_registered"),
        ),
        one(
            "frontchannel_logout_uri",
            uri.clone(),
            Honoured("each_application_of_the_session_is_shown_in_a_frame_before_the_way_leads_on"),
        ),
        (
            "frontchannel_logout_session_required",
            json!({"frontchannel_logout_session_required": true, "frontchannel_logout_uri": uri}),
            Honoured("each_application_of_the_session_is_shown_in_a_frame_before_the_way_leads_on"),
        ),
        one(
            "backchannel_logout_uri",
            uri.clone(),
            Honoured("the_logout_token_says_whose_session_has_ended_and_nothing_else"),
        ),
        (
            "backchannel_logout_session_required",
            json!({"backchannel_logout_session_required": true, "backchannel_logout_uri": uri}),
            Honoured("the_logout_token_says_whose_session_has_ended_and_nothing_else"),
        ),
        one("tls_client_certificate_bound_access_tokens", json!(true), Refused),
        one("tls_client_auth_subject_dn", json!("CN=app"), Refused),
        one("tls_client_auth_san_dns", json!("app.example"), Refused),
        one("tls_client_auth_san_uri", uri.clone(), Refused),
        one("tls_client_auth_san_ip", json!("192.0.2.1"), Refused),
        one("tls_client_auth_san_email", json!("ops@app.example"), Refused),
        (
            "require_signed_request_object",
            json!({"require_signed_request_object": true, "jwks": keys}),
            Honoured("a_signed_object_can_be_required_of_a_client_and_of_all"),
        ),
        (
            "require_pushed_authorization_requests",
            json!({"require_pushed_authorization_requests": true}),
            Honoured("pushing_can_be_required_of_a_client_and_of_all"),
        ),
        one("authorization_details_types", json!(["payment"]), Refused),
        one("dpop_bound_access_tokens", json!(true), Refused),
        one(
            "introspection_signed_response_alg",
            json!("ES256"),
            Honoured("the_answer_is_signed_with_the_algorithm_its_caller_registered"),
        ),
        one("introspection_encrypted_response_alg", json!("RSA-OAEP"), Refused),
        one("introspection_encrypted_response_enc", json!("A128CBC-HS256"), Refused),
        (
            "authorization_signed_response_alg",
            json!({"authorization_signed_response_alg": "ES256"}),
            Honoured("a_client_registered_for_signed_answers_gets_no_other"),
        ),
        (
            "authorization_encrypted_response_alg",
            json!({"authorization_encrypted_response_alg": "ECDH-ES", "jwks_uri": uri}),
            Honoured("an_answer_is_signed_and_then_encrypted_in_every_mode"),
        ),
        (
            "authorization_encrypted_response_enc",
            json!({"authorization_encrypted_response_alg": "ECDH-ES", "authorization_encrypted_response_enc": "A256GCM",
                "jwks_uri": uri}),
            Honoured("an_answer_is_signed_and_then_encrypted_in_every_mode"),
        ),
        one("backchannel_token_delivery_mode", json!("poll"), Refused),
        one("backchannel_client_notification_endpoint", uri.clone(), Refused),
        one("backchannel_authentication_request_signing_alg", json!("ES256"), Refused),
        one("backchannel_user_code_parameter", json!(true), Refused),
        one("client_registration_types", json!(["automatic"]), Refused),
        one("signed_jwks_uri", uri.clone(), Refused),
        one("organization_name", json!("Acme"), Refused),
        one("description", json!("A calendar"), Refused),
        one("keywords", json!(["calendar"]), Refused),
        one("information_uri", uri.clone(), Refused),
        one("organization_uri", uri.clone(), Refused),
        one("use_mtls_endpoint_aliases", json!(true), Refused),
        one("encrypted_response_enc_values_supported", json!(["A128GCM"]), Refused),
        one("vp_formats_supported", json!({"jwt_vc_json": {}}), Refused),
        one("claims_redirect_uris", json!(["https://app.example/c"]), Refused),
        one("nfv_token_signed_response_alg", json!("ES256"), Refused),
        one("nfv_token_encrypted_response_alg", json!("RSA-OAEP"), Refused),
        one("nfv_token_encrypted_response_enc", json!("A128CBC-HS256"), Refused),
    ]
}
