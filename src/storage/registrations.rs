//! Clients that register themselves, and the initial access tokens some of them need (RFC 7591, RFC 7592).

use sqlx::FromRow;

use super::authority::hold_client;
use super::changes::{self, Topic};
use super::clients::{
    ClientRow, SecretColumns, StoredClient, UPDATE, client_columns, metadata, update_values,
};
use super::db::{Transaction, values};
use super::{Storage, StorageError};
use crate::model::{ClientId, ClientMetadata, ClientSecrets, InitialAccessToken, Noted, Share, Timestamp};

/// A client that is about to be registered.
pub struct NewRegistration<'a> {
    pub client: &'a ClientMetadata,
    pub secrets: &'a ClientSecrets,
    /// Of its registration access token.
    pub salt: &'a str,
    /// The id of the initial access token that is spent.
    pub token: Option<&'a str>,
    pub allowed: MayRegister<'a>,
}

/// Whose client it is, and how many there may be of those that registered themselves.
pub struct MayRegister<'a> {
    /// What stands for who registers it.
    pub by: &'a str,
    pub share: Share,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationOutcome {
    Registered,
    /// The initial access token has ended, or its uses have.
    TokenSpent,
    /// There are as many clients as there may be.
    Full,
    /// As many as there may be of the one who registers this one.
    ShareFull,
}

#[derive(FromRow)]
struct NumbersRow {
    own: i64,
    registered: i64,
}

#[derive(FromRow)]
struct RegistrationRow {
    #[sqlx(flatten)]
    client: ClientRow,
    registration_salt: String,
    registration_generation: i64,
    registration_used_at: Option<i64>,
}

/// A client that registered itself, and what its registration access token is made of.
pub struct StoredRegistration {
    pub stored: StoredClient,
    pub salt: String,
    /// Of the newest token that was given out.
    pub generation: i64,
    /// None: the client was registered before this was noted.
    pub used_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct TokenRow {
    id: String,
    salt: String,
    name: String,
    uses_left: Option<i64>,
    expires_at: Option<i64>,
    created_at: i64,
}

impl TokenRow {
    /// The token, and the salt of its handle.
    fn into_token(self) -> (InitialAccessToken, String) {
        let token = InitialAccessToken {
            id: self.id,
            name: self.name,
            uses_left: self.uses_left,
            expires_at: self.expires_at.map(Timestamp::from_unix),
            created_at: Timestamp::from_unix(self.created_at),
        };
        (token, self.salt)
    }
}

/// Why there is no room for one client more.
async fn without_room(
    transaction: &mut Transaction,
    allowed: &MayRegister<'_>,
) -> Result<Option<RegistrationOutcome>, StorageError> {
    const NUMBERS: &str = "SELECT (SELECT COUNT(*) FROM clients WHERE registered_by = $1) AS own, \
         (SELECT COUNT(*) FROM clients WHERE registration_salt IS NOT NULL) AS registered";
    let numbers: Option<NumbersRow> = transaction.fetch_optional(NUMBERS, values![allowed.by]).await?;
    let NumbersRow { own, registered } = numbers.unwrap_or(NumbersRow { own: 0, registered: 0 });
    Ok(match allowed.share.has_room(own, registered) {
        true => None,
        false if registered < allowed.share.all => Some(RegistrationOutcome::ShareFull),
        false => Some(RegistrationOutcome::Full),
    })
}

impl Storage {
    /// Registers a client and spends its token, both or neither. However many come at once, no token is spent more often
    /// than it may be, and no client is one too many, of all or of the one who registers it.
    pub async fn register_client(
        &self,
        noted: Noted,
        new: NewRegistration<'_>,
        now: Timestamp,
    ) -> Result<RegistrationOutcome, StorageError> {
        // The row's lock is held until the end, so that the clients are counted by one at a time on every replica.
        const RAISE: &str = "UPDATE changes SET version = version + 1 WHERE topic = 'registrations'";
        const SPEND: &str = "UPDATE registration_tokens SET uses_left = uses_left - 1 WHERE id = $1 \
             AND (uses_left IS NULL OR uses_left > 0) AND (expires_at IS NULL OR expires_at > $2)";
        const INSERT: &str = "INSERT INTO clients (id, metadata, registration_salt, unused_until, created_at, updated_at, \
             registration_used_at, registered_by) VALUES ($1, $2, $3, $4, $5, $5, $5, $6)";
        // The revision of a row that was just inserted.
        const NEW: i64 = 0;
        let (metadata, columns) = (metadata(new.client)?, SecretColumns::from(new.secrets));
        let unused_until = new.client.origin.self_registered.as_ref().and_then(|origin| origin.unused_until);
        let bound = values![
            new.client.id.as_str(),
            &metadata,
            new.salt,
            unused_until.map(Timestamp::unix),
            now.unix(),
            new.allowed.by,
        ];
        let mut transaction = self.db.noting(noted).begin().await?;
        transaction.execute(RAISE, values![]).await?;
        if let Some(token) = new.token
            && transaction.execute(SPEND, values![token, now.unix()]).await? != 1
        {
            return Ok(RegistrationOutcome::TokenSpent);
        }
        if let Some(full) = without_room(&mut transaction, &new.allowed).await? {
            return Ok(full);
        }
        transaction.execute(INSERT, bound).await?;
        transaction.execute(UPDATE, &update_values(new.client, NEW, &metadata, &columns, now)).await?;
        transaction.commit().await?;
        // Unknown ids are in no cache, so no cache has to be told.
        Ok(RegistrationOutcome::Registered)
    }

