//! The master key from a program or a socket, so that a key management service, a TPM or a vault can hold it. What they say
//! is told to nobody, in no error either.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::model::Secret;

/// Bytes that are read at most.
const LONGEST: u64 = 4096;
/// How often is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    #[error("secrets.master_key_command: {program} cannot be run: {error}")]
    NotRun { program: String, error: io::Error },
    #[error("secrets.master_key_command: {program} failed: {status}\n    run it as this user to see why")]
    Failed { program: String, status: String },
    #[error("secrets.master_key_socket: {path}: {error}")]
    Socket { path: String, error: io::Error },
    #[error("{key}: it gave no master key within {seconds} s (secrets.master_key_timeout_seconds)")]
    TimedOut { key: &'static str, seconds: u64 },
    #[error("{key}: what it gave is not text, or too long; it has to be the base64 of 32 bytes")]
    NoText { key: &'static str },
}

const COMMAND: &str = "secrets.master_key_command";
const SOCKET: &str = "secrets.master_key_socket";

/// What a program prints.
pub(super) fn from_command(words: &[String], timeout: Duration) -> Result<Secret, KeySourceError> {
    let deadline = Instant::now() + timeout;
    let (program, arguments) = words.split_first().ok_or(KeySourceError::NoText { key: COMMAND })?;
    let failed = |error| KeySourceError::NotRun { program: program.clone(), error };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // It would be in the server's log.
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let output = child.stdout.take();
    let output = apart(move || output.map_or_else(|| Ok(Bytes::default()), read));
    let late = |child: &mut Child| {
        // It may have ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
        KeySourceError::late(COMMAND, timeout)
    };
    let Ok(output) = output.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
        return Err(late(&mut child));
    };
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if Instant::now() >= deadline => return Err(late(&mut child)),
            None => thread::sleep(LOOK),
        }
    };
    if !status.success() {
        return Err(KeySourceError::Failed { program: program.clone(), status: status.to_string() });
    }
    text(COMMAND, &output.map_err(failed)?)
}

/// What is said at a socket until its other end closes.
pub(super) fn from_socket(path: &Path, timeout: Duration) -> Result<Secret, KeySourceError> {
    let failed = |error| KeySourceError::Socket { path: path.display().to_string(), error };
    let socket = path.to_owned();
    // The thread ends by itself when nobody waits for it any more.
    let said = apart(move || {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(timeout))?;
        read(stream)
    });
    let said = said.recv_timeout(timeout).map_err(|_| KeySourceError::late(SOCKET, timeout))?;
    text(SOCKET, &said.map_err(failed)?)
}

impl KeySourceError {
    fn late(key: &'static str, timeout: Duration) -> Self {
        Self::TimedOut { key, seconds: timeout.as_secs() }
    }
}

type Bytes = Zeroizing<Vec<u8>>;

/// What `work` gives, from a thread of its own.
fn apart(work: impl FnOnce() -> io::Result<Bytes> + Send + 'static) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(work());
    });
    receiver
}

/// All there is, or more than a key can be.
fn read(source: impl Read) -> io::Result<Bytes> {
    // As long as it gets, so that no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    source.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(key: &'static str, bytes: &[u8]) -> Result<Secret, KeySourceError> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= LONGEST);
    text.map(|text| Secret::new(text.trim())).ok_or(KeySourceError::NoText { key })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::crypto::random;

    const LIMIT: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(300);

    fn run(script: &str, timeout: Duration) -> Result<Secret, KeySourceError> {
        from_command(&["/bin/sh", "-c", script].map(str::to_owned), timeout)
    }

    #[test]
    fn a_program_prints_the_key_and_its_arguments_are_not_for_a_shell() {
        let words = ["/bin/echo", "$HOME; key"].map(str::to_owned);
        assert_eq!(from_command(&words, LIMIT).unwrap().expose(), "$HOME; key");
    }

    #[test]
    fn a_program_that_fails_is_named_and_what_it_printed_is_not() {
        let error = run("echo hunter2; echo hunter3 >&2; exit 3", LIMIT).unwrap_err().to_string();
        assert!(error.contains("/bin/sh") && error.contains('3') && !error.contains("hunter"), "{error}");
        let missing = from_command(&["/no/such/program".to_owned()], LIMIT).unwrap_err().to_string();
        assert!(missing.contains("/no/such/program"), "{missing}");
    }

    #[test]
    fn a_program_has_so_much_time_and_so_many_bytes() {
        for script in ["sleep 30", "sleep 30 &", "exec >&-; sleep 30"] {
            let begun = Instant::now();
            assert!(matches!(run(script, SHORT), Err(KeySourceError::TimedOut { .. })), "{script}");
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
        let endless = run("head -c 5000 /dev/zero", LIMIT);
        assert!(matches!(endless, Err(KeySourceError::NoText { .. })), "{endless:?}");
    }

    #[test]
    fn a_socket_says_the_key_until_it_is_closed() {
        let path = std::env::temp_dir().join(format!("chancery-key-{}.sock", random::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let sayer = thread::spawn(move || {
            listener.accept().unwrap().0.write_all(b"a key\n").unwrap();
            // The second one waits for words that don't come.
            (listener.accept().unwrap(), listener)
        });
        assert_eq!(from_socket(&path, LIMIT).unwrap().expose(), "a key");
        assert!(matches!(
            from_socket(&path, SHORT),
            Err(KeySourceError::TimedOut { .. } | KeySourceError::Socket { .. })
        ));
        drop(sayer.join().unwrap());
        std::fs::remove_file(&path).unwrap();
        let error = from_socket(&path, LIMIT).unwrap_err().to_string();
        assert!(error.contains("secrets.master_key_socket") && error.contains("chancery-key"), "{error}");
    }
}
