// Three Postgres nodes with streaming replication, of which patroni makes one the primary, as etcd says; and HAProxy,
// which leads to whichever that is. A commit is acknowledged when a second node has it.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, projectRoot } from "../support/chancery.mjs";
import { haproxy, postgresPrograms, sql } from "./programs.mjs";
import { until } from "./stage.mjs";

/** How long patroni lets a primary be silent, in seconds; the least that it takes. */
export const TTL = 20;

export class Postgres {
  static async start(stage) {
    const self = new Postgres();
    self.stage = stage;
    self.password = randomBytes(12).toString("hex");
    self.etcd = await etcd(stage);
    self.nodes = [];
    // The first one makes the database, the others copy it.
    for (const number of [0, 1, 2]) self.nodes.push(await self.#node(number));
    await self.#launch(self.nodes[0]);
    await until("there is a primary", () => self.primary(), 60);
    await Promise.all([self.#launch(self.nodes[1]), self.#launch(self.nodes[2])]);
    await self.whole();
    self.url = `postgres://postgres:${self.password}@127.0.0.1:${await self.#entrance()}/postgres`;
    // At first HAProxy takes every node for one that is up.
    await until("HAProxy leads to the primary only", async () => {
      const asked = [1, 2, 3, 4].map(() => sql(self.url, "SELECT pg_is_in_recovery()"));
      return (await Promise.all(asked)).join() === "f,f,f,f";
    });
    return self;
  }

  async #node(number) {
    const [rest, port, room] = [await freePort(), await freePort(), await this.stage.room(`node${number}`)];
    const data = join(room, "data");
    const node = { name: `node${number}`, rest, port, data, pidFile: join(data, "postmaster.pid") };
    // JSON is YAML.
    node.file = await this.stage.file(join(room, "patroni.yml"), JSON.stringify(this.#settings(node, room)));
    return node;
  }

  #settings({ name, rest, port, data }, room) {
    const local = (port) => `127.0.0.1:${port}`;
    const account = (username) => ({ username, password: this.password });
    return {
      scope: "chancery",
      name,
      restapi: { listen: local(rest), connect_address: local(rest) },
      // Not etcd3: with that patroni 3.0.2 lets a primary that wakes up take the lead back from its successor, without
      // looking whether there is one.
      etcd: { hosts: this.etcd },
      bootstrap: {
        dcs: {
          ...{ ttl: TTL, loop_wait: 2, retry_timeout: 5, primary_start_timeout: 0 },
          // Without this an acknowledged revocation can be lost with the primary.
          synchronous_mode: true,
          postgresql: { use_pg_rewind: true, parameters: { max_connections: 200, wal_log_hints: "on" } },
        },
        initdb: ["data-checksums", { encoding: "UTF8" }, { locale: "C" }],
        pg_hba: ["host all all 127.0.0.1/32 password", "host replication all 127.0.0.1/32 password"],
      },
      postgresql: {
        ...{ listen: local(port), connect_address: local(port), data_dir: data, bin_dir: postgresPrograms() },
        pgpass: join(room, "pgpass"),
        authentication: { superuser: account("postgres"), replication: account("replicator"), rewind: account("rewinder") },
        parameters: { unix_socket_directories: "" },
      },
    };
  }

  async #launch(node) {
    node.running = await this.stage.start(node.name, "patroni", [node.file], { pidFile: node.pidFile });
  }

  /** HAProxy as docs/production.md has it; only addresses are replaced. */
  async #entrance() {
    const port = await freePort();
    const text = readFileSync(join(projectRoot, "docs", "production.md"), "utf8");
    const [, snippet] = text.split("\n### Failover\n")[1].match(/^ *```haproxy\n(.*?)^ *```$/ms);
    const local = this.nodes.reduce(
      (before, node, number) => before.replace(`10.0.0.1${number + 1}:5432 check port 8008`, `127.0.0.1:${node.port} check port ${node.rest}`),
      snippet.replace("127.0.0.1:5432", `127.0.0.1:${port}`),
    );
    await haproxy(this.stage, "entrance", local);
    return port;
  }

  async #is(node, what) {
    const signal = AbortSignal.timeout(1000);
    const answer = await fetch(`http://127.0.0.1:${node.rest}/${what}`, { signal }).catch(() => undefined);
    return answer?.status === 200;
  }

  /** The node that says it is the primary. */
  async primary() {
    for (const node of this.nodes) if (node.running && (await this.#is(node, "primary"))) return node;
    return undefined;
  }

  /** Waits until every node takes part and one of them confirms commits. */
  async whole() {
    await until(
      "every node takes part",
      async () => {
        const roles = await Promise.all(this.nodes.map((node) => this.#is(node, "replica")));
        const confirms = await Promise.all(this.nodes.map((node) => this.#is(node, "synchronous")));
        return roles.filter(Boolean).length === 2 && confirms.some(Boolean) && (await this.primary());
      },
      90,
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.nodes.map(({ running }) => running?.lastLog(12)).join("\n")}`);
    });
  }

  /** A node dies as a whole: patroni, and Postgres with it. */
  kill(node) {
    return node.running.kill();
  }

  restart(node) {
    return this.#launch(node);
  }

  /** A node stops in the middle of everything, without closing a connection: as a machine that is out of reach. */
  freeze(node) {
    node.running.signal("SIGSTOP");
  }

  thaw(node) {
    node.running.signal("SIGCONT");
  }
}

async function etcd(stage) {
  const [client, peer, room] = [await freePort(), await freePort(), await stage.room("etcd")];
  const [clients, peers] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const args = [
    ...["--name", "one", "--data-dir", join(room, "data")],
    ...["--enable-v2", "--listen-client-urls", clients, "--advertise-client-urls", clients],
    ...["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", `one=${peers}`],
  ];
  await stage.start("etcd", "etcd", args);
  await until("etcd answers", async () => (await fetch(`${clients}/health`)).ok);
  return `127.0.0.1:${client}`;
}
