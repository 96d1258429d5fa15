//! A Postgres of one test's own, which asks for passwords by SCRAM, as most do, and can be restarted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery::crypto::random;

use super::{LONGEST, Watchdog};

/// Stopped and removed when it is dropped.
pub struct Postgres {
    directory: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.control(&["stop", "-w", "-m", "immediate"]);
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

impl Postgres {
    pub fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("chancery-postgres-{}", random::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("password"), "password").unwrap();
        if is_root() {
            assert!(Command::new("chown").args(["-R", user()]).arg(&directory).status().unwrap().success());
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postgres = Self { directory, programs: programs(), port };
        let made =
            postgres.run("initdb", &["-U", "postgres", "--pwfile=password", "--no-sync", "-E", "UTF8"]);
        assert!(made, "initdb failed");
        postgres.up();
        postgres
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres:password@127.0.0.1:{}/postgres", self.port)
    }

    /// Connections end, and it is there again.
    pub fn restart(&self) {
        assert!(self.control(&["stop", "-w", "-m", "fast"]), "it does not stop");
        self.up();
    }

    fn up(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off",
            self.port
        );
        assert!(self.control(&["start", "-w", "-l", "log", "-o", &options]), "it does not start");
    }

    fn control(&self, arguments: &[&str]) -> bool {
        self.run("pg_ctl", arguments)
    }

    /// Postgres refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        let mut command = match is_root() {
            true => Command::new("runuser"),
            false => Command::new(&program),
        };
        if is_root() {
            command.args(["-u", user(), "--"]).arg(&program);
        }
        // What it is named by default depends on the program, not on the password's method.
        let auth: &[&str] = if program.ends_with("initdb") { &["--auth=scram-sha-256"] } else { &[] };
        command.args(["-D", "data"]).args(auth).args(arguments).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let _watchdog = Watchdog::over(&child, LONGEST);
        child.wait().unwrap().success()
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"))
}

fn user() -> &'static str {
    let known = std::fs::read_to_string("/etc/passwd").unwrap();
    if known.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

/// Debian keeps them out of the PATH.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found
        .into_iter()
        .find(|path: &PathBuf| has_programs(path))
        .expect("Postgres' server programs are missing")
}

fn has_programs(path: &Path) -> bool {
    ["initdb", "pg_ctl"].iter().all(|program| path.join(program).exists())
}
