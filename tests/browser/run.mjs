// The pages in a real Chromium, from the demo application of `chancery try` and back:
// `node tests/browser/run.mjs [sqlite|postgres]`. Pictures go to SCREENSHOTS (default target/screenshots).
// In Node.js with playwright-core, because the client tests need Node.js anyway and this needs no driver program.

import { join } from "node:path";
import { freePort, projectRoot, withChancery } from "../support/chancery.mjs";
import { Report, assert, assertEqual } from "../support/report.mjs";
import { borrowedClicks, doubleClicks } from "./clicks.mjs";
import { application, assertPosted } from "./form_post.mjs";
import { Inspector } from "./inspector.mjs";
import { Listener, applicationsHearOfSignOut, signOutWithoutJavaScript } from "./logout.mjs";
import { ALLOW, DENY, Person, launch, visit } from "./person.mjs";
import { authorization, endpoint } from "./request.mjs";

async function withoutJavaScript(report, person) {
  const { page } = person;
  const signedIn = await report.check("without JavaScript: sign in and allow with plain forms", async () => {
    await person.reachConsent();
    await person.follow(() => page.click(ALLOW));
    await person.backAtDemo();
    assert(await person.text("#access-token"), "the demo shows no access token");
    return true;
  });
  if (signedIn) await report.check("without JavaScript: take the consent back", () => person.takeBack());
}

async function firstSignIn(report, inspector, person) {
  const { page, about } = person;
  await page.goto(about.demo_url);
  await inspector.look(page, "demo-signed-out");
  await report.check("the demo sends the browser to the login page", async () => {
    await person.leaveDemo();
    await page.waitForSelector("input[name=password]");
    assert(person.at(about.issuer), page.url());
  });
  await inspector.look(page, "login");
  await report.check("a wrong password: one error, tied to the field with the focus, the user name stays", async () => {
    await person.signIn({ password: "not the password" });
    assertEqual(await page.inputValue("input[name=username]"), about.username, "user name");
    assertEqual(await page.inputValue("input[name=password]"), "", "password");
    assertEqual(await page.locator(".problem:visible, [role=alert]:visible").count(), 1, "errors");
    const problem = await page.locator("input:focus").getAttribute("aria-describedby");
    assert(problem && (await page.locator(`#${problem}`).isVisible()), "the field with the focus names no error");
  });
  await inspector.look(page, "login-error");
  await report.check("the right password, sent with the Enter key, leads to the consent page", async () => {
    await person.signIn({ key: true });
    await page.waitForSelector(ALLOW);
    assert(await page.locator(DENY).isVisible(), "there is no way to say no");
  });
  await inspector.look(page, "consent");
  await report.check("allowing by keyboard leads back to the demo", async () => {
    await page.focus(DENY);
    // The two stand side by side, whichever comes first.
    for (const key of ["Tab", "Shift+Tab", "Shift+Tab"]) {
      await page.keyboard.press(key);
      if (await page.locator(`${ALLOW}:focus`).count()) break;
    }
    await person.follow(() => page.keyboard.press("Enter"));
    await person.backAtDemo();
  });
}

async function tokens(report, inspector, person) {
  const { page, about } = person;
  await report.check("the demo shows tokens, ID token claims and userinfo", async () => {
    assertEqual((await person.text("#access-token")).split(".").length, 3, "parts of the access token");
    const claims = JSON.parse(await person.text("#id-token-claims"));
    const userinfo = JSON.parse(await person.text("#userinfo"));
    assertEqual(claims.iss, about.issuer, "iss");
    assert(claims.sub, "the ID token has no subject");
    assertEqual(userinfo.sub, claims.sub, "subject of userinfo");
  });
  await inspector.look(page, "demo");
  await report.check("refresh gives a new access token", async () => {
    const before = await person.text("#access-token");
    await person.press("refresh");
    assert((await person.text("#access-token")) !== before, `the same token: ${await person.text("#result")}`);
  });
  await report.check("introspection says active", () => person.introspect(true));
  await inspector.look(page, "demo-result");
  await report.check("a second sign-in asks nothing", async () => {
    if ((await page.locator("#sign-in").count()) === 0) return;
    await person.leaveDemo();
    await person.backAtDemo();
    assert(await person.text("#access-token"), "no access token");
  });
}

async function consentTakenBack(report, inspector, person) {
  const { page, about } = person;
  await page.goto(endpoint(about, "/account"));
  await inspector.look(page, "account");
  await report.check("the account page takes the consent back", () => person.takeBack());
  await inspector.look(page, "account-taken-back");
  await report.check("then the demo's token is inactive", async () => {
    await page.goto(about.demo_url);
    await person.introspect(false);
  });
  await report.check("then consent is asked for again; denying it tells the demo access_denied", async () => {
    await person.reachConsent();
    await person.follow(() => page.click(DENY));
    await person.backAtDemo();
    await page.locator("body").filter({ hasText: "access_denied" }).waitFor();
  });
  await inspector.look(page, "demo-denied");
}

