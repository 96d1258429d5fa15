//! Request slots, connections, and what waits for the servers of others.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{Deed, Row, deed, hold};
use crate::request_objects;
use crate::support::{CLIENT_ASSERTION, Deployment, Documents, Kind, Process, Registration, Signer, on_both};

const LOCAL: [(&str, &str); 1] = [("OUTBOUND__ALLOW_PRIVATE", "true")];
/// As in production; in the tests of other rules a busy machine is no overload.
const AS_SHIPPED: [(&str, &str); 3] = [
    ("SERVER__MAX_DELAY_MS", "1000"),
    ("DATABASE__ACQUIRE_TIMEOUT_MS", "2000"),
    ("DATABASE__MAX_CONNECTIONS", "16"),
];
/// What is not a flood of requests, which is a row of its own.
const TURNED_AWAY: Duration = Duration::from_millis(250);
const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

async fn prepare(kind: Kind) -> (Deployment, Process) {
    let deployment = Deployment::prepare_with(kind, &[&LOCAL[..], &AS_SHIPPED].concat()).await;
    let process = Process::start(&deployment.pages.environment).await;
    (deployment, process)
}

/// Tokens of a client, and whether one is good: both reach the database or the keys.
fn tokens(client: &Arc<Registration>) -> Deed {
    let client = Arc::clone(client);
    deed(move |caller, _| {
        let client = Arc::clone(&client);
        async move { caller.post("/token", Some(&client), &MACHINE).await }
    })
}

/// A host of its own.
async fn stalling(number: u8) -> Documents {
    let documents = Documents::serve_at([127, 1, 0, number], &json!({})).await;
    documents.delay(Duration::from_secs(60));
    documents
}

on_both! {
    async fn assertions_of_a_client_whose_jwks_uri_stalls_leave_slots_to_others(kind: Kind) {
        let (deployment, process) = prepare(kind).await;
        let (documents, signer) = (stalling(1).await, Signer::new("ES256"));
        let partner = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": documents.url});
        let partner = deployment.pages.client(partner).await;
        let claims = deployment.pages.assertion_claims(&partner.id, &partner.id, json!({}));
        let assertion: Arc<str> = signer.sign(&claims).into();
        let attack = deed(move |caller, _| {
            let assertion = Arc::clone(&assertion);
            async move {
                let form = [MACHINE[0], ("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &assertion)];
                caller.post("/token", None, &form).await
            }
        });
        let bystander = tokens(&deployment.client);
        let row = Row { name: "outbound waiters: a jwks_uri that stalls", at_once: 150, pause: TURNED_AWAY, attack, bystander };
        hold(&deployment, &process, row).await;
    }

    async fn request_uris_that_stall_leave_slots_to_others(kind: Kind) {
        let (deployment, process) = prepare(kind).await;
        let (mut held, mut paths) = (Vec::new(), Vec::new());
        for client in 0..4 {
            let mut uris: Vec<Value> = Vec::new();
            for number in 1..=10 {
                let documents = stalling(client * 10 + number).await;
                uris.push(json!(documents.url));
                held.push(documents);
            }
            let client = deployment.pages.client(json!({"request_uris": uris})).await;
            let path = |uri: &Value| request_objects::path(&client, "request_uri", uri.as_str().unwrap());
            paths.extend(uris.iter().map(path));
        }
        let attack = deed(move |caller, number| {
            let path = paths[number % paths.len()].clone();
            async move { caller.get(&path).await }
        });
        let bystander = tokens(&deployment.client);
        let row = Row { name: "outbound slots: request_uris that stall", at_once: 150, pause: TURNED_AWAY, attack, bystander };
        hold(&deployment, &process, row).await;
    }

    async fn an_address_that_asks_without_end_leaves_slots_to_others(kind: Kind) {
        let (deployment, process) = prepare(kind).await;
        let attack = deed(|caller, _| async move { caller.get("/authorize?client_id=nobody").await });
        let bystander = tokens(&deployment.client);
        let row = Row { name: "request slots: one address asks without end", at_once: 100, pause: Duration::from_millis(20), attack, bystander };
        hold(&deployment, &process, row).await;
    }

    async fn an_address_that_opens_connections_without_end_leaves_some_to_others(kind: Kind) {
        let deployment = Deployment::prepare_with(kind, &AS_SHIPPED).await;
        let settings = [("SERVER__MAX_CONNECTIONS", "100"), ("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "50")];
        let process = Process::start(&deployment.with(&settings)).await;
        let address = process.address.parse().unwrap();
        let attack = deed(move |_, _| async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let held = socket.connect(address).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(held);
            503
        });
        let bystander = tokens(&deployment.client);
        let row = Row { name: "connections: one address opens them without end", at_once: 75, pause: Duration::ZERO, attack, bystander };
        hold(&deployment, &process, row).await;
    }
}
