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

/// The operations of the first, each with its result in the second.
pub fn rows(empty: &[Value], full: &[Value]) -> Vec<Row> {
    let row = |result: &Value| {
        let same = |other: &&Value| {
            other["operation"] == result["operation"] && other["concurrency"] == result["concurrency"]
        };
        Row {
            operation: result["operation"].as_str().unwrap_or_default().to_owned(),
            empty: Cost::of(result),
            full: full.iter().find(same).and_then(Cost::of),
        }
    };
    // What an operation cost is not known when others ran beside it.
    empty.iter().filter(|result| !result["server_cpu_seconds"].is_null()).map(row).collect()
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
    fn an_operation_whose_cost_is_not_known_is_not_compared() {
        let mut beside_others = result("beside others", 0.1, 0.1, 0);
        beside_others["server_cpu_seconds"] = Value::Null;
        assert_eq!(rows(&[beside_others.clone()], &[beside_others]), []);
    }
}
