//! Parts of something that there is only so much of.

/// The last part of all, and the part of an own share, that are left for those who have hardly any.
const RESERVE: i64 = 4;
const HARDLY_ANY: i64 = 10;

/// How much one may have, and all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub own: i64,
    pub all: i64,
}

impl Share {
    /// Half of all for one.
    pub const fn half_of(all: i64) -> Self {
        Self { own: (all + 1) / 2, all }
    }

    /// Whether one who has so much may have one more.
    pub fn has_room(self, own: i64, all: i64) -> bool {
        own < self.own && all < if own < self.few() { self.all } else { self.unreserved() }
    }

    /// Who has less than this has hardly any.
    pub fn few(self) -> i64 {
        (self.own / HARDLY_ANY).max(1)
    }

    /// How much those may have together who have more than hardly any.
    pub fn unreserved(self) -> i64 {
        self.all - self.all / RESERVE
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn one_has_an_own_share_and_the_last_quarter_is_for_those_with_hardly_any() {
        let share = Share { own: 20, all: 100 };
        assert!(share.has_room(19, 74) && !share.has_room(20, 20));
        assert!(!share.has_room(2, 75) && share.has_room(1, 99) && !share.has_room(0, 100));
        assert_eq!(Share::half_of(5), Share { own: 3, all: 5 });
        assert!(Share::half_of(1).has_room(0, 0));
    }
}
