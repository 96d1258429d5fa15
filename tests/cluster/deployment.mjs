// Replicas of the server on one database, behind one issuer, with a client and a user to work with.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Walker } from "../clients/node/walker.mjs";
import { freePort, projectRoot } from "../support/chancery.mjs";
import { balancer } from "./programs.mjs";
import { run, until } from "./stage.mjs";

const binary = process.env.CHANCERY_BIN ?? join(projectRoot, "target", "debug", "chancery");
export const REDIRECT_URI = "https://app.example/callback";

export class Deployment {
  /** Three replicas behind HAProxy, ready, with a client and a user. */
  static async start(stage, databaseUrl, settings = {}) {
    const self = new Deployment();
    self.stage = stage;
    self.replicas = [];
    const ports = [await freePort(), await freePort(), await freePort()];
    self.direct = ports.map((port) => `http://127.0.0.1:${port}`);
    self.issuer = `http://127.0.0.1:${await balancer(stage, ports)}`;
    self.environment = {
      CHANCERY_SERVER__ISSUER: self.issuer,
      CHANCERY_SERVER__TRUSTED_PROXIES: "127.0.0.1/32",
      CHANCERY_DATABASE__URL: databaseUrl,
      CHANCERY_SECRETS__MASTER_KEY: randomBytes(32).toString("base64"),
      ...settings,
    };
    await Promise.all(ports.map((_, number) => self.replica(number)));
    await until("HAProxy has found every replica", () => self.#allAnswer());
    await self.#register();
    return self;
  }

  /** Starts a replica, again or for the first time, and waits until it is ready. */
  async replica(number) {
    const environment = { ...this.environment, CHANCERY_SERVER__LISTEN: new URL(this.direct[number]).host };
    const started = await this.stage.start(`replica${number}`, binary, ["serve"], { environment, asRoot: true });
    this.replicas[number] = started;
    await until(`replica ${number} is ready`, async () => {
      if (started.ended !== undefined) throw new Error(started.lastLog());
      return (await fetch(`${this.direct[number]}/readyz`)).ok;
    });
    return started;
  }

  async #allAnswer() {
    const answers = await Promise.all([..."123456"].map(() => fetch(`${this.issuer}/healthz`)));
    const seen = new Set(answers.map((answer) => answer.headers.get("x-replica")));
    return seen.size === 3 && !seen.has(null);
  }

  /** One command with `--json`, and its answer. */
  async command(...line) {
    const env = { PATH: process.env.PATH, ...this.environment };
    const { stdout } = await run(binary, [...line, "--json"], { cwd: this.stage.directory, env });
    return JSON.parse(stdout);
  }

  /** Starts `serve` where it must fail; answers what it said. */
  async refusal(settings) {
    const env = { PATH: process.env.PATH, ...this.environment, ...settings, CHANCERY_SERVER__LISTEN: "127.0.0.1:0" };
    const options = { cwd: this.stage.directory, env, timeout: 20_000 };
    return run(binary, ["serve"], options).then(
      () => "it started",
      (error) => (error.killed ? "it started" : error.stderr),
    );
  }

  async #register() {
    this.client = await this.command(
      ...["client", "create", "--name", "Load", "--redirect-uri", REDIRECT_URI, "--scope", "openid offline_access read"],
      ...["authorization_code", "refresh_token", "client_credentials"].flatMap((type) => ["--grant-type", type]),
    );
    await this.command("client", "update", this.client.client_id, "--max-refresh-grants", "1000");
  }

  /** A browser whose user is new. */
  async person(name) {
    const user = await this.command("user", "create", "--username", name, "--generate-password");
    return { walker: new Walker(user), user };
  }

  /** A form to an endpoint of `base`, as the client. */
  async post(base, path, form, { client_id, client_secret } = this.client) {
    const authorization = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}`;
    const body = new URLSearchParams(form);
    const signal = AbortSignal.timeout(60_000);
    const response = await fetch(base + path, { method: "POST", headers: { authorization }, body, signal });
    const text = await response.text();
    const json = text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : {};
    return { status: response.status, headers: response.headers, text, json };
  }

  async isActive(base, token) {
    const { status, json } = await this.post(base, "/introspect", { token });
    if (status !== 200) throw new Error(`introspection at ${base}: ${status}`);
    return json.active;
  }
}
