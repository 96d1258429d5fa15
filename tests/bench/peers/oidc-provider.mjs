// The npm package oidc-provider as an opponent of scripts/bench: one process, with the adapter that the package ships,
// which keeps everything in memory. Usage: node oidc-provider.mjs PORT DIRECTORY; what the load generator must know to
// ask it is written into the directory.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Provider, interactionPolicy } from 'oidc-provider';
import MemoryAdapter from './node_modules/oidc-provider/lib/adapters/memory_adapter.js';

const [port, directory] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const scope = 'openid profile email offline_access';

// The adapter's own store forgets all but the last thousand entries: codes made beforehand, even the session.
class Storage extends Map {
  get(key) {
    const entry = super.get(key);
    return entry && entry.expiry > Date.now() ? entry.value : undefined;
  }

  set(key, value, { maxAge = Infinity } = {}) {
    return super.set(key, { value, expiry: Date.now() + maxAge });
  }
}
const storage = new Storage();

const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const web = { grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/callback'] };
const registered = {
  'machine-es256': machine,
  'machine-opaque': machine,
  'web-es256': { ...web, id_token_signed_response_alg: 'ES256' },
  'web-rs256': { ...web, id_token_signed_response_alg: 'RS256' },
  'web-opaque': { ...web, id_token_signed_response_alg: 'ES256' },
};
const clients = Object.entries(registered).map(([name, metadata]) => (
  { client_id: name, client_secret: randomBytes(32).toString('base64url'), ...metadata }
));

function jwk(alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg };
}

// Nothing is asked: the one user is signed in and has consented. A grant for each authorization, as Chancery has it.
const policy = interactionPolicy.base();
policy.remove('consent');

async function newGrant(ctx) {
  const { session, client, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(scope);
  grant.addResourceScope('urn:bench', scope);
  await grant.save();
  return grant;
}

const provider = new Provider(issuer, {
  adapter: (model) => new MemoryAdapter(model, storage),
  clients,
  scopes: scope.split(' '),
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  jwks: { keys: [jwk('RS256', 'rsa', { modulusLength: 2048 }), jwk('ES256', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  findAccount: (ctx, accountId) => ({
    accountId,
    claims: () => ({
      sub: accountId, name: 'bench', preferred_username: 'bench', email: 'bench@example.com', email_verified: false,
    }),
  }),
  interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: newGrant,
  // Chancery issues them for `offline_access`, which this package takes away where nobody is asked for consent.
  issueRefreshToken: (ctx, client, source) => client.grantTypeAllowed('refresh_token') && !source.scopes.has('openid'),
  rotateRefreshToken: true,
  expiresWithSession: () => false,
  ttl: { ClientCredentials: 3600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Access tokens are JWTs for a resource only; UserInfo and introspection take only the others.
      defaultResource: (ctx, client) => (client.clientId.endsWith('-opaque') ? undefined : 'urn:bench'),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
    },
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'bench' } });
});

function describe() {
  const { version } = JSON.parse(readFileSync(new URL('node_modules/oidc-provider/package.json', import.meta.url)));
  const write = (name, value) => writeFileSync(`${directory}/${name}.json`, JSON.stringify(value));
  clients.forEach((client) => write(client.client_id, client));
  write('server', {
    name: `oidc-provider ${version}`,
    note: `One process of Node.js ${process.versions.node}, everything kept in memory: nothing outlives it.`,
    url: issuer,
    pid: process.pid,
    no_database: true,
    lacks: ['introspect-jwt', 'introspect-own-es256', 'userinfo-jwt'],
  });
}

// Written when it listens: the file says that it is ready.
provider.listen(Number(port), '127.0.0.1', describe);
