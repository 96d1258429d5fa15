// The snippets of docs/production.md for reverse proxies, taken from there as they stand: each in front of a server, and in
// front of a listener that tells what reached it. Only ports and files are replaced.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import https from "node:https";
import { join } from "node:path";
import { assert, assertEqual } from "../support/report.mjs";
import { freePort, projectRoot } from "../support/chancery.mjs";
import { serve } from "./deployment.mjs";
import { until } from "./stage.mjs";

const SITES = { "id.example.com": "https://id.example.com", "www.example.com": "https://www.example.com/auth" };

/** What is around a snippet, how it is started, and what the language's own place for the certificate is. */
const PROXIES = {
  nginx: {
    around: (snippet, room) => `
      daemon off; pid ${room}/pid; error_log ${room}/log;
      events {}
      http {
        access_log off;
        ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${room}/${name};`).join("\n")}
        ${snippet}
      }`,
    command: (file, room) => ["nginx", ["-c", file, "-p", room]],
  },
  caddy: {
    // Without the certificate it would ask an authority on the Internet for one.
    around: (snippet, room, port, certificate) =>
      `{\n admin off\n auto_https disable_redirects\n https_port ${port}\n}\n` +
      snippet.replace("{\n", `{\n\tbind 127.0.0.1\n\ttls ${certificate}.pem ${certificate}.key\n`),
    command: (file) => ["caddy", ["run", "--adapter", "caddyfile", "--config", file]],
  },
  haproxy: {
    around: (snippet) =>
      `defaults\n mode http\n timeout connect 2s\n timeout client 30s\n timeout server 30s\n timeout http-keep-alive 5s\n${snippet}`,
    command: (file) => ["haproxy", ["-db", "-f", file]],
  },
  apache: {
    around: (snippet, room, port) => `
      ServerRoot ${room}
      DefaultRuntimeDir ${room}
      PidFile ${room}/pid
      ErrorLog ${room}/log
      Mutex posixsem
      ServerName 127.0.0.1
      Listen 127.0.0.1:${port}
      ${["mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "headers", "unique_id"]
        .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
        .join("\n")}
      ${snippet}`,
    command: (file) => ["apache2", ["-f", file, "-D", "FOREGROUND"]],
  },
};

/** The blocks of the section, by language. */
function snippets() {
  const text = readFileSync(join(projectRoot, "docs", "production.md"), "utf8");
  const [section] = text.split("\n## Reverse proxies\n")[1].split("\n## ");
  return [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, snippet]) => ({ language, snippet }));
}

export async function proxies(report, stage) {
  const certificate = await makeCertificate(stage);
  const echo = await listener();
  try {
    const found = snippets();
    assertEqual(found.length, 2 * Object.keys(PROXIES).length, "snippets in docs/production.md");
    for (const one of found) {
      const host = Object.keys(SITES).find((name) => one.snippet.includes(name)) ?? hostOf(one.snippet);
      const name = `${one.language}, ${new URL(SITES[host]).pathname === "/" ? "a host of its own" : "below a path"}`;
      await report.together(name, () => each(report, stage, { ...one, host, name, certificate, echo }));
    }
  } finally {
    echo.server.close();
  }
}

/** HAProxy's snippets name no host. */
const hostOf = (snippet) => (snippet.includes("/auth") ? "www.example.com" : "id.example.com");

async function each(report, stage, { language, snippet, host, name, certificate, echo }) {
  const issuer = SITES[host];
  const server = await freePort();
  await serve(stage, `server-${language}-${host}`, {
    CHANCERY_SERVER__ISSUER: issuer,
    CHANCERY_SERVER__LISTEN: `127.0.0.1:${server}`,
    CHANCERY_SERVER__TRUSTED_PROXIES: "127.0.0.1/32",
    CHANCERY_DATA__DIRECTORY: join(stage.directory, `data-${language}-${host}`),
  });
  const path = new URL(issuer).pathname.replace(/\/$/, "");
  await until("the server is ready", async () => (await fetch(`http://127.0.0.1:${server}${path}/readyz`)).ok);
  const to = (port) => start(stage, { language, snippet, host, certificate, upstream: port });
  await report.check(`${name}: discovery, metadata and the sign-in page are reached under the issuer`, async () => {
    const get = asker(await to(server), host, certificate);
    const discovery = await until("the proxy answers", async () => {
      const answer = await get(`${path}/.well-known/openid-configuration`);
      return answer.status === 200 && answer;
    });
    assertEqual(JSON.parse(discovery.body).issuer, issuer, "issuer");
    const metadata = await get(`/.well-known/oauth-authorization-server${path}`);
    assertEqual(JSON.parse(metadata.body).issuer, issuer, "issuer in the metadata of RFC 8414");
    assertEqual((await get(`${path}/account`)).headers.location?.split("?")[0], `${issuer}/login`, "where /account leads to");
    assertEqual((await get(`${path}/authorize`)).status, 400, "status of a request without a client");
  });
  await report.check(`${name}: the server learns the browser's address, whatever that says of itself`, async () => {
    const get = asker(await to(echo.port), host, certificate);
    const told = await until("the proxy answers", async () => JSON.parse((await get(`${path}/authorize?a=b%2Fc`, FORGED)).body));
    assertEqual(told.url, `${path}/authorize?a=b%2Fc`, "path and query");
    assertEqual(told.headers["x-forwarded-for"], "127.0.0.2", "X-Forwarded-For");
    assert(told.headers["x-request-id"] && told.headers["x-request-id"] !== FORGED["x-request-id"], "X-Request-Id");
  });
}

const FORGED = { "x-forwarded-for": "203.0.113.9", "x-request-id": "forged" };

/** Starts a proxy with a snippet in which only ports and files differ; answers its port. */
async function start(stage, { language, snippet, host, certificate, upstream }) {
  const [port, name] = [await freePort(), `${language}-${host}-${upstream}`];
  const room = await stage.room(name);
  const { around, command } = PROXIES[language];
  const local = snippet
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${upstream}`)
    .replaceAll("/etc/ssl/example", certificate)
    .replace(/(listen |bind :)443/, (_, before) => `${before.replace(":", "")}127.0.0.1:${port}`)
    .replace("*:443", `*:${port}`);
  const file = await stage.file(join(room, "configuration"), around(local, room, port, certificate));
  const environment = { HOME: room, XDG_DATA_HOME: room, XDG_CONFIG_HOME: room };
  await stage.start(name, ...command(file, room), { environment });
  return port;
}

/** Asks a proxy as a browser at 127.0.0.2 would. */
function asker(port, host, certificate) {
  const ca = readFileSync(`${certificate}.pem`);
  return (path, headers = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path, ca, servername: host, localAddress: "127.0.0.2", agent: false };
      const request = https.get({ ...options, timeout: 10_000, headers: { host, ...headers } }, (response) => {
        let body = "";
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
      });
      request.on("error", reject);
    });
}

/** Answers every request with what it was. */
async function listener() {
  const port = await freePort();
  const server = createServer(({ url, headers }, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ url, headers }));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, port };
}

/** A certificate for both hosts, as three files. */
async function makeCertificate(stage) {
  const certificate = join(await stage.room("certificate"), "example");
  const subject = ["-subj", "/CN=example", "-addext", "subjectAltName=DNS:id.example.com,DNS:www.example.com"];
  const files = ["-keyout", `${certificate}.key`, "-out", `${certificate}.pem`];
  await stage.run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files]);
  const both = readFileSync(`${certificate}.pem`, "utf8") + readFileSync(`${certificate}.key`, "utf8");
  await stage.file(`${certificate}.both.pem`, both);
  return certificate;
}
