//! The error codes of the protocol, as they are registered.

use super::closed_set::closed_set;

closed_set! {
    /// The registered error codes the server uses, each with its section.
    pub enum ErrorCode {
        /// RFC 6749 4.1.2.1, 5.2
        InvalidRequest = "invalid_request",
        /// RFC 6749 5.2
        InvalidClient = "invalid_client",
        /// RFC 6749 5.2
        InvalidGrant = "invalid_grant",
        /// RFC 6749 4.1.2.1, 5.2
        UnauthorizedClient = "unauthorized_client",
        /// RFC 6749 5.2
        UnsupportedGrantType = "unsupported_grant_type",
        /// RFC 6749 4.1.2.1, 5.2
        InvalidScope = "invalid_scope",
        /// RFC 8707 2
        InvalidTarget = "invalid_target",
        /// RFC 6749 4.1.2.1
        AccessDenied = "access_denied",
        /// RFC 6749 4.1.2.1
        UnsupportedResponseType = "unsupported_response_type",
        /// RFC 6749 4.1.2.1
        ServerError = "server_error",
        /// RFC 6749 4.1.2.1
        TemporarilyUnavailable = "temporarily_unavailable",
        /// OpenID Connect Core 3.1.2.6
        LoginRequired = "login_required",
        /// OpenID Connect Core 3.1.2.6
        AccountSelectionRequired = "account_selection_required",
        /// OpenID Connect Core 3.1.2.6
        ConsentRequired = "consent_required",
        /// OpenID Connect Core 3.1.2.6
        RequestNotSupported = "request_not_supported",
        /// OpenID Connect Core 3.1.2.6
        RegistrationNotSupported = "registration_not_supported",
        /// OpenID Connect Core Error Code unmet_authentication_requirements
        UnmetAuthenticationRequirements = "unmet_authentication_requirements",
        /// RFC 9101 7, OpenID Connect Core 3.1.2.6
        InvalidRequestObject = "invalid_request_object",
        /// RFC 9101 7, OpenID Connect Core 3.1.2.6
        InvalidRequestUri = "invalid_request_uri",
        /// RFC 8628 3.5
        AuthorizationPending = "authorization_pending",
        /// RFC 8628 3.5
        SlowDown = "slow_down",
        /// RFC 8628 3.5
        ExpiredToken = "expired_token",
        /// RFC 6750 3.1
        InvalidToken = "invalid_token",
        /// RFC 6750 3.1
        InsufficientScope = "insufficient_scope",
        /// RFC 7591 3.2.2
        InvalidRedirectUri = "invalid_redirect_uri",
        /// RFC 7591 3.2.2
        InvalidClientMetadata = "invalid_client_metadata",
        /// RFC 7591 3.2.2
        InvalidSoftwareStatement = "invalid_software_statement",
        /// RFC 7591 3.2.2
        UnapprovedSoftwareStatement = "unapproved_software_statement",
    }
}
