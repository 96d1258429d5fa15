//! The tables of a comparison: for each other server how many times better Chancery did, above 1 where it did better.

use std::fmt::Write;

use crate::load::Measurement;
use crate::report::{megabytes, optional, per_cpu_second};

/// One operation measured once without a wrong answer.
pub struct Sample {
    pub measurement: Measurement,
    /// Resident memory afterwards, in bytes.
    pub resident: Option<u64>,
}

/// Why a measurement is worth nothing.
pub enum Spoiled {
    /// A request was answered wrongly, or could not be made.
    Wrong(String),
    /// So few answers that what was begun and not finished would weigh too much.
    TooFew(u64),
}

impl Spoiled {
    /// What stands in the table.
    fn cell(&self) -> &'static str {
        match self {
            Self::Wrong(_) => "failed",
            Self::TooFew(_) => "too few answers",
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Wrong(error) => error.clone(),
            Self::TooFew(answered) => format!("{answered} answers in the time of a round (--seconds)"),
        }
    }
}

pub type Outcome = std::result::Result<Sample, Spoiled>;

/// One operation: for each server its rounds, none where it cannot do this.
pub struct Row {
    operation: &'static str,
    rounds: Vec<Vec<Outcome>>,
}

impl Row {
    pub fn new(operation: &'static str, servers: usize) -> Self {
        Self { operation, rounds: (0..servers).map(|_| Vec::new()).collect() }
    }

    pub fn add(&mut self, server: usize, outcome: Outcome) {
        if let Some(rounds) = self.rounds.get_mut(server) {
            rounds.push(outcome);
        }
    }

    /// The first thing that went wrong at a server.
    fn failure(&self, server: usize) -> Option<&Spoiled> {
        self.rounds.get(server)?.iter().find_map(|outcome| outcome.as_ref().err())
    }

    fn samples(&self, server: usize) -> Vec<&Sample> {
        self.rounds.get(server).into_iter().flatten().flatten().collect()
    }
}

/// The failures of all servers, a line each.
pub fn failures(rows: &[Row], names: &[&str]) -> Vec<String> {
    let at = |row: &Row, server: usize| {
        let failure = row.failure(server)?;
        let (what, why) = (failure.cell(), failure.describe());
        Some(format!("`{}`, {}: {what}: {why}", row.operation, names.get(server)?))
    };
    rows.iter().flat_map(|row| (0..names.len()).filter_map(move |server| at(row, server))).collect()
}

/// The table of one server (by its index) beside Chancery, the first.
pub fn table(rows: &[Row], server: usize) -> String {
    let mut text = String::from(
        "| operation | requests per server CPU-second | the database's CPU included | requests/s | p99 | RSS MB, Chancery / other |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let cells = cells(row, server).join(" | ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {cells} |", row.operation);
    }
    text
}

fn cells(row: &Row, server: usize) -> [String; 5] {
    if let Some(failure) = row.failure(0).or_else(|| row.failure(server)) {
        return [failure.cell(), "", "", "", ""].map(str::to_owned);
    }
    let (ours, theirs) = (row.samples(0), row.samples(server));
    if theirs.is_empty() {
        return Default::default();
    }
    let resident = |samples: &[&Sample]| samples.iter().filter_map(|sample| sample.resident).max();
    let memory = |samples| optional(resident(samples).map(megabytes), |megabytes| format!("{megabytes:.0}"));
    [
        spread(&ratios(&ours, &theirs, |sample| per_cpu_second(&sample.measurement))),
        middle(&ratios(&ours, &theirs, |sample| per_whole_cpu_second(&sample.measurement))),
        middle(&ratios(&ours, &theirs, |sample| Some(sample.measurement.per_second()))),
        middle(&ratios(&theirs, &ours, |sample| Some(sample.measurement.millis(0.99)))),
        format!("{} / {}", memory(&ours), memory(&theirs)),
    ]
}

/// The database's work counts too.
fn per_whole_cpu_second(measurement: &Measurement) -> Option<f64> {
    let seconds = (measurement.server_cpu? + measurement.database_cpu?).as_secs_f64();
    (seconds > 0.0).then(|| measurement.requests as f64 / seconds)
}

