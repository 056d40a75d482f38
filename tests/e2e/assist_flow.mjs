// Four clicks on an object's ends, in a real browser with the real server: the mask that is seen is the one that is kept, and then the one on disk.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertSame, openTask, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { chunk, readPng, writePhoto } from "./png.mjs";
import { Service, serviceWith } from "./service.mjs";
import { findChromium, temporaryFolder, until } from "./support.mjs";
import { countOf, openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const web = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../web");
const WIDTH = 400, HEIGHT = 300;
const TURTLE = 1, DIVER = 2;

// A light leaf on a dark ground, both with noise; and a second one apart from it.
const noise = (x, y) => ((x * 73 + y * 179 + ((x * y) % 97) * 31) % 41) - 20;
const leaf = { x: 150, y: 140, across: 70, down: 45 };
const other = { x: 320, y: 220, across: 40, down: 50 };
const covers = ({ x: cx, y: cy, across, down }, x, y) => ((x + 0.5 - cx) / across) ** 2 + ((y + 0.5 - cy) / down) ** 2 <= 1;
const color = (x, y) => {
  const n = noise(x, y);
  return covers(leaf, x, y) || covers(other, x, y) ? [205 + n, 165 + n, 60 + n] : [40 + n, 70 + n, 105 + n];
};
const photo = writePhoto(WIDTH, HEIGHT, color);
/** Positions in the middle of the object's outermost pixels, in no order that has a meaning. */
const endsOf = ({ x, y, across, down }) => [
  [x + across - 0.5, y + 0.5],
  [x + 0.5, y - down + 0.5],
  [x - across + 0.5, y + 0.5],
  [x + 0.5, y + down - 0.5],
];
const pixelsOf = (...objects) => Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => (objects.some((one) => covers(one, at % WIDTH, Math.floor(at / WIDTH))) ? 1 : 0));

/** How well the pixels of `value` are those of the objects. */
function overlap(pixels, value, ...objects) {
  const truth = pixelsOf(...objects);
  let both = 0, either = 0;
  for (let at = 0; at < truth.length; at++) {
    const painted = pixels[at] === value;
    both += painted && truth[at] === 1;
    either += painted || truth[at] === 1;
  }
  return both / either;
}

let shared, browser, service, worker;
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann");
  ({ browser, service, workers: [worker] } = shared);
});
after(() => shared?.end());

/** A job with the photo, open in a page; `questions` are the bodies that were sent to the server. */
async function begin(t, name, options = {}, bytes = photo) {
  await service.job(name, { "photo-0.png": bytes });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.after(() => context.close());
  await service.signIn(context, worker);
  const page = await openPage(context, service);
  const questions = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/assist")) questions.push(request.postDataJSON());
  });
  const assignment = await service.accept(worker, name);
  const hand = await openTask(page, service, assignment);
  await hand.oneToOne();
  return { page, hand, questions, assignment, options: hand.canvas.getByRole("region", { name: "Settings of the tool" }) };
}

/** The preview as it lies over the raster: 1 where it is. */
const preview = (hand) =>
  hand.canvas.evaluate((element) => {
    const { preview: spans } = element.editor.assist;
    return spans ? Array.from({ length: spans.length }, (_, i) => [spans.y[i], spans.x0[i], spans.x1[i]]) : [];
  });
function rasterOf(runs, value) {
  const expected = new Expected(WIDTH, HEIGHT);
  for (const [y, x0, x1] of runs) expected.pixels.fill(value, y * WIDTH + x0, y * WIDTH + x1);
  return expected;
}
/** The smallest box around the runs, as questions have it. */
function boxOf(runs) {
  const x0 = Math.min(...runs.map((run) => run[1])), y0 = runs[0][0];
  return [x0, y0, Math.max(...runs.map((run) => run[2])) - x0, runs.at(-1)[0] + 1 - y0];
}
async function clickEnds(hand, object) {
  for (const end of endsOf(object)) await hand.click(end);
}

