//! The environment variables that settings are read from.

/// Lossy: a name or value that is not Unicode becomes a problem with its key, not a crash.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
