//! What the storage promises, method by method, on both databases.

mod grants;
mod impossible_rows;
mod purging;

use std::sync::Arc;

use axum::http::StatusCode;
use chancery::model::{
    Algorithm, Allowed, Authentication, AuthorizationRequest, AuthorizationRequestId, ClientId,
    ClientMetadata, ClientSecrets, CodeConditions, Grant, GrantContext, GrantId, GrantState, KeyId, Means,
    NetworkAddress, Noted, PendingRequest, Refresh, RequestAccount, RequestOwner, RetiredSecret, Secret,
    Session, SessionId, SignInGeneration, SigningKey, Timestamp, TokenId, User, UserId,
};
use chancery::storage::{
    Authority, Insertion, MOST_AT_ONCE, Remember, Rotation, Storage, StorageError, StoredClient, TokenState,
    UserConflict, Yes,
};
use serde_json::json;

use crate::support::authorization::keep_request_of;
use crate::support::{REDIRECT_URI, START, TestServer, on_both};

const DAY: i64 = 86_400;

/// What a person allows on our own page.
fn forever(scope: &str) -> Remember {
    Remember { allowed: Allowed::of(&scope.parse().unwrap(), &[]), until: None }
}

async fn kept(storage: &Storage, id: &SessionId) -> Option<(Session, User, String)> {
    storage.sessions(std::slice::from_ref(id)).await.unwrap().pop()
}

/// What a grant is inserted on here, whatever has happened before.
async fn authority_of<'a>(storage: &Storage, grant: &Grant) -> Authority<'a> {
    match grant.session_id {
        Some(_) => Authority::Session(Yes::default()),
        None => Authority::Password(storage.standing(&grant.user_id).await.unwrap().unwrap().sign_in),
    }
}

async fn insert(storage: &Storage, grant: &Grant) -> Result<bool, StorageError> {
    let authority = authority_of(storage, grant).await;
    Ok(storage.insert_grant(Noted::nothing(), grant, authority).await? == Insertion::Inserted)
}

async fn approve(storage: &Storage, grant: &Grant, scope: &str) -> Result<bool, StorageError> {
    let authority = authority_of(storage, grant).await;
    keep_request_of(storage, grant).await;
    Ok(storage.approve(Noted::nothing(), grant, &forever(scope), authority).await? == Insertion::Inserted)
}

/// A database with one client and one user in it.
struct World {
    server: TestServer,
    client: ClientId,
    user: User,
}

impl World {
    async fn start(kind: crate::support::Kind) -> Self {
        let server = TestServer::start(kind).await;
        let client = ClientId::new(server.client(json!({})).await.id);
        let user = server.user("ada").await;
        Self { server, client, user }
    }

    fn storage(&self) -> &Storage {
        &self.server.app.storage
    }

    fn grant(&self, id: &str) -> Grant {
        Grant {
            id: GrantId::new(id),
            client_id: self.client.clone(),
            user_id: self.user.id.clone(),
            session_id: None,
            scope: "openid profile".parse().unwrap(),
            resources: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
            authentication: Authentication { auth_time: START, amr: "pwd".into() },
            context: GrantContext { acr: Some("2".into()), ..GrantContext::default() },
            salt: "salt".into(),
            created_at: START,
            expires_at: Some(START.plus(1000)),
            state: GrantState::CodeIssued(CodeConditions {
                expires_at: START.plus(60),
                redirect_uri: REDIRECT_URI.into(),
                code_challenge: Some("challenge".into()),
                nonce: Some("nonce".into()),
                refreshable: true,
                access_token_issued: false,
            }),
        }
    }

    /// A grant whose code is redeemed.
    async fn active(&self, id: &str) -> GrantId {
        let grant = self.grant(id);
        self.keep(&grant).await;
        assert!(self.storage().redeem_code(&grant.id, START).await.unwrap());
        grant.id
    }

    /// Keeps a grant: in its session, where it has one.
    async fn keep(&self, grant: &Grant) {
        assert!(insert(self.storage(), grant).await.unwrap());
    }

    async fn sign_in(&self, session: &Session) {
        let proof = self.storage().standing(&self.user.id).await.unwrap().unwrap().sign_in;
        let inserted = self.storage().insert_session(Noted::nothing(), session, "salt", proof).await.unwrap();
        assert_eq!(inserted, Insertion::Inserted);
    }

    async fn state(&self, id: &GrantId) -> GrantState {
        self.storage().grant(id).await.unwrap().unwrap().0.state
    }

