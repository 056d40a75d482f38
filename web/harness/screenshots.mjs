// Pictures of every page at 1440 and 390 pixels, light and dark; says what is wrong with them: errors on the console, wider
// than the window, serious findings of axe. Usage: node harness/screenshots.mjs --pages FOLDER --out FOLDER [--only TEXT]
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";
import { startMock } from "./mockServer.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
const out = option("--out", "screenshots");
const only = option("--only", "");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const fillJob = async (page) => {
  await page.getByLabel("Title").fill("Paint sea turtles");
  await page.getByRole("button", { name: "turtles" }).click();
};
const next = (page) => page.getByRole("button", { name: "Next" }).click();
const labelsStep = async (page) => {
  await fillJob(page);
  await next(page);
  await page.getByLabel("Name of label 1").fill("Turtle");
  await page.getByRole("button", { name: "Add a label" }).click();
  await page.getByLabel("Name of label 2").fill("Head");
};

/** name, address, whether signed in, what to do first */
const pages = [
  ["sign-in", "/_/", false, null],
  ["sign-in-wrong", "/_/", false, async (page) => {
    await page.getByLabel("Name or e-mail").fill("ann");
    await page.getByLabel("Password").fill("nonsense here");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("alert").waitFor();
  }],
  ["join", "/_/join#good", false, null],
  ["join-ended", "/_/join#bad", false, null],
  ["reset", "/_/reset#token", false, null],
  ["tasks", "/_/", true, null],
  ["history", "/_/history", true, null],
  ["account", "/_/account", true, null],
  ["account-menu", "/_/jobs", true, (page) => page.getByRole("button", { name: "Account of" }).click()],
  ["console", "/_/console", true, null],
  ["job-overview", "/_/console/jobs/sea-turtles", true, null],
  ["job-photos", "/_/console/jobs/sea-turtles/gallery", true, null],
  ["job-workers", "/_/console/jobs/sea-turtles/workers", true, null],
  ["job-settings", "/_/console/jobs/sea-turtles/settings", true, null],
  ["job-stop", "/_/console/jobs/sea-turtles", true, (page) => page.getByRole("button", { name: "Stop" }).click()],
  ["object", "/_/console/jobs/sea-turtles/objects/1", true, null],
  ["object-heat", "/_/console/jobs/sea-turtles/objects/2", true, (page) => page.getByLabel("Disagreement").check()],
  ["new-1-photos", "/_/console/new", true, fillJob],
  ["new-2-labels", "/_/console/new", true, labelsStep],
  ["new-3-instructions", "/_/console/new", true, async (page) => {
    await labelsStep(page);
    await next(page);
    const canvas = page.frameLocator("iframe").locator("terrapin-canvas");
    await canvas.waitFor();
    await canvas.locator("canvas").first().waitFor();
  }],
  ["new-4-workers", "/_/console/new", true, async (page) => { await labelsStep(page); await next(page); await next(page); }],
  ["new-5-more", "/_/console/new", true, (page) => page.getByRole("button", { name: "5. More" }).click()],
  ["new-6-review", "/_/console/new", true, async (page) => { await labelsStep(page); await page.getByRole("button", { name: "6. Review" }).click(); }],
  ["teams", "/_/console/teams", true, null],
  ["people", "/_/console/people", true, null],
  ["people-invite", "/_/console/people", true, async (page) => {
    await page.getByRole("button", { name: "Invite" }).click();
    await page.getByRole("button", { name: "Make the link" }).click();
    await page.getByLabel("Link").waitFor();
  }],
  ["keys", "/_/console/keys", true, null],
  ["keys-made", "/_/console/keys", true, async (page) => {
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("What it is for").fill("nightly upload");
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByLabel("Secret access key").waitFor();
  }],
  ["nothing-here", "/_/console/nowhere", true, null],
];

await mkdir(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
let faults = 0;
const fault = (text) => {
  faults += 1;
  console.log(text);
};
for (const [width, height] of [[1440, 900], [390, 844]])
  for (const scheme of ["light", "dark"]) {
    for (const [name, address, signedIn, first] of pages) {
      if (!name.includes(only)) continue;
      const mock = await startMock(option("--pages", "dist"));
      mock.state.signedIn = signedIn;
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, bypassCSP: false });
      const page = await context.newPage();
      const title = `${name}-${width}-${scheme}`;
      page.on("console", (message) => {
        // A refusal that the page expects (not signed in, wrong password) is told by the browser too.
        if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) fault(`${title}: console: ${message.text()}`);
      });
      page.on("pageerror", (error) => fault(`${title}: ${error.message}`));
      page.on("request", (request) => {
        if (!request.url().startsWith(mock.address) && !/^(blob|data):/.test(request.url())) fault(`${title}: asks ${request.url()}`);
      });
      try {
        await page.goto(mock.address + address);
        await page.getByRole("heading", { level: 1 }).first().waitFor({ timeout: 10_000 });
        await page.waitForLoadState("networkidle");
        if (first) await first(page);
        // A preview that was left while loading may keep the network from being called idle.
        await page.waitForLoadState("networkidle", { timeout: 5000 }).catch(() => undefined);
        await page.screenshot({ path: path.join(out, `${title}.png`), fullPage: true });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) fault(`${title}: ${wide} pixels wider than the window`);
        const found = await page.evaluate(`${axe}; axe.run(document, { iframes: false })`);
        for (const one of found.violations)
          if (one.impact === "serious" || one.impact === "critical")
            fault(`${title}: axe ${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary?.split("\n")[1] ?? ""}`).join(" | ")}`);
      } catch (error) {
        fault(`${title}: ${error.message.split("\n")[0]}`);
        await page.screenshot({ path: path.join(out, `${title}-failed.png`) }).catch(() => undefined);
      }
      await context.close();
      mock.close();
    }
  }
await browser.close();
console.log(faults === 0 ? "nothing wrong" : `${faults} things wrong`);
process.exitCode = faults === 0 ? 0 : 1;
