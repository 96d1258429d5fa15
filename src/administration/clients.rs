//! Clients: created, changed, given new secrets, cut off and deleted.

pub(crate) mod defaults;
mod refusal;
mod registrable;
mod self_registered;

use super::{Administration, Failed, NotDone, Outcome};
use crate::audit::Event;
use crate::model::{
    Catalogue, Client, ClientId, ClientMetadata, ClientSecrets, RetiredSecret, Secret, UnknownProfile,
};
use crate::outbound::sector_identifier;
use crate::protocol::registration::{InvalidMetadata, forms};
use crate::registry::clients;
use crate::storage::StoredClient;
pub(crate) use refusal::{ClientProblem, ClientRefusal};
pub(crate) use registrable::unknown_algorithm;
pub(crate) use self_registered::{Registered, Registrant, Replaced};

type Result<T> = Outcome<T, ClientRefusal>;

/// A client with the secret that was made for it, which nobody sees again.
#[derive(Debug)]
pub(crate) struct Issued {
    pub client: ClientMetadata,
    pub secret: Option<Secret>,
}

/// What a request says of a client, beside what it has put into its metadata.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What could not be put there.
    pub problems: Vec<InvalidMetadata>,
    /// A new client that names no scope has the one of its grant types.
    pub names_scope: bool,
    /// Only what names resources has to name registered ones: one that was deleted since does not keep a client from being
    /// changed otherwise.
    pub names_resources: bool,
}

