// The programs around the server: Postgres, PgBouncer, HAProxy.

import { randomBytes } from "node:crypto";
import { readdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/chancery.mjs";
import { run, until } from "./stage.mjs";

/** The directory of the newest server programs; Debian keeps them out of the PATH. */
export function postgresPrograms() {
  const versions = readdirSync("/usr/lib/postgresql").sort((one, two) => Number(two) - Number(one));
  const found = versions.map((version) => `/usr/lib/postgresql/${version}/bin`).find((path) => existsSync(`${path}/initdb`));
  if (!found) throw new Error("Postgres' server programs are missing");
  return found;
}

export async function sql(url, statement) {
  const { stdout } = await run(join(postgresPrograms(), "psql"), [url, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement]);
  return stdout.trim();
}

/** One Postgres, with a database for the server. */
export async function postgres(stage) {
  const programs = postgresPrograms();
  const [data, port, password] = [await stage.room("postgres"), await freePort(), randomBytes(12).toString("hex")];
  const secret = await stage.file(`${data}.password`, password);
  const files = ["-D", data, "-U", "postgres", "--pwfile", secret, "--locale=C", "-E", "UTF8"];
  await stage.run(join(programs, "initdb"), [...files, "--auth-host=password", "--auth-local=reject"]);
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", port, max_connections: 200 };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  await stage.start("postgres", join(programs, "postgres"), ["-D", data, ...options]);
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  await until("Postgres answers", () => sql(url, "SELECT 1"));
  return { url, port, password };
}

/** PgBouncer in front of a Postgres; `mode` is session or transaction. */
export async function pgbouncer(stage, { port: server, password }, mode) {
  const [room, port] = [await stage.room(`pgbouncer-${mode}`), await freePort()];
  const users = await stage.file(join(room, "users.txt"), `"postgres" "${password}"\n`);
  const file = await stage.file(
    join(room, "pgbouncer.ini"),
    `[databases]
postgres = host=127.0.0.1 port=${server} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = 80
max_client_conn = 200
`,
  );
  const running = await stage.start(`pgbouncer-${mode}`, "pgbouncer", [file]);
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  await until("PgBouncer answers", () => sql(url, "SELECT 1"));
  return { url, running };
}

/** HAProxy with these sections below its defaults. */
export async function haproxy(stage, name, sections) {
  const room = await stage.room(name);
  const file = await stage.file(
    join(room, "haproxy.cfg"),
    `global
  stats socket ${join(room, "socket")} mode 600 level admin
defaults
  timeout connect 2s
  timeout client 60s
  timeout server 60s
${sections}`,
  );
  return stage.start(name, "haproxy", ["-db", "-f", file]);
}

/** Balances requests over the replicas, and says in X-Replica which one answered. */
export async function balancer(stage, ports) {
  const port = await freePort();
  const servers = ports.map((server, number) => `  server replica${number} 127.0.0.1:${server} check`);
  await haproxy(
    stage,
    "balancer",
    `  mode http
  option redispatch
  retries 3
  timeout http-keep-alive 5s
frontend public
  bind 127.0.0.1:${port}
  default_backend chancery
backend chancery
  balance roundrobin
  option forwardfor
  option httpchk GET /readyz
  default-server inter 300ms fall 2 rise 1
  http-response set-header X-Replica %s
  http-error status 503 content-type application/json string '{"error":"temporarily_unavailable"}' hdr Retry-After 5
${servers.join("\n")}
`,
  );
  return port;
}
