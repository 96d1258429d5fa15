//! The rules as a reader of product.md would write them down: no database, no HTTP, no cryptography.

const CODE: i64 = 60;
const ACCESS: i64 = 600;
const IDLE: i64 = 1800;
const ABSOLUTE: i64 = 7200;
const GRACE: i64 = 30;
/// How long the row of a grant is kept after its end.
const KEPT: i64 = 86_400;

/// What became of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its code waits to be redeemed.
    Code,
    /// Its valid refresh token is this generation.
    Active {
        generation: u32,
        rotated_at: i64,
    },
    Revoked,
    /// Nothing is known of it any more.
    Gone,
}

/// What a user allowed a client once.
#[derive(Debug, Clone)]
pub struct Grant {
    pub user: usize,
    pub client: usize,
    /// Comes with refresh tokens.
    pub offline: bool,
    pub made_at: i64,
    pub state: State,
}

/// How something of a grant is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Code,
    RefreshToken { generation: u32 },
}

/// What comes of a request that presents a code or a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An access token, and for offline use a refresh token of this generation.
    Tokens {
        generation: u32,
    },
    InvalidGrant,
}

impl Grant {
    pub fn new(user: usize, client: usize, offline: bool, now: i64) -> Self {
        Self { user, client, offline, made_at: now, state: State::Code }
    }

    fn ends_at(&self) -> i64 {
        self.made_at + if self.offline { ABSOLUTE } else { CODE + ACCESS }
    }

    /// A code is good once, for its client, in time, with the right verifier and redirect URI. Any other use by its client
    /// spends it. Once it was redeemed, using it again with everything right ends everything that came of it, and a guess
    /// nothing.
    pub fn redeem(&mut self, client: usize, is_right: bool, now: i64) -> Outcome {
        if client != self.client || self.state == State::Gone {
            return Outcome::InvalidGrant;
        }
        if self.state == State::Code && is_right && now < self.made_at + CODE {
            self.state = State::Active { generation: 1, rotated_at: now };
            return Outcome::Tokens { generation: 1 };
        }
        if self.state == State::Code || is_right {
            self.state = State::Revoked;
        }
        Outcome::InvalidGrant
    }

    /// The valid refresh token is replaced, unless the client keeps it. The one just replaced gets the same successor within
    /// the grace. An older one ends everything.
    pub fn refresh(&mut self, client: usize, presented: u32, rotates: bool, now: i64) -> Outcome {
        let State::Active { generation, rotated_at } = self.state else { return Outcome::InvalidGrant };
        if client != self.client || !self.can_refresh(now) {
            return Outcome::InvalidGrant;
        }
        if presented == generation {
            let generation = generation + u32::from(rotates);
            self.state = State::Active { generation, rotated_at: now };
            return Outcome::Tokens { generation };
        }
        if presented + 1 == generation && now <= rotated_at + GRACE {
            return Outcome::Tokens { generation };
        }
        self.state = State::Revoked;
        Outcome::InvalidGrant
    }

    /// Whether its refresh tokens have not come to their end.
    fn can_refresh(&self, now: i64) -> bool {
        let State::Active { rotated_at, .. } = self.state else { return false };
        self.offline && now < self.ends_at() && now < rotated_at + IDLE
    }

    /// Whether introspection calls this refresh token active.
    pub fn is_valid(&self, presented: u32, now: i64) -> bool {
        let is_last = matches!(self.state, State::Active { generation, .. } if generation == presented);
        is_last && self.can_refresh(now)
    }

    /// Until when what of it can be used, if nothing else happens.
    pub fn ends(&self) -> Vec<(i64, Use)> {
        match self.state {
            State::Code => vec![(self.made_at + CODE, Use::Code)],
            State::Active { generation: 1, rotated_at } if self.offline => {
                vec![(self.ends_at().min(rotated_at + IDLE), Use::RefreshToken { generation: 1 })]
            }
            State::Active { generation, rotated_at } if self.offline => vec![
                // Within the grace means to its last second.
                (rotated_at + GRACE + 1, Use::RefreshToken { generation: generation - 1 }),
                (self.ends_at().min(rotated_at + IDLE), Use::RefreshToken { generation }),
            ],
            State::Active { .. } | State::Revoked | State::Gone => Vec::new(),
        }
    }

    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    pub fn revoke(&mut self) {
        if self.state != State::Gone {
            self.state = State::Revoked;
        }
    }

    /// The session in which it was made ended: what is for offline use and was redeemed lives on.
    pub fn sign_out(&mut self) {
        if !self.offline || self.state == State::Code {
            self.revoke();
        }
    }

    pub fn purge(&mut self, now: i64) {
        let is_over = match self.state {
            State::Code => self.made_at + CODE,
            State::Revoked => self.made_at,
            State::Active { .. } | State::Gone => self.ends_at(),
        };
        if is_over.min(self.ends_at()) + KEPT <= now {
            self.state = State::Gone;
        }
    }
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub text: String,
    pub grant: usize,
    pub made_at: i64,
    /// By itself.
    pub revoked: bool,
}

impl AccessToken {
    pub fn ends_at(&self) -> i64 {
        self.made_at + ACCESS
    }

    pub fn has_expired(&self, now: i64) -> bool {
        now >= self.ends_at()
    }

    pub fn is_good(&self, grant: &Grant, now: i64) -> bool {
        grant.is_active() && !self.revoked && !self.has_expired(now)
    }
}