test("four clicks show a mask, more change it, Enter keeps it, and it is on disk", { skip }, async (t) => {
  const { page, hand, questions, assignment, options } = await begin(t, "four-clicks");
  const { assistance } = await worker.get(`assignments/${assignment.id}/content`);
  assert.ok(assistance?.network, `the server offers ${JSON.stringify(assistance)}: a model ships`);
  await hand.key("a");
  await options.getByText("Four clicks: Turtle").waitFor();
  assert.equal(await options.getByLabel("Method").count(), assistance.network && assistance.classical ? 1 : 0);
  await clickEnds(hand, leaf);
  await hand.settle();
  assert.deepEqual(questions[0].extremes, endsOf(leaf).map((end) => end.map(Math.floor)));
  const seen = rasterOf(await preview(hand), TURTLE);
  assert.ok(overlap(seen.pixels, TURTLE, leaf) >= 0.85, `the mask covers the leaf by ${overlap(seen.pixels, TURTLE, leaf)}`);
  await hand.holds(new Expected(WIDTH, HEIGHT), "nothing is painted before it is kept");
  await hand.key("Enter");
  await hand.holds(seen, "what was seen is kept");
  await hand.key("Control+z");
  await hand.holds(new Expected(WIDTH, HEIGHT), "taken back in one step");
  await hand.key("Control+y");

  // A second object: a point too far is dragged back, and a place on the first one is taken out.
  await hand.key("2");
  const [right, ...rest] = endsOf(other);
  for (const end of rest) await hand.click(end);
  await hand.click([right[0] + 18, right[1] - 60]);
  await hand.settle();
  const wide = rasterOf(await preview(hand), DIVER);
  await hand.drag([[right[0] + 18, right[1] - 60], [right[0] + 9, right[1] - 30], right]);
  await hand.settle();
  const second = rasterOf(await preview(hand), DIVER);
  assert.deepEqual(questions.at(-1).extremes.at(-1), right.map(Math.floor));
  assert.ok(overlap(second.pixels, DIVER, other) >= 0.85, `after dragging ${overlap(second.pixels, DIVER, other)}, before ${overlap(wide.pixels, DIVER, other)}`);
  assert.equal(questions.at(-1).previous, null, "four points alone have no mask so far");
  const corrected = await preview(hand);
  await page.mouse.click(...hand.screen([other.x + 60.5, other.y + 0.5]), { button: "right" });
  await hand.settle();
  assert.deepEqual(questions.at(-1).previous.box, boxOf(corrected));
  const kept = await preview(hand);
  await page.keyboard.down("Alt");
  await hand.click([other.x + 0.5, other.y + 65.5]);
  await page.keyboard.up("Alt");
  await hand.settle();
  assert.deepEqual(questions.at(-1).negative, [[other.x + 60, other.y], [other.x, other.y + 65]]);
  assert.deepEqual(questions.at(-1).previous.box, boxOf(kept));
  const asked = questions.length;
  await hand.key("Backspace");
  await hand.settle();
  assert.deepEqual(await preview(hand), kept, "the mask of before the last point");
  assert.equal(questions.length, asked, "it is known");
  for (const [y, x0, x1] of kept) seen.pixels.fill(DIVER, y * WIDTH + x0, y * WIDTH + x1);
  // Not yet kept when it is submitted: it is in the answer all the same.
  await submit(page);
  assertSame(readPng(await service.mask("four-clicks", 0)).pixels, seen, "the mask on disk");
  assert.deepEqual(page.problems, []);
});

test("a mask is kept by choosing another tool and dropped by Escape, under the rules of painting", { skip }, async (t) => {
  const { page, hand } = await begin(t, "rules");
  const expected = new Expected(WIDTH, HEIGHT);
  await hand.key("2");
  await hand.drag([[leaf.x - 30, leaf.y], [leaf.x + 30, leaf.y]]);
  expected.brush([[leaf.x - 30, leaf.y], [leaf.x + 30, leaf.y]], await hand.brushSize, DIVER);
  await hand.button("Lock Diver").click();
  expected.locked.add(DIVER);
  await hand.key("1");
  await hand.button("Four clicks").click();
  await clickEnds(hand, leaf);
  await hand.settle();
  await hand.key("Escape");
  await hand.holds(expected, "dropped");
  await clickEnds(hand, leaf);
  await hand.settle();
  const runs = await preview(hand);
  await hand.key("b");
  const inside = rasterOf(runs, 1).pixels;
  expected.paint((x, y) => inside[y * WIDTH + x] === 1, TURTLE);
  await hand.holds(expected, "kept by choosing the brush, the locked class left alone");
  await submit(page);
  assertSame(readPng(await service.mask("rules", 0)).pixels, expected, "the mask on disk");
});

