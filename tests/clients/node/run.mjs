// What an application does with Chancery, done by a certified OpenID Connect client library.
//
// Environment: see tests/clients/run.

import { createHash } from "node:crypto";
import * as oidc from "openid-client";
import { Report, assert, assertEqual } from "../../support/report.mjs";
import { Walker } from "./walker.mjs";

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const issuer = new URL(env("ISSUER"));
const redirectUri = env("REDIRECT_URI");
const postLogoutRedirectUri = process.env.POST_LOGOUT_REDIRECT_URI;
const user = { username: env("USERNAME"), password: env("PASSWORD") };
const SCOPE = "openid profile email offline_access";

/** A private key for ES256: the one of a JWK, or a new one under the same kid. */
async function signingKey(jwk, isGenuine = true) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = isGenuine
    ? await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"])
    : (await crypto.subtle.generateKey(algorithm, false, ["sign"])).privateKey;
  return { key, kid: jwk.kid };
}

async function clients() {
  const jwk = process.env.KEY_CLIENT_JWK && JSON.parse(process.env.KEY_CLIENT_JWK);
  const key = jwk && (await signingKey(jwk));
  const otherKey = jwk && (await signingKey(jwk, false));
  const list = [
    ["client_secret_basic", process.env.CLIENT_ID, process.env.CLIENT_SECRET, oidc.ClientSecretBasic],
    ["client_secret_post", process.env.POST_CLIENT_ID, process.env.POST_CLIENT_SECRET, oidc.ClientSecretPost],
    [
      "client_secret_jwt",
      process.env.SECRET_JWT_CLIENT_ID,
      process.env.SECRET_JWT_CLIENT_SECRET,
      oidc.ClientSecretJwt,
    ],
    ["private_key_jwt", process.env.KEY_CLIENT_ID, key, oidc.PrivateKeyJwt, otherKey],
    ["none", process.env.PUBLIC_CLIENT_ID, undefined, oidc.None],
  ];
  return list
    .filter(([, id]) => id)
    .map(([method, id, secret, authentication, wrong = `${secret}x`]) => ({
      method,
      id,
      secret,
      authentication,
      wrong,
    }));
}

function discover({ id, secret, authentication }) {
  return oidc.discovery(issuer, id, undefined, authentication(secret), {
    // The issuer of a test is http on the loopback interface. Without the second the library trusts the
    // connection instead of the ID token's signature.
    execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
  });
}

/** Starts a sign-in: the URL for the browser, and what the answer must match. */
async function begin(config, extra = {}) {
  const expected = {
    pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: SCOPE,
    state: expected.expectedState,
    nonce: expected.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(expected.pkceCodeVerifier),
    code_challenge_method: "S256",
    ...extra,
  });
  return { url, expected };
}

/** The OAuth error code an action must end with. */
async function refused(action, ...codes) {
  let answer;
  try {
    answer = await action();
  } catch (error) {
    const code = error.error ?? (await challenged(error));
    if (!codes.includes(code)) throw error;
    return;
  }
  throw new Error(`it was answered, not refused: ${JSON.stringify(answer)}`);
}

/** The library stops at a WWW-Authenticate header: a Bearer challenge names the error, a Basic one leaves it in the body. */
async function challenged(error) {
  if (!(error instanceof oidc.WWWAuthenticateChallengeError)) return undefined;
  const named = error.cause.find((challenge) => challenge.parameters?.error);
  if (named) return named.parameters.error;
  return (await error.response.json().catch(() => ({}))).error;
}

const header = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[0], "base64url"));

function halfHash(value, algorithm) {
  const hash = algorithm === "EdDSA" || algorithm.endsWith("512") ? "sha512" : `sha${algorithm.slice(2)}`;
  const digest = createHash(hash).update(value).digest();
  return digest.subarray(0, digest.length / 2).toString("base64url");
}

