//! The Markdown tables, and whether the floors hold.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::load::Measurement;
use crate::operation::Operation;
use crate::process::Memory;

/// The connections that the goals are set for.
pub const GOAL_CONCURRENCY: usize = 64;
/// Resident memory in MB: the goals; twice as much is what `--check` still lets pass.
const IDLE_GOAL: f64 = 20.0;
const LOAD_GOAL: f64 = 60.0;

pub struct Row {
    pub operation: &'static Operation,
    pub measurement: Measurement,
    /// Resident memory of the server in bytes before the operation.
    pub before: u64,
    /// And after it, with the peak in between.
    pub memory: Memory,
}

pub struct Report {
    pub database: String,
    pub concurrency: usize,
    pub rows: Vec<Row>,
    /// The server's resident memory in bytes before any load.
    pub idle: u64,
}

/// Requests per second of CPU time; nothing when the clock did not move.
pub fn per_cpu_second(measurement: &Measurement) -> Option<f64> {
    let seconds = measurement.server_cpu?.as_secs_f64();
    (seconds > 0.0).then(|| measurement.requests as f64 / seconds)
}

impl Report {
    /// The goals are for 64 connections and Postgres. SQLite does the database's work in the server's own process and
    /// syncs each write itself, so there the operations that write have none.
    fn goal(&self, operation: &Operation) -> Option<f64> {
        let counts = self.concurrency == GOAL_CONCURRENCY && !(operation.writes && self.database == "sqlite");
        operation.goal.filter(|_| counts)
    }

    fn verdict(&self, row: &Row) -> Verdict {
        if row.measurement.errors > 0 || row.measurement.requests == 0 {
            return Verdict::Failed;
        }
        match (self.goal(row.operation), per_cpu_second(&row.measurement)) {
            (Some(goal), Some(figure)) if figure >= goal => Verdict::Goal,
            (Some(goal), Some(figure)) if figure >= goal / 2.0 => Verdict::Floor,
            (Some(_), Some(_)) => Verdict::Missed,
            _ => Verdict::NoGoal,
        }
    }

    /// What `--check` objects to, one line each.
    pub fn objections(&self) -> Vec<String> {
        let mut objections = Vec::new();
        for row in &self.rows {
            let (name, measurement) = (row.operation.name, &row.measurement);
            match self.verdict(row) {
                Verdict::Missed => objections.push(format!(
                    "{name}: {} requests per CPU-second, floor {}",
                    optional(per_cpu_second(measurement), count),
                    optional(self.goal(row.operation), |goal| count(goal / 2.0)),
                )),
                Verdict::Failed => objections.push(format!(
                    "{name}: {} answered, {} errors, first: {}",
                    measurement.requests,
                    measurement.errors,
                    measurement.first_error.as_deref().unwrap_or("none"),
                )),
                Verdict::Goal | Verdict::Floor | Verdict::NoGoal => {}
            }
        }
        for (what, bytes, goal) in self.memory() {
            if megabytes(bytes) > goal * 2.0 {
                objections.push(format!("{what}: {:.1} MB, limit {:.0}", megabytes(bytes), goal * 2.0));
            }
        }
        objections
    }

    fn memory(&self) -> [(&'static str, u64, f64); 3] {
        let after = self.rows.last().map_or(self.idle, |row| row.memory.resident);
        let peak = self.rows.iter().map(|row| row.memory.peak).max().unwrap_or(self.idle);
        [
            ("resident memory idle", self.idle, IDLE_GOAL),
            ("resident memory after load", after, LOAD_GOAL),
            ("resident memory at its peak", peak, LOAD_GOAL),
        ]
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("### {}, {} connections\n\n", self.database, self.concurrency);
        text.push_str(
            "| operation | requests/s | p50 ms | p99 ms | p99.9 ms | requests per server CPU-second | goal | floor | verdict \
             | statements/request | database CPU us/request | RSS MB before, peak, after | generator CPU us/request | errors |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            text.push_str(&self.line(row));
        }
        text.push_str("\n| memory | MB | goal |\n|---|---:|---:|\n");
        for (what, bytes, goal) in self.memory() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {what} | {:.1} | {goal:.0} |", megabytes(bytes));
        }
        text
    }

