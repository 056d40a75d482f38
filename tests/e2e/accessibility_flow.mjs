// Every page over the real program, light and dark, wide and narrow: axe finds nothing serious, nothing is wider than the window,
// nothing goes wrong in the page, and no request leaves the server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ServingProgram, findChromium, openBrowser, temporaryFolder } from "./support.mjs";
import { pagesOf, settle, visit } from "./tour.mjs";
import { openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const web = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../web");

/** What axe says of one document; those in its frames are asked by themselves. */
async function findingsOf(frame, axe) {
  const { violations } = await frame.evaluate(`${axe}; axe.run(document, { iframes: false })`);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target.flat().join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`).join(" | ")}`);
}

test("every page can be used by everybody", { skip }, async (t) => {
  const axe = await readFile(createRequire(path.join(web, "package.json")).resolve("axe-core/axe.min.js"), "utf8");
  const place = await temporaryFolder();
  t.after(place.remove);
  const program = await new ServingProgram(path.join(place.folder, "data")).start();
  t.after(() => program.kill());
  const browser = await openBrowser();
  t.after(() => browser.close());
  const world = await settle(program, place.folder);
  for (const one of pagesOf(world)) {
    const [name, , who] = one;
    await t.test(name, async () => {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
      try {
        if (who) await context.addCookies([world[who].browserCookie()]);
        const page = await openPage(context, program);
        const findings = page.problems;
        await visit(page, program.url, one);
        for (const [width, height] of [[1440, 900], [390, 844]]) {
          await page.setViewportSize({ width, height });
          for (const colorScheme of ["light", "dark"]) {
            await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
            const where = `${width} pixels wide, ${colorScheme}`;
            for (const frame of page.frames()) for (const found of await findingsOf(frame, axe)) findings.push(`${where}: ${found}`);
            const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            if (wider > 0) findings.push(`${where}: ${wider} pixels wider than the window`);
          }
        }
        assert.deepEqual(findings, []);
      } finally {
        await context.close();
      }
    });
  }
});
