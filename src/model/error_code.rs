//! The error codes of the protocol, as they are registered.

/// The registered error codes the server uses, each with its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// RFC 6749 4.1.2.1, 5.2
    InvalidRequest,
    /// RFC 6749 5.2
    InvalidClient,
    /// RFC 6749 5.2
    InvalidGrant,
    /// RFC 6749 4.1.2.1, 5.2
    UnauthorizedClient,
    /// RFC 6749 5.2
    UnsupportedGrantType,
    /// RFC 6749 4.1.2.1, 5.2
    InvalidScope,
    /// RFC 8707 2
    InvalidTarget,
    /// RFC 6749 4.1.2.1
    AccessDenied,
    /// RFC 6749 4.1.2.1
    UnsupportedResponseType,
    /// RFC 6749 4.1.2.1
    ServerError,
    /// RFC 6749 4.1.2.1
    TemporarilyUnavailable,
    /// OpenID Connect Core 3.1.2.6
    LoginRequired,
    /// OpenID Connect Core 3.1.2.6
    AccountSelectionRequired,
    /// OpenID Connect Core 3.1.2.6
    ConsentRequired,
    /// OpenID Connect Core 3.1.2.6
    RequestNotSupported,
    /// OpenID Connect Core 3.1.2.6
    RegistrationNotSupported,
    /// OpenID Connect Core Error Code unmet_authentication_requirements
    UnmetAuthenticationRequirements,
    /// RFC 9101 7, OpenID Connect Core 3.1.2.6
    InvalidRequestObject,
    /// RFC 9101 7, OpenID Connect Core 3.1.2.6
    InvalidRequestUri,
    /// RFC 8628 3.5
    AuthorizationPending,
    /// RFC 8628 3.5
    SlowDown,
    /// RFC 8628 3.5
    ExpiredToken,
    /// RFC 6750 3.1
    InvalidToken,
    /// RFC 6750 3.1
    InsufficientScope,
    /// RFC 7591 3.2.2
    InvalidRedirectUri,
    /// RFC 7591 3.2.2
    InvalidClientMetadata,
    /// RFC 7591 3.2.2
    InvalidSoftwareStatement,
    /// RFC 7591 3.2.2
    UnapprovedSoftwareStatement,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
        }
    }
}
