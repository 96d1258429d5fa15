//! What people sign in by: one form of a name is one user, however a keyboard writes it (RFC 8265).

use precis_core::profile::PrecisFastInvocation as _;
use precis_core::{CodepointInfo, Error};
use precis_profiles::{UsernameCaseMapped, UsernameCasePreserved};
use unicode_normalization::UnicodeNormalization as _;
use url::Host;

/// Why nobody may be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitUserName {
    #[error(
        "U+{0:04X} is no character of user names (RFC 8265 3.3); use letters, digits and signs without white space"
    )]
    Character(u32),
    #[error("it is empty, or runs in both directions (RFC 5893 2)")]
    Form,
}

/// A new user name as it is kept and shown: in one width and normalization, with its own capitals (RFC 8265 3.4).
pub fn prepared(name: &str) -> Result<String, UnfitUserName> {
    let unfit = |error| match error {
        Error::BadCodepoint(CodepointInfo { cp, .. }) => UnfitUserName::Character(cp),
        Error::Invalid | Error::Unexpected(_) => UnfitUserName::Form,
    };
    // What is kept is compared by the other profile.
    UsernameCaseMapped::enforce(name).map_err(unfit)?;
    UsernameCasePreserved::enforce(name).map(String::from).map_err(unfit)
}

/// What user names are compared by: RFC 8265 3.3. A name that it does not allow, as there are older ones, in lower case.
pub fn username_key(name: &str) -> String {
    let name = name.trim();
    // Every rule leaves these as they are, but for their case.
    if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return name.to_ascii_lowercase();
    }
    let allowed = |name: &str| UsernameCaseMapped::enforce(name).ok().map(String::from);
    let key = allowed(name).or_else(|| allowed(&folded(name))).unwrap_or_else(|| folded(name));
    one_sigma(&key)
}

/// What mail addresses are compared by: the domain as the DNS knows it (RFC 5890 2.3.2.1), the rest in lower case.
pub fn email_key(address: &str) -> String {
    let key = folded(address.trim());
    let key = match key.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => match Host::parse(domain) {
            Ok(Host::Domain(domain)) => format!("{local}@{domain}"),
            _ => key,
        },
        _ => key,
    };
    one_sigma(&key)
}

/// What both were compared by before. Who was found by it still is.
pub fn plain_key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn folded(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// Which of the two a capital becomes depends on what follows it, and on who asks.
fn one_sigma(key: &str) -> String {
    key.replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_is_one_user() {
        for (one, other) in [
            ("jörg", "jo\u{308}rg"),
            ("Jörg", "JO\u{308}RG"),
            (" ann ", "ANN"),
            ("ａｎｎ", "ann"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ", "οδοσ"),
            ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            ("🤖", "🤖"),
            ("\u{212a}ａ\u{301}", "ká"),
        ] {
            assert_eq!(username_key(one), username_key(other), "{one} {other}");
        }
        for (one, other) in [("ann", "аnn"), ("ann", "anne"), ("strasse", "straße"), ("i", "ı")] {
            assert_ne!(username_key(one), username_key(other), "{one} {other}");
        }
    }

    #[test]
    fn an_address_is_compared_by_the_domain_of_the_dns() {
        for other in ["Jörg@Bücher.example", "jo\u{308}rg@BU\u{308}CHER.example", "jörg@bücher。example"]
        {
            assert_eq!(email_key(other), "jörg@xn--bcher-kva.example");
        }
        assert_eq!(email_key(" Ann@1.2.3 "), "ann@1.2.3");
        assert_eq!(email_key("ann@exa mple"), "ann@exa mple");
    }

    #[test]
    fn nobody_is_called_what_cannot_be_compared() {
        assert_eq!(prepared("Jo\u{308}rg").as_deref(), Ok("Jörg"));
        assert_eq!(prepared("ＡＮＮ").as_deref(), Ok("ANN"));
        assert_eq!(prepared("ann+2@mail.example").as_deref(), Ok("ann+2@mail.example"));
        for (name, unfit) in [
            ("a b", UnfitUserName::Character(0x20)),
            ("a\u{200b}b", UnfitUserName::Character(0x200b)),
            ("a\u{202e}b", UnfitUserName::Character(0x202e)),
            ("a\u{7}", UnfitUserName::Character(7)),
            ("a\u{ad}", UnfitUserName::Character(0xad)),
            ("🤖", UnfitUserName::Character(0x1f916)),
            ("ﬁ", UnfitUserName::Character(0xfb01)),
            ("", UnfitUserName::Form),
            ("אa", UnfitUserName::Form),
        ] {
            assert_eq!(prepared(name), Err(unfit), "{name:?}");
        }
    }
}
