//! Guessing is slow, and does not stop those who don't guess. A try is counted before it is checked, by all processes alike
//! (`storage/tries.rs`), and taken back when it was right. Who has to wait is told for how long, at once.
//!
//! A browser in which somebody has signed in before counts for that account by itself: strangers do not hold it up
//! (`crypto/known_browser.rs`). docs/adr/0042 says what an attacker can try.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::App;
use crate::crypto::known_browser::KnownBrowser;
use crate::crypto::master_key::MasterKey;
use crate::model::user_name::username_key;
use crate::model::{NetworkAddress, SessionId, TryLimit, TryRule, UserId};
use crate::storage::{StorageError, try_id};

/// Passwords for one account from one network, or in a browser that is known: ten at once, then after 2 seconds, 4, 8 and
/// so on to a quarter of an hour, until one is right or there was none for an hour.
const PASSWORDS: TryRule = TryRule::growing(10, 2, 900, 3600);
/// Passwords from one network for all accounts: an office may share one.
const OF_NETWORK: TryRule = TryRule::steady(100, 9);
/// Passwords for one account from everywhere, but for the browsers that are known: a hundred in an hour.
const OF_ACCOUNT: TryRule = TryRule::steady(100, 36);
/// User codes (RFC 8628 5.1) in one session: ten in a quarter of an hour.
const CODES_OF_SESSION: TryRule = TryRule::steady(10, 90);
/// Of one user, so that a session that was stolen leaves them some.
const CODES_OF_USER: TryRule = TryRule::steady(20, 45);
/// From one network, which many may share.
const CODES_OF_NETWORK: TryRule = TryRule::steady(200, 5);
/// What a try counts under that was made already, whatever the limits say.
const ANY: i64 = 1 << 40;

/// A number of seconds to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub i64);

/// One try, and what it counts under. The first limit is that of the person themselves.
pub(crate) struct Try<'a> {
    app: &'a App,
    limits: Vec<TryLimit>,
    counted: bool,
}

/// The network of an address, as it is named where tries are counted. No dot is in it. Those whose address cannot be read
/// are one.
pub(crate) fn network(key: &MasterKey, address: NetworkAddress) -> String {
    let household = address.household().map(|household| household.to_string()).unwrap_or_default();
    short(&key.tag(&[b"network of tries", household.as_bytes()]))
}

/// What stands for the account of a name that nobody has. No user's id begins like this.
pub(crate) fn nobody(key: &MasterKey, typed: &str) -> String {
    format!("?{}", short(&key.tag(&[b"name of tries", username_key(typed).as_bytes()])))
}

fn short(tag: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&tag[..16])
}

impl<'a> Try<'a> {
    /// Somebody's password, by somebody at this network.
    pub(crate) fn password(app: &'a App, account: &str, network: &str) -> Self {
        let limits = [
            (try_id::pair(network, account), PASSWORDS),
            (try_id::network(network), OF_NETWORK),
            (try_id::account(account), OF_ACCOUNT),
        ];
        Self::new(app, limits)
    }

    /// The password of somebody whom this browser has signed in before.
    pub(crate) fn password_in(app: &'a App, browser: &KnownBrowser, user: &UserId) -> Self {
        Self::new(app, [(try_id::browser(browser.id(), user.as_str()), PASSWORDS)])
    }

    /// The password of the person whose session it is.
    pub(crate) fn password_of(app: &'a App, session: &SessionId) -> Self {
        Self::new(app, [(format!("s.{session}"), PASSWORDS)])
    }

    /// A device's user code.
    pub(crate) fn user_code(app: &'a App, session: &SessionId, user: &UserId, network: &str) -> Self {
        let limits = [
            (format!("cs.{session}"), CODES_OF_SESSION),
            (format!("cu.{user}"), CODES_OF_USER),
            (format!("cn.{network}"), CODES_OF_NETWORK),
        ];
        Self::new(app, limits)
    }

    fn new<const N: usize>(app: &'a App, limits: [(String, TryRule); N]) -> Self {
        let limits = limits.into_iter().map(|(id, rule)| TryLimit { id, rule }).collect();
        Self { app, limits, counted: false }
    }

    /// Who makes it, as far as is known.
    pub(crate) fn one(&self) -> &str {
        self.limits.first().map_or("", |limit| limit.id.as_str())
    }

    /// Leaves room for one that is being checked without having been counted.
    pub(crate) fn beside_another(mut self) -> Self {
        if let Some(limit) = self.limits.first_mut() {
            limit.rule.free -= 1;
        }
        self
    }

    /// Counts it, before it is checked. Nothing is to be checked where there is a wait.
    pub(crate) async fn count(&mut self) -> Result<Result<(), Wait>, StorageError> {
        let (storage, now) = (&self.app.storage, self.app.now());
        if !storage.count_try(&self.limits, now).await? {
            let wait = storage.wait_for_try(&self.limits, now).await?;
            return Ok(Err(Wait(wait.max(1))));
        }
        self.counted = true;
        Ok(Ok(()))
    }

    /// It was wrong: it counts, if it does not already.
    pub(crate) async fn was_wrong(mut self) -> Result<(), StorageError> {
        if !self.counted {
            self.limits.iter_mut().for_each(|limit| limit.rule.allowance = ANY);
            self.app.storage.count_try(&self.limits, self.app.now()).await?;
        }
        Ok(())
    }

    /// It was right, and whoever made it has shown who they are: what was wrong before it is forgotten.
    pub(crate) async fn was_theirs(self) -> Result<(), StorageError> {
        self.take_back(true).await
    }

    /// It was right. What was wrong before it stays.
    pub(crate) async fn was_right(self) -> Result<(), StorageError> {
        self.take_back(false).await
    }

    async fn take_back(self, forget: bool) -> Result<(), StorageError> {
        match self.counted {
            true => self.app.storage.take_try_back(&self.limits, forget, self.app.now()).await,
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nobody;
    use crate::crypto::master_key::MasterKey;

    #[test]
    fn a_name_that_nobody_has_is_counted_once_however_it_is_written() {
        let key = MasterKey::parse(&MasterKey::generate()).unwrap();
        for same in ["jo\u{308}rg", "JÖRG", "ｊörg", "Jo\u{308}rg "] {
            assert_eq!(nobody(&key, same), nobody(&key, "jörg"), "{same}");
        }
        assert_ne!(nobody(&key, "jorg"), nobody(&key, "jörg"));
    }
}
