//! Device authorizations: every decision and the one claim are conditional UPDATEs, so that exactly one caller wins.

use sqlx::FromRow;

use super::authority::{Authority, Insertion};
use super::db::values;
use super::{Remember, Storage, StorageError, consents, grants, new_grants};
use crate::model::{
    ClientId, DeviceAuthorization, DeviceAuthorizationId, DeviceState, Grant, NetworkAddress, Noted,
    Timestamp, UserId,
};

macro_rules! device_columns {
    () => {
        "id, salt, client_id, scope, state, user_id, interval_seconds, last_polled_at, address, user_agent, \
         created_at, expires_at, resources"
    };
}

#[derive(FromRow)]
struct DeviceRow {
    id: String,
    salt: String,
    client_id: String,
    scope: String,
    state: String,
    user_id: Option<String>,
    interval_seconds: i64,
    last_polled_at: Option<i64>,
    address: String,
    user_agent: String,
    created_at: i64,
    expires_at: i64,
    resources: String,
}

impl DeviceRow {
    fn into_device(self) -> Result<DeviceAuthorization, StorageError> {
        let impossible = |what: &dyn ToString| {
            StorageError::impossible("device_authorizations", &self.id, what.to_string())
        };
        let last_polled_at = self.last_polled_at.map(Timestamp::from_unix);
        let state = match (self.state.as_str(), self.user_id.map(UserId::new)) {
            ("pending", None) => DeviceState::Pending { last_polled_at },
            ("approved", Some(user_id)) => DeviceState::Approved { user_id },
            ("denied", Some(user_id)) => DeviceState::Denied { user_id },
            ("consumed", Some(user_id)) => DeviceState::Consumed { user_id },
            _ => return Err(impossible(&"unknown state, or not by whom it should be")),
        };
        Ok(DeviceAuthorization {
            scope: self.scope.parse().map_err(|error| impossible(&error))?,
            resources: grants::resources_of(&self.resources),
            state,
            id: DeviceAuthorizationId::new(self.id),
            salt: self.salt,
            client_id: ClientId::new(self.client_id),
            interval: self.interval_seconds,
            address: NetworkAddress::written(&self.address),
            user_agent: self.user_agent,
            created_at: Timestamp::from_unix(self.created_at),
            expires_at: Timestamp::from_unix(self.expires_at),
        })
    }
}

impl Storage {
    /// Stores a pending authorization under the tag of its user code. False when that code is in use.
    pub async fn insert_device_authorization(
        &self,
        device: &DeviceAuthorization,
        user_code: &str,
    ) -> Result<bool, StorageError> {
        const INSERT: &str = "INSERT INTO device_authorizations (id, salt, client_id, user_code, scope, state, \
             interval_seconds, address, user_agent, created_at, expires_at, resources) \
             VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $11) ON CONFLICT (user_code) DO NOTHING";
        let (scope, resources) = (device.scope.to_string(), device.resources.join(" "));
        let address = device.address.to_string();
        let bound = values![
            device.id.as_str(),
            &device.salt,
            device.client_id.as_str(),
            user_code,
            &scope,
            device.interval,
            &address,
            &device.user_agent,
            device.created_at.unix(),
            device.expires_at.unix(),
            &resources,
        ];
        Ok(self.db.execute(INSERT, bound).await? == 1)
    }

    pub async fn device_authorization(
        &self,
        id: &DeviceAuthorizationId,
    ) -> Result<Option<DeviceAuthorization>, StorageError> {
        const FIND: &str = concat!("SELECT ", device_columns!(), " FROM device_authorizations WHERE id = $1");
        let row: Option<DeviceRow> = self.db.fetch_optional(FIND, values![id.as_str()]).await?;
        row.map(DeviceRow::into_device).transpose()
    }

    /// The authorization with this tag of a user code, in whatever state.
    pub async fn device_authorization_of(
        &self,
        user_code: &str,
    ) -> Result<Option<DeviceAuthorization>, StorageError> {
        const FIND: &str =
            concat!("SELECT ", device_columns!(), " FROM device_authorizations WHERE user_code = $1");
        let row: Option<DeviceRow> = self.db.fetch_optional(FIND, values![user_code]).await?;
        row.map(DeviceRow::into_device).transpose()
    }

    /// Notes that a device asked, and the interval it has to keep from now on. An interval never shrinks.
    pub async fn note_device_poll(
        &self,
        id: &DeviceAuthorizationId,
        interval: i64,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        const NOTE: &str = "UPDATE device_authorizations SET last_polled_at = $2, \
             interval_seconds = CASE WHEN interval_seconds < $3 THEN $3 ELSE interval_seconds END \
             WHERE id = $1 AND state = 'pending'";
        self.db.execute(NOTE, values![id.as_str(), now.unix(), interval]).await.map(|_| ())
    }

    /// The user's yes: its grant (of the same id) is there, the authorization is approved, and the yes is remembered; all
    /// or nothing. Nothing when somebody decided before, it has expired, or what it comes from has ended.
    pub async fn approve_device(
        &self,
        noted: Noted,
        grant: &Grant,
        remembered: &Remember,
        authority: Authority<'_>,
    ) -> Result<Insertion, StorageError> {
        const APPROVE: &str = "UPDATE device_authorizations SET state = 'approved', user_id = $2 \
             WHERE id = $1 AND state = 'pending' AND expires_at > $3";
        let bound = values![grant.id.as_str(), grant.user_id.as_str(), grant.created_at.unix()];
        let mut tx = self.db.noting(noted).begin().await?;
        // The grant first: its locks come before all others.
        if new_grants::insert(&mut tx, grant, authority).await? == Insertion::Nothing {
            tx.commit().await?;
            return Ok(Insertion::Nothing);
        }
        let approved = tx.execute(APPROVE, bound).await? == 1;
        if !approved || !consents::remember(&mut tx, consents::OF_DEVICE, grant, remembered).await? {
            return Ok(Insertion::Nothing);
        }
        tx.commit().await?;
        Ok(Insertion::Inserted)
    }

    /// The user's no. False when somebody decided before, or it has expired.
    pub async fn deny_device(
        &self,
        noted: Noted,
        id: &DeviceAuthorizationId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const DENY: &str = "UPDATE device_authorizations SET state = 'denied', user_id = $2 \
             WHERE id = $1 AND state = 'pending' AND expires_at > $3";
        Ok(self.db.noting(noted).execute(DENY, values![id.as_str(), user.as_str(), now.unix()]).await? == 1)
    }

    /// The device comes for its tokens. True for exactly one caller, and only while the grant is active.
    pub async fn consume_device(
        &self,
        id: &DeviceAuthorizationId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        const CONSUME: &str = "UPDATE device_authorizations SET state = 'consumed' \
             WHERE id = $1 AND state = 'approved' AND expires_at > $2 \
             AND EXISTS (SELECT 1 FROM grants g WHERE g.id = $1 AND g.state = 'active')";
        Ok(self.db.execute(CONSUME, values![id.as_str(), now.unix()]).await? == 1)
    }
}
