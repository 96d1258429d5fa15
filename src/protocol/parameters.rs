//! Request parameters: `application/x-www-form-urlencoded` text, from a query or a body, parsed once (RFC 6749 3.1,
//! 3.2, appendix B).

use std::borrow::Cow;
use std::str::Utf8Error;

use percent_encoding::percent_decode;

use serde_json::Value;

use super::error::OAuthError;

/// More parameters than any request of the protocol has.
const MAX_PARAMETERS: usize = 100;

/// RFC 8707 2: `resource` may be repeated; `audience` is its older alias.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The parameters of one request, in their order.
#[derive(Debug, Default)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Decodes a form. What is not UTF-8 is refused (RFC 6749 appendix B).
    pub fn parse(encoded: &'a [u8]) -> Result<Self, OAuthError> {
        let encoded = std::str::from_utf8(encoded).map_err(not_utf8)?;
        let mut pairs = Vec::with_capacity(8);
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if pairs.len() == MAX_PARAMETERS {
                return Err(OAuthError::invalid_request("The request has too many parameters."));
            }
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// Claims of a request object as parameters (RFC 9101 4): numbers and booleans as they are written, objects as JSON, a
    /// list of texts as a parameter that is repeated.
    pub fn from_claims(
        claims: impl Iterator<Item = (String, Value)>,
    ) -> Result<Parameters<'static>, OAuthError> {
        let mut pairs = Vec::new();
        for (name, value) in claims {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name, text)),
                Value::Array(many) if REPEATABLE.contains(&name.as_str()) => {
                    let texts = many.iter().filter_map(Value::as_str);
                    pairs.extend(texts.map(|text| (name.clone(), text.to_owned())));
                }
                other => pairs.push((name, other.to_string())),
            }
        }
        if pairs.len() > MAX_PARAMETERS {
            return Err(OAuthError::invalid_request("The request has too many parameters."));
        }
        if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(OAuthError::invalid_request("A parameter holds the character NUL."));
        }
        Ok(Parameters(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The value of a parameter. One sent without a value counts as omitted (RFC 6749 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter that may be repeated.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_ref())
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    pub fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("The parameter {name} is missing.")))
    }

    /// All of them, encoded again, but for these.
    pub fn encoded_without(&self, left_out: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, _)| !left_out.contains(&name.as_ref()));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
    }

    /// Whether a parameter was sent more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.0.iter().filter(|(found, _)| found == name).count() > 1
    }

    /// RFC 6749 3.1, 3.2: parameters MUST NOT be included more than once.
    pub fn refuse_repeated(&self) -> Result<(), OAuthError> {
        let repeated = self.0.iter().enumerate().any(|(index, (name, _))| {
            !REPEATABLE.contains(&name.as_ref()) && self.0[..index].iter().any(|(earlier, _)| earlier == name)
        });
        if repeated {
            return Err(OAuthError::invalid_request("A parameter was sent more than once."));
        }
        Ok(())
    }
}

/// Decodes one name or value: `+` is a space, `%XX` a byte. No syntax of RFC 6749 appendix A knows the character NUL,
/// and Postgres cannot store it, so it is refused here once for everything that comes in.
pub fn decode(encoded: &str) -> Result<Cow<'_, str>, OAuthError> {
    if is_plain(encoded) {
        return Ok(Cow::Borrowed(encoded));
    }
    let spaced = encoded.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    let decoded = String::from_utf8(bytes).map_err(|error| not_utf8(error.utf8_error()))?;
    if decoded.contains('\0') {
        return Err(OAuthError::invalid_request("A parameter holds the character NUL."));
    }
    Ok(Cow::Owned(decoded))
}

/// Whether it stands for itself. Every byte is looked at, because the processor then looks at many at once.
fn is_plain(encoded: &str) -> bool {
    !encoded.bytes().fold(false, |found, byte| found | matches!(byte, b'+' | b'%' | 0))
}

fn not_utf8(_: Utf8Error) -> OAuthError {
    OAuthError::invalid_request("A parameter is not UTF-8.")
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn plus_and_percent_are_decoded_in_names_and_values() {
        let parameters = Parameters::parse(b"a+b=c%20d&%65=%2B&empty=&bare").unwrap();
        assert_eq!(parameters.get("a b"), Some("c d"));
        assert_eq!(parameters.get("e"), Some("+"));
    }

    #[test]
    fn an_empty_value_counts_as_omitted() {
        let parameters = Parameters::parse(b"empty=&bare").unwrap();
        assert_eq!((parameters.get("empty"), parameters.get("bare")), (None, None));
        assert!(parameters.require("empty").is_err());
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        assert!(Parameters::parse(b"a=%FF").is_err());
        assert!(Parameters::parse(b"a=\xFF").is_err());
    }

    #[test]
    fn the_character_nul_is_refused() {
        for text in [&b"a=%00"[..], b"a=\0", b"a%00=b"] {
            assert!(Parameters::parse(text).is_err());
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_unless_it_is_resource() {
        let repeated = |text: &'static [u8]| Parameters::parse(text).unwrap().refuse_repeated();
        assert!(repeated(b"a=1&b=2&a=1").is_err());
        assert!(repeated(b"a=&a=1").is_err());
        assert!(repeated(b"resource=1&resource=2").is_ok());
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        assert!(Parameters::parse("a=1&".repeat(101).as_bytes()).is_err());
    }
}
