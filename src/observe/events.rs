//! What happened that an operator counts: grants, sign-ins, replays, logouts that clients were told of, rows purged.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{Counts, Durations, Label, Outcome, WAITS};
use crate::model::{GrantType, Timestamp};

super::labels! {
    /// How a check of a user name and a password ended.
    Login {
        Success => "success",
        Wrong => "wrong",
        /// Refused unchecked: too many were wrong lately.
        Throttled => "throttled",
        /// Refused unchecked: too many checks wait already.
        Busy => "busy",
        Failed => "failed",
    }
}

super::labels! {
    /// What was used a second time that is good once.
    Replay {
        AuthorizationCode => "authorization_code",
        RefreshToken => "refresh_token",
        /// It had been replaced, and got the same successor again.
        RefreshTokenInGrace => "refresh_token_in_grace",
        ClientAssertion => "client_assertion",
        JwtBearerAssertion => "jwt_bearer_assertion",
    }
}

super::labels! {
    /// How an attempt to tell a client of a logout ended.
    Delivery {
        Delivered => "delivered",
        /// Tried again later.
        Failed => "failed",
        GivenUp => "given_up",
    }
}

super::labels! {
    /// What is purged.
    Table {
        Sessions => "sessions",
        AuthorizationRequests => "authorization_requests",
        DeviceAuthorizations => "device_authorizations",
        Grants => "grants",
        RevokedTokens => "revoked_tokens",
        UsedAssertions => "used_assertions",
        Clients => "clients",
        LogoutDeliveries => "logout_deliveries",
        Consents => "consents",
        Tries => "tries",
    }
}

super::labels! {
    /// How a round of purging ended.
    Purge {
        Done => "done",
        /// It removed as much as it may at once, and goes on.
        More => "more",
        Failed => "failed",
    }
}

/// A token request: what it asked for, and how it ended.
pub type Attempt = (GrantType, Outcome);

impl Label for GrantType {
    const MOST: usize = Self::ALL.len();

    fn index(self) -> usize {
        self as usize
    }

    fn shown_from_the_start() -> impl Iterator<Item = Self> {
        std::iter::empty()
    }
}

/// The counts. One per process.
pub struct Events {
    pub grants: Counts<Attempt>,
    pub logins: Counts<Login>,
    pub replays: Counts<Replay>,
    pub deliveries: Counts<Delivery>,
    pub purged: Counts<Table>,
    pub purges: Durations<Purge>,
    /// When a round of purging last came to its end, in unix seconds; 0: not yet.
    purged_at: AtomicI64,
    /// When the audit log was last chained, in unix seconds; 0: not yet.
    chained_at: AtomicI64,
    /// Clients that wait to be told of a logout.
    pub waiting_logouts: Counted,
    /// Entries of the audit log that wait for their place.
    pub waiting_audit_entries: Counted,
}

/// A number of the database, as it was when it was last counted.
#[derive(Default)]
pub struct Counted(AtomicI64);

impl Counted {
    pub fn set(&self, number: i64) {
        self.0.store(number.saturating_add(1), Ordering::Relaxed);
    }

    /// None: not counted yet.
    pub fn get(&self) -> Option<i64> {
        self.0.load(Ordering::Relaxed).checked_sub(1).filter(|number| *number >= 0)
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            grants: Counts::default(),
            logins: Counts::default(),
            replays: Counts::default(),
            deliveries: Counts::default(),
            purged: Counts::default(),
            purges: Durations::new(&WAITS),
            purged_at: AtomicI64::default(),
            chained_at: AtomicI64::default(),
            waiting_logouts: Counted::default(),
            waiting_audit_entries: Counted::default(),
        }
    }
}

impl Events {
    pub fn all_purged(&self, now: Timestamp) {
        self.purged_at.store(now.unix(), Ordering::Relaxed);
    }

    pub fn purged_at(&self) -> i64 {
        self.purged_at.load(Ordering::Relaxed)
    }

    pub fn audit_chained(&self, now: Timestamp) {
        self.chained_at.store(now.unix(), Ordering::Relaxed);
    }

    pub fn audit_chained_at(&self) -> i64 {
        self.chained_at.load(Ordering::Relaxed)
    }
}
