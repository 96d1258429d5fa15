//! Chancery beside other servers: the same load on each in turn, operation by operation and round by round, and how
//! many times better Chancery did. What is compared are the two figures of one round, made seconds apart.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Result;
use crate::algorithms;
use crate::context::Context;
use crate::load::{self, Measurement, Plan, Processes};
use crate::operation::{Format, Kind, Machine, Operation, Web, reads, writes};
use crate::process;
use crate::target::{Extras, Server, Target, read_json, text};
use crate::task::Task;
use crate::versus::{Outcome, Row, Sample, Spoiled};

/// What other servers can be asked too. A scope beside `offline_access`, as some refuse a request that grants nothing.
pub const COMPARED: &[Operation] = &[
    reads("client_credentials-es256", Kind::ClientCredentials(Machine::Es256), None),
    reads("client_credentials-eddsa", Kind::ClientCredentials(Machine::EdDsa), None),
    reads("client_credentials-rs256", Kind::ClientCredentials(Machine::Rs256), None),
    reads("client_credentials-opaque", Kind::ClientCredentials(Machine::Opaque), None),
    writes("code_flow-authorize", Kind::Authorize, None),
    writes("code_flow-exchange-es256", Kind::Exchange(Web::Es256), None),
    writes("code_flow-exchange-rs256", Kind::Exchange(Web::Rs256), None),
    writes("refresh", Kind::Refresh { scope: "profile offline_access" }, None),
    reads("introspect-jwt", Kind::IntrospectSeen(Format::Jwt), None),
    reads("introspect-opaque", Kind::IntrospectSeen(Format::Opaque), None),
    reads("introspect-own-es256", Kind::IntrospectOwn(Machine::Es256), None),
    reads("introspect-own-eddsa", Kind::IntrospectOwn(Machine::EdDsa), None),
    reads("introspect-own-rs256", Kind::IntrospectOwn(Machine::Rs256), None),
    reads("introspect-own-opaque", Kind::IntrospectOwn(Machine::Opaque), None),
    reads("userinfo-jwt", Kind::Userinfo(Format::Jwt), None),
    reads("userinfo-opaque", Kind::Userinfo(Format::Opaque), None),
    reads("jwks", Kind::Jwks, None),
    reads("discovery", Kind::Discovery, None),
];

/// Answers on each connection, below which a figure is not trusted: half a request at either end is uncertain.
const FEWEST: u64 = 2;

/// The sizes of a comparison.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub concurrency: usize,
    pub pool: usize,
    pub rounds: usize,
    pub plan: Plan,
}

/// A server that runs, as the `server.json` of its directory describes it.
pub struct Contestant {
    pub name: String,
    /// What a reader of its figures must know.
    pub note: String,
    context: Context,
    processes: Processes,
    no_database: bool,
    /// Operations that it cannot do although it has a client for them.
    lacks: Vec<String>,
    /// Requests made for the first round that serve the others too.
    prepared: RefCell<HashMap<&'static str, Vec<Task>>>,
}

impl Contestant {
    pub async fn load(directory: &Path, sizes: Sizes) -> Result<Self> {
        let about = read_json(&directory.join("server.json"))?;
        let server = Server::parse(&text(&about, "url")?)?;
        let target = Arc::new(Target::load(server, directory, Extras::read(&about)).await?);
        let pid = |name: &str| about[name].as_u64().map(u32::try_from).transpose();
        let name = text(&about, "name")?;
        let context = Context::sign_in(target, sizes.concurrency, sizes.pool, sizes.plan.threads);
        let context = context.await.map_err(|error| format!("{name}: signing in: {error}"))?;
        for (client, answer) in context.specimens().await.map_err(|error| format!("{name}: {error}"))? {
            algorithms::check(client, &answer).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self {
            context,
            name,
            note: text(&about, "note").unwrap_or_default(),
            processes: Processes { server: pid("pid")?, postmaster: pid("postmaster")? },
            no_database: about["no_database"] == Value::Bool(true),
            lacks: names(&about["lacks"]),
            prepared: RefCell::default(),
        })
    }

    fn can(&self, operation: &Operation) -> bool {
        let lacks = self.lacks.iter().any(|name| name == operation.name);
        !lacks && operation.kind.is_possible(self.context.target())
    }

    fn prepare(&self, runtime: &Runtime, operation: &'static Operation) -> Result<Vec<Task>> {
        if let Some(tasks) = self.prepared.borrow().get(operation.name) {
            return Ok(tasks.clone());
        }
        let tasks = runtime.block_on(self.context.prepare(operation.kind))?;
        if tasks.iter().all(Task::is_repeatable) {
            self.prepared.borrow_mut().insert(operation.name, tasks.clone());
        }
        Ok(tasks)
    }

    /// One operation once; a wrong answer is no sample.
    fn measure(&self, runtime: &Runtime, operation: &'static Operation, plan: Plan) -> Outcome {
        let sample = || -> Result<Sample> {
            let tasks = self.prepare(runtime, operation)?;
            let server = &self.context.target().server;
            let mut measurement = load::measure(server, tasks, plan, self.processes, None)?;
            if self.no_database {
                measurement.database_cpu = Some(Duration::ZERO);
            }
            let resident = self.processes.server.map(process::resident_of_tree).transpose()?;
            Ok(Sample { measurement, resident })
        };
        let sample = sample().map_err(|error| Spoiled::Wrong(error.to_string()))?;
        let Measurement { requests, errors, .. } = sample.measurement;
        if errors > 0 {
            let first = sample.measurement.first_error.unwrap_or_default();
            return Err(Spoiled::Wrong(format!("{requests} answered, {errors} errors, first: {first}")));
        }
        if requests < FEWEST * self.context.concurrency() as u64 {
            return Err(Spoiled::TooFew(requests));
        }
        Ok(sample)
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Measures each operation that Chancery, the first, has in common with at least one of the others.
pub fn run(
    runtime: &Runtime,
    contestants: &[Contestant],
    operations: &[&'static Operation],
    sizes: Sizes,
) -> Vec<Row> {
    let Some((first, others)) = contestants.split_first() else { return Vec::new() };
    let mut rows = Vec::new();
    for operation in operations {
        if !first.can(operation) || !others.iter().any(|other| other.can(operation)) {
            continue;
        }
        let mut row = Row::new(operation.name, contestants.len());
        for round in 1..=sizes.rounds {
            for (index, contestant) in contestants.iter().enumerate() {
                if contestant.can(operation) {
                    eprintln!("{}, round {round}: {} ...", operation.name, contestant.name);
                    row.add(index, contestant.measure(runtime, operation, sizes.plan));
                }
            }
        }
        rows.push(row);
    }
    rows
}