    /// A client that registered itself.
    pub async fn registration(&self, id: &str) -> Result<Option<StoredRegistration>, StorageError> {
        const FIND: &str = concat!(
            "SELECT ",
            client_columns!(),
            ", registration_salt, registration_generation, registration_used_at \
              FROM clients WHERE id = $1 AND registration_salt IS NOT NULL"
        );
        let row: Option<RegistrationRow> = self.db.fetch_optional(FIND, values![id]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredRegistration {
            stored: row.client.into_client()?,
            salt: row.registration_salt,
            generation: row.registration_generation,
            used_at: row.registration_used_at.map(Timestamp::from_unix),
        }))
    }

    /// Notes the use of a registration access token, and that the one after this generation is given out. Where others do
    /// it at once, it is the same one.
    pub async fn use_registration(
        &self,
        id: &ClientId,
        generation: i64,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        const USE: &str = "UPDATE clients SET registration_used_at = $3, registration_generation = \
             CASE WHEN registration_generation = $2 THEN $2 + 1 ELSE registration_generation END WHERE id = $1";
        self.db.execute(USE, values![id.as_str(), generation, now.unix()]).await.map(|_| ())
    }

    /// Replaces what a client registered. Where people would not know it again, what they allowed it is forgotten in the same
    /// transaction, and what waits for one of them is over. False when somebody has changed or deleted it since it was read.
    pub async fn update_registration(
        &self,
        noted: Noted,
        changed: &StoredClient,
        now: Timestamp,
        is_another: bool,
    ) -> Result<bool, StorageError> {
        const FORGET: &str = "DELETE FROM consents WHERE client_id = $1";
        const DROP: &str = "DELETE FROM authorization_requests WHERE client_id = $1";
        const DENY: &str =
            "UPDATE device_authorizations SET state = 'denied' WHERE client_id = $1 AND state = 'pending'";
        let client = &changed.client;
        let (metadata, columns) = (metadata(client)?, SecretColumns::from(&changed.secrets));
        let mut tx = self.db.noting(noted).begin().await?;
        if is_another {
            hold_client(&mut tx, &client.id).await?;
        }
        if tx.execute(UPDATE, &update_values(client, changed.revision, &metadata, &columns, now)).await? != 1
        {
            return Ok(false);
        }
        if is_another {
            for sql in [FORGET, DROP, DENY] {
                tx.execute(sql, values![client.id.as_str()]).await?;
            }
        }
        changes::raise(&mut tx, Topic::Clients).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that a client is used: it is not removed any more.
    pub async fn note_first_use(&self, id: &ClientId) -> Result<(), StorageError> {
        const NOTE: &str = "UPDATE clients SET unused_until = NULL WHERE id = $1";
        self.db.execute(NOTE, values![id.as_str()]).await.map(|_| ())
    }

    /// Removes a batch of the clients that nobody used in time; those with a grant are used, whatever was noted.
    pub(super) async fn purge_registrations(&self, now: Timestamp, most: i64) -> Result<u64, StorageError> {
        const REMOVE: &str = "DELETE FROM clients WHERE unused_until <= $1 AND id IN \
             (SELECT c.id FROM clients c WHERE c.unused_until <= $1 \
              AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = c.id) LIMIT $2)";
        self.write(Noted::nothing(), Topic::Clients, REMOVE, values![now.unix(), most]).await
    }

    /// Keeps an initial access token.
    pub async fn insert_registration_token(
        &self,
        noted: Noted,
        token: &InitialAccessToken,
        salt: &str,
    ) -> Result<(), StorageError> {
        const INSERT: &str = "INSERT INTO registration_tokens (id, salt, name, uses_left, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let bound = values![
            &token.id,
            salt,
            &token.name,
            token.uses_left,
            token.expires_at.map(Timestamp::unix),
            token.created_at.unix(),
        ];
        self.db.noting(noted).execute(INSERT, bound).await.map(|_| ())
    }

    /// An initial access token, and the salt of its handle.
    pub async fn registration_token(
        &self,
        id: &str,
    ) -> Result<Option<(InitialAccessToken, String)>, StorageError> {
        const FIND: &str = "SELECT id, salt, name, uses_left, expires_at, created_at FROM registration_tokens \
             WHERE id = $1";
        let row: Option<TokenRow> = self.db.fetch_optional(FIND, values![id]).await?;
        Ok(row.map(TokenRow::into_token))
    }

    /// All initial access tokens, the oldest first.
    pub async fn registration_tokens(&self) -> Result<Vec<InitialAccessToken>, StorageError> {
        const LIST: &str = "SELECT id, salt, name, uses_left, expires_at, created_at FROM registration_tokens \
             ORDER BY created_at, id";
        let rows: Vec<TokenRow> = self.db.fetch_all(LIST, values![]).await?;
        Ok(rows.into_iter().map(|row| row.into_token().0).collect())
    }

    /// False when there is no such token.
    pub async fn delete_registration_token(&self, noted: Noted, id: &str) -> Result<bool, StorageError> {
        Ok(self
            .db
            .noting(noted)
            .execute("DELETE FROM registration_tokens WHERE id = $1", values![id])
            .await?
            == 1)
    }
}
