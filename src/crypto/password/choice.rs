//! Which passwords people may choose, and the one form that a password is hashed and compared in.

use precis_core::profile::Rules as _;
use precis_profiles::OpaqueString;

use crate::model::{Secret, text};

/// Characters a new password has at least (NIST SP 800-63B 5.1.1.2).
pub(crate) const SHORTEST_CHARACTERS: usize = 8;
/// Bytes it has at most: longer ones only cost time to hash.
pub(crate) const LONGEST_BYTES: usize = 1024;

/// Why a new password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnacceptablePassword {
    #[error("use at least {SHORTEST_CHARACTERS} characters")]
    TooShort,
    #[error("use at most {LONGEST_BYTES} bytes")]
    TooLong,
    #[error("use letters, digits, signs and spaces: it holds something that cannot be seen (RFC 8265 4.2)")]
    Unseen,
}

/// The one form of a password that keyboards write in several: with the spaces of ASCII, composed (RFC 8265 4.2.2).
pub(super) fn prepared(password: &Secret) -> Secret {
    let profile = OpaqueString::default();
    let spaced = profile.additional_mapping_rule(password.expose());
    match spaced.and_then(|spaced| profile.normalization_rule(spaced)) {
        Ok(prepared) => Secret::new(prepared),
        Err(_) => password.clone(),
    }
}

/// The one rule for passwords that people choose: length. What else is demanded makes them worse. What cannot be seen could
/// not be typed again.
pub(crate) fn check_new(password: &Secret) -> Result<(), UnacceptablePassword> {
    let prepared = prepared(password);
    let text = prepared.expose();
    if text::check_characters(text).is_err() {
        return Err(UnacceptablePassword::Unseen);
    }
    if text.chars().count() < SHORTEST_CHARACTERS {
        return Err(UnacceptablePassword::TooShort);
    }
    if text.len() > LONGEST_BYTES { Err(UnacceptablePassword::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_BYTES, UnacceptablePassword, check_new};
    use crate::model::Secret;

    #[test]
    fn a_new_password_has_a_shortest_and_a_longest_length() {
        assert_eq!(check_new(&Secret::new("1234567")), Err(UnacceptablePassword::TooShort));
        assert_eq!(check_new(&Secret::new("ääääääää")), Ok(()));
        assert_eq!(check_new(&Secret::new("x".repeat(LONGEST_BYTES))), Ok(()));
        assert_eq!(
            check_new(&Secret::new("x".repeat(LONGEST_BYTES + 1))),
            Err(UnacceptablePassword::TooLong)
        );
    }

    #[test]
    fn a_new_password_holds_nothing_that_cannot_be_typed_again() {
        for fine in [
            "löffel und gäbel 9",
            "lo\u{308}ffel und gabel",
            "пароль と 🦄 ❤\u{fe0f}",
            "ＡＢＣ\u{3000}ａｂｃ９",
        ] {
            assert_eq!(check_new(&Secret::new(fine)), Ok(()), "{fine}");
        }
        for unseen in
            ["correct\u{200b}horse", "correct\u{7}horse", "correct\u{202e}horse", "correct\u{e000}horse"]
        {
            assert_eq!(check_new(&Secret::new(unseen)), Err(UnacceptablePassword::Unseen));
        }
        // Seven, however they are written.
        let seven = Secret::new("a\u{308}".repeat(7));
        assert_eq!(check_new(&seven), Err(UnacceptablePassword::TooShort));
    }
}
