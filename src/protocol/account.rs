//! Which of the accounts that are signed in in a browser a request is about (OpenID Connect Core 3.1.2.1, 3.1.2.6).
//!
//! The order: the account that somebody signed in with or chose for this very request; the only one that the answer may be
//! about, if there is one; the one that `login_hint` names; the current one. Where there is no current one, because it was signed out, but others are, a person has to choose.

use crate::model::user_name::{email_key, username_key};
use crate::model::{AuthorizationRequest, Means, RequestAccount, Session, User};

/// The answer; an account is named by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meant {
    /// `by`: it is one that a person decided on for this request.
    Account {
        at: usize,
        by: Option<Means>,
    },
    /// There are some, and nothing says which.
    Unsettled,
    /// Somebody has signed in for this request or was chosen, and the answer may not be about them.
    Another,
    Nobody,
}

/// Whom of `accounts` the request is about; the first is the current one if `has_current`. `is_known_by` says whether the
/// client knows a user by this subject.
pub(crate) fn meant(
    request: &AuthorizationRequest,
    decided: Option<&RequestAccount>,
    accounts: &[(&Session, &User)],
    has_current: bool,
    is_known_by: impl Fn(&User, &str) -> bool,
) -> Meant {
    let decided_on = decided.and_then(|decided| {
        let at = accounts.iter().position(|(session, _)| session.id == decided.session_id)?;
        Some(match &request.subject {
            Some(subject) if !is_known_by(accounts[at].1, subject) => Meant::Another,
            _ => Meant::Account { at, by: Some(decided.by) },
        })
    });
    // Section 3.1.2.2: MUST NOT reply for a different user, even if they have an active session.
    let required = || {
        let subject = request.subject.as_deref()?;
        let at = accounts.iter().position(|(_, user)| is_known_by(user, subject));
        Some(at.map_or(Meant::Nobody, |at| Meant::Account { at, by: None }))
    };
    let hinted = || {
        let hint = request.login_hint.as_deref()?;
        let at = accounts.iter().position(|(_, user)| is_called(user, hint))?;
        Some(Meant::Account { at, by: None })
    };
    decided_on.or_else(required).or_else(hinted).unwrap_or(match accounts {
        [] => Meant::Nobody,
        [..] if has_current => Meant::Account { at: 0, by: None },
        [..] => Meant::Unsettled,
    })
}

/// Whether somebody signs in by this name.
fn is_called(user: &User, name: &str) -> bool {
    let by_address = |own: &String| email_key(own) == email_key(name);
    username_key(&user.username) == username_key(name) || user.email.as_ref().is_some_and(by_address)
}

#[cfg(test)]
mod tests {
    use super::{Meant, meant};
    use crate::model::{
        AuthorizationRequest, Means, NetworkAddress, Profile, RequestAccount, Session, SessionId, Timestamp,
        User, UserId,
    };

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn account(name: &str) -> (Session, User) {
        let session = Session {
            id: SessionId::new(format!("session of {name}")),
            user_id: UserId::new(name),
            auth_time: NOW,
            amr: "pwd".into(),
            acr: None,
            only_for: None,
            persistent: true,
            created_at: NOW,
            last_seen_at: NOW,
            expires_at: NOW,
            user_agent: String::new(),
            address: NetworkAddress::UNKNOWN,
        };
        let user = User {
            id: UserId::new(name),
            username: name.into(),
            email: Some(format!("{name}@Mail.example")),
            email_verified: true,
            phone_number: None,
            phone_number_verified: false,
            profile: Profile::default(),
            groups: Vec::new(),
            disabled: false,
            created_at: NOW,
            updated_at: NOW,
        };
        (session, user)
    }

    fn is(user: &User, subject: &str) -> bool {
        user.id.as_str() == subject
    }

    fn ask(login_hint: Option<&str>, decided: Option<&str>, has_current: bool, names: &[&str]) -> Meant {
        let mut request = serde_json::json!({"client_id": "app", "redirect_uri": "https://app.example/cb", "scope": "openid"});
        request["login_hint"] = login_hint.into();
        let request: AuthorizationRequest = serde_json::from_value(request).unwrap();
        let decided = decided.map(|name| RequestAccount {
            session_id: SessionId::new(format!("session of {name}")),
            by: Means::Choice,
        });
        let accounts: Vec<_> = names.iter().map(|name| account(name)).collect();
        let accounts: Vec<_> = accounts.iter().map(|(session, user)| (session, user)).collect();
        meant(&request, decided.as_ref(), &accounts, has_current, is)
    }

    #[test]
    fn a_decision_comes_before_a_hint_and_a_hint_before_the_current_account() {
        let account = |at, by| Meant::Account { at, by };
        let all = ["ada", "bob", "eve"];
        assert_eq!(ask(Some("bob"), Some("eve"), true, &all), account(2, Some(Means::Choice)));
        assert_eq!(ask(Some("bob"), None, true, &all), account(1, None));
        assert_eq!(ask(Some(" EVE@mail.EXAMPLE"), None, true, &all), account(2, None));
        assert_eq!(ask(None, None, true, &all), account(0, None));
        // A hint or a decision that names nobody who is here changes nothing.
        assert_eq!(ask(Some("mallory"), Some("mallory"), true, &all), account(0, None));
    }

    #[test]
    fn where_the_answer_may_be_about_one_user_only_nobody_else_is_meant() {
        let about = |subject: &str, decided: Option<&str>| {
            let request = serde_json::json!({"client_id": "app", "redirect_uri": "https://app.example/cb",
                "scope": "openid", "login_hint": "ada", "subject": subject});
            let request: AuthorizationRequest = serde_json::from_value(request).unwrap();
            let decided = decided.map(|name| RequestAccount {
                session_id: SessionId::new(format!("session of {name}")),
                by: Means::SignIn,
            });
            let accounts = [account("ada"), account("bob")];
            let accounts: Vec<_> = accounts.iter().map(|(session, user)| (session, user)).collect();
            meant(&request, decided.as_ref(), &accounts, true, is)
        };
        assert_eq!(about("bob", None), Meant::Account { at: 1, by: None });
        assert_eq!(about("eve", None), Meant::Nobody);
        assert_eq!(about("eve", Some("ada")), Meant::Another);
        assert_eq!(about("bob", Some("bob")), Meant::Account { at: 1, by: Some(Means::SignIn) });
    }

    #[test]
    fn without_a_current_account_a_person_has_to_choose() {
        assert_eq!(ask(None, None, false, &[]), Meant::Nobody);
        assert_eq!(ask(Some("ada"), None, false, &[]), Meant::Nobody);
        assert_eq!(ask(None, None, false, &["ada"]), Meant::Unsettled);
        assert_eq!(ask(Some("mallory"), None, false, &["ada", "bob"]), Meant::Unsettled);
        assert_eq!(ask(Some("bob"), None, false, &["ada", "bob"]), Meant::Account { at: 1, by: None });
    }
}
