//! What the documents say of the metrics is what a scrape holds: docs/metrics.md, the dashboard, the alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::scrape::Scrape;
use crate::support::{Kind, TestServer};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

async fn scrape() -> Scrape {
    let server = TestServer::start(Kind::Sqlite).await;
    let (client, _) = (server.client(json!({})).await, server.user("ada").await);
    server.tokens(&client, "ada").await;
    server.app.events.waiting_logouts.set(0);
    server.app.events.waiting_audit_entries.set(0);
    server.scrape().await
}

/// What a query calls a metric.
fn queried(name: &str, kind: &str) -> Vec<String> {
    match kind {
        "counter" => vec![format!("{name}_total")],
        "histogram" => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).into(),
        _ => vec![name.to_owned()],
    }
}

/// The names of metrics in a query.
fn names_in(text: &str) -> BTreeSet<String> {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !word(character));
    let of_metrics = |name: &&str| name.starts_with("chancery_") || name.starts_with("process_");
    words.filter(of_metrics).map(str::to_owned).collect()
}

/// The queries of the dashboard, those of its variables included.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
            value => queries(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

fn in_dashboard() -> BTreeSet<String> {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana/chancery.json")).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    names_in(&found.join(" "))
}

#[tokio::test]
async fn every_metric_that_the_dashboard_and_the_alerts_name_is_in_a_scrape() {
    let scrape = scrape().await;
    let known: BTreeSet<String> = scrape.types.iter().flat_map(|(name, kind)| queried(name, kind)).collect();
    let alerts = read("docs/grafana/alerts.yml");
    let prose = |line: &str| ["summary:", "action:"].iter().any(|key| line.trim().starts_with(key));
    let rules: Vec<&str> = alerts.lines().filter(|line| !prose(line)).collect();
    let in_alerts = names_in(&rules.join("\n"));
    assert!(in_alerts.len() > 15, "{in_alerts:?}");
    for name in in_dashboard().iter().chain(&in_alerts) {
        assert!(known.contains(name), "{name} is in no scrape");
    }
}

#[tokio::test]
async fn every_metric_has_its_place_on_the_dashboard() {
    let shown = in_dashboard();
    for (name, kind) in &scrape().await.types {
        let queried = queried(name, kind);
        assert!(queried.iter().any(|name| shown.contains(name)), "{name} is not on the dashboard");
    }
}

/// The rows of docs/metrics.md: type and labels by name.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    let mut found = BTreeMap::new();
    for cells in cells {
        assert_eq!(cells.len(), 7, "{cells:?}");
        let labels = cells[3].split(", ").map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let before = found.insert(cells[1].trim_matches('`').to_owned(), (cells[2].clone(), labels));
        assert!(before.is_none() && !cells[4].is_empty(), "{cells:?}");
    }
    found
}

#[tokio::test]
async fn every_metric_is_documented_with_its_type_and_its_labels() {
    let (scrape, documented) = (scrape().await, documented());
    let mut expected = BTreeMap::new();
    for (name, kind) in &scrape.types {
        let documented_as = if kind == "counter" { format!("{name}_total") } else { name.clone() };
        let samples = queried(name, kind);
        let mut labels = BTreeSet::new();
        for line in scrape.text.lines().filter(|line| !line.starts_with('#')) {
            let sample = line.rsplit_once(' ').unwrap().0;
            let Some((of, rest)) = sample.split_once('{') else { continue };
            if samples.iter().any(|sample| sample == of) {
                let keys =
                    rest.trim_end_matches('}').split("\",").filter_map(|pair| Some(pair.split_once('=')?.0));
                labels.extend(keys.filter(|key| *key != "le").map(str::to_owned));
            }
        }
        expected.insert(documented_as, (kind.clone(), labels));
    }
    assert_eq!(documented, expected);
}
