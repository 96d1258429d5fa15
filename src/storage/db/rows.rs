//! INSERTs of many rows: a hundred of them are one trip to the database instead of a hundred.

use std::fmt::Write as _;

/// Rows of one statement, largest first: any number of rows is made of these. SQLite binds at most 32,766 values.
const SIZES: [usize; 3] = [100, 10, 1];

/// One INSERT, prepared for several numbers of rows.
pub(in crate::storage) struct Rows<const COLUMNS: usize> {
    statements: [String; SIZES.len()],
}

impl<const COLUMNS: usize> Rows<COLUMNS> {
    /// `insert` up to its VALUES, and what comes after them.
    pub(crate) fn new(insert: &str, after: &str) -> Self {
        let statement = |size| format!("{insert} VALUES {}{after}", placeholders(0, size, COLUMNS));
        Self { statements: SIZES.map(statement) }
    }

    /// The statements for these items, each with as many of them as it takes.
    pub(super) fn statements<'i, T>(&'static self, items: &'i [T]) -> Vec<(&'static str, &'i [T])> {
        let (mut all, mut rest) = (Vec::new(), items);
        for (size, statement) in SIZES.into_iter().zip(&self.statements) {
            let chunks = rest.chunks_exact(size);
            rest = chunks.remainder();
            all.extend(chunks.map(|chunk| (statement.as_str(), chunk)));
        }
        all
    }
}

/// So many rows of placeholders, after those that the statement has before: `($1, $2), ($3, $4)`.
pub(super) fn placeholders(before: usize, rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for number in 0..rows * columns {
        let opening = match number % columns {
            0 if number == 0 => "(",
            0 => "), (",
            _ => ", ",
        };
        // Writing to a text does not fail.
        let _ = write!(text, "{opening}${}", before + number + 1);
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn a_statement_has_placeholders_for_its_rows() {
        let rows = Rows::<2>::new("INSERT INTO t (a, b)", " ON CONFLICT DO NOTHING");
        assert_eq!(rows.statements[2], "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        assert!(rows.statements[1].contains("VALUES ($1, $2), ($3, $4), "), "{}", rows.statements[1]);
        assert!(rows.statements[0].contains(", ($199, $200) ON"), "{}", rows.statements[0]);
    }
}
