//! Runs tasks, one connection each, and counts. The main thread sleeps and reads clocks; a few threads
//! of their own drive the connections, so that no work moves between cores in the generator.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::histogram::Histogram;
use crate::http::Connection;
use crate::process;
use crate::statements::Statements;
use crate::target::Server;
use crate::task::{Step, Task};

/// A worker that only fails is stopped: the figure is spoiled and the server needs no more of it.
const FAILURES_IN_A_ROW: u32 = 20;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);
const POLL: Duration = Duration::from_millis(1);
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// Longer than the limit of two requests (a pair), so that every worker comes home.
const JOIN_LIMIT: Duration = Duration::from_secs(25);

const CONNECTING: u8 = 0;
const WARMING: u8 = 1;
const MEASURING: u8 = 2;
const STOPPED: u8 = 3;

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub warm_up: Duration,
    pub measure: Duration,
    pub threads: usize,
}

/// The processes whose CPU time is read.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// With all its descendants; none where it is not known.
    pub server: Option<u32>,
    pub postmaster: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Measurement {
    pub requests: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub elapsed: Duration,
    pub latencies: Histogram,
    /// None where it is not known, or was spent on other requests too; so below.
    pub server_cpu: Option<Duration>,
    pub database_cpu: Option<Duration>,
    pub generator_cpu: Duration,
    /// What the database ran meanwhile; none where it cannot tell.
    pub statements: Option<u64>,
}

impl Measurement {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The database's own housekeeping is among them: hundredths.
    pub fn statements_per_request(&self) -> Option<f64> {
        Some(self.statements? as f64 / self.requests.max(1) as f64)
    }

    /// The latency in milliseconds that `share` (0 to 1) of the requests did not exceed.
    pub fn millis(&self, share: f64) -> f64 {
        self.latencies.quantile(share).as_secs_f64() * 1000.0
    }
}

#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    connected: AtomicUsize,
    finished: AtomicUsize,
    total: Mutex<Total>,
}

#[derive(Default)]
struct Total {
    latencies: Histogram,
    errors: u64,
    first_error: Option<String>,
    products: Vec<String>,
}

#[derive(Clone, Copy)]
struct Clocks {
    at: Instant,
    server: Option<Duration>,
    database: Option<Duration>,
    generator: Duration,
}

impl Clocks {
    fn read(processes: Processes) -> Result<Self> {
        Ok(Self {
            server: processes.server.map(process::cpu_of_tree).transpose()?,
            database: processes.postmaster.map(process::cpu_of_tree).transpose()?,
            generator: process::cpu(std::process::id())?,
            at: Instant::now(),
        })
    }
}

