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
    const MOST: usize = 16;

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
    /// Clients that wait to be told of a logout, when they were last counted; -1: not yet.
    waiting_logouts: AtomicI64,
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
            purged_at: AtomicI64::new(0),
            waiting_logouts: AtomicI64::new(-1),
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

    pub fn counted_waiting_logouts(&self, number: i64) {
        self.waiting_logouts.store(number, Ordering::Relaxed);
    }

    pub fn waiting_logouts(&self) -> Option<i64> {
        Some(self.waiting_logouts.load(Ordering::Relaxed)).filter(|number| *number >= 0)
    }
}