impl Administration<'_> {
    pub(crate) async fn client(&self, id: &ClientId) -> Result<StoredClient> {
        self.storage.client(id).await?.ok_or_else(|| refused(ClientRefusal::Unknown(id.clone())))
    }

    pub(crate) async fn create_client(&self, mut client: ClientMetadata, asked: Asked) -> Result<Issued> {
        if !asked.names_scope
            && let Ok(scope) = defaults::scope(&client.grant_types).parse()
        {
            client.scope = scope;
        }
        refuse(self.client_problems(&client, asked).await?)?;
        self.check_sector(&client).await?;
        let (secret, secrets) = self.first_secret(&self.resolve(&client)?)?;
        let created = Event::ClientCreated { client: &client.id };
        match self.storage.insert_client(self.noted(created)?, &client, &secrets).await? {
            true => Ok(Issued { client, secret }),
            false => Err(refused(ClientRefusal::Exists(client.id))),
        }
    }

    /// Changes what `amend` changes. It is called again upon what somebody else has made of the client meanwhile.
    pub(crate) async fn update_client(
        &self,
        id: &ClientId,
        amend: impl Fn(&mut ClientMetadata) -> Asked,
    ) -> Result<Issued> {
        for _ in 0..clients::TRIES {
            let mut stored = self.client(id).await?;
            let secret = self.amend(&mut stored, &amend).await?;
            let updated = Event::ClientUpdated { client: id };
            if self.storage.update_client(self.noted(updated)?, &stored, self.now()).await? {
                return Ok(self.changed(stored.client, secret));
            }
        }
        Err(refused(ClientRefusal::Raced(id.clone())))
    }

    /// The new secret, if the client needs one now.
    async fn amend(
        &self,
        stored: &mut StoredClient,
        amend: impl Fn(&mut ClientMetadata) -> Asked,
    ) -> Result<Option<Secret>> {
        let StoredClient { client, secrets, .. } = stored;
        // What was registered before its rule stays, until it is changed itself.
        let known: Vec<ClientProblem> = forms::problems(client).into_iter().map(Into::into).collect();
        let had_secret = client.token_endpoint_auth_method.has_secret();
        let before = sector(client);
        let asked = amend(client);
        let mut problems = self.client_problems(client, asked).await?;
        problems.retain(|problem| !known.contains(problem));
        refuse(problems)?;
        if before != sector(client) {
            self.check_sector(client).await?;
        }
        let known = self.resolve(client)?;
        let seal = |secret: &Secret| self.seal(&client.id, secret);
        let (secret, renewed) =
            clients::renewed(&known, had_secret, std::mem::take(secrets), self.now(), seal)?;
        *secrets = renewed;
        Ok(secret)
    }

    /// A new secret; the old one counts for `keep_old` seconds more.
    pub(crate) async fn rotate_client_secret(&self, id: &ClientId, keep_old: Option<i64>) -> Result<Issued> {
        for _ in 0..clients::TRIES {
            let mut stored = self.client(id).await?;
            let secret = self.rotate(&mut stored, keep_old)?;
            let rotated = Event::ClientSecretRotated { client: id };
            if self.storage.update_client(self.noted(rotated)?, &stored, self.now()).await? {
                return Ok(self.changed(stored.client, Some(secret)));
            }
        }
        Err(refused(ClientRefusal::Raced(id.clone())))
    }

    fn rotate(&self, stored: &mut StoredClient, keep_old: Option<i64>) -> Result<Secret> {
        let StoredClient { client, secrets, .. } = stored;
        let method = client.token_endpoint_auth_method;
        if !method.has_secret() {
            return Err(refused(ClientRefusal::NoSecret { client: client.id.clone(), method }));
        }
        let keep = keep_old.filter(|seconds| *seconds > 0);
        let sealed = secrets.sealed.clone();
        let retire = |digest, seconds| RetiredSecret { digest, sealed, expires_at: self.now().plus(seconds) };
        let retired = secrets.current.zip(keep).map(|(digest, seconds)| retire(digest, seconds));
        let known = self.resolve(client)?;
        let secret = clients::new_secret(&known);
        *secrets = ClientSecrets { retired, ..self.kept(&known, &secret)? };
        Ok(secret)
    }

    /// Ends all access of a client, which stays registered. How many grants were revoked.
    pub(crate) async fn end_client_access(&self, id: &ClientId) -> Result<(ClientMetadata, u64)> {
        for _ in 0..clients::TRIES {
            let mut stored = self.client(id).await?;
            let now = self.now();
            stored.client.origin.tokens_not_before = Some(now);
            let ended = Event::ClientAccessEnded { client: id };
            if let Some(revoked) = self.storage.end_access_of_client(self.noted(ended)?, &stored, now).await?
            {
                self.services.client_changed();
                return Ok((stored.client, revoked));
            }
        }
        Err(refused(ClientRefusal::Raced(id.clone())))
    }

    /// Deletes a client and everything that was granted to it. False: there is none any more.
    pub(crate) async fn delete_client(&self, id: &ClientId) -> std::result::Result<bool, Failed> {
        let noted = self.noted(Event::ClientDeleted { client: id })?;
        let deleted = self.storage.delete_client(noted, id).await?;
        self.services.client_changed();
        Ok(deleted)
    }

    fn changed(&self, client: ClientMetadata, secret: Option<Secret>) -> Issued {
        self.services.client_changed();
        Issued { client, secret }
    }

    /// Everything that is wrong with what was asked, and with what came of it.
    async fn client_problems(
        &self,
        client: &ClientMetadata,
        asked: Asked,
    ) -> std::result::Result<Vec<ClientProblem>, Failed> {
        let registrable = registrable::registrable(client.clone(), self.settings);
        let problems = asked.problems.into_iter().chain(registrable.err().unwrap_or_default());
        let mut problems: Vec<ClientProblem> = problems.map(Into::into).collect();
        if asked.names_resources {
            problems.extend(unknown_resources(client, &self.storage.catalogue().await?));
        }
        Ok(problems)
    }

    /// What holds for a client by its profile.
    fn resolve(&self, client: &ClientMetadata) -> Result<Client> {
        let resolved = self.settings.clients.profiles.resolve(client.clone());
        resolved.map_err(|unknown: UnknownProfile| refused(unknown.into()))
    }

    /// Whether the sector that the client names lists its redirect URIs.
    async fn check_sector(&self, client: &ClientMetadata) -> Result<()> {
        let checked = sector_identifier::check(self.services.documents()?, client, self.now()).await;
        checked.map_err(|error| refused(error.into()))
    }

    /// The secret of a new client whose method has one, and what is kept of it.
    fn first_secret(&self, client: &Client) -> std::result::Result<(Option<Secret>, ClientSecrets), Failed> {
        if !client.token_endpoint_auth_method.has_secret() {
            return Ok((None, ClientSecrets::default()));
        }
        let secret = clients::new_secret(client);
        let kept = self.kept(client, &secret)?;
        Ok((Some(secret), kept))
    }

    fn kept(&self, client: &Client, secret: &Secret) -> std::result::Result<ClientSecrets, Failed> {
        clients::kept(client, secret, |secret| self.seal(&client.id, secret))
    }

    fn seal(&self, id: &ClientId, secret: &Secret) -> std::result::Result<Secret, Failed> {
        Ok(clients::seal_secret(self.services.audit()?.master_key(), id, secret)?)
    }
}

fn refused(refusal: ClientRefusal) -> NotDone<ClientRefusal> {
    NotDone::Refused(refusal)
}

fn refuse(problems: Vec<ClientProblem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(refused(ClientRefusal::Invalid(problems))) }
}

/// What a sector is asked about; asked again when one of the two has changed.
fn sector(client: &ClientMetadata) -> (Option<String>, Vec<String>) {
    (client.identity.sector_identifier_uri.clone(), client.redirect_uris.clone())
}

/// The resources a client names that nobody registered.
fn unknown_resources(client: &ClientMetadata, catalogue: &Catalogue) -> Vec<ClientProblem> {
    let named = client.resources.iter().chain(&client.resource_server);
    let unknown = named.filter(|uri| catalogue.resource(uri).is_none());
    unknown.map(|uri| ClientProblem::UnknownResource(uri.clone())).collect()
}