/// Measures tasks for the planned time, or until their pool is empty.
pub fn measure(
    server: &Server,
    tasks: Vec<Task>,
    plan: Plan,
    processes: Processes,
    statements: Option<&Statements>,
) -> Result<Measurement> {
    let finite = tasks.iter().any(Task::is_finite);
    let attributable = !tasks.iter().any(Task::is_aside);
    let crew = Crew::start(server, tasks, plan.threads, None)?;
    if !finite {
        crew.enter(WARMING);
        crew.wait(plan.warm_up);
    }
    // A worker may finish a request between the reading and the phase: tens of microseconds in seconds.
    let statements_before = statements.map(Statements::read).transpose();
    let before = Clocks::read(processes);
    crew.enter(MEASURING);
    crew.wait(plan.measure);
    let after = Clocks::read(processes);
    crew.enter(STOPPED);
    let total = crew.join()?;
    let statements_after = statements.map(Statements::read).transpose()?;
    let (before, after) = (before?, after?);
    let spent = |after: Option<Duration>, before: Option<Duration>| {
        attributable.then_some(after?.saturating_sub(before?))
    };
    Ok(Measurement {
        requests: total.latencies.count(),
        errors: total.errors,
        first_error: total.first_error,
        elapsed: after.at - before.at,
        latencies: total.latencies,
        server_cpu: spent(after.server, before.server),
        database_cpu: spent(after.database, before.database),
        generator_cpu: after.generator.saturating_sub(before.generator),
        statements: statements_after
            .zip(statements_before?)
            .filter(|_| attributable)
            .map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Runs tasks to keep what they produce: at most `wanted` codes or tokens, for at most `limit`.
pub fn collect(
    server: &Server,
    tasks: Vec<Task>,
    threads: usize,
    wanted: usize,
    limit: Duration,
) -> Result<Vec<String>> {
    let share = wanted.div_ceil(tasks.len().max(1));
    let crew = Crew::start(server, tasks, threads, Some(share))?;
    crew.enter(MEASURING);
    crew.wait(limit);
    crew.enter(STOPPED);
    let mut total = crew.join()?;
    total.products.truncate(wanted);
    match total.first_error {
        Some(error) if total.products.is_empty() => Err(error.into()),
        _ => Ok(total.products),
    }
}

/// The threads that hold the workers.
struct Crew {
    shared: Arc<Shared>,
    workers: usize,
    threads: Vec<thread::JoinHandle<Result<()>>>,
}

impl Crew {
    /// Starts one worker for each task and waits until all are connected.
    fn start(server: &Server, tasks: Vec<Task>, threads: usize, keep: Option<usize>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let workers = tasks.len();
        let mut shares: Vec<Vec<Task>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
        let slots = shares.len();
        for (index, task) in tasks.into_iter().enumerate() {
            shares[index % slots].push(task);
        }
        let threads = shares
            .into_iter()
            .map(|tasks| {
                let (shared, server) = (shared.clone(), server.clone());
                thread::spawn(move || drive(&shared, &server, tasks, keep))
            })
            .collect();
        let crew = Self { shared, workers, threads };
        let deadline = Instant::now() + CONNECT_LIMIT;
        while crew.shared.connected.load(Ordering::Acquire) < workers {
            if Instant::now() > deadline || crew.all_finished() {
                crew.enter(STOPPED);
                let error = crew.join()?.first_error.unwrap_or_default();
                return Err(format!("the workers could not connect: {error}").into());
            }
            thread::sleep(POLL);
        }
        Ok(crew)
    }

    fn enter(&self, phase: u8) {
        self.shared.phase.store(phase, Ordering::Release);
    }

    fn all_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire) == self.workers
    }

    /// Sleeps for this long, or until every worker has ended by itself.
    fn wait(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.all_finished() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(POLL));
        }
    }

    fn join(self) -> Result<Total> {
        let deadline = Instant::now() + JOIN_LIMIT;
        while !self.all_finished() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        if !self.all_finished() {
            return Err("a worker did not stop".into());
        }
        for thread in self.threads {
            thread.join().map_err(|_| "a generator thread ended badly")??;
        }
        let mut total = self.shared.total.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *total))
    }
}

fn drive(shared: &Arc<Shared>, server: &Server, tasks: Vec<Task>, keep: Option<usize>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    for task in tasks {
        let (shared, connection) = (shared.clone(), Connection::new(server.address));
        local.spawn_local(async move {
            let total = work(&shared, task, connection, keep).await;
            add(&shared, total);
            shared.finished.fetch_add(1, Ordering::Release);
        });
    }
    runtime.block_on(local);
    Ok(())
}

/// One worker: a connection and a task, until it is stopped, exhausted, or has kept its share.
async fn work(shared: &Shared, mut task: Task, mut connection: Connection, keep: Option<usize>) -> Total {
    let mut total = Total::default();
    if let Err(error) = connection.connect().await {
        total.first_error = Some(error.to_string());
        return total;
    }
    shared.connected.fetch_add(1, Ordering::Release);
    while shared.phase.load(Ordering::Acquire) == CONNECTING {
        tokio::time::sleep(POLL).await;
    }
    let mut failures = 0;
    while failures < FAILURES_IN_A_ROW && keep.is_none_or(|share| total.products.len() < share) {
        let started = Instant::now();
        let outcome = task.step(&mut connection).await;
        let latency = started.elapsed();
        let phase = shared.phase.load(Ordering::Acquire);
        match outcome {
            Ok(Step::Exhausted) => break,
            Ok(Step::Aside) => failures = 0,
            Ok(Step::Done(product)) => {
                failures = 0;
                if phase == MEASURING {
                    total.latencies.record(latency);
                    total.products.extend(product.filter(|_| keep.is_some()));
                }
            }
            // An error counts whenever it happens: one while warming up is no better.
            Err(error) => {
                failures += 1;
                total.errors += 1;
                total.first_error.get_or_insert_with(|| error.to_string());
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
        if phase == STOPPED {
            break;
        }
    }
    total
}

fn add(shared: &Shared, worker: Total) {
    let mut total = shared.total.lock().unwrap_or_else(PoisonError::into_inner);
    total.latencies.add(&worker.latencies);
    total.errors += worker.errors;
    total.products.extend(worker.products);
    if total.first_error.is_none() {
        total.first_error = worker.first_error;
    }
}
