// Backups as docs/production.md makes them, restored: what is back is usable, and what should have ended has come back with it,
// until the statements of the document have been run.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assert, assertEqual } from "../support/report.mjs";
import { projectRoot } from "../support/chancery.mjs";
import { RecordedGrant } from "./application.mjs";
import { Deployment } from "./deployment.mjs";
import { postgres, postgresPrograms, sql } from "./programs.mjs";
import { run } from "./stage.mjs";

/** The blocks of the section "Backups" in the language. */
function blocks(language) {
  const text = readFileSync(join(projectRoot, "docs", "production.md"), "utf8");
  const [section] = text.split("\n## Backups\n")[1].split("\n## ");
  return [...section.matchAll(new RegExp(`^ *\`\`\`${language}\\n(.*?)^ *\`\`\`$`, "gms"))].map(([, block]) => block);
}

/** Runs a block of commands in which only what differs here is replaced. */
function commands(block, replaced, cwd) {
  const text = Object.entries(replaced).reduce((before, [from, to]) => before.replaceAll(from, to), block);
  const PATH = `${postgresPrograms()}:${process.env.PATH}`;
  return run("bash", ["-euo", "pipefail", "-c", text], { cwd, env: { PATH } });
}

/** How each database is backed up, restored, and told that it was. */
const DATABASES = {
  Postgres: async (stage) => {
    const { url } = await postgres(stage);
    await sql(url, "CREATE DATABASE chancery");
    const [from, to] = ["chancery", "restored"].map((name) => url.replace(/\/postgres$/, `/${name}`));
    const [backup, restore] = blocks("sh");
    const replaced = { "postgres://backup@db.internal/chancery": from, "postgres://chancery@db.internal/restored": to };
    return {
      url: from,
      backup: () => commands(backup, replaced, stage.directory),
      restore: async () => {
        await sql(url, "CREATE DATABASE restored");
        await commands(restore, replaced, stage.directory);
        return to;
      },
      end: (statements) => sql(to, statements),
    };
  },
  SQLite: async (stage) => {
    const directory = await stage.room("sqlite");
    const file = join(directory, "chancery.db");
    const [, , backup, restore] = blocks("sh");
    const replaced = { "/var/lib/chancery": directory, "-o chancery -g chancery ": "", "systemctl stop chancery": "" };
    return {
      url: `sqlite:${file}`,
      backup: () => commands(backup, replaced, stage.directory),
      restore: () => commands(restore, replaced, stage.directory).then(() => `sqlite:${file}`),
      end: (statements) => run("sqlite3", [file, statements]),
    };
  },
};

export async function backups(report, stage) {
  for (const [name, prepare] of Object.entries(DATABASES)) {
    report.prefix = `backup of ${name}: `;
    await report.together("restored", async () => restored(report, stage, await prepare(stage)));
  }
}

async function restored(report, stage, database) {
  const deployment = await Deployment.alone(stage, database.url);
  const [base] = deployment.direct;
  const { walker } = await deployment.person("ada");
  const granted = async () => {
    const grant = new RecordedGrant(deployment, [], walker);
    await grant.authorize();
    assertEqual((await grant.redeem(base)).outcome, "yes", "redeemed");
    return grant;
  };
  const [revoked, rotated, untouched] = [await granted(), await granted(), await granted()];
  const waiting = new RecordedGrant(deployment, [], walker);
  await waiting.authorize();
  await database.backup();

  // What happens after the backup is not in it.
  const before = rotated.refresh;
  await waiting.redeem(base);
  await rotated.refreshWith(base);
  await rotated.refreshWith(base);
  await revoked.revoke(base, revoked.refresh);
  await revoked.introspect(base);
  const { client_secret } = deployment.client;
  const { client_secret: next } = await deployment.command("client", "rotate-secret", deployment.client.client_id);
  await deployment.replicas[0].terminate();
  const url = await database.restore();
  deployment.environment.CHANCERY_DATABASE__URL = url;

  await report.check("with another master key the server does not start", async () => {
    const other = Buffer.alloc(32, 7).toString("base64");
    const said = await deployment.refusal({ CHANCERY_SECRETS__MASTER_KEY: other });
    assert(/master key/i.test(said), said);
  });
  await deployment.replica(0);
  deployment.client.client_secret = next;
  await report.check("a client secret that was replaced since counts again, and the new one does not", async () => {
    assertEqual((await deployment.post(base, "/introspect", { token: "x" })).status, 401, "the new one");
    deployment.client.client_secret = client_secret;
    assertEqual((await deployment.post(base, "/introspect", { token: "x" })).status, 200, "the old one");
  });
  await report.check("access that was revoked since has come back", async () => {
    assertEqual((await revoked.introspect(base)).outcome, "yes", "active");
  });
  await report.check("a code that was redeemed since can be redeemed again while it lives", async () => {
    assertEqual((await waiting.redeem(base)).outcome, "yes", "redeemed");
  });
  await report.check("a refresh token of before counts again, and its newer one ends the grant", async () => {
    assertEqual((await rotated.refreshWith(base)).outcome, "no", "the newer one");
    assertEqual((await rotated.refreshWith(base, before)).outcome, "no", "the one of before, after that");
    assertEqual((await untouched.refreshWith(base)).outcome, "yes", "another grant");
  });
  await ended(report, { deployment, database, base, walker, grants: [revoked, rotated, untouched, waiting] });
  await deployment.replicas[0].terminate();
}

async function ended(report, { deployment, database, base, walker, grants }) {
  const [statements] = blocks("sql");
  await database.end(statements);
  await report.check("after the statements of the document nothing of before counts, with the server running", async () => {
    for (const grant of grants) {
      assertEqual((await grant.introspect(base)).outcome, "no", "active");
      assertEqual((await grant.refreshWith(base)).outcome, "no", "refreshed");
    }
  });
  await report.check("people sign in again, and their consent is remembered", async () => {
    const grant = new RecordedGrant(deployment, [], walker);
    await grant.authorize();
    assertEqual(walker.sent.join(), "login", "forms");
    assertEqual((await grant.redeem(base)).outcome, "yes", "redeemed");
    assertEqual((await grant.introspect(base)).outcome, "yes", "active");
  });
}
