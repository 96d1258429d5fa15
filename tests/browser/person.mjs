// A person at a browser: Chromium with playwright-core, and what is done page by page.

import { chromium } from "playwright-core";
import { assert, assertEqual } from "../support/report.mjs";
import { endpoint } from "./request.mjs";

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const ALLOW = "button[name=decision][value=allow]";
export const DENY = "button[name=decision][value=deny]";
const TAKE_BACK = 'form[action$="/account/apps/revoke"]';

/** Chromium; its profile is a fresh directory, made and removed by the library. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** What a person does, page by page. */
export class Person {
  constructor(page, about) {
    this.page = page;
    this.about = about;
  }

  at(address) {
    return new URL(this.page.url()).origin === new URL(address).origin;
  }

  /** Does what leads to another page, and waits for that page. */
  async follow(action) {
    const arrived = this.page.waitForEvent("framenavigated", (frame) => frame === this.page.mainFrame());
    await Promise.all([arrived, action()]);
    await this.page.waitForLoadState();
  }

  async signIn({ password = this.about.password, key = false } = {}) {
    await this.page.fill("input[name=username]", this.about.username);
    await this.page.fill("input[name=password]", password);
    await this.follow(() =>
      key
        ? this.page.press("input[name=password]", "Enter")
        : this.page.click("form:has(input[name=password]) button[type=submit]"),
    );
  }

  /** From the demo application to the first page of the server that asks something. */
  async leaveDemo() {
    await this.page.goto(this.about.demo_url);
    if ((await this.page.locator("#sign-in").count()) === 0) await this.signOut();
    await this.follow(() => this.page.click("#sign-in"));
  }

  /** To the consent page, by the login page where there is no session any more. */
  async reachConsent() {
    await this.leaveDemo();
    if (await this.page.locator("input[name=password]").count()) await this.signIn();
    await this.page.waitForSelector(ALLOW);
  }

  /** An application's request, with what is asked on the way allowed. */
  async authorize(url) {
    await this.page.goto(url);
    if (await this.page.locator("input[name=password]").count()) await this.signIn();
    if (await this.page.locator(ALLOW).count()) await this.follow(() => this.page.click(ALLOW));
  }

  async backAtDemo() {
    await this.page.waitForURL((url) => url.origin === new URL(this.about.demo_url).origin);
    await this.page.waitForLoadState();
  }

  async text(selector) {
    return (await this.page.locator(selector).innerText()).trim();
  }

  /** Presses one of the demo's buttons and waits for what the demo answers. */
  async press(id) {
    const origin = new URL(this.about.demo_url).origin;
    const answered = this.page.waitForResponse((response) => response.url().startsWith(origin));
    await this.page.click(`#${id}`);
    await answered;
    await this.page.waitForLoadState("networkidle");
  }

  async introspect(active) {
    await this.press("introspect");
    const wanted = new RegExp(`"?active"?\\s*:\\s*${active}`);
    await this.page.locator("#result").filter({ hasText: wanted }).waitFor();
  }

  async takeBack() {
    await this.page.goto(endpoint(this.about, "/account"));
    const form = this.page.locator(TAKE_BACK);
    const before = await form.count();
    assert(before > 0, `no application to take back at ${this.page.url()}`);
    await this.follow(() => form.first().locator("button").click());
    assertEqual(await this.page.locator(TAKE_BACK).count(), before - 1, "applications left");
  }

  async signOut() {
    await this.follow(() => this.page.click("#sign-out"));
    // The server may ask whether it was meant.
    const confirm = this.page.locator("button[name=decision][value=sign_out]");
    if (!this.at(this.about.demo_url) && (await confirm.count())) {
      await this.follow(() => confirm.first().click());
    }
    await this.backAtDemo();
  }
}

/** A context of its own (cookies, cache), whose pages report broken policies and scripts. */
export async function visit(browser, about, options, body) {
  const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) about.complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => about.complaints.push(`${page.url()}: ${error.message}`));
  try {
    await body(new Person(page, about));
  } finally {
    await context.close();
  }
}
