// Pictures of every page over the real program. Usage: node screenshots.mjs [--out FOLDER] [--only TEXT] [--widths 1440,390] [--schemes light,dark]
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { ServingProgram, openBrowser, temporaryFolder } from "./support.mjs";
import { pagesOf, settle, visit } from "./tour.mjs";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "screenshots" },
    only: { type: "string", default: "" },
    widths: { type: "string", default: "1440,390" },
    schemes: { type: "string", default: "light,dark" },
  },
});
await mkdir(values.out, { recursive: true });
const place = await temporaryFolder();
const program = await new ServingProgram(path.join(place.folder, "data")).start();
const browser = await openBrowser();
let faults = 0;
try {
  const world = await settle(program, place.folder);
  for (const width of values.widths.split(",").map(Number))
    for (const scheme of values.schemes.split(","))
      for (const one of pagesOf(world)) {
        const [name, , who] = one;
        if (!name.includes(values.only)) continue;
        const context = await browser.newContext({ viewport: { width, height: width < 700 ? 844 : 900 }, colorScheme: scheme });
        if (who) await context.addCookies([world[who].browserCookie()]);
        const page = await context.newPage();
        const file = path.join(values.out, `${name}-${width}-${scheme}.png`);
        try {
          await visit(page, program.url, one);
          await page.screenshot({ path: file, fullPage: true });
        } catch (error) {
          faults += 1;
          console.log(`${file}: ${error.message}`);
          await page.screenshot({ path: file }).catch(() => undefined);
        }
        await context.close();
      }
} finally {
  await browser.close();
  await program.stop();
  await place.remove();
}
if (faults > 0) process.exitCode = 1;
