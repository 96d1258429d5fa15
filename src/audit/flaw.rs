//! What can be wrong with the log.

/// The first thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error(
        "entry {0} was held back: its process had written it before an entry that is in front of it, so somebody took it out \
         while it waited, and put it in later"
    )]
    HeldBack(i64),
    #[error(
        "an entry is missing that had no place yet: the process {process} had written its entry with the sequence {sequence} \
         when it made entry {before}, so somebody took it out while it waited"
    )]
    TakenOut { process: String, sequence: i64, before: i64 },
    #[error(
        "the beginning of the log is not marked by this server: entries up to {0} were removed by somebody else, \
         or the master key is another one"
    )]
    ForeignAnchor(i64),
    #[error(
        "entry {0} does not fit: it was changed, put in another's place, or written by somebody else, or the master \
         key is another one"
    )]
    Changed(i64),
    #[error("entry {0} is missing")]
    Missing(i64),
    #[error("the log ends at entry {last}, and {expected} was written: its end was cut off")]
    Cut { last: i64, expected: i64 },
    #[error(
        "the log goes on after its marked end at entry {0}: the mark was set back, or entries were added"
    )]
    BeyondHead(i64),
    #[error("the end of the log at entry {0} is not marked by this server: the mark was changed")]
    ForeignHead(i64),
    #[error("entry {0} is not the one whose hash was kept: the log was written again, or its end was")]
    OtherHead(i64),
    #[error(
        "entry {0} is before the beginning of the log, so that its hash cannot be compared; keep a newer one"
    )]
    HeadRemoved(i64),
}