    fn session(&self, id: &str) -> Session {
        Session {
            id: SessionId::new(id),
            user_id: self.user.id.clone(),
            auth_time: START,
            amr: "pwd".into(),
            acr: Some("2".into()),
            only_for: None,
            persistent: true,
            created_at: START,
            last_seen_at: START,
            expires_at: START.plus(1000),
            user_agent: "Firefox".into(),
            address: NetworkAddress::written("192.0.2.1"),
        }
    }

    fn request(&self, id: &str) -> PendingRequest {
        let request: AuthorizationRequest = serde_json::from_value(json!({
            "client_id": self.client, "redirect_uri": REDIRECT_URI, "scope": "openid", "state": "s",
            "nonce": "n", "code_challenge": "c", "prompt": ["login", "select_account"], "max_age": 5,
        }))
        .unwrap();
        PendingRequest {
            id: AuthorizationRequestId::new(id),
            request,
            owner: RequestOwner::Browser { digest: "browser".into(), account: None },
            created_at: START,
            expires_at: START.plus(1000),
        }
    }

    async fn count(&self, table: &'static str) -> i64 {
        self.server.number(table).await
    }
}

fn key(id: &str, algorithm: Algorithm) -> SigningKey {
    SigningKey {
        id: KeyId::new(id),
        algorithm,
        sealed_private_key: Secret::new("sealed"),
        public_key: "public".to_owned(),
        created_at: START,
        active_from: START.plus(10),
        expires_at: None,
    }
}

/// How many of forty calls at once say yes.
async fn yes<F>(work: impl Fn(Storage) -> F, storage: &Storage) -> usize
where
    F: Future<Output = Result<bool, StorageError>> + Send + 'static,
{
    let tasks: Vec<_> = (0..40).map(|_| tokio::spawn(work(storage.clone()))).collect();
    let mut yes = 0;
    for task in tasks {
        yes += usize::from(task.await.unwrap().unwrap());
    }
    yes
}

/// Everything kept of a client's secrets, to be compared: digest, copy, end; of the current one and the one before.
type Plain<'a> = [(Option<[u8; 32]>, Option<&'a str>, Option<Timestamp>); 2];

fn plain(secrets: &ClientSecrets) -> Plain<'_> {
    let retired = secrets.retired.as_ref();
    [
        (secrets.current, secrets.sealed.as_ref().map(Secret::expose), None),
        (
            retired.map(|retired| retired.digest),
            retired.and_then(|retired| retired.sealed.as_ref()).map(Secret::expose),
            retired.map(|retired| retired.expires_at),
        ),
    ]
}

