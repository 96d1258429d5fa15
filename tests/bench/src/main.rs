//! The command line: `run`, `wait`, `free-port`. `scripts/bench` puts them together.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chancery_bench::Result;
use chancery_bench::http::Connection;
use chancery_bench::load::{self, Measurement, Plan, Processes};
use chancery_bench::operation::{self, Context};
use chancery_bench::process;
use chancery_bench::report::{Report, Row, per_cpu_second};
use chancery_bench::target::{Server, Target};

const USAGE: &str = "usage:
  chancery-bench run --url URL --fixtures DIR --pid PID [--postmaster PID] [--database NAME]
                     [--seconds 5] [--warm-up 1] [--concurrency 64] [--rounds 1] [--threads 2]
                     [--pool 50000] [--only OPERATION] [--check]
  chancery-bench wait --url URL [--since UNIX_SECONDS] [--timeout 30]    milliseconds until /readyz says 200
  chancery-bench free-port
A missed floor with --check ends with status 3.";

const FLOOR_MISSED: u8 = 3;
const FLAGS: &[&str] = &["check"];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let result = Options::parse(arguments).and_then(|options| match command.as_str() {
        "run" => run(&options),
        "wait" => wait(&options),
        "free-port" => free_port(),
        _ => Err(USAGE.into()),
    });
    result.unwrap_or_else(|error| {
        eprintln!("chancery-bench: {error}");
        ExitCode::FAILURE
    })
}

struct Options(HashMap<String, String>);

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = HashMap::new();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").ok_or(USAGE)?.to_owned();
            let value =
                if FLAGS.contains(&name.as_str()) { String::new() } else { arguments.next().ok_or(USAGE)? };
            options.insert(name, value);
        }
        Ok(Self(options))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| format!("--{name} is missing\n{USAGE}").into())
    }

    fn number<T: FromStr + PartialOrd>(&self, name: &str, default: T, least: T, most: T) -> Result<T> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let value = text.parse().ok().filter(|value| *value >= least && *value <= most);
        value.ok_or_else(|| format!("--{name} {text} is out of bounds").into())
    }
}

fn run(options: &Options) -> Result<ExitCode> {
    let only = operation::select(options.text("only"))?;
    let server = Server::parse(options.required("url")?)?;
    let fixtures = PathBuf::from(options.required("fixtures")?);
    let postmaster = options.text("postmaster").map(str::parse).transpose()?;
    let processes = Processes { server: options.required("pid")?.parse()?, postmaster };
    let concurrency = options.number("concurrency", 64, 1, 1024)?;
    let threads = options.number("threads", 2, 1, 64)?;
    let pool = options.number("pool", 50_000, 1, 500_000)?;
    let rounds = options.number("rounds", 1, 1, 9)?;
    let plan = Plan {
        warm_up: Duration::from_secs(options.number("warm-up", 1, 0, 30)?),
        measure: Duration::from_secs(options.number("seconds", 5, 1, 60)?),
        threads,
    };
    let idle = process::memory(processes.server)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Arc::new(runtime.block_on(Target::load(server.clone(), &fixtures))?);
    let context = runtime.block_on(Context::sign_in(target, concurrency, pool, threads))?;
    let mut rows = Vec::new();
    for operation in only {
        let mut measurements = Vec::new();
        for _ in 0..rounds {
            eprintln!("{} ...", operation.name);
            let tasks = runtime.block_on(context.prepare(operation.kind));
            let tasks = tasks.map_err(|error| format!("{}: preparing: {error}", operation.name))?;
            measurements.push(load::measure(&server, tasks, plan, processes)?);
        }
        let memory = process::memory(processes.server)?;
        rows.extend(median(measurements).map(|measurement| Row { operation, measurement, memory }));
    }
    let loaded = process::memory(processes.server)?;
    let database = options.text("database").unwrap_or("database").to_owned();
    let report = Report { database, concurrency, rows, idle, loaded };
    println!("{}", report.markdown());
    let objections = report.objections();
    objections.iter().for_each(|objection| eprintln!("{}: {objection}", report.database));
    let failed = options.text("check").is_some() && !objections.is_empty();
    Ok(if failed { ExitCode::from(FLOOR_MISSED) } else { ExitCode::SUCCESS })
}

/// The round in the middle by its requests per CPU-second; a round with errors is never hidden by others.
fn median(mut rounds: Vec<Measurement>) -> Option<Measurement> {
    rounds.sort_by(|a, b| {
        let figure = |round| per_cpu_second(round).unwrap_or_default();
        figure(a).total_cmp(&figure(b))
    });
    let index = rounds.iter().position(|round| round.errors > 0).unwrap_or((rounds.len().max(1) - 1) / 2);
    rounds.into_iter().nth(index)
}

/// Waits for the first 200 on /readyz and prints how long that took, from `--since` if given.
fn wait(options: &Options) -> Result<ExitCode> {
    let server = Server::parse(options.required("url")?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let since: f64 = options.number("since", now, 0.0, f64::MAX)?;
    let deadline = Instant::now() + Duration::from_secs(options.number("timeout", 30, 1, 300)?);
    let request = server.get(&format!("{}/readyz", server.prefix), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = Connection::new(server.address);
    loop {
        let last = match runtime.block_on(connection.send(&request)) {
            Ok(answer) if answer.status == 200 => break,
            Ok(answer) => answer.describe(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Err(format!("the server is not ready: {last}").into());
        }
        thread::sleep(Duration::from_micros(500));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    println!("{:.1}", (now - since) * 1000.0);
    Ok(ExitCode::SUCCESS)
}

fn free_port() -> Result<ExitCode> {
    println!("{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    Ok(ExitCode::SUCCESS)
}
