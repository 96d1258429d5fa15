//! The ceilings: what a bare server spends on each thing that a request is made of, measured in the same run, and how
//! far each operation is from the sum of its own.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::Result;
use crate::load::{self, Plan, Processes};
use crate::operation::{Format, Kind, Machine, OPERATIONS, Operation, Web};
use crate::report::{GOAL_CONCURRENCY, per_cpu_second};
use crate::target::Server;
use crate::task::{Expect, Task};

/// What the results of the bare server are filed under.
const SERIES: &str = "limit";

/// The paths of the bare server.
const PARTS: [&str; 7] =
    ["constant", "sign-es256", "sign-eddsa", "sign-rs256", "verify-es256", "read", "commit"];

/// Measures each part; the results are like those of operations.
pub fn measure(server: &Server, plan: Plan, processes: Processes) -> Result<Vec<Value>> {
    let mut results = Vec::new();
    for part in PARTS {
        eprintln!("limit: {part} ...");
        let request = server.post(&format!("/{part}"), &[], &[("grant_type", "client_credentials")]);
        let task = || Task::Repeat { request: request.clone(), expect: Expect::Body("\"ok\"") };
        let tasks = (0..GOAL_CONCURRENCY).map(|_| task()).collect();
        let measured = load::measure(server, tasks, plan, processes, None)?;
        if let Some(error) = measured.first_error {
            return Err(format!("limit: {part}: {error}").into());
        }
        results.push(json!({
            "database": SERIES,
            "concurrency": GOAL_CONCURRENCY,
            "operation": part,
            "requests_per_second": measured.per_second(),
            "requests_per_cpu_second": per_cpu_second(&measured),
            "p50_ms": measured.millis(0.5),
            "p99_ms": measured.millis(0.99),
        }));
    }
    Ok(results)
}

/// What a request of this kind cannot do without, beside being a request at all: the query budget, and signatures.
fn parts(kind: Kind) -> Option<Vec<&'static str>> {
    Some(match kind {
        Kind::ClientCredentials(Machine::Es256) => vec!["sign-es256"],
        Kind::ClientCredentials(Machine::EdDsa) => vec!["sign-eddsa"],
        Kind::ClientCredentials(Machine::Rs256) => vec!["sign-rs256"],
        Kind::ClientCredentials(Machine::Opaque) | Kind::Jwks | Kind::Discovery => vec![],
        Kind::Authorize => vec!["read", "read", "read", "commit"],
        Kind::Exchange(Web::Es256) => vec!["read", "commit", "sign-es256", "sign-es256"],
        Kind::Exchange(Web::Rs256) => vec!["read", "commit", "sign-es256", "sign-rs256"],
        Kind::Refresh { scope } if scope.contains("openid") => {
            vec!["read", "commit", "sign-es256", "sign-es256"]
        }
        Kind::Refresh { .. } => vec!["read", "commit", "sign-es256"],
        Kind::IntrospectSeen(Format::Jwt | Format::Opaque) | Kind::IntrospectRevoked(_) => vec!["read"],
        Kind::IntrospectFirst => vec!["read", "verify-es256"],
        Kind::Userinfo(_) | Kind::LoginPage => vec!["read"],
        // Hashing a password is nearly all of it, and a pair is the sum of two others.
        Kind::SignIn | Kind::AuthorizeAndExchange => return None,
        // Its latency counts.
        Kind::ClientCredentialsWhileHashing(_) => return None,
        // Measured beside other servers only.
        Kind::IntrospectOwn(_) => return None,
    })
}

/// A table of the parts, and one of the operations on Postgres with their distances.
pub fn distances(results: &[Value]) -> Result<String> {
    let costs = costs(results, SERIES);
    let constant = costs.get("constant").ok_or("the results have no ceilings")?;
    let mut text = String::from(
        "| part of a request | requests per CPU-second of a bare server | cost us, the request included |\n|---|---:|---:|\n",
    );
    for part in PARTS {
        let cost = costs.get(part).ok_or_else(|| format!("{part} was not measured: --seconds"))?;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {part} | {:.0} | {cost:.1} |", 1e6 / cost);
    }
    text.push_str(
        "\n| operation, Postgres | cost us | ceiling us | times its ceiling |\n|---|---:|---:|---:|\n",
    );
    let ours = costs_of_operations(results);
    for (operation, cost) in ours {
        let Some(parts) = parts(operation.kind) else { continue };
        let beside = |part: &&str| costs.get(*part).map_or(0.0, |cost| (cost - constant).max(0.0));
        let ceiling = constant + parts.iter().map(beside).sum::<f64>();
        let _ = writeln!(text, "| {} | {cost:.1} | {ceiling:.1} | {:.2} |", operation.name, cost / ceiling);
    }
    Ok(text)
}

fn costs_of_operations(results: &[Value]) -> Vec<(&'static Operation, f64)> {
    let costs = costs(results, "postgres");
    OPERATIONS.iter().filter_map(|operation| Some((operation, *costs.get(operation.name)?))).collect()
}

/// Microseconds of CPU time a request, by operation.
fn costs<'r>(results: &'r [Value], series: &str) -> HashMap<&'r str, f64> {
    let goal = GOAL_CONCURRENCY as u64;
    let chosen =
        results.iter().filter(|result| result["database"] == series && result["concurrency"] == goal);
    let cost = |result: &'r Value| {
        let figure = result["requests_per_cpu_second"].as_f64().filter(|figure| *figure > 0.0)?;
        Some((result["operation"].as_str()?, 1e6 / figure))
    };
    chosen.filter_map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_the_cost_over_the_sum_of_the_parts() -> Result<()> {
        let result = |series: &str, operation: &str, figure: f64| json!({"database": series, "concurrency": 64, "operation": operation, "requests_per_cpu_second": figure});
        let mut results: Vec<Value> = PARTS.iter().map(|part| result(SERIES, part, 50_000.0)).collect();
        results[0] = result(SERIES, "constant", 100_000.0);
        results.push(result("postgres", "refresh", 10_000.0));
        // 10 us, and 10 us more for each of read, commit and signature: 40; the operation takes 100.
        assert!(distances(&results)?.contains("| refresh | 100.0 | 40.0 | 2.50 |"));
        assert!(distances(&[]).is_err());
        Ok(())
    }
}
