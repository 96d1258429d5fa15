#!/usr/bin/env node
// Replicas and failing parts, on the loopback interface: `tests/cluster/run.mjs [PART...]`, all of them without one.
// scripts/test-cluster installs what they need and builds the server.

import { Report, assert } from "../support/report.mjs";
import { backups } from "./backups.mjs";
import { checkerTests } from "./checker.test.mjs";
import { Deployment } from "./deployment.mjs";
import { failover } from "./failover.mjs";
import { pgbouncer, postgres } from "./programs.mjs";
import { proxies } from "./proxies.mjs";
import { replicasEnd, together } from "./replicas.mjs";
import { onStage } from "./stage.mjs";
import { upgrade } from "./upgrade.mjs";

const SHORT_PUBLICATION = { CHANCERY_KEYS__PUBLISH_SECONDS: "2" };

const PARTS = {
  checker: checkerTests,

  replicas: (report) =>
    onStage(async (stage) => {
      const { url } = await postgres(stage);
      const deployment = await Deployment.start(stage, url, SHORT_PUBLICATION);
      await together(report, deployment);
      await replicasEnd(report, deployment);
    }),

  pgbouncer: (report) =>
    onStage(async (stage) => {
      const database = await postgres(stage);
      const transactions = await pgbouncer(stage, database, "transaction");
      const { url } = await pgbouncer(stage, database, "session");
      const deployment = await Deployment.start(stage, url, SHORT_PUBLICATION);
      await report.check("PgBouncer in transaction mode is refused at start, and why", async () => {
        const said = await deployment.refusal({ CHANCERY_DATABASE__URL: transactions.url });
        assert(said.includes("a pooler in transaction mode"), said);
      });
      report.prefix = "through PgBouncer: ";
      await together(report, deployment);
    }),

  proxies: (report) => onStage((stage) => proxies(report, stage)),

  backups: (report) => onStage((stage) => backups(report, stage)),

  failover: (report) => onStage((stage) => failover(report, stage)),

  upgrade: (report) => onStage((stage) => upgrade(report, stage)),
};

const report = new Report();
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
for (const name of names) {
  const started = performance.now();
  report.prefix = "";
  await report.together(name, () => PARTS[name](report));
  console.log(`# ${name}: ${Math.round((performance.now() - started) / 1000)} s`);
}
process.exitCode = report.finish();
