#!/usr/bin/env node
// The sample login and consent application (examples/login-consent-ui), run against a server whose pages it is:
// `tests/clients/external-ui.mjs sqlite|postgres`. A browser without a screen signs in and consents.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { freePort, projectRoot, withChancery } from "../support/chancery.mjs";
import { Walker } from "./node/walker.mjs";

const [port, adminPort, uiPort] = [await freePort(), await freePort(), await freePort()];
const issuer = `http://127.0.0.1:${port}`;
const adminUrl = `http://127.0.0.1:${adminPort}`;
const ui = `http://127.0.0.1:${uiPort}`;
const redirectUri = "http://127.0.0.1:9/callback";
const token = randomBytes(32).toString("base64");

const settings = {
  CHANCERY_SERVER__ISSUER: issuer,
  CHANCERY_SERVER__LISTEN: `127.0.0.1:${port}`,
  CHANCERY_ADMIN__LISTEN: `127.0.0.1:${adminPort}`,
  CHANCERY_ADMIN__TOKEN: token,
  CHANCERY_UI__LOGIN_URL: `${ui}/login`,
  CHANCERY_UI__CONSENT_URL: `${ui}/consent`,
};

const report = new Report("external pages: ");
await withChancery(process.argv[2], settings, async (chancery) => {
  chancery.start(["serve"]);
  await chancery.until(async () => (await fetch(`${issuer}/readyz`)).ok, "the server is not ready");
  const page = spawn(process.execPath, [join(projectRoot, "examples/login-consent-ui/server.mjs")], {
    env: { PATH: process.env.PATH, ADMIN_URL: adminUrl, ADMIN_TOKEN: token, PORT: String(uiPort) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    await chancery.until(async () => (await fetch(`${ui}/`)).status === 404, "the sample is not ready");
    const client = await chancery.command([
      ...["client", "create", "--name", "Shop", "--ui", "external", "--redirect-uri", redirectUri],
      ...["--scope", "openid profile email offline_access"],
    ]);
    await checks(client);
  } finally {
    page.kill("SIGTERM");
  }
});
process.exitCode = report.finish();

async function checks(client) {
  const walker = new Walker({ username: "ada", password: "lovelace" });

  await report.check("a user of the sample signs in and allows the client", async () => {
    const tokens = await sign_in(client, walker);
    assertEqual(walker.sent.join(), "login,consent", "forms");
    const claims = JSON.parse(Buffer.from(tokens.id_token.split(".")[1], "base64url"));
    assertEqual(claims.sub, "ada", "sub");
    assertEqual(claims.name, "Ada Lovelace", "name");
    assertEqual(tokens.scope, "openid profile email offline_access", "scope");
    assert(tokens.refresh_token, "no refresh token");
    const userinfo = await fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    assertEqual((await userinfo.json()).email, "ada@example.com", "email at UserInfo");
  });

  await report.check("a user who stayed signed in only consents", async () => {
    await sign_in(client, walker);
    assertEqual(walker.sent.join(), "consent", "forms");
  });

  await report.check("a wrong password stays at the form", async () => {
    const wrong = new Walker({ username: "ada", password: "byron" });
    const failure = await sign_in(client, wrong).catch((error) => error);
    assert(/the login form came back/.test(failure.message), failure.message);
  });

  await report.check("the challenges are not on the public listener", async () => {
    const path = "/oauth2/auth/requests/login?login_challenge=x";
    const authorization = `Bearer ${token}`;
    assertEqual((await fetch(issuer + path, { headers: { authorization } })).status, 404, "public");
    assertEqual((await fetch(adminUrl + path)).status, 401, "without the token");
    assertEqual((await (await fetch(adminUrl + path, { headers: { authorization } })).json()).error, "not_found", "error");
  });
}

/** An authorization code flow through the pages: the tokens. */
async function sign_in(client, walker) {
  const [verifier, state] = [randomBytes(32).toString("base64url"), randomBytes(8).toString("hex")];
  const query = new URLSearchParams({
    client_id: client.client_id,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const back = await walker.walk(`${issuer}/authorize?${query}`, redirectUri);
  assertEqual(back.searchParams.get("state"), state, "state");
  const response = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: back.searchParams.get("code"),
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }),
  });
  const tokens = await response.json();
  assertEqual(response.status, 200, JSON.stringify(tokens));
  return tokens;
}
