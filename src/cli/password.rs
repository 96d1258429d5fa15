//! Passwords on the command line: read from standard input or made here, never taken from an argument.

use std::io::{self, BufRead as _};

use super::Failure;
use super::args::user::PasswordSource;
use crate::crypto::password::LONGEST_BYTES;
use crate::crypto::random;
use crate::model::Secret;

/// Letters that are not taken for one another, read aloud or in any typeface.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
const GROUPS: usize = 4;
const GROUP: usize = 5;

/// A password, and whether it has to be shown because nobody knows it yet.
pub(super) struct Chosen {
    pub password: Secret,
    pub generated: bool,
}

pub(super) fn choose(source: &PasswordSource) -> Result<Chosen, Failure> {
    if source.generate_password {
        return Ok(Chosen { password: generate(), generated: true });
    }
    Ok(Chosen { password: read_line(io::stdin().lock())?, generated: false })
}

/// Four groups of five letters: 90 bits.
pub(super) fn generate() -> Secret {
    let groups: Vec<String> = (0..GROUPS).map(|_| (0..GROUP).map(|_| letter()).collect()).collect();
    Secret::new(groups.join("-"))
}

/// Every letter is as likely as the others: bytes beyond the last whole multiple are thrown away.
fn letter() -> char {
    let bound = 256 - 256 % LETTERS.len();
    loop {
        let [byte] = random::bytes::<1>();
        if usize::from(byte) < bound {
            return char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        }
    }
}

fn read_line(input: impl io::BufRead) -> Result<Secret, Failure> {
    let mut line = String::new();
    // Two more for the end of the line, one more to notice what is too long.
    input.take(LONGEST_BYTES as u64 + 3).read_line(&mut line).map_err(|error| {
        Failure::refused(format!("the password on standard input cannot be read: {error}"))
    })?;
    let line = zeroize::Zeroizing::new(line);
    let text = line.strip_suffix('\n').unwrap_or(&line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::refused(
            "there is no password on standard input\n    write it there, on one line",
        ));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::password::check_new;

    #[test]
    fn a_made_password_is_four_groups_of_plain_letters_and_fulfils_the_rules() {
        let password = generate();
        let groups: Vec<&str> = password.expose().split('-').collect();
        assert_eq!(groups.len(), GROUPS);
        assert!(
            groups.iter().all(|group| group.len() == GROUP && group.bytes().all(|b| LETTERS.contains(&b)))
        );
        assert!((LETTERS.len() as f64).log2() * (GROUPS * GROUP) as f64 > 80.0);
        assert!(check_new(&password).is_ok());
    }

    #[test]
    fn one_line_is_read_without_its_end() {
        for text in ["correct horse\n", "correct horse\r\n", "correct horse", "correct horse\nmore\n"] {
            assert_eq!(read_line(text.as_bytes()).unwrap().expose(), "correct horse");
        }
        assert!(read_line(&b"\n"[..]).is_err());
    }
}
