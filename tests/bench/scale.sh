# shellcheck shell=bash
# What `scripts/bench --scale` needs besides: a database with millions of rows in it, and one that stays small under
# steady load. Sourced by it, never run.
# shellcheck disable=SC2154 # variables of scripts/bench

# Bytes on disk, indexes included, as measured; and what the fill takes for a while: the write-ahead log, sorting.
bytes_per_grant=650
bytes_per_user=1200
bytes_per_client=900
bytes_besides=3000000000
# The largest table or index that may be read through.
small_table_rows=5000
# A plateau: the last third of the samples is at most this many percent of the third before.
plateau_percent=110

# All operations, some at a time.
families="client_credentials code_flow refresh introspect userinfo jwks discovery login-page sign-in"

sampler_pid=
sampled=

stop_sampling() {
  if [ -n "$sampler_pid" ]; then stop "$sampler_pid" TERM; fi
  sampler_pid=
}

refuse_little_disk() {
  local needed available
  needed=$((scale_grants * bytes_per_grant + scale_users * bytes_per_user + scale_clients * bytes_per_client + bytes_besides))
  available=$(df --output=avail -B1 "${TMPDIR:-/tmp}" | tail -n 1)
  say "this needs about $((needed / 1000000)) MB below ${TMPDIR:-/tmp}, where $((available / 1000000)) MB are free"
  [ "$needed" -lt "$available" ] || die "the disk has not enough room: lower --grants, --users and --clients, or set TMPDIR"
}

in_database() { postgres_psql -v ON_ERROR_STOP=1 -d "$@"; }

# --- the full database --------------------------------------------------------------------------------

