// What documents show, taken from them as it stands: blocks below headings, and terminals to run them in. Only what must
// differ on a machine where other things run is replaced: the ports.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../support/report.mjs";
import { binaryDirectory, freePort, projectRoot } from "../support/chancery.mjs";

const USUAL = [8080, 8081, 8090, 3000];

/** The ports that documents name, each with a free one in its place. */
export const ports = Object.fromEntries(await Promise.all(USUAL.map(async (usual) => [usual, await freePort()])));

/** A text of a document with these ports. */
export const local = (text) =>
  text.replace(
    /(localhost|127\.0\.0\.1|PORT=|--port |server\.port: |listen\()(:?)(8080|8081|8090|3000)\b/g,
    (_, before, colon, port) => [before, colon, ports[port]].join(""),
  );

/** The blocks of a document below each heading of the second or third level, each `{ language, text }`. */
export function blocks(path) {
  const parts = readFileSync(join(projectRoot, path), "utf8").split(/^###? /m);
  return new Map(
    parts.map((part, at) => [
      at === 0 ? "" : part.split("\n")[0],
      [...part.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language, text: local(text) })),
    ]),
  );
}

/** A terminal: one bash for all blocks of a walkthrough, which stops at the first command that fails. */
export class Terminal {
  constructor(chancery) {
    this.bash = spawn("bash", ["-euo", "pipefail"], {
      cwd: chancery.directory,
      env: { ...chancery.environment, PATH: `${binaryDirectory}:${process.env.PATH}` },
      stdio: ["pipe", "pipe", "inherit"],
      // A group of its own, so that what it starts can be ended with it.
      detached: true,
    });
    this.blocks = 0;
    this.output = "";
    this.bash.stdout.on("data", (chunk) => (this.output += chunk));
    this.ended = new Promise((resolve) => this.bash.on("close", resolve));
  }

  /** Runs a block to its end, and answers what it printed. */
  async run(block) {
    this.blocks += 1;
    this.output = "";
    this.bash.stdin.write(`${block}\necho "the end of the block"\n`);
    const done = async () => {
      while (!this.output.endsWith("the end of the block\n")) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await Promise.race([done(), this.ended.then((code) => assert(false, `it ended with ${code}: ${this.output}`))]);
    return this.output.replace("the end of the block\n", "");
  }

  /** Starts a block whose last command goes on for ever. */
  start(block) {
    this.blocks += 1;
    this.bash.stdin.end(block);
  }

  async close() {
    if (this.bash.exitCode === null) process.kill(-this.bash.pid, "SIGTERM");
    await this.ended;
  }
}

/** The last thing a block printed, as JSON. */
export const answer = (output) => JSON.parse(output.slice(output.lastIndexOf("\n{") + 1));
