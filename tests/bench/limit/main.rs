//! The ceilings: a bare axum server, each of whose paths does one of the things that requests are made of, and nothing
//! else. `scripts/bench --limit` measures it in the same run as the server.
//!
//! usage: bench-limit PORT POSTGRES_URL

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaKeyPair,
};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::postgres::{PgPool, PgPoolOptions};

/// As many as the server has by default.
const CONNECTIONS: u32 = 16;
const ROWS: i64 = 10_000;
/// The length of an ordinary header and payload of an access token.
const SIGNED_BYTES: usize = 560;

struct Limit {
    pool: PgPool,
    next: AtomicI64,
    message: Vec<u8>,
    es256: EcdsaKeyPair,
    es256_signature: Vec<u8>,
    eddsa: Ed25519KeyPair,
    rs256: RsaKeyPair,
    random: SystemRandom,
}

type Shared = State<Arc<Limit>>;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("usage: bench-limit PORT URL");
    let url = arguments.next().expect("usage: bench-limit PORT URL");
    let router = Router::new()
        .route("/readyz", get(constant))
        .route("/constant", post(constant))
        .route("/sign-es256", post(sign_es256))
        .route("/sign-eddsa", post(sign_eddsa))
        .route("/sign-rs256", post(sign_rs256))
        .route("/verify-es256", post(verify_es256))
        .route("/read", post(read))
        .route("/commit", post(commit))
        .with_state(Arc::new(Limit::new(&url).await));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

impl Limit {
    async fn new(url: &str) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .test_before_acquire(false)
            .connect(url)
            .await
            .unwrap();
        // A row of the size of a grant, changed where no index looks.
        sqlx::raw_sql(
            "DROP TABLE IF EXISTS bench_limit;
             CREATE TABLE bench_limit (id TEXT PRIMARY KEY, data TEXT NOT NULL, generation BIGINT NOT NULL) WITH (fillfactor = 50);
             INSERT INTO bench_limit SELECT 'row-' || n, repeat('x', 700), 0 FROM generate_series(0, 9999) AS n",
        )
        .execute(&pool)
        .await
        .unwrap();
        let random = SystemRandom::new();
        let message = vec![b'm'; SIGNED_BYTES];
        let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let es256_signature = es256.sign(&random, &message).unwrap().as_ref().to_vec();
        Self {
            pool,
            next: AtomicI64::default(),
            message,
            es256,
            es256_signature,
            eddsa: Ed25519KeyPair::generate().unwrap(),
            rs256: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            random,
        }
    }

    /// Each row in turn, so that commits don't wait for each other's locks.
    fn row(&self) -> String {
        format!("row-{}", self.next.fetch_add(1, Ordering::Relaxed) % ROWS)
    }
}

fn answer(body: String) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
}

fn ok() -> impl IntoResponse + use<> {
    answer("{\"ok\":true}".to_owned())
}

/// What a token response weighs.
fn token(limit: &Limit, signature: &[u8]) -> impl IntoResponse + use<> {
    let message = String::from_utf8_lossy(&limit.message);
    answer(format!("{{\"ok\":\"{message}.{}\"}}", URL_SAFE_NO_PAD.encode(signature)))
}

async fn constant(_body: Bytes) -> impl IntoResponse {
    ok()
}

async fn sign_es256(State(limit): Shared, _body: Bytes) -> impl IntoResponse {
    let signature = limit.es256.sign(&limit.random, &limit.message).unwrap();
    token(&limit, signature.as_ref())
}

async fn sign_eddsa(State(limit): Shared, _body: Bytes) -> impl IntoResponse {
    let signature = limit.eddsa.sign(&limit.message);
    token(&limit, signature.as_ref())
}

async fn sign_rs256(State(limit): Shared, _body: Bytes) -> impl IntoResponse {
    let mut signature = vec![0; limit.rs256.public_modulus_len()];
    limit.rs256.sign(&signature::RSA_PKCS1_SHA256, &limit.random, &limit.message, &mut signature).unwrap();
    token(&limit, &signature)
}

async fn verify_es256(State(limit): Shared, _body: Bytes) -> impl IntoResponse {
    let key = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, limit.es256.public_key());
    key.verify(&limit.message, &limit.es256_signature).unwrap();
    ok()
}

async fn read(State(limit): Shared, _body: Bytes) -> Result<impl IntoResponse, StatusCode> {
    let row: Option<(String, i64)> = sqlx::query_as("SELECT data, generation FROM bench_limit WHERE id = $1")
        .bind(limit.row())
        .fetch_optional(&limit.pool)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    row.map(|_| ok()).ok_or(StatusCode::NOT_FOUND)
}

async fn commit(State(limit): Shared, _body: Bytes) -> Result<impl IntoResponse, StatusCode> {
    let done = sqlx::query("UPDATE bench_limit SET generation = generation + 1 WHERE id = $1")
        .bind(limit.row())
        .execute(&limit.pool)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    if done.rows_affected() == 1 { Ok(ok()) } else { Err(StatusCode::NOT_FOUND) }
}
