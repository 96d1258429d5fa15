// A single-page application with the library oidc-client-ts, in a real Chromium:
// `node tests/browser/single-page.mjs [sqlite|postgres]`. It signs in by redirect and by popup, renews its tokens in a
// hidden iframe and with a refresh token, notices that its user is gone, and signs out.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, projectRoot, withChancery } from "../support/chancery.mjs";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { ALLOW, launch, visit } from "./person.mjs";

const LIBRARY = join(projectRoot, "tests/browser/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js");

/** The application: one page for everything, which the checks drive through `manager`. */
function application(port, { issuer, clients }) {
  const home = `http://127.0.0.1:${port}`;
  const page = `<!doctype html><title>Application</title><script src="/library.js"></script><script>
    const settings = {
      authority: ${JSON.stringify(issuer)},
      redirect_uri: "${home}/callback", popup_redirect_uri: "${home}/popup", silent_redirect_uri: "${home}/silent",
      post_logout_redirect_uri: "${home}/signed-out", response_type: "code", automaticSilentRenew: false,
      accessTokenExpiringNotificationTimeInSeconds: 60, loadUserInfo: true,
    };
    const managerFor = (client_id, more) => new oidc.UserManager({ ...settings, client_id, ...more });
    const manager = managerFor(${JSON.stringify(clients.plain)}, { scope: "openid profile" });
    const arrivals = {
      "/callback": () => manager.signinRedirectCallback(), "/popup": () => manager.signinPopupCallback(),
      "/silent": () => manager.signinSilentCallback(), "/signed-out": () => manager.signoutRedirectCallback(),
    };
    const arrived = arrivals[location.pathname]?.();
  </script>`;
  return createServer((request, response) => {
    const isLibrary = request.url === "/library.js";
    response.writeHead(200, { "content-type": isLibrary ? "text/javascript" : "text/html; charset=utf-8" });
    response.end(isLibrary ? readFileSync(LIBRARY) : page);
  }).listen(port, "127.0.0.1");
}

/** Registers the clients and the user. */
async function register(chancery, port) {
  const uris = ["callback", "popup", "silent"].flatMap((path) => ["--redirect-uri", `http://127.0.0.1:${port}/${path}`]);
  const create = async (name, ...options) => {
    const client = await chancery.command([
      ...["client", "create", "--name", name, "--auth-method", "none", "--consent-policy", "remember", ...uris],
      ...["--post-logout-redirect-uri", `http://127.0.0.1:${port}/signed-out`, ...options],
    ]);
    return client.client_id;
  };
  const clients = {
    plain: await create("Application", "--scope", "openid profile"),
    offline: await create("Offline", "--scope", "openid offline_access"),
    // The library renews a minute before the end.
    brief: await create("Brief", "--scope", "openid profile", "--access-token-lifetime", "62"),
  };
  const user = await chancery.command([
    ...["user", "create", "--username", "alice", "--name", "Alice Example", "--generate-password"],
  ]);
  return { clients, username: user.username, password: user.password };
}

/** What the application does at its page, as its developer would write it. */
class Application {
  constructor(person) {
    this.person = person;
    this.page = person.page;
    this.home = person.about.home;
  }

  run(body, argument) {
    return this.page.evaluate(body, argument);
  }

  /** Starts something that leaves the page, up to the server's first page that asks, or back. */
  leave(body) {
    return this.person.follow(() => this.run(body));
  }

  async backAt(path) {
    await this.page.waitForURL((url) => url.href.startsWith(`${this.home}${path}`));
    return this.run(() => arrived);
  }

  signInSilently() {
    return this.run(() =>
      manager.signinSilent().then(
        (user) => ({ token: user.access_token, sub: user.profile.sub }),
        (error) => ({ error: error.error ?? error.message }),
      ),
    );
  }
}

async function byRedirect(report, person) {
  const { page, about } = person;
  const application = new Application(person);
  await page.goto(about.home);
  await report.check("not signed in: silent sign-in in an iframe answers login_required", async () => {
    assertEqual((await application.signInSilently()).error, "login_required", "error");
  });
  const first = await report.check("sign-in by redirect, with PKCE, tokens fetched by the page itself", async () => {
    await application.leave(() => void manager.signinRedirect());
    await person.signIn();
    await person.follow(() => page.click(ALLOW));
    const user = await application.backAt("/callback");
    assertEqual(user.profile.name, "Alice Example", "name");
    assertEqual(user.scope, "openid profile", "scope");
    return { token: user.access_token, sub: user.profile.sub };
  });
  await report.check("signed in: silent renewal in an iframe gives another token of the same user", async () => {
    const renewed = await application.signInSilently();
    assert(renewed.token && renewed.token !== first.token, JSON.stringify(renewed));
    assertEqual(renewed.sub, first.sub, "sub");
  });
}

