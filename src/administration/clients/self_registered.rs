//! Clients that register and change themselves (RFC 7591, 7592): what nobody has looked at is held to what the settings say of
//! it, and is made only while the token it comes with is good and there is room.

use super::refusal::ClientRefusal;
use super::registrable::registrable;
use super::sector;
use crate::administration::{Administration, NotDone, Outcome};
use crate::audit::Event;
use crate::config::Settings;
use crate::crypto::random;
use crate::model::{Client, ClientMetadata, PkcePolicy, Secret, Share};
use crate::protocol::registration::recognition;
use crate::registry::clients;
use crate::storage::{MayRegister, NewRegistration, RegistrationOutcome, StoredClient};

type Result<T> = Outcome<T, ClientRefusal>;

/// Who registers a client.
pub(crate) struct Registrant<'a> {
    /// The id of the initial access token that is spent.
    pub token: Option<&'a str>,
    /// What stands for them when their clients are counted.
    pub by: &'a str,
}

#[derive(Debug)]
pub(crate) struct Registered {
    pub client: Client,
    pub secret: Option<Secret>,
    /// Of its registration access token.
    pub salt: String,
}

#[derive(Debug)]
pub(crate) struct Replaced {
    pub client: ClientMetadata,
    /// A new one, if it needs one now.
    pub secret: Option<Secret>,
    /// Whether people would not know it again.
    pub is_another: bool,
}

impl Administration<'_> {
    pub(crate) async fn register_client(
        &self,
        client: ClientMetadata,
        registrant: Registrant<'_>,
    ) -> Result<Registered> {
        let now = self.now();
        let client = settle(client, self.settings)?;
        self.check_sector(&client).await?;
        let (secret, secrets) = self.first_secret(&client)?;
        let Registrant { token, by } = registrant;
        let salt = random::id();
        let allowed = MayRegister { by, share: Share::half_of(self.settings.registration.max_clients) };
        let new = NewRegistration { client: &client, secrets: &secrets, salt: &salt, token, allowed };
        let registered = Event::ClientRegistered { client: &client.id, registration_token: token };
        let refusal = match self.storage.register_client(self.noted(registered)?, new, now).await? {
            RegistrationOutcome::Registered => return Ok(Registered { client, secret, salt }),
            RegistrationOutcome::TokenSpent => ClientRefusal::TokenSpent,
            RegistrationOutcome::Full => ClientRefusal::Full,
            RegistrationOutcome::ShareFull => ClientRefusal::ShareFull,
        };
        Err(NotDone::Refused(refusal))
    }

    /// Replaces what a client registered by what it gives now. None: somebody has changed it since it was read.
    pub(crate) async fn replace_client(
        &self,
        mut stored: StoredClient,
        client: ClientMetadata,
    ) -> Result<Option<Replaced>> {
        let before = &stored.client;
        let client = settle(client, self.settings)?;
        if sector(before) != sector(&client) {
            self.check_sector(&client).await?;
        }
        let had_secret = before.token_endpoint_auth_method.has_secret();
        let is_another = !recognition::looks_the_same(before, &client);
        let seal = |secret: &Secret| self.seal(&client.id, secret);
        let (secret, secrets) = clients::renewed(&client, had_secret, stored.secrets, self.now(), seal)?;
        (stored.client, stored.secrets) = (client.into_metadata(), secrets);
        let noted = self.noted(Event::ClientUpdated { client: &stored.client.id })?;
        if !self.storage.update_registration(noted, &stored, self.now(), is_another).await? {
            return Ok(None);
        }
        self.services.client_changed();
        Ok(Some(Replaced { client: stored.client, secret, is_another }))
    }
}

/// What the settings say of a client that the operator has not looked at; then everything is checked again.
fn settle(mut client: ClientMetadata, settings: &Settings) -> Result<Client> {
    let optional = settings.registration.pkce == PkcePolicy::Optional;
    match client.is_confidential() {
        true if optional => client.pkce = client.pkce.or(Some(PkcePolicy::Optional)),
        true => {}
        // RFC 9700 2.1.1: public clients MUST use PKCE.
        false => client.pkce = None,
    }
    registrable(client, settings).map_err(|problems| {
        NotDone::Refused(ClientRefusal::Invalid(problems.into_iter().map(Into::into).collect()))
    })
}