    fn line(&self, row: &Row) -> String {
        let measurement = &row.measurement;
        let goal = self.goal(row.operation);
        let requests = measurement.requests.max(1) as f64;
        let millis = |share| measurement.millis(share);
        let database = measurement.database_cpu.map(|spent| spent.as_secs_f64() * 1e6 / requests);
        format!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {} | {} | {:.1}, {:.1}, {:.1} | {:.0} | {} |\n",
            row.operation.name,
            count(measurement.per_second()),
            millis(0.5),
            millis(0.99),
            millis(0.999),
            optional(per_cpu_second(measurement), count),
            optional(goal, count),
            optional(goal, |goal| count(goal / 2.0)),
            self.verdict(row).name(),
            optional(measurement.statements_per_request(), |statements| format!("{statements:.2}")),
            optional(database, |micros| format!("{micros:.0}")),
            megabytes(row.before),
            megabytes(row.memory.peak),
            megabytes(row.memory.resident),
            measurement.generator_cpu.as_secs_f64() * 1e6 / requests,
            measurement.errors,
        )
    }

    /// The same for programs, an object for each operation.
    pub fn results(&self) -> Vec<Value> {
        let result = |row: &Row| {
            let measurement = &row.measurement;
            json!({
                "database": self.database,
                "concurrency": self.concurrency,
                "operation": row.operation.name,
                "requests_per_second": measurement.per_second(),
                "requests_per_cpu_second": per_cpu_second(measurement),
                "goal": self.goal(row.operation),
                "requests": measurement.requests,
                "server_cpu_seconds": measurement.server_cpu.map(|time| time.as_secs_f64()),
                "database_cpu_seconds": measurement.database_cpu.map(|time| time.as_secs_f64()),
                "p50_ms": measurement.millis(0.5),
                "p99_ms": measurement.millis(0.99),
                "p999_ms": measurement.millis(0.999),
                "statements_per_request": measurement.statements_per_request(),
                "errors": measurement.errors,
            })
        };
        self.rows.iter().map(result).collect()
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Goal,
    Floor,
    Missed,
    NoGoal,
    Failed,
}

impl Verdict {
    fn name(&self) -> &'static str {
        match self {
            Self::Goal => "goal",
            Self::Floor => "floor",
            Self::Missed => "missed",
            Self::NoGoal => "–",
            Self::Failed => "failed",
        }
    }
}

pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

pub fn optional(value: Option<f64>, format: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), format)
}

/// A whole number with its thousands apart: 12,345.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;
    use crate::operation::OPERATIONS;

    fn report(database: &str, operation: &'static Operation, requests: u64, errors: u64) -> Report {
        let measurement = Measurement {
            requests,
            errors,
            first_error: None,
            elapsed: Duration::from_secs(1),
            latencies: Histogram::default(),
            server_cpu: Some(Duration::from_secs(1)),
            database_cpu: None,
            statements: None,
            generator_cpu: Duration::ZERO,
        };
        let memory = Memory { resident: 10_000_000, peak: 20_000_000 };
        let rows = vec![Row { operation, measurement, before: 10_000_000, memory }];
        Report { database: database.to_owned(), concurrency: 64, rows, idle: 10_000_000 }
    }

    #[test]
    fn floors_are_checked() {
        let operation = &OPERATIONS[0];
        let objections = |requests, errors| report("postgres", operation, requests, errors).objections();
        assert!(objections(20_000, 0).is_empty());
        assert!(objections(10_000, 0).is_empty());
        assert_eq!(objections(9_999, 0).len(), 1);
        assert_eq!(objections(20_000, 1).len(), 1);
        assert_eq!(objections(0, 0).len(), 1);
    }

    #[test]
    fn writes_have_no_goal_on_sqlite() {
        let refresh = OPERATIONS.iter().find(|operation| operation.name == "refresh");
        let refresh = refresh.unwrap_or(&OPERATIONS[0]);
        assert!(report("sqlite", refresh, 1, 0).objections().is_empty());
        assert_eq!(report("postgres", refresh, 1, 0).objections().len(), 1);
    }

    #[test]
    fn goals_are_for_64_connections() {
        let at = |concurrency| Report { concurrency, ..report("postgres", &OPERATIONS[0], 1, 0) };
        assert_eq!(at(64).objections().len(), 1);
        assert!(at(16).objections().is_empty());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0.0, 999.0, 1_000.4, 1_234_567.0].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
