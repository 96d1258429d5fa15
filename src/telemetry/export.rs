//! Traces, sent to a collector by OTLP over HTTP (OpenTelemetry Protocol 1.x, section OTLP/HTTP, protobuf).
//!
//! The SDK gathers spans in a thread of its own and sends them in batches; what does not fit in its queue is dropped, so
//! that a collector that does not answer costs nobody anything. Requests go out over the server's own HTTP client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use url::Url;

use crate::config::TracingSettings;
use crate::outbound::{Channel, ChannelLimits, Outbound, Reach};

/// How long the last spans may take at the end of the process.
const FLUSH: Duration = Duration::from_secs(3);
/// For sending one batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a collector's answer that are read.
const MAX_BYTES: usize = 64 * 1024;

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("tracing: {0}")]
pub(super) struct ExportError(String);

/// What is exporting. One per process.
pub(super) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts the exporter, on a Tokio runtime.
    pub(super) fn start(
        endpoint: &Url,
        settings: &TracingSettings,
        outbound: Outbound,
    ) -> Result<Self, ExportError> {
        let fail = |error: &dyn fmt::Display| ExportError(error.to_string());
        let runtime = Handle::try_current().map_err(|error| fail(&error))?;
        let limits = ChannelLimits { reach: Reach::Anywhere, timeout: TIMEOUT, max_bytes: MAX_BYTES };
        let channel = Arc::new(Channel::new(Arc::new(outbound), endpoint.clone(), limits));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { channel, runtime })
            .with_endpoint(endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| fail(&error))?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource())
            .build();
        Ok(Self { provider })
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("chancery")
    }

    /// Sends what is left. It may take a moment.
    pub(super) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go first.
fn resource() -> Resource {
    let named =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => named.build(),
        None => named.with_service_name("chancery").build(),
    }
}

/// Posts to the collector.
struct Collector {
    channel: Arc<Channel>,
    runtime: Handle,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Called in the SDK's thread, which knows no Tokio.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let channel = Arc::clone(&self.channel);
        let sent = self.runtime.spawn(async move {
            let (head, body) = request.into_parts();
            // Those of OTEL_EXPORTER_OTLP_HEADERS, and those of the SDK.
            let headers: Vec<_> = head
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.to_str().ok()?)))
                .collect();
            channel.send(head.method, &headers, body).await
        });
        match sent.await? {
            Ok(reply) if reply.status.is_success() => {
                Ok(Response::builder().status(reply.status).body(reply.body)?)
            }
            Ok(reply) => {
                tracing::warn!(status = reply.status.as_u16(), "the collector does not take the traces");
                Ok(Response::builder().status(reply.status).body(reply.body)?)
            }
            Err(error) => {
                tracing::warn!(%error, "the traces could not be sent to the collector");
                Err(error.into())
            }
        }
    }
}
