//! What the authorization endpoint answers with, and how the answer travels (RFC 6749 3.1.1, OAuth 2.0 Multiple Response
//! Type Encoding Practices).

use std::str::FromStr;

use super::closed_set::{any_of, closed_set};

closed_set! {
    /// `response_type`: what comes back from the authorization endpoint. The words of a name stand in alphabetical order.
    #[derive(Default)]
    #[serde(try_from = "String", into = "&'static str")]
    pub enum ResponseType: Serialize + Deserialize {
        /// RFC 6749 4.1
        #[default]
        Code = "code",
        /// OpenID Connect Core 3.3, without an access token in the front channel.
        CodeIdToken = "code id_token",
        /// OpenID Connect Core 3.2
        IdToken = "id_token",
        IdTokenToken = "id_token token",
        /// OpenID Connect Core 3.3
        CodeToken = "code token",
        CodeIdTokenToken = "code id_token token",
        /// RFC 6749 4.2
        Token = "token",
    }
}

impl ResponseType {
    pub fn has_code(self) -> bool {
        matches!(self, Self::Code | Self::CodeIdToken | Self::CodeToken | Self::CodeIdTokenToken)
    }

    pub fn has_id_token(self) -> bool {
        matches!(self, Self::CodeIdToken | Self::IdToken | Self::IdTokenToken | Self::CodeIdTokenToken)
    }

    /// Whether an access token comes through the browser.
    pub fn has_token(self) -> bool {
        matches!(self, Self::IdTokenToken | Self::CodeToken | Self::CodeIdTokenToken | Self::Token)
    }

    /// Whether it is what RFC 9700 2.1.2 advises against: an access token in the front channel, or no code at all.
    pub fn is_implicit(self) -> bool {
        self.has_token() || !self.has_code()
    }
}

impl From<ResponseType> for &'static str {
    fn from(response_type: ResponseType) -> Self {
        response_type.as_str()
    }
}

/// A name that is not one of [`ResponseType::ALL`].
#[derive(Debug, thiserror::Error)]
#[error("unknown response type; use {}", any_of::<ResponseType>())]
pub struct UnknownResponseType;

impl FromStr for ResponseType {
    type Err = UnknownResponseType;

    /// RFC 6749 3.1.1: the order of the words does not matter.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut words: Vec<&str> = name.split(' ').collect();
        words.sort_unstable();
        let sorted = words.join(" ");
        Self::named(&sorted).ok_or(UnknownResponseType)
    }
}

impl TryFrom<String> for ResponseType {
    type Error = UnknownResponseType;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// How an answer gets from the browser to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Query,
    Fragment,
    FormPost,
}

closed_set! {
    /// `response_mode`, where `jwt` has been replaced by what it stands for.
    #[derive(Default)]
    pub enum ResponseMode: Serialize + Deserialize {
        #[default]
        Query = "query",
        Fragment = "fragment",
        /// OAuth 2.0 Form Post Response Mode
        FormPost = "form_post",
        /// JWT Secured Authorization Response Mode (JARM) 2.3
        QueryJwt = "query.jwt",
        FragmentJwt = "fragment.jwt",
        FormPostJwt = "form_post.jwt",
    }
}

impl ResponseMode {
    pub fn carrier(self) -> Carrier {
        match self {
            Self::Query | Self::QueryJwt => Carrier::Query,
            Self::Fragment | Self::FragmentJwt => Carrier::Fragment,
            Self::FormPost | Self::FormPostJwt => Carrier::FormPost,
        }
    }

    /// Whether the answer is one JWT that the server signs (JARM 2.1).
    pub fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt)
    }

    /// The signed mode with the same carrier.
    pub fn signed(self) -> Self {
        match self.carrier() {
            Carrier::Query => Self::QueryJwt,
            Carrier::Fragment => Self::FragmentJwt,
            Carrier::FormPost => Self::FormPostJwt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ResponseType;

    #[test]
    fn the_order_of_the_words_does_not_matter_and_each_is_named_once() {
        for known in ResponseType::ALL {
            assert_eq!(known.as_str().parse::<ResponseType>().unwrap(), known);
        }
        assert_eq!("token id_token code".parse::<ResponseType>().unwrap(), ResponseType::CodeIdTokenToken);
        for unknown in ["", "CODE", "code code", "code  id_token", " code", "none", "code none"] {
            assert!(unknown.parse::<ResponseType>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn only_the_code_and_the_code_with_an_id_token_are_not_implicit() {
        let plain: Vec<&str> = ResponseType::ALL
            .into_iter()
            .filter(|each| !each.is_implicit())
            .map(ResponseType::as_str)
            .collect();
        assert_eq!(plain, ["code", "code id_token"]);
    }
}
