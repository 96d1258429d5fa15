// An application that hears of sign-out in every way there is: in a frame of its own page (Session Management 1.0), in a
// frame of the signed-out page (Front-Channel Logout 1.0), and from server to server (Back-Channel Logout 1.0).

import { createServer } from "node:http";
import { assert, assertEqual } from "../support/report.mjs";
import { authorization, endpoint } from "./request.mjs";

/** The application: a page with the server's frame in it, and what it was told. */
export class Listener {
  shown = [];
  told = [];

  static async start(chancery, about) {
    const self = new Listener();
    self.about = about;
    self.server = createServer((request, response) => self.#answer(request, response));
    await new Promise((resolve) => self.server.listen(0, "127.0.0.1", resolve));
    self.origin = `http://localhost:${self.server.address().port}`;
    self.client = await chancery.command([
      ...["client", "create", "--name", "Listener", "--client-uri", `${self.origin}/`],
      ...["--redirect-uri", `${self.origin}/callback`, "--post-logout-redirect-uri", `${self.origin}/bye`],
      ...["--frontchannel-logout-uri", `${self.origin}/front`],
      ...["--backchannel-logout-uri", `${self.origin}/back`],
    ]);
    return self;
  }

  #answer(request, response) {
    if (request.url.startsWith("/front")) this.shown.push(request.url);
    if (request.method === "POST") this.told.push(request.url);
    response.setHeader("content-type", "text/html");
    const frame = `<iframe id="op" src="${endpoint(this.about, "/check_session")}"></iframe>`;
    response.end(`<!doctype html><title>Listener</title>${frame}`);
  }

  /** Signs in, and stays at the application's page. */
  async enter(person) {
    const { page } = person;
    const request = { client_id: this.client.client_id, redirect_uri: `${this.origin}/callback` };
    const { url, verifier } = authorization(this.about, request);
    await person.authorize(url);
    await page.waitForURL((url) => url.origin === this.origin);
    const answer = new URL(page.url()).searchParams;
    this.sessionState = answer.get("session_state");
    this.idToken = await this.#redeem(answer.get("code"), verifier);
  }

  async #redeem(code, verifier) {
    const credentials = btoa(`${this.client.client_id}:${this.client.client_secret}`);
    const form = { grant_type: "authorization_code", code, redirect_uri: `${this.origin}/callback` };
    const answer = await fetch(endpoint(this.about, "/token"), {
      method: "POST",
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ ...form, code_verifier: verifier }),
    });
    return (await answer.json()).id_token;
  }

  /** What the server's frame on the application's page answers. */
  async ask(page) {
    return page.evaluate(
      ([message, origin]) =>
        new Promise((resolve) => {
          addEventListener("message", (event) => resolve(event.data), { once: true });
          document.getElementById("op").contentWindow.postMessage(message, origin);
        }),
      [`${this.client.client_id} ${this.sessionState}`, new URL(this.about.issuer).origin],
    );
  }

  signOutUrl() {
    const bye = `${this.origin}/bye`;
    const request = new URLSearchParams({ id_token_hint: this.idToken, post_logout_redirect_uri: bye, state: "z" });
    return endpoint(this.about, `/logout?${request}`);
  }

  close() {
    this.server.close();
  }
}

/** Somebody signs out in another tab. */
export async function applicationsHearOfSignOut(report, listener, person) {
  const { page } = person;
  await report.check("sign-out: while nothing changes, the frame says unchanged", async () => {
    await listener.enter(person);
    assertEqual(await listener.ask(page), "unchanged", "the frame");
  });
  const tab = await page.context().newPage();
  await report.check("sign-out: applications are shown in frames, then the way leads on", async () => {
    await tab.goto(listener.signOutUrl());
    await tab.waitForURL(`${listener.origin}/bye?state=z`);
    assertEqual(listener.shown.length, 1, "frames");
    assert(/^\/front\?iss=.+&sid=.+/.test(listener.shown[0]), listener.shown[0]);
  });
  await report.check("sign-out: the frame on the application's page says changed", async () =>
    assertEqual(await listener.ask(page), "changed", "the frame"),
  );
  await report.check("sign-out: the application is told from server to server", async () => {
    for (let wait = 0; wait < 100 && listener.told.length === 0; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assertEqual(listener.told.join(), "/back", "posts");
  });
}

/** The same without scripts: the way on is a link. */
export async function signOutWithoutJavaScript(report, inspector, listener, person) {
  const { page } = person;
  await report.check("without JavaScript: the signed-out page shows applications in frames", async () => {
    const before = listener.shown.length;
    await listener.enter(person);
    await page.goto(listener.signOutUrl());
    assertEqual(listener.shown.length, before + 1, "frames");
  });
  await inspector.look(page, "signed-out-onward", { scripts: false });
  await report.check("without JavaScript: a link of the signed-out page leads on", async () => {
    await person.follow(() => page.click("a[data-continue]"));
    assertEqual(page.url(), `${listener.origin}/bye?state=z`, "the address");
  });
}
