#!/usr/bin/env node
// Runs docs/walkthroughs.md word for word: every block of commands, each in the order of the text, against a fresh server, with
// a browser without a screen where a person has something to do.
//
// A walkthrough without a part below fails, and so does a part that leaves a block out.

import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { projectRoot, withChancery } from "../support/chancery.mjs";
import { Terminal, answer, blocks, local, ports } from "./documents.mjs";
import { Walker } from "./node/walker.mjs";

const report = new Report();
const issuer = local("http://localhost:8080");
const demo = local("http://localhost:8081");

/** Until a running server sees what the command line has changed. */
const seen = () => new Promise((resolve) => setTimeout(resolve, 2500));

const parts = {
  // The way to the commands; here they are in the PATH already.
  "": async (terminal, [path]) => assertEqual(await terminal.run(path), "", "output"),

  async "A service that acts for itself"(terminal, [token, rotation, use]) {
    const told = answer(await terminal.run(token));
    assertEqual(`${told.active} ${told.client_id} ${told.scope}`, "true worker jobs:read", "introspection");
    await terminal.run(rotation);
    await seen();
    assertEqual(answer(await terminal.run(use)).active, false, "active, after it was revoked with the old secret");
  },

  async "A device without a keyboard"(terminal, [start, poll], person) {
    const [, address, code] = (await terminal.run(start)).match(/^Open (\S+) and type (\S+)$/m);
    const page = await new Walker(person).typeCode(address, code);
    assert(page.includes("Your device is connected"), page);
    const tokens = answer(await terminal.run(poll));
    assert(tokens.access_token && tokens.id_token && tokens.refresh_token, "a token is missing");
  },

  async "An API with its own audience"(terminal, [registration, token]) {
    await terminal.run(registration);
    await seen();
    const told = answer(await terminal.run(token));
    assertEqual(`${told.aud} ${told.scope}`, "https://calendar.example.com calendar:read", "introspection");
    assertEqual(told.exp - told.iat, 300, "lifetime");
  },
};

/** The walkthrough that has a server of its own, three terminals and a browser. */
async function hydra(chancery, [server, pages, calls, ...more]) {
  assertEqual(more.length, 0, "further blocks");
  const terminals = [new Terminal(chancery), new Terminal(chancery), new Terminal(chancery)];
  const [first, second, third] = terminals;
  try {
    first.start(server.replace("./scripts/try", `chancery try --port ${ports[8080]} --demo-port ${ports[8081]}`));
    await chancery.until(async () => (await fetch(demo)).ok, "the server is not ready");
    second.start(pages);
    await chancery.until(async () => (await fetch(local("http://127.0.0.1:3000/"))).status === 404, "no pages");
    const walker = new Walker({ username: "ada", password: "lovelace" });
    const callback = await walker.walk(`${demo}/sign-in`, `${demo}/callback`);
    assert(callback.searchParams.get("code"), `no code at ${callback.search}`);
    assertEqual(walker.sent.join(), "login,consent", "forms");

    const begun = await fetch(`${demo}/sign-in`, { redirect: "manual" });
    const asked = await fetch(begun.headers.get("location"), { redirect: "manual" });
    const challenge = new URL(asked.headers.get("location")).searchParams.get("login_challenge");
    assert(answer(await third.run(`CHALLENGE=${challenge}\n${calls}`)).redirect_to.startsWith(issuer), "redirect_to");
  } finally {
    for (const terminal of terminals) await terminal.close();
  }
}

const HYDRA = "An existing Hydra login/consent app";
const shown = blocks("docs/walkthroughs.md");
const walkthroughs = new Map([...shown].map(([name, found]) => [name, found.map(({ text }) => text)]));

await withChancery("sqlite", {}, async (chancery) => {
  let about;
  chancery.start(["try", "--json", "--port", String(ports[8080]), "--demo-port", String(ports[8081])], (line) => {
    if (line.startsWith("{")) about ??= JSON.parse(line);
  });
  await chancery.until(async () => about, "the server is not ready");
  const inTerminal = async (name, body) => {
    const terminal = new Terminal(chancery);
    await report.check(`walkthrough: ${name}`, () => body(terminal));
    await terminal.close();
  };
  for (const [name, commands] of walkthroughs) {
    if (name === HYDRA) continue;
    await inTerminal(name || "the way to the commands", async (terminal) => {
      assert(parts[name], "this walkthrough has no part in tests/clients/walkthroughs.mjs");
      await parts[name](terminal, commands, about);
      assertEqual(terminal.blocks, commands.length, "blocks");
    });
  }
});
await withChancery("sqlite", {}, async (chancery) => {
  symlinkSync(join(projectRoot, "examples"), join(chancery.directory, "examples"));
  await report.check(`walkthrough: ${HYDRA}`, () => hydra(chancery, walkthroughs.get(HYDRA)));
});
process.exitCode = report.finish();