async function byPopup(report, person) {
  const { page, about } = person;
  const application = new Application(person);
  /** Signs in at a popup, where consent is asked for; answers the scope. */
  const signIn = async (client, scope) => {
    const popup = page.waitForEvent("popup");
    const signedIn = application.run(
      ([client, scope]) => managerFor(client, { scope }).signinPopup().then((user) => user.scope),
      [client, scope],
    );
    await (await popup).click(ALLOW);
    return signedIn;
  };
  await page.goto(about.home);
  await report.check("another client, which nobody has allowed yet: the iframe is told consent_required", async () => {
    const refused = application.run(
      (client) => managerFor(client, { scope: "openid profile" }).signinSilent().catch((error) => error.error),
      about.clients.brief,
    );
    assertEqual(await refused, "consent_required", "error");
  });
  await report.check("sign-in in a popup, which closes itself", async () => {
    assertEqual(await signIn(about.clients.brief, "openid profile"), "openid profile", "scope");
  });
  await report.check("a token that is about to expire is renewed by itself, in an iframe", async () => {
    const renewed = await application.run(async (client) => {
      const manager = managerFor(client, { scope: "openid profile", automaticSilentRenew: true });
      const loaded = new Promise((resolve, reject) => {
        manager.events.addUserLoaded((user) => resolve(user.access_token));
        manager.events.addSilentRenewError(reject);
        setTimeout(() => reject(new Error("not renewed")), 15_000);
      });
      // Looking at the user starts its timers.
      const { access_token } = await manager.getUser();
      const token = await loaded;
      manager.stopSilentRenew();
      return token !== access_token;
    }, about.clients.brief);
    assert(renewed, "the same token");
  });
  await report.check("with a refresh token, renewal needs no iframe", async () => {
    await signIn(about.clients.offline, "openid offline_access");
    const frames = [];
    page.on("frameattached", (frame) => frames.push(frame));
    const tokens = await application.run(async (client) => {
      const manager = managerFor(client, { scope: "openid offline_access" });
      const before = await manager.getUser();
      const after = await manager.signinSilent();
      return [before.access_token, after.access_token, before.refresh_token, after.refresh_token];
    }, about.clients.offline);
    assertEqual(new Set(tokens).size, 4, "different tokens");
    assertEqual(frames.length, 0, "frames");
  });
}

/** Session Management 1.0: the library asks a frame of the server every second whether the sign-in is the same. */
async function monitoring(report, person) {
  const { page, about } = person;
  const application = new Application(person);
  const monitor = (event) =>
    application.run(
      ([client, event]) =>
        new Promise((resolve) => {
          const settings = { scope: "openid profile", monitorSession: true, checkSessionIntervalInSeconds: 1 };
          const manager = managerFor(client, settings);
          manager.events[event](() => resolve("noticed"));
          setTimeout(() => resolve("nothing"), 8_000);
        }),
      [about.clients.plain, event],
    );
  await page.goto(about.home);
  await application.leave(() => void manager.signinRedirect());
  await person.signIn();
  await application.backAt("/callback");
  await report.check("session monitoring: while nothing changes, nothing is noticed", async () => {
    assertEqual(await monitor("addUserSignedOut"), "nothing", "sign-out");
  });
  await report.check("session monitoring: a sign-out in another tab is noticed", async () => {
    const noticed = monitor("addUserSignedOut");
    const tab = await page.context().newPage();
    await tab.goto(`${about.issuer}/logout`);
    await tab.click("button[name=decision][value=sign_out]");
    assertEqual(await noticed, "noticed", "sign-out");
    await tab.close();
  });
}

async function signingOut(report, person) {
  const { page } = person;
  const application = new Application(person);
  await report.check("sign-out comes back to the application, and ends the session of the server", async () => {
    await application.leave(() => void manager.signoutRedirect());
    await application.backAt("/signed-out");
    assertEqual((await application.signInSilently()).error, "login_required", "error");
  });
}

async function main() {
  const database = process.argv[2] ?? "sqlite";
  const report = new Report(`oidc-client-ts ${database}: `);
  const [port, home] = [await freePort(), await freePort()];
  const issuer = `http://127.0.0.1:${port}`;
  const settings = { CHANCERY_SERVER__ISSUER: issuer, CHANCERY_SERVER__LISTEN: `127.0.0.1:${port}` };
  return withChancery(database, settings, async (chancery) => {
    chancery.start(["serve"]);
    await chancery.until(async () => (await fetch(`${issuer}/readyz`)).ok, "the server is not ready");
    const about = { ...(await register(chancery, home)), issuer, home: `http://127.0.0.1:${home}`, complaints: [] };
    const pages = application(home, about);
    const browser = await launch();
    try {
      await visit(browser, about, {}, async (person) => {
        for (const part of [byRedirect, byPopup, signingOut, monitoring]) await report.together(part.name, () => part(report, person));
      });
    } finally {
      await browser.close();
      pages.close();
    }
    await report.check("no page broke its Content-Security-Policy or its script", () =>
      assertEqual(about.complaints.join("\n"), "", "complaints"),
    );
    return report.finish();
  });
}

main().then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error.stack);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
  },
);