async function signIn(report, config, walker) {
  const { url, expected } = await begin(config);
  const callback = await report.check("sign-in: login and consent forms end at the redirect URI", async () => {
    const reached = await walker.walk(url, redirectUri);
    assert(reached.searchParams.get("code"), `no code at ${reached.search}`);
    return reached;
  });
  if (!callback) return undefined;
  await report.check("the response names its issuer, and a forged one is refused", async () => {
    assertEqual(callback.searchParams.get("iss"), issuerOf(config), "iss");
    const forged = new URL(callback);
    forged.searchParams.set("iss", "https://attacker.example");
    let refusedIt = false;
    await oidc.authorizationCodeGrant(config, forged, expected).catch(() => (refusedIt = true));
    assert(refusedIt, "the library took a response of another issuer");
  });
  const tokens = await report.check("code exchange with PKCE, ID token valid (signature, nonce, times)", () =>
    oidc.authorizationCodeGrant(config, callback, expected),
  );
  if (!tokens) return undefined;
  await report.check("the token response is complete", () => {
    assertEqual(tokens.token_type.toLowerCase(), "bearer", "token_type");
    assert(tokens.expires_in > 0, "expires_in is missing");
    assert(tokens.refresh_token, "refresh_token is missing although offline_access was granted");
    const claims = tokens.claims();
    assertEqual(claims.aud, config.clientMetadata().client_id, "aud");
    assert(claims.sub, "sub is missing");
    if (claims.at_hash) {
      assertEqual(claims.at_hash, halfHash(tokens.access_token, header(tokens.id_token).alg), "at_hash");
    }
  });
  return tokens;
}

const issuerOf = (config) => config.serverMetadata().issuer;

async function userInfo(report, config, tokens) {
  await report.check("userinfo answers about the same user", async () => {
    const answer = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
    assertEqual(answer.sub, tokens.claims().sub, "sub");
  });
  await report.check("userinfo refuses a token that is none", async () => {
    const response = await fetch(config.serverMetadata().userinfo_endpoint, {
      headers: { authorization: "Bearer nonsense" },
    });
    assertEqual(response.status, 401, "status");
    assert(/^Bearer\b.*error="invalid_token"/i.test(response.headers.get("www-authenticate")), "no challenge");
  });
}

async function refresh(report, config, tokens) {
  const next = await report.check("refresh: a new access token and a new refresh token", async () => {
    const answer = await oidc.refreshTokenGrant(config, tokens.refresh_token);
    assert(answer.access_token !== tokens.access_token, "the access token is the same");
    assert(answer.refresh_token, "no refresh token came back");
    assert(answer.refresh_token !== tokens.refresh_token, "the refresh token did not rotate");
    if (answer.id_token) assertEqual(answer.claims().sub, tokens.claims().sub, "sub");
    return answer;
  });
  await report.check("refresh with fewer scopes", async () => {
    const answer = await oidc.refreshTokenGrant(config, (next ?? tokens).refresh_token, { scope: "openid" });
    assertEqual(answer.scope, "openid", "scope");
    Object.assign(next ?? tokens, { refresh_token: answer.refresh_token });
  });
  return next ?? tokens;
}

async function introspectAndRevoke(report, config, client, tokens) {
  const metadata = config.serverMetadata();
  const isActive = async (token) => (await oidc.tokenIntrospection(config, token)).active;
  await report.check("introspection: active, with its client and subject", async () => {
    const answer = await oidc.tokenIntrospection(config, tokens.access_token);
    assertEqual(answer.active, true, "active");
    assertEqual(answer.client_id, client.id, "client_id");
    assert(answer.sub && answer.exp, "sub or exp is missing");
  });
  await report.check("introspection refuses a caller without credentials", async () => {
    const body = new URLSearchParams({ token: tokens.access_token });
    const response = await fetch(metadata.introspection_endpoint, { method: "POST", body });
    assertEqual(response.status, 401, "status");
  });
  await report.check("introspection of a token that is none: inactive, and nothing else", async () => {
    assertEqual(JSON.stringify(await oidc.tokenIntrospection(config, "nonsense")), '{"active":false}', "answer");
  });
  await report.check("a revoked access token is inactive", async () => {
    await oidc.tokenRevocation(config, tokens.access_token);
    assertEqual(await isActive(tokens.access_token), false, "active");
  });
  await report.check("revoking an unknown token is no error", () => oidc.tokenRevocation(config, "nonsense"));
  await report.check("revoking the refresh token ends the access tokens too", async () => {
    const last = await oidc.refreshTokenGrant(config, tokens.refresh_token);
    assertEqual(await isActive(last.access_token), true, "active before");
    await oidc.tokenRevocation(config, last.refresh_token);
    assertEqual(await isActive(last.access_token), false, "active after");
    await refused(() => oidc.refreshTokenGrant(config, last.refresh_token), "invalid_grant");
  });
}