test("what is painted already is refined", { skip }, async (t) => {
  const { page, hand, questions, options } = await begin(t, "refine");
  // Roughly painted: a strip through the leaf, and one that is not meant.
  await hand.key("1");
  await hand.drag([[leaf.x - 55, leaf.y], [leaf.x + 55, leaf.y]]);
  const apart = [[20, 20], [60, 20]];
  await hand.drag(apart);
  const rough = (await hand.raster()).pixels;
  await hand.key("a");
  await hand.click([leaf.x + 0.5, leaf.y + 0.5]);
  await options.getByRole("button", { name: "Refine this object" }).click();
  await hand.settle();
  const { extremes, positive, previous } = questions.at(-1);
  assert.deepEqual([extremes, positive], [[], [[leaf.x, leaf.y]]]);
  assert.ok(previous.box[1] > 100, `the part that was clicked alone is sent: ${previous.box}`);
  await hand.click([leaf.x + 0.5, leaf.y - 35.5]);
  await hand.click([leaf.x + 0.5, leaf.y + 35.5]);
  await hand.settle();
  const answered = await preview(hand);
  await options.getByRole("button", { name: "Remove", exact: true }).click();
  await hand.click([leaf.x + 85.5, leaf.y + 0.5]);
  await hand.settle();
  assert.deepEqual(questions.at(-1).negative, [[leaf.x + 85, leaf.y]]);
  assert.deepEqual(questions.at(-1).previous.box, boxOf(answered), "the paint is the mask so far of the first question alone");
  const expected = rasterOf(await preview(hand), TURTLE);
  for (let at = 0; at < WIDTH * 60; at++) if (rough[at] === TURTLE) expected.pixels[at] = TURTLE;
  assert.ok(overlap(expected.pixels, TURTLE, leaf) > overlap(rough, TURTLE, leaf));
  await options.getByRole("button", { name: /^Keep/ }).click();
  await hand.holds(expected, "the part is what the mask was, the other part is as it was");
  await hand.key("Control+z");
  assert.ok((await hand.raster()).pixels.equals(rough), "one step");
  assert.deepEqual(page.problems, []);
});

test("by keys alone", { skip }, async (t) => {
  const { page, hand, questions } = await begin(t, "keys");
  await page.mouse.move(5, 5);
  const where = async () => (await hand.canvas.locator(".coordinates").textContent()).match(/\d+/g).slice(0, 2).map(Number);
  const press = async (key) => {
    await page.keyboard.press(key);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return where();
  };
  /** Moves the cursor as near to the pixel as its steps allow. */
  const goTo = async ([x, y]) => {
    for (let [cx, cy] = await press("ArrowRight"); ; ) {
      const [dx, dy] = [x - cx, y - cy];
      if (Math.abs(dx) < 2 && Math.abs(dy) < 2) return [cx, cy];
      const key = Math.abs(dx) >= 2 ? (dx > 0 ? "ArrowRight" : "ArrowLeft") : dy > 0 ? "ArrowDown" : "ArrowUp";
      [cx, cy] = await press(key);
    }
  };
  await hand.key("a");
  const set = [];
  for (const end of endsOf(leaf)) {
    set.push(await goTo(end.map(Math.floor)));
    await hand.key("Space");
  }
  await hand.settle();
  assert.deepEqual(questions.at(-1).extremes, set);
  // The last point is taken up, moved and put down; then one is set to remove.
  await hand.key("m");
  const moved = await press("ArrowUp");
  await hand.key("m");
  await hand.settle();
  assert.deepEqual(questions.at(-1).extremes.at(-1), moved);
  await hand.key("x");
  for (let i = 0; i < 6; i++) await press("ArrowDown");
  const away = await press("ArrowDown");
  await hand.key("Space");
  await hand.settle();
  assert.deepEqual(questions.at(-1).negative, [away]);
  const expected = rasterOf(await preview(hand), TURTLE);
  await hand.key("Enter");
  await hand.holds(expected, "kept by key");
  assert.ok(overlap(expected.pixels, TURTLE, leaf) >= 0.8);
  await submit(page);
  assertSame(readPng(await service.mask("keys", 0)).pixels, expected, "the mask on disk");
});

test("a turned photo: clicks are on what is seen, the mask on what is stored", { skip }, async (t) => {
  const tiff = Buffer.from("4d4d002a00000008000101120003000000010006000000000000", "hex"); // orientation 6
  const afterHeader = 8 + 25;
  const turned = Buffer.concat([photo.subarray(0, afterHeader), chunk("eXIf", tiff), photo.subarray(afterHeader)]);
  const { page, hand, questions } = await begin(t, "turned", {}, turned);
  await hand.key("a");
  for (const [x, y] of endsOf(leaf)) await hand.click([HEIGHT - y, x]); // where an upright view has it
  await hand.settle();
  assert.deepEqual(questions[0].extremes, endsOf(leaf).map((end) => end.map(Math.floor)));
  const expected = rasterOf(await preview(hand), TURTLE);
  assert.ok(overlap(expected.pixels, TURTLE, leaf) >= 0.85, `${overlap(expected.pixels, TURTLE, leaf)}`);
  await hand.key("Enter");
  await submit(page);
  assertSame(readPng(await service.mask("turned", 0)).pixels, expected, "the mask on disk");
});

