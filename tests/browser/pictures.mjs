// The pictures of docs/pictures (scripts/pictures): the sign-in page and the consent page, side by side.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort, withChancery } from "../support/chancery.mjs";
import { ALLOW, launch, visit } from "./person.mjs";
import { authorization } from "./request.mjs";

const directory = resolve(process.argv[2]);
const PAGE = { width: 520, height: 800 };
const SCALE = 1.25;
const CALLBACK = "https://calendar.example.com/callback";
const PASSWORD = "notes on the analytical engine";

/** Both pages as pictures, while somebody signs in for an application. */
async function pages(browser, about, request) {
  const found = [];
  const take = async ({ page }) => {
    await page.evaluate(() => document.activeElement.blur());
    found.push(await page.screenshot({ animations: "disabled" }));
  };
  await visit(browser, about, { viewport: PAGE, deviceScaleFactor: SCALE }, async (person) => {
    await person.page.goto(request);
    await person.page.fill("input[name=username]", about.username);
    await person.page.fill("input[name=password]", about.password);
    await take(person);
    await person.signIn();
    await person.page.waitForSelector(ALLOW);
    await take(person);
  });
  return found;
}

/** Pictures beside each other, each with a frame. */
async function sideBySide(browser, pictures, path) {
  const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture.toString("base64")}">`);
  const style = `body { margin: 0; padding: 16px; display: flex; gap: 16px; width: max-content; background: #fff }
    img { width: ${PAGE.width}px; border: 1px solid #c8ccd4; border-radius: 8px }`;
  const context = await browser.newContext({ deviceScaleFactor: SCALE, viewport: { width: 1200, height: 760 } });
  const page = await context.newPage();
  await page.setContent(`<!doctype html><style>${style}</style><body>${images.join("")}`);
  await page.locator("body").screenshot({ path });
  await context.close();
}

await withChancery("sqlite", {}, async (chancery) => {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  chancery.environment.CHANCERY_SERVER__ISSUER = issuer;
  chancery.environment.CHANCERY_SERVER__LISTEN = `127.0.0.1:${port}`;
  chancery.start(["serve"]);
  await chancery.until(async () => (await fetch(`${issuer}/readyz`)).ok, "the server is not ready");
  const client = ["--name", "Calendar", "--scope", "openid profile email", "--redirect-uri", CALLBACK];
  const { client_id } = await chancery.command(["client", "create", ...client]);
  const user = ["--username", "ada", "--name", "Ada Lovelace", "--email", "ada@example.com", "--password-stdin"];
  await chancery.command(["user", "create", ...user], PASSWORD);
  const about = { username: "ada", password: PASSWORD, complaints: [] };
  const { url } = authorization({ issuer }, { client_id, redirect_uri: CALLBACK, scope: "openid profile email" });
  const browser = await launch();
  try {
    mkdirSync(directory, { recursive: true });
    await sideBySide(browser, await pages(browser, about, url), join(directory, "sign-in-and-consent.png"));
  } finally {
    await browser.close();
  }
});
