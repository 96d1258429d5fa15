// The pictures of docs/pictures (scripts/pictures): the sign-in page and the consent page, side by side.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort, withChancery } from "../support/chancery.mjs";
import { ALLOW, launch, visit } from "./person.mjs";

const directory = resolve(process.argv[2]);
const PAGE = { width: 560, height: 700 };

/** Both pages as pictures, while somebody signs in at the demo application. */
async function pages(browser, about) {
  const found = [];
  await visit(browser, about, { viewport: PAGE, deviceScaleFactor: 1.5 }, async (person) => {
    await person.leaveDemo();
    await person.page.fill("input[name=username]", about.username);
    await person.page.fill("input[name=password]", about.password);
    await person.page.evaluate(() => document.activeElement.blur());
    found.push(await person.page.screenshot({ animations: "disabled" }));
    await person.signIn();
    await person.page.waitForSelector(ALLOW);
    await person.page.evaluate(() => document.activeElement.blur());
    found.push(await person.page.screenshot({ animations: "disabled" }));
  });
  return found;
}

/** Pictures beside each other, each with a frame. */
async function sideBySide(browser, pictures, path) {
  const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture.toString("base64")}">`);
  const style = `body { margin: 0; padding: 16px; display: flex; gap: 16px; width: max-content; background: #fff }
    img { width: ${PAGE.width}px; border: 1px solid #c8ccd4; border-radius: 8px }`;
  const context = await browser.newContext({ deviceScaleFactor: 1.5, viewport: { width: 1200, height: 760 } });
  const page = await context.newPage();
  await page.setContent(`<!doctype html><style>${style}</style><body>${images.join("")}`);
  await page.locator("body").screenshot({ path });
  await context.close();
}

await withChancery("sqlite", {}, async (chancery) => {
  const ports = [await freePort(), await freePort()].map(String);
  let about;
  chancery.start(["try", "--json", "--port", ports[0], "--demo-port", ports[1]], (line) => {
    if (line.startsWith("{")) about ??= JSON.parse(line);
  });
  await chancery.until(async () => about, "the server is not ready");
  about.complaints = [];
  const browser = await launch();
  try {
    mkdirSync(directory, { recursive: true });
    await sideBySide(browser, await pages(browser, about), join(directory, "sign-in-and-consent.png"));
  } finally {
    await browser.close();
  }
});
