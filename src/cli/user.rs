//! `chancery user`: the people who sign in.

use serde_json::{Value, json};

use super::args::user::{Disable, Reach, SetClaims, SetPassword, SignOut, UserCommand, UserCreate};
use super::open::Context;
use super::{Failure, output, password, user_claims};
use crate::audit::{Ended, Event};
use crate::config::Settings;
use crate::crypto::random;
use crate::model::{Profile, Secret, Timestamp, User, UserId, text, user_name};
use crate::storage::Ending;

const LONGEST_NAME: usize = 64;
/// RFC 5321 4.5.3.1.3, without the angle brackets.
const LONGEST_EMAIL: usize = 254;

pub(super) async fn run(settings: Settings, command: UserCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let commands = Commands { context: &context };
    match command {
        UserCommand::Create(create) => commands.create(create).await?,
        UserCommand::List(output) => commands.list(output.json).await?,
        UserCommand::Show(asked) => {
            show(&commands.find(&asked.username).await?, None, asked.output.json)?;
        }
        UserCommand::SetPassword(asked) => commands.set_password(asked).await?,
        UserCommand::SignOut(asked) => commands.sign_out(asked).await?,
        UserCommand::SetClaims(asked) => commands.set_claims(asked).await?,
        UserCommand::Disable(asked) => commands.disable(asked).await?,
        UserCommand::Enable(asked) => commands.enable(&asked.username, asked.output.json).await?,
        UserCommand::Delete(asked) => commands.delete(&asked.username, asked.output.json).await?,
    }
    context.close().await
}

