// The task page for people who use no mouse, a screen reader, or other colours: axe finds nothing serious, Tab reaches everything, keys alone label a photo.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Hand, assertSame, openTask } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, until } from "./support.mjs";
import { openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const web = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../web");
const WIDTH = 300, HEIGHT = 200;
const photo = writePhoto(WIDTH, HEIGHT, (x, y) => [x % 256, y % 256, 90]);
const MANY = Array.from({ length: 20 }, (_, index) => ({ label: `Species ${index + 1}`, void: index === 19 }));

let shared, browser, service, ann, axe;
before(async () => {
  if (skip) return;
  axe = await readFile(createRequire(path.join(web, "package.json")).resolve("axe-core/axe.min.js"), "utf8");
  shared = await serviceWith("ann");
  ({ browser, service, workers: [ann] } = shared);
});
after(() => shared?.end());

async function begin(t, job, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.after(() => context.close());
  await service.signIn(context, ann);
  const page = await openPage(context, service);
  const assignment = await service.accept(ann, job);
  return { page, assignment };
}

/** What axe calls serious or critical, in the page and in its frame. */
async function findings(page, where) {
  const found = [];
  for (const frame of page.frames()) {
    if (frame.url() === "about:blank" && frame !== page.mainFrame()) continue;
    const { violations } = await frame.evaluate(`${axe}; axe.run(document, { iframes: false })`);
    for (const { id, impact, nodes } of violations) {
      if (impact !== "serious" && impact !== "critical") continue;
      found.push(`${where}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.target.flat().join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`).join(" | ")}`);
    }
  }
  return found;
}

test("axe finds nothing serious, in any state of the page", { skip }, async (t) => {
  await service.job("axe", { "photo.png": photo }, {
    labels: MANY,
    instructions: { header: "Paint the fish", short_html: "<p>Every fish</p>", full_html: "<h2>How</h2><p>With care</p>" },
  });
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    const { page, assignment } = await begin(t, "axe", { colorScheme });
    const hand = await openTask(page, service, assignment);
    const look = async (state) => found.push(...(await findings(page, `${colorScheme}, ${state}`)));
    await hand.oneToOne();
    await hand.key("1");
    await hand.drag([[40, 40], [100, 60]]);
    await hand.saved();
    await look("painting");
    await hand.canvas.getByLabel("Find a class").fill("species 1");
    await hand.button("Lock Species 1").click();
    await hand.button("Hide Species 10").click();
    await hand.canvas.locator("summary").click();
    await look("class list searched, view panel open");
    for (const tool of ["Polygon", "Magic wand", "Move view"]) {
      await hand.button(tool).click();
      if (tool === "Polygon") for (const point of [[50, 50], [90, 60]]) await hand.click(point);
      await look(tool);
      await hand.key("Escape");
    }
    await hand.canvas.getByLabel("Colours safe for colour blindness").check();
    await look("other colours");
    await hand.canvas.evaluate((element) => element.focus());
    await hand.key("?");
    await hand.canvas.getByRole("heading", { name: "Keys" }).waitFor();
    await look("help");
    await hand.key("Escape");
    await hand.button("Instructions").click();
    await look("instructions");
    await hand.key("Escape");
    await page.getByRole("button", { name: "Decline" }).click();
    await page.getByLabel("Reason").waitFor();
    await look("declining");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Give back" }).click();
    await look("giving back");
    await page.getByRole("button", { name: "Cancel" }).click();
    const other = await page.context().newPage();
    await openTask(other, service, assignment);
    await page.getByText("open in another tab").waitFor();
    await look("taken over");
    await other.close();
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
  assert.deepEqual(found, []);
});

/** Presses Tab until the focus has gone round once; what it stood on, as it is called. */
async function tabThrough(page) {
  const focused = () => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    if (!element || element === document.body || element.tagName === "IFRAME") return null;
    const { outlineStyle, boxShadow } = getComputedStyle(element);
    const name = element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent;
    return { tag: element.tagName, name: name.replace(/\s+/g, " ").trim(), class: element.className, ring: outlineStyle !== "none" || boxShadow !== "none" };
  };
  const stops = [];
  for (let presses = 0; presses < 200; presses++) {
    await page.keyboard.press("Tab");
    let stop = null;
    for (const frame of page.frames()) stop = (await frame.evaluate(focused)) ?? stop;
    if (!stop) {
      if (stops.length > 0) return stops; // the browser's own controls: once round
      continue;
    }
    if (stops.length > 0 && stop.name === stops[0].name && stop.class === stops[0].class) return stops;
    stops.push(stop);
  }
  assert.fail(`Tab does not come round: ${JSON.stringify(stops.slice(-5))}`);
}

test("Tab reaches everything and is stuck nowhere", { skip }, async (t) => {
  await service.job("tab", { "photo.png": photo }, { labels: MANY.slice(0, 3), instructions: { header: "Paint", short_html: "<p>Every fish</p>", full_html: "<p>With care</p>" } });
  const { page, assignment } = await begin(t, "tab");
  await page.goto(`${service.url}/_/task/${assignment.id}`);
  await (await Hand.at(page)).canvas.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => document.activeElement?.blur());
  const stops = await tabThrough(page);
  const names = stops.map(({ name }) => name);
  for (const name of ["To the tasks", "Give back", "Decline", "Submit", "Instructions", "Zoom out", "Zoom in", "Fit the photo", "Hide the mask while held", "Show outlines only",
    "Keys and help", "Brush", "Eraser", "Polygon", "Subtract polygon", "Fill area", "Magic wand", "Move view", "Paint only background", "Fill enclosed background",
    "Copy the previous photo's mask", "Photo", "Hide Species 2", "Lock Species 3", "View", "Brush size in pixels"]) // prettier-ignore
    assert.ok(names.includes(name), `Tab does not reach "${name}": ${names.join(", ")}`);
  for (const label of ["Species 1", "Species 2", "Species 3"]) assert.ok(names.some((name) => name.startsWith(label)), `Tab does not reach the class ${label}`);
  for (const stop of stops) {
    assert.notEqual(stop.name, "", `${stop.tag} ${stop.class} has no name`);
    assert.ok(stop.ring, `where the focus is cannot be seen: ${JSON.stringify(stop)}`);
  }
  assert.deepEqual(page.problems, []);
});

test("a photo is opened, labelled and submitted by keys alone", { skip }, async (t) => {
  await service.job("keys", { "photo.png": photo }, { title: "By keys" });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  await service.signIn(context, ann);
  const page = await openPage(context, service);
  await page.goto(`${service.url}/_/jobs`);
  const card = page.getByRole("article").filter({ hasText: "By keys" });
  await until("the job is listed", async () => (await card.count()) > 0);
  await until("Tab is at its button", async () => {
    await page.keyboard.press("Tab");
    return card.getByRole("button", { name: "Start" }).evaluate((button) => button.getRootNode().activeElement === button);
  });
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/_\/task\//);
  const canvas = page.frameLocator("iframe").locator("terrapin-canvas");
  await canvas.waitFor();
  await page.locator(".cover").waitFor({ state: "detached" });
  await until("Tab is at the photo", async () => {
    await page.keyboard.press("Tab");
    return canvas.evaluate((element) => element.shadowRoot.activeElement?.classList.contains("stage") === true);
  });
  const where = async () => {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return (await canvas.locator(".coordinates").textContent()).match(/\d+/g).slice(0, 2).map((text) => Number(text) + 0.5);
  };
  const keys = async (...texts) => {
    for (const text of texts) await page.keyboard.press(text);
  };
  const expected = new Expected(WIDTH, HEIGHT);
  await keys("2", "p", "ArrowRight");
  const corners = [];
  for (const moves of [["Shift+ArrowLeft"], ["Shift+ArrowDown"], ["Shift+ArrowRight", "Shift+ArrowRight"], ["Shift+ArrowUp", "ArrowUp", "ArrowUp"]]) {
    await keys(...moves);
    corners.push(await where());
    await keys(" ");
  }
  await keys("Enter");
  expected.polygon(corners, 2);
  const { pixels } = await new Hand(page).raster();
  assertSame(pixels, expected, "a polygon by keys");
  assert.ok(expected.pixels.includes(2));
  await keys("Control+Enter");
  await page.getByText("All done").waitFor();
  assertSame(readPng(await service.mask("keys", 0)).pixels, expected, "the mask on disk");
  assert.deepEqual(page.problems, []);
});
