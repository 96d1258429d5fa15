//! WebFinger (RFC 7033), as far as OpenID Connect Discovery 2 needs it: which issuer vouches for somebody.
//!
//! The answer depends on the host in the resource only. Whether there is such an account is never looked at, so nobody
//! learns it (RFC 7033 9.2).

use serde_json::{Value, json};
use url::Url;

const ISSUER: &str = "http://openid.net/specs/connect/1.0/issuer";

/// What is said of a resource, with the links of these relations; all where none is named. None: it is not ours.
pub fn answer<'a>(issuer: &str, resource: &str, relations: impl Iterator<Item = &'a str>) -> Option<Value> {
    let ours = authority(&Url::parse(issuer).ok()?)?;
    if authority_of(resource)? != ours {
        return None;
    }
    let mut relations = relations.peekable();
    let asked = relations.peek().is_none() || relations.any(|relation| relation == ISSUER);
    // RFC 7033 4.3: `rel` only filters the links.
    let links = if asked { vec![json!({"rel": ISSUER, "href": issuer})] } else { Vec::new() };
    Some(json!({"subject": resource, "links": links}))
}

/// Host and port of a resource (OpenID Connect Discovery 2.1.2).
fn authority_of(resource: &str) -> Option<String> {
    let url = match resource.strip_prefix("acct:") {
        Some(account) => {
            let (user, host) = account.rsplit_once('@').filter(|(user, _)| !user.is_empty())?;
            let url = Url::parse(&format!("https://{host}")).ok()?;
            // What follows the host would be a path, and `user` could end in another host's name.
            (url.path() == "/" && url.query().is_none() && !user.contains('@')).then_some(url)?
        }
        None => Url::parse(resource).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?,
    };
    authority(&url)
}

fn authority(url: &Url) -> Option<String> {
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ISSUER, answer};

    const ID: &str = "https://id.example/auth";

    #[test]
    fn whoever_is_at_the_issuers_host_has_that_issuer() {
        for resource in [
            "acct:joe@id.example",
            "acct:nobody@ID.example",
            "https://id.example/joe",
            "https://id.example:443",
        ] {
            let expected = json!({"subject": resource, "links": [{"rel": ISSUER, "href": ID}]});
            assert_eq!(answer(ID, resource, [ISSUER].into_iter()), Some(expected.clone()), "{resource}");
            assert_eq!(answer(ID, resource, std::iter::empty()), Some(expected));
        }
        let ported = answer("https://id.example:8443", "acct:joe@id.example:8443", [ISSUER].into_iter());
        assert!(ported.is_some());
    }

    #[test]
    fn nobody_else_has_any() {
        for resource in [
            "acct:joe@other.example",
            "acct:joe@id.example.evil",
            "acct:joe@id.example:8443",
            "acct:joe@other.example@id.example",
            "acct:joe@id.example/x",
            "acct:@id.example",
            "acct:id.example",
            "https://id.example@other.example/",
            "https://joe@id.example/",
            "mailto:joe@id.example",
            "id.example",
            "",
        ] {
            assert_eq!(answer(ID, resource, [ISSUER].into_iter()), None, "{resource}");
        }
    }

    #[test]
    fn another_relation_has_no_link() {
        let found = answer(ID, "acct:joe@id.example", ["http://webfinger.net/rel/avatar"].into_iter());
        assert_eq!(found.unwrap()["links"], json!([]));
        let both = answer(ID, "acct:joe@id.example", ["x", ISSUER].into_iter());
        assert_eq!(both.unwrap()["links"][0]["href"], ID);
    }
}
