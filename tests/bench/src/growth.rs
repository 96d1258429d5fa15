//! How much dearer a request is on a full database than on an empty one.

use std::fmt::Write;

use serde_json::Value;

/// A request may cost this many times what it costs on an empty database.
const LIMIT: f64 = 1.5;

/// Microseconds of CPU time a request.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    server: f64,
    database: f64,
}

impl Cost {
    /// None where nothing was answered, or wrongly.
    fn of(result: &Value) -> Option<Self> {
        let number = |name: &str| result[name].as_f64();
        let requests = number("requests").filter(|requests| *requests > 0.0)?;
        if number("errors")? > 0.0 {
            return None;
        }
        let each = |seconds: f64| seconds * 1e6 / requests;
        let database = number("database_cpu_seconds").unwrap_or_default();
        Some(Self { server: each(number("server_cpu_seconds")?), database: each(database) })
    }

    fn all(self) -> f64 {
        self.server + self.database
    }
}

/// An operation on both.
#[derive(Debug, PartialEq)]
pub struct Row {
    operation: String,
    empty: Option<Cost>,
    full: Option<Cost>,
}

impl Row {
    /// How many times the empty database's cost: the server's, and with the database's CPU.
    fn ratios(&self) -> Option<(f64, f64)> {
        let (empty, full) = self.empty.zip(self.full)?;
        (empty.server > 0.0).then(|| (full.server / empty.server, full.all() / empty.all()))
    }

    fn verdict(&self) -> &'static str {
        match self.ratios() {
            None => "failed",
            Some((server, all)) if server > LIMIT || all > LIMIT => "missed",
            Some(_) => "held",
        }
    }
}

/// The operations of the first, each with its results in the second. Where it was measured in several rounds, one on each
/// database in turn, it is the round in the middle by its ratio: what else the machine does meets both of a round.
pub fn rows(empty: &[Value], full: &[Value]) -> Vec<Row> {
    // What an operation cost is not known when others ran beside it.
    let known = |result: &&Value| !result["server_cpu_seconds"].is_null();
    let first = |(index, result): &(usize, &Value)| !empty[..*index].iter().any(|other| same(other, result));
    let each = empty.iter().enumerate().filter(first).map(|(_, result)| result);
    each.filter(known).map(|result| median(rounds(result, empty, full))).collect()
}

fn same(a: &Value, b: &Value) -> bool {
    a["operation"] == b["operation"] && a["concurrency"] == b["concurrency"]
}

/// One for each round on the empty database; without costs on the full one, if it was not measured there as often.
fn rounds(result: &Value, empty: &[Value], full: &[Value]) -> Vec<Row> {
    let mut full = full.iter().filter(|other| same(other, result));
    let row = |empty: &Value| Row {
        operation: empty["operation"].as_str().unwrap_or_default().to_owned(),
        empty: Cost::of(empty),
        full: full.next().and_then(Cost::of),
    };
    empty.iter().filter(|other| same(other, result)).map(row).collect()
}

/// The round in the middle; one that failed is never hidden by others.
fn median(mut rounds: Vec<Row>) -> Row {
    let key = |row: &Row| row.ratios().map_or(f64::NEG_INFINITY, |(_, all)| all);
    rounds.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let failed = rounds[0].ratios().is_none();
    let middle = if failed { 0 } else { rounds.len() / 2 };
    rounds.swap_remove(middle)
}

pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| operation | server CPU us/request: empty | full | times | database CPU us/request: empty | full | both, times | verdict |\n\
         |---|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for row in rows {
        let figure = |figure: Option<f64>, digits: usize| {
            figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.digits$}"))
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.operation,
            figure(row.empty.map(|cost| cost.server), 1),
            figure(row.full.map(|cost| cost.server), 1),
            figure(row.ratios().map(|(server, _)| server), 2),
            figure(row.empty.map(|cost| cost.database), 1),
            figure(row.full.map(|cost| cost.database), 1),
            figure(row.ratios().map(|(_, all)| all), 2),
            row.verdict(),
        );
    }
    text
}

/// What `--check` objects to, one line each.
pub fn objections(rows: &[Row]) -> Vec<String> {
    let objectionable = rows.iter().filter(|row| row.verdict() != "held");
    objectionable.map(|row| format!("growth: {}: {}", row.operation, row.verdict())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(operation: &str, server: f64, database: f64, errors: u64) -> Value {
        json!({"operation": operation, "concurrency": 64, "requests": 1000, "errors": errors,
            "server_cpu_seconds": server, "database_cpu_seconds": database})
    }

    #[test]
    fn a_request_may_cost_half_as_much_again_and_no_more() {
        let empty = ["same", "dearer", "database", "failed"].map(|name| result(name, 0.1, 0.1, 0));
        let full = [
            result("same", 0.15, 0.15, 0),
            result("dearer", 0.16, 0.1, 0),
            result("database", 0.1, 0.21, 0),
            result("failed", 0.1, 0.1, 1),
        ];
        let rows = rows(&empty, &full);
        let verdicts: Vec<_> = rows.iter().map(Row::verdict).collect();
        assert_eq!(verdicts, ["held", "missed", "missed", "failed"]);
        assert_eq!(objections(&rows).len(), 3);
        assert!(markdown(&rows).contains("| same | 100.0 | 150.0 | 1.50 | 100.0 | 150.0 | 1.50 | held |"));
    }

    #[test]
    fn of_several_rounds_the_one_in_the_middle_counts_and_a_failed_one_is_not_hidden() {
        let empty = [0.1, 0.3, 0.1].map(|cost| result("refresh", cost, cost, 0));
        let full = [0.3, 0.3, 0.12].map(|cost| result("refresh", cost, cost, 0));
        let ratios: Vec<_> = rows(&empty, &full)
            .iter()
            .map(|row| row.ratios().is_some_and(|(_, all)| (all - 1.2).abs() < 1e-9))
            .collect();
        assert_eq!(ratios, [true]);
        let failed = [result("refresh", 0.1, 0.1, 0), result("refresh", 0.3, 0.3, 1), full[2].clone()];
        assert_eq!(rows(&empty, &failed).iter().map(Row::verdict).collect::<Vec<_>>(), ["failed"]);
        assert_eq!(rows(&empty, &full[..2]).iter().map(Row::verdict).collect::<Vec<_>>(), ["failed"]);
    }

    #[test]
    fn an_operation_whose_cost_is_not_known_is_not_compared() {
        let mut beside_others = result("beside others", 0.1, 0.1, 0);
        beside_others["server_cpu_seconds"] = Value::Null;
        assert_eq!(rows(&[beside_others.clone()], &[beside_others]), []);
    }
}
