#!/usr/bin/env bash
# How often sqlx lets others go first while it proves one password to Postgres (SCRAM-SHA-256, 4,096 rounds).
#
# Seen with sqlx 0.9.0 and tokio 1: after every fifth round it yields to the runtime, so that one connection goes through
# the run queue 819 times. Each time it waits for every task that is ready. On a server that is busy this makes the
# opening of a connection take seconds, though it costs two milliseconds of processor; and the busier the server, the longer.
# Needs Rust, and Postgres' server programs (Debian's package postgresql).
set -euo pipefail
bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
work=$(mktemp -d)
chmod 711 "$work"
as_postgres() { if [ "$(id -u)" = 0 ]; then (cd "$work" && su postgres -s /bin/sh -c "$1"); else sh -c "$1"; fi; }
stop() {
  [ ! -e "$work/data/postmaster.pid" ] || as_postgres "$bin/pg_ctl stop -s -m immediate -D $work/data"
  rm -rf "$work"
}
trap stop EXIT

mkdir "$work/data"
echo password >"$work/password"
if [ "$(id -u)" = 0 ]; then chown postgres "$work/data" "$work/password"; fi
as_postgres "$bin/initdb -D $work/data -U postgres --pwfile=$work/password -A scram-sha-256 --no-sync" >/dev/null
port=$((20000 + RANDOM % 10000))
as_postgres "$bin/pg_ctl start -s -w -D $work/data -l $work/data/log -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='"

mkdir -p "$work/try/src"
cat >"$work/try/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2024"
[dependencies]
sqlx = { version = "=0.9.0", default-features = false, features = ["postgres", "runtime-tokio"] }
tokio = { version = "1", features = ["rt", "time"] }
TOML
cat >"$work/try/src/main.rs" <<'RUST'
use sqlx::{Connection, PgConnection};
use std::{cell::Cell, rc::Rc};

/// How often another task, which is always ready, is let go first while one connection is opened.
fn main() {
    let url = std::env::args().nth(1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = Rc::new(Cell::new(0));
    let counted = turns.clone();
    let derived = std::cell::Cell::new(0);
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::task::spawn_local(async move {
            loop {
                // As long as a short request takes.
                let begun = std::time::Instant::now();
                while begun.elapsed() < std::time::Duration::from_micros(200) {}
                counted.set(counted.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        let connection = PgConnection::connect(&url).await.unwrap();
        derived.set(turns.get());
        drop(connection);
    });
    println!("{}", derived.get());
}
RUST
turns=$(cd "$work/try" && cargo run -q --release -- "postgres://postgres:password@127.0.0.1:$port/postgres?sslmode=disable")
echo "another task went first $turns times"
[ "$turns" -ge 819 ] && [ "$turns" -le 1000 ]
