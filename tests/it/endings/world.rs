//! A user who is signed in at a client, for the rules of the storage.

use chancery::model::{
    Allowed, Authentication, ClientId, CodeConditions, DeviceAuthorization, DeviceAuthorizationId,
    DeviceState, Grant, GrantContext, GrantId, GrantState, NetworkAddress, Noted, Refresh, Session,
    SessionId, User,
};
use chancery::storage::{Authority, Insertion, PasswordChange, Remember, Standing, Storage, Yes};
use serde_json::json;

use crate::support::authorization::keep_request_of;
use crate::support::{Kind, REDIRECT_URI, START, TestServer};

/// A user who is signed in, and a client that has a consent for `openid`.
pub struct World {
    pub server: TestServer,
    pub client: ClientId,
    pub user: User,
}

impl World {
    pub async fn start(kind: Kind) -> Self {
        let server = TestServer::start(kind).await;
        let client = ClientId::new(server.client(json!({})).await.id);
        let user = server.user("ada").await;
        let world = Self { server, client, user };
        world.sign_in().await;
        let first = world.grant("first");
        assert_eq!(world.approve(&first, "openid", Yes::default()).await, Insertion::Inserted);
        world
    }

    pub fn storage(&self) -> &Storage {
        &self.server.app.storage
    }

    pub async fn standing(&self) -> Standing {
        self.storage().standing(&self.user.id).await.unwrap().unwrap()
    }

    /// Starts the session of this world anew.
    pub async fn sign_in(&self) {
        let proof = self.standing().await.sign_in;
        let started =
            self.storage().insert_session(Noted::nothing(), &self.session("session"), "salt", proof).await;
        assert_eq!(started.unwrap(), Insertion::Inserted);
    }

    pub fn session(&self, id: &str) -> Session {
        Session {
            id: SessionId::new(id),
            user_id: self.user.id.clone(),
            auth_time: START,
            amr: "pwd".into(),
            acr: None,
            only_for: None,
            persistent: true,
            created_at: START,
            last_seen_at: START,
            expires_at: START.plus(1000),
            user_agent: "Firefox".into(),
            address: NetworkAddress::written("192.0.2.1"),
        }
    }

    /// A code for offline use, in the session.
    pub fn grant(&self, id: &str) -> Grant {
        Grant {
            id: GrantId::new(id),
            client_id: self.client.clone(),
            user_id: self.user.id.clone(),
            session_id: Some(SessionId::new("session")),
            scope: "openid".parse().unwrap(),
            resources: Vec::new(),
            authentication: Authentication { auth_time: START, amr: "pwd".into() },
            context: GrantContext::default(),
            salt: "salt".into(),
            created_at: START,
            expires_at: None,
            state: GrantState::CodeIssued(CodeConditions {
                expires_at: START.plus(60),
                redirect_uri: REDIRECT_URI.into(),
                code_challenge: None,
                nonce: None,
                refreshable: true,
                access_token_issued: false,
            }),
        }
    }

    pub async fn insert(&self, grant: &Grant, authority: Authority<'_>) -> Insertion {
        self.storage().insert_grant(Noted::nothing(), grant, authority).await.unwrap()
    }

    pub async fn approve(&self, grant: &Grant, scope: &str, upon: Yes<'_>) -> Insertion {
        let remember = Remember { allowed: Allowed::of(&scope.parse().unwrap(), &[]), until: None };
        keep_request_of(self.storage(), grant).await;
        self.storage().approve(Noted::nothing(), grant, &remember, Authority::Session(upon)).await.unwrap()
    }

    pub async fn consented(&self) -> Option<String> {
        let consent = self.storage().consent(&self.user.id, &self.client, START).await.unwrap();
        consent.map(|consent| consent.allowed.scope.to_string())
    }

    pub async fn end(&self, ending: Ending) {
        let (storage, user) = (self.storage(), &self.user.id);
        match ending {
            Ending::NewPassword => {
                assert!(storage.set_password(Noted::nothing(), user, "hash", START).await.unwrap())
            }
            Ending::ChangedPassword => {
                let change = PasswordChange {
                    user,
                    session: &SessionId::new("session"),
                    sign_in: self.standing().await.sign_in,
                    hash: "hash",
                };
                assert!(storage.change_password(Noted::nothing(), change, START).await.unwrap().is_some());
            }
            Ending::Disabled => {
                assert!(storage.set_disabled(Noted::nothing(), user, true, START).await.unwrap())
            }
            Ending::DisabledForAWhile => {
                assert!(storage.set_disabled(Noted::nothing(), user, true, START).await.unwrap());
                assert!(storage.set_disabled(Noted::nothing(), user, false, START).await.unwrap());
            }
            Ending::SignedOutByTheOperator => {
                storage.end_sessions(Noted::nothing(), user, START).await.unwrap()
            }
            Ending::Deleted => assert!(storage.delete_user(Noted::nothing(), user, START).await.unwrap()),
            Ending::SignedOut => {
                assert!(
                    storage
                        .end_session(Noted::nothing(), &SessionId::new("session"), user, START)
                        .await
                        .unwrap()
                );
            }
            Ending::Expired => {
                assert_eq!(storage.end_expired_sessions(START.plus(1000)).await.unwrap(), 1);
            }
            Ending::ClientDeleted => {
                assert!(storage.delete_client(Noted::nothing(), &self.client).await.unwrap())
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Ending {
    NewPassword,
    ChangedPassword,
    Disabled,
    DisabledForAWhile,
    SignedOutByTheOperator,
    Deleted,
    SignedOut,
    Expired,
    ClientDeleted,
}

/// Those of everything that a user's sign-ins made.
pub const OF_ALL: [Ending; 6] = [
    Ending::NewPassword,
    Ending::ChangedPassword,
    Ending::Disabled,
    Ending::DisabledForAWhile,
    Ending::SignedOutByTheOperator,
    Ending::Deleted,
];

pub const OF_THE_SESSION: [Ending; 9] = [
    Ending::NewPassword,
    Ending::ChangedPassword,
    Ending::Disabled,
    Ending::DisabledForAWhile,
    Ending::SignedOutByTheOperator,
    Ending::Deleted,
    Ending::SignedOut,
    Ending::Expired,
    Ending::ClientDeleted,
];

/// A television that waits for somebody's yes, and what that would make.
pub async fn waiting_device(world: &World) -> Grant {
    let device = DeviceAuthorization {
        id: DeviceAuthorizationId::new("device"),
        salt: "salt".into(),
        client_id: world.client.clone(),
        scope: "openid".parse().unwrap(),
        resources: Vec::new(),
        state: DeviceState::Pending { last_polled_at: None },
        interval: 5,
        address: NetworkAddress::UNKNOWN,
        user_agent: String::new(),
        created_at: START,
        expires_at: START.plus(600),
    };
    assert!(world.storage().insert_device_authorization(&device, "code").await.unwrap());
    let refresh = Some(Refresh { generation: 1, rotated_at: START });
    Grant { state: GrantState::Active { refresh }, ..world.grant("device") }
}
