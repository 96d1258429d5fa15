//! The storage's side: the ending comes between the read and the write.

use chancery::model::{
    Allowed, Authentication, ClientId, CodeConditions, ConsentGeneration, DeviceAuthorization,
    DeviceAuthorizationId, DeviceState, Grant, GrantContext, GrantId, GrantState, Refresh, Session,
    SessionId, SignInGeneration, User, UserId,
};
use chancery::storage::{Authority, Insertion, PasswordChange, Remember, Standing, Storage, Yes};
use serde_json::json;

use crate::support::{Kind, REDIRECT_URI, START, TestServer, on_both};

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
    async fn sign_in(&self) {
        let proof = self.standing().await.sign_in;
        let started = self.storage().insert_session(&self.session("session"), "salt", proof).await;
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
            address: "192.0.2.1".into(),
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

    async fn insert(&self, grant: &Grant, authority: Authority<'_>) -> Insertion {
        self.storage().insert_grant(grant, authority).await.unwrap()
    }

    async fn approve(&self, grant: &Grant, scope: &str, upon: Yes<'_>) -> Insertion {
        let remember = Remember { allowed: Allowed::of(&scope.parse().unwrap(), &[]), until: None };
        self.storage().approve(grant, &remember, Authority::Session(upon)).await.unwrap()
    }

    async fn consented(&self) -> Option<String> {
        let consent = self.storage().consent(&self.user.id, &self.client, START).await.unwrap();
        consent.map(|consent| consent.allowed.scope.to_string())
    }

    async fn end(&self, ending: Ending) {
        let (storage, user) = (self.storage(), &self.user.id);
        match ending {
            Ending::NewPassword => assert!(storage.set_password(user, "hash", START).await.unwrap()),
            Ending::ChangedPassword => {
                let change = PasswordChange {
                    user,
                    session: &SessionId::new("session"),
                    sign_in: self.standing().await.sign_in,
                    hash: "hash",
                };
                assert!(storage.change_password(change, START).await.unwrap().is_some());
            }
            Ending::Disabled => assert!(storage.set_disabled(user, true, START).await.unwrap()),
            Ending::DisabledForAWhile => {
                assert!(storage.set_disabled(user, true, START).await.unwrap());
                assert!(storage.set_disabled(user, false, START).await.unwrap());
            }
            Ending::SignedOutByTheOperator => storage.end_sessions(user, START).await.unwrap(),
            Ending::Deleted => assert!(storage.delete_user(user, START).await.unwrap()),
            Ending::SignedOut => {
                assert!(storage.end_session(&SessionId::new("session"), user, START).await.unwrap());
            }
            Ending::Expired => {
                assert_eq!(storage.end_expired_sessions(START.plus(1000)).await.unwrap(), 1);
            }
            Ending::ClientDeleted => assert!(storage.delete_client(&self.client).await.unwrap()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Ending {
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
const OF_ALL: [Ending; 6] = [
    Ending::NewPassword,
    Ending::ChangedPassword,
    Ending::Disabled,
    Ending::DisabledForAWhile,
    Ending::SignedOutByTheOperator,
    Ending::Deleted,
];

const OF_THE_SESSION: [Ending; 9] = [
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
async fn waiting_device(world: &World) -> Grant {
    let device = DeviceAuthorization {
        id: DeviceAuthorizationId::new("device"),
        salt: "salt".into(),
        client_id: world.client.clone(),
        scope: "openid".parse().unwrap(),
        resources: Vec::new(),
        state: DeviceState::Pending,
        user_id: None,
        interval: 5,
        last_polled_at: None,
        address: String::new(),
        user_agent: String::new(),
        created_at: START,
        expires_at: START.plus(600),
    };
    assert!(world.storage().insert_device_authorization(&device, "code").await.unwrap());
    let refresh = Some(Refresh { generation: 1, rotated_at: START });
    Grant { state: GrantState::Active { refresh }, ..world.grant("device") }
}

on_both! {
    async fn a_sign_in_under_way_when_everything_of_its_user_ends_starts_no_session(kind: Kind) {
        for ending in OF_ALL {
            let world = World::start(kind).await;
            let read = world.storage().credentials("ada").await.unwrap().unwrap();
            world.end(ending).await;
            let started = world.storage().insert_session(&world.session("late"), "salt", read.sign_in).await;
            assert_eq!(started.unwrap(), Insertion::Nothing, "{ending:?}");
            assert_eq!(world.server.number("SELECT COUNT(*) FROM sessions").await, 0, "{ending:?}");
        }
    }

    async fn a_sign_in_that_begins_after_an_ending_starts_a_session(kind: Kind) {
        for ending in [Ending::NewPassword, Ending::DisabledForAWhile, Ending::SignedOutByTheOperator] {
            let world = World::start(kind).await;
            world.end(ending).await;
            world.sign_in().await;
        }
    }

    async fn a_renewal_under_way_when_everything_of_its_user_ends_renews_nothing(kind: Kind) {
        for ending in OF_THE_SESSION.into_iter().filter(|ending| !matches!(ending, Ending::ClientDeleted)) {
            let world = World::start(kind).await;
            let read = world.storage().credentials("ada").await.unwrap().unwrap();
            world.end(ending).await;
            let again = world.session("session");
            assert!(!world.storage().renew_session(&again, "new", read.sign_in).await.unwrap(), "{ending:?}");
            assert_eq!(world.server.number("SELECT COUNT(*) FROM sessions").await, 0, "{ending:?}");
        }
    }

    async fn a_session_is_not_renewed_for_another_user(kind: Kind) {
        let world = World::start(kind).await;
        let bob = world.server.user("bob").await;
        let stolen = Session { user_id: bob.id, ..world.session("session") };
        assert!(!world.storage().renew_session(&stolen, "new", SignInGeneration::FIRST).await.unwrap());
    }

    async fn a_password_grant_under_way_when_everything_of_its_user_ends_is_not_made(kind: Kind) {
        for ending in OF_ALL.into_iter().chain([Ending::ClientDeleted]) {
            let world = World::start(kind).await;
            let read = world.storage().credentials("ada").await.unwrap().unwrap();
            let grant = Grant {
                session_id: None,
                state: GrantState::Active { refresh: None },
                ..world.grant("late")
            };
            world.end(ending).await;
            let made = world.insert(&grant, Authority::Password(read.sign_in)).await;
            assert_eq!(made, Insertion::Nothing, "{ending:?}");
            assert!(world.storage().grant(&grant.id).await.unwrap().is_none(), "{ending:?}");
        }
    }

    async fn a_grant_is_made_only_while_its_session_lives_and_its_user_is_enabled(kind: Kind) {
        for ending in OF_THE_SESSION {
            let world = World::start(kind).await;
            let (silent, form) = (world.grant("silent"), world.grant("form"));
            let device = waiting_device(&world).await;
            let consent = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
            world.end(ending).await;
            let upon = Yes::upon(consent.as_ref());
            let made = [
                world.insert(&silent, Authority::Session(upon)).await,
                world.insert(&silent, Authority::Session(Yes::default())).await,
                world.approve(&form, "openid", Yes::default()).await,
                world.approve(&form, "openid", upon).await,
                world.storage().approve_device(
                    &device,
                    &Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: None },
                    Authority::Session(Yes::default()),
                ).await.unwrap(),
            ];
            assert_eq!(made, [Insertion::Nothing; 5], "{ending:?}");
            let live = "SELECT COUNT(*) FROM grants WHERE id <> 'first'";
            assert_eq!(world.server.number(live).await, 0, "{ending:?}");
        }
    }

    async fn a_grant_is_not_made_in_the_session_of_somebody_else(kind: Kind) {
        let world = World::start(kind).await;
        let bob = world.server.user("bob").await;
        let grant = Grant { user_id: bob.id, ..world.grant("bobs") };
        assert_eq!(world.insert(&grant, Authority::Session(Yes::default())).await, Insertion::Nothing);
    }

    async fn a_grant_is_inserted_on_the_authority_that_it_names(kind: Kind) {
        let world = World::start(kind).await;
        let by_password = Authority::Password(SignInGeneration::FIRST);
        assert!(world.storage().insert_grant(&world.grant("a"), by_password).await.is_err());
        let alone = Grant { session_id: None, ..world.grant("b") };
        assert!(world.storage().insert_grant(&alone, Authority::Session(Yes::default())).await.is_err());
    }

    async fn a_silent_grant_needs_the_very_consent_that_was_read(kind: Kind) {
        let world = World::start(kind).await;
        let read = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
        let upon = Authority::Session(Yes::upon(read.as_ref()));
        assert_eq!(world.insert(&world.grant("a"), upon).await, Insertion::Inserted);
        assert_eq!(world.approve(&world.grant("b"), "openid email", Yes::default()).await, Insertion::Inserted);
        assert_eq!(world.insert(&world.grant("c"), upon).await, Insertion::Nothing, "it is another one");
        let wider = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
        let upon = Authority::Session(Yes::upon(wider.as_ref()));
        assert_eq!(world.insert(&world.grant("c"), upon).await, Insertion::Inserted);
        world.storage().withdraw(&world.user.id, &world.client).await.unwrap();
        assert_eq!(world.insert(&world.grant("d"), upon).await, Insertion::Nothing, "it was taken back");
    }

    async fn a_consent_that_has_expired_makes_nothing_silent(kind: Kind) {
        let world = World::start(kind).await;
        let remember = Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: Some(START.plus(5)) };
        let authority = Authority::Session(Yes::default());
        let made = world.storage().approve(&world.grant("a"), &remember, authority).await.unwrap();
        assert_eq!(made, Insertion::Inserted);
        let read = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
        let late = Grant { created_at: START.plus(5), ..world.grant("b") };
        let made = world.insert(&late, Authority::Session(Yes::upon(read.as_ref()))).await;
        assert_eq!(made, Insertion::Nothing);
    }

    async fn a_yes_brings_back_nothing_that_was_taken_back_meanwhile(kind: Kind) {
        let world = World::start(kind).await;
        let read = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
        let device = waiting_device(&world).await;
        world.storage().withdraw(&world.user.id, &world.client).await.unwrap();
        // What they built was: all that was allowed before, and this.
        let remember = Remember { allowed: Allowed::of(&"openid email".parse().unwrap(), &[]), until: None };
        let upon = Authority::Session(Yes::upon(read.as_ref()));
        let approved = world.storage().approve(&world.grant("late"), &remember, upon).await.unwrap();
        let on_device = world.storage().approve_device(&device, &remember, upon).await.unwrap();
        assert_eq!([approved, on_device], [Insertion::Nothing; 2]);
        assert_eq!(world.consented().await, None);
        let states = "SELECT COUNT(*) FROM device_authorizations WHERE state = 'pending'";
        assert_eq!(world.server.number(states).await, 1, "somebody can still decide");
    }

    async fn a_yes_that_was_given_before_access_was_taken_back_counts_no_more(kind: Kind) {
        let world = World::start(kind).await;
        let given_at = Some(world.standing().await.consent);
        assert_eq!(given_at, Some(ConsentGeneration::FIRST));
        let yes = Yes { remembered: None, given_at };
        assert_eq!(world.approve(&world.grant("a"), "openid", yes).await, Insertion::Inserted);
        world.storage().withdraw(&world.user.id, &world.client).await.unwrap();
        assert_eq!(world.approve(&world.grant("b"), "openid", yes).await, Insertion::Nothing);
        let now = Yes { remembered: None, given_at: Some(world.standing().await.consent) };
        assert_eq!(world.approve(&world.grant("b"), "openid", now).await, Insertion::Inserted);
    }

    async fn a_device_that_nobody_came_for_loses_its_access_with_the_session(kind: Kind) {
        for ending in [Ending::SignedOut, Ending::NewPassword, Ending::DisabledForAWhile] {
            let world = World::start(kind).await;
            let device = waiting_device(&world).await;
            let remember = Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: None };
            let authority = Authority::Session(Yes::default());
            let approved = world.storage().approve_device(&device, &remember, authority).await.unwrap();
            assert_eq!(approved, Insertion::Inserted);
            world.end(ending).await;
            let consumed = world.storage().consume_device(&DeviceAuthorizationId::new("device"), START).await;
            assert!(!consumed.unwrap(), "{ending:?}");
            let (kept, _) = world.storage().grant(&device.id).await.unwrap().unwrap();
            assert_eq!(kept.state, GrantState::Revoked, "{ending:?}");
        }
    }

    async fn a_device_that_came_for_its_tokens_keeps_its_offline_access(kind: Kind) {
        let world = World::start(kind).await;
        let device = waiting_device(&world).await;
        let remember = Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: None };
        let authority = Authority::Session(Yes::default());
        let approved = world.storage().approve_device(&device, &remember, authority).await.unwrap();
        assert_eq!(approved, Insertion::Inserted);
        assert!(world.storage().consume_device(&DeviceAuthorizationId::new("device"), START).await.unwrap());
        world.end(Ending::SignedOut).await;
        let (kept, _) = world.storage().grant(&device.id).await.unwrap().unwrap();
        assert!(matches!(kept.state, GrantState::Active { refresh: Some(_) }));
    }

    async fn a_password_is_changed_only_on_the_session_and_the_password_that_were_there(kind: Kind) {
        for ending in OF_THE_SESSION.into_iter().filter(|ending| !matches!(ending, Ending::ClientDeleted)) {
            let world = World::start(kind).await;
            let (session, read) = (SessionId::new("session"), world.standing().await.sign_in);
            world.end(ending).await;
            // The thief's, who had the old one and the owner's browser.
            let change = PasswordChange { user: &world.user.id, session: &session, sign_in: read, hash: "thief" };
            let changed = world.storage().change_password(change, START).await.unwrap();
            assert_eq!(changed, None, "{ending:?}");
            let kept = "SELECT COUNT(*) FROM users WHERE password_hash = 'thief'";
            assert_eq!(world.server.number(kept).await, 0, "{ending:?}");
        }
    }

    async fn of_many_changes_of_a_password_at_once_one_counts(kind: Kind) {
        let world = World::start(kind).await;
        let read = world.standing().await.sign_in;
        let (user, session) = (world.user.id.clone(), SessionId::new("session"));
        let tasks: Vec<_> = (0..10).map(|_| {
            let (storage, user, session) = (world.storage().clone(), user.clone(), session.clone());
            tokio::spawn(async move {
                let change = PasswordChange { user: &user, session: &session, sign_in: read, hash: "new" };
                storage.change_password(change, START).await.unwrap()
            })
        }).collect();
        let mut counted = Vec::new();
        for task in tasks {
            counted.extend(task.await.unwrap());
        }
        assert_eq!(counted, [world.standing().await.sign_in]);
    }

    async fn ending_everything_of_nobody_changes_nothing(kind: Kind) {
        let world = World::start(kind).await;
        let nobody = UserId::new("nobody");
        assert!(!world.storage().set_password(&nobody, "hash", START).await.unwrap());
        world.storage().end_sessions(&nobody, START).await.unwrap();
        world.storage().withdraw(&nobody, &world.client).await.unwrap();
        assert_eq!(world.standing().await.sign_in, SignInGeneration::FIRST);
        assert_eq!(world.server.number("SELECT COUNT(*) FROM sessions").await, 1);
    }
}
