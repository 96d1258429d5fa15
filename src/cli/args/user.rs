//! `chancery user`

use clap::{Args, Subcommand};

use super::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user.
    Create(UserCreate),
    /// List the users.
    List(Output),
    /// Show a user.
    Show(UserName),
    /// Set a user's password, end every session and revoke all access of applications.
    SetPassword(SetPassword),
    /// End every session of a user; with --everything also revoke all access of applications.
    SignOut(SignOut),
    /// Set claims of a user.
    SetClaims(SetClaims),
    /// Refuse a user from now on, end every session and revoke all access of applications.
    Disable(Disable),
    /// Let a disabled user in again.
    Enable(UserName),
    /// Delete a user and everything that is theirs.
    Delete(UserName),
}

#[derive(Debug, Args)]
pub(crate) struct UserName {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub password: PasswordSource,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub output: Output,
}

/// What a reset ends beside the sessions.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Reach {
    /// End all access: what applications were allowed for offline use, too, and what was remembered as allowed. The default.
    #[arg(long, conflicts_with = "keep_offline_access")]
    pub everything: bool,
    /// Leave applications the access that they were given for offline use.
    #[arg(long)]
    pub keep_offline_access: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignOut {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    /// End all access: what applications were allowed for offline use, too, and what was remembered as allowed.
    #[arg(long)]
    pub everything: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Disable {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct SetClaims {
    /// The user's name.
    #[arg(value_name = "NAME")]
    pub username: String,
    /// A claim of the profile, such as birthdate=1815-12-10, given_name#fr=Ada or address.country=UK; may be repeated.
    /// An empty text clears.
    #[arg(long = "claim", value_name = "NAME=VALUE", required = true)]
    pub claims: Vec<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct UserCreate {
    /// The name to sign in with.
    #[arg(long, value_name = "NAME")]
    pub username: String,
    #[arg(long)]
    pub email: Option<String>,
    /// The email address is known to be the user's.
    #[arg(long, requires = "email")]
    pub email_verified: bool,
    /// The full name, as it is shown.
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub given_name: Option<String>,
    #[arg(long)]
    pub family_name: Option<String>,
    #[arg(long)]
    pub phone: Option<String>,
    /// The phone number is known to be the user's.
    #[arg(long, requires = "phone")]
    pub phone_verified: bool,
    /// Another claim of the profile, such as birthdate=1815-12-10, given_name#fr=Ada or address.country=UK; may be
    /// repeated.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// A group the user is in; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    #[command(flatten)]
    pub password: PasswordSource,
    #[command(flatten)]
    pub output: Output,
}

/// Where a password comes from: never from an argument, which other users of the machine can see.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PasswordSource {
    /// Read the password from standard input.
    #[arg(long)]
    pub password_stdin: bool,
    /// Make a password and print it once.
    #[arg(long)]
    pub generate_password: bool,
}
