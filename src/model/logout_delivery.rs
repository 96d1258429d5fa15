//! One client that is to be told that one session has ended (OpenID Connect Back-Channel Logout 2.5).

use super::{ClientId, SessionId, Timestamp, UserId};

/// A logout token on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct LogoutDelivery {
    pub session_id: SessionId,
    pub client_id: ClientId,
    /// Whose session it was.
    pub user_id: UserId,
    pub ended_at: Timestamp,
    /// How many attempts were begun.
    pub attempts: u32,
    pub state: DeliveryState,
    /// Why the last attempt failed.
    pub problem: Option<String>,
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried (again) at that moment.
    Waiting {
        due_at: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    GivenUp {
        at: Timestamp,
    },
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Delivered { .. } => "delivered",
            Self::GivenUp { .. } => "given_up",
        }
    }

    /// The moment that belongs to it.
    pub fn at(self) -> Timestamp {
        match self {
            Self::Waiting { due_at: at } | Self::Delivered { at } | Self::GivenUp { at } => at,
        }
    }
}
