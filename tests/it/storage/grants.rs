//! Waiting requests, grants, consents, and the tokens that come of them.

use super::impossible_rows::assert_impossible;
use super::*;
use chancery::model::Noted;

on_both! {
    async fn a_waiting_request_comes_back_with_the_session_that_signed_in_for_it(kind: Kind) {
        let world = World::start(kind).await;
        let (storage, mut request) = (world.storage(), world.request("one"));
        storage.insert_request(&request).await.unwrap();
        assert_eq!(storage.request(&request.id).await.unwrap().as_ref(), Some(&request));
        for by in [Means::Choice, Means::SignIn] {
            let session_id = SessionId::new("session");
            storage.set_request_account(&request.id, &session_id, by).await.unwrap();
            request.set_account(Some(RequestAccount { session_id, by }));
            assert_eq!(storage.request(&request.id).await.unwrap().as_ref(), Some(&request));
        }
        assert_eq!(storage.request(&request.id).await.unwrap(), Some(request));
        assert_eq!(storage.request(&AuthorizationRequestId::new("two")).await.unwrap(), None);
    }

    async fn a_grant_comes_back_with_its_user_and_is_inserted_once(kind: Kind) {
        let world = World::start(kind).await;
        let grant = world.grant("one");
        let storage = world.storage();
        let won = yes(
            |storage| {
                let grant = grant.clone();
                async move { insert(&storage, &grant).await }
            },
            storage,
        );
        assert_eq!(won.await, 1);
        let found = storage.grant(&grant.id).await.unwrap();
        assert_eq!(found, Some((grant.clone(), world.user.clone())));
        assert_eq!(storage.grant(&GrantId::new("two")).await.unwrap(), None);
        let redeemed = Grant { state: GrantState::Revoked, id: GrantId::new("two"), ..grant };
        assert_impossible(insert(storage, &redeemed).await, "grants");
    }

    async fn of_forty_redemptions_one_wins(kind: Kind) {
        let world = World::start(kind).await;
        let grant = world.grant("one");
        world.keep(&grant).await;
        let redeem = |storage: Storage| {
            let id = grant.id.clone();
            async move { storage.redeem_code(&id, START.plus(59)).await }
        };
        assert_eq!(yes(redeem, world.storage()).await, 1);
        let refresh = Some(Refresh { generation: 1, rotated_at: START.plus(59) });
        assert_eq!(world.state(&grant.id).await, GrantState::Active { refresh });
        let late = world.grant("late");
        world.keep(&late).await;
        assert!(!world.storage().redeem_code(&late.id, START.plus(60)).await.unwrap(), "expired");
        assert!(!world.storage().redeem_code(&GrantId::new("none"), START).await.unwrap());
    }

    async fn forty_rotations_move_the_generation_by_one(kind: Kind) {
        let world = World::start(kind).await;
        let id = world.active("one").await;
        let rotation = Rotation { from: 1, now: START.plus(5), grace: 30 };
        let rotate = |storage: Storage| {
            let id = id.clone();
            async move { Ok(storage.rotate(&id, rotation).await? || storage.rotate_again(&id, rotation).await?) }
        };
        assert_eq!(yes(rotate, world.storage()).await, 40, "within the grace all get the same successor");
        let uses = "SELECT grace_uses FROM grants WHERE id = 'one'";
        let uses: Option<(i64,)> = world.storage().db().fetch_optional(uses, &[]).await.unwrap();
        assert_eq!(uses, Some((39,)), "each but the one that moved it is counted");
        let refresh = Some(Refresh { generation: 2, rotated_at: START.plus(5) });
        assert_eq!(world.state(&id).await, GrantState::Active { refresh });
        for (from, now, expected) in [(1, 35, true), (1, 36, false), (3, 5, false), (0, 5, false), (2, 99, true)] {
            let rotation = Rotation { from, now: START.plus(now), grace: 30 };
            let storage = world.storage();
            let moved = storage.rotate(&id, rotation).await.unwrap();
            let found = moved || storage.rotate_again(&id, rotation).await.unwrap();
            assert_eq!(found, expected, "{rotation:?}");
        }
        world.storage().revoke_grant(Noted::nothing(), &id).await.unwrap();
        let rotation = Rotation { from: 3, now: START.plus(99), grace: 30 };
        assert!(!world.storage().rotate(&id, rotation).await.unwrap());
        assert!(!world.storage().rotate_again(&id, Rotation { from: 2, ..rotation }).await.unwrap());
    }

    async fn without_grace_a_predecessor_is_refused_at_once(kind: Kind) {
        let world = World::start(kind).await;
        let id = world.active("one").await;
        let first = Rotation { from: 1, now: START, grace: 0 };
        assert!(world.storage().rotate(&id, first).await.unwrap());
        let rotate = |storage: Storage| {
            let id = id.clone();
            async move { Ok(storage.rotate(&id, first).await? || storage.rotate_again(&id, first).await?) }
        };
        assert_eq!(yes(rotate, world.storage()).await, 0);
    }

    async fn a_consent_is_remembered_with_its_grant_or_not_at_all(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        let (user, client, grant) = (&world.user.id, &world.client, world.grant("one"));
        let giving = |scope: &'static str| {
            let grant = grant.clone();
            move |storage: Storage| {
                let grant = grant.clone();
                async move { approve(&storage, &grant, scope).await }
            }
        };
        assert_eq!(storage.consent(user, client, START).await.unwrap(), None);
        assert_eq!(yes(giving("openid"), storage).await, 1);
        assert_eq!(yes(giving("openid email"), storage).await, 0);
        let consent = storage.consent(user, client, START).await.unwrap().unwrap();
        assert_eq!((consent.allowed.scope.to_string(), consent.created_at), ("openid".to_owned(), START));
        assert!(approve(storage, &world.grant("two"), "openid email").await.unwrap());
        let consents = storage.consents_of(user, START).await.unwrap();
        assert_eq!((consents.len(), consents[0].allowed.scope.to_string()), (1, "openid email".to_owned()));
    }

    async fn withdrawing_forgets_the_consent_and_revokes_every_grant(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        let (user, client) = (&world.user.id, &world.client);
        let (one, two) = (world.active("one").await, world.grant("two"));
        approve(storage, &two, "openid").await.unwrap();
        let access = storage.access_of(user, START).await.unwrap();
        assert_eq!((access.len(), &access[0].client_id, access[0].since), (1, client, START));
        assert!(storage.access_of(user, START.plus(1000)).await.unwrap().is_empty(), "ended");
        storage.withdraw(Noted::nothing(), user, client).await.unwrap();
        assert_eq!(storage.consent(user, client, START).await.unwrap(), None);
        for id in [&one, &two.id] {
            assert_eq!(world.state(id).await, GrantState::Revoked);
        }
        assert!(storage.access_of(user, START).await.unwrap().is_empty());
    }

    async fn a_token_is_good_while_its_grant_its_user_and_itself_are(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        let (grant, token, other) = (world.active("one").await, TokenId::new("a"), TokenId::new("b"));
        let is_good = async |grant: &GrantId, token: &TokenId| {
            let good = storage.token_state(grant, token).await.unwrap() == TokenState::Good;
            assert_eq!(storage.token_user(grant, token).await.unwrap().is_some(), good);
            good
        };
        assert!(is_good(&grant, &token).await);
        assert!(!is_good(&GrantId::new("none"), &token).await);
        for _ in 0..2 {
            storage.revoke_token(Noted::nothing(), &token, START.plus(10)).await.unwrap();
        }
        assert!(!is_good(&grant, &token).await && is_good(&grant, &other).await);
        assert_eq!(storage.lone_token_state(&token).await.unwrap(), TokenState::Revoked);
        assert_eq!(storage.lone_token_state(&other).await.unwrap(), TokenState::Good);
        storage.set_disabled(Noted::nothing(), &world.user.id, true, START).await.unwrap();
        assert!(!is_good(&grant, &other).await);
        storage.set_disabled(Noted::nothing(), &world.user.id, false, START).await.unwrap();
        storage.revoke_grant(Noted::nothing(), &grant).await.unwrap();
        assert!(!is_good(&grant, &other).await);
        let unredeemed = world.grant("two");
        world.keep(&unredeemed).await;
        assert!(!is_good(&unredeemed.id, &other).await);
    }
}