on_both! {
    async fn a_client_comes_back_as_it_was_registered(kind: Kind) {
        let world = World::start(kind).await;
        let mut stored = world.storage().client(&world.client).await.unwrap().unwrap();
        let taken = world.storage().insert_client(Noted::nothing(), &stored.client, &stored.secrets);
        assert!(!taken.await.unwrap(), "the id is taken");
        stored.client.name = "Renamed — Überall".into();
        stored.client.audience = vec!["api".into()];
        stored.secrets.sealed = Some(Secret::new("sealed"));
        let sealed = Some(Secret::new("sealed before"));
        stored.secrets.retired = Some(RetiredSecret { digest: [7; 32], sealed, expires_at: START.plus(5) });
        assert!(world.storage().update_client(Noted::nothing(), &stored, START).await.unwrap());
        let found = world.storage().client(&world.client).await.unwrap().unwrap();
        assert_eq!((&found.client, plain(&found.secrets)), (&stored.client, plain(&stored.secrets)));
        assert_eq!(world.storage().clients().await.unwrap(), [stored.client.clone()]);
        assert!(world.storage().delete_client(Noted::nothing(), &world.client).await.unwrap());
        assert!(!world.storage().delete_client(Noted::nothing(), &world.client).await.unwrap());
        assert!(!world.storage().update_client(Noted::nothing(), &found, START).await.unwrap());
        assert!(world.storage().client(&world.client).await.unwrap().is_none());
        let without = ClientSecrets::default();
        assert!(world.storage().insert_client(Noted::nothing(), &stored.client, &without).await.unwrap());
        let again = world.storage().client(&world.client).await.unwrap().unwrap();
        assert_eq!((again.client, plain(&again.secrets)), (stored.client, plain(&without)));
    }

    async fn a_client_is_written_only_while_it_is_as_it_was_read(kind: Kind) {
        let world = World::start(kind).await;
        let read = async || world.storage().client(&world.client).await.unwrap().unwrap();
        let mut late = read().await;
        late.client.name = "Late".into();
        let mut first = late.clone();
        first.client.name = "First".into();
        assert!(world.storage().update_client(Noted::nothing(), &first, START).await.unwrap());
        let refused = async |late: &StoredClient| {
            assert!(!world.storage().update_client(Noted::nothing(), late, START).await.unwrap());
            assert_eq!(world.storage().end_access_of_client(Noted::nothing(), late, START).await.unwrap(), None);
            for is_another in [true, false] {
                assert!(!world.storage().update_registration(Noted::nothing(), late, START, is_another).await.unwrap());
            }
        };
        refused(&late).await;
        assert_eq!(read().await.client.name, "First");
        let late = read().await;
        assert_eq!(world.storage().end_access_of_client(Noted::nothing(), &late, START).await.unwrap(), Some(0));
        refused(&late).await;
        // Who has the id of one that was deleted is another.
        let late = read().await;
        assert!(world.storage().delete_client(Noted::nothing(), &world.client).await.unwrap());
        let client = ClientMetadata { created_at: START.plus(1), ..late.client.clone() };
        assert!(world.storage().insert_client(Noted::nothing(), &client, &late.secrets).await.unwrap());
        refused(&late).await;
    }

    async fn a_change_raises_the_counter_of_its_topic_only(kind: Kind) {
        let world = World::start(kind).await;
        let before = world.storage().versions().await.unwrap();
        let stored = world.storage().client(&world.client).await.unwrap().unwrap();
        world.storage().update_client(Noted::nothing(), &stored, START).await.unwrap();
        let after = world.storage().versions().await.unwrap();
        assert_eq!((after.clients, after.keys), (before.clients + 1, before.keys));
        world.storage().insert_signing_key(Noted::nothing(), &key("new", Algorithm::PS256), 1, START).await.unwrap();
        let last = world.storage().versions().await.unwrap();
        assert_eq!((last.clients, last.keys), (after.clients, after.keys + 1));
        world.storage().ping().await.unwrap();
    }

    async fn a_user_comes_back_and_signs_in_by_name_or_mail_in_any_case(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        assert_eq!(storage.user(&world.user.id).await.unwrap().as_ref(), Some(&world.user));
        for login in ["ada", " ADA ", "Ada@Mail.Example"] {
            let found = storage.credentials(login).await.unwrap().unwrap();
            assert_eq!(found.user, world.user, "{login}");
            assert!(found.password_hash.unwrap().starts_with("$argon2id$"));
        }
        assert!(storage.credentials("bob").await.unwrap().is_none());
        assert!(storage.user(&UserId::new("nobody")).await.unwrap().is_none());
        assert_eq!(storage.users().await.unwrap(), std::slice::from_ref(&world.user));
    }

    async fn a_user_name_and_a_mail_address_belong_to_one_user(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        let other = |id: &str, username: &str, email: Option<&str>| User {
            id: UserId::new(id),
            username: username.into(),
            email: email.map(Into::into),
            ..world.user.clone()
        };
        for taken in [other("b", "ADA", None), other("b", "bob", Some("ADA@mail.example"))] {
            assert_eq!(storage.insert_user(Noted::nothing(), &taken, None).await.unwrap(), Err(UserConflict));
        }
        for (id, name) in [("b", "bob"), ("c", "carl")] {
            assert_eq!(storage.insert_user(Noted::nothing(), &other(id, name, None), None).await.unwrap(), Ok(()), "no mail address");
        }
        assert_eq!(storage.users().await.unwrap().len(), 3);
        assert!(storage.credentials("bob").await.unwrap().unwrap().password_hash.is_none());
    }

    async fn of_forty_users_with_one_name_one_is_made(kind: Kind) {
        let world = World::start(kind).await;
        let user = User { username: "bob".into(), email: None, ..world.user.clone() };
        let won = yes(
            |storage| {
                let user = User { id: UserId::new(chancery::crypto::random::id()), ..user.clone() };
                async move { Ok(storage.insert_user(Noted::nothing(), &user, None).await?.is_ok()) }
            },
            world.storage(),
        );
        assert_eq!(won.await, 1);
    }

    async fn a_new_password_ends_every_session_and_so_does_disabling(kind: Kind) {
        let world = World::start(kind).await;
        let (storage, id) = (world.storage(), &world.user.id);
        world.sign_in(&world.session("one")).await;
        assert!(storage.set_password(Noted::nothing(), id, "hash", START.plus(1)).await.unwrap());
        assert!(kept(storage, &SessionId::new("one")).await.is_none());
        let changed = storage.credentials("ada").await.unwrap().unwrap();
        assert_eq!((changed.password_hash.as_deref(), changed.user.updated_at), (Some("hash"), START.plus(1)));
        world.sign_in(&world.session("two")).await;
        assert!(storage.set_disabled(Noted::nothing(), id, true, START.plus(2)).await.unwrap());
        assert!(kept(storage, &SessionId::new("two")).await.is_none());
        assert!(storage.user(id).await.unwrap().unwrap().disabled);
        assert!(storage.set_disabled(Noted::nothing(), id, false, START).await.unwrap());
        let nobody = UserId::new("nobody");
        assert!(!storage.set_disabled(Noted::nothing(), &nobody, true, START).await.unwrap());
        assert!(!storage.set_password(Noted::nothing(), &nobody, "hash", START).await.unwrap());
    }

    async fn a_session_comes_back_is_touched_renewed_and_ended_by_its_user_only(kind: Kind) {
        let world = World::start(kind).await;
        let (storage, mut session) = (world.storage(), world.session("one"));
        world.sign_in(&session).await;
        let found = kept(storage, &session.id).await;
        assert_eq!(found, Some((session.clone(), world.user.clone(), "salt".to_owned())));
        storage.touch_session(&session.id, START.plus(5)).await.unwrap();
        storage.touch_session(&session.id, START.plus(3)).await.unwrap();
        assert_eq!(kept(storage, &session.id).await.unwrap().0.last_seen_at, START.plus(5));
        (session.auth_time, session.expires_at) = (START.plus(9), START.plus(2000));
        session.last_seen_at = START.plus(9);
        session.persistent = false;
        assert!(storage.renew_session(Noted::nothing(), &session, "another salt", SignInGeneration::FIRST).await.unwrap());
        let renewed = kept(storage, &session.id).await;
        assert_eq!(renewed, Some((session.clone(), world.user.clone(), "another salt".to_owned())));
        assert!(!storage.end_session(Noted::nothing(), &session.id, &UserId::new("somebody else"), START).await.unwrap());
        assert_eq!(storage.sessions_of(&world.user.id, START.plus(1999)).await.unwrap(), [session.clone()]);
        assert!(storage.sessions_of(&world.user.id, START.plus(2000)).await.unwrap().is_empty());
        assert!(storage.end_session(Noted::nothing(), &session.id, &world.user.id, START).await.unwrap());
        assert!(!storage.end_session(Noted::nothing(), &session.id, &world.user.id, START).await.unwrap());
        assert!(!storage.renew_session(Noted::nothing(), &session, "salt", SignInGeneration::FIRST).await.unwrap());
    }

    async fn the_sessions_of_a_browser_come_back_together(kind: Kind) {
        let world = World::start(kind).await;
        let ids: Vec<_> = (0..MOST_AT_ONCE).map(|number| SessionId::new(format!("{number}"))).collect();
        for id in &ids {
            let session = Session { id: id.clone(), ..world.session("one") };
            world.sign_in(&session).await;
        }
        for asked in [&ids[..], &ids[3..5], &[]] {
            let mut kept: Vec<_> =
                world.storage().sessions(asked).await.unwrap().into_iter().map(|(session, ..)| session.id).collect();
            kept.sort();
            assert_eq!(kept, asked);
        }
    }

    async fn ending_a_session_ends_its_grants_but_for_those_for_offline_use(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        world.sign_in(&world.session("session")).await;
        world.sign_in(&world.session("another")).await;
        let offline = Grant { session_id: Some(SessionId::new("session")), ..world.grant("offline") };
        world.keep(&offline).await;
        assert!(storage.redeem_code(&offline.id, START).await.unwrap());
        let (mut online, mut elsewhere) = (world.grant("online"), world.grant("elsewhere"));
        online.session_id = Some(SessionId::new("session"));
        elsewhere.session_id = Some(SessionId::new("another"));
        for grant in [&mut online, &mut elsewhere] {
            let GrantState::CodeIssued(code) = &mut grant.state else { unreachable!() };
            code.refreshable = false;
            world.keep(grant).await;
            assert!(storage.redeem_code(&grant.id, START).await.unwrap());
        }
        storage.end_session(Noted::nothing(), &SessionId::new("session"), &world.user.id, START).await.unwrap();
        assert_eq!(world.state(&online.id).await, GrantState::Revoked);
        assert_eq!(world.state(&elsewhere.id).await, GrantState::Active { refresh: None });
        assert!(matches!(world.state(&offline.id).await, GrantState::Active { refresh: Some(_) }));
    }

    async fn a_key_number_is_taken_once_and_the_older_keys_get_their_end(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        assert_eq!(storage.next_key_number(Algorithm::PS256).await.unwrap(), 1);
        let insert = |storage: Storage| async move {
            let key = key(&chancery::crypto::random::id(), Algorithm::PS256);
            storage.insert_signing_key(Noted::nothing(), &key, 1, START.plus(50)).await
        };
        assert_eq!(yes(insert, storage).await, 1);
        assert_eq!(storage.next_key_number(Algorithm::PS256).await.unwrap(), 2);
        assert!(storage.insert_signing_key(Noted::nothing(), &key("two", Algorithm::PS256), 2, START.plus(50)).await.unwrap());
        let of = async |now| {
            let mut keys = storage.signing_keys(now).await.unwrap();
            keys.retain(|key| key.algorithm == Algorithm::PS256);
            keys
        };
        let keys = of(START.plus(49)).await;
        let ends: Vec<_> = keys.iter().map(|key| key.expires_at).collect();
        assert_eq!(ends, [Some(START.plus(50)), None], "the oldest first");
        assert_eq!((keys[1].active_from, keys[1].sealed_private_key.expose()), (START.plus(10), "sealed"));
        assert_eq!(of(START.plus(50)).await.len(), 1);
        let others = storage.signing_keys(START.plus(DAY)).await.unwrap();
        assert!(others.iter().any(|key| key.algorithm == Algorithm::ES256), "other algorithms are left alone");
    }

    async fn of_an_old_key_the_public_part_stays_for_a_time(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        let before = SigningKey { public_key: String::new(), ..key("before", Algorithm::PS256) };
        storage.insert_signing_key(Noted::nothing(), &before, 1, START).await.unwrap();
        storage.insert_signing_key(Noted::nothing(), &key("old", Algorithm::PS256), 2, START.plus(50)).await.unwrap();
        storage.insert_signing_key(Noted::nothing(), &key("new", Algorithm::PS256), 3, START.plus(100)).await.unwrap();
        let retired = async |now, since| {
            let keys = storage.retired_keys(START.plus(now), START.plus(since)).await.unwrap();
            keys.into_iter().map(|key| (key.id.to_string(), key.public_key)).collect::<Vec<_>>()
        };
        let old = [("old".to_owned(), "public".to_owned())];
        assert_eq!((retired(99, 0).await, retired(100, 0).await), (vec![], old.to_vec()));
        // One of an older version has no public part: it goes as a whole.
        for (now, since, changed) in [(49, 0, 0), (50, 0, 1), (99, 0, 0), (100, 0, 1), (100, 99, 0), (200, 100, 1)] {
            let done = storage.retire_keys(START.plus(now), START.plus(since)).await.unwrap();
            assert_eq!(done, changed, "{now} {since}");
        }
        assert_eq!(retired(200, 0).await, []);
        let left = storage.signing_keys(START.plus(DAY * 10_000)).await.unwrap();
        assert!(left.iter().any(|key| key.id.as_str() == "new"));
    }

    async fn what_belongs_to_a_user_or_a_client_goes_with_it(kind: Kind) {
        for delete_user in [true, false] {
            let world = World::start(kind).await;
            let storage = world.storage();
            world.sign_in(&world.session("one")).await;
            storage.insert_request(&world.request("one")).await.unwrap();
            let grant = world.grant("one");
            approve(storage, &grant, "openid").await.unwrap();
            let (sessions, requests) = if delete_user {
                assert!(storage.delete_user(Noted::nothing(), &world.user.id, START).await.unwrap());
                assert!(!storage.delete_user(Noted::nothing(), &world.user.id, START).await.unwrap());
                (0, 1)
            } else {
                storage.delete_client(Noted::nothing(), &world.client).await.unwrap();
                (1, 0)
            };
            assert_eq!(world.count("SELECT COUNT(*) FROM grants").await, 0);
            assert_eq!(world.count("SELECT COUNT(*) FROM consents").await, 0);
            assert_eq!(world.count("SELECT COUNT(*) FROM sessions").await, sessions);
            assert_eq!(world.count("SELECT COUNT(*) FROM authorization_requests").await, requests);
        }
    }

    async fn migrating_again_changes_nothing(kind: Kind) {
        let world = World::start(kind).await;
        let db = Arc::new(world.storage().db().clone());
        for _ in 0..2 {
            db.migrate().await.unwrap();
        }
        db.checkpoint().await.unwrap();
        assert_eq!(world.count("SELECT COUNT(*) FROM users").await, 1);
    }
}

async fn purge(storage: Storage) -> u64 {
    storage.purge(START.plus(DAY)).await.unwrap().tokens
}
