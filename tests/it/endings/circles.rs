//! Nobody waits for somebody who waits for them: what ends grants of a user, of a client, or the oldest of both, at once.

use std::sync::Arc;

use chancery::model::{ClientId, Grant, Noted, SessionId};
use chancery::storage::{Ending, Insertion, StorageError, StoredClient, Yes};
use serde_json::json;

use super::world::World;
use crate::support::{START, on_both};

const ROUNDS: usize = 30;

/// What ends more than one grant.
#[derive(Debug, Clone, Copy)]
enum Act {
    Cap(i64),
    EndSession,
    EndSessions,
    Withdraw,
    EndAccess,
    DeleteClient,
    DeleteUser,
}

const ACTS: [Act; 9] = [
    Act::Cap(1),
    Act::Cap(300),
    Act::EndSessions,
    Act::Cap(100),
    Act::EndAccess,
    Act::EndSession,
    Act::Cap(2),
    Act::Withdraw,
    Act::DeleteClient,
];

/// A grant and a thousand more like it, each younger than the one before.
async fn many_grants(world: &World, grant: &Grant) {
    const DOUBLE: &str = "INSERT INTO grants (id, client_id, user_id, session_id, state, salt, scope, auth_time, amr, \
         redirect_uri, code_expires_at, refreshable, generation, rotated_at, created_at) \
         SELECT id || '-' || (SELECT COUNT(*) FROM grants), client_id, user_id, session_id, 'active', salt, scope, auth_time, \
         amr, redirect_uri, code_expires_at, TRUE, 1, rotated_at, \
         created_at + (SELECT COUNT(*) FROM grants c WHERE c.client_id = $1) FROM grants WHERE client_id = $1";
    assert_eq!(world.approve(grant, "openid", Yes::default()).await, Insertion::Inserted);
    for _ in 0..10 {
        world.storage().db().execute(DOUBLE, &[grant.client_id.as_str().into()]).await.unwrap();
    }
}

async fn act(world: &World, act: Act, grant: &Grant, read: &StoredClient) -> Result<(), StorageError> {
    let (storage, user, client) = (world.storage(), &world.user.id, &grant.client_id);
    match act {
        Act::Cap(most) => storage.revoke_oldest_grants(Noted::nothing(), grant, most).await.map(drop),
        Act::EndSession => {
            let storage = storage.clone().ending(Ending::Access);
            storage.end_session(Noted::nothing(), &SessionId::new("session"), user, START).await.map(drop)
        }
        Act::EndSessions => {
            storage.clone().ending(Ending::Everything).end_sessions(Noted::nothing(), user, START).await
        }
        Act::Withdraw => storage.withdraw(Noted::nothing(), user, client).await.map(drop),
        Act::EndAccess => storage.end_access_of_client(Noted::nothing(), read, START).await.map(drop),
        Act::DeleteUser => storage.delete_user(Noted::nothing(), user, START).await.map(drop),
        Act::DeleteClient => storage.delete_client(Noted::nothing(), client).await.map(drop),
    }
}

on_both! {
    async fn what_ends_the_same_grants_at_once_does_not_wait_in_a_circle(kind: Kind) {
        let world = Arc::new(World::start(kind).await);
        for round in 0..ROUNDS {
            world.storage().end_sessions(Noted::nothing(), &world.user.id, START).await.unwrap();
            world.sign_in().await;
            let client = ClientId::new(world.server.client(json!({})).await.id);
            let grant = Arc::new(Grant { client_id: client.clone(), ..world.grant(&format!("round-{round}")) });
            many_grants(&world, &grant).await;
            let read = Arc::new(world.storage().client(&client).await.unwrap().unwrap());
            // Each round another one is left out, so that none always comes first.
            let acts = ACTS.iter().cycle().skip(round).take(ACTS.len() - 1).copied();
            let acts = acts.map(|one| match one {
                Act::EndSessions if round == ROUNDS - 1 => Act::DeleteUser,
                one => one,
            });
            let tasks: Vec<_> = acts.map(|one| {
                let (world, grant, read) = (Arc::clone(&world), Arc::clone(&grant), Arc::clone(&read));
                tokio::spawn(async move { (one, act(&world, one, &grant, &read).await) })
            }).collect();
            for task in tasks {
                let (one, ended) = task.await.unwrap();
                assert!(ended.is_ok(), "round {round}, {one:?}: {ended:?}");
            }
        }
    }
}
