//! What fails around the server: docs/production.md has a line for each.

mod clock;
mod consent_kills;
mod database;
mod kills;
mod logout_kills;
mod lost_tail;
mod read_only;
mod shutdown;

use std::time::Duration;

use chancery::crypto::random;

/// Access that ends with the session, and no refresh tokens, of which a user has fifty.
const ONLINE: [(&str, &str); 1] = [("scope", "openid")];

/// How often each test with kills kills.
fn kills() -> usize {
    std::env::var("CHANCERY_TEST_KILLS").map_or(4, |kills| kills.parse().unwrap())
}

/// Some time up to `most` milliseconds.
async fn a_while(most: u64) {
    let millis = u64::from_le_bytes(random::bytes()) % most;
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
