//! Initial access tokens: with one an application registers itself (RFC 7591 1.2).

use super::{Administration, Failed, Outcome, Refusal};
use crate::audit::Event;
use crate::crypto::handle::{self, Purpose};
use crate::crypto::random;
use crate::model::{InitialAccessToken, Secret, text};
use crate::protocol::registration::InvalidMetadata;

const LONGEST_NAME: usize = 200;

/// A token that is to be made.
#[derive(Debug)]
pub(crate) struct NewToken {
    /// Who it is for.
    pub name: String,
    /// How many clients it registers; none: any number.
    pub uses: Option<i64>,
    /// Seconds after which it ends; none: never.
    pub lifetime: Option<i64>,
}

/// A token as nobody sees it again.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    pub token: InitialAccessToken,
    pub secret: Secret,
}

impl Administration<'_> {
    pub(crate) async fn create_registration_token(&self, new: NewToken) -> Outcome<IssuedToken, Refusal> {
        Refusal::of(token_problems(&new))?;
        let now = self.now();
        let token = InitialAccessToken {
            id: random::id(),
            name: new.name,
            uses_left: new.uses,
            expires_at: new.lifetime.map(|seconds| now.plus(seconds)),
            created_at: now,
        };
        let (key, salt) = (self.services.audit()?.master_key(), random::id());
        let secret = handle::issue(key, Purpose::InitialAccessToken, &token.id, 0, &salt)
            .ok_or_else(|| Failed::Other("the token could not be made".into()))?;
        let noted = self.noted(Event::RegistrationTokenCreated { registration_token: &token.id })?;
        self.storage.insert_registration_token(noted, &token, &salt).await?;
        Ok(IssuedToken { token, secret })
    }

    /// The clients that came with it stay.
    pub(crate) async fn delete_registration_token(&self, id: &str) -> Outcome<(), Refusal> {
        let noted = self.noted(Event::RegistrationTokenDeleted { registration_token: id })?;
        Refusal::unless_found(self.storage.delete_registration_token(noted, id).await?, id)
    }
}

fn token_problems(new: &NewToken) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: &str| {
        problems.push(InvalidMetadata { member, problem: problem.to_owned() });
    };
    if new.name.len() > LONGEST_NAME || text::check_readable(&new.name).is_err() {
        complain("name", "1 to 200 bytes that can be read");
    }
    if new.uses.is_some_and(|uses| uses < 1) {
        complain("uses", "1 or more");
    }
    if new.lifetime.is_some_and(|seconds| seconds < 1) {
        complain("lifetime", "1 second or more");
    }
    problems
}
