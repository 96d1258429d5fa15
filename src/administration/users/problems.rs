//! What a new user may be called and how they are reached.

use super::refusal::UserProblem;
use crate::model::{User, text, user_name};

const LONGEST_NAME: usize = 64;
/// RFC 5321 4.5.3.1.3, without the angle brackets.
const LONGEST_EMAIL: usize = 254;

/// Everything that is wrong with a new user.
pub(super) fn problems(user: &User) -> Vec<UserProblem> {
    let mut problems = Vec::new();
    let name = &user.username;
    if name.chars().count() > LONGEST_NAME {
        problems.push(member("username", format!("use 1 to {LONGEST_NAME} characters without white space")));
    }
    problems.extend(user_name::prepared(name).err().map(|error| member("username", error)));
    // Otherwise one person's name could be another's address, and both are what people sign in with.
    let own =
        user.email.as_ref().is_some_and(|email| user_name::email_key(email) == user_name::email_key(name));
    if user_name::username_key(name).contains('@') && !own {
        problems.push(UserProblem::ForeignAddress);
    }
    if user.email.as_deref().is_some_and(|email| !is_address(email)) {
        problems.push(member("email", "it does not look like an email address"));
    }
    if user.phone_number.as_deref().is_some_and(|number| text::check_readable(number).is_err()) {
        problems.push(member("phone", "it holds something that cannot be seen"));
    }
    for group in &user.groups {
        problems.extend(text::check_readable(group).err().map(|error| member("group", error)));
    }
    let profile = &user.profile;
    for (named, name) in
        [("name", &profile.name), ("given-name", &profile.given_name), ("family-name", &profile.family_name)]
    {
        let checked = name.as_deref().map(text::check_readable);
        problems.extend(checked.and_then(Result::err).map(|error| member(named, error)));
    }
    problems
}

fn member(member: &'static str, problem: impl ToString) -> UserProblem {
    UserProblem::Member { member, problem: problem.to_string() }
}

/// Whether it has the look of an address; only a message that arrives could tell more.
fn is_address(address: &str) -> bool {
    let odd = |char: char| char.is_whitespace() || matches!(char, '<' | '>' | ',' | ';');
    let parts = address.split_once('@');
    address.len() <= LONGEST_EMAIL
        && !address.contains(odd)
        && text::check_characters(address).is_ok()
        && parts
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Profile, Timestamp, UserId};

    fn user(username: &str, email: Option<&str>) -> User {
        User {
            id: UserId::new("u"),
            username: username.to_owned(),
            email: email.map(str::to_owned),
            email_verified: false,
            phone_number: None,
            phone_number_verified: false,
            profile: Profile::default(),
            groups: Vec::new(),
            disabled: false,
            created_at: Timestamp::from_unix(0),
            updated_at: Timestamp::from_unix(0),
        }
    }

    #[test]
    fn a_name_may_hold_an_at_sign_only_as_the_users_own_address() {
        assert!(problems(&user("ann", None)).is_empty());
        assert!(problems(&user("Ann@Example.com", Some("ann@example.com"))).is_empty());
        assert_eq!(problems(&user("ann@example.com", None)).len(), 1);
        assert_eq!(problems(&user("ann@example.com", Some("bob@example.com"))).len(), 1);
    }

    #[test]
    fn names_and_groups_that_nobody_can_read_are_refused() {
        for name in ["a\u{200b}b", "a\u{202e}b", "a＠b", "ann\u{ad}"] {
            assert_eq!(problems(&user(name, None)).len(), 1, "{name:?}");
        }
        let mut odd = user("ann", Some("ann\u{200b}@mail.example"));
        odd.phone_number = Some("+49\u{202e}".to_owned());
        odd.groups = vec![" ".to_owned(), "a\u{2066}".to_owned(), "staff".to_owned()];
        odd.profile.name = Some("\u{3164}".to_owned());
        odd.profile.family_name = Some("A\u{202e}B".to_owned());
        assert_eq!(problems(&odd).len(), 6);
    }

    #[test]
    fn white_space_lengths_and_broken_addresses_are_refused_all_at_once() {
        for name in ["", "a b", "a\u{7}", &"x".repeat(65)] {
            assert_eq!(problems(&user(name, None)).len(), 1, "{name:?}");
        }
        for email in ["a", "a@", "@b", "a@b@c", "a b@c", "<a@b>"] {
            assert_eq!(problems(&user("a b", Some(email))).len(), 2, "{email:?}");
        }
    }
}
