//! Signing keys: replaced on schedule without a gap, withdrawn at once, the same in every process.

use std::sync::Arc;

use chancery::keys::{self, KeyRing};
use chancery::model::{KeyId, Noted, Timestamp};
use chancery::storage::StoredClient;
use jsonwebtoken::decode_header;
use serde_json::{Value, json};

use crate::support::{Kind, Registration, START, TestServer, all, on_both, text};

const DAY: i64 = 86_400;
const WITH_EXCHANGE: [&str; 3] =
    ["authorization_code", "client_credentials", crate::token_exchange::TOKEN_EXCHANGE];
const SCHEDULE: [(&str, &str); 3] = [
    ("KEYS__ALGORITHMS", "ES256,ES384"),
    ("KEYS__ROTATE_EVERY_SECONDS", "100000"),
    ("KEYS__PUBLISH_SECONDS", "3600"),
];

async fn scheduled(kind: Kind) -> (TestServer, Registration) {
    let server = TestServer::start_with(kind, &SCHEDULE).await;
    let client = server.client(json!({})).await;
    (server, client)
}

impl TestServer {
    /// What the server does every five minutes.
    async fn look_after_keys(&self) {
        let app = &self.app;
        app.rotate_keys().await.unwrap();
        let since = app.now().plus(-app.settings.keys.hint_seconds);
        app.storage.retire_keys(app.now(), since).await.unwrap();
        app.reload_keys().await.unwrap();
    }

    /// Ends the time of every key there is, after others have taken their place.
    async fn retire_all(&self) {
        let app = &self.app;
        let times = keys::RotationTimes { publish: 0, retire: 0 };
        for algorithm in &app.settings.keys.algorithms {
            keys::rotate(&app.keeper(), *algorithm, app.now(), times).await.unwrap();
        }
        self.look_after_keys().await;
    }

    async fn published(&self) -> Vec<String> {
        let keys = self.get("/jwks").await.json()["keys"].clone();
        let signing = keys.as_array().unwrap().iter().filter(|key| key["use"] != "enc");
        signing.map(|key| text(key, "kid")).collect()
    }

    /// Rotates by command: the new keys sign after `publish` seconds.
    async fn rotate_es256(&self, publish: i64) -> KeyId {
        let times = keys::RotationTimes { publish, ..keys::RotationTimes::of(&self.app.settings) };
        let (app, algorithm) = (&self.app, chancery::model::Algorithm::ES256);
        let key = keys::rotate(&app.keeper(), algorithm, app.now(), times).await.unwrap();
        app.reload_keys().await.unwrap();
        key.id
    }

    async fn withdraw(&self, kid: &str) -> bool {
        let (app, kid) = (&self.app, KeyId::new(kid));
        let times = keys::RotationTimes::of(&app.settings);
        let withdrawn = keys::withdraw(&app.keeper(), &kid, app.now(), times).await.unwrap();
        app.reload_keys().await.unwrap();
        withdrawn
    }

