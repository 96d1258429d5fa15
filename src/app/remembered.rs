//! The places for what is remembered of a client: `grants/remembered.rs` says of what.

use crate::model::Client;
use crate::waiting::{Limits, Waiting};

/// The part of the places that a client has that registered itself: nobody has looked at it.
const SELF_REGISTERED: u32 = 100;

/// The places for what is remembered, in quarters of an hour.
pub struct Remembered {
    per_client: u32,
    pub assertions: Waiting,
    pub revoked: Waiting,
}

impl Remembered {
    pub fn new(per_client: u32) -> Self {
        // Clients are as many as the operator lets register, and each has its own places.
        let limits = Limits { per_address: per_client, per_client, all: u32::MAX };
        let places = |what| Waiting::new(limits, what);
        Self {
            per_client,
            assertions: places("an assertion that a client uses (clients.max_remembered)"),
            revoked: places("a token that a client revokes (clients.max_remembered)"),
        }
    }

    /// How many places this client has.
    pub fn of(&self, client: &Client) -> u32 {
        if client.is_self_registered() { (self.per_client / SELF_REGISTERED).max(1) } else { self.per_client }
    }
}
