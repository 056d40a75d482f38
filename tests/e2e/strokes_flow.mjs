// Random strokes while servers, tabs, networks and sessions die: what the page told to be kept is in the answer, pixel for pixel.
// Usage: node strokes_flow.mjs [--strokes N] [--seed N]     (default 40, or TERRAPIN_STROKES and TERRAPIN_SEED)
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller } from "./caller.mjs";
import { Hand, assertSame, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, until } from "./support.mjs";
import { PASSWORD, openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  const value = Number(at > 0 ? process.argv[at + 1] : otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number above 0`);
  return value;
};
const STROKES = option("--strokes", process.env.TERRAPIN_STROKES ?? 40);
const SEED = option("--seed", process.env.TERRAPIN_SEED ?? 1);
const WIDTH = 240, HEIGHT = 180;

// A small generator of random numbers (mulberry32): the same strokes for the same seed.
let state = SEED;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const whole = (from, below) => from + Math.floor(random() * (below - from));
const spot = () => [whole(0, WIDTH), whole(0, HEIGHT)];

let shared, browser, service, worker;
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann");
  ({ browser, service, workers: [worker] } = shared);
});
after(() => shared?.end());

/** One worker painting, and the oracle that replays what was kept. */
class Painter {
  constructor(context, task) {
    this.context = context;
    this.task = task;
    this.expected = new Expected(WIDTH, HEIGHT);
    this.happened = {};
    this.strokes = 0;
    this.unsure = null; // the raster before a stroke that was not yet told to be kept
  }

  async open(page = null) {
    this.page = page ?? (await openPage(this.context, service));
    if (!page) {
      // "Leave this page?", where something is not kept yet: yes.
      this.page.on("dialog", (dialog) => void dialog.accept().catch(() => undefined));
      await this.page.goto(this.task);
    }
    await this.take();
  }
  /** The canvas as it was opened: everything that was kept must be there. */
  async take() {
    this.hand = await Hand.at(this.page);
    await this.hand.oneToOne();
    this.expected.reopen();
    const { pixels } = await this.hand.raster();
    const unsure = this.unsure;
    this.unsure = null;
    // Of a stroke that the page did not yet call kept, all, nothing or its beginning may be there.
    if (unsure) {
      for (let at = 0; at < pixels.length; at++) if (pixels[at] === unsure[at]) this.expected.pixels[at] = unsure[at];
    }
    assertSame(pixels, this.expected, `seed ${SEED}, the draft as it was reopened (${unsure ? "one stroke was not kept yet; " : ""}${JSON.stringify(this.happened)})`);
  }

  /** One thing that changes the raster, or may. */
  async stroke() {
    const kind = random();
    await this.act(kind);
    this.strokes++;
    await this.hand.holds(this.expected, `seed ${SEED}, stroke ${this.strokes}, kind ${kind}`);
  }
  async act(kind) {
    const { hand, expected, page } = this;
    if (kind < 0.08) {
      await page.keyboard.press("Control+z");
      expected.undo();
    } else if (kind < 0.12) {
      await page.keyboard.press("Control+Shift+Z");
      expected.redo();
    } else if (kind < 0.3) {
      const value = whole(1, 4), points = [spot(), spot(), spot(), spot()];
      for (const key of [String(value), random() < 0.7 ? "p" : "Shift+P"]) await page.keyboard.press(key);
      const subtracts = (await hand.canvas.evaluate((element) => element.editor.tool)) === "polygonSubtract";
      for (const point of points) await hand.click(point);
      await page.keyboard.press("n");
      // The last click may lie so near the first point that it closed the polygon.
      const near = Math.hypot(points[3][0] - points[0][0], points[3][1] - points[0][1]) < 9;
      expected.polygon(near ? points.slice(0, 3) : points, subtracts ? 0 : value);
    } else if (kind < 0.38) {
      const value = whole(1, 4), point = spot();
      for (const key of [String(value), "g"]) await page.keyboard.press(key);
      await hand.click([point[0], point[1]]);
      await hand.settle();
      expected.fill(point, value);
    } else {
      const erases = random() < 0.2, value = whole(1, 4);
      for (const key of [String(value), erases ? "e" : "b", ...Array.from({ length: whole(0, 3) }, () => (random() < 0.5 ? "[" : "]"))]) await page.keyboard.press(key);
      const points = Array.from({ length: whole(1, 5) }, spot);
      const size = await hand.brushSize;
      await hand.drag(points);
      expected.brush(points, size, erases ? 0 : value);
    }
  }

  /** Something goes wrong, before or after the stroke is known to be kept. */
  async disaster() {
    await this.hand.kept();
    const before = Buffer.from(this.expected.pixels);
    await this.stroke();
    const sure = random() < 0.6;
    if (sure) await this.hand.kept();
    else this.unsure = before;
    const kinds = ["killServer", "closeTab", "crashTab", "reload", "offline", "signedOut", "secondTab", "killAll"];
    const kind = kinds[whole(0, kinds.length)];
    this.happened[kind] = (this.happened[kind] ?? 0) + 1;
    await this[kind]().catch((problem) => {
      throw new Error(`seed ${SEED}, after ${this.strokes} strokes, ${kind}: ${problem.message}`, { cause: problem });
    });
  }
  async more(count) {
    for (let i = 0; i < count; i++) await this.stroke();
    await this.hand.kept();
    this.unsure = null;
  }

  async killServer() {
    await service.kill();
    await this.more(whole(1, 4));
    await service.start();
    await this.more(1);
  }
  async closeTab() {
    await this.page.close({ runBeforeUnload: false });
    this.closed();
    await this.open();
  }
  async crashTab() {
    const session = await this.context.newCDPSession(this.page);
    const gone = new Promise((resolve) => this.page.once("crash", resolve));
    session.send("Page.crash").catch(() => undefined);
    await gone;
    await this.page.close();
    this.closed();
    await this.open();
  }
  async reload() {
    await this.page.reload();
    await this.take();
  }
  async offline() {
    await this.context.setOffline(true);
    await this.more(whole(1, 4));
    if (random() < 0.5) {
      // The tab dies before the network is back.
      await this.page.close({ runBeforeUnload: false });
      this.closed();
      await this.context.setOffline(false);
      await this.open();
    } else {
      await this.context.setOffline(false);
      await this.more(1);
    }
  }
  async signedOut() {
    await this.hand.saved();
    this.unsure = null;
    await this.session.post("sign-out");
    // The page finds out with the first stroke that it sends.
    for (const before = Buffer.from(this.expected.pixels); before.equals(this.expected.pixels); ) await this.stroke();
    await this.hand.kept();
    const dialog = this.page.getByRole("dialog", { name: "Sign in" });
    await dialog.waitFor();
    await dialog.getByLabel("Name or e-mail address").fill(worker.account.name);
    await dialog.getByLabel("Password").fill(PASSWORD);
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.waitFor({ state: "detached" });
    await this.signedIn();
    await this.hand.canvas.evaluate((element) => element.focus());
    await this.more(1);
  }
  async secondTab() {
    await this.hand.kept();
    this.unsure = null;
    const first = this.page;
    await this.open();
    await until("the first tab is read only", async () => (await first.getByText("open in another tab").count()) > 0);
    await this.more(whole(1, 3));
    if (random() < 0.5) {
      await this.page.close({ runBeforeUnload: false });
      this.closed();
      await first.bringToFront();
      await first.getByRole("button", { name: "Take over" }).click();
      await until("the first tab paints again", async () => (await first.getByText("open in another tab").count()) === 0);
      await this.open(first);
    } else {
      assert.deepEqual(first.problems, []);
      await first.close({ runBeforeUnload: false });
    }
  }
  async killAll() {
    await service.kill();
    await this.page.close({ runBeforeUnload: false });
    this.closed();
    await service.start();
    await this.open();
  }

  closed() {
    assert.deepEqual(this.page.problems, []);
  }
  /** The page's session, to be ended behind its back. */
  async signedIn() {
    const cookie = (await this.context.cookies()).find((one) => one.name.endsWith("terrapin-session"));
    this.session = new Caller(service.url);
    this.session.cookie = `${cookie.name}=${cookie.value}`;
    this.session.csrf = (await this.session.get("me")).csrf;
  }
}

test(`${STROKES} random strokes and what may happen meanwhile: none is lost (seed ${SEED})`, { skip, timeout: 120_000 + STROKES * 3_000 }, async (t) => {
  await service.job("strokes", { "photo.png": writePhoto(WIDTH, HEIGHT, (x, y) => [x % 256, y % 256, 90]) }, { task_time_limit_s: 28_800 });
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  t.after(() => context.close());
  await service.signIn(context, worker);
  const { id } = await service.accept(worker, "strokes");
  const painter = new Painter(context, `${service.url}/_/task/${id}`);
  await painter.signedIn();
  await painter.open();
  while (painter.strokes < STROKES) {
    const quiet = whole(1, 8);
    for (let i = 0; i < quiet; i++) await painter.stroke();
    if (painter.strokes < STROKES) await painter.disaster();
  }
  await painter.hand.saved();
  await painter.hand.holds(painter.expected, `seed ${SEED}, the canvas at the end`);
  // Once more from nothing: only what the server has.
  await painter.page.close({ runBeforeUnload: false });
  const fresh = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  t.after(() => fresh.close());
  await service.signIn(fresh, worker);
  painter.context = fresh;
  await painter.open();
  await submit(painter.page);
  const mask = readPng(await service.mask("strokes", 0));
  assertSame(mask.pixels, painter.expected, "the mask on disk");
  painter.closed();
  t.diagnostic(`${painter.strokes} strokes, 0 lost; ${Object.entries(painter.happened).map(([what, count]) => `${what} ${count}`).join(", ")}`);
});
