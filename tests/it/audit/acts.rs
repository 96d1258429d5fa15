//! What operators do, by command and by themselves, and what the server does to its keys.

use std::fs;

use axum::body::Body;
use axum::http::{Request, header};
use chancery::audit::Actor;
use chancery::crypto::master_key::MasterKey;
use chancery::keys;
use chancery::model::KeyId;
use chancery::secrets::Replacement;
use serde_json::{Value, json};

use crate::support::{Signer, TestServer, assert_told, on_both, output, program, text};

/// Runs a command as another process on the same database: what it printed as JSON.
async fn run(server: &TestServer, line: &[&str]) -> Value {
    let mut command = program(&server.environment, &[line, &["--json"]].concat());
    command.env("SUDO_USER", "olga").env("USER", "root");
    let output = output(command).await;
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Runs commands, each of which has to leave this one entry.
async fn assert_acts(server: &TestServer, acts: &[(&[&str], Value)]) {
    for (line, expected) in acts {
        let (told, _) = server.told(run(server, line)).await;
        let mut expected = expected.clone();
        (expected["actor"], expected["operator"], expected["address"]) =
            (json!("operator"), json!("olga"), Value::Null);
        assert_told(&told, &[expected]);
    }
}

on_both! {
    async fn what_is_done_to_clients_by_command_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let create = ["client", "create", "--name", "App", "--id", "app", "--redirect-uri", "https://app.example/cb"];
        assert_acts(&server, &[
            (&create, json!({"event": "client.created", "client": "app"})),
            (&["client", "update", "app", "--name", "B"], json!({"event": "client.updated", "client": "app"})),
            (&["client", "rotate-secret", "app"], json!({"event": "client.secret_rotated", "client": "app"})),
            (&["client", "revoke", "app"], json!({"event": "client.access_ended", "client": "app"})),
            (&["client", "delete", "app"], json!({"event": "client.deleted", "client": "app"})),
        ])
        .await;
        // Looking is no act.
        let (told, _) = server.told(run(&server, &["client", "list"])).await;
        assert!(told.is_empty(), "{told:?}");
    }

    async fn what_is_done_to_users_by_command_is_told_by_their_ids(kind: Kind) {
        let server = TestServer::start(kind).await;
        let create = ["user", "create", "--username", "grace-h", "--generate-password"];
        let (told, made) = server.told(run(&server, &create)).await;
        let user = &made["id"];
        assert_told(&told, &[json!({"event": "user.created", "actor": "operator", "user": user})]);
        // Her sessions are ended where there are some: otherwise nothing is done.
        let (told, _) = server.told(run(&server, &["user", "sign-out", "grace-h"])).await;
        assert!(told.is_empty(), "{told:?}");
        server.sql("INSERT INTO sessions (id, salt, user_id, auth_time, amr, created_at, last_seen_at, expires_at, \
            user_agent, address) SELECT 's', 's', id, 0, 'pwd', 0, 0, 9000000000, '', '' FROM users").await;
        assert_acts(&server, &[
            (&["user", "sign-out", "grace-h"], json!({"event": "user.signed_out", "user": user, "ended": "sessions"})),
            (&["user", "set-password", "grace-h", "--generate-password"], json!({"event": "user.password_set", "user": user, "ended": "everything"})),
            (&["user", "set-claims", "grace-h", "--claim", "nickname=amazing"], json!({"event": "user.updated", "user": user})),
            (&["user", "disable", "grace-h"], json!({"event": "user.disabled", "user": user, "ended": "everything"})),
            (&["user", "enable", "grace-h"], json!({"event": "user.enabled", "user": user})),
            (&["user", "delete", "grace-h"], json!({"event": "user.deleted", "user": user})),
        ])
        .await;
        // What is kept of her is her id.
        let log = json!(server.audit_log().await).to_string();
        assert!(!log.contains("grace-h") && !log.contains("amazing") && log.contains(user.as_str().unwrap()));
    }

    async fn what_is_done_to_resources_scopes_issuers_and_tokens_by_command_is_told(kind: Kind) {
        let server = TestServer::start(kind).await;
        let api = "https://api.example";
        assert_acts(&server, &[
            (&["resource", "create", api, "--name", "API"], json!({"event": "resource.created", "resource": api})),
            (&["resource", "update", api, "--name", "B"], json!({"event": "resource.updated", "resource": api})),
            (&["resource", "delete", api], json!({"event": "resource.deleted", "resource": api})),
            (&["scope", "create", "a:b"], json!({"event": "scope.created", "scope": "a:b"})),
            (&["scope", "update", "a:b", "--public"], json!({"event": "scope.updated", "scope": "a:b"})),
            (&["scope", "delete", "a:b"], json!({"event": "scope.deleted", "scope": "a:b"})),
        ])
        .await;
        let keys = std::env::temp_dir().join(format!("chancery-keys-{}.json", chancery::crypto::random::id()));
        fs::write(&keys, Signer::new("ES256").jwks().to_string()).unwrap();
        for (purpose, what) in [("assertions", "assertions"), ("software-statements", "software statements")] {
            let named = ["--issuer", "https://partner.example", "--for", purpose];
            let add = [&["issuer", "add", "--jwks", keys.to_str().unwrap()], &named[..]].concat();
            let remove = [&["issuer", "remove"], &named[..]].concat();
            let about = |event: &str| json!({"event": event, "issuer": "https://partner.example", "purpose": what});
            assert_acts(&server, &[(&add, about("issuer.added")), (&remove, about("issuer.removed"))]).await;
        }
        fs::remove_file(keys).unwrap();
        let (told, made) = server.told(run(&server, &["registration-token", "create", "--name", "Partner"])).await;
        let id = text(&made, "id");
        assert_told(&told, &[json!({"event": "registration_token.created", "registration_token": id})]);
        let deleted = json!({"event": "registration_token.deleted", "registration_token": id});
        assert_acts(&server, &[(&["registration-token", "delete", &id], deleted)]).await;
        assert!(!json!(server.audit_log().await).to_string().contains(&text(&made, "token")));
        // For the names of events that are put together above.
        let _ = [json!({"event": "issuer.added"}), json!({"event": "issuer.removed"})];
    }

    async fn keys_are_told_when_they_are_made_and_withdrawn_by_the_server_and_by_command(kind: Kind) {
        let server = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256")]).await;
        assert_told(&server.audit_log().await, &[json!({"event": "key.made", "actor": "server", "alg": "ES256"})]);
        server.advance(90 * 86_400);
        let (told, done) = server.told(server.app.rotate_keys()).await;
        done.unwrap();
        assert_told(&told, &[json!({"event": "key.made", "actor": "server", "alg": "ES256"})]);
        let kid = KeyId::new(text(&told[0], "kid"));
        let times = chancery::keys::RotationTimes::of(&server.app.settings);
        let keeper = server.app.keeper();
        let (told, _) = server.told(keys::withdraw(&keeper, &kid, server.app.now(), times)).await;
        assert_told(&told, &[json!({"event": "key.withdrawn", "kid": kid})]);
        let (told, _) = server.told(keys::withdraw(&keeper, &kid, server.app.now(), times)).await;
        assert!(told.is_empty(), "{told:?}");
        assert_acts(&server, &[(&["keys", "rotate", "--alg", "ES256"], json!({"event": "key.made", "alg": "ES256"}))]).await;
    }

    async fn keys_that_secrets_are_under_are_told_when_they_are_replaced(kind: Kind) {
        let first = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256")]).await;
        let (old, new) = (first.environment_of("SECRETS__MASTER_KEY"), MasterKey::generate());
        let server = first.replica_with(&[
            ("SECRETS__MASTER_KEY", new.expose()), ("SECRETS__PREVIOUS_MASTER_KEYS", &old),
        ]).await;
        let app = &server.app;
        let (storage, master, audit) = (&app.storage, &*app.master_key, &app.audit);
        let replacement = Replacement { storage, master, audit, actor: Actor::Server, now: app.now() };
        let (told, ()) = server.told(async {
            replacement.seal_data_keys().await.unwrap();
            let number = replacement.make_data_key().await.unwrap();
            replacement.begin_data_key(number).await.unwrap();
            replacement.seal_the_rest().await.unwrap();
            assert_eq!(replacement.end_earlier().await.unwrap(), [1]);
        }).await;
        let from = first.app.master_key.id();
        assert_told(&told, &[
            json!({"event": "secrets.master_key_replaced", "data_key": 1, "from": from, "to": master.id()}),
            json!({"event": "secrets.data_key_made", "data_key": 2, "actor": "server"}),
            json!({"event": "secrets.data_key_begun", "data_key": 2}),
            json!({"event": "secrets.data_key_ended", "data_key": 1}),
        ]);
        assert!(server.verify_audit_log(None).await.is_ok());
    }

    async fn whoever_has_no_token_for_the_admin_listener_is_told(kind: Kind) {
        let server = TestServer::with_external_ui(kind, &[]).await;
        let request = Request::get("/admin/v1/login?challenge=x").header(header::AUTHORIZATION, "Bearer wrong-token");
        let (told, _) = server.told(server.admin_request(request.body(Body::empty()).unwrap())).await;
        assert_told(&told, &[json!({"event": "admin_api.refused", "actor": "unknown", "address": "0.0.0.0"})]);
        assert!(!json!(told).to_string().contains("wrong-token"));
    }
}
