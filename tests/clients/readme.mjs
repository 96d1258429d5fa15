#!/usr/bin/env node
// Runs the README's first clients as they stand: the commands of its terminal, and each program beside a fresh server, with a
// person who signs in. Only what must differ on a machine where other things run is replaced: the ports.
//
// `node tests/clients/readme.mjs [NAME...]`: the programs whose packages the client tests have anyway, or those that are named.
// "Go" and "Java (Spring)" fetch what they need, and need their own tools. One without a part below fails.

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { projectRoot, withChancery } from "../support/chancery.mjs";
import { Terminal, answer, blocks, local, ports } from "./documents.mjs";
import { Walker } from "./node/walker.mjs";

const inProject = (path) => join(projectRoot, path);
const withPath = (path) => ({ PATH: `${inProject(path)}:${process.env.PATH}` });

/** What a program needs around what the README shows: files by path, and what its commands find in their environment. */
const parts = {
  "Node.js": {
    files: ["first.mjs"],
    prepare: (directory) => symlinkSync(inProject("tests/clients/node/node_modules"), join(directory, "node_modules")),
  },
  Python: { files: ["first.py"], environment: withPath("target/clients-python/bin") },
  // The manifest of the client tests under another name, so that what is compiled for one is there for the other.
  Rust: {
    files: ["src/main.rs"],
    environment: { CARGO_TARGET_DIR: inProject("target/clients-rust"), CARGO_NET_OFFLINE: "true" },
    prepare: (directory) => {
      for (const file of ["Cargo.toml", "Cargo.lock"]) {
        const text = readFileSync(inProject(`tests/clients/rust/${file}`), "utf8");
        writeFileSync(join(directory, file), text.replace('"chancery-client-rust"', '"first-client"'));
      }
    },
  },
  Go: { files: ["main.go"] },
  "Java (Spring)": {
    files: ["src/main/resources/application.yml", "src/main/java/first/First.java"],
    prepare: (directory) => cpSync(inProject("tests/clients/spring/pom.xml"), join(directory, "pom.xml")),
  },
};
const AT_HAND = ["Node.js", "Python", "Rust"];
/** Commands that fetch packages which are there. */
const FETCHING = /^(npm install|pip install|cargo add)\b/;

/** The commands that the first line of a program names. */
function commands(program) {
  const [first] = program.split("\n");
  const all = first.replace(/^\S+ /, "").split("; ");
  return all.filter((command) => !FETCHING.test(command) && !command.startsWith("src/")).join(" && ");
}

/** Writes a program, starts it, and signs somebody in; answers the page that they see then. */
async function greeting(chancery, name, shown, person, secret) {
  const { files, prepare, environment } = parts[name];
  const directory = join(chancery.directory, name.toLowerCase().replace(/\W/g, ""));
  assertEqual(shown.length, files.length, "blocks");
  for (const [at, file] of files.entries()) {
    mkdirSync(join(directory, dirname(file)), { recursive: true });
    writeFileSync(join(directory, file), shown[at].text);
  }
  prepare?.(directory);
  const program = spawn("bash", ["-c", commands(shown[0].text)], {
    cwd: directory,
    env: { ...process.env, ...environment, CLIENT_SECRET: secret },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that what it starts can be ended with it.
    detached: true,
  });
  let output = "";
  for (const stream of [program.stdout, program.stderr]) stream.on("data", (chunk) => (output += chunk));
  const ended = new Promise((resolve) => program.on("close", resolve));
  try {
    const start = async () => {
      if (program.exitCode !== null) return "none";
      const named = output.match(/^Open (\S+)$/m)?.[1];
      const home = local("http://localhost:3000/");
      return named ?? ((await fetch(home, { redirect: "manual" })) && home);
    };
    const begun = await chancery.until(start, `${name} does not start`, 300);
    assert(begun !== "none", `it ended: ${output}`);
    return await new Walker(person).walk(begun, undefined).catch((error) => assert(false, `${error}\n${output}`));
  } finally {
    if (program.exitCode === null) process.kill(-program.pid, "SIGTERM");
    await ended;
  }
}

const report = new Report();
const shown = blocks("README.md");
const [registration, machine] = shown.get("A first client").map(({ text }) => text);
const programs = [...shown.keys()].slice([...shown.keys()].indexOf("A first client") + 1, -1);

await withChancery("sqlite", {}, async (chancery) => {
  let about;
  chancery.start(["try", "--json", "--port", String(ports[8080]), "--demo-port", String(ports[8081])], (line) => {
    if (line.startsWith("{")) about ??= JSON.parse(line);
  });
  await chancery.until(async () => about, "the server is not ready");
  const terminal = new Terminal(chancery);
  let secret;
  await report.check("README: registering a client", async () => {
    secret = (await terminal.run(`${registration}\necho "$CLIENT_SECRET"`)).trim();
    assert(secret.length > 30, `no secret: ${secret}`);
  });
  await report.check("README: a machine", async () => {
    assert(answer(await terminal.run(machine)).access_token, "no access token");
  });
  await terminal.close();
  await report.check("README: every program has a part in tests/clients/readme.mjs", () => {
    assertEqual(programs.toSorted().join(), Object.keys(parts).toSorted().join(), "programs");
  });
  const wanted = process.argv.slice(2);
  for (const name of wanted.length ? wanted : AT_HAND) {
    await report.check(`README: a first client with ${name}`, async () => {
      assertEqual(await greeting(chancery, name, shown.get(name), about, secret), "Hello Dana Demo", "page");
    });
  }
});
process.exitCode = report.finish();
