// Clicks that were meant for a window on top: the answers of a consent page take none of them.

import { assert, assertEqual } from "../support/report.mjs";
import { ALLOW } from "./person.mjs";

const HERE = "the consent page is still there";
/** Milliseconds, longer than the style holds a pointer up. */
const SETTLED = 900;

/** Somebody's site, whose window lies over another of its own and is clicked twice. */
const ELSEWHERE = "https://elsewhere.example/";
/** All of the consent page is in sight: the pointer finds the button where it was. */
const SIZE = { width: 800, height: 1400 };

async function middleOf(page, selector) {
  const box = await page.locator(selector).boundingBox();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Presses where the pointer is: no waiting until the button takes it. */
async function press(page, times = 1) {
  for (let click = 1; click <= times; click++) {
    await page.mouse.down({ clickCount: click });
    await page.mouse.up({ clickCount: click });
  }
}

async function isStillThere(page, { x, y }) {
  await page.waitForTimeout(300);
  assertEqual(await page.locator(ALLOW).count(), 1, HERE);
  const now = await middleOf(page, ALLOW);
  assert(now.x === x && now.y === y, "the pointer was over the button");
}

/** With scripts and without: a consent page that somebody else brings under the pointer. */
export async function borrowedClicks(report, person, how) {
  const { page } = person;
  await page.setViewportSize(SIZE);
  await person.reachConsent();
  const allow = await middleOf(page, ALLOW);
  await report.check(`${how}: two clicks as the page appears under the pointer decide nothing`, async () => {
    await page.mouse.move(allow.x, allow.y);
    await page.reload();
    await press(page, 2);
    await isStillThere(page, allow);
  });
  await report.check(`${how}: a click as the pointer comes to a page that was there before decides nothing`, async () => {
    await page.mouse.move(1, 1);
    await page.waitForTimeout(SETTLED);
    await page.mouse.move(allow.x, allow.y);
    await press(page, 2);
    await isStillThere(page, allow);
  });
  await report.check(`${how}: a pointer that has stayed a moment decides`, async () => {
    await page.waitForTimeout(SETTLED);
    await person.follow(() => press(page));
    await person.backAtDemo();
  });
  await person.takeBack();
  await person.reachConsent();
  await report.check(`${how}: keys decide at once`, async () => {
    await page.reload();
    await page.focus(ALLOW);
    await person.follow(() => page.keyboard.press("Enter"));
    await person.backAtDemo();
    assert(await person.text("#access-token"), "the demo shows no access token");
  });
  await person.takeBack();
}

/** Presses for the first time, which makes the page go away: no waiting until it has noticed. */
const pressAway = (page) => page.mouse.down({ clickCount: 1 }).catch(() => {});

/** The window on top closes at the first press of two. The second meets the consent page that its opener was sent to. */
async function closingWindow(page, consent, at) {
  await page.goto(ELSEWHERE);
  const [over] = await Promise.all([page.waitForEvent("popup"), page.evaluate(() => void open("/over"))]);
  await over.setViewportSize(SIZE);
  await over.evaluate((address) => {
    opener.location = address;
    onmousedown = () => close();
  }, consent);
  await page.waitForSelector(ALLOW);
  await page.waitForTimeout(SETTLED);
  await over.mouse.move(at.x, at.y);
  await Promise.all([over.waitForEvent("close"), pressAway(over)]);
  await page.mouse.move(at.x, at.y);
}

/** The page goes to the consent page at the first press of two. */
async function leavingPage(page, consent, at) {
  await page.goto(ELSEWHERE);
  await page.evaluate((address) => {
    onmousedown = () => (location = address);
  }, consent);
  await page.mouse.move(at.x, at.y);
  await Promise.all([page.waitForSelector(ALLOW), pressAway(page)]);
  await page.mouse.up({ clickCount: 1 });
}

async function pressAgain(page) {
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
}

/** A double click that begins at somebody else's site and ends on the consent page, with the style's guard and without. */
export async function doubleClicks(report, person) {
  const { page } = person;
  await page.context().route(`${ELSEWHERE}**`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Click twice</title>" }),
  );
  await page.setViewportSize(SIZE);
  for (const [what, begin] of Object.entries({ "window that closes": closingWindow, "page that leaves": leavingPage })) {
    await person.reachConsent();
    const [consent, allow] = [page.url(), await middleOf(page, ALLOW)];
    await report.check(`a double click that begins on a ${what} decides nothing`, async () => {
      await begin(page, consent, allow);
      await pressAgain(page);
      await isStillThere(page, allow);
    });
    await report.check(`a double click that begins on a ${what} would decide without the guard of the style`, async () => {
      await page.context().route("**/*.css", unguarded);
      try {
        await begin(page, consent, allow);
        await person.follow(() => pressAgain(page));
        await person.backAtDemo();
      } finally {
        await page.context().unroute("**/*.css", unguarded);
      }
    });
    await person.takeBack();
  }
}

/** The style as it is but for what holds a pointer up. */
async function unguarded(route) {
  const response = await route.fetch();
  await route.fulfill({ response, body: (await response.text()).replaceAll(/pointer-events: *none/g, "") });
}
