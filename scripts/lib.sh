# shellcheck shell=bash
# What the scripts beside this file share. Sourced, never run.

# shellcheck disable=SC2034 # used by the scripts
project_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Locked only in CI: a person who adds a dependency wants the lock file to follow.
cargo_flags() { if [ -n "${CI:-}" ]; then echo --locked; fi; }

# `rust-version` of Cargo.toml.
oldest_rust() { sed -nE 's/^rust-version = "(.*)"$/\1/p' Cargo.toml; }

# lock_files NAME: every file of that name that belongs to the project.
lock_files() { find . \( -name target -o -name node_modules \) -prune -o -name "$1" -printf '%P\n' | sort; }

# --- what must be installed -------------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

apt_lists_fresh=
install_packages() {
  have apt-get || return 1
  if [ -z "$apt_lists_fresh" ]; then
    as_root apt-get update -qq </dev/null || return 1
    apt_lists_fresh=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# need WHAT PROBE PACKAGE...: when PROBE fails, install the packages and probe again.
need() {
  local what=$1 probe=$2 log
  shift 2
  if "$probe" >/dev/null 2>&1; then return 0; fi
  say "installing $what ($*)"
  log=$(mktemp)
  if ! install_packages "$@" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "missing: $what. It could not be installed here; install the packages $* (Debian's names) and run this again."
  fi
  rm -f "$log"
  "$probe" >/dev/null 2>&1 || die "missing: $what, although the packages $* are installed."
}

rust_ready() { have cargo; }
c_compiler() { have cc; }
postgres_programs() { postgres_bin >/dev/null; }
node_ready() { have node && have npm; }
chromium_ready() { chromium_path >/dev/null; }

need_rust() {
  rust_ready || die "missing: cargo. Install Rust (https://rustup.rs), then run this again."
  need "a C compiler" c_compiler gcc libc6-dev
}

# The official images bring a compiler and nothing beside it.
need_lints() {
  if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return 0; fi
  have rustup || die "missing: rustfmt and clippy. Install both, then run this again."
  say "installing rustfmt and clippy"
  rustup component add rustfmt clippy </dev/null || die "missing: rustfmt and clippy. They could not be installed here."
}

# need_deny: whether cargo-deny is there. It is compiled, which takes minutes, only for who asks for that.
need_deny() {
  if cargo deny --version >/dev/null 2>&1; then return 0; fi
  [ "${CHANCERY_DENY:-}" = 1 ] || return 1
  say "installing cargo-deny"
  cargo install --locked cargo-deny </dev/null
}

need_node() {
  need "Node.js" node_ready nodejs npm
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    die "missing: Node.js 20 or newer (found $(node --version))."
}

shell_tools() { have curl && have jq; }
python_ready() { have python3 && python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'; }

need_python() { need "Python 3.10 or newer" python_ready python3 python3-venv; }

apache_ready() { have apache2 && [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ]; }

balancers_ready() { have haproxy && have pgbouncer; }
failover_ready() { have patroni && have etcd; }
proxies_ready() { have nginx && have caddy && have apache2 && have openssl; }
sqlite_ready() { have sqlite3; }
curl_ready() { have curl; }
debootstrap_ready() { have debootstrap; }
shellcheck_ready() { have shellcheck; }

chromium_path() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && have "$name"; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

# node_packages DIR: the packages of DIR's lock file, fetched only when the lock file changed.
node_packages() {
  local dir=$1
  if [ "$dir/node_modules/.package-lock.json" -nt "$dir/package-lock.json" ]; then return 0; fi
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) || return 1
  touch "$dir/node_modules/.package-lock.json"
}

# python_packages REQUIREMENTS DIR: a virtual environment in DIR with these packages, made anew when the list changed.
python_packages() {
  local requirements=$1 dir=$2
  if cmp -s "$requirements" "$dir/installed.txt"; then return 0; fi
  rm -rf "$dir"
  python3 -m venv "$dir" || return 1
  "$dir/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$requirements" \
    </dev/null || return 1
  "$dir/bin/pip" check --disable-pip-version-check || return 1
  cp "$requirements" "$dir/installed.txt"
}

# --- where temporary files go -----------------------------------------------------------------------

# Memory, where there is enough: databases of tests are made and dropped thousands of times, and nothing of them must
# last. A TMPDIR that is set stays as it is.
temporary_files_in_memory() {
  local free
  [ -z "${TMPDIR:-}" ] && [ -d /dev/shm ] && [ -w /dev/shm ] || return 0
  free=$(df -Pk /dev/shm | awk 'NR == 2 {print $4}')
  if [ "${free:-0}" -gt $((2 * 1024 * 1024)) ]; then export TMPDIR=/dev/shm; fi
}

# --- a throw-away Postgres --------------------------------------------------------------------------

# The directory that holds Postgres' programs; Debian keeps them out of the PATH.
postgres_bin() {
  local dir
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(dirname "$(command -v initdb || true)")"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] && [ -x "$dir/psql" ]; then
      echo "$dir"
      return 0
    fi
  done
  return 1
}

# Postgres refuses to run as root.
as_postgres_user() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif id -u postgres >/dev/null 2>&1; then
    runuser -u postgres -- "$@"
  else
    runuser -u nobody -- "$@"
  fi
}

