//! What is allowed to whoever guesses.

/// How tries are slowed down: each costs a pause, and a try may be made while no more than the allowance is unpaid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TryRule {
    /// Seconds of pauses that may be owed.
    pub allowance: i64,
    /// From this try on they cost something.
    pub free: i64,
    /// Seconds that the first of them costs; the next one twice as many.
    pub step: i64,
    /// Seconds that one costs at most.
    pub most: i64,
    /// Seconds that tries are remembered when all of them are paid for.
    pub kept: i64,
}

impl TryRule {
    /// So many at once, then one in each `step` seconds, without end.
    pub const fn steady(burst: i64, step: i64) -> Self {
        Self { allowance: (burst - 1) * step, free: 1, step, most: step, kept: 0 }
    }

    /// So many at once, then one after `step` seconds, one after twice as many, and so on.
    pub const fn growing(free: i64, step: i64, most: i64, kept: i64) -> Self {
        Self { allowance: 0, free, step, most, kept }
    }
}

/// One limit that a try counts under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TryLimit {
    /// Whom it is about.
    pub id: String,
    pub rule: TryRule,
}