/// A figure of one over that of the other, round by round, in order of size.
fn ratios(over: &[&Sample], under: &[&Sample], figure: impl Fn(&Sample) -> Option<f64>) -> Vec<f64> {
    let ratio = |(over, under): (&&Sample, &&Sample)| {
        let under = figure(under).filter(|value| *value > 0.0)?;
        Some(figure(over)? / under)
    };
    let mut found: Vec<f64> = over.iter().zip(under).filter_map(ratio).collect();
    found.sort_by(f64::total_cmp);
    found
}

fn middle(sorted: &[f64]) -> String {
    optional(sorted.get(sorted.len().saturating_sub(1) / 2).copied(), times)
}

/// The median, and between what the rounds lie.
fn spread(sorted: &[f64]) -> String {
    match sorted {
        [least, .., most] => format!("{} ({} to {})", middle(sorted), times(*least), times(*most)),
        _ => middle(sorted),
    }
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;

    /// One second in which this many requests took this many milliseconds each and of CPU time.
    fn sample(requests: u64, latency: u64, server_cpu: Option<u64>, database_cpu: Option<u64>) -> Outcome {
        let mut latencies = Histogram::default();
        latencies.record(Duration::from_millis(latency));
        let measurement = Measurement {
            requests,
            errors: 0,
            first_error: None,
            elapsed: Duration::from_secs(1),
            latencies,
            server_cpu: server_cpu.map(Duration::from_millis),
            database_cpu: database_cpu.map(Duration::from_millis),
            generator_cpu: Duration::ZERO,
            statements: None,
        };
        Ok(Sample { measurement, resident: server_cpu.map(|_| 20_000_000) })
    }

    fn row(ours: Vec<Outcome>, theirs: Vec<Outcome>) -> Row {
        Row { operation: "refresh", rounds: vec![ours, theirs] }
    }

    #[test]
    fn a_figure_above_one_says_that_chancery_did_better() {
        // 1000 and 100 requests per CPU-second; with the database 500 and 100; p99 of 10 and 40 ms.
        let ours = sample(1000, 10, Some(1000), Some(1000));
        let theirs = sample(200, 40, Some(2000), Some(0));
        let text = table(&[row(vec![ours], vec![theirs])], 1);
        assert!(text.ends_with("| refresh | 10 | 5.00 | 5.00 | 4.00 | 20 / 20 |\n"), "{text}");
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        // Twice as good in each round, whatever the machine did meanwhile; once three times.
        let round = |requests| sample(requests, 10, Some(1000), None);
        let row = row(vec![round(200), round(2000), round(30)], vec![round(100), round(1000), round(10)]);
        let text = table(&[row], 1);
        assert!(text.contains("| refresh | 2.00 (2.00 to 3.00) | – | 2.00 |"), "{text}");
    }

    #[test]
    fn what_a_server_lacks_is_empty_and_what_is_unknown_is_a_dash() {
        let ours = || sample(1000, 10, Some(1000), Some(0));
        let lacks = row(vec![ours()], Vec::new());
        assert!(table(&[lacks], 1).ends_with("| refresh |  |  |  |  |  |\n"));
        let unknown = row(vec![ours()], vec![sample(500, 10, None, None)]);
        let text = table(&[unknown], 1);
        assert!(text.ends_with("| refresh | – | – | 2.00 | 1.00 | 20 / – |\n"), "{text}");
    }

    #[test]
    fn a_spoiled_round_spoils_the_row_whatever_the_others_say() {
        let good = || sample(1000, 10, Some(1000), Some(0));
        let wrong = |error: &str| Err(Spoiled::Wrong(error.to_owned()));
        let names = ["Chancery", "other"];
        let theirs = row(vec![good(), good()], vec![good(), wrong("status 500")]);
        let ours = row(vec![wrong("status 400")], vec![good()]);
        let slow = row(vec![good()], vec![Err(Spoiled::TooFew(7))]);
        assert!(
            table(std::slice::from_ref(&slow), 1).ends_with("| refresh | too few answers |  |  |  |  |\n")
        );
        assert!(failures(&[slow], &names)[0].starts_with("`refresh`, other: too few answers: 7 answers"));
        for (row, server) in [(theirs, "other: failed: status 500"), (ours, "Chancery: failed: status 400")] {
            assert!(table(std::slice::from_ref(&row), 1).ends_with("| refresh | failed |  |  |  |  |\n"));
            assert_eq!(failures(&[row], &names), [format!("`refresh`, {server}")]);
        }
    }
}
