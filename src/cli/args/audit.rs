//! `chancery audit`

use std::str::FromStr;

use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::output::Output;
use crate::audit::Place;
use crate::model::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that nobody changed, removed or added an entry; says which one is the first that does not fit.
    Verify(AuditVerify),
    /// Print the number and the hash of the last entry, to be kept where nobody with the database reaches it.
    Head(Output),
    /// Print entries as JSON, one a line, the oldest first.
    Export(AuditExport),
    /// Begin a new chain after the last entry, where the log does not verify any more.
    Restart(Output),
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// What `chancery audit head` printed before: the log has to hold that entry still.
    #[arg(long, value_name = "NUMBER:HASH", value_parser = Place::from_str)]
    pub head: Option<Place>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct AuditExport {
    /// From this moment on: 2026-01-31T12:00:00Z, or 2026-01-31 for the beginning of that day in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Timestamp>,
    /// Before this moment.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Timestamp>,
    /// Only these events, by name, or by the first part of their names: grant.created, grant. May be given several times.
    #[arg(long = "event", value_name = "NAME")]
    pub events: Vec<String>,
    /// Only what comes after the entry with this number, to go on where an export before ended.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: i64,
    /// Go on with what is written from now on, until it is stopped.
    #[arg(long, conflicts_with = "until")]
    pub follow: bool,
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = format!("{text}T00:00:00Z");
    let parsed = [text, &midnight].into_iter().find_map(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let problem = "write it as 2026-01-31T12:00:00Z or 2026-01-31";
    parsed.map(|at| Timestamp::from_unix(at.unix_timestamp())).ok_or(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_day() {
        let unix = |text| moment(text).map(Timestamp::unix);
        assert_eq!(unix("1970-01-02"), Ok(86_400));
        assert_eq!(unix("1970-01-02T01:00:00+01:00"), Ok(86_400));
        assert!(unix("yesterday").is_err() && unix("2026-13-01").is_err());
    }
}
