// Three replicas behind HAProxy on one Postgres: what one does, the others know; and one may die.

import { verify, createPublicKey } from "node:crypto";
import { Walker } from "../clients/node/walker.mjs";
import { assert, assertEqual } from "../support/report.mjs";
import { RecordedGrant, authorization, redemption, refreshment } from "./application.mjs";
import { REDIRECT_URI } from "./deployment.mjs";
import { Load } from "./load.mjs";
import { pause, until } from "./stage.mjs";

/** How soon a change must be known everywhere: the polling that stands in where Postgres does not tell. */
const KNOWN_WITHIN = 2500;

/** What holds on whatever way the replicas reach the database. */
export async function together(report, deployment) {
  const { direct, issuer } = deployment;
  const { walker, user } = await deployment.person("ada");

  await report.check("each request of a sign-in may reach another replica", async () => {
    const replicas = new Set();
    const { fetch } = globalThis;
    globalThis.fetch = async (...request) => {
      const answer = await fetch(...request);
      replicas.add(answer.headers.get("x-replica"));
      return answer;
    };
    try {
      await walker.walk(authorization(deployment), REDIRECT_URI);
    } finally {
      globalThis.fetch = fetch;
    }
    assertEqual(walker.sent.join(), "login,consent", "forms");
    assertEqual(replicas.size, 3, "replicas that answered");
  });

  const grant = new RecordedGrant(deployment, [], walker);
  await report.check("a code is redeemed at any replica, and the tokens are refreshed at each", async () => {
    await grant.authorize();
    assertEqual((await grant.redeem(direct[1])).outcome, "yes", "redeemed");
    for (const base of [direct[2], direct[0], direct[1]]) {
      assertEqual((await grant.refreshWith(base)).outcome, "yes", base);
    }
  });
  await report.check("of one code at three replicas at once one is honoured, and then none", async () => {
    const codes = await Promise.all([1, 2, 3, 4].map(() => walker.walk(authorization(deployment), REDIRECT_URI)));
    for (const code of codes.map((callback) => callback.searchParams.get("code"))) {
      const answers = await Promise.all(direct.map((base) => deployment.post(base, "/token", redemption(code))));
      const honoured = answers.filter(({ status }) => status === 200);
      assertEqual(honoured.length, 1, "honoured");
      assertEqual(await deployment.isActive(issuer, honoured[0].json.access_token), false, "active after the replay");
    }
  });
  await report.check("a refresh at three replicas at once has one successor", async () => {
    const answers = await Promise.all(direct.map((base) => deployment.post(base, "/token", refreshment(grant.refresh))));
    const successors = new Set(answers.map(({ json }) => json.refresh_token));
    assertEqual(successors.size, 1, `successors of ${JSON.stringify(answers.map(({ status }) => status))}`);
    [grant.refresh] = successors;
  });
  await report.check("what is revoked at one replica is inactive at all with the next request", async () => {
    for (const token of [grant.access, grant.refresh]) {
      for (const base of direct) assertEqual(await deployment.isActive(base, token), true, "active before");
      await deployment.post(direct[0], "/revoke", { token });
      const after = await Promise.all(direct.map((base) => deployment.isActive(base, token)));
      assertEqual(after.join(), "false,false,false", "active after");
    }
    const userinfo = await Promise.all(
      direct.map((base) => fetch(`${base}/userinfo`, { headers: { authorization: `Bearer ${grant.access}` } })),
    );
    assertEqual(userinfo.map(({ status }) => status).join(), "401,401,401", "userinfo");
  });
  await clientChange(report, deployment);
  await keyRotation(report, deployment);
  await throttles(report, deployment, user);
}

/** Waits until every replica says so; answers how long the slowest took. */
async function everywhere(deployment, probe) {
  const started = performance.now();
  await Promise.all(
    deployment.direct.map((base) => until(`${base} knows`, () => probe(base), KNOWN_WITHIN / 1000)),
  );
  return Math.round(performance.now() - started);
}

async function clientChange(report, deployment) {
  const id = deployment.client.client_id;
  const machine = { grant_type: "client_credentials", scope: "read" };
  await report.check("a client that the command line changes is changed at every replica in time", async () => {
    const lifetime = async (base) => (await deployment.post(base, "/token", machine)).json.expires_in;
    for (const base of deployment.direct) assertEqual(await lifetime(base), 3600, "before, and now cached");
    await deployment.command("client", "update", id, "--access-token-lifetime", "1234");
    const took = await everywhere(deployment, async (base) => (await lifetime(base)) === 1234);
    console.log(`# known everywhere within ${took} ms of the end of the command`);
    await deployment.command("client", "update", id, "--access-token-lifetime", "3600");
  });
  await report.check("a secret that the command line replaced is refused at every replica in time", async () => {
    const old = deployment.client;
    deployment.client = await deployment.command("client", "rotate-secret", id);
    await everywhere(deployment, async (base) => (await deployment.post(base, "/token", machine, old)).status === 401);
    for (const base of deployment.direct) assertEqual((await deployment.post(base, "/token", machine)).status, 200, base);
  });
}

