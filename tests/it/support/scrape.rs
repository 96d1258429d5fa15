//! What is scraped at `/metrics`, read as Prometheus reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chancery::metrics;
use chancery::observe::Listener;
use chancery::server::edge;
use tower::Service as _;

use super::{Answer, TestServer};

/// One scrape.
#[derive(Debug)]
pub struct Scrape {
    /// By name and labels as they stand there.
    samples: BTreeMap<String, f64>,
    /// The type of each metric.
    pub types: BTreeMap<String, String>,
    pub text: String,
}

impl Scrape {
    pub fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(answer.header(header::CONTENT_TYPE), expected);
        assert!(answer.body.ends_with("# EOF\n"));
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in answer.body.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (name, kind) = described.split_once(' ').unwrap();
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} is there twice");
            }
        }
        Self { samples, types, text: answer.body.clone() }
    }

    /// A sample by its name and labels, such as `a_total{b="c"}`.
    #[track_caller]
    pub fn at(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in\n{}", self.text))
    }

    pub fn holds(&self, sample: &str) -> bool {
        self.samples.contains_key(sample)
    }

    /// The sum of a sample over all its labels.
    pub fn sum(&self, name: &str) -> f64 {
        let of_name = |sample: &str| sample.split('{').next() == Some(name);
        self.samples.iter().filter(|(sample, _)| of_name(sample)).map(|(_, value)| value).sum()
    }
}

impl TestServer {
    /// A request to the metrics listener.
    pub async fn metrics_request(&self, path: &str) -> Answer {
        let router = metrics::router(Arc::clone(&self.app));
        let mut edge = edge::layers(router, &self.app.settings.server, self.app.watch(Listener::Metrics));
        let response = edge.call(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn scrape(&self) -> Scrape {
        Scrape::read(&self.metrics_request("/metrics").await)
    }
}