# insert TABLE NUMBER COLUMN=EXPRESSION...: a statement that copies the template's row, with i from 1 to NUMBER. Columns that
# are not named, of migrations to come too, are the template's.
insert() {
  local table=$1 number=$2 column pair names='' values=''
  local -A given=()
  shift 2
  for pair in "$@"; do given[${pair%%=*}]=${pair#*=}; done
  for column in $(in_database chancery -c "SELECT column_name FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = '$table' ORDER BY ordinal_position"); do
    names+=", $column"
    values+=", ${given[$column]:-t.$column}"
  done
  printf 'INSERT INTO %s (%s) SELECT %s FROM template_%s t, generate_series(1, %s) i;\n' \
    "$table" "${names#, }" "${values#, }" "$table" "$number"
}

# The whole fill as SQL. Rows are as the server writes them, ids look like its own; of the grants a twentieth was revoked
# today, the others were made in the last ninety days; the first of each user belongs to a session that lives.
fill_statements() {
  local now="extract(epoch FROM now())::bigint" users=$scale_users clients=$scale_clients
  local age="(i::bigint * 7919 % 7700000)"
  cat <<SQL
SET session_replication_role = replica;
SET maintenance_work_mem = '256MB';
CREATE FUNCTION pg_temp.made(kind TEXT, i BIGINT) RETURNS TEXT IMMUTABLE LANGUAGE sql
  AS \$\$ SELECT translate(encode(decode(md5(kind || i), 'hex'), 'base64'), '+/=', '-_') \$\$;
CREATE TEMP TABLE template_users AS SELECT * FROM users LIMIT 1;
CREATE TEMP TABLE template_clients AS SELECT * FROM clients WHERE metadata LIKE '%web-es256%' LIMIT 1;
CREATE TEMP TABLE template_consents AS SELECT * FROM consents LIMIT 1;
CREATE TEMP TABLE template_sessions AS SELECT * FROM sessions LIMIT 1;
CREATE TEMP TABLE template_grants AS SELECT * FROM grants ORDER BY state = 'active' AND refreshable DESC LIMIT 1;
CREATE TEMP TABLE template_authorization_requests AS SELECT * FROM authorization_requests LIMIT 1;
CREATE TEMP TABLE template_revoked_tokens (id TEXT);
INSERT INTO template_revoked_tokens VALUES ('');
CREATE TEMP TABLE template_used_assertions AS SELECT * FROM template_revoked_tokens;
DELETE FROM grants;
DELETE FROM authorization_requests;
CREATE TEMP TABLE indexes AS SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition FROM pg_index x
  JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = 'grants'::regclass;
ALTER TABLE grants DROP CONSTRAINT grants_pkey;
SELECT format('DROP INDEX IF EXISTS %I', name) FROM indexes \gexec
SQL
  insert users "$users" "id=pg_temp.made('user', i)" "username='user' || i" "username_key='user' || i" \
    "email='user' || i || '@example.com'" "email_key='user' || i || '@example.com'"
  insert clients "$clients" "id=pg_temp.made('client', i)" "metadata=replace(t.metadata, t.id, pg_temp.made('client', i))"
  insert consents "$users" "user_id=pg_temp.made('user', i)" "client_id=pg_temp.made('client', 1 + i % $clients)"
  insert sessions "$users" "id=pg_temp.made('session', i)" "salt=pg_temp.made('salt', i)" "user_id=pg_temp.made('user', i)" \
    "expires_at=$now + 90000 + i % 1100000"
  insert authorization_requests $((scale_grants / 100)) "id=pg_temp.made('request', i)" \
    "client_id=pg_temp.made('client', 1 + i % $clients)" "created_at=$now - i % 80000" "expires_at=$now - i % 80000 + 1800"
  insert revoked_tokens $((scale_grants / 100)) "id=pg_temp.made('token', i)" "expires_at=$now + 3600 + i % 3600"
  insert used_assertions $((scale_grants / 100)) "id=pg_temp.made('assertion', i)" "expires_at=$now + 3600 + i % 3600"
  insert grants "$scale_grants" "id=pg_temp.made('grant', i)" "salt=pg_temp.made('salt', i)" \
    "user_id=pg_temp.made('user', 1 + i % $users)" \
    "client_id=pg_temp.made('client', 1 + (i / $users + i::bigint * 31) % $clients)" \
    "session_id=pg_temp.made('session', CASE WHEN i < $users THEN 1 + i ELSE i + 1000000000 END)" \
    "state=CASE WHEN i % 20 = 0 THEN 'revoked' ELSE 'active' END" "refreshable=TRUE" "generation=1 + i % 50" \
    "created_at=$now - CASE WHEN i % 20 = 0 THEN i % 80000 ELSE $age END" "rotated_at=$now - $age / 4" \
    "auth_time=$now - $age" "code_expires_at=$now - $age + 60" "expires_at=$now + 7776000 - $age"
  cat <<'SQL'
ALTER TABLE grants ADD CONSTRAINT grants_pkey PRIMARY KEY (id);
SELECT definition FROM indexes WHERE name <> 'grants_pkey' \gexec
SQL
}

# Without durability, which is back before anything is measured.
fill() {
  local since=$SECONDS
  say "filling: $scale_grants grants, $scale_users users, $scale_clients clients"
  stop_postgres
  run_postgres_with "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal \
    -c max_wal_senders=0 -c max_wal_size=2GB -c shared_buffers=512MB -c autovacuum=off"
  fill_statements >"$work/fill.sql"
  in_database chancery -f "$work/fill.sql" >"$work/fill.log" 2>&1 || die "filling: $(tail -n 5 "$work/fill.log")"
  in_database chancery -c "VACUUM (ANALYZE)"
  query "CHECKPOINT"
  stop_postgres
  sync
  run_postgres
  say "filled in $((SECONDS - since)) s"
}

# sizes DATABASE: a table of its larger tables.
sizes() {
  printf '| table | rows | table | indexes | bytes a row |\n|---|---:|---:|---:|---:|\n'
  in_database "$1" -F '|' -c "SELECT relname, n_live_tup, pg_size_pretty(pg_table_size(relid)), pg_size_pretty(pg_indexes_size(relid)),
      CASE WHEN n_live_tup > 0 THEN pg_total_relation_size(relid) / n_live_tup END
    FROM pg_stat_user_tables WHERE n_live_tup > 1000 ORDER BY pg_total_relation_size(relid) DESC" | sed 's/|/ | /g; s/^/| /; s/$/ |/'
}

# --- what reads a big table through -------------------------------------------------------------------

# Every statement of a short load and of a round of purging, as Postgres planned and ran it.
look_for_scans() {
  local log=$work/postgres-server/data/server.log big
  big=$(in_database chancery -c "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND reltuples > $small_table_rows" | paste -sd '|')
  query "ALTER DATABASE chancery SET session_preload_libraries = auto_explain"
  query "ALTER DATABASE chancery SET auto_explain.log_min_duration = 0"
  : >"$log"
  short_load
  query "ALTER DATABASE chancery RESET ALL"
  awk -v big="^($big)$" '
    /Query Text: / { statement = $0; sub(/.*Query Text: /, "", statement); seen[statement]; next }
    /Seq Scan on / { table = $0; sub(/.*Seq Scan on /, "", table); sub(/ .*/, "", table)
      if (table ~ big) bad[statement] = bad[statement] " " table }
    END { for (statement in seen) number++
      print number + 0
      for (statement in bad) print bad[statement] ": " statement }' "$log" >"$work/scans"
  : >"$log"
}

report_scans() {
  local number
  number=$(head -n 1 "$work/scans")
  if [ "$(wc -l <"$work/scans")" = 1 ]; then
    printf 'None of %s different statements read a table of more than %s rows through.\n\n' "$number" "$small_table_rows"
    return
  fi
  missed=yes
  printf 'Of %s different statements these read a table of more than %s rows through:\n\n' "$number" "$small_table_rows"
  # shellcheck disable=SC2016 # backquotes of Markdown
  sed '1d; s/^ \([^:]*\): \(.*\)$/- \1: `\2`/' "$work/scans"
  printf '\n'
}

# --- the plateau --------------------------------------------------------------------------------------

# What is kept only for a minute or two, so that minutes show what years do.
short_lives() {
  export CHANCERY_TOKENS__AUTHORIZATION_CODE_SECONDS=10 CHANCERY_TOKENS__ACCESS_TOKEN_SECONDS=30
  export CHANCERY_TOKENS__REFRESH_TOKEN_SECONDS=60 CHANCERY_TOKENS__REFRESH_TOKEN_IDLE_SECONDS=60
  export CHANCERY_SESSIONS__REQUEST_SECONDS=60 CHANCERY_DATABASE__ENDED_KEPT_SECONDS=60
}

# Once a second: time, bytes of the table of grants with its indexes, of the whole database, live and dead rows, and how
# many were ever made.
sample() {
  sampled=$work/samples
  printf '%s \\watch 1\n' "SELECT extract(epoch FROM clock_timestamp())::bigint, pg_total_relation_size('grants'),
    pg_database_size('plateau'), n_live_tup, n_dead_tup, n_tup_ins FROM pg_stat_user_tables WHERE relname = 'grants'" |
    tr '\n' ' ' >"$work/sample.sql"
  echo >>"$work/sample.sql"
  PGPASSWORD=$postgres_password "$postgres_programs/psql" -h 127.0.0.1 -p "$postgres_port" -U postgres -d plateau -qAtX \
    -f "$work/sample.sql" >"$sampled" 2>&1 </dev/null &
  sampler_pid=$!
}

measure_plateau() {
  local options=("${load_options[@]}")
  query "CREATE DATABASE plateau"
  short_lives
  configure plateau plateau
  start_server
  sample
  say "steady load for $plateau_seconds s"
  load_options=(--seconds "$plateau_seconds" --only code_flow-pair --concurrency 16)
  generate_load run --url "$url" --fixtures "$fixtures" --pid "$server_pid" --postmaster "$postmaster_pid" \
    --results "$work/plateau.jsonl" >"$work/rows.md"
  load_options=("${options[@]}")
  stop_sampling
  stop_server
  unset "${!CHANCERY_@}"
}

report_plateau() {
  local verdict grants
  grants=$(sed -n 's/.*"requests":\([0-9]*\).*/\1/p' "$work/plateau.jsonl")
  printf '### Size under steady load\n\n%s grants were made and redeemed in %s s at 16 connections, each with a life of 40 s and kept for 60 s more.\n\n' \
    "$grants" "$plateau_seconds"
  printf '| seconds | grants, table and indexes MB: least | most | whole database MB: most | grants made | rows, at the end | dead rows, at the end |\n|---|---:|---:|---:|---:|---:|---:|\n'
  grep -E '^[0-9]+\|' "$sampled" | awk -F '|' -v total="$plateau_seconds" -v percent="$plateau_percent" '
    NR == 1 { first = $1; step = total / 8 }
    { part = int(($1 - first) / step); if (part > 7) part = 7
      if (!(part in least) || $2 < least[part]) least[part] = $2
      if ($2 > most[part]) most[part] = $2
      if ($3 > whole[part]) whole[part] = $3
      rows[part] = $4; dead[part] = $5; made[part] = $6
      third = int(($1 - first) * 3 / total); if (third > 2) third = 2
      if ($2 > peak[third]) peak[third] = $2 }
    END { for (part = 0; part < 8; part++) if (part in least)
        printf "| %d to %d | %.1f | %.1f | %.1f | %d | %d | %d |\n", part * step, (part + 1) * step, least[part] / 1e6, most[part] / 1e6,
          whole[part] / 1e6, made[part] - made[part - 1], rows[part], dead[part]
      grown = peak[1] > 0 ? peak[2] * 100 / peak[1] : 1000
      printf "\nThe last third reached %.0f %% of the size of the third before: %s.\n", grown, grown <= percent ? "a plateau" : "no plateau" }' \
    >"$work/plateau.md"
  cat "$work/plateau.md"
  verdict=$(tail -n 1 "$work/plateau.md")
  case $verdict in *"no plateau"*) missed=yes ;; esac
  in_database plateau -F ' ' -c "SELECT 'Of', n_tup_upd, 'updates of grants', n_tup_hot_upd,
    'were made in place (HOT: a code that is redeemed moves in an index, a refresh does not); autovacuum came', autovacuum_count, 'times;', n_tup_del, 'rows were deleted.'
    FROM pg_stat_user_tables WHERE relname = 'grants'"
  printf '\n'
  sizes plateau
  printf '\n'
}