async function keyRotation(report, deployment) {
  const { direct } = deployment;
  const newest = async (base) => {
    const { keys } = await (await fetch(`${base}/jwks`)).json();
    return keys.filter(({ alg }) => alg === "ES256").at(-1);
  };
  await report.check("keys rotate under load, and no token fails at another replica", async () => {
    let done = false;
    let checked = 0;
    const lane = async (seed) => {
      for (let turn = seed; !done; turn += 1) {
        const answer = await deployment.post(direct[turn % 3], "/token", { grant_type: "client_credentials", scope: "read" });
        const token = answer.json.access_token;
        const elsewhere = direct[(turn + 1 + (turn % 2)) % 3];
        const { keys } = await (await fetch(`${elsewhere}/jwks`)).json();
        assert(isSigned(token, keys), `the keys of ${elsewhere} don't verify a token of replica ${turn % 3}`);
        assertEqual(await deployment.isActive(elsewhere, token), true, `active at ${elsewhere}`);
        checked += 1;
      }
    };
    const rotations = async () => {
      for (let round = 0; round < 3; round += 1) {
        const before = (await newest(direct[0])).kid;
        await deployment.command("keys", "rotate", "--alg", "ES256");
        await everywhere(deployment, async (base) => (await newest(base)).kid !== before);
        const known = await Promise.all(direct.map(async (base) => (await newest(base)).kid));
        assertEqual(new Set(known).size, 1, "newest keys");
        // keys.publish_seconds is two here: from then on it signs.
        await pause(2500);
      }
      done = true;
    };
    await Promise.all([rotations(), lane(0), lane(1), lane(2)]).finally(() => (done = true));
    console.log(`# ${checked} tokens were verified at a replica that had not made them`);
    const answers = await Promise.all(
      direct.map((base) => deployment.post(base, "/token", { grant_type: "client_credentials", scope: "read" })),
    );
    const kids = answers.map(({ json }) => head(json.access_token).kid);
    assertEqual(new Set([...kids, (await newest(direct[0])).kid]).size, 1, `keys that sign (${kids})`);
  });
  await report.check("a key that is withdrawn is gone everywhere in time, and its tokens are inactive", async () => {
    const { json } = await deployment.post(direct[0], "/token", { grant_type: "client_credentials", scope: "read" });
    const { kid } = head(json.access_token);
    await deployment.command("keys", "withdraw", kid);
    await everywhere(deployment, async (base) => !(await deployment.isActive(base, json.access_token)));
    for (const base of direct) assert((await newest(base)).kid !== kid, `${base} publishes it`);
  });
}

const head = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url"));

/** Whether one of the keys verifies a JWT with ES256. */
function isSigned(token, keys) {
  const [header, payload, signature] = token.split(".");
  const jwk = keys.find(({ kid }) => kid === head(token).kid);
  if (!jwk) return false;
  const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  return verify("sha256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url"));
}

/** ADR 0042: the replicas count together. */
async function throttles(report, deployment, user) {
  const attempt = async (password) => {
    const stranger = new Walker({ username: user.username, password });
    try {
      await stranger.walk(authorization(deployment), REDIRECT_URI);
      return "in";
    } catch (error) {
      return /Too many/i.test(error.message) ? "throttled" : "refused";
    }
  };
  await report.check("wrong passwords have to wait after ten, whichever replica looked at them, and for this account only", async () => {
    const answers = [];
    for (let count = 0; count < 36; count += 1) answers.push(await attempt("wrong"));
    assertEqual(answers.indexOf("throttled"), 10, `the first refusal untried: ${answers}`);
    // After 2, 4 and 8 seconds each another one is looked at.
    const tried = answers.filter((answer) => answer === "refused").length;
    assert(tried <= 14, `${tried} were looked at: ${answers}`);
  });
  await report.check("somebody else at the same address signs in", async () => {
    const { walker } = await deployment.person("grace");
    await walker.walk(authorization(deployment), REDIRECT_URI);
  });
}

/** Replicas end while applications work. */
export async function replicasEnd(report, deployment) {
  const load = await Load.start(deployment, "worker", 8);
  const { issuer } = deployment;
  await until("the load runs", () => load.history.length > 300, 60);
  await report.check("a replica that is drained by SIGTERM fails no request behind HAProxy", async () => {
    const mark = performance.now();
    assertEqual(await deployment.replicas[0].terminate(), 0, "exit code");
    await pause(1500);
    await deployment.replica(0);
    await pause(1000);
    const { yes, unknown } = load.since(mark, issuer);
    console.log(`# ${yes.length} requests were answered meanwhile`);
    assertEqual(JSON.stringify(unknown.slice(0, 3)), "[]", "requests that failed");
  });
  await report.check("a replica that is killed fails only what it had in its hands", async () => {
    const mark = performance.now();
    await deployment.replicas[1].kill();
    await pause(2500);
    const { unknown } = load.since(mark, issuer);
    console.log(`# ${unknown.length} requests behind HAProxy failed with it`);
    assert(unknown.length <= 8, `${unknown.length} requests failed: ${JSON.stringify(unknown.slice(0, 3))}`);
    const late = load.since(mark + 1500, issuer);
    assertEqual(JSON.stringify(late.unknown.slice(0, 3)), "[]", "requests that failed later than HAProxy looks");
    assert(late.yes.length > 0, "nothing was answered");
    await deployment.replica(1);
    await pause(1000);
  });
  await load.stop();
  await load.verdict(report, "no acknowledged grant, refresh or revocation was lost with the replicas, and nothing was done twice");
}
