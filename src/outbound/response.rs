//! What was fetched, and for how long it may be kept (RFC 9111 4.2.1).

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{AGE, CACHE_CONTROL, DATE, EXPIRES};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A document.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub body: Bytes,
    /// Seconds it may be kept; none: its headers don't say.
    pub freshness: Option<i64>,
}

/// Seconds a response stays fresh: `max-age`, else `Expires` less `Date`; less the `Age` it has already.
pub(super) fn freshness(headers: &HeaderMap) -> Option<i64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache")) {
        return Some(0);
    }
    let max_age = directives.iter().find_map(|directive| directive.strip_prefix("max-age="));
    let max_age = max_age.and_then(|seconds| seconds.trim_matches('"').parse::<i64>().ok());
    let age = text(AGE).and_then(|age| age.trim().parse::<i64>().ok()).unwrap_or_default().max(0);
    // RFC 9111 5.3: an Expires that is no date, like `0`, is in the past.
    let expires = text(EXPIRES).map(|expires| match (date(expires), text(DATE).and_then(date)) {
        (Some(expires), Some(now)) => expires - now,
        _ => 0,
    });
    max_age.or(expires).map(|seconds| (seconds - age).max(0))
}

/// IMF-fixdate (RFC 9110 5.6.7), which is RFC 5322's form with the zone `GMT`.
fn date(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok().map(OffsetDateTime::unix_timestamp)
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    use super::freshness;

    fn of(headers: &[(&'static str, &'static str)]) -> Option<i64> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        freshness(&headers.iter().map(pair).collect::<HeaderMap>())
    }

    #[test]
    fn freshness_comes_from_max_age_then_from_expires() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let expires = ("expires", "Sun, 06 Nov 1994 09:49:37 GMT");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("cache-control", "public, max-age=900")]), Some(900));
        assert_eq!(of(&[("cache-control", "Max-Age=900"), ("age", "300")]), Some(600));
        assert_eq!(of(&[("cache-control", "max-age=900"), ("age", "3000")]), Some(0));
        assert_eq!(of(&[date, expires]), Some(3600));
        assert_eq!(of(&[date, expires, ("cache-control", "max-age=5")]), Some(5));
        assert_eq!(of(&[date, ("expires", "0")]), Some(0));
        assert_eq!(of(&[("cache-control", "no-cache, max-age=900")]), Some(0));
        assert_eq!(of(&[("cache-control", "no-store")]), Some(0));
        assert_eq!(of(&[("cache-control", "max-age=soon")]), None);
    }
}
