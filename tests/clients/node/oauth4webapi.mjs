// The library oauth4webapi: step by step, as in a browser or a worker, and with what a resource server needs.
//
// Environment: see tests/clients/run.

import * as oauth from "oauth4webapi";
import { Report, assert, assertEqual } from "../../support/report.mjs";
import { SCOPE, client, env, issuer, redirectUri, refused, user } from "./application.mjs";
import { Walker } from "./walker.mjs";

// The issuer of a test is http on the loopback interface.
const http = { [oauth.allowInsecureRequests]: true };
const report = new Report();

async function applications() {
  const jwk = JSON.parse(env("KEY_CLIENT_JWK"));
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const list = [
    ["client_secret_basic", client(), oauth.ClientSecretBasic],
    ["client_secret_post", client("POST"), oauth.ClientSecretPost],
    ["client_secret_jwt", client("SECRET_JWT"), oauth.ClientSecretJwt],
    ["private_key_jwt", { ...client("KEY"), secret: { key, kid: jwk.kid } }, oauth.PrivateKeyJwt],
    ["none", client("PUBLIC"), oauth.None],
  ];
  return list.map(([method, { id, secret }, authentication]) => ({
    method,
    client: { client_id: id },
    authentication: authentication(secret),
    key: secret?.key && secret,
  }));
}

/** The ways in which a request gets to the server: each makes of its parameters those of the URL. */
const ways = {
  plain: (_server, _application, parameters) => parameters,
  async pushed(server, { client, authentication }, parameters) {
    const response = await oauth.pushedAuthorizationRequest(server, client, authentication, parameters, http);
    const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, response);
    return { ...client, request_uri };
  },
  async signed(server, { client, key }, parameters) {
    return { ...client, request: await oauth.issueRequestObject(server, client, parameters, key) };
  },
};

/** Signs in: the answer of the token endpoint, and the response it was read from. */
async function signIn(server, application, way = ways.plain, more = {}) {
  const { client, authentication } = application;
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(server.authorization_endpoint);
  const request = {
    ...client,
    redirect_uri: redirectUri,
    response_type: "code",
    scope: SCOPE,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  };
  url.search = new URLSearchParams(await way(server, application, request));
  const callback = await new Walker(user).walk(url, redirectUri);
  const parameters = await validated(server, client, callback, request);
  const response = await oauth.authorizationCodeGrantRequest(
    ...[server, client, authentication, parameters, redirectUri, verifier, http],
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(server, response, http);
  return tokens;
}

/** The parameters of the answer; the library checks state and, because the metadata says so, iss (RFC 9207). */
async function validated(server, client, callback, { state, nonce, response_type, response_mode }) {
  if (response_mode === "jwt") return oauth.validateJwtAuthResponse(server, client, callback, state, http);
  if (response_type === "code") return oauth.validateAuthResponse(server, client, callback, state);
  return oauth.validateCodeIdTokenResponse(server, client, callback, nonce, state, undefined, http);
}

/** Requests that the network or the browser cannot have changed, and answers of other kinds. */
async function otherRequests(server, application) {
  const both = (server, application, parameters) =>
    ways.signed(server, application, parameters).then((signed) => ways.pushed(server, application, signed));
  await report.check("a pushed authorization request (RFC 9126)", () => signIn(server, application, ways.pushed));
  await report.check("a signed request object (RFC 9101)", () => signIn(server, application, ways.signed));
  await report.check("a signed request object that is pushed", () => signIn(server, application, both));
  await report.check("a signed answer (JARM)", () => signIn(server, application, ways.plain, { response_mode: "jwt" }));
  await report.check("code id_token: an ID token beside the code, bound to it and to the state", () =>
    signIn(server, application, ways.plain, { response_type: "code id_token" }),
  );
}

async function codeGrant(server, application) {
  const { client, authentication } = application;
  const tokens = await report.check("code with PKCE; the ID token and its signature are good", () =>
    signIn(server, application),
  );
  if (!tokens) return;
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  await report.check("UserInfo is about the same user", async () => {
    const response = await oauth.userInfoRequest(server, client, tokens.access_token, http);
    const answer = await oauth.processUserInfoResponse(server, client, sub, response);
    assertEqual(answer.email, "alice@example.com", "email");
  });
  await report.check("a resource server takes the access token as a JWT of RFC 9068", async () => {
    const request = new Request("https://api.example/", { headers: { authorization: `Bearer ${tokens.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request, server.issuer, http);
    assertEqual(claims.sub, sub, "sub");
    assertEqual(claims.client_id, client.client_id, "client_id");
  });
  const refresh = async (token) => {
    const response = await oauth.refreshTokenGrantRequest(server, client, authentication, token, http);
    return oauth.processRefreshTokenResponse(server, client, response);
  };
  await report.check("refresh, then revocation of the refresh token", async () => {
    const next = await refresh(tokens.refresh_token);
    assert(next.refresh_token !== tokens.refresh_token, "the refresh token did not rotate");
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, authentication, next.refresh_token, http),
    );
    await refused(() => refresh(next.refresh_token), "invalid_grant");
  });
}

async function machine(server, { client, authentication }) {
  const token = await report.check("client credentials", async () => {
    const parameters = { scope: "email" };
    const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, http);
    const answer = await oauth.processClientCredentialsResponse(server, client, response);
    assertEqual(answer.scope, "email", "scope");
    return answer.access_token;
  });
  await report.check("introspection: active until it is revoked", async () => {
    const introspect = async () => {
      const response = await oauth.introspectionRequest(server, client, authentication, token, http);
      return oauth.processIntrospectionResponse(server, client, response);
    };
    assertEqual((await introspect()).client_id, client.client_id, "client_id");
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, authentication, token, http));
    assertEqual((await introspect()).active, false, "active");
  });
}

/** RFC 8628, with the scope of an application that has no OpenID Connect. */
async function device(server) {
  const device = { client_id: client("DEVICE").id };
  const poll = async (code) => {
    const response = await oauth.deviceCodeGrantRequest(server, device, oauth.None(), code, http);
    return oauth.processDeviceCodeResponse(server, device, response);
  };
  await report.check("pending, then tokens once its user has decided", async () => {
    const response = await oauth.deviceAuthorizationRequest(
      ...[server, device, oauth.None(), { scope: "email offline_access" }, http],
    );
    const started = await oauth.processDeviceAuthorizationResponse(server, device, response);
    await refused(() => poll(started.device_code), "authorization_pending");
    await new Walker(user).typeCode(started.verification_uri, started.user_code);
    const tokens = await poll(started.device_code);
    assert(tokens.access_token && tokens.refresh_token && !tokens.id_token, "unexpected token response");
    await refused(() => poll(started.device_code), "invalid_grant");
  });
}

async function discover(algorithm) {
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...http });
  return oauth.processDiscoveryResponse(issuer, response);
}

report.prefix = "oauth4webapi ";
const server = await report.check("discovery as RFC 8414 and as OpenID Connect say, with the same answer", async () => {
  const [oauth2, oidc] = [await discover("oauth2"), await discover("oidc")];
  assertEqual(JSON.stringify(oauth2), JSON.stringify(oidc), "metadata");
  return oidc;
});
for (const application of server ? await applications() : []) {
  report.prefix = `oauth4webapi ${application.method}: `;
  await codeGrant(server, application);
  if (application.method !== "none") await machine(server, application);
  if (application.key) await otherRequests(server, application);
}
if (server) {
  report.prefix = "oauth4webapi device: ";
  await device(server);
}
process.exitCode = report.finish();
