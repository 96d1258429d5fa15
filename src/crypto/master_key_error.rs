//! What can be wrong with a master key, or with what it sealed.

/// Why a master key or a sealed value was refused. Says nothing about its content.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the master key is not the base64 of 32 bytes; make one with `openssl rand -base64 32`")]
    Malformed,
    #[error("a value in the database was not sealed under this master key")]
    WrongKey,
    #[error(
        "data key {number} in the database was not sealed under this master key, but under the one with the id {needed}; the \
         settings give {given}\n    give the right one in secrets.master_key; while it is replaced, the one before in \
         secrets.previous_master_keys as well"
    )]
    Sealed { number: i64, needed: String, given: String },
    #[error("there is no data key to work with in the database; restore the table data_keys from a backup")]
    NoDataKey,
    #[error("the cryptographic library failed")]
    Library,
}
