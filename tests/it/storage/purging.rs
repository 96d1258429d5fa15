//! What has expired is removed, in batches, and by many at once.

use super::*;
use chancery::model::Noted;

on_both! {
    async fn purging_removes_what_has_expired_and_nothing_else(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        world.sign_in(&world.session("session")).await;
        storage.insert_request(&world.request("request")).await.unwrap();
        world.keep(&world.grant("unredeemed")).await;
        world.active("ended").await;
        let endless = Grant { expires_at: None, ..world.grant("endless") };
        world.keep(&endless).await;
        storage.redeem_code(&endless.id, START).await.unwrap();
        storage.revoke_token(Noted::nothing(), &TokenId::new("token"), START.plus(1000)).await.unwrap();
        // Seconds after START, and what goes then: sessions, requests, grants, tokens.
        for (at, expected) in [
            (999, [0, 0, 0, 0]),
            (1000, [1, 0, 0, 0]),
            (4599, [0, 0, 0, 0]),
            // Nobody signed in for it.
            (4600, [0, 1, 0, 0]),
            (DAY + 59, [0, 0, 0, 0]),
            (DAY + 60, [0, 0, 1, 0]),
            (DAY + 999, [0, 0, 0, 0]),
            (DAY + 1000, [0, 0, 1, 1]),
            (DAY * 10_000, [0, 0, 0, 0]),
        ] {
            let gone = storage.purge(START.plus(at)).await.unwrap();
            let gone_now = [gone.sessions, gone.requests, gone.grants, gone.tokens];
            assert_eq!((gone_now, gone.is_full()), (expected, false), "{at}");
        }
        assert!(matches!(world.state(&endless.id).await, GrantState::Active { .. }));
        assert!(storage.user(&world.user.id).await.unwrap().is_some());
        assert_eq!(storage.clients().await.unwrap().len(), 1);
        assert_eq!(storage.signing_keys(START.plus(DAY * 10_000)).await.unwrap().len(), 2);
    }

    async fn a_revoked_grant_is_removed_even_if_it_had_no_end(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        for id in ["revoked", "active"] {
            let endless = Grant { expires_at: None, ..world.grant(id) };
            world.keep(&endless).await;
            storage.redeem_code(&endless.id, START).await.unwrap();
        }
        storage.revoke_grant(Noted::nothing(), &GrantId::new("revoked")).await.unwrap();
        assert_eq!(storage.purge(START.plus(DAY - 1)).await.unwrap().grants, 0);
        assert_eq!(storage.purge(START.plus(DAY)).await.unwrap().grants, 1);
        assert_eq!(storage.grant(&GrantId::new("revoked")).await.unwrap(), None);
        assert!(matches!(world.state(&GrantId::new("active")).await, GrantState::Active { .. }));
    }

    async fn purging_goes_in_batches_and_many_may_do_it_at_once(kind: Kind) {
        let world = World::start(kind).await;
        let storage = world.storage();
        for number in 0..501 {
            storage.revoke_token(Noted::nothing(), &TokenId::new(format!("{number}")), START).await.unwrap();
        }
        storage.revoke_token(Noted::nothing(), &TokenId::new("live"), START.plus(1)).await.unwrap();
        let first = storage.purge(START.plus(DAY)).await.unwrap();
        assert_eq!((first.tokens, first.is_full()), (500, true));
        let rest: Vec<_> = (0..8).map(|_| tokio::spawn(purge(storage.clone()))).collect();
        let mut purged = 0;
        for task in rest {
            purged += task.await.unwrap();
        }
        assert_eq!(purged, 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM revoked_tokens").await, 1);
    }

    async fn writes_that_touch_the_same_rows_in_different_orders_do_not_fail(kind: Kind) {
        let world = World::start(kind).await;
        let mut grants = Vec::new();
        for number in 0..20 {
            grants.push(world.active(&format!("grant-{number}")).await);
        }
        let (user, client, session) = (world.user.id.clone(), world.client.clone(), world.session("session"));
        world.sign_in(&session).await;
        let tasks: Vec<_> = (0..60)
            .map(|number| {
                let (storage, user, client) = (world.storage().clone(), user.clone(), client.clone());
                let (id, session) = (grants[number % grants.len()].clone(), session.id.clone());
                let fresh = world.grant(&format!("fresh-{number}"));
                tokio::spawn(async move {
                    let rotation = Rotation { from: 1, now: START, grace: 30 };
                    match number % 6 {
                        0 => storage.withdraw(Noted::nothing(), &user, &client).await.map(drop),
                        1 => storage.end_session(Noted::nothing(), &session, &user, START).await.map(drop),
                        2 => approve(&storage, &fresh, "openid").await.map(drop),
                        3 => storage.rotate(&id, rotation).await.map(drop),
                        4 => storage.set_disabled(Noted::nothing(), &user, number % 4 == 0, START).await.map(drop),
                        _ => storage.purge(START.plus(DAY)).await.map(drop),
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}