async function revokeAsPublic(report, config, tokens) {
  await report.check("a public client is refused introspection", () =>
    refused(() => oidc.tokenIntrospection(config, tokens.access_token), "invalid_client", "unauthorized_client"),
  );
  await report.check("revoking the refresh token ends refresh and userinfo", async () => {
    const subject = tokens.claims?.()?.sub ?? oidc.skipSubjectCheck;
    await oidc.tokenRevocation(config, tokens.refresh_token);
    await refused(() => oidc.refreshTokenGrant(config, tokens.refresh_token), "invalid_grant");
    await refused(() => oidc.fetchUserInfo(config, tokens.access_token, subject), "invalid_token");
  });
}

async function clientCredentials(report, config, client) {
  await report.check("client_credentials: an access token without a refresh token", async () => {
    const answer = await oidc.clientCredentialsGrant(config);
    assert(answer.access_token && !answer.refresh_token && !answer.id_token, "unexpected token response");
    const about = await oidc.tokenIntrospection(config, answer.access_token);
    assertEqual(about.active, true, "active");
    assertEqual(about.client_id, client.id, "client_id");
  });
  await report.check("a wrong client secret or key is refused", async () => {
    const impostor = await discover({ ...client, secret: client.wrong });
    await refused(() => oidc.clientCredentialsGrant(impostor), "invalid_client");
  });
}

async function sessions(report, config, walker, tokens) {
  const silently = async (who) => {
    const { url, expected } = await begin(config, { prompt: "none" });
    const callback = await who.walk(url, redirectUri);
    assertEqual(who.sent.length, 0, "forms shown");
    return oidc.authorizationCodeGrant(config, callback, expected);
  };
  await report.check("signed in and consented: prompt=none needs no page", () => silently(walker));
  await report.check("not signed in: prompt=none answers login_required", () =>
    refused(() => silently(new Walker(user)), "login_required"),
  );
  await report.check("prompt=login asks for the password again", async () => {
    const { url, expected } = await begin(config, { prompt: "login" });
    const callback = await walker.walk(url, redirectUri);
    assert(walker.sent.includes("login"), "no login form was shown");
    await oidc.authorizationCodeGrant(config, callback, expected);
  });
  if (!postLogoutRedirectUri) return;
  await report.check("signing out ends at the application, and ends the session", async () => {
    const state = oidc.randomState();
    const url = oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: postLogoutRedirectUri,
      state,
    });
    const reached = await walker.walk(url, postLogoutRedirectUri);
    assertEqual(reached.searchParams.get("state"), state, "state");
    await refused(() => silently(walker), "login_required");
  });
}

async function codeReplay(report, config, walker) {
  await report.check("a code is refused the second time, and what came from it is revoked", async () => {
    const { url, expected } = await begin(config);
    const callback = await walker.walk(url, redirectUri);
    const tokens = await oidc.authorizationCodeGrant(config, callback, expected);
    await refused(() => oidc.authorizationCodeGrant(config, callback, expected), "invalid_grant");
    await refused(() => oidc.refreshTokenGrant(config, tokens.refresh_token), "invalid_grant");
    await refused(
      () => oidc.fetchUserInfo(config, tokens.access_token, oidc.skipSubjectCheck),
      "invalid_token",
    );
  });
}

