// Replicas of the server on one database, behind one issuer, with a client and a user to work with.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Walker } from "../clients/node/walker.mjs";
import { freePort, projectRoot } from "../support/chancery.mjs";
import { balancer } from "./programs.mjs";
import { run, until } from "./stage.mjs";

export const binary = process.env.CHANCERY_BIN ?? join(projectRoot, "target", "debug", "chancery");
export const REDIRECT_URI = "https://app.example/callback";

/** Starts a server with these settings. */
export function serve(stage, name, environment, program = binary) {
  return stage.start(name, program, ["serve"], { environment, asRoot: true });
}

export class Deployment {
  /** Three replicas behind HAProxy, ready, with a client. */
  static async start(stage, databaseUrl, settings = {}, program = binary) {
    const ports = [await freePort(), await freePort(), await freePort()];
    const issuer = `http://127.0.0.1:${await balancer(stage, ports)}`;
    const self = new Deployment(stage, ports, issuer, { CHANCERY_DATABASE__URL: databaseUrl, ...settings });
    self.program = program;
    await Promise.all(ports.map((_, number) => self.replica(number)));
    await until("HAProxy has found every replica", () => self.#allAnswer());
    await self.#register();
    return self;
  }

  /** One server, without anything before it. */
  static async alone(stage, databaseUrl) {
    const port = await freePort();
    const self = new Deployment(stage, [port], `http://127.0.0.1:${port}`, { CHANCERY_DATABASE__URL: databaseUrl });
    await self.replica(0);
    await self.#register();
    return self;
  }

  constructor(stage, ports, issuer, settings) {
    Object.assign(this, { stage, issuer, program: binary, replicas: [] });
    this.direct = ports.map((port) => `http://127.0.0.1:${port}`);
    this.environment = {
      CHANCERY_SERVER__ISSUER: issuer,
      CHANCERY_SERVER__TRUSTED_PROXIES: "127.0.0.1/32",
      CHANCERY_SECRETS__MASTER_KEY: randomBytes(32).toString("base64"),
      ...settings,
    };
  }

  /** Starts a replica, again or for the first time, and waits until it is ready. */
  async replica(number) {
    const environment = { ...this.environment, CHANCERY_SERVER__LISTEN: new URL(this.direct[number]).host };
    const started = await serve(this.stage, `replica${number}`, environment, this.program);
    this.replicas[number] = started;
    await until(`replica ${number} is ready`, async () => {
      if (started.ended !== undefined) throw Object.assign(new Error(started.lastLog()), { final: true });
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
    const { stdout } = await run(this.program, [...line, "--json"], { cwd: this.stage.directory, env });
    return JSON.parse(stdout);
  }

  /** Starts `serve` where it must fail; answers what it said. */
  async refusal(settings, program = this.program) {
    const env = { PATH: process.env.PATH, ...this.environment, ...settings, CHANCERY_SERVER__LISTEN: "127.0.0.1:0" };
    const options = { cwd: this.stage.directory, env, timeout: 20_000 };
    return run(program, ["serve"], options).then(
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
