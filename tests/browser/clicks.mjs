// Clicks that were meant for a window on top: the answers of a consent page take none of them.

import { assert, assertEqual } from "../support/report.mjs";
import { ALLOW } from "./person.mjs";

const HERE = "the consent page is still there";
/** Milliseconds, longer than the style holds a pointer up. */
const SETTLED = 900;

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
  // All of the page is in sight: the pointer finds the button where it was.
  await page.setViewportSize({ width: 800, height: 1400 });
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