async function runClient(report, client) {
  const config = await report.check("discovery", () => discover(client));
  if (!config) return;
  await report.check("the metadata offers what the client needs", () => {
    const metadata = config.serverMetadata();
    assertEqual(metadata.issuer.replace(/\/$/, ""), issuer.href.replace(/\/$/, ""), "issuer");
    assert(metadata.supportsPKCE("S256"), "PKCE with S256 is not announced");
    assert(metadata.authorization_response_iss_parameter_supported, "iss in responses is not announced");
    assert(metadata.token_endpoint_auth_methods_supported.includes(client.method), `${client.method} is missing`);
  });
  const walker = new Walker(user);
  const tokens = await signIn(report, config, walker);
  if (tokens) {
    await userInfo(report, config, tokens);
    await sessions(report, config, walker, tokens);
  }
  // Signed out: a new sign-in, whose tokens are used up from here on.
  const again = await report.check("a second sign-in", async () => {
    const { url, expected } = await begin(config);
    return oidc.authorizationCodeGrant(config, await walker.walk(url, redirectUri), expected);
  });
  if (again) {
    const fresh = await refresh(report, config, again);
    if (client.secret) await introspectAndRevoke(report, config, client, fresh);
    else await revokeAsPublic(report, config, fresh);
  }
  await codeReplay(report, config, walker);
  if (client.secret) await clientCredentials(report, config, client);
}

/** RFC 8628: the device polls while the person types its code elsewhere. */
async function device(report, client) {
  const config = await discover(client);
  const poll = (started) =>
    oidc.genericGrantRequest(config, "urn:ietf:params:oauth:grant-type:device_code", {
      device_code: started.device_code,
    });
  const start = () => oidc.initiateDeviceAuthorization(config, { scope: SCOPE });
  const started = await report.check("codes and an address to type them at", start);
  if (!started) return;
  await report.check("pending, then told to slow down", async () => {
    await refused(() => poll(started), "authorization_pending");
    await refused(() => poll(started), "slow_down");
  });
  await report.check("polling ends in tokens while the person decides elsewhere", async () => {
    const [tokens, page] = await Promise.all([
      oidc.pollDeviceAuthorizationGrant(config, started),
      new Walker(user).typeCode(started.verification_uri, started.user_code.toLowerCase()),
    ]);
    assert(page.includes("Your device is connected"), page);
    assert(tokens.access_token && tokens.refresh_token, "a token is missing");
    const { sub } = tokens.claims();
    const info = await oidc.fetchUserInfo(config, tokens.access_token, sub);
    assertEqual(info.sub, sub, "subject of userinfo");
    await oidc.refreshTokenGrant(config, tokens.refresh_token);
    await refused(() => poll(started), "invalid_grant");
  });
  await report.check("a client that is not registered for it is refused", async () => {
    const other = await discover((await clients())[0]);
    await refused(() => oidc.initiateDeviceAuthorization(other, { scope: SCOPE }), "unauthorized_client");
  });
}

/** RFC 7591: a client that the library registers by itself, and then uses. */
async function registration(report) {
  const metadata = {
    client_name: "Registered by itself",
    application_type: "native",
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "client_secret_post",
    id_token_signed_response_alg: "ES256",
  };
  const config = await report.check("it gets an id and a secret", () =>
    oidc.dynamicClientRegistration(issuer, metadata, undefined, {
      execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
    }),
  );
  if (config) await signIn(report, config, new Walker(user));
}

const report = new Report();
for (const client of await clients()) {
  report.prefix = `node ${client.method}: `;
  await runClient(report, client);
}
if (process.env.DEVICE_CLIENT_ID) {
  report.prefix = "node device: ";
  await device(report, { id: process.env.DEVICE_CLIENT_ID, authentication: oidc.None });
}
report.prefix = "node registration: ";
await registration(report);
process.exitCode = report.finish();
