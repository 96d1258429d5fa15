//! Requests: how many, how they ended, how long they took, and a line in the log for each slow one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::{Connections, Counts, Durations, Endpoint, Label, Listener, Spent, WAITS};
use crate::model::ErrorCode;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// Sent on, without an error.
    Redirect,
    /// A status of 4xx or 5xx that no error code of the protocol explains.
    ClientError,
    ServerError,
    TooLarge,
    TimedOut,
    Panicked,
    /// Refused at once, because there was too much to do.
    Overloaded,
    /// Whoever asked did not wait for the answer.
    Abandoned,
    /// An error of the protocol, whichever way it was told.
    Refused(ErrorCode),
}

impl Outcome {
    /// Of an answer whose status is all that is known.
    pub fn of_status(status: u16) -> Self {
        match status {
            ..300 => Self::Success,
            300..400 => Self::Redirect,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Redirect => "redirect",
            Self::ClientError => "client_error",
            Self::ServerError => "internal_error",
            Self::TooLarge => "too_large",
            Self::TimedOut => "timeout",
            Self::Panicked => "panic",
            Self::Overloaded => "overloaded",
            Self::Abandoned => "abandoned",
            Self::Refused(code) => code.as_str(),
        }
    }
}

/// The outcomes before [`Outcome::Refused`].
const OTHERS: usize = 9;

impl Label for Outcome {
    const MOST: usize = OTHERS + ErrorCode::ALL.len();

    fn index(self) -> usize {
        match self {
            Self::Success => 0,
            Self::Redirect => 1,
            Self::ClientError => 2,
            Self::ServerError => 3,
            Self::TooLarge => 4,
            Self::TimedOut => 5,
            Self::Panicked => 6,
            Self::Overloaded => 7,
            Self::Abandoned => 8,
            Self::Refused(code) => OTHERS + code as usize,
        }
    }

    fn shown_from_the_start() -> impl Iterator<Item = Self> {
        std::iter::empty()
    }
}

/// The requests and connections of all listeners. One per process.
pub struct Requests {
    pub outcomes: Counts<(Endpoint, Outcome)>,
    pub durations: Durations<Endpoint>,
    connections: [Arc<Connections>; Listener::ALL.len()],
    in_flight: AtomicI64,
    /// Before every path.
    prefix: String,
    aliases: HashMap<String, Endpoint>,
    /// A request that takes longer gets a line in the log.
    slow: Option<Duration>,
}

impl Requests {
    /// `aliases` are other paths of endpoints, both below `prefix`.
    pub fn new<'a>(
        prefix: &str,
        aliases: impl Iterator<Item = (&'a str, &'a str)>,
        slow: Option<Duration>,
    ) -> Self {
        Self {
            outcomes: Counts::default(),
            durations: Durations::new(&WAITS),
            connections: Default::default(),
            in_flight: AtomicI64::new(0),
            prefix: prefix.to_owned(),
            aliases: aliases.map(|(path, endpoint)| (path.to_owned(), Endpoint::at(endpoint))).collect(),
            slow,
        }
    }

    pub fn connections(&self, listener: Listener) -> &Arc<Connections> {
        &self.connections[listener as usize]
    }

    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Exactly where the router has it: what pages of other origins may call goes by it.
    fn endpoint(&self, path: &str) -> Endpoint {
        let Some(below) = path.strip_prefix(self.prefix.as_str()) else { return self.at_root(path) };
        match Endpoint::at(below) {
            Endpoint::Webfinger if !self.prefix.is_empty() => Endpoint::Other,
            Endpoint::Other => self.aliases.get(below).copied().unwrap_or(Endpoint::Other),
            endpoint => endpoint,
        }
    }

    /// What lies outside of the prefix.
    fn at_root(&self, path: &str) -> Endpoint {
        // RFC 8414 3.1: the issuer's path comes last there.
        let without_suffix = path.strip_suffix(self.prefix.as_str()).map(Endpoint::at);
        match (Endpoint::at(path), without_suffix) {
            // RFC 7033 4: at the root of the host.
            (Endpoint::Webfinger, _) => Endpoint::Webfinger,
            (_, Some(Endpoint::ServerMetadata)) => Endpoint::ServerMetadata,
            _ => Endpoint::Other,
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::new("", std::iter::empty(), None)
    }
}

/// Notes the requests of one listener. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    requests: Arc<Requests>,
    listener: Listener,
}

impl Watch {
    pub fn new(requests: &Arc<Requests>, listener: Listener) -> Self {
        Self { requests: Arc::clone(requests), listener }
    }

    pub fn connections(&self) -> &Arc<Connections> {
        self.requests.connections(self.listener)
    }

    /// A request to this path begins.
    pub fn begin(&self, path: &str) -> Observed {
        let endpoint = match self.listener {
            Listener::Public => self.requests.endpoint(path),
            Listener::Admin => Endpoint::Admin,
            Listener::Metrics => Endpoint::Metrics,
        };
        self.requests.in_flight.fetch_add(1, Ordering::Relaxed);
        Observed {
            requests: Arc::clone(&self.requests),
            endpoint,
            started: Instant::now(),
            spent: Spent::default(),
            ended: false,
        }
    }
}

