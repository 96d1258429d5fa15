// The library simple-oauth2, which knows OAuth and nothing of OpenID Connect or of PKCE; that is given to it as further
// parameters, as its users do. Clients of two other systems, which it often stands in, need no PKCE: profiles.
//
// Environment: see tests/clients/run.

import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { Report, assert, assertEqual } from "../../support/report.mjs";
import { SCOPE, below, client, issuer, redirectUri, refused, user } from "./application.mjs";
import { Walker } from "./walker.mjs";

const { AuthorizationCode, ClientCredentials, ResourceOwnerPassword } = createRequire(import.meta.url)("simple-oauth2");

const OURS = { tokenPath: "/token", revokePath: "/revoke" };
const HYDRA = { tokenPath: "/oauth2/token", revokePath: "/oauth2/revoke" };
const random = () => randomBytes(32).toString("base64url");
const report = new Report();

/** An application whose users sign in. */
function forUsers(credentials, method, paths = OURS, authorizePath = "/authorize") {
  return new AuthorizationCode(configuration(credentials, method, { ...paths, authorizePath }));
}

function configuration({ id, secret }, authorizationMethod = "header", paths = OURS) {
  const auth = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, below(path)]));
  return { client: { id, secret }, auth: { tokenHost: issuer.origin, ...auth }, options: { authorizationMethod } };
}

const refusedWith = (code, action) => refused(action, code, (error) => error.data?.payload?.error);

/** A sign-in: the token that came of it, and how to try its code again. */
async function signIn(application, { scope = SCOPE, pkce = true, withRedirectUri = true } = {}) {
  const [state, verifier] = [random(), random()];
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const url = application.authorizeURL({
    redirect_uri: redirectUri,
    scope: scope.split(" "),
    state,
    ...(pkce && { code_challenge: challenge, code_challenge_method: "S256" }),
  });
  const callback = await new Walker(user).walk(url, redirectUri);
  assertEqual(callback.searchParams.get("state"), state, "state");
  const exchange = () =>
    application.getToken({
      code: callback.searchParams.get("code"),
      ...(withRedirectUri && { redirect_uri: redirectUri }),
      ...(pkce && { code_verifier: verifier }),
    });
  return { token: await exchange(), exchange };
}

async function userinfoStatus(token) {
  const headers = { authorization: `Bearer ${token.token.access_token}` };
  return (await fetch(issuer.origin + below("/userinfo"), { headers })).status;
}

async function codeGrant(credentials, method) {
  report.prefix = `simple-oauth2 ${method}: `;
  const application = forUsers(credentials, method);
  const signedIn = await report.check("a sign-in with PKCE ends in a token that is not expired", async () => {
    const { token, exchange } = await signIn(application);
    assertEqual(token.expired(60), false, "expired");
    assertEqual(await userinfoStatus(token), 200, "status of UserInfo");
    return { token, exchange };
  });
  if (!signedIn) return;
  const next = await report.check("refresh: another access token and another refresh token", async () => {
    const token = await signedIn.token.refresh();
    for (const name of ["access_token", "refresh_token"]) {
      assert(token.token[name] && token.token[name] !== signedIn.token.token[name], `${name} is the same`);
    }
    return token;
  });
  await report.check("refresh with fewer scopes", async () => {
    assertEqual((await next.refresh({ scope: ["openid", "email"] })).token.scope, "openid email", "scope");
  });
  await report.check("revokeAll ends the access token and the refresh token", async () => {
    const { token } = await signIn(application);
    await token.revokeAll();
    assertEqual(await userinfoStatus(token), 401, "status of UserInfo");
    await refusedWith("invalid_grant", () => token.refresh());
  });
  await report.check("a code is refused the second time", () => refusedWith("invalid_grant", signedIn.exchange));
}

async function machines(credentials, method) {
  report.prefix = `simple-oauth2 ${method}: `;
  await report.check("client credentials: a token without a refresh token", async () => {
    const { token } = await new ClientCredentials(configuration(credentials, method)).getToken({ scope: "email" });
    assertEqual(token.scope, "email", "scope");
    assert(token.access_token && !token.refresh_token, "unexpected token response");
  });
  await report.check("a wrong secret is refused", () => {
    const wrong = new ClientCredentials(configuration({ ...credentials, secret: `${credentials.secret}x` }, method));
    return refusedWith("invalid_client", () => wrong.getToken({}));
  });
}

async function profiles() {
  report.prefix = "simple-oauth2 profile ilert: ";
  await report.check("PKCE, or the redirect URI at the token endpoint; a refresh token for its secret", async () => {
    const application = forUsers(client("ILERT"));
    await signIn(application, { scope: "source:r", withRedirectUri: false });
    const { token } = await signIn(application, { scope: "source:r", pkce: false });
    assertEqual(token.token.scope, "source:r", "scope");
    assertEqual(token.token.refresh_token_expires_in, 31536000, "refresh_token_expires_in");
    assert((await token.refresh()).token.access_token, "no access token");
  });
  report.prefix = "simple-oauth2 profile hydra16: ";
  await report.check("its paths, a scope below a wildcard, opaque tokens, and revocation", async () => {
    const application = forUsers(client("HYDRA"), "header", HYDRA, "/oauth2/auth");
    const { token } = await signIn(application, { scope: "offline_access photos.read", pkce: false });
    assertEqual(token.token.access_token.includes("."), false, "the access token is a JWT");
    const next = await token.refresh();
    await next.revoke("refresh_token");
    await refusedWith("invalid_grant", () => next.refresh());
  });
  report.prefix = "simple-oauth2 profile primer: ";
  await report.check("the password grant of a trusted client", async () => {
    const paths = { tokenPath: "/token/" };
    const application = new ResourceOwnerPassword(configuration(client("PRIMER_POST"), "body", paths));
    const { token } = await application.getToken({ ...user, scope: ["read", "email"] });
    assertEqual(token.scopes, "read email", "scopes");
  });
}

await codeGrant(client(), "header");
await codeGrant(client("POST"), "body");
await machines(client(), "header");
await machines(client("POST"), "body");
await profiles();
process.exitCode = report.finish();
