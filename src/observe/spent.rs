//! Where the time of one request went.
//!
//! A request is one task that is polled by whatever thread is free. While it is polled, its account lies open in a place
//! of that thread, and whoever works for it adds to it; afterwards the request takes it along. What it hands to another
//! task is not in the account.

use std::cell::Cell;

/// Nanoseconds, by what they were spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub database: u64,
    pub pool: u64,
    pub hashing: u64,
    pub signing: u64,
    pub statements: u32,
}

const NOTHING: Spent = Spent { database: 0, pool: 0, hashing: 0, signing: 0, statements: 0 };

thread_local! {
    static OPEN: Cell<Spent> = const { Cell::new(NOTHING) };
}

/// Opens an account and takes away the one that was open.
pub fn swap(spent: Spent) -> Spent {
    OPEN.replace(spent)
}

pub(super) fn note(change: impl FnOnce(&mut Spent)) {
    let mut spent = OPEN.get();
    change(&mut spent);
    OPEN.set(spent);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Spent, swap};
    use crate::observe;

    #[test]
    fn what_is_spent_goes_to_the_account_that_is_open() {
        let outer = swap(Spent::default());
        observe::stated(Duration::from_nanos(5));
        let first = swap(Spent::default());
        observe::signed(Duration::from_nanos(7));
        let second = swap(first);
        observe::stated(Duration::from_nanos(1));
        let first = swap(outer);
        assert_eq!(first, Spent { database: 6, statements: 2, ..Spent::default() });
        assert_eq!(second, Spent { signing: 7, ..Spent::default() });
    }
}
