//! What a caller wants an answer to look like (RFC 9110 12.5.1).

use axum::http::{HeaderMap, header};

/// Whether `media_type` is named as wanted, and nothing that stands for JSON more than it. A wildcard is no wish for it:
/// JSON is what everybody gets who does not ask for something else.
pub(crate) fn prefers(headers: &HeaderMap, media_type: &str) -> bool {
    let ranges: Vec<(String, u16)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    let weight = |name: &str| ranges.iter().find(|(range, _)| range == name).map(|(_, weight)| *weight);
    // RFC 9110 12.5.1: the most specific range has precedence.
    let json = ["application/json", "application/*", "*/*"].into_iter().find_map(weight).unwrap_or(0);
    weight(media_type).is_some_and(|wanted| wanted > 0 && wanted >= json)
}

/// A media range in small letters, and its weight in thousandths.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    // A weight that cannot be read is no reason to refuse the answer.
    let weight = weight.and_then(|text| text.parse::<f32>().ok()).unwrap_or(1.0).clamp(0.0, 1.0);
    Some((name, (weight * 1000.0) as u16))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::prefers;

    fn prefers_jwt(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        prefers(&headers, "application/some+jwt")
    }

    #[test]
    fn a_media_type_is_preferred_only_where_it_is_named_and_nothing_is_wanted_more() {
        for accept in [
            &["application/some+jwt"][..],
            &["Application/Some+JWT"],
            &["application/some+jwt, application/json"],
            &["application/json;q=0.5, application/some+jwt"],
            &["text/html", "application/some+jwt;q=0.1"],
            &["application/some+jwt; q=1.0, */*;q=0.8"],
            &["application/some+jwt;q=x"],
        ] {
            assert!(prefers_jwt(accept), "{accept:?}");
        }
        for accept in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/*"],
            &["application/json"],
            &["text/html"],
            &["application/some+jwt;q=0"],
            &["application/some+jwt;q=0.5, application/json"],
            &["application/some+jwt;q=0.5, */*"],
            &["application/some+jwt2"],
            &["application/jwt"],
        ] {
            assert!(!prefers_jwt(accept), "{accept:?}");
        }
    }
}