    async fn starts(&self) -> Vec<Timestamp> {
        let keys = self.app.storage.signing_keys(self.app.now()).await.unwrap();
        let es256 = keys.iter().filter(|key| key.algorithm == chancery::model::Algorithm::ES256);
        es256.map(|key| key.active_from).collect()
    }
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

on_both! {
    async fn oidcc_server_rotate_keys_replaces_keys_on_schedule_without_a_gap(kind: Kind) {
        let (server, client) = scheduled(kind).await;
        let first = server.published().await;
        server.advance(100_000 - 3600 - 1);
        server.look_after_keys().await;
        assert_eq!(server.published().await, first, "nothing is due yet");
        server.advance(1);
        server.look_after_keys().await;
        let both = server.published().await;
        assert_eq!((first.len(), both.len()), (2, 4), "one more of each algorithm");
        // Published, and not used before everybody can have seen it.
        server.advance(3599);
        server.look_after_keys().await;
        let old = server.client_token(&client, "read").await;
        assert!(first.contains(&kid(&old)));
        server.advance(1);
        server.look_after_keys().await;
        let new = server.client_token(&client, "read").await;
        assert!(both.contains(&kid(&new)) && !first.contains(&kid(&new)));
        for token in [&old, &new] {
            server.verified(token).await;
            assert!(server.is_active(&client, token).await);
        }
        // Until the last token that it may have signed has expired.
        server.advance(DAY - 1);
        server.look_after_keys().await;
        assert!(server.published().await.contains(&kid(&old)));
        server.advance(1);
        server.look_after_keys().await;
        let left = server.published().await;
        assert!(!left.contains(&kid(&old)) && left.contains(&kid(&new)), "{left:?}");
    }

    async fn a_jwks_is_cached_for_no_longer_than_a_new_key_waits(kind: Kind) {
        for (publish, cached) in [("3600", 900), ("1000", 500), ("0", 0)] {
            let server = TestServer::start_with(kind, &[("KEYS__PUBLISH_SECONDS", publish)]).await;
            let answer = server.get("/jwks").await;
            assert_eq!(answer.header("cache-control"), format!("public, max-age={cached}"));
        }
    }

    async fn an_id_token_is_a_hint_for_a_year_after_its_key_left_the_jwks_and_nothing_else(kind: Kind) {
        let server = TestServer::start(kind).await;
        let bye = "https://app.example/bye";
        let metadata = json!({"skip_consent": true, "grant_types": WITH_EXCHANGE, "token_exchange_policy": "any",
            "post_logout_redirect_uris": [bye]});
        let client = server.client(metadata).await;
        server.user("ada").await;
        let tokens = server.browser().tokens(&client, "ada", &[]).await;
        let hint = text(&tokens, "id_token");
        let silent = server.authorization(&client, &[("prompt", "none"), ("id_token_hint", &hint)]);
        let out = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={bye}");
        let named = async || {
            // The request is right: nobody is signed in here, and sign-out leads back to the application.
            server.browser().get(&silent).await.assert_redirect_error("login_required");
            assert_eq!(server.browser().get(&out).await.location(), bye);
        };
        let exchanged = async |kind: &str| {
            let (token, kind) = (text(&tokens, kind), format!("urn:ietf:params:oauth:token-type:{kind}"));
            let form = [("grant_type", crate::token_exchange::TOKEN_EXCHANGE), ("subject_token", token.as_str()),
                ("subject_token_type", kind.as_str())];
            server.post_as(&client, "/token", &form).await.status
        };
        let access_token = text(&tokens, "access_token");
        for (retired, status, userinfo) in [(false, 200, 200), (true, 400, 401)] {
            // Its time to be published is over, long before the tokens have expired.
            if retired {
                server.retire_all().await;
            }
            assert_eq!(server.published().await.contains(&kid(&hint)), !retired);
            named().await;
            for kind in ["access_token", "id_token"] {
                assert_eq!(exchanged(kind).await, status, "{kind}");
            }
            assert_eq!(server.is_active(&client, &access_token).await, !retired);
            assert_eq!(server.get_with_token("/userinfo", &access_token).await.status, userinfo);
        }
        server.advance(365 * DAY - 1);
        server.look_after_keys().await;
        named().await;
        server.advance(1);
        server.look_after_keys().await;
        server.browser().get(&silent).await.assert_redirect_error("invalid_request");
        assert_eq!(server.browser().get(&out).await.location(), "");
        assert_eq!(server.number("SELECT COUNT(*) FROM signing_keys WHERE sealed_key = ''").await, 0, "forgotten");
    }

    async fn of_a_key_that_is_published_no_more_the_private_part_is_deleted(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let first = kid(&server.client_token(&client, "read").await);
        let kept = "SELECT COUNT(*) FROM signing_keys WHERE sealed_key <> ''";
        let before = server.number(kept).await;
        server.rotate_es256(0).await;
        server.advance(DAY - 1);
        server.look_after_keys().await;
        assert_eq!((server.number(kept).await, server.published().await.contains(&first)), (before + 1, true));
        server.advance(1);
        server.look_after_keys().await;
        assert_eq!((server.number(kept).await, server.published().await.contains(&first)), (before, false));
        // A process whose clock is late does not miss it.
        server.advance(-DAY);
        server.look_after_keys().await;
        assert!(!server.published().await.contains(&first));
        assert_eq!(server.replica().await.published().await, server.published().await);
    }

    async fn a_withdrawn_key_verifies_no_hint_whenever_it_was_withdrawn(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true})).await;
        server.user("ada").await;
        for retired in [false, true] {
            let hint = text(&server.browser().tokens(&client, "ada", &[]).await, "id_token");
            if retired {
                server.retire_all().await;
            }
            let silent = server.authorization(&client, &[("prompt", "none"), ("id_token_hint", &hint)]);
            server.browser().get(&silent).await.assert_redirect_error("login_required");
            let signs = kid(&server.client_token(&client, "read").await);
            assert!(server.withdraw(&kid(&hint)).await);
            server.browser().get(&silent).await.assert_redirect_error("invalid_request");
            assert!(!server.withdraw(&kid(&hint)).await, "it is gone");
            // The place of one that signs no more need not be taken.
            assert_eq!(kid(&server.client_token(&client, "read").await) == signs, retired);
        }
    }

    async fn without_a_schedule_keys_stay(kind: Kind) {
        let server = TestServer::start_with(kind, &[("KEYS__ROTATE_EVERY_SECONDS", "-1")]).await;
        let before = server.published().await;
        server.advance(3650 * DAY);
        server.look_after_keys().await;
        assert_eq!(server.published().await, before);
    }

    async fn of_forty_processes_that_find_a_key_due_one_makes_the_next(kind: Kind) {
        let (server, _) = scheduled(kind).await;
        let mut replicas = Vec::new();
        for _ in 0..4 {
            replicas.push(server.replica().await);
        }
        for round in 1..4 {
            server.advance(100_000);
            all((0..40).map(|number| replicas[number % 4].app.rotate_keys()).collect())
                .await
                .into_iter()
                .for_each(|done| done.unwrap());
            let made = server.number("SELECT MAX(number) FROM signing_keys").await;
            assert_eq!(made, round + 1);
            let unlimited = "SELECT COUNT(*) FROM signing_keys WHERE expires_at IS NULL";
            assert_eq!(server.number(unlimited).await, 2, "one an algorithm");
            let mut sets = Vec::new();
            for replica in &replicas {
                replica.app.reload_keys().await.unwrap();
                sets.push(replica.app.keys.ring().jwks().plain().clone());
            }
            assert!(sets.iter().all(|set| *set == sets[0]));
        }
    }

    async fn what_a_withdrawn_key_signed_is_worthless_at_once_everywhere(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let replica = server.replica().await;
        let token = text(&server.tokens(&client, "ada").await, "access_token");
        for one in [&server, &replica] {
            assert!(one.is_active(&client, &token).await);
            assert_eq!(one.get_with_token("/userinfo", &token).await.status, 200);
        }
        let before = server.app.storage.versions().await.unwrap().keys;
        assert!(server.withdraw(&kid(&token)).await);
        assert_eq!(server.app.storage.versions().await.unwrap().keys, before + 1, "every process is told");
        replica.app.reload_keys().await.unwrap();
        for one in [&server, &replica] {
            assert!(!one.is_active(&client, &token).await);
            assert_eq!(one.get_with_token("/userinfo", &token).await.status, 401);
            assert!(!one.published().await.contains(&kid(&token)));
            let new = one.client_token(&client, "read").await;
            assert_ne!(kid(&new), kid(&token));
            one.verified(&new).await;
            assert!(one.is_active(&client, &new).await);
        }
        assert!(!server.withdraw(&kid(&token)).await, "it is gone");
        assert!(!server.withdraw("unknown").await);
    }

    async fn a_remembered_token_does_not_outlive_its_key(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let token = server.client_token(&client, "read").await;
        assert!(server.is_active(&client, &token).await);
        // A token may be remembered after the others were forgotten, by a request that had begun before.
        let app = &server.app;
        let without: Vec<_> = app.storage.signing_keys(START).await.unwrap();
        let without: Vec<_> = without.into_iter().filter(|key| key.id.as_str() != kid(&token)).collect();
        app.keys.replace(KeyRing::open(&app.master_key, &without).unwrap());
        assert!(!server.is_active(&client, &token).await);
    }

    async fn whichever_key_is_withdrawn_one_signs_and_none_is_missing(kind: Kind) {
        // The current one, with a next one waiting: that signs at once.
        let (server, client) = scheduled(kind).await;
        let first = kid(&server.client_token(&client, "read").await);
        let old = server.rotate_es256(3600).await;
        assert!(server.withdraw(&first).await);
        assert_eq!(kid(&server.client_token(&client, "read").await), old.as_str());
        assert_eq!(server.starts().await, [START]);
        // The next one: another comes in its place, published for as long before it signs, and the current one for longer.
        let next = server.rotate_es256(3600).await;
        server.advance(3000);
        assert!(server.withdraw(next.as_str()).await);
        assert_eq!(server.starts().await, [START, START.plus(6600)]);
        assert_eq!(kid(&server.client_token(&client, "read").await), old.as_str());
        let ends = "SELECT MAX(expires_at) FROM signing_keys";
        assert_eq!(server.number(ends).await, START.plus(6600 + DAY).unix());
        // One that signs no more: nothing else changes.
        server.advance(3600);
        server.look_after_keys().await;
        let current = kid(&server.client_token(&client, "read").await);
        let waiting = server.rotate_es256(3600).await;
        assert!(old.as_str() != current && server.withdraw(old.as_str()).await);
        assert_eq!(kid(&server.client_token(&client, "read").await), current);
        assert_eq!(server.starts().await, [START.plus(6600), START.plus(10_200)]);
        assert!(server.published().await.contains(&waiting.as_str().to_owned()));
    }

    async fn a_key_that_waits_never_signs_once_a_younger_one_does(kind: Kind) {
        let (server, client) = scheduled(kind).await;
        let waiting = server.rotate_es256(3600).await;
        let at_once = server.rotate_es256(0).await;
        for _ in 0..2 {
            assert_eq!(kid(&server.client_token(&client, "read").await), at_once.as_str());
            server.advance(3600);
            server.look_after_keys().await;
        }
        assert!(server.published().await.contains(&waiting.as_str().to_owned()));
    }

    async fn an_older_look_at_the_keys_does_not_bring_a_withdrawn_one_back(kind: Kind) {
        let (server, client) = scheduled(kind).await;
        for _ in 0..20 {
            let first = kid(&server.client_token(&client, "read").await);
            let look = async |number: usize| match number {
                3 => assert!(server.withdraw(&first).await),
                _ => server.app.reload_keys().await.unwrap(),
            };
            all((0..40).map(look).collect()).await;
            assert!(!server.published().await.contains(&first));
        }
    }

    async fn of_forty_withdrawals_of_one_key_at_once_one_counts_and_one_key_follows(kind: Kind) {
        let (server, client) = scheduled(kind).await;
        let server = Arc::new(server);
        let first = kid(&server.client_token(&client, "read").await);
        let done = all((0..40).map(|_| server.withdraw(&first)).collect()).await;
        assert_eq!(done.iter().filter(|withdrawn| **withdrawn).count(), 1);
        assert_eq!(server.starts().await.len(), 1);
    }

    async fn a_change_that_cannot_be_made_known_is_not_made(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({})).await;
        let StoredClient { client: before, secrets, .. } =
            server.app.storage.client(&chancery::model::ClientId::new(&client.id)).await.unwrap().unwrap();
        let count = async || {
            (server.number("SELECT COUNT(*) FROM clients").await, server.number("SELECT COUNT(*) FROM signing_keys").await)
        };
        let counted = count().await;
        server.sql("DROP TABLE changes").await;
        let mut other: Value = json!(before);
        other["client_id"] = json!("other");
        let other = serde_json::from_value(other).unwrap();
        assert!(server.app.storage.insert_client(Noted::nothing(), &other, &secrets).await.is_err());
        assert_eq!(count().await, counted);
        assert!(server.app.storage.delete_client(Noted::nothing(), &before.id).await.is_err());
        assert_eq!(count().await, counted);
        let app = &server.app;
        let (key, times) = (server.published().await[0].clone(), keys::RotationTimes::of(&app.settings));
        assert!(keys::withdraw(&app.keeper(), &KeyId::new(&key), START, times).await.is_err());
        assert_eq!(count().await, counted);
    }
}