struct Commands<'a> {
    context: &'a Context<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: UserCreate) -> Result<(), Failure> {
        let chosen = password::choose(&asked.password)?;
        let as_json = asked.output.json;
        let claims = asked.claims.clone();
        let mut user = new(asked, self.context.now);
        let mut problems = problems(&user);
        problems.extend(claims.iter().filter_map(|claim| user_claims::set(&mut user.profile, claim).err()));
        problems.extend(password::problem(&chosen.password));
        Failure::of("creating the user", problems)?;
        if let Err(misleading) = text::check_script(&user.username) {
            output::complain(&format!("warning: username: {misleading}"));
        }
        let hash = password::hash(&self.context.settings.passwords, chosen.password.clone()).await?;
        self.context.administration().noting(Event::UserCreated { user: &user.id })?.insert_user(&user, Some(&hash)).await?.map_err(|_| {
            let name = &user.username;
            Failure::refused(format!(
                "the user name {name} or the email address belongs to somebody already\n    `chancery user list` shows who"
            ))
        })?;
        show(&user, chosen.generated.then_some(&chosen.password), as_json)
    }

    async fn list(&self, as_json: bool) -> Result<(), Failure> {
        let users = self.context.storage.users().await?;
        if as_json {
            let users: Vec<Value> =
                users.iter().map(|user| document(user, None)).collect::<Result<_, _>>()?;
            return output::json(&users);
        }
        if users.is_empty() {
            output::line(
                "there is no user; make one with `chancery user create --username NAME --generate-password`",
            )?;
            return Ok(());
        }
        let row = |user: &User| {
            vec![
                user.username.clone(),
                user.email.clone().unwrap_or_default(),
                user.profile.name.clone().unwrap_or_default(),
                if user.disabled { "disabled" } else { "enabled" }.to_owned(),
                user.id.to_string(),
            ]
        };
        let rows: Vec<_> = users.iter().map(row).collect();
        output::table(&["USERNAME", "EMAIL", "NAME", "STATE", "ID"], &rows)?;
        Ok(())
    }

    async fn set_password(&self, asked: SetPassword) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let chosen = password::choose(&asked.password)?;
        Failure::of("setting the password", password::problem(&chosen.password).into_iter().collect())?;
        let hash = password::hash(&self.context.settings.passwords, chosen.password.clone()).await?;
        let ended = asked.reach.ended();
        let event = Event::UserPasswordSet { user: &user.id, ended };
        let storage = self.context.administration().noting(event)?.ending(ended.into());
        if !storage.set_password(&user.id, &hash, self.context.now).await? {
            return Err(unknown(&asked.username));
        }
        let shown = chosen.generated.then_some(&chosen.password);
        if asked.output.json {
            return output::json(&document(&user, shown)?);
        }
        output::line(&format!("set the password of {} and ended {}", user.username, ended.words()))?;
        if let Some(password) = shown {
            show_password(password)?;
        }
        Ok(())
    }

    async fn sign_out(&self, asked: SignOut) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let ended = if asked.everything { Ended::Everything } else { Ended::Sessions };
        let storage = self.context.administration().noting(Event::UserSignedOut { user: &user.id, ended })?;
        // Without the flag as the setting says.
        let storage = if asked.everything { storage.ending(Ending::Everything) } else { storage };
        storage.end_sessions(&user.id, self.context.now).await?;
        if asked.output.json {
            return output::json(&document(&user, None)?);
        }
        Ok(output::line(&format!("ended {} of {}", ended.words(), user.username))?)
    }

    async fn set_claims(&self, asked: SetClaims) -> Result<(), Failure> {
        let mut user = self.find(&asked.username).await?;
        let problems =
            asked.claims.iter().filter_map(|claim| user_claims::set(&mut user.profile, claim).err());
        Failure::of("setting the claims", problems.collect())?;
        user.updated_at = self.context.now;
        if !self
            .context
            .administration()
            .noting(Event::UserUpdated { user: &user.id })?
            .set_profile(&user.id, &user.profile, self.context.now)
            .await?
        {
            return Err(unknown(&asked.username));
        }
        show(&user, None, asked.output.json)
    }

    async fn disable(&self, asked: Disable) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let ended = asked.reach.ended();
        let storage = self
            .context
            .administration()
            .noting(Event::UserDisabled { user: &user.id, ended })?
            .ending(ended.into());
        if !storage.set_disabled(&user.id, true, self.context.now).await? {
            return Err(unknown(&asked.username));
        }
        let (user, what) = (User { disabled: true, updated_at: self.context.now, ..user }, ended.words());
        let text = match ended {
            Ended::Sessions => "; tokens are inactive until `chancery user enable`",
            Ended::Everything => "",
        };
        self.tell(&user, &format!("disabled {} and ended {what}{text}", user.username), asked.output.json)
    }

    async fn enable(&self, name: &str, as_json: bool) -> Result<(), Failure> {
        let user = self.find(name).await?;
        let enabled = Event::UserEnabled { user: &user.id };
        if !self
            .context
            .administration()
            .noting(enabled)?
            .set_disabled(&user.id, false, self.context.now)
            .await?
        {
            return Err(unknown(name));
        }
        let user = User { disabled: false, updated_at: self.context.now, ..user };
        self.tell(&user, &format!("enabled {}", user.username), as_json)
    }

    fn tell(&self, user: &User, done: &str, as_json: bool) -> Result<(), Failure> {
        if as_json { output::json(&document(user, None)?) } else { Ok(output::line(done)?) }
    }

    async fn delete(&self, name: &str, as_json: bool) -> Result<(), Failure> {
        let user = self.find(name).await?;
        if !self
            .context
            .administration()
            .noting(Event::UserDeleted { user: &user.id })?
            .delete_user(&user.id, self.context.now)
            .await?
        {
            return Err(unknown(name));
        }
        if as_json {
            return output::json(&json!({ "id": user.id, "username": user.username, "deleted": true }));
        }
        output::line(&format!("deleted {} ({}) and everything that was theirs", user.username, user.id))?;
        Ok(())
    }

    /// By user name or email address, as people sign in; users of an external login page by their subject.
    async fn find(&self, name: &str) -> Result<User, Failure> {
        if let Some(found) = self.context.storage.credentials(name).await? {
            return Ok(found.user);
        }
        self.context.storage.user(&UserId::new(name)).await?.ok_or_else(|| unknown(name))
    }
}

impl Reach {
    fn ended(self) -> Ended {
        if self.keep_offline_access { Ended::Sessions } else { Ended::Everything }
    }
}

impl Ended {
    fn words(self) -> &'static str {
        match self {
            Self::Sessions => "every session",
            Self::Everything => "every session and all access of applications",
        }
    }
}

impl From<Ended> for Ending {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Sessions => Self::Online,
            Ended::Everything => Self::Everything,
        }
    }
}

fn unknown(name: &str) -> Failure {
    Failure::refused(format!("there is no user {name}\n    `chancery user list` shows them"))
}

