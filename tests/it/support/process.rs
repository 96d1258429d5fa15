//! The real program as a process of its own, and HTTP to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::server::{Answer, Registration, TestServer, encode};

/// The program with these settings and nothing of this process's own.
pub fn program(environment: &[(String, String)], line: &[&str]) -> Command {
    let mut command = alone(Command::new(PROGRAM), environment);
    command.args(line);
    command
}

/// Runs a command as another process on the same database: what it printed as JSON.
pub async fn run(server: &TestServer, line: &[&str]) -> Value {
    let output = output(program(&server.environment, &[line, &["--json"]].concat())).await;
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    server.app.clients.forget();
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// The program, run by a shell script that finds the program in `$0` and its arguments in `$@`.
pub fn program_through(script: &str, environment: &[(String, String)], line: &[&str]) -> Command {
    let mut command = alone(Command::new("sh"), environment);
    command.args(["-c", script, PROGRAM]).args(line);
    command
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");

fn alone(mut command: Command, environment: &[(String, String)]) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null());
    command
}

/// What comes to an end by itself does so in less, on the slowest machine too.
pub const LONGEST: Duration = Duration::from_secs(120);

/// Runs a program to its end.
pub async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || output_of(&mut command)).await.unwrap()
}

/// The same where nothing else has to go on meanwhile.
pub fn output_of(command: &mut Command) -> Output {
    ended_by_itself(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), LONGEST)
}

/// What a program prints until its end.
pub fn ended_by_itself(child: Child, time: Duration) -> Output {
    let watchdog = Watchdog::over(&child, time);
    let output = child.wait_with_output().unwrap();
    assert!(!watchdog.has_killed(), "killed after {time:?}, it does not end: {output:?}");
    output
}

/// Kills a process that is there for too long, so that whoever waits for its end or for what it prints goes on. Called off
/// when it is dropped.
pub struct Watchdog {
    called_off: mpsc::Sender<()>,
    kills: JoinHandle<bool>,
}

impl Watchdog {
    pub fn over(child: &Child, time: Duration) -> Self {
        let (called_off, off) = mpsc::channel();
        let id = child.id();
        let kills = thread::spawn(move || {
            off.recv_timeout(time) == Err(RecvTimeoutError::Timeout) && signal(id, "-KILL")
        });
        Self { called_off, kills }
    }

    /// Calls it off.
    pub fn has_killed(self) -> bool {
        drop(self.called_off);
        self.kills.join().unwrap()
    }
}

/// Whether there is such a process.
pub fn signal(process: u32, name: &str) -> bool {
    Command::new("kill").args([name, &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

/// Asks until it is so.
pub async fn within(time: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < time, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A `chancery serve` on a port of its own; killed when dropped.
pub struct Process {
    child: Child,
    pub address: String,
    /// What it logged since it listens.
    log: Arc<Mutex<Vec<String>>>,
    client: Client<HttpConnector, Body>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts the server and waits until it listens.
    pub async fn start(environment: &[(String, String)]) -> Self {
        Self::start_command(program(environment, &["serve"])).await
    }

    /// The same with a command that serves.
    pub async fn start_command(mut command: Command) -> Self {
        let mut child = command
            .env("CHANCERY_SERVER__LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let watchdog = Watchdog::over(&child, LONGEST);
        let (stderr, log) = (BufReader::new(child.stderr.take().unwrap()), Arc::default());
        let more: Arc<Mutex<Vec<String>>> = Arc::clone(&log);
        let address = tokio::task::spawn_blocking(move || {
            let mut log = stderr.lines().map_while(Result::ok);
            let mut said = Vec::new();
            let listening = log.find_map(|line| {
                let address = line.split_once("address=").filter(|_| line.contains("listening"));
                let address = address.and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned);
                said.push(line);
                address
            });
            // Read on, so that the program never waits for room in the pipe.
            thread::spawn(move || log.for_each(|line| more.lock().unwrap().push(line)));
            listening.unwrap_or_else(|| panic!("it does not listen: {said:#?}"))
        });
        let address = address.await.unwrap();
        drop(watchdog);
        Self { child, address, log, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// The first line of its log that holds this, once it is there.
    pub async fn logged(&self, part: &str) -> String {
        for _ in 0..500 {
            if let Some(line) = self.log.lock().unwrap().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not log {part:?}: {:#?}", self.log.lock().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        assert!(signal(self.child.id(), name));
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to look at what may have changed.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&self) {
        self.signal("-KILL");
    }

    /// The memory it has in use.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The exit code, once it ends by itself.
    pub async fn ended(mut self) -> Option<i32> {
        for _ in 0..1000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not end");
    }

    /// The answer; none where the connection broke.
    pub async fn try_send(&self, mut request: Request<Body>) -> Option<Answer> {
        let uri = format!("http://{}{}", self.address, request.uri());
        *request.uri_mut() = uri.parse::<Uri>().unwrap();
        let answer = tokio::time::timeout(LONGEST, self.answer(request)).await;
        answer.unwrap_or_else(|_| panic!("no answer within {LONGEST:?} from {uri}"))
    }

    async fn answer(&self, request: Request<Body>) -> Option<Answer> {
        let (parts, body) = self.client.request(request).await.ok()?.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.ok()?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.try_send(request.body(Body::empty()).unwrap()).await.expect("an answer")
    }

    pub async fn try_post(&self, client: &Registration, path: &str, form: &[(&str, &str)]) -> Option<Answer> {
        let credentials = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.try_send(request.body(Body::from(encode(form))).unwrap()).await
    }

    pub async fn post(&self, client: &Registration, path: &str, form: &[(&str, &str)]) -> Answer {
        self.try_post(client, path, form).await.expect("an answer")
    }

    pub async fn try_refresh(&self, client: &Registration, token: &str) -> Option<Answer> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.try_post(client, "/token", &form).await
    }

    pub async fn refresh(&self, client: &Registration, token: &str) -> Answer {
        self.try_refresh(client, token).await.expect("an answer")
    }

    pub async fn is_active(&self, client: &Registration, token: &str) -> bool {
        self.post(client, "/introspect", &[("token", token)]).await.json()["active"].as_bool().unwrap()
    }
}

mod tests {
    use super::*;

    fn script(text: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", text]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    #[should_panic(expected = "as far as this")]
    fn a_program_that_never_ends_is_killed_and_what_it_printed_is_told() {
        ended_by_itself(script("echo as far as this; exec sleep 600"), Duration::from_millis(300));
    }

    #[test]
    fn a_program_that_ends_by_itself_is_left_alone() {
        let output = ended_by_itself(script("echo done; exit 3"), LONGEST);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"done\n"[..]));
    }
}
