//! What hashing costs: now, and as most stored hashes do.

use std::sync::{Arc, PoisonError, RwLock};

use argon2::{Params, PasswordHash};

use crate::crypto::digest;

/// The cost of new hashes, and those of hashes that are stored.
#[derive(Clone)]
pub(super) struct Costs {
    pub current: Params,
    /// In order, so that a name's stays what it is while the others change.
    stored: Arc<RwLock<Vec<Params>>>,
}

impl Costs {
    pub(super) fn new(current: Params) -> Self {
        Self { current, stored: Arc::default() }
    }

    /// Remembers what these hashes cost. Others than ours cost nothing that could be repeated.
    pub(super) fn learn<'h>(&self, hashes: impl Iterator<Item = &'h str>) {
        let mut stored: Vec<_> = hashes.filter_map(of_hash).collect();
        stored.sort_by_key(|params| (params.m_cost(), params.t_cost(), params.p_cost()));
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = stored;
    }

    /// The cost of a hash that is not there: of as many names the one cost as of stored hashes, and of one name always the
    /// same. So neither cost tells that there is no such hash, also while hashes are renewed one after the other.
    pub(super) fn instead(&self, name: &str) -> Params {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let digest = digest::sha256(name.as_bytes());
        let drawn = usize::from(u16::from_be_bytes([digest[0], digest[1]]));
        stored.get((drawn * stored.len()) >> 16).unwrap_or(&self.current).clone()
    }

    /// Whether a hash would be made otherwise today.
    pub(super) fn is_outdated(&self, hash: &str) -> bool {
        of_hash(hash).is_some_and(|params| !same(&params, &self.current))
    }
}

fn of_hash(hash: &str) -> Option<Params> {
    let phc = PasswordHash::new(hash).ok()?;
    (phc.algorithm == argon2::ARGON2ID_IDENT).then(|| Params::try_from(&phc).ok())?
}

fn same(one: &Params, other: &Params) -> bool {
    (one.m_cost(), one.t_cost(), one.p_cost()) == (other.m_cost(), other.t_cost(), other.p_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT_AND_HASH: &str = "c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

    fn hash(memory: u32) -> String {
        format!("$argon2id$v=19$m={memory},t=1,p=1${SALT_AND_HASH}")
    }

    fn costs(stored: &[u32]) -> Costs {
        let costs = Costs::new(Params::new(64, 1, 1, None).unwrap());
        let hashes: Vec<String> = stored.iter().map(|memory| hash(*memory)).collect();
        costs.learn(hashes.iter().map(String::as_str));
        costs
    }

    #[test]
    fn names_that_nobody_has_cost_what_stored_hashes_do_in_the_same_proportion() {
        assert_eq!(costs(&[]).instead("eve").m_cost(), 64);
        assert_eq!(costs(&[32, 32]).instead("eve").m_cost(), 32);
        let mixed = costs(&[64, 32, 32, 32]);
        let dear = (0..1000).filter(|n| mixed.instead(&n.to_string()).m_cost() == 64).count();
        assert!((200..300).contains(&dear), "{dear} of 1000");
        // One renewed hash more, and no name goes back to the cost from before.
        let later = costs(&[64, 64, 32, 32]);
        let went_back = |n: &String| mixed.instead(n).m_cost() == 64 && later.instead(n).m_cost() == 32;
        assert!(!(0..1000).map(|n| n.to_string()).any(|name| went_back(&name)));
    }

    #[test]
    fn a_hash_at_another_cost_is_outdated_and_one_of_another_kind_is_not_ours_to_renew() {
        let costs = costs(&[]);
        assert!(costs.is_outdated(&hash(32)) && costs.is_outdated(&hash(128)));
        assert!(!costs.is_outdated(&hash(64)) && !costs.is_outdated("$2b$10$abc"));
    }
}
