//! Texts that others wrote and people read: what may stand in a name, and how a text is shown that nobody checked.
//!
//! What a character is, is Unicode's to say: its general category, UTS 39 (what is confused with what), UTS 51 (emoji) and
//! RFC 5892 (joiners), each through a crate that keeps up with it.

use std::borrow::Cow;
use std::fmt::Write as _;

use precis_core::{FreeformClass, StringClass as _};
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{
    GeneralCategory, GeneralCategoryGroup, UnicodeEmoji as _, UnicodeGeneralCategory as _,
};
use unicode_script::{Script, UnicodeScript as _};
use unicode_security::{
    GeneralSecurityProfile as _, RestrictionLevel, RestrictionLevelDetection as _, skeleton,
};

/// UTS 39 5.4: more marks than this on one letter run into the lines around them.
const MOST_MARKS: usize = 4;
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Why a text is not one for people to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("there is nothing in it that can be seen")]
    Blank,
    #[error("U+{:04X} in it cannot be seen, or changes what stands around it; leave it out", u32::from(*.0))]
    Character(char),
    #[error("more than {MOST_MARKS} marks are on one letter")]
    Marks,
}

/// Why a name may be taken for another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misleading {
    #[error("U+{:04X} in it is no letter that is written today (UTS 39 3.1); use the usual one", u32::from(*.0))]
    Letter(char),
    #[error("a word in it is of several scripts (UTS 39 5.2): {}", .0.escape_unicode())]
    Mixed(String),
    #[error("it looks like \"{0}\" and is written in other letters (UTS 39 4)")]
    Lookalike(String),
}

/// Whether people can read a text: something in it can be seen, and nothing does harm unseen.
pub fn check_readable(text: &str) -> Result<(), Unreadable> {
    let chars: Vec<char> = text.nfc().collect();
    if let Some((_, unseen)) = unseen(&chars).next() {
        return Err(Unreadable::Character(unseen));
    }
    let is_mark = |char: &char| char.general_category_group() == GeneralCategoryGroup::Mark;
    if chars.iter().all(|char| char.is_whitespace() || is_mark(char)) {
        return Err(Unreadable::Blank);
    }
    let is_above = |char: &char| char.general_category() == GeneralCategory::NonspacingMark;
    if chars.windows(MOST_MARKS + 1).any(|window| window.iter().all(is_above)) {
        return Err(Unreadable::Marks);
    }
    Ok(())
}

/// Whether every character of a text can be seen; also of one that may be empty.
pub fn check_characters(text: &str) -> Result<(), Unreadable> {
    // Nothing is put together of ASCII: most texts are, and long.
    if text.is_ascii() {
        let unseen = text.chars().find(char::is_ascii_control);
        return unseen.map_or(Ok(()), |unseen| Err(Unreadable::Character(unseen)));
    }
    let chars: Vec<char> = text.nfc().collect();
    match unseen(&chars).next() {
        Some((_, char)) => Err(Unreadable::Character(char)),
        None => Ok(()),
    }
}

/// Whether a name can be taken for what it is not, because its letters are those of other scripts.
pub fn check_script(text: &str) -> Result<(), Misleading> {
    let text: String = text.nfc().collect();
    let letters = |text: &str| text.chars().filter(|char| char.is_alphabetic()).collect::<String>();
    if let Some(odd) = letters(&text).chars().find(|char| !char.identifier_allowed()) {
        return Err(Misleading::Letter(odd));
    }
    // Word by word: a name in two languages is no trick, a word is.
    for word in text.split(|char: char| !is_of_word(char)) {
        let of_word = letters(word);
        if !of_word.is_empty()
            && !of_word.as_str().check_restriction_level(RestrictionLevel::HighlyRestrictive)
        {
            return Err(Misleading::Mixed(word.to_owned()));
        }
    }
    // These three share their shapes with Latin. Where all the letters do, nobody sees the difference.
    let shares = |char: char| matches!(char.script(), Script::Cyrillic | Script::Greek | Script::Armenian);
    let seen: String = skeleton(&text).collect();
    if text.contains(shares) && letters(&seen).is_ascii() {
        return Err(Misleading::Lookalike(seen));
    }
    Ok(())
}

/// The text with everything that cannot be seen, or changes what stands around it, written out: for pages, terminals and the
/// log, whatever the text is.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return text.into();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut unseen = unseen(&chars).peekable();
    if unseen.peek().is_none() {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for (at, char) in chars.iter().enumerate() {
        match unseen.next_if(|(next, _)| *next == at) {
            Some(_) => drop(write!(escaped, "{}", char.escape_default())),
            None => escaped.push(*char),
        }
    }
    escaped.into()
}

/// What cannot be seen, with its place.
fn unseen(chars: &[char]) -> impl Iterator<Item = (usize, char)> {
    let is_unseen = |(at, char): &(usize, char)| is_invisible(*char) && !is_in_place(chars, *at);
    chars.iter().copied().enumerate().filter(is_unseen)
}

/// Control characters and line ends, those that turn the direction of text, those that have no shape, and those of which nobody
/// but the writer knows the shape.
fn is_invisible(char: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned,
    };
    if char.is_ascii() {
        return char.is_ascii_control();
    }
    let without_shape = matches!(
        char.general_category(),
        Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate | Unassigned
    );
    // Braille's pattern without dots is no white space, and as blank. A skeleton leaves out what is to be ignored.
    without_shape || char == '\u{2800}' || skeleton(char.encode_utf8(&mut [0; 4])).next().is_none()
}

