//! What may happen, in any order. Clients, users and tokens are named by a number, taken modulo how many there are.

use proptest::prelude::*;
use proptest::sample::Index;

/// Seconds that end a grace (30), a code (60), an access token (600), an unused refresh token (1800), a grant (7200), what
/// is kept of it (a day), and a session: to the second before, to the very second, and past it.
const STEPS: [i64; 15] = [1, 29, 30, 31, 59, 60, 61, 570, 599, 600, 601, 1799, 1800, 3600, 90_000];

#[derive(Debug, Clone)]
pub enum Op {
    /// A user allows a client something, and a code comes of it.
    Authorize {
        user: usize,
        client: usize,
        offline: bool,
    },
    /// A code is redeemed, or one that was redeemed before.
    Redeem {
        code: Which,
        by: By,
        mistake: Option<Mistake>,
    },
    /// A refresh token is used, the last one or an older one.
    Refresh {
        token: Which,
        by: By,
    },
    RevokeRefreshToken {
        token: Which,
        by: By,
    },
    RevokeAccessToken {
        token: Which,
        by: By,
    },
    /// An access token at introspection and UserInfo.
    UseAccessToken {
        token: Which,
    },
    IntrospectRefreshToken {
        token: Which,
    },
    Wait {
        seconds: i64,
    },
    /// Waits until something is about to end, ends this very second, or has just ended, and then uses it.
    UseAtEnd {
        of: Index,
        late: i64,
    },
    Purge,
    RotateKey,
    /// A client gets another secret; the one before counts on for a while, or not.
    RotateSecret {
        client: usize,
        keep: bool,
    },
    /// A client still uses the secret before its last.
    UseOldSecret {
        client: usize,
    },
    TakeBack {
        user: usize,
        client: usize,
    },
    SignOut {
        user: usize,
    },
}

/// The last one that came, or any: were it always any, most would be replays that end their grants.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    Last,
    Any(Index),
}

impl Which {
    /// The place among so many.
    pub fn of(self, many: usize) -> usize {
        match self {
            Self::Last => many - 1,
            Self::Any(index) => index.index(many),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum By {
    Owner,
    AnotherClient,
}

#[derive(Debug, Clone, Copy)]
pub enum Mistake {
    Verifier,
    RedirectUri,
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![3 => Just(Which::Last), 1 => any::<Index>().prop_map(Which::Any)]
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![9 => Just(By::Owner), 1 => Just(By::AnotherClient)]
}

fn mistake() -> impl Strategy<Value = Option<Mistake>> {
    prop_oneof![18 => Just(None), 1 => Just(Some(Mistake::Verifier)), 1 => Just(Some(Mistake::RedirectUri))]
}

pub fn drawn() -> impl Strategy<Value = Op> {
    let (user, client, index) = (|| 0..2_usize, || 0..3_usize, any::<Index>);
    prop_oneof![
        6 => (user(), client(), prop::bool::weighted(0.75))
            .prop_map(|(user, client, offline)| Op::Authorize { user, client, offline }),
        8 => (which(), by(), mistake()).prop_map(|(code, by, mistake)| Op::Redeem { code, by, mistake }),
        8 => (which(), by()).prop_map(|(token, by)| Op::Refresh { token, by }),
        1 => (which(), by()).prop_map(|(token, by)| Op::RevokeRefreshToken { token, by }),
        2 => (which(), by()).prop_map(|(token, by)| Op::RevokeAccessToken { token, by }),
        3 => which().prop_map(|token| Op::UseAccessToken { token }),
        2 => which().prop_map(|token| Op::IntrospectRefreshToken { token }),
        5 => (index(), -1..=1_i64).prop_map(|(of, late)| Op::UseAtEnd { of, late }),
        6 => prop::sample::select(&STEPS[..]).prop_map(|seconds| Op::Wait { seconds }),
        2 => Just(Op::Purge),
        1 => Just(Op::RotateKey),
        1 => (client(), any::<bool>()).prop_map(|(client, keep)| Op::RotateSecret { client, keep }),
        1 => client().prop_map(|client| Op::UseOldSecret { client }),
        1 => (user(), client()).prop_map(|(user, client)| Op::TakeBack { user, client }),
        1 => user().prop_map(|user| Op::SignOut { user }),
    ]
}
