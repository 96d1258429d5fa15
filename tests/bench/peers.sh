# shellcheck shell=bash
# What `scripts/bench --peers` and `--against` need besides: other servers, fetched and started. Sourced by it, never run.
# shellcheck disable=SC2154 # variables of scripts/bench

peer_directories=()
peer_pids=()

stop_peers() {
  local pid
  for pid in "${peer_pids[@]}"; do stop "$pid" TERM; done
  peer_pids=()
}

# wait_for WHAT LOG COMMAND...: until the command succeeds, at most 30 s.
wait_for() {
  local what=$1 log=$2 _tenth
  shift 2
  for _tenth in $(seq 300); do
    if "$@"; then return 0; fi
    sleep 0.1
  done
  die "$what did not start: $(tail -n 5 "$log")"
}

port_is_taken() { ! port_is_free "$1"; }

# --- their packages -----------------------------------------------------------------------------------

fetch_peers() {
  need_node
  node_packages tests/bench/peers || die "missing: the npm package oidc-provider"
  glewlwyd_root=
  glewlwyd=(glewlwyd)
  if have glewlwyd; then return 0; fi
  glewlwyd_root=$(realpath -m "$target")/peers/glewlwyd
  if [ ! -x "$glewlwyd_root/usr/bin/glewlwyd" ]; then unpack_glewlwyd; fi
  glewlwyd=(env LD_LIBRARY_PATH="$(printf '%s:' "$glewlwyd_root"/usr/lib/*-linux-gnu*)" "$glewlwyd_root/usr/bin/glewlwyd")
}

# Unpacked and not installed, which needs no root: installed it would set up a database and start a server of its own.
unpack_glewlwyd() {
  local new=$glewlwyd_root.new log=$glewlwyd_root.log package
  say "fetching Glewlwyd"
  rm -rf "$new"
  mkdir -p "$new/archives/partial"
  download_glewlwyd "$new/archives" >"$log" 2>&1 ||
    { as_root apt-get update -qq && download_glewlwyd "$new/archives"; } >>"$log" 2>&1 ||
    die "missing: Glewlwyd. apt-get could not fetch the package glewlwyd; where it knows none, run apt-get update as root.
$(tail -n 5 "$log")"
  for package in "$new"/archives/*.deb; do dpkg-deb -x "$package" "$new"; done
  rm -rf "$new/archives" "$glewlwyd_root"
  mv "$new" "$glewlwyd_root"
}

# With the libraries that are not installed.
download_glewlwyd() {
  have apt-get && apt-get install -qq -y --download-only --no-install-recommends -o Debug::NoLocking=true \
    -o Dir::Cache::archives="$1" glewlwyd dbconfig-no-thanks </dev/null
}

# --- the servers --------------------------------------------------------------------------------------

start_oidc_provider() {
  local dir=$work/oidc-provider
  mkdir "$dir"
  NODE_ENV=production node tests/bench/peers/oidc-provider.mjs "$("$load" free-port)" "$dir" >"$dir/log" 2>&1 </dev/null &
  peer_pids+=($!)
  wait_for oidc-provider "$dir/log" test -s "$dir/server.json"
  peer_directories+=("$dir")
}

# On the same Postgres, in a database of its own.
start_glewlwyd() {
  local dir=$work/glewlwyd sql=$glewlwyd_root/usr/share/dbconfig-common/data/glewlwyd/install port version pid
  mkdir "$dir"
  query "CREATE DATABASE glewlwyd"
  postgres_psql -d glewlwyd -v ON_ERROR_STOP=1 -c "CREATE EXTENSION pgcrypto" -f "$sql/pgsql" -f "$sql/postgre.default.sql" \
    >"$dir/log" 2>&1 || die "Glewlwyd's database: $(tail -n 5 "$dir/log")"
  port=$("$load" free-port)
  glewlwyd_settings "$port" "$dir/log" >"$dir/glewlwyd.conf"
  version=$("${glewlwyd[@]}" --help | sed -n 's/^Version //p')
  "${glewlwyd[@]}" --config-file="$dir/glewlwyd.conf" >>"$dir/log" 2>&1 </dev/null &
  pid=$!
  peer_pids+=("$pid")
  wait_for Glewlwyd "$dir/log" port_is_taken "$port"
  node tests/bench/peers/glewlwyd.mjs "http://127.0.0.1:$port" "$dir" "$pid" "$postmaster_pid" "$version" ||
    die "Glewlwyd could not be set up: $(tail -n 5 "$dir/log")"
  peer_directories+=("$dir")
}

# glewlwyd_settings PORT LOG: those of its sample, for this place; it logs what goes wrong and no more.
glewlwyd_settings() {
  local modules=$glewlwyd_root/usr/lib/glewlwyd
  cat <<CONF
port = $1
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:$1"
login_url = "login.html"
api_prefix = "api"
log_mode = "file"
log_level = "WARNING"
log_file = "$2"
cookie_domain = "127.0.0.1"
cookie_secure = 0
hash_algorithm = "SHA512"
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "$modules/user"
user_middleware_module_path = "$modules/user_middleware"
client_module_path = "$modules/client"
user_auth_scheme_module_path = "$modules/scheme"
plugin_module_path = "$modules/plugin"
database = {
  type = "postgre"
  conninfo = "host=127.0.0.1 port=$postgres_port dbname=glewlwyd user=postgres password=$postgres_password"
}
CONF
}

# A server that somebody else started.
meet() {
  local dir=$work/against
  mkdir "$dir"
  "$load" meet --url "$1" --into "$dir" ${2:+--pid "$2"} || die "$1 cannot be compared"
  peer_directories+=("$dir")
}

# --- the comparison -----------------------------------------------------------------------------------

# The sections of the report, one for each other server.
compare() {
  local directory directories
  configure postgres
  start_server
  printf '{"name": "Chancery", "url": "%s", "pid": %d, "postmaster": %d}\n' "$url" "$server_pid" "$postmaster_pid" \
    >"$fixtures/server.json"
  if [ -n "$peers" ]; then
    start_oidc_provider
    start_glewlwyd
  fi
  if [ -n "$against" ]; then meet "$against" "$against_pid"; fi
  directories=$fixtures
  for directory in "${peer_directories[@]}"; do directories+=,$directory; done
  printf 'How many times better Chancery did, the median of the rounds and between what they lie; p99: how many times shorter.\n\n'
  say "comparing"
  generate_load compare --servers "$directories"
  stop_server
}
