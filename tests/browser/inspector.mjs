// Looks at a page the way the house rules ask for: no violation that axe-core can find, no sideways
// scrolling, in both colour schemes, wide and narrow; and keeps pictures for people to look at.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { assert } from "../support/report.mjs";

const axe = createRequire(import.meta.url)("axe-core");
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };
const SCHEMES = ["light", "dark"];

export class Inspector {
  constructor(report, screenshots) {
    this.report = report;
    this.screenshots = screenshots;
    mkdirSync(screenshots, { recursive: true });
  }

  /**
   * Checks the page as it stands, keeps four pictures of it, and leaves it wide and light.
   * Where `scripts` are off, without axe: it would wait for ever.
   */
  async look(page, name, { scripts = true } = {}) {
    for (const [size, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
      await page.setViewportSize(viewport);
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        const path = join(this.screenshots, `${name}-${size}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true, animations: "disabled" });
        if (!scripts) continue;
        await this.report.check(`${name}: axe finds nothing, ${size} and ${colorScheme}`, () => axeFindsNothing(page));
      }
    }
    await this.report.check(`${name}: no sideways scrolling down to 320 px`, async () => {
      for (const width of [NARROW.width, 320]) {
        await page.setViewportSize({ ...NARROW, width });
        const needed = await evaluate(page, "document.documentElement.scrollWidth");
        assert(needed <= width, `${needed} px wide on a screen of ${width} px`);
      }
    });
    await page.setViewportSize(WIDE);
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  }
}

async function axeFindsNothing(page) {
  if ((await evaluate(page, "typeof axe")) === "undefined") await evaluate(page, `${axe.source};0`);
  const violations = await evaluate(
    page,
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map((found) =>
      found.id + ": " + found.help + " at " + found.nodes.map((node) => node.html.slice(0, 200)).join(" and ")))`,
  );
  assert(violations.length === 0, `at ${page.url()}\n${violations.join("\n")}`);
}

/** Runs a script from outside, as the developer tools do: the page's Content-Security-Policy stays as it is. */
async function evaluate(page, expression) {
  const session = await page.context().newCDPSession(page);
  try {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  } finally {
    await session.detach();
  }
}
