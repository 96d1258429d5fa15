//! The storage's side: the ending comes between the read and the write.

use chancery::model::{
    Allowed, ConsentGeneration, DeviceAuthorizationId, Grant, GrantState, Noted, Session, SessionId,
    SignInGeneration, UserId,
};
use chancery::storage::{Authority, Insertion, PasswordChange, Remember, Yes};

use super::world::{Ending, OF_ALL, OF_THE_SESSION, World, waiting_device};
use crate::support::authorization::keep_request_of;
use crate::support::{START, on_both};

on_both! {
    async fn a_sign_in_under_way_when_everything_of_its_user_ends_starts_no_session(kind: Kind) {
        for ending in OF_ALL {
            let world = World::start(kind).await;
            let read = world.storage().credentials("ada").await.unwrap().unwrap();
            world.end(ending).await;
            let started = world.storage().insert_session(Noted::nothing(), &world.session("late"), "salt", read.sign_in).await;
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
            assert!(!world.storage().renew_session(Noted::nothing(), &again, "new", read.sign_in).await.unwrap(), "{ending:?}");
            assert_eq!(world.server.number("SELECT COUNT(*) FROM sessions").await, 0, "{ending:?}");
        }
    }

    async fn a_session_is_not_renewed_for_another_user(kind: Kind) {
        let world = World::start(kind).await;
        let bob = world.server.user("bob").await;
        let stolen = Session { user_id: bob.id, ..world.session("session") };
        assert!(!world.storage().renew_session(Noted::nothing(), &stolen, "new", SignInGeneration::FIRST).await.unwrap());
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
                world.storage().approve_device(Noted::nothing(),
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
        assert!(world.storage().insert_grant(Noted::nothing(), &world.grant("a"), by_password).await.is_err());
        let alone = Grant { session_id: None, ..world.grant("b") };
        assert!(world.storage().insert_grant(Noted::nothing(), &alone, Authority::Session(Yes::default())).await.is_err());
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
        world.storage().withdraw(Noted::nothing(), &world.user.id, &world.client).await.unwrap();
        assert_eq!(world.insert(&world.grant("d"), upon).await, Insertion::Nothing, "it was taken back");
    }

    async fn many_yeses_at_once_beside_the_same_consent_are_all_given(kind: Kind) {
        let world = World::start(kind).await;
        let read = world.storage().consent(&world.user.id, &world.client, START).await.unwrap();
        let tasks: Vec<_> = (0..20).map(|number| {
            let (storage, grant) = (world.storage().clone(), world.grant(&format!("yes-{number}")));
            let (read, remember) = (read.clone(), Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: None });
            tokio::spawn(async move {
                keep_request_of(&storage, &grant).await;
                storage.approve(Noted::nothing(), &grant, &remember, Authority::Session(Yes::upon(read.as_ref()))).await
            })
        }).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), Insertion::Inserted);
        }
    }

    async fn a_consent_that_has_expired_makes_nothing_silent(kind: Kind) {
        let world = World::start(kind).await;
        let remember = Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: Some(START.plus(5)) };
        let authority = Authority::Session(Yes::default());
        keep_request_of(world.storage(), &world.grant("a")).await;
        let made = world.storage().approve(Noted::nothing(), &world.grant("a"), &remember, authority).await.unwrap();
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
        world.storage().withdraw(Noted::nothing(), &world.user.id, &world.client).await.unwrap();
        // What they built was: all that was allowed before, and this.
        let remember = Remember { allowed: Allowed::of(&"openid email".parse().unwrap(), &[]), until: None };
        let upon = Authority::Session(Yes::upon(read.as_ref()));
        keep_request_of(world.storage(), &world.grant("late")).await;
        let approved = world.storage().approve(Noted::nothing(), &world.grant("late"), &remember, upon).await.unwrap();
        let on_device = world.storage().approve_device(Noted::nothing(), &device, &remember, upon).await.unwrap();
        assert_eq!([approved, on_device], [Insertion::Nothing; 2]);
        assert_eq!(world.consented().await, None);
        let states = "SELECT COUNT(*) FROM device_authorizations WHERE state = 'pending'";
        assert_eq!(world.server.number(states).await, 1, "somebody can still decide");
    }

    async fn a_yes_for_a_client_that_has_become_another_meanwhile_makes_and_leaves_nothing(kind: Kind) {
        let world = World::start(kind).await;
        let (storage, grant, device) = (world.storage(), world.grant("late"), waiting_device(&world).await);
        keep_request_of(storage, &grant).await;
        let mut another = storage.client(&world.client).await.unwrap().unwrap();
        another.client.name = "Another".into();
        assert!(storage.update_registration(Noted::nothing(), &another, START, true).await.unwrap());
        // What was read before: the request, the client, and that nothing was remembered.
        let remember = Remember { allowed: Allowed::of(&"openid".parse().unwrap(), &[]), until: None };
        let authority = Authority::Session(Yes::default());
        let approved = storage.approve(Noted::nothing(), &grant, &remember, authority).await.unwrap();
        let on_device = storage.approve_device(Noted::nothing(), &device, &remember, authority).await.unwrap();
        assert_eq!([approved, on_device], [Insertion::Nothing; 2]);
        assert_eq!(world.consented().await, None);
        assert_eq!(world.server.number("SELECT COUNT(*) FROM grants WHERE id <> 'first'").await, 0);
    }

    async fn a_yes_that_was_given_before_access_was_taken_back_counts_no_more(kind: Kind) {
        let world = World::start(kind).await;
        let given_at = Some(world.standing().await.consent);
        assert_eq!(given_at, Some(ConsentGeneration::FIRST));
        let yes = Yes { remembered: None, given_at };
        assert_eq!(world.approve(&world.grant("a"), "openid", yes).await, Insertion::Inserted);
        world.storage().withdraw(Noted::nothing(), &world.user.id, &world.client).await.unwrap();
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
            let approved = world.storage().approve_device(Noted::nothing(), &device, &remember, authority).await.unwrap();
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
        let approved = world.storage().approve_device(Noted::nothing(), &device, &remember, authority).await.unwrap();
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
            let changed = world.storage().change_password(Noted::nothing(), change, START).await.unwrap();
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
                storage.change_password(Noted::nothing(), change, START).await.unwrap()
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
        assert!(!world.storage().set_password(Noted::nothing(), &nobody, "hash", START).await.unwrap());
        world.storage().end_sessions(Noted::nothing(), &nobody, START).await.unwrap();
        world.storage().withdraw(Noted::nothing(), &nobody, &world.client).await.unwrap();
        assert_eq!(world.standing().await.sign_in, SignInGeneration::FIRST);
        assert_eq!(world.server.number("SELECT COUNT(*) FROM sessions").await, 1);
    }
}
