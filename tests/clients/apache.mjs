#!/usr/bin/env node
// Debian's Apache with mod_auth_openidc in front of a page: `tests/clients/apache.mjs sqlite|postgres`. A browser without
// a screen signs in, is let in by its groups or not, and out; and Apache hears over the back channel of a sign-out
// elsewhere. Apache is a process of its own on the loopback interface, with everything it writes in one directory.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { freePort, withChancery } from "../support/chancery.mjs";
import { Walker } from "./node/walker.mjs";

const [port, apachePort] = [await freePort(), await freePort()];
const issuer = `http://127.0.0.1:${port}`;
const site = `http://127.0.0.1:${apachePort}`;
const redirectUri = `${site}/members/openid`;

const settings = {
  CHANCERY_SERVER__ISSUER: issuer,
  CHANCERY_SERVER__LISTEN: `127.0.0.1:${port}`,
  // The back channel goes to the loopback interface here.
  CHANCERY_OUTBOUND__ALLOW_PRIVATE: "true",
};

function configuration(directory, { client_id, client_secret }) {
  const modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers", "auth_openidc"];
  const privileges = process.getuid() === 0 ? "User www-data\nGroup www-data" : "";
  return `
    ServerRoot ${directory}
    DefaultRuntimeDir ${directory}
    PidFile ${directory}/pid
    ErrorLog ${directory}/log
    LogLevel warn
    Mutex posixsem
    ServerName 127.0.0.1
    Listen 127.0.0.1:${apachePort}
    ${privileges}
    ${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
    DocumentRoot ${directory}/pages
    DirectoryIndex index.html

    OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
    OIDCClientID ${client_id}
    OIDCClientSecret ${client_secret}
    OIDCRedirectURI ${redirectUri}
    OIDCCryptoPassphrase ${randomBytes(32).toString("hex")}
    OIDCScope "openid email groups"
    OIDCPKCEMethod S256
    OIDCRemoteUserClaim email
    # The fetch of Node.js does not say that it navigates, as a browser does.
    OIDCUnAuthAction auth true

    <Location /members>
      AuthType openid-connect
      Require valid-user
      Header set X-Remote-User "expr=%{REMOTE_USER}"
    </Location>
    <Location /members/staff>
      Require claim groups:staff
    </Location>
    <Location /members/board>
      Require claim groups:board
    </Location>`;
}

/** Runs Apache around `body`, in a directory that its own user can read. */
async function withApache(client, body) {
  const directory = mkdtempSync(join(tmpdir(), "chancery-apache-"));
  chmodSync(directory, 0o755);
  for (const page of ["members", "members/staff", "members/board", "signed-out"]) {
    mkdirSync(join(directory, "pages", page), { recursive: true });
    writeFileSync(join(directory, "pages", page, "index.html"), `the page of ${page}`);
  }
  writeFileSync(join(directory, "apache.conf"), configuration(directory, client));
  const apache = spawn("apache2", ["-f", join(directory, "apache.conf"), "-D", "FOREGROUND"], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise((resolve) => apache.on("close", resolve));
  try {
    await body();
  } catch (error) {
    throw new Error(`${error.message}\n${readFileSync(join(directory, "log"), "utf8")}`);
  } finally {
    apache.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true });
  }
}

async function register(chancery) {
  const client = await chancery.command([
    ...["client", "create", "--name", "Members", "--scope", "openid email groups", "--redirect-uri", redirectUri],
    ...["--post-logout-redirect-uri", `${site}/signed-out/`],
    ...["--backchannel-logout-uri", `${redirectUri}?logout=backchannel`, "--backchannel-logout-session-required"],
  ]);
  const user = await chancery.command([
    ...["user", "create", "--username", "alice", "--email", "alice@example.com", "--email-verified"],
    ...["--group", "staff", "--generate-password"],
  ]);
  return { client, user };
}

async function checks(report, chancery, user) {
  const walker = new Walker(user);
  const enter = async (who, path) => {
    await who.walk(`${site}${path}`, `${site}${path}`);
    return who.read(`${site}${path}`);
  };
  await report.check("whoever comes is sent to sign in, and then sees the page", async () => {
    const page = await enter(walker, "/members/");
    assertEqual(page.status, 200, "status");
    assertEqual(page.headers.get("x-remote-user"), "alice@example.com", "user");
    assertEqual(walker.sent.join(), "login,consent", "forms");
  });
  await report.check("groups decide about the pages below", async () => {
    assertEqual((await walker.read(`${site}/members/staff/`)).status, 200, "staff");
    assertEqual((await walker.read(`${site}/members/board/`)).status, 401, "board");
  });
  await report.check("signing out at Apache ends the session of the server as well", async () => {
    const after = `${site}/signed-out/`;
    await walker.walk(`${redirectUri}?logout=${encodeURIComponent(after)}`, after);
    assertEqual((await walker.read(`${site}/members/`)).status, 302, "status");
    await enter(walker, "/members/");
    assertEqual(walker.sent.join(), "login", "forms");
  });
  await report.check("signing out at the server reaches Apache over the back channel", async () => {
    const other = new Walker(user);
    await enter(other, "/members/");
    await walker.walk(`${issuer}/logout`);
    await chancery.until(async () => (await walker.read(`${site}/members/`)).status === 302, "still signed in", 20);
    assertEqual((await other.read(`${site}/members/`)).status, 200, "the other browser stays");
  });
}

const report = new Report("apache: ");
await withChancery(process.argv[2], settings, async (chancery) => {
  chancery.start(["serve"]);
  await chancery.until(async () => (await fetch(`${issuer}/readyz`)).ok, "the server is not ready");
  const { client, user } = await register(chancery);
  await report.together("Apache", () =>
    withApache(client, async () => {
      await chancery.until(async () => (await fetch(`${site}/signed-out/`)).ok, "Apache is not ready", 20);
      await checks(report, chancery, user);
    }),
  );
});
process.exitCode = report.finish();
