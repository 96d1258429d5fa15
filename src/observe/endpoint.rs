//! The endpoints, as words for labels. A path that is none of ours is "other", whatever it says.

macro_rules! endpoints {
    ($($path:literal => $name:ident,)+) => {
        super::labels! {
            /// What a request was for.
            Endpoint {
                $($name => $path,)+
                /// One registered client (RFC 7592).
                RegisteredClient => "/register/{client_id}",
                Asset => "/assets/{name}",
                /// Everything on the admin listener.
                Admin => "admin",
                /// Everything on the metrics listener.
                Metrics => "metrics",
                Other => "other",
            }
        }

        impl Endpoint {
            /// The endpoint at a path below the issuer's.
            pub fn at(path: &str) -> Self {
                match path {
                    $($path => Self::$name,)+
                    _ if is_segment(path, "/register/") => Self::RegisteredClient,
                    _ if is_segment(path, "/assets/") => Self::Asset,
                    _ => Self::Other,
                }
            }
        }
    };
}

endpoints! {
    "/token" => Token,
    "/introspect" => Introspect,
    "/userinfo" => Userinfo,
    "/authorize" => Authorize,
    "/authorize/continue" => AuthorizeContinue,
    "/par" => PushedAuthorization,
    "/revoke" => Revoke,
    "/device_authorization" => DeviceAuthorization,
    "/jwks" => Jwks,
    "/.well-known/openid-configuration" => OpenidConfiguration,
    "/.well-known/oauth-authorization-server" => ServerMetadata,
    "/.well-known/webfinger" => Webfinger,
    "/healthz" => Healthz,
    "/readyz" => Readyz,
    "/register" => Register,
    "/login" => Login,
    "/select_account" => SelectAccount,
    "/consent" => Consent,
    "/logout" => Logout,
    "/check_session" => CheckSession,
    "/device" => Device,
    "/device/confirm" => DeviceConfirm,
    "/account" => Account,
    "/account/apps/revoke" => AccountRevokeApp,
    "/account/sessions/end" => AccountEndSession,
    "/account/password" => AccountPassword,
}

/// Whether one segment of a path follows, and nothing else.
fn is_segment(path: &str, after: &str) -> bool {
    path.strip_prefix(after).is_some_and(|segment| !segment.is_empty() && !segment.contains('/'))
}
