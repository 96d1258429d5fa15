// Glewlwyd as an opponent of scripts/bench: registers with its administration API what the load needs, and signs the
// user in. Usage: node glewlwyd.mjs URL DIRECTORY PID POSTMASTER VERSION; what the load generator must know to ask it
// is written into the directory.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const [url, directory, pid, postmaster, version] = process.argv.slice(2);
const scopes = ['openid', 'profile', 'email', 'offline_access'];
const secret = () => randomBytes(32).toString('base64url');

// call SESSION METHOD PATH BODY: the answer, or an error that says what was refused.
async function call(session, method, path, body) {
  const response = await fetch(`${url}/api/${path}`, {
    method,
    headers: { 'content-type': 'application/json', cookie: session },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

async function signIn(username, password) {
  const response = await call('', 'POST', 'auth/', { username, password });
  return response.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
}

// What the package's database begins with.
const admin = await signIn('admin', 'password');
const create = (path, body) => call(admin, 'POST', path, body);

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'ES256' };

await create('mod/plugin/', {
  module: 'oidc',
  name: 'oidc',
  display_name: 'bench',
  enabled: true,
  parameters: {
    iss: `${url}/api/oidc`,
    'jwks-private': JSON.stringify({ keys: [key] }),
    'default-kid': 'ES256',
    'jwks-show': true,
    'jwt-type': 'ecdsa',
    'jwt-key-size': '256',
    'subject-type': 'public',
    'code-duration': 60,
    'access-token-duration': 3600,
    'refresh-token-duration': 1209600,
    'refresh-token-one-use': 'always',
    'allow-non-oidc': true,
    'auth-type-client-enabled': true,
    'auth-type-code-enabled': true,
    'auth-type-refresh-enabled': true,
    'auth-type-token-enabled': false,
    'auth-type-implicit-enabled': false,
    'auth-type-password-enabled': false,
    'pkce-allowed': true,
    'introspection-revocation-allowed': true,
    'introspection-revocation-allow-target-client': true,
    'name-claim': 'on-demand',
    'name-claim-scope': ['profile'],
    'email-claim': 'on-demand',
    'email-claim-scope': ['email'],
    'encrypt-out-token-allow': false,
  },
});

for (const name of ['profile', 'email', 'offline_access', 'machine']) {
  await create('scope/', { name, display_name: name, password_required: false, scheme: {} });
}

const user = { username: 'bench', password: secret() };
await create('user/', {
  ...user, name: 'Bench', email: 'bench@example.com', scope: ['g_profile', ...scopes], enabled: true,
});

const client = {
  confidential: true, enabled: true, token_endpoint_auth_method: ['client_secret_basic'],
};
const clients = {
  'machine-es256': { authorization_type: ['client_credentials'], scope: ['machine'] },
  'web-es256': { authorization_type: ['code', 'refresh_token'], redirect_uri: ['http://127.0.0.1/callback'] },
};
for (const [name, metadata] of Object.entries(clients)) {
  const password = secret();
  await create('client/', { client_id: name, name, password, ...client, ...metadata });
  write(name, { client_id: name, client_secret: password, redirect_uris: metadata.redirect_uri });
}

const session = await signIn(user.username, user.password);
await call(session, 'PUT', 'auth/grant/web-es256', { scope: scopes.join(' ') });

write('server', {
  name: `Glewlwyd ${version}`,
  note: 'On the same Postgres, as durable. Its code exchange makes a refresh token too, which Chancery was not asked for.',
  url: `${url}/api/oidc`,
  pid: Number(pid),
  postmaster: Number(postmaster),
  session,
  authorize: { g_continue: '' },
  client_credentials: { scope: 'machine' },
});

function write(name, value) {
  writeFileSync(`${directory}/${name}.json`, JSON.stringify(value));
}
