//! Why a user is not created or changed.

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserRefusal {
    /// Everything that is wrong with what was given.
    #[error("{}", joined(.0))]
    Invalid(Vec<UserProblem>),
    #[error("the user name {0} or the email address belongs to somebody already")]
    Taken(String),
    #[error("there is no user {0}")]
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserProblem {
    #[error("{member}: {problem}")]
    Member { member: &'static str, problem: String },
    /// The name is an address that the user is not given.
    #[error("username: an @ is for names that are the user's own email address")]
    ForeignAddress,
    #[error("claim {claim}: {problem}")]
    Claim { claim: String, problem: String },
    /// Not even an empty one, which would clear it.
    #[error("claim: {0} has no value")]
    ClaimWithoutValue(String),
}

fn joined(problems: &[UserProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
