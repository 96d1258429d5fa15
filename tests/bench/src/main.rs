//! The command line: `run`, `compare`, `wait`, `free-port` and others. `scripts/bench` puts them together.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chancery_bench::Result;
use chancery_bench::compare::{self, COMPARED, Contestant, Sizes};
use chancery_bench::context::Context;
use chancery_bench::growth;
use chancery_bench::http::Connection;
use chancery_bench::limit;
use chancery_bench::load::{self, Plan, Processes};
use chancery_bench::meet::{self, Credentials};
use chancery_bench::operation::{self, OPERATIONS, Operation};
use chancery_bench::process;
use chancery_bench::report::{Report, Row, per_cpu_second};
use chancery_bench::statements::Statements;
use chancery_bench::target::{Extras, Server, Target};
use chancery_bench::versus;
use serde_json::Value;
use tokio::runtime::Runtime;

const USAGE: &str = "usage:
  chancery-bench run --url URL --fixtures DIR --pid PID [--postmaster PID] [--database NAME]
                     [--seconds 5] [--warm-up 1] [--concurrency 1,16,64] [--rounds 1] [--threads 2]
                     [--pool 50000] [--only OPERATION] [--statements PROGRAM] [--results FILE] [--check]
  chancery-bench compare --servers DIR,DIR,... [--seconds 5] [--warm-up 1] [--concurrency 64] [--rounds 1] [--threads 2]
                     [--pool 50000] [--only OPERATION] [--check]    the first beside each of the others
  chancery-bench meet --url URL --into DIR [--pid PID]    describes a server for `compare`; its client for client
                     credentials is in AGAINST_CLIENT_ID, AGAINST_CLIENT_SECRET and AGAINST_SCOPE
  chancery-bench limit --url URL --pid PID --results FILE [--postmaster PID] [--seconds 5] [--threads 2]
  chancery-bench distances --results FILE    tables of the ceilings and the distances to them
  chancery-bench growth --empty FILE --full FILE [--check]    a table of what requests cost more on the full database
  chancery-bench plot --results FILE    an SVG of what `run` appended there
  chancery-bench wait --url URL [--since UNIX_SECONDS] [--timeout 30]    milliseconds until /readyz says 200
  chancery-bench free-port
A missed floor or a wrong answer with --check ends with status 3.";