test("while a point is dragged one question is under way, and the last place wins", { skip }, async (t) => {
  const { page, hand, questions } = await begin(t, "live");
  await hand.key("a");
  await clickEnds(hand, leaf);
  await hand.settle();
  let underWay = 0, most = 0;
  await page.route("**/assist", async (route) => {
    most = Math.max(most, ++underWay);
    const answer = await route.fetch();
    --underWay;
    await route.fulfill({ response: answer });
  });
  const asked = questions.length;
  const [right] = endsOf(leaf);
  await page.mouse.move(...hand.screen(right));
  await page.mouse.down();
  for (let step = 1; step <= 60; step++) await page.mouse.move(...hand.screen([right[0] - step / 2, right[1] - step / 3]));
  await until("the mask follows while the button is down", () => questions.length > asked + 1 && underWay === 0);
  assert.equal(most, 1);
  const followed = (await preview(hand)).length;
  assert.ok(followed > 0);
  await page.mouse.up();
  await hand.settle();
  assert.deepEqual(questions.at(-1).extremes[0], [right[0] - 30, right[1] - 20].map(Math.floor));
  assert.ok(questions.length - asked < 60, `${questions.length - asked} questions for 60 moves`);
  // Points that change while answers wait: the newest is what is shown.
  for (const x of [10, 20, 30]) await hand.click([leaf.x + x + 0.5, leaf.y + 0.5]);
  await hand.settle();
  assert.equal(questions.at(-1).positive.length, 3);
  const shown = await preview(hand);
  await hand.canvas.evaluate((element) => element.editor.assist.askAgain());
  await hand.settle();
  assert.deepEqual(await preview(hand), shown, "asked once more, the same points have the same mask");
  assert.deepEqual(page.problems, []);
});

test("without the server painting goes on, and the tool says why it cannot", { skip }, async (t) => {
  const { page, hand, options } = await begin(t, "offline");
  await page.route("**/assist", (route) => route.abort());
  await hand.key("a");
  await clickEnds(hand, leaf);
  await options.getByRole("alert").getByText("Assistance needs the server; paint by hand or try again.").waitFor();
  await hand.key("b");
  const expected = new Expected(WIDTH, HEIGHT);
  await hand.drag([[60, 60], [120, 90]]);
  expected.brush([[60, 60], [120, 90]], await hand.brushSize, TURTLE);
  await hand.holds(expected, "painted by hand");
  await hand.key("a");
  await clickEnds(hand, leaf);
  await options.getByRole("alert").waitFor();
  await page.unroute("**/assist");
  await options.getByRole("button", { name: "Try again" }).click();
  await hand.settle();
  assert.equal(await options.getByRole("alert").count(), 0);
  assert.ok((await preview(hand)).length > 0);
});

test("Enter before the mask is there keeps it with the class of then; what does not come holds back the answer", { skip }, async (t) => {
  const { page, hand, options } = await begin(t, "promised");
  /** Four clicks, Enter and another tool while questions are held; then they go on, or fail. */
  const promise = async (object, end) => {
    let letGo;
    const held = new Promise((resolve) => (letGo = resolve));
    await page.route("**/assist", (route) => held.then(() => route[end]()));
    await hand.key("a");
    await clickEnds(hand, object);
    await hand.key("Enter");
    await hand.key("b");
    await hand.key("2");
    letGo();
    await hand.settle();
    await page.unroute("**/assist");
  };
  await promise(leaf, "continue");
  const painted = (await hand.raster()).pixels;
  assert.ok(overlap(painted, TURTLE, leaf) >= 0.85, `the mask covers the leaf by ${overlap(painted, TURTLE, leaf)}`);
  assert.equal(countOf(painted, DIVER), 0);

  await promise(other, "abort");
  await options.getByRole("alert").getByText(/The mask of an object is missing/).waitFor();
  const address = page.url();
  await hand.key("Control+Enter");
  await hand.frame.locator("crowd-alert", { hasText: "The mask of an object is missing" }).waitFor();
  assert.equal(page.url(), address, "nothing is submitted");
  await options.getByRole("button", { name: "Show it" }).click();
  await options.getByRole("button", { name: "Try again" }).click();
  await hand.settle();
  const expected = rasterOf(await preview(hand), DIVER);
  for (let at = 0; at < painted.length; at++) expected.pixels[at] ||= painted[at];
  await hand.canvas.evaluate((element) => element.focus());
  await submit(page);
  assertSame(readPng(await service.mask("promised", 0)).pixels, expected, "the mask on disk");
});

