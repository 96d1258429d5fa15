// An upgrade while applications work: the new version's schema under servers of the version before, then one server after
// the other of the new version, both at once in between.

import { assert, assertEqual } from "../support/report.mjs";
import { Deployment, binary } from "./deployment.mjs";
import { Load } from "./load.mjs";
import { postgres } from "./programs.mjs";
import { pause, run, until } from "./stage.mjs";

const previous = process.env.CHANCERY_PREVIOUS_BIN;
const BOTH_AT_ONCE = 2000;

export async function upgrade(report, stage) {
  if (!previous) throw new Error("CHANCERY_PREVIOUS_BIN names no program");
  const { url } = await postgres(stage);
  const deployment = await Deployment.start(stage, url, {}, previous);
  const load = await Load.start(deployment, "worker", 8);
  await until("the load runs", () => load.history.length > 300, 60);
  await theSchema(report, deployment, load);
  for (const number of [0, 1, 2]) await theServer(report, deployment, load, number);
  await report.check("upgrade: a server of the version before is refused at the new schema, in words", async () => {
    const said = await deployment.refusal({}, previous);
    assert(/migration/.test(said) && !/panicked/.test(said), said);
  });
  await load.stop();
  await load.verdict(report, "upgrade: nothing acknowledged by one version was lost or done twice by the other");
}

async function theSchema(report, deployment, load) {
  const environment = { PATH: process.env.PATH, ...deployment.environment };
  const migrate = (...line) => run(binary, ["migrate", ...line], { cwd: deployment.stage.directory, env: environment });
  await report.check("upgrade: the new version says what it would do to the schema, and what waits meanwhile", async () => {
    const { stdout } = await migrate("--plan");
    console.log(stdout.replace(/^/gm, "# "));
    assert(/^\d+ migrations? to apply/.test(stdout) && /waits/.test(stdout), stdout);
  });
  await report.check("upgrade: servers of the version before work on with the new schema", async () => {
    const mark = performance.now();
    await migrate();
    await pause(BOTH_AT_ONCE);
    nothingFailed(load.since(mark));
  });
}

/** One server is drained and comes back as the new version. */
async function theServer(report, deployment, load, number) {
  await report.check(`upgrade: server ${number + 1} of 3 becomes the new version, and no request fails`, async () => {
    const mark = performance.now();
    assertEqual(await deployment.replicas[number].terminate(), 0, "exit code");
    deployment.program = binary;
    await deployment.replica(number);
    const back = performance.now();
    await pause(BOTH_AT_ONCE);
    // Behind HAProxy at any time; at the servers themselves as soon as all are there.
    nothingFailed(load.since(mark, deployment.issuer));
    for (const base of deployment.direct) nothingFailed(load.since(back, base));
  });
}

function nothingFailed({ yes, unknown }) {
  assertEqual(JSON.stringify(unknown.slice(0, 3)), "[]", "requests that failed");
  assert(yes.length > 0, "nothing was answered");
}
