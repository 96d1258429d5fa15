//! How every cache is built and counted: bounded, and keeping what was used last (ADR 0032).

use std::hash::Hash;

use moka::policy::EvictionPolicy;
use moka::sync::CacheBuilder;

pub(crate) use moka::sync::Cache;

/// A cache that holds at most `most` entries; those used the longest ago go first.
pub(crate) fn recent<K, V>(most: u64) -> CacheBuilder<K, V, Cache<K, V>>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(most).eviction_policy(EvictionPolicy::lru())
}

/// How many entries a cache holds, after what waits in it is worked off.
pub(crate) fn entries<K, V>(cache: &Cache<K, V>) -> u64
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache.run_pending_tasks();
    cache.entry_count()
}
