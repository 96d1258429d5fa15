//! Where the state is kept, and the key that seals what is secret in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::Url;
use zeroize::Zeroizing;

use super::reader::{Given, Reader, Refusal};
use super::table::{database, secrets};
use crate::model::Secret;

const COMMAND: &str = secrets::master_key_command.key;
const SOCKET: &str = secrets::master_key_socket.key;

#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    pub max_connections: u32,
    /// How many are opened before anybody is listened to, and stay open though nobody needs them.
    pub kept_connections: u32,
    /// How long a statement waits for a connection that others have.
    pub acquire_timeout: Duration,
    pub migrate_on_start: bool,
    pub ended_kept_seconds: i64,
}

/// Which database, and where.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Sqlite {
        path: PathBuf,
    },
    /// The URL holds a password, so it is a secret as a whole.
    Postgres {
        url: Secret,
    },
}

impl DatabaseUrl {
    /// `text` is never repeated in a refusal: it may hold a password.
    pub fn parse(text: &str, data: &Path) -> Result<Self, Refusal> {
        let remedy = || "write postgres://user:password@host/database or sqlite:PATH".to_owned();
        if text.is_empty() {
            return Ok(Self::Sqlite { path: data.join("chancery.db") });
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" | ":memory:" => Err(("it names no file, so nothing would be kept".to_owned(), remedy())),
                _ if path.contains(['?', '#']) => {
                    Err(("it has parameters, which are not supported".to_owned(), remedy()))
                }
                _ => Ok(Self::Sqlite { path: PathBuf::from(path) }),
            };
        }
        let url = Url::parse(text).map_err(|error| (format!("it is not a URL: {error}"), remedy()))?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres { url: Secret::new(text.to_owned()) }),
            _ => Err(("it is neither a Postgres nor a SQLite URL".to_owned(), remedy())),
        }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }
}

pub(super) fn url(reader: &mut Reader, data: &Path) -> Option<DatabaseUrl> {
    let given = reader.secret(database::url, database::url_file)?;
    let parsed = DatabaseUrl::parse(&given.text, data);
    parsed.map_err(|(problem, remedy)| reader.refuse(given.key, problem, remedy)).ok()
}