const FLOOR_MISSED: u8 = 3;
const FLAGS: &[&str] = &["check"];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let result = Options::parse(arguments).and_then(|options| match command.as_str() {
        "run" => run(&options),
        "compare" => compare(&options),
        "meet" => meet(&options),
        "limit" => limit(&options),
        "distances" => distances(&options),
        "growth" => growth(&options),
        "plot" => plot(&options),
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
    let run = Run::parse(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target =
        Arc::new(runtime.block_on(Target::load(run.server.clone(), &run.fixtures, Extras::default()))?);
    let idle = process::memory(run.pid)?.resident;
    let mut results = Vec::new();
    let mut objections = Vec::new();
    for concurrency in &run.concurrencies {
        let context = Context::sign_in(target.clone(), *concurrency, run.pool, run.plan.threads);
        let context = runtime.block_on(context)?;
        let mut rows = Vec::new();
        for operation in &run.operations {
            rows.extend(run.row(&runtime, &context, operation)?);
        }
        let report = Report { database: run.database.clone(), concurrency: *concurrency, rows, idle };
        println!("{}", report.markdown());
        objections.extend(report.objections());
        results.extend(report.results());
    }
    if let Some(path) = options.text("results") {
        append(path, &results)?;
    }
    objections.iter().for_each(|objection| eprintln!("{}: {objection}", run.database));
    let failed = options.text("check").is_some() && !objections.is_empty();
    Ok(if failed { ExitCode::from(FLOOR_MISSED) } else { ExitCode::SUCCESS })
}

/// What is measured, how, and of which processes.
struct Run {
    server: Server,
    fixtures: PathBuf,
    database: String,
    operations: Vec<&'static Operation>,
    pid: u32,
    processes: Processes,
    statements: Option<Statements>,
    concurrencies: Vec<usize>,
    pool: usize,
    rounds: usize,
    plan: Plan,
}

impl Run {
    fn parse(options: &Options) -> Result<Self> {
        Ok(Self {
            server: Server::parse(options.required("url")?)?,
            fixtures: PathBuf::from(options.required("fixtures")?),
            database: options.text("database").unwrap_or("database").to_owned(),
            operations: operation::select(OPERATIONS, options.text("only"))?,
            pid: options.required("pid")?.parse()?,
            processes: processes(options)?,
            statements: options.text("statements").map(|program| Statements::new(Path::new(program))),
            concurrencies: concurrencies(options.text("concurrency").unwrap_or("64"))?,
            pool: pool(options)?,
            rounds: rounds(options)?,
            plan: plan(options)?,
        })
    }

    /// One operation, the median of its rounds.
    fn row(
        &self,
        runtime: &Runtime,
        context: &Context,
        operation: &'static Operation,
    ) -> Result<Option<Row>> {
        let mut rows = Vec::new();
        for _ in 0..self.rounds {
            eprintln!("{} at {} ...", operation.name, context.concurrency());
            let tasks = runtime.block_on(context.prepare(operation.kind));
            let tasks = tasks.map_err(|error| format!("{}: preparing: {error}", operation.name))?;
            process::forget_peak(self.pid);
            let before = process::memory(self.pid)?.resident;
            let measured =
                load::measure(&self.server, tasks, self.plan, self.processes, self.statements.as_ref())?;
            let memory = process::memory(self.pid)?;
            rows.push(Row { operation, measurement: measured, before, memory });
        }
        Ok(median(rows))
    }
}

fn pool(options: &Options) -> Result<usize> {
    options.number("pool", 50_000, 1, 500_000)
}

fn rounds(options: &Options) -> Result<usize> {
    options.number("rounds", 1, 1, 9)
}

fn plan(options: &Options) -> Result<Plan> {
    Ok(Plan {
        warm_up: Duration::from_secs(options.number("warm-up", 1, 0, 30)?),
        measure: Duration::from_secs(options.number("seconds", 5, 1, 3600)?),
        threads: options.number("threads", 2, 1, 64)?,
    })
}

fn processes(options: &Options) -> Result<Processes> {
    let postmaster = options.text("postmaster").map(str::parse).transpose()?;
    Ok(Processes { server: Some(options.required("pid")?.parse()?), postmaster })
}

/// `1,16,64`: the numbers of connections to measure with, one after the other.
fn concurrencies(text: &str) -> Result<Vec<usize>> {
    let number = |text: &str| text.parse().ok().filter(|number| (1..=1024).contains(number));
    let numbers: Option<Vec<usize>> = text.split(',').map(number).collect();
    numbers.ok_or_else(|| {
        format!("--concurrency {text}: write numbers from 1 to 1024, separated by commas").into()
    })
}

/// The round in the middle by its requests per CPU-second; a round with errors is never hidden by others.
fn median(mut rounds: Vec<Row>) -> Option<Row> {
    rounds.sort_by(|a, b| {
        let figure = |round: &Row| per_cpu_second(&round.measurement).unwrap_or_default();
        figure(a).total_cmp(&figure(b))
    });
    let failed = rounds.iter().position(|round| round.measurement.errors > 0);
    let index = failed.unwrap_or((rounds.len().max(1) - 1) / 2);
    rounds.into_iter().nth(index)
}

/// The first server beside each of the others.
fn compare(options: &Options) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let operations = operation::select(COMPARED, options.text("only"))?;
    let mut failures = Vec::new();
    for concurrency in concurrencies(options.text("concurrency").unwrap_or("64"))? {
        let sizes =
            Sizes { concurrency, pool: pool(options)?, rounds: rounds(options)?, plan: plan(options)? };
        let load = |directory| runtime.block_on(Contestant::load(Path::new(directory), sizes));
        let contestants: Vec<_> = options.required("servers")?.split(',').map(load).collect::<Result<_>>()?;
        let rows = compare::run(&runtime, &contestants, &operations, sizes);
        for (index, other) in contestants.iter().enumerate().skip(1) {
            println!("### {}, {concurrency} connections\n", other.name);
            if !other.note.is_empty() {
                println!("{}\n", other.note);
            }
            println!("{}", versus::table(&rows, index));
        }
        let names: Vec<_> = contestants.iter().map(|contestant| contestant.name.as_str()).collect();
        let found = versus::failures(&rows, &names);
        found.iter().for_each(|failure| println!("- {failure}"));
        failures.extend(found);
    }
    let failed = options.text("check").is_some() && !failures.is_empty();
    Ok(if failed { ExitCode::from(FLOOR_MISSED) } else { ExitCode::SUCCESS })
}

/// Writes down what a server that runs already is.
fn meet(options: &Options) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = match (variable("AGAINST_CLIENT_ID"), variable("AGAINST_CLIENT_SECRET")) {
        (Some(id), Some(secret)) => Some(Credentials { id, secret, scope: variable("AGAINST_SCOPE") }),
        (None, None) => None,
        _ => return Err("AGAINST_CLIENT_ID and AGAINST_CLIENT_SECRET go together".into()),
    };
    let pid = options.text("pid").map(str::parse).transpose()?;
    let into = Path::new(options.required("into")?);
    runtime.block_on(meet::meet(options.required("url")?, pid, credentials, into))?;
    Ok(ExitCode::SUCCESS)
}

/// Measures the bare server.
fn limit(options: &Options) -> Result<ExitCode> {
    let server = Server::parse(options.required("url")?)?;
    let results = limit::measure(&server, plan(options)?, processes(options)?)?;
    append(options.required("results")?, &results)?;
    Ok(ExitCode::SUCCESS)
}

fn distances(options: &Options) -> Result<ExitCode> {
    println!("{}", limit::distances(&results(options, "results")?)?);
    Ok(ExitCode::SUCCESS)
}

/// What the same requests cost on an empty and on a full database.
fn growth(options: &Options) -> Result<ExitCode> {
    let rows = growth::rows(&results(options, "empty")?, &results(options, "full")?);
    println!("{}", growth::markdown(&rows));
    let objections = growth::objections(&rows);
    objections.iter().for_each(|objection| eprintln!("{objection}"));
    let failed = options.text("check").is_some() && !objections.is_empty();
    Ok(if failed { ExitCode::from(FLOOR_MISSED) } else { ExitCode::SUCCESS })
}

/// Draws the results.
fn plot(options: &Options) -> Result<ExitCode> {
    print!("{}", chancery_bench::plot::svg(&results(options, "results")?));
    Ok(ExitCode::SUCCESS)
}

/// A line of JSON for each.
fn append(path: &str, results: &[Value]) -> Result<()> {
    let lines: String = results.iter().map(|result| format!("{result}\n")).collect();
    Ok(OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes())?)
}

fn results(options: &Options, name: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(options.required(name)?)?;
    Ok(text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?)
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