async function revokeAndSignOut(report, inspector, person) {
  const { page, about } = person;
  await report.check("a denied consent is asked for again, and can be allowed", async () => {
    await person.reachConsent();
    await person.follow(() => page.click(ALLOW));
    await person.backAtDemo();
    assert(await person.text("#access-token"), "no access token");
  });
  await report.check("a revoked token is inactive", async () => {
    await person.introspect(true);
    await person.press("revoke");
    await person.introspect(false);
  });
  await report.check("signing out at the demo ends the session of the server", async () => {
    await person.signOut();
    await person.leaveDemo();
    await page.waitForSelector("input[name=password]");
    assert(person.at(about.issuer), page.url());
  });
  await report.check("an unregistered client gets an error page, no redirect", async () => {
    const query = new URLSearchParams({
      client_id: "nobody",
      redirect_uri: "https://attacker.example/",
      response_type: "code",
      scope: "openid",
    });
    const response = await page.goto(endpoint(about, `/authorize?${query}`));
    assertEqual(response.status(), 400, "status");
    assert(person.at(about.issuer), page.url());
  });
  await inspector.look(page, "error");
}

/** Which account goes on, and signing out without an application. */
async function accounts(report, inspector, person) {
  const { page, about } = person;
  await report.check("an application that asks for it gets the account chooser", async () => {
    // The demo asks nothing of the kind: its own request, and one parameter more.
    const begun = await page.request.get(new URL("/sign-in", about.demo_url).href, { maxRedirects: 0 });
    await page.goto(`${begun.headers().location}&prompt=select_account`);
    assert((await person.text("main")).includes("Dana Demo"), await person.text("main"));
  });
  await inspector.look(page, "select-account");
  await page.goto(endpoint(about, "/logout"));
  await inspector.look(page, "logout");
  await report.check("signing out at the server's own page", async () => {
    await person.follow(() => page.click("button[name=decision][value=sign_out]"));
    assert((await person.text("h1")).includes("signed out"), await person.text("main"));
  });
  await inspector.look(page, "signed-out");
}

/** An application that is answered by a form: its page posts itself, or waits for its button. */
async function formPost(report, person, byItself) {
  const { page, about } = person;
  const app = about.application;
  const how = byItself ? "by itself" : "at the press of its button, without JavaScript";
  await report.check(`an answer by a form is posted ${how}`, async () => {
    const state = `"<${how}>&'`;
    const request = { client_id: about.form_client, redirect_uri: app.redirectUri, response_mode: "form_post", state };
    await person.authorize(authorization(about, request).url);
    if (!byItself) await person.follow(() => page.click("form.by-itself button"));
    await page.waitForSelector("#arrived");
    assertPosted(about, app, state);
  });
}

/** A television shows a code; the person types it here. */
async function device(report, inspector, person) {
  const { page, about } = person;
  const post = async (path, form) => {
    const body = new URLSearchParams({ client_id: about.device_client, ...form });
    return (await fetch(endpoint(about, path), { method: "POST", body })).json();
  };
  const started = await post("/device_authorization", { scope: "openid profile offline_access" });
  const poll = () =>
    post("/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: started.device_code,
    });
  await report.check("a device: the address it shows leads to its page, by way of the login page", async () => {
    assertEqual((await poll()).error, "authorization_pending", "before anybody decides");
    await page.goto(started.verification_uri);
    await person.signIn();
    await page.waitForSelector("input[name=user_code]");
  });
  await inspector.look(page, "device");
  await report.check("a device: a wrong code is told at the field", async () => {
    await page.fill("input[name=user_code]", "bbbb bbbb");
    await person.follow(() => page.press("input[name=user_code]", "Enter"));
    const problem = await page.locator("input:focus").getAttribute("aria-describedby");
    assert(problem && (await page.locator(`#${problem}`).isVisible()), "the field with the focus names no problem");
  });
  await inspector.look(page, "device-wrong");
  await report.check("a device: the right code, typed carelessly, shows who asks", async () => {
    await page.fill("input[name=user_code]", started.user_code.toLowerCase().replace("-", " "));
    await person.follow(() => page.click("form button[type=submit]"));
    await page.waitForSelector(ALLOW);
    assert((await person.text("main")).includes("Television"), "the page does not name the application");
    assert((await person.text("main")).includes(started.user_code), "the page does not show the code");
  });
  await inspector.look(page, "device-confirm");
  await report.check("a device: allowing gives it its tokens", async () => {
    await person.follow(() => page.click(ALLOW));
    const tokens = await poll();
    assert(tokens.access_token && tokens.refresh_token, JSON.stringify(tokens));
    assertEqual((await poll()).error, "invalid_grant", "the second time");
  });
  await inspector.look(page, "device-allowed");
}

