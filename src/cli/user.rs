//! `chancery user`: the people who sign in.

mod shown;

use serde_json::json;

use super::args::user::{Disable, Reach, SetClaims, SetPassword, SignOut, UserCommand, UserCreate};
use super::open::Context;
use super::{Failure, output, password};
use crate::administration::users::{Claim, NewUser, UserProblem, UserRefusal};
use crate::administration::{Administration, NotDone};
use crate::audit::Ended;
use crate::config::Settings;
use crate::model::{User, text};

pub(super) async fn run(settings: Settings, command: UserCommand) -> Result<(), Failure> {
    let context = Context::open(&settings).await?;
    let commands = Commands { administration: context.administration() };
    match command {
        UserCommand::Create(create) => commands.create(create).await?,
        UserCommand::List(output) => shown::list(&context.storage.users().await?, output.json)?,
        UserCommand::Show(asked) => {
            shown::one(&commands.find(&asked.username).await?, None, asked.output.json)?;
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
    administration: Administration<'a>,
}

impl Commands<'_> {
    async fn create(&self, asked: UserCreate) -> Result<(), Failure> {
        let chosen = password::choose(&asked.password)?;
        let as_json = asked.output.json;
        let created = self.administration.create_user(new(asked), &chosen.password).await;
        let user = created.map_err(told("creating the user"))?;
        if let Err(misleading) = text::check_script(&user.username) {
            output::complain(&format!("warning: username: {misleading}"));
        }
        shown::one(&user, chosen.generated.then_some(&chosen.password), as_json)
    }

    async fn set_password(&self, asked: SetPassword) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let chosen = password::choose(&asked.password)?;
        let ended = asked.reach.ended();
        let set = self.administration.set_user_password(&user, &chosen.password, ended).await;
        set.map_err(told("setting the password"))?;
        let shown = chosen.generated.then_some(&chosen.password);
        if asked.output.json {
            return output::json(&shown::document(&user, shown)?);
        }
        output::line(&format!("set the password of {} and ended {}", user.username, words(ended)))?;
        shown.map_or(Ok(()), shown::password)
    }

    async fn sign_out(&self, asked: SignOut) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let ended = if asked.everything { Ended::Everything } else { Ended::Sessions };
        self.administration.sign_user_out(&user, ended).await.map_err(told("signing out"))?;
        tell(&user, &format!("ended {} of {}", words(ended), user.username), asked.output.json)
    }

    async fn set_claims(&self, asked: SetClaims) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let changed = self.administration.set_user_claims(user, &claims(&asked.claims)).await;
        shown::one(&changed.map_err(told("setting the claims"))?, None, asked.output.json)
    }

    async fn disable(&self, asked: Disable) -> Result<(), Failure> {
        let user = self.find(&asked.username).await?;
        let ended = asked.reach.ended();
        let user = self.administration.disable_user(user, ended).await.map_err(told("disabling the user"))?;
        let what = words(ended);
        let text = match ended {
            Ended::Sessions => "; tokens are inactive until `chancery user enable`",
            Ended::Everything => "",
        };
        tell(&user, &format!("disabled {} and ended {what}{text}", user.username), asked.output.json)
    }

    async fn enable(&self, name: &str, as_json: bool) -> Result<(), Failure> {
        let user = self.find(name).await?;
        let user = self.administration.enable_user(user).await.map_err(told("enabling the user"))?;
        tell(&user, &format!("enabled {}", user.username), as_json)
    }

    async fn delete(&self, name: &str, as_json: bool) -> Result<(), Failure> {
        let user = self.find(name).await?;
        self.administration.delete_user(&user).await.map_err(told("deleting the user"))?;
        if as_json {
            return output::json(&json!({ "id": user.id, "username": user.username, "deleted": true }));
        }
        output::line(&format!("deleted {} ({}) and everything that was theirs", user.username, user.id))?;
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<User, Failure> {
        self.administration.user(name).await.map_err(told("finding the user"))
    }
}

impl Reach {
    fn ended(self) -> Ended {
        if self.keep_offline_access { Ended::Sessions } else { Ended::Everything }
    }
}

fn words(ended: Ended) -> &'static str {
    match ended {
        Ended::Sessions => "every session",
        Ended::Everything => "every session and all access of applications",
    }
}

fn tell(user: &User, done: &str, as_json: bool) -> Result<(), Failure> {
    if as_json { output::json(&shown::document(user, None)?) } else { Ok(output::line(done)?) }
}

fn new(asked: UserCreate) -> NewUser {
    NewUser {
        username: asked.username,
        email: asked.email,
        email_verified: asked.email_verified,
        phone_number: asked.phone,
        phone_number_verified: asked.phone_verified,
        name: asked.name,
        given_name: asked.given_name,
        family_name: asked.family_name,
        claims: claims(&asked.claims),
        groups: asked.groups,
    }
}

/// Claims as they are written on the command line: `given_name=Ada`, `given_name#fr=Ada`, `address.country=UK`.
fn claims(given: &[String]) -> Vec<Claim> {
    let claim = |text: &String| match text.split_once('=') {
        Some((name, value)) => Claim { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Claim { name: text.clone(), value: None },
    };
    given.iter().map(claim).collect()
}

/// What was refused, and what to do about it.
fn told(doing: &'static str) -> impl FnOnce(NotDone<UserRefusal>) -> Failure {
    move |not_done| {
        Failure::not_done(not_done, |refusal| match refusal {
            UserRefusal::Invalid(problems) => {
                Failure::Invalid { what: doing, problems: problems.iter().map(written).collect() }
            }
            UserRefusal::Taken(_) => {
                Failure::refused(format!("{refusal}\n    `chancery user list` shows who"))
            }
            UserRefusal::Unknown(_) => {
                Failure::refused(format!("{refusal}\n    `chancery user list` shows them"))
            }
        })
    }
}

fn written(problem: &UserProblem) -> String {
    match problem {
        UserProblem::ForeignAddress => {
            "username: an @ is for names that are the user's own --email".to_owned()
        }
        UserProblem::ClaimWithoutValue(name) => format!("claim: write NAME=VALUE, not {name}"),
        UserProblem::Member { .. } | UserProblem::Claim { .. } => problem.to_string(),
    }
}
