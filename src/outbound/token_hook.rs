//! The token hook: a service of the operator that is asked before tokens are minted, over HTTPS, with signed requests.
//! What is said and answered is in `protocol/token_hook.rs`.

use std::sync::Arc;

use hyper::Method;
use hyper::header::{self, HeaderName};

use crate::config::{OnFailure, TokenHookSettings};
use crate::crypto::random;
use crate::crypto::webhook::{InvalidWebhookSecret, WebhookKey};
use crate::model::{Client, Timestamp};
use crate::observe::span;
use crate::outbound::{Channel, ChannelLimits, Outbound, OutboundError, Reach};
use crate::protocol::token_hook::{Answer, InvalidAnswer, Request, read};
use crate::server::load::{self, Crowded};

/// Bytes of an answer that are read.
const MAX_BYTES: usize = 16 * 1024;
const JSON: &str = "application/json";
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const TRACEPARENT: HeaderName = HeaderName::from_static(span::TRACEPARENT);

/// The service. One per process, if there is one.
pub struct TokenHook {
    settings: TokenHookSettings,
    key: WebhookKey,
    channel: Channel,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HookFailure {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error(transparent)]
    Answer(#[from] InvalidAnswer),
    #[error("the request cannot be written: {0}")]
    Request(#[from] serde_json::Error),
    #[error(transparent)]
    Crowded(#[from] Crowded),
}

impl TokenHook {
    pub fn new(settings: &TokenHookSettings, outbound: &Arc<Outbound>) -> Result<Self, InvalidWebhookSecret> {
        let limits = ChannelLimits {
            reach: if settings.allow_private { Reach::Private } else { Reach::Public },
            timeout: settings.timeout,
            max_bytes: MAX_BYTES,
        };
        Ok(Self {
            settings: settings.clone(),
            key: WebhookKey::parse(&settings.secret)?,
            channel: Channel::new(Arc::clone(outbound), settings.url.clone(), limits),
        })
    }

    /// Whether the service has a say in the tokens of this client.
    pub fn is_for(&self, client: &Client) -> bool {
        client.token_hook.unwrap_or(self.settings.default)
    }

    /// What happens to tokens while it fails.
    pub fn on_failure(&self) -> OnFailure {
        self.settings.on_failure
    }

    /// Asks, once.
    pub async fn ask(&self, request: &Request<'_>, now: Timestamp) -> Result<Answer, HookFailure> {
        let body = serde_json::to_vec(request)?;
        let (id, at) = (format!("msg_{}", random::id()), now.unix().to_string());
        let signature = self.key.sign(&id, now, &body);
        let span = span::outbound("POST", self.settings.url.host_str().unwrap_or_default());
        let context = span::traceparent(&span);
        let mut headers = vec![
            (header::CONTENT_TYPE, JSON),
            (header::ACCEPT, JSON),
            (ID, &*id),
            (TIMESTAMP, &*at),
            (SIGNATURE, &*signature),
        ];
        headers.extend(context.as_deref().map(|context| (TRACEPARENT, context)));
        let reply = load::aside(self.channel.send(Method::POST, &headers, body.into())).await??;
        span::answered(&span, reply.status.as_u16());
        Ok(read(reply.status.as_u16(), &reply.body)?)
    }
}
