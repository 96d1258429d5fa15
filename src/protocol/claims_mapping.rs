//! Extra claims of a client's tokens, from what is known of the user.

use serde_json::{Map, Value, json};

use super::reserved_claims::{is_name, is_reserved};
use crate::model::{ClaimSource, ClaimsMapping, User};

const MAX_CLAIMS: usize = 32;
const MAX_CONSTANT: usize = 256;

/// What is wrong with a mapping, each problem as a sentence.
pub(crate) fn check(mapping: &ClaimsMapping) -> Vec<String> {
    let mut problems = Vec::new();
    if mapping.len() > MAX_CLAIMS {
        problems.push(format!("at most {MAX_CLAIMS} claims: every token carries them"));
    }
    for (name, source) in mapping {
        if is_reserved(name) {
            problems.push(format!("{name} has a meaning of its own in tokens"));
        }
        if !is_name(name) {
            problems.push(format!("{name:?} is no name of a claim"));
        }
        if matches!(source, ClaimSource::Constant(text) if text.len() > MAX_CONSTANT) {
            problems.push(format!("{name}: a constant has at most {MAX_CONSTANT} bytes"));
        }
    }
    problems
}

/// The claims. What is not known of the user is left out; a client of its own has no user.
pub(crate) fn apply(mapping: &ClaimsMapping, user: Option<&User>) -> Map<String, Value> {
    mapping
        .iter()
        .filter_map(|(name, source)| value(source, user).map(|value| (name.clone(), value)))
        .collect()
}

fn value(source: &ClaimSource, user: Option<&User>) -> Option<Value> {
    if let ClaimSource::Constant(text) = source {
        return Some(json!(text));
    }
    let user = user?;
    match source {
        ClaimSource::Id => Some(json!(user.id)),
        ClaimSource::Username => Some(json!(user.username)),
        ClaimSource::Email => user.email.as_ref().map(|email| json!(email)),
        // Said of what is there only.
        ClaimSource::EmailVerified => user.email.as_ref().map(|_| json!(user.email_verified)),
        ClaimSource::PhoneNumber => user.phone_number.as_ref().map(|number| json!(number)),
        ClaimSource::PhoneNumberVerified => {
            user.phone_number.as_ref().map(|_| json!(user.phone_number_verified))
        }
        ClaimSource::Groups => Some(json!(user.groups)),
        ClaimSource::Profile(member) => json!(user.profile).get(*member).cloned(),
        ClaimSource::Constant(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{apply, check};
    use crate::model::{ClaimSource, ClaimsMapping, Profile, Timestamp, User, UserId};

    fn mapping(pairs: &[(&str, &str)]) -> ClaimsMapping {
        pairs.iter().map(|(name, source)| ((*name).to_owned(), source.parse().unwrap())).collect()
    }

    #[test]
    fn reserved_names_are_refused() {
        for name in ["sub", "aud", "active", "typ"] {
            assert_eq!(check(&mapping(&[(name, "user.id")])).len(), 1, "{name}");
        }
        assert!(
            check(&mapping(&[("tenant", "const:acme"), ("https://acme.example/roles", "user.groups")]))
                .is_empty()
        );
        assert_eq!(check(&mapping(&[("", "user.id"), ("a b", "user.id"), ("a\"", "user.id")])).len(), 3);
        let long = ClaimSource::Constant("x".repeat(257));
        assert_eq!(check(&[("tenant".to_owned(), long)].into()).len(), 1);
    }

    #[test]
    fn a_claim_is_the_attribute_as_it_is_and_left_out_where_there_is_none() {
        let user = User {
            id: UserId::new("u1"),
            username: "ada".into(),
            email: Some("ada@mail.example".into()),
            email_verified: false,
            phone_number: None,
            phone_number_verified: true,
            profile: Profile { locale: Some("en-GB".into()), ..Profile::default() },
            groups: vec!["staff".into()],
            disabled: false,
            created_at: Timestamp::from_unix(0),
            updated_at: Timestamp::from_unix(0),
        };
        let mapping = mapping(&[
            ("a", "user.id"),
            ("b", "user.email_verified"),
            ("c", "user.phone_number_verified"),
            ("d", "user.groups"),
            ("e", "user.profile.locale"),
            ("f", "user.profile.name"),
            ("g", "const:x"),
            ("h", "user.username"),
        ]);
        let claims = serde_json::Value::Object(apply(&mapping, Some(&user)));
        let expected = serde_json::json!({
            "a": "u1", "b": false, "d": ["staff"], "e": "en-GB", "g": "x", "h": "ada",
        });
        assert_eq!(claims, expected);
        assert_eq!(serde_json::Value::Object(apply(&mapping, None)), serde_json::json!({"g": "x"}));
    }
}