/// One request. When it is dropped before its end, whoever asked has gone.
pub struct Observed {
    requests: Arc<Requests>,
    pub endpoint: Endpoint,
    started: Instant,
    pub spent: Spent,
    ended: bool,
}

impl Observed {
    /// The request has its answer. Returns how long that took.
    pub fn end(&mut self, outcome: Outcome) -> Duration {
        let took = self.started.elapsed();
        self.ended = true;
        self.requests.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.requests.outcomes.one((self.endpoint, outcome));
        self.requests.durations.note(self.endpoint, took);
        if self.requests.slow.is_some_and(|slow| took > slow) {
            self.tell(outcome, took);
        }
        took
    }

    /// Nothing of what the request said: the line itself names the request.
    fn tell(&self, outcome: Outcome, took: Duration) {
        let milliseconds = |nanoseconds: u64| nanoseconds / 1_000_000;
        tracing::warn!(
            endpoint = self.endpoint.text(),
            outcome = outcome.text(),
            milliseconds = took.as_millis() as u64,
            database_ms = milliseconds(self.spent.database),
            pool_ms = milliseconds(self.spent.pool),
            hashing_ms = milliseconds(self.spent.hashing),
            signing_ms = milliseconds(self.spent.signing),
            statements = self.spent.statements,
            "slow request"
        );
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(prefix: &str, path: &str) -> &'static str {
        let aliases = [("/oauth2/token", "/token")];
        Requests::new(prefix, aliases.into_iter(), None).endpoint(path).text()
    }

    #[test]
    fn a_path_is_its_endpoint_whatever_the_prefix_or_the_alias() {
        assert_eq!(at("", "/token"), "/token");
        assert_eq!(at("", "/oauth2/token"), "/token");
        assert_eq!(at("/auth", "/auth/oauth2/token"), "/token");
        assert_eq!(at("/auth", "/auth/register/abc"), "/register/{client_id}");
        let well_known = "/.well-known/oauth-authorization-server";
        assert_eq!(at("/auth", "/.well-known/oauth-authorization-server/auth"), well_known);
        assert_eq!(at("/auth", "/auth/.well-known/oauth-authorization-server"), well_known);
        assert_eq!(at("/auth", "/.well-known/webfinger"), "/.well-known/webfinger");
        assert_eq!(at("", "/.well-known/oauth-authorization-server"), well_known);
    }

    #[test]
    fn a_path_that_somebody_made_up_is_other() {
        let paths =
            ["/", "", "/token/", "/wp-login.php", "/auth/token", "//token", "/ TOKEN", "/register/a/b"];
        for path in paths {
            assert_eq!(at("", path), "other", "{path}");
        }
        let root = "/.well-known/oauth-authorization-server";
        for path in ["/token", "/oauth2/token", "/auth", "/authx/token", "/auth/.well-known/webfinger", root]
        {
            assert_eq!(at("/auth", path), "other", "{path}");
        }
    }

    #[test]
    fn every_outcome_has_a_place_of_its_own() {
        let last = Outcome::Refused(ErrorCode::UnapprovedSoftwareStatement);
        assert!(last.index() < Outcome::MOST);
        assert_eq!(Outcome::Refused(ErrorCode::InvalidRequest).index(), OTHERS);
        assert_eq!(Outcome::Abandoned.index(), OTHERS - 1);
    }

    #[test]
    fn a_line_is_logged_for_a_slow_request_only() {
        let logged = |slow| {
            let log = Log::default();
            let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).finish();
            let requests = Arc::new(Requests::new("", std::iter::empty(), slow));
            tracing::subscriber::with_default(subscriber, || {
                Watch::new(&requests, Listener::Public).begin("/token").end(Outcome::Success);
            });
            String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
        };
        let line = logged(Some(Duration::ZERO));
        assert!(line.contains("slow request") && line.contains("\"/token\""), "{line}");
        assert_eq!(logged(Some(Duration::from_secs(60))), "");
        assert_eq!(logged(None), "");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'w> tracing_subscriber::fmt::MakeWriter<'w> for Log {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_request_that_is_dropped_was_abandoned() {
        let requests = Arc::new(Requests::default());
        let watch = Watch::new(&requests, Listener::Public);
        drop(watch.begin("/token"));
        let mut answered = watch.begin("/token");
        assert_eq!(requests.in_flight(), 1);
        answered.end(Outcome::Success);
        drop(answered);
        assert_eq!(requests.in_flight(), 0);
        assert_eq!(requests.outcomes.of((Endpoint::Token, Outcome::Abandoned)), 1);
        assert_eq!(requests.outcomes.of((Endpoint::Token, Outcome::Success)), 1);
    }
}
