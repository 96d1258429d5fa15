// Starts and ends the program under test, target/debug/chancery (or CHANCERY_BIN), each time with a
// directory, ports, and a database of its own. What was started is ended by its process id.

import { spawn, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const targetDirectory = resolve(projectRoot, process.env.CARGO_TARGET_DIR ?? "target");
const binary = process.env.CHANCERY_BIN ?? join(targetDirectory, "debug", "chancery");
export const binaryDirectory = dirname(binary);
const run = promisify(execFile);

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A Postgres database with nothing in it. */
async function postgresDatabase() {
  const server = process.env.CHANCERY_TEST_POSTGRES_URL;
  if (!server) throw new Error("CHANCERY_TEST_POSTGRES_URL is not set: scripts/test sets it");
  const name = `chancery_outside_${randomBytes(6).toString("hex")}`;
  const psql = (sql) => run(process.env.PSQL ?? "psql", [server, "-qAt", "-c", sql]);
  await psql(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => psql(`DROP DATABASE ${name} WITH (FORCE)`) };
}

export class Chancery {
  #child;
  #cleanups = [];
  #ended = false;

  /** A directory, a database and the environment for the commands to come; starts nothing yet. */
  static async prepare(kind, settings = {}) {
    if (kind !== "sqlite" && kind !== "postgres") throw new Error(`the database is sqlite or postgres, not ${kind}`);
    const self = new Chancery();
    self.directory = mkdtempSync(join(tmpdir(), "chancery-outside-"));
    self.#cleanups.push(() => rmSync(self.directory, { recursive: true, force: true }));
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CHANCERY_"));
    self.environment = {
      ...Object.fromEntries(inherited),
      CHANCERY_DATA__DIRECTORY: self.directory,
      ...settings,
    };
    // SQLite is what runs when nothing is configured: its file and its master key are made on the way.
    if (kind === "postgres") {
      const { url, drop } = await postgresDatabase();
      self.#cleanups.unshift(drop);
      self.environment.CHANCERY_DATABASE__URL = url;
      self.environment.CHANCERY_SECRETS__MASTER_KEY = randomBytes(32).toString("base64");
    }
    const logs = join(projectRoot, "target", "test-logs");
    mkdirSync(logs, { recursive: true });
    self.log = join(logs, `server-${kind}-${process.pid}.log`);
    return self;
  }

  /** Starts a command that keeps running; its output goes to `log` (or standard output to `onLine`). */
  start(args, onLine) {
    const file = openSync(this.log, "a");
    this.#child = spawn(binary, args, {
      cwd: this.directory,
      env: this.environment,
      stdio: ["ignore", onLine ? "pipe" : file, file],
    });
    closeSync(file);
    this.#child.on("error", (error) => (this.#ended = error.message));
    this.#child.on("exit", (code, signal) => (this.#ended = `it ended with ${code ?? signal}`));
    if (onLine) eachLine(this.#child.stdout, onLine);
  }

  /** One command with `--json`, and its answer. */
  async command(args, stdin) {
    const child = run(binary, [...args, "--json"], { cwd: this.directory, env: this.environment });
    child.child.stdin.end(stdin ?? "");
    try {
      return JSON.parse((await child).stdout);
    } catch (error) {
      throw new Error(`chancery ${args.join(" ")}: ${error.stderr || error.message}`);
    }
  }

  /** Waits until `probe` answers something, at most `seconds`; says what the log says otherwise. */
  async until(probe, what, seconds = 60) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const value = await probe().catch(() => undefined);
      if (value) return value;
      if (this.#ended || Date.now() > deadline) {
        throw new Error(`${what}: ${this.#ended || `not within ${seconds} s`}\n${this.lastLog()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  lastLog() {
    return readFileSync(this.log, "utf8").split("\n").slice(-30).join("\n");
  }

  async stop() {
    if (this.#child?.pid && !this.#ended) {
      const exited = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGTERM");
      const late = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(late);
    }
    for (const cleanup of this.#cleanups.splice(0)) await cleanup();
  }
}

function eachLine(stream, onLine) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    lines.forEach(onLine);
  });
}

/** Runs `body`, and ends what was started also when the run is interrupted. */
export async function withChancery(kind, settings, body) {
  const chancery = await Chancery.prepare(kind, settings);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => chancery.stop().finally(() => process.exit(1)));
  }
  try {
    return await body(chancery);
  } finally {
    await chancery.stop();
  }
}
