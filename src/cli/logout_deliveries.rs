//! `chancery logout-deliveries`: which clients were told that a session has ended.

use serde_json::{Value, json};

use super::args::LogoutDeliveriesCommand;
use super::{Failure, open, output};
use crate::config::Settings;
use crate::model::LogoutDelivery;

/// Rows that are shown.
const MOST: i64 = 1000;

pub(super) async fn run(settings: Settings, command: LogoutDeliveriesCommand) -> Result<(), Failure> {
    let LogoutDeliveriesCommand::List(asked) = command;
    let storage = open::storage(&settings).await?;
    let deliveries = storage.logout_deliveries(MOST).await?;
    storage.db().close().await;
    if asked.json {
        return output::json(&deliveries.iter().map(document).collect::<Vec<_>>());
    }
    if deliveries.is_empty() {
        return Ok(output::line("no session has ended lately that a client is told of")?);
    }
    let row = |delivery: &LogoutDelivery| {
        vec![
            output::moment(delivery.ended_at),
            delivery.client_id.to_string(),
            delivery.session_id.to_string(),
            delivery.state.as_str().to_owned(),
            delivery.attempts.to_string(),
            output::moment(delivery.state.at()),
            delivery.problem.clone().unwrap_or_default(),
        ]
    };
    let heading = ["SESSION ENDED", "CLIENT", "SESSION", "STATE", "ATTEMPTS", "NEXT OR LAST", "PROBLEM"];
    Ok(output::table(&heading, &deliveries.iter().map(row).collect::<Vec<_>>())?)
}

fn document(delivery: &LogoutDelivery) -> Value {
    json!({
        "client_id": delivery.client_id,
        "sid": delivery.session_id,
        "user_id": delivery.user_id,
        "ended_at": delivery.ended_at,
        "state": delivery.state.as_str(),
        "attempts": delivery.attempts,
        "at": delivery.state.at(),
        "problem": delivery.problem,
    })
}