/// Whether something without a shape stands where it is needed: in an emoji (UTS 51), or where letters are joined or kept apart
/// (RFC 5892 A.1, A.2).
fn is_in_place(chars: &[char], at: usize) -> bool {
    use unicode_properties::emoji::{is_emoji_presentation_selector, is_text_presentation_selector};
    let is_emoji = |char: char| !char.is_ascii() && char.is_emoji_char();
    let Some(before) = at.checked_sub(1).map(|before| chars[before]) else { return false };
    let after = chars.get(at + 1).copied();
    let char = chars[at];
    if is_emoji_presentation_selector(char) || is_text_presentation_selector(char) {
        return is_emoji(before);
    }
    match char {
        ZERO_WIDTH_JOINER if after.is_some_and(is_emoji) => {
            is_emoji(before) || is_emoji_presentation_selector(before)
        }
        ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
            let around: String = [before, char].into_iter().chain(after).collect();
            FreeformClass::default().allows(around).is_ok()
        }
        _ => false,
    }
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char.general_category_group() == GeneralCategoryGroup::Mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_scripts_of_the_world_are_readable() {
        for name in [
            "Acme",
            "Müller & Söhne",
            "Mu\u{308}ller",
            "日本語アプリ",
            "한국어",
            "\u{1112}\u{1161}\u{11ab}",
            "العربية",
            "עברית",
            "हिन्दी",
            "क\u{94d}\u{200d}ष",
            "می\u{200c}خواهم",
            "Яндекс Browser",
            "🤖 & 🦄",
            "❤\u{fe0f} Health",
            "👩\u{200d}💻",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "A\u{a0}B",
            "日本　語",
            "№ 5",
            "C++ / C#",
        ] {
            assert_eq!(check_readable(name), Ok(()), "{name:?}");
            assert_eq!(escaped(name), name);
        }
    }

    #[test]
    fn what_is_blank_or_unseen_or_turns_the_text_is_not() {
        for blank in ["", " ", "\u{a0}\u{3000}", "\u{301}"] {
            assert_eq!(check_readable(blank), Err(Unreadable::Blank), "{blank:?}");
        }
        for name in [
            "\u{200b}",
            "\u{200e}\u{200f}",
            "A\u{202e}B",
            "A\u{2066}B\u{2069}",
            "Go\u{ad}ogle",
            "\u{2060}",
            "a\nb",
            "a\u{1b}[31m",
            "a\u{85}b",
            "a\u{2028}b",
            "Google\u{200b}",
            "\u{3164}",
            "\u{115f}",
            "\u{ffa0}",
            "\u{2800}",
            "a\u{e0041}",
            "a\u{fe0f}",
            "1\u{fe0f}",
            "a\u{200d}b",
            "Goo\u{200c}gle",
            "a\u{34f}b",
            "a\u{180e}b",
            "\u{feff}a",
            "a\u{e000}",
            "a\u{fdd0}",
            "a\u{e0100}",
            "a\u{61c}",
        ] {
            assert!(matches!(check_readable(name), Err(Unreadable::Character(_))), "{name:?}");
            assert!(!escaped(name).chars().any(|char| char.is_control() || is_invisible(char)), "{name:?}");
        }
        assert_eq!(check_readable("Z\u{335}\u{336}\u{337}\u{338}\u{339}algo"), Err(Unreadable::Marks));
    }

    #[test]
    fn what_cannot_be_seen_is_written_out_and_the_rest_stays() {
        assert_eq!(escaped("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(escaped("A\u{202e}B ü"), "A\\u{202e}B ü");
        assert_eq!(escaped("plain \\ text"), "plain \\ text");
    }

    #[test]
    fn a_word_of_several_scripts_or_in_the_shapes_of_another_misleads() {
        use Misleading::{Letter, Lookalike, Mixed};
        for (name, why) in [
            ("Gооgle", Mixed("Gооgle".into())),
            ("Acme Pаypal", Mixed("Pаypal".into())),
            ("раураӏ", Lookalike("paypal".into())),
            ("Log in with РауРаӏ", Lookalike("Log in with PayPal".into())),
            ("𝐆oogle", Letter('𝐆')),
            ("Ｇｏｏｇｌｅ", Letter('Ｇ')),
            ("ɡoogle", Letter('ɡ')),
            ("ᏀᎾᎾᏀᏞᎬ", Letter('Ꮐ')),
        ] {
            let found = check_script(name).expect_err(name);
            assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&why), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_name_in_its_own_script_does_not() {
        for name in [
            "Acme 2",
            "Café Zoë",
            "Яндекс",
            "Яндекс Browser",
            "Тест с нами",
            "Ελληνικά",
            "日本語アプリ",
            "Tokyo東京",
            "한국어 App",
            "العربية",
            "סוס",
            "हिन्दी",
            "Հայերեն",
            "🤖 Bot",
            "№1",
            "می\u{200c}خواهم",
        ] {
            assert_eq!(check_script(name), Ok(()), "{name}");
        }
    }
}