# --- the report ---------------------------------------------------------------------------------------

# use NAME: the server and its database that were configured by that name.
use() {
  config=$work/$1/chancery.toml
  fixtures=$work/$1/fixtures
  url=$(sed -n 's/^issuer = "\(.*\)"/\1/p' "$config")
}

# measure_costs NAME FAMILY: what requests of these operations cost there now, in one round, into NAME.jsonl.
measure_costs() {
  local options=("${load_options[@]}")
  use "$1"
  start_server
  say "measuring $2 on the $1 database"
  load_options+=(--rounds 1 --only "$2")
  generate_load run --url "$url" --fixtures "$fixtures" --pid "$server_pid" --postmaster "$postmaster_pid" \
    --results "$work/$1.jsonl" >"$work/rows.md"
  load_options=("${options[@]}")
  stop_server
}

# A bit of everything, not to be measured.
short_load() {
  local options=("${load_options[@]}")
  start_server
  load_options+=(--seconds 1 --warm-up 0 --rounds 1 --concurrency 4 --pool 100)
  generate_load run --url "$url" --fixtures "$fixtures" --pid "$server_pid" --postmaster "$postmaster_pid" >"$work/rows.md"
  load_options=("${options[@]}")
  stop_server
}

measure_scale() {
  # Goals in requests per CPU-second are no matter here, and have a run of their own.
  local checked=$check check='' family _round
  configure full
  short_load
  fill
  query "CREATE DATABASE empty"
  configure empty empty
  # In turn, and not long after each other, so that what else the machine does meets both.
  for _round in $(seq "$rounds"); do
    for family in ${only:-$families}; do
      measure_costs empty "$family"
      measure_costs full "$family"
    done
  done
  use full
  look_for_scans
  printf '### Cost of a request\n\n'
  "$load" growth --empty "$work/empty.jsonl" --full "$work/full.jsonl" ${checked:+--check} || missed=yes
  printf '### The full database\n\n'
  sizes chancery
  printf '\n### Statements\n\n'
  report_scans
  if [ "$plateau_seconds" -gt 0 ]; then
    # Only its figures are needed any more, and the disk is.
    query "DROP DATABASE chancery"
    measure_plateau
    report_plateau
  fi
  # shellcheck disable=SC2034 # used by scripts/bench
  if [ -z "$checked" ]; then missed=''; fi
}