/** An application that registered itself, a request that cannot be answered, and who tries too often. */
async function strangers(report, inspector, person) {
  const { page, about } = person;
  const metadata = { client_name: "Photo Printing", redirect_uris: ["https://photos.example/callback"] };
  const registered = await fetch(endpoint(about, "/register"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...metadata, token_endpoint_auth_method: "none" }),
  });
  const { client_id } = await registered.json();
  const ask = (more) => authorization(about, { client_id, redirect_uri: metadata.redirect_uris[0], ...more }).url;
  await report.check("an application that nobody checked leads nobody anywhere unseen", async () => {
    await page.goto(ask({ prompt: "none" }));
    assert(person.at(about.issuer), page.url());
    assertEqual(await person.text("a.button"), "Continue to photos.example", "the way there");
  });
  await inspector.look(page, "stranger");
  await page.goto(ask({ state: "s".repeat(5000) }));
  await inspector.look(page, "state-too-long");
  await report.check("whoever tries too often is told how long to wait", async () => {
    await page.goto(endpoint(about, "/account"));
    const nobody = { ...about, username: "nobody" };
    for (let time = 0; time < 12; time++) await new Person(page, nobody).signIn({ password: "a wrong one" });
    assert((await person.text(".problem")).includes("try again in"), await person.text("main"));
  });
  await inspector.look(page, "login-too-often");
}

/** Starts `chancery try` and answers what it prints when it is ready. */
async function startTry(chancery) {
  let printed;
  const ports = ["--port", String(await freePort()), "--demo-port", String(await freePort())];
  chancery.start(["try", "--json", ...ports], (line) => {
    if (line.startsWith("{") && line.includes('"demo_url"')) printed ??= JSON.parse(line);
  });
  return chancery.until(async () => printed, "`chancery try --json` printed no line with demo_url");
}

async function main() {
  const database = process.argv[2] ?? "sqlite";
  const report = new Report(`browser ${database}: `);
  const screenshots = process.env.SCREENSHOTS ?? join(projectRoot, "target", "screenshots");
  // The application that hears of sign-out is on this computer.
  const settings = { CHANCERY_OUTBOUND__ALLOW_PRIVATE: "true", CHANCERY_REGISTRATION__MODE: "open" };
  return withChancery(database, settings, async (chancery) => {
    const about = { ...(await startTry(chancery)), complaints: [] };
    const television = await chancery.command([
      ...["client", "create", "--name", "Television", "--auth-method", "none"],
      ...["--grant-type", "device_code", "--grant-type", "refresh_token"],
    ]);
    about.device_client = television.client_id;
    about.application = await application();
    const answered = await chancery.command([
      ...["client", "create", "--name", "Form Reader", "--auth-method", "none"],
      ...["--redirect-uri", about.application.redirectUri, "--scope", "openid"],
    ]);
    about.form_client = answered.client_id;
    const listener = await Listener.start(chancery, about);
    const inspector = new Inspector(report, join(screenshots, database));
    const browser = await launch();
    try {
      await visit(browser, about, { javaScriptEnabled: false }, (person) => withoutJavaScript(report, person));
      await visit(browser, about, {}, (person) => borrowedClicks(report, person, "clicks"));
      await visit(browser, about, { javaScriptEnabled: false }, (person) =>
        borrowedClicks(report, person, "clicks, without JavaScript"),
      );
      await visit(browser, about, {}, (person) => doubleClicks(report, person));
      await visit(browser, about, {}, async (person) => {
        // One after the other: each starts where the one before has left the person.
        for (const part of [firstSignIn, tokens, consentTakenBack, revokeAndSignOut, device, accounts]) {
          await report.together(part.name, () => part(report, inspector, person));
        }
      });
      await visit(browser, about, {}, (person) =>
        report.together("strangers", () => strangers(report, inspector, person)),
      );
      await visit(browser, about, {}, (person) => formPost(report, person, true));
      await visit(browser, about, { javaScriptEnabled: false }, (person) => formPost(report, person, false));
      await visit(browser, about, {}, (person) => applicationsHearOfSignOut(report, listener, person));
      await visit(browser, about, { javaScriptEnabled: false }, (person) =>
        signOutWithoutJavaScript(report, inspector, listener, person),
      );
    } finally {
      await browser.close();
      about.application.close();
      listener.close();
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