test("fingers set, drag and remove; a pinch sets nothing", { skip }, async (t) => {
  const { page, hand, questions, options } = await begin(t, "touch", { hasTouch: true });
  const session = await page.context().newCDPSession(page);
  const touch = (type, ...points) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints: points.map((point, id) => ({ x: hand.screen(point)[0], y: hand.screen(point)[1], id })) });
  const tap = async (point) => {
    await touch("touchStart", point);
    await touch("touchEnd");
  };
  await hand.button("Four clicks").click();
  await touch("touchStart", [200, 200]);
  await touch("touchStart", [200, 200], [260, 200]);
  await touch("touchEnd");
  assert.equal(await options.getByText("0 of 4 points").count(), 1);
  for (const end of endsOf(leaf)) await tap(end);
  await hand.settle();
  const [right] = endsOf(leaf);
  await touch("touchStart", right);
  await touch("touchMove", [right[0] - 6, right[1] - 4]);
  await touch("touchMove", [right[0] - 10, right[1] - 5]);
  await touch("touchEnd");
  await options.getByRole("button", { name: "Remove", exact: true }).click();
  await tap([leaf.x + 100.5, leaf.y + 0.5]);
  await hand.settle();
  const { extremes, negative } = questions.at(-1);
  assert.deepEqual([extremes[0], negative], [[right[0] - 10, right[1] - 5].map(Math.floor), [[leaf.x + 100, leaf.y]]]);
  await options.getByRole("button", { name: /^Keep/ }).click();
  assert.ok(countOf((await hand.raster()).pixels, TURTLE) > 1000);
});

test("axe finds nothing serious in what the tool shows, and the help has its keys", { skip }, async (t) => {
  const axe = await readFile(createRequire(path.join(web, "package.json")).resolve("axe-core/axe.min.js"), "utf8");
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    const { page, hand, options } = await begin(t, `axe-${colorScheme}`, { colorScheme });
    const look = async (state) => {
      for (const frame of page.frames()) {
        const { violations } = await frame.evaluate(`${axe}; axe.run(document, { iframes: false })`);
        for (const { id, impact, nodes } of violations)
          if (impact === "serious" || impact === "critical") found.push(`${colorScheme}, ${state}: ${id}: ${nodes.map((node) => node.target.flat().join(" ")).join(" | ")}`);
      }
    };
    await hand.key("a");
    await look("chosen");
    await clickEnds(hand, leaf);
    await hand.settle();
    await look("a preview");
    await page.route("**/assist", (route) => route.abort());
    await hand.click([leaf.x + 0.5, leaf.y + 0.5]);
    await options.getByRole("alert").waitFor();
    await look("a problem");
    await hand.key("?");
    await hand.canvas.getByRole("heading", { name: "Keys" }).waitFor();
    assert.equal(await hand.canvas.getByRole("row", { name: /^Four clicks A/ }).count(), 1);
    await hand.key("Escape");
  }
  assert.deepEqual(found, []);
});

test("a server that offers none shows no such tool", { skip }, async (t) => {
  const place = await temporaryFolder();
  t.after(place.remove);
  const plain = new Service(place.folder, ["--no-assistance"]);
  t.after(() => plain.kill());
  await plain.start();
  const bob = await plain.worker("bob");
  await plain.job("plain", { "photo-0.png": photo });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  await plain.signIn(context, bob);
  const page = await openPage(context, plain);
  const hand = await openTask(page, plain, await plain.accept(bob, "plain"));
  assert.equal(await hand.button("Four clicks").count(), 0);
  assert.equal(await hand.button("Magic wand").count(), 1);
  await hand.key("a");
  assert.equal(await hand.canvas.evaluate((element) => element.editor.tool), "brush");
  await hand.key("?");
  await hand.canvas.getByRole("heading", { name: "Keys" }).waitFor();
  assert.equal(await hand.canvas.getByRole("row", { name: /^Four clicks/ }).count(), 0);
});
