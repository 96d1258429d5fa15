//! What a scope permits, as a sentence.

use crate::model::Catalogue;
use crate::site::i18n::Messages;

/// One permission as a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Permission {
    pub sentence: String,
    pub is_new: bool,
}

impl Permission {
    /// In the words of the operator where they speak the page's language, else in ours; better in English than without
    /// any words.
    pub(crate) fn new(text: &Messages, catalogue: &Catalogue, scope: &str, is_new: bool) -> Self {
        let described =
            |tag: &str| catalogue.scope(scope).and_then(|known| known.description(tag)).map(str::to_owned);
        let ours = || our_sentence(scope).map(|key| text.get(key).to_owned());
        let neutral = || text.with("scope.other", &[("scope", scope)]);
        let sentence =
            described(text.tag()).or_else(ours).or_else(|| described("en")).unwrap_or_else(neutral);
        Self { sentence, is_new }
    }
}

/// The key of our own sentence about a scope.
fn our_sentence(scope: &str) -> Option<&'static str> {
    match scope {
        "openid" => Some("scope.openid"),
        "profile" => Some("scope.profile"),
        "email" => Some("scope.email"),
        "address" => Some("scope.address"),
        "phone" => Some("scope.phone"),
        "groups" => Some("scope.groups"),
        "offline_access" => Some("scope.offline_access"),
        _ => None,
    }
}