fn new(asked: UserCreate, now: Timestamp) -> User {
    User {
        id: UserId::new(random::id()),
        // In the one form that it has; one that has none is refused.
        username: user_name::prepared(&asked.username).unwrap_or(asked.username),
        email: asked.email,
        email_verified: asked.email_verified,
        phone_number: asked.phone,
        phone_number_verified: asked.phone_verified,
        profile: Profile {
            name: asked.name,
            given_name: asked.given_name,
            family_name: asked.family_name,
            ..Profile::default()
        },
        groups: asked.groups,
        disabled: false,
        created_at: now,
        updated_at: now,
    }
}

/// Everything that is wrong with a new user.
fn problems(user: &User) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &user.username;
    if name.chars().count() > LONGEST_NAME {
        problems.push(format!("username: use 1 to {LONGEST_NAME} characters without white space"));
    }
    if let Err(error) = user_name::prepared(name) {
        problems.push(format!("username: {error}"));
    }
    // Otherwise one person's name could be another's address, and both are what people sign in with.
    let own =
        user.email.as_ref().is_some_and(|email| user_name::email_key(email) == user_name::email_key(name));
    if user_name::username_key(name).contains('@') && !own {
        problems.push("username: an @ is for names that are the user's own --email".to_owned());
    }
    if user.email.as_deref().is_some_and(|email| !is_address(email)) {
        problems.push("email: it does not look like an email address".to_owned());
    }
    if user.phone_number.as_deref().is_some_and(|number| text::check_readable(number).is_err()) {
        problems.push("phone: it holds something that cannot be seen".to_owned());
    }
    for group in &user.groups {
        problems.extend(text::check_readable(group).err().map(|error| format!("group: {error}")));
    }
    let profile = &user.profile;
    for (flag, name) in
        [("name", &profile.name), ("given-name", &profile.given_name), ("family-name", &profile.family_name)]
    {
        let checked = name.as_deref().map(text::check_readable);
        problems.extend(checked.and_then(Result::err).map(|error| format!("{flag}: {error}")));
    }
    problems
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

fn show(user: &User, password: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&document(user, password)?);
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let verified = |value: &Option<String>, verified: bool| match value {
        Some(value) if verified => format!("{value} (verified)"),
        Some(value) => value.clone(),
        None => String::new(),
    };
    output::record(&[
        ("id", user.id.to_string()),
        ("username", user.username.clone()),
        ("email", verified(&user.email, user.email_verified)),
        ("phone", verified(&user.phone_number, user.phone_number_verified)),
        ("name", text(&user.profile.name)),
        ("given name", text(&user.profile.given_name)),
        ("family name", text(&user.profile.family_name)),
        ("other claims", other_claims(&user.profile)?),
        ("groups", user.groups.join(" ")),
        ("disabled", output::yes_or_no(user.disabled)),
        ("created", output::moment(user.created_at)),
    ])?;
    if let Some(password) = password {
        show_password(password)?;
    }
    Ok(())
}

/// What has no line of its own, as it is set.
fn other_claims(profile: &Profile) -> Result<String, Failure> {
    let Value::Object(claims) = claims_of(profile)? else { return Ok(String::new()) };
    let own = ["name", "given_name", "family_name"];
    let others = claims.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let written = others.map(|(name, value)| {
        format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    Ok(written.collect::<Vec<_>>().join(", "))
}

/// The claims by their names, those in a language beside those that are in none.
fn claims_of(profile: &Profile) -> Result<Value, Failure> {
    let mut claims = serde_json::to_value(profile)?;
    if let Some(members) = claims.as_object_mut()
        && let Some(Value::Object(localized)) = members.remove("localized")
    {
        members.extend(localized);
    }
    Ok(claims)
}

fn show_password(password: &Secret) -> Result<(), Failure> {
    output::line(&format!("password: {}", password.expose()))?;
    output::line("The password is shown this once.")?;
    Ok(())
}

/// The claims under their OpenID Connect names, and what only the operator sees.
fn document(user: &User, password: Option<&Secret>) -> Result<Value, Failure> {
    let mut document = json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "phone_number": user.phone_number,
        "phone_number_verified": user.phone_number_verified,
        "groups": user.groups,
        "disabled": user.disabled,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    });
    if let (Some(members), Value::Object(profile)) = (document.as_object_mut(), claims_of(&user.profile)?) {
        members.extend(profile);
        if let Some(password) = password {
            members.insert("password".to_owned(), json!(password.expose()));
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

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
