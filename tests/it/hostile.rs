//! Whatever comes in, the answer is one of the standard's own and never a failure of the server.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{TestServer, on_both, text};

/// Values that somebody sends to see what breaks.
fn values(genuine: &str) -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        " ",
        "\0",
        "\u{feff}",
        "💥",
        "'",
        "\"",
        "\\",
        "%",
        "%00",
        "' OR 1=1 --",
        "$1",
        "{}",
        "[]",
        "null",
        "-1",
        "../../etc/passwd",
        "<script>",
        "\r\nx: y",
        "cy_ac_",
        "cy_rt_",
        "cy_st_",
        "..",
        "....",
        "a.b.c",
        "e30.e30.",
    ]
    .map(str::to_owned)
    .into();
    values.push("x".repeat(10_000));
    values.push(format!("{genuine} "));
    values.push(genuine.chars().rev().collect());
    values.extend((0..genuine.len()).step_by(7).map(|at| genuine[..at].to_owned()));
    values
}

on_both! {
    async fn no_value_of_a_parameter_makes_the_server_fail(kind: Kind) {
        let server = TestServer::start(kind).await;
        let (client, _) = (server.client(json!({})).await, server.user("ada").await);
        let tokens = server.tokens(&client, "ada").await;
        let genuine = [
            server.code(&client, "ada", &[]).await,
            text(&tokens, "refresh_token"),
            text(&tokens, "access_token"),
        ];
        for value in genuine.iter().flat_map(|genuine| values(genuine)) {
            let value = value.as_str();
            for (path, form) in [
                ("/token", vec![("grant_type", value)]),
                ("/token", vec![("grant_type", "authorization_code"), ("code", value)]),
                ("/token", vec![("grant_type", "refresh_token"), ("refresh_token", value)]),
                ("/token", vec![("grant_type", "client_credentials"), ("scope", value)]),
                ("/token", vec![("grant_type", "client_credentials"), (value, value)]),
                ("/introspect", vec![("token", value)]),
                ("/introspect", vec![("token", "x"), ("token_type_hint", value)]),
                ("/revoke", vec![("token", value)]),
                ("/userinfo", vec![("access_token", value)]),
            ] {
                let answer = server.post_as(&client, path, &form).await;
                assert!(matches!(answer.status.as_u16(), 200 | 400 | 401), "{path} {value:?}: {answer:?}");
            }
        }
        assert!(server.is_active(&client, &text(&tokens, "access_token")).await, "and nothing was revoked");
    }

    async fn no_header_makes_the_server_fail(kind: Kind) {
        let server = TestServer::start(kind).await;
        for value in [&b"\xff\xfe"[..], b"Basic \xff", b"Basic ////", b"Bearer \xc3\x28", b"basic", b"Digest x", b" "] {
            for path in ["/token", "/introspect", "/revoke", "/userinfo"] {
                for name in ["authorization", "content-type", "cookie", "origin", "x-request-id", "accept-language"] {
                    let request = Request::post(path).header(name, value).body(Body::from("token=x")).unwrap();
                    let answer = server.send(request).await;
                    assert!(matches!(answer.status.as_u16(), 400 | 401), "{path} {name}: {answer:?}");
                }
            }
        }
    }
}
