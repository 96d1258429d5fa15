// Three replicas on a Postgres that fails over, while applications work: what they were told must stay true.

import { assert, assertEqual } from "../support/report.mjs";
import { Deployment } from "./deployment.mjs";
import { Load } from "./load.mjs";
import { Postgres, TTL } from "./patroni.mjs";
import { pause, until } from "./stage.mjs";

const SETTINGS = {
  // A lost answer to a refresh is asked for again when the database is back: within a failover, not within seconds.
  CHANCERY_TOKENS__REFRESH_GRACE_SECONDS: "120",
  CHANCERY_SERVER__REQUEST_TIMEOUT_SECONDS: "10",
};
/** What a request may take while there is no primary, in milliseconds: its own deadline, and some for this machine. */
const DEADLINE = 13_000;

export async function failover(report, stage) {
  const postgres = await Postgres.start(stage);
  const deployment = await Deployment.start(stage, postgres.url, SETTINGS);
  const load = await Load.start(deployment, "worker", 10);
  await until("the load runs", () => load.history.length > 300, 60);
  await round(report, { postgres, deployment, load }, "the primary is killed", async (primary) => {
    await postgres.kill(primary);
    return () => postgres.restart(primary);
  });
  await round(report, { postgres, deployment, load }, "the primary stops answering", async (primary) => {
    postgres.freeze(primary);
    return async () => postgres.thaw(primary);
  });
  await load.stop();
  await load.verdict(report, "no acknowledged grant, refresh or revocation was lost with a primary, and no token came back");
}

/** One primary goes in its own way, another takes over, and the old one comes back as a standby. */
async function round(report, { postgres, deployment, load }, name, goes) {
  const old = await postgres.primary();
  const mark = performance.now();
  const back = await goes(old);
  const took = await report.check(`${name}: another takes over, and requests are answered again`, async () => {
    const next = await until("there is a new primary", async () => other(await postgres.primary(), old), 3 * TTL);
    const elected = performance.now();
    await until("every replica is ready", () => allReady(deployment), 20);
    console.log(`# a new primary (${next.name}) after ${seconds(elected - mark)}, ready again after ${seconds(performance.now() - mark)}`);
    return performance.now() - mark;
  });
  await pause(3000);
  await report.check(`${name}: the old one comes back as a standby, and nothing is read from it`, async () => {
    await back();
    await postgres.whole();
    assert((await postgres.primary()) !== old, "the old one is the primary again");
  });
  await pause(2000);
  await report.check(`${name}: meanwhile requests fail cleanly and in time`, () => clean(load, mark));
  await report.check(`${name}: afterwards nothing fails`, () => calm(load, performance.now() - 1500));
  return took;
}

const other = (primary, old) => (primary && primary !== old ? primary : undefined);
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

async function allReady({ direct }) {
  const answers = await Promise.all(direct.map((base) => fetch(`${base}/readyz`)));
  return answers.every(({ ok }) => ok);
}

/** Every request that failed was told so in time, and that it may be tried again. */
function clean(load, mark) {
  const { unknown } = load.since(mark);
  const answered = unknown.filter(({ status }) => status);
  console.log(`# ${unknown.length} requests failed; ${JSON.stringify(tally(unknown.map(({ op, status }) => `${op} ${status ?? "-"}`)))}`);
  assert(answered.length > 0, "nothing failed: there was no load");
  // Of pages only the status is known here.
  const odd = answered.filter(({ op, status, retryAfter }) => status !== 503 || !(retryAfter || op === "authorize"));
  assertEqual(JSON.stringify(odd.slice(0, 2)), "[]", `${odd.length} answers other than 503 with Retry-After`);
  const silent = unknown.filter(({ status }) => !status);
  assertEqual(JSON.stringify(silent.slice(0, 2)), "[]", `${silent.length} requests without an answer`);
  const slow = unknown.filter(({ start, end, op }) => end - start > DEADLINE * (op === "authorize" ? 2 : 1));
  assertEqual(JSON.stringify(slow.slice(0, 2)), "[]", `${slow.length} requests that took too long`);
}

function calm(load, mark) {
  const { yes, unknown } = load.since(mark);
  assertEqual(JSON.stringify(unknown.slice(0, 3)), "[]", `${unknown.length} requests that failed`);
  assert(yes.length > 0, "nothing was asked");
}

function tally(list) {
  const counts = {};
  for (const one of list) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}
