//! `chancery audit export --follow`: a log collector gets every entry once, in order, whatever happens meanwhile.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::chain::{ten, write};
use crate::support::{LONGEST, TestServer, Watchdog, on_both, program, signal};

const ENOUGH: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400;

/// A running export; killed when dropped.
struct Export {
    child: Child,
    _watchdog: Watchdog,
}

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Export {
    fn begin(server: &TestServer, more: &[&str]) -> Self {
        let line = [&["audit", "export", "--follow"], more].concat();
        let mut command = program(&server.environment, &line);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { _watchdog: Watchdog::over(&child, LONGEST), child }
    }

    /// Its lines, read as they come.
    fn lines(&mut self) -> Receiver<String> {
        let lines = BufReader::new(self.child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (sender, receiver) = channel();
        std::thread::spawn(move || lines.take_while(|line| sender.send(line.clone()).is_ok()).count());
        receiver
    }

    fn terminate(&self) {
        assert!(signal(self.child.id(), "-TERM"));
    }

    /// Its exit code and what it complained of.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap().code(), told)
    }
}

fn number_of(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))["number"]
        .as_i64()
        .unwrap()
}

/// The numbers of the next so many lines.
fn next(lines: &Receiver<String>, many: usize) -> Vec<i64> {
    (0..many).map(|_| number_of(&lines.recv_timeout(ENOUGH).unwrap())).collect()
}

fn numbers(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

on_both! {
    async fn who_follows_gets_each_entry_once_also_while_the_front_of_the_log_is_cut(kind: Kind) {
        let server = ten(kind).await;
        let mut export = Export::begin(&server, &["--after", "3"]);
        let lines = export.lines();
        assert_eq!(next(&lines, 7), numbers(4, 10));
        // More than it reads at once.
        write(&server, 600).await;
        assert!(next(&lines, 600) == numbers(11, 610));
        for day in 0..2 {
            server.advance(DAY);
            while server.app.audit.cut(server.app.now()).await.unwrap().unwrap() {}
            assert_eq!(server.number("SELECT COUNT(*) FROM audit_log").await, 0, "all of it is gone");
            write(&server, 5).await;
            let last = 610 + 5 * day;
            assert_eq!(next(&lines, 5), numbers(last + 1, last + 5));
        }
        let nothing_more = lines.recv_timeout(Duration::from_millis(1500));
        assert!(nothing_more.is_err(), "{nothing_more:?}");
        export.terminate();
        assert_eq!(export.ended(), (Some(0), String::new()));
        assert!(lines.recv_timeout(ENOUGH).is_err(), "and nothing at its end");
    }

    async fn who_follows_is_left_with_whole_lines_when_it_is_told_to_stop(kind: Kind) {
        let server = ten(kind).await;
        // More than a pipe holds, and nobody reads: it is in the middle of a line.
        write(&server, 990).await;
        let mut export = Export::begin(&server, &[]);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        export.terminate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut text = String::new();
        export.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(export.ended(), (Some(0), String::new()));
        assert!(text.len() > 65_536, "{} bytes fit into the pipe", text.len());
        let seen: Vec<i64> = text.lines().map(number_of).collect();
        assert!(text.ends_with('\n') && seen == numbers(1, seen.len() as i64));
    }
}
