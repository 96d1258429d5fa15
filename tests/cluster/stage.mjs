// What a test runs on: a directory below TMPDIR, and processes on the loopback interface, each ended by its own id,
// also when the run is interrupted.

import { execFile, spawn } from "node:child_process";
import { chmodSync, chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const run = promisify(execFile);
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Postgres, PgBouncer and patroni refuse to run as root. */
let lesser;
async function lesserUser() {
  if (process.getuid() !== 0) return {};
  const id = async (flag) => Number((await run("id", [flag, "postgres"])).stdout);
  return (lesser ??= { uid: await id("-u"), gid: await id("-g") });
}

/** Waits until `probe` answers something, at most `seconds`, or fails for good. */
export async function until(what, probe, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (let failure; ; ) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline || failure?.final) throw new Error(`${what}: not within ${seconds} s`, { cause: failure });
    await pause(50);
  }
}

export class Stage {
  #processes = [];
  #closing;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "chancery-cluster-"));
    chmodSync(this.directory, 0o711);
  }

  /** A directory of its own for a program, which it may write to. */
  async room(name) {
    const path = join(this.directory, name);
    mkdirSync(path);
    const { uid, gid } = await lesserUser();
    if (uid !== undefined) chownSync(path, uid, gid);
    chmodSync(path, 0o700);
    return path;
  }

  /** A file that only its program can read. */
  async file(path, text) {
    writeFileSync(path, text, { mode: 0o600 });
    const { uid, gid } = await lesserUser();
    if (uid !== undefined) chownSync(path, uid, gid);
    return path;
  }

  /** Starts a program that keeps running. `pidFile` names another process that belongs to it. */
  async start(name, program, args, { environment = {}, asRoot = false, cwd = this.directory, pidFile } = {}) {
    const user = asRoot ? {} : await lesserUser();
    if (this.#closing) throw new Error("the stage is being taken down");
    const log = join(this.directory, `${name}.log`);
    const file = openSync(log, "a");
    const inherited = Object.entries(process.env).filter(([key]) => !/^(CHANCERY_|PG|PATRONI|ETCD)/.test(key));
    const env = { ...Object.fromEntries(inherited), ...environment };
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", file, file], ...user });
    closeSync(file);
    const started = new Running(name, child, log, pidFile);
    this.#processes.push(started);
    return started;
  }

  /** Runs a program to its end, as the user that `start` takes. */
  async run(program, args, { environment = {}, cwd = this.directory } = {}) {
    const env = { ...process.env, ...environment };
    return run(program, args, { cwd, env, maxBuffer: 1 << 26, ...(await lesserUser()) });
  }

  /** Ends everything, the last first. Whoever asks again waits for the same end. */
  close() {
    return (this.#closing ??= this.#end());
  }

  async #end() {
    for (const process of this.#processes.splice(0).reverse()) await process.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A process that was started here. */
export class Running {
  constructor(name, child, log, pidFile) {
    Object.assign(this, { name, child, log, pidFile, ended: undefined });
    this.exit = new Promise((resolve) => {
      child.on("error", (error) => resolve((this.ended = error.message)));
      child.on("exit", (code, signal) => resolve((this.ended = code ?? signal)));
    });
  }

  get pid() {
    return this.child.pid;
  }

  /** It and what belongs to it, parents first. */
  pids() {
    const roots = [this.ended === undefined ? this.pid : undefined, this.#second()].filter(Boolean);
    return [...new Set(roots.flatMap((pid) => [pid, ...descendants(pid)]))];
  }

  #second() {
    try {
      return this.pidFile && Number(readFileSync(this.pidFile, "utf8").split("\n")[0]);
    } catch {
      return undefined;
    }
  }

  signal(name) {
    for (const pid of this.pids()) send(pid, name);
  }

  /** Ends it in the middle of whatever it does. */
  async kill() {
    this.signal("SIGKILL");
    await this.exit;
  }

  /** Asks it to end, and waits until it has. */
  async terminate(seconds = 25) {
    if (this.ended === undefined) send(this.pid, "SIGTERM");
    const late = setTimeout(() => this.signal("SIGKILL"), seconds * 1000);
    const code = await this.exit;
    clearTimeout(late);
    return code;
  }

  async end() {
    if (this.pidFile) return this.kill();
    this.signal("SIGCONT");
    await this.terminate(3);
  }

  lastLog(lines = 25) {
    return readFileSync(this.log, "utf8").split("\n").slice(-lines).join("\n");
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** The children of a process, and theirs. */
function descendants(pid) {
  const children = new Map();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(readFileSync(`/proc/${entry}/stat`, "utf8").replace(/^.*\) \S /s, "").split(" ")[0]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const below = (one) => (children.get(one) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

const open = new Set();

/** Runs `body` on a stage, and takes the stage down whatever happens. */
export async function onStage(body) {
  const stage = new Stage();
  open.add(stage);
  try {
    return await body(stage);
  } finally {
    await stage.close();
    open.delete(stage);
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    for (const stage of open) await stage.close();
    process.exit(1);
  });
}