pub(super) fn read(reader: &mut Reader, url: Option<DatabaseUrl>) -> Option<DatabaseSettings> {
    let max_connections = reader.number(database::max_connections);
    let kept_connections = reader.number(database::kept_connections);
    let acquire_timeout = reader.duration(database::acquire_timeout_ms);
    let migrate_on_start = reader.boolean(database::migrate_on_start);
    let ended_kept = reader.seconds(database::ended_kept_seconds);
    Some(DatabaseSettings {
        url: url?,
        max_connections: max_connections?,
        kept_connections: kept_connections?,
        acquire_timeout: acquire_timeout?,
        migrate_on_start: migrate_on_start?,
        ended_kept_seconds: ended_kept?,
    })
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum MasterKey {
    /// Standard base64 of exactly 32 bytes.
    Given(Secret),
    /// No key yet: make one, and write it to this file with mode 0600.
    MakeFile(PathBuf),
    /// What this program prints: its path and its arguments.
    Command(Vec<String>),
    /// What is said to whoever connects to this Unix socket.
    Socket(PathBuf),
    /// Not asked for, because nothing that is done needs it.
    NotRead,
}

impl MasterKey {
    pub(super) fn read(reader: &mut Reader, database: Option<&DatabaseUrl>, data: &Path) -> Option<Self> {
        let given = reader.secret(secrets::master_key, secrets::master_key_file);
        let (command, socket) =
            (reader.words(secrets::master_key_command), reader.text(secrets::master_key_socket));
        let (given, command, socket) = (given?, command?, socket?);
        if !command.is_empty() || !socket.is_empty() {
            return Self::elsewhere(reader, &given, command, socket);
        }
        let default = data.join("master.key");
        let result = match database {
            _ if !given.text.is_empty() => Self::decode(&given.text),
            Some(DatabaseUrl::Sqlite { .. }) => match std::fs::read_to_string(&default) {
                Ok(text) => Self::decode(text.trim()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::MakeFile(default)),
                Err(error) => Err((
                    format!("{} cannot be read: {error}", default.display()),
                    "make it readable to this user, or set secrets.master_key_file".to_owned(),
                )),
            },
            // Which database it is has its own problem.
            None => return None,
            Some(DatabaseUrl::Postgres { .. }) => Err((
                "it is not set, and every replica on a Postgres needs the same one".to_owned(),
                "write `openssl rand -base64 32` to a file and name it in secrets.master_key_file".to_owned(),
            )),
        };
        result.map_err(|(problem, remedy)| reader.refuse(given.key, problem, remedy)).ok()
    }

    /// From a program or a socket, and from nowhere else.
    fn elsewhere(reader: &mut Reader, given: &Given, command: Vec<String>, socket: String) -> Option<Self> {
        let (key, other) = match (command.is_empty(), socket.is_empty()) {
            (false, false) => (SOCKET, Some(COMMAND)),
            (is_socket, _) => (if is_socket { SOCKET } else { COMMAND }, given.name()),
        };
        if let Some(other) = other {
            let remedy = format!("keep one of {other} and {key}");
            reader.refuse(key, format!("{other} is set as well"), remedy);
            return None;
        }
        let (path, source) = match command.first() {
            Some(program) => (PathBuf::from(program), Self::Command(command.clone())),
            None => (PathBuf::from(&socket), Self::Socket(socket.into())),
        };
        if !path.is_absolute() {
            // No search by PATH, which others may have set.
            let problem = format!("{} is no absolute path", path.display());
            reader.refuse(key, problem, "write the whole path, from the root".to_owned());
            return None;
        }
        Some(source)
    }

    fn decode(text: &str) -> Result<Self, Refusal> {
        decode(text).map(Self::Given)
    }
}

/// The master keys before, in the order in which they are given; files after texts.
pub(super) fn previous_master_keys(reader: &mut Reader) -> Option<Vec<Secret>> {
    let texts = reader.list(secrets::previous_master_keys, decode);
    let from_file = |path: &str| {
        let remedy = || "give the path of a file that this user can read".to_owned();
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        decode(text.map_err(|error| (format!("{path} cannot be read: {error}"), remedy()))?.trim())
    };
    let files = reader.list(secrets::previous_master_key_files, from_file);
    let (mut keys, files) = (texts?, files?);
    keys.extend(files);
    Some(keys)
}

/// Standard base64 of a key in any base64.
fn decode(text: &str) -> Result<Secret, Refusal> {
    let bare = text.trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).map(Zeroizing::new);
    match bytes {
        Ok(bytes) if bytes.len() == 32 => Ok(Secret::new(STANDARD.encode(&*bytes))),
        _ => Err((
            "it is not base64 of 32 bytes".to_owned(),
            "make one with `openssl rand -base64 32`".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, Refusal> {
        DatabaseUrl::parse(text, Path::new("data"))
    }

    #[test]
    fn nothing_configured_is_sqlite_in_the_data_directory() {
        assert!(
            matches!(parse(""), Ok(DatabaseUrl::Sqlite { path }) if path == Path::new("data/chancery.db"))
        );
        assert!(
            matches!(parse("sqlite:x.db"), Ok(DatabaseUrl::Sqlite { path }) if path == Path::new("x.db"))
        );
        assert!(
            matches!(parse("sqlite:///v/x.db"), Ok(DatabaseUrl::Sqlite { path }) if path == Path::new("/v/x.db"))
        );
    }

    #[test]
    fn a_password_is_shown_neither_by_debug_nor_in_a_refusal() {
        let url = parse("postgres://u:hunter2@db/chancery").unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
        for text in ["mysql://u:hunter2@db/x", "postgres://u:hunter2@[db/x"] {
            let refusal = parse(text).unwrap_err();
            assert!(!format!("{refusal:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_master_key_is_32_bytes_in_any_base64() {
        let standard = STANDARD.encode([0xfb; 32]);
        let url_safe = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        for text in [&standard, &url_safe] {
            assert!(matches!(MasterKey::decode(text), Ok(MasterKey::Given(key)) if key.expose() == standard));
        }
        for text in ["c2hvcnQ=", "not base64!", ""] {
            assert!(MasterKey::decode(text).is_err(), "{text}");
        }
    }
}
