//! Telling clients that a session of theirs has ended (OpenID Connect Back-Channel Logout 2.5). The rows wait since the
//! session ended; nobody waits for this but the clients.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{self, JoinError, JoinSet};
use tracing::Instrument as _;

use super::issue;
use crate::app::App;
use crate::model::{Client, ClientId, DeliveryState, LogoutDelivery, Timestamp};
use crate::observe::{self, span};
use crate::protocol::OAuthError;
use crate::protocol::backchannel_logout::{self, Answer};
use crate::storage::StorageError;

/// Deliveries under way at once, altogether and to one client: one that stalls takes the places of none.
const AT_ONCE: usize = 64;
const AT_ONCE_PER_CLIENT: usize = 4;

/// The deliveries that this process has under way. Those of one that ends before them are tried again by any other.
#[derive(Default)]
pub struct Dispatcher {
    tasks: JoinSet<Result<(), StorageError>>,
    under_way: HashMap<task::Id, ClientId>,
}

impl Dispatcher {
    /// Sets out with what is due, as far as there are places, and waits for nothing. How many set out.
    pub async fn round(&mut self, app: &Arc<App>) -> Result<usize, StorageError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note(ended);
        }
        let free = AT_ONCE - self.under_way.len();
        if free == 0 {
            return Ok(0);
        }
        let (per_client, free) = (AT_ONCE_PER_CLIENT as i64, free as i64);
        let due = app.storage.due_logouts(app.now(), per_client, free).await?;
        let mut set_out = 0;
        for delivery in due {
            let to_client = self.under_way.values().filter(|client| **client == delivery.client_id).count();
            if to_client < AT_ONCE_PER_CLIENT && self.set_out(app, delivery).await? {
                set_out += 1;
            }
        }
        Ok(set_out)
    }

    /// Waits until nothing is under way.
    pub async fn rest(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note(ended);
        }
    }

    async fn set_out(&mut self, app: &Arc<App>, mut delivery: LogoutDelivery) -> Result<bool, StorageError> {
        let now = app.now();
        let attempt = delivery.attempts + 1;
        // Should this process end now, another one takes over when this attempt has failed for certain.
        let longest = i64::try_from(app.outbound.timeout().as_secs()).unwrap_or_default() + 1;
        let again_at = now.plus(longest + backchannel_logout::pause_after(attempt).unwrap_or_default());
        if !app.storage.claim_logout(&delivery, now, again_at).await? {
            return Ok(false);
        }
        delivery.attempts = attempt;
        delivery.state = DeliveryState::Waiting { due_at: again_at };
        let client = delivery.client_id.clone();
        let task =
            self.tasks.spawn(deliver(Arc::clone(app), delivery).instrument(span::task("deliver logout")));
        self.under_way.insert(task.id(), client);
        Ok(true)
    }

    fn note(&mut self, ended: Result<(task::Id, Result<(), StorageError>), JoinError>) {
        let id = match ended {
            Ok((id, Ok(()))) => id,
            Ok((id, Err(error))) => {
                tracing::error!(%error, "could not note how a logout delivery ended; it is tried again");
                id
            }
            Err(error) => {
                tracing::error!(%error, "a logout delivery broke off; it is tried again");
                error.id()
            }
        };
        self.under_way.remove(&id);
    }
}

/// One attempt, and how it ended.
async fn deliver(app: Arc<App>, mut delivery: LogoutDelivery) -> Result<(), StorageError> {
    // Without its client the row is gone too.
    let Some(registered) = app.clients.find(&delivery.client_id).await? else { return Ok(()) };
    let (answer, problem) = match &registered.client.logout.backchannel_logout_uri {
        Some(uri) => post(&app, &registered.client, uri, &delivery).await,
        None => (Answer::Refused, Some("the client has no backchannel_logout_uri any more".to_owned())),
    };
    delivery.state = state(answer, &delivery, app.now());
    delivery.problem = problem;
    app.storage.note_logout(&delivery).await?;
    app.events.deliveries.one(counted(&delivery));
    report(&delivery);
    Ok(())
}

/// Section 2.5: the logout token in a form.
async fn post(app: &App, client: &Client, uri: &str, delivery: &LogoutDelivery) -> (Answer, Option<String>) {
    let token: Result<String, OAuthError> = issue::logout_token(app, client, delivery, app.now());
    let token = match token {
        Ok(token) => token,
        Err(error) => {
            crate::request::log(&error);
            return (Answer::Failed, Some("the logout token could not be made; the log says why".to_owned()));
        }
    };
    let form =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
    match app.outbound.post_form(uri, form).await {
        Ok(status) => match backchannel_logout::judge(status.as_u16()) {
            Answer::Done => (Answer::Done, None),
            answer => (answer, Some(format!("it answered {status}"))),
        },
        Err(error) => (Answer::Failed, Some(error.to_string())),
    }
}

fn state(answer: Answer, delivery: &LogoutDelivery, now: Timestamp) -> DeliveryState {
    match (answer, backchannel_logout::pause_after(delivery.attempts)) {
        (Answer::Done, _) => DeliveryState::Delivered { at: now },
        (Answer::Failed, Some(pause)) => DeliveryState::Waiting { due_at: now.plus(pause) },
        (Answer::Refused, _) | (Answer::Failed, None) => DeliveryState::GivenUp { at: now },
    }
}

fn counted(delivery: &LogoutDelivery) -> observe::Delivery {
    match delivery.state {
        DeliveryState::Delivered { .. } => observe::Delivery::Delivered,
        DeliveryState::Waiting { .. } => observe::Delivery::Failed,
        DeliveryState::GivenUp { .. } => observe::Delivery::GivenUp,
    }
}

fn report(delivery: &LogoutDelivery) {
    let LogoutDelivery { client_id, session_id, attempts, .. } = delivery;
    let problem = delivery.problem.as_deref().unwrap_or_default();
    match delivery.state {
        DeliveryState::Delivered { .. } => {
            tracing::info!(client = %client_id, session = %session_id, attempts, "client told of logout");
        }
        DeliveryState::Waiting { due_at } => {
            let again_at = due_at.unix();
            tracing::warn!(client = %client_id, session = %session_id, attempts, problem, again_at,
                "client not told of logout yet");
        }
        DeliveryState::GivenUp { .. } => {
            tracing::error!(client = %client_id, session = %session_id, attempts, problem,
                "client not told of logout; given up");
        }
    }
}