port_is_free() { ! (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

postgres_dir=
# start_postgres: a fresh server on a free port of the loopback interface.
# Exports CHANCERY_TEST_POSTGRES_URL; stop_postgres ends it (call it from a trap).
start_postgres() {
  local bin password port _attempt
  bin=$(postgres_bin) || die "missing: Postgres' server programs"
  postgres_dir=$(mktemp -d "${TMPDIR:-/tmp}/chancery-postgres.XXXXXX")
  chmod 711 "$postgres_dir"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s\n' "$password" >"$postgres_dir/password"
  mkdir "$postgres_dir/data"
  if [ "$(id -u)" = 0 ]; then
    chown "$(as_postgres_user id -u)" "$postgres_dir/data" "$postgres_dir/password"
  fi
  chmod 700 "$postgres_dir/data"
  chmod 600 "$postgres_dir/password"
  # The password goes over the loopback as it is: SCRAM would cost a debug build tens of milliseconds a connection.
  (cd "$postgres_dir" && as_postgres_user "$bin/initdb" -D data -U postgres --pwfile=password \
    --auth-host=password --auth-local=reject -E UTF8 --locale=C --no-sync) >"$postgres_dir/log" 2>&1 || {
    cat "$postgres_dir/log" >&2
    die "initdb failed"
  }
  # Nothing here must survive a power cut, so fsync is off; everything else is as in production.
  for _attempt in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 10000))
    port_is_free "$port" || continue
    if (cd "$postgres_dir" && as_postgres_user "$bin/pg_ctl" start -w -t 60 -D data -l data/server.log -o \
      "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=400 -c fsync=off") \
      </dev/null >>"$postgres_dir/log" 2>&1; then
      export CHANCERY_TEST_POSTGRES_URL="postgres://postgres:$password@127.0.0.1:$port/postgres"
      export PSQL="$bin/psql"
      return 0
    fi
  done
  cat "$postgres_dir/log" "$postgres_dir/data/server.log" >&2 || true
  die "Postgres did not start"
}

stop_postgres() {
  [ -n "$postgres_dir" ] || return 0
  local bin
  # pg_ctl ends the process whose id stands in the data directory, no other.
  if bin=$(postgres_bin) && [ -f "$postgres_dir/data/postmaster.pid" ]; then
    (cd "$postgres_dir" && as_postgres_user "$bin/pg_ctl" stop -w -m immediate -D data) >/dev/null 2>&1 || true
  fi
  rm -rf "$postgres_dir"
  postgres_dir=
}
