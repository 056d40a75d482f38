// Every tool of the canvas, by mouse, keys, fingers and pen: what is on the screen and then on disk is what plain loops say, pixel for pixel.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Hand, assertSame, openTask, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, until } from "./support.mjs";
import { openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const WIDTH = 400, HEIGHT = 300;
const TURTLE = 1, DIVER = 2, CORAL = 3;
// Four grounds that differ by 20 or 60, each with a little noise of its own.
const color = (x, y) => {
  const ground = [60, 80, 140, 200][(x >= 200 ? 1 : 0) + (y >= 150 ? 2 : 0)];
  return [ground + ((x * 7 + y * 13) % 5), ground + ((x * 3 + y * 5) % 7), ground + ((x + y) % 3)];
};
const photo = writePhoto(WIDTH, HEIGHT, color);
const photoPixels = readPng(photo).pixels;

let shared, browser, service, worker;
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann");
  ({ browser, service, workers: [worker] } = shared);
});
after(() => shared?.end());

/** A job with `count` photos, the first of them open, one photo pixel for each of the screen. */
async function begin(t, name, count = 1, options = {}) {
  await service.job(name, Object.fromEntries(Array.from({ length: count }, (_, index) => [`photo-${index}.png`, photo])));
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.after(() => context.close());
  await service.signIn(context, worker);
  const page = await openPage(context, service);
  const hand = await openTask(page, service, await service.accept(worker, name));
  await hand.oneToOne();
  return { page, hand, expected: new Expected(WIDTH, HEIGHT) };
}

/** The canvas and, once it is submitted, the mask on disk hold what is expected. */
async function submitAndCompare(name, page, hand, expected, index = 0) {
  await hand.holds(expected, "the canvas before it is submitted");
  await submit(page);
  const mask = readPng(await service.mask(name, index));
  assert.deepEqual([mask.width, mask.height, mask.channels], [WIDTH, HEIGHT, 1]);
  assertSame(mask.pixels, expected, "the mask on disk");
  assert.deepEqual(page.problems, []);
}

async function brushSize(hand, size) {
  await hand.canvas.getByLabel("Brush size in pixels").fill(String(size));
  await hand.canvas.getByLabel("Brush size in pixels").press("Tab");
}

test("every tool by mouse and buttons", { skip }, async (t) => {
  const { page, hand, expected } = await begin(t, "by-mouse");
  const step = (what) => hand.holds(expected, what);

  await hand.choose("Turtle");
  await brushSize(hand, 31);
  await hand.drag([[60, 60], [120, 90], [180, 70], [180, 70]]);
  expected.brush([[60, 60], [120, 90], [180, 70]], 31, TURTLE);
  await step("the brush");
  await hand.click([395, 298]);
  expected.brush([[395, 298]], 31, TURTLE);
  await step("a brush at the edge of the photo");

  await page.keyboard.down("Shift");
  await hand.drag([[300, 250], [250, 280]]);
  await page.keyboard.up("Shift");
  expected.brush([[395, 298], [250, 280]], 31, TURTLE);
  await step("a straight line from the last stroke's end");

  await hand.button("Eraser").click();
  await brushSize(hand, 8);
  await hand.drag([[100, 40], [100, 120]]);
  expected.brush([[100, 40], [100, 120]], 8, 0);
  await step("the eraser");

  await hand.button("Brush").click();
  await hand.choose("Diver");
  await brushSize(hand, 1);
  await hand.drag([[10, 10], [60, 31], [35, 95], [35, 95]]);
  expected.brush([[10, 10], [60, 31], [35, 95]], 1, DIVER);
  await step("a brush of one pixel");
  await page.keyboard.down("Alt");
  await hand.drag([[20, 5], [20, 40]]);
  await page.keyboard.up("Alt");
  expected.brush([[20, 5], [20, 40]], 1, 0);
  await step("the brush erases while Alt is held");

  await hand.button("Polygon").click();
  for (const point of [[210, 30], [340, 50], [300, 140], [230, 120], [280, 80], [210, 30]]) await hand.click(point);
  expected.polygon([[210, 30], [340, 50], [300, 140], [230, 120], [280, 80]], DIVER);
  await step("a polygon that is closed at its first point");
  const star = [[60, 150], [100, 260], [10, 190], [110, 190], [20, 260]];
  for (const point of star.slice(0, -1)) await hand.click(point);
  const [x, y] = hand.screen(star.at(-1));
  await page.mouse.dblclick(x, y);
  expected.polygon(star, DIVER);
  await step("a polygon that crosses itself, closed by a double click");

  await hand.choose("Coral");
  const loop = Array.from({ length: 24 }, (_, i) => [Math.round(300 + 60 * Math.cos(i / 4)), Math.round(200 + 45 * Math.sin(i / 4))]);
  await hand.drag(loop);
  expected.polygon(loop, CORAL);
  await step("a freehand polygon");

  await hand.button("Subtract polygon").click();
  for (const point of [[280, 180], [320, 180], [320, 220], [280, 220]]) await hand.click(point);
  await hand.canvas.getByRole("button", { name: /^Close/ }).first().click();
  expected.polygon([[280, 180], [320, 180], [320, 220], [280, 220]], 0);
  await step("a polygon taken away");

  await hand.button("Fill area").click();
  await hand.choose("Turtle");
  await hand.click([240, 100]);
  await hand.settle();
  expected.fill([240, 100], TURTLE);
  await step("fill");

  await hand.button("Magic wand").click();
  await hand.choose("Coral");
  await hand.canvas.getByLabel(/^Tolerance/).fill("6");
  await hand.click([190, 120]);
  await hand.settle();
  expected.wand(photoPixels, [190, 120], 6, CORAL);
  await step("the wand, tolerance 6: one ground");
  await hand.button("Undo").click();
  expected.undo();
  await hand.canvas.getByLabel(/^Tolerance/).fill("26");
  await hand.click([190, 120]);
  await hand.settle();
  expected.wand(photoPixels, [190, 120], 26, CORAL);
  await step("the wand, tolerance 26: two grounds");
  await hand.button("Undo").click();
  expected.undo();
  await hand.canvas.getByLabel("Connected only").uncheck();
  await hand.canvas.getByLabel(/^Tolerance/).fill("2");
  await hand.click([390, 10]);
  await hand.settle();
  expected.wand(photoPixels, [390, 10], 2, CORAL, false);
  await step("the wand over the whole photo");
  await hand.button("Undo").click();
  expected.undo();
  await step("undo by its button");

  await hand.button("Brush").click();
  await hand.choose("Diver");
  await brushSize(hand, 4);
  await hand.drag([[30, 270], [90, 270], [90, 295], [30, 295], [30, 270]]);
  expected.brush([[30, 270], [90, 270], [90, 295], [30, 295], [30, 270]], 4, DIVER);
  await hand.choose("Coral");
  await hand.button("Fill enclosed background").click();
  expected.enclosed(CORAL);
  await step("enclosed background");

  await hand.button("Paint only background").click();
  expected.onlyBackground = true;
  await brushSize(hand, 40);
  await hand.drag([[150, 200], [330, 200]]);
  expected.brush([[150, 200], [330, 200]], 40, CORAL);
  await step("painting only background");
  await hand.button("Paint only background").click();
  expected.onlyBackground = false;

  await hand.button("Lock Diver").click();
  expected.locked.add(DIVER);
  await hand.drag([[20, 20], [120, 220]]);
  expected.brush([[20, 20], [120, 220]], 40, CORAL);
  await hand.button("Eraser").click();
  await hand.drag([[120, 160], [20, 240]]);
  expected.brush([[120, 160], [20, 240]], 40, 0);
  await step("a locked class");
  await hand.button("Lock Diver").click();
  expected.locked.clear();

  await hand.button("Undo").click();
  await hand.button("Undo").click();
  await hand.button("Redo").click();
  for (const move of ["undo", "undo", "redo"]) expected[move]();
  await step("undo and redo by their buttons");

  // None of these changes what is painted.
  await hand.button("Hide Turtle").click();
  await hand.button("Show outlines only").click();
  await hand.canvas.locator("summary").click();
  await hand.canvas.getByLabel(/^Opacity/).fill("0.2");
  await hand.canvas.getByLabel(/^Brightness/).fill("1.5");
  await hand.canvas.getByLabel(/^Contrast/).fill("0.5");
  await hand.canvas.getByLabel("Colours safe for colour blindness").check();
  await step("other ways to look at it");
  await hand.canvas.evaluate((element) => element.focus());
  await submitAndCompare("by-mouse", page, hand, expected);
});

test("every tool by keys alone", { skip }, async (t) => {
  const { page, hand, expected } = await begin(t, "by-keys");
  await page.mouse.move(5, 5);
  const step = (what) => hand.holds(expected, what);
  // Where the cursor is, as the canvas tells it.
  const where = async () => {
    const [x, y] = (await hand.canvas.locator(".coordinates").textContent()).match(/\d+/g).map(Number);
    return [x + 0.5, y + 0.5];
  };
  const keys = async (...texts) => {
    for (const text of texts) await page.keyboard.press(text);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return where();
  };
  const repeat = (text, count) => Array.from({ length: count }, () => text);
  const line = async (...texts) => {
    const points = [await where()];
    for (const text of texts) points.push(await keys(text));
    return points;
  };

  const start = await keys("ArrowRight");
  await keys("1", "b", ...repeat("]", 3));
  const size = await hand.brushSize;
  assert.ok(size > 24, `] enlarges the brush: ${size}`);
  await keys("Enter");
  const stroke = await line("ArrowRight", "Shift+ArrowRight", "ArrowDown", "Shift+ArrowUp");
  await keys("Enter");
  assert.ok(stroke.at(-1)[0] > start[0] + 20);
  expected.brush(stroke, size, TURTLE);
  await step("the brush by its keys");

  await keys("e", ...repeat("[", 9));
  const small = await hand.brushSize;
  assert.ok(small < size);
  await keys("Enter");
  expected.brush(await line("Shift+ArrowLeft", "ArrowDown", "ArrowDown"), small, 0);
  await keys("Enter");
  await step("the eraser by its keys");
  await keys("Control+z", "Control+Shift+Z");
  await step("undo and redo by keys");

  await keys("2", "p", "Shift+ArrowLeft");
  const corners = [];
  for (const moves of [["Shift+ArrowUp"], ["Shift+ArrowRight", "Shift+ArrowRight"], ["Shift+ArrowDown", "ArrowLeft"]]) {
    corners.push(await keys(...moves));
    await keys(" ");
  }
  await keys("Shift+ArrowLeft", " ", "Backspace", "n");
  expected.polygon(corners, DIVER);
  await step("a polygon by keys, one point taken back");

  await keys("Shift+P");
  const away = [];
  for (const moves of [["ArrowUp"], ["Shift+ArrowLeft"], ["ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight"]]) {
    away.push(await keys(...moves));
    await keys(" ");
  }
  await keys("Enter");
  expected.polygon(away, 0);
  await step("a polygon taken away by keys");

  await keys("3", "g");
  expected.fill(await where(), CORAL);
  await keys(" ");
  await hand.settle();
  await step("fill by keys");
  await keys("Control+z");
  expected.undo();

  await keys("w");
  const spot = await keys(...repeat("Shift+ArrowUp", 1));
  await keys(" ");
  await hand.settle();
  expected.wand(photoPixels, spot, 24, CORAL);
  await step("the wand by keys");
  await keys("Control+z");
  expected.undo();

  // A ring, then what it encloses.
  await keys("b", "3");
  await keys("Enter");
  const ring = await line(...repeat("ArrowLeft", 20), ...repeat("ArrowDown", 20), ...repeat("ArrowRight", 20), ...repeat("ArrowUp", 20));
  await keys("Enter");
  expected.brush(ring, small, CORAL);
  await step("a ring by keys");
  await keys("2", "Shift+G");
  await hand.settle();
  expected.enclosed(DIVER);
  await step("enclosed background by keys");

  await keys("o");
  expected.onlyBackground = true;
  await keys("1", "b", ...repeat("]", 8));
  expected.brush([await where()], await hand.brushSize, TURTLE);
  await keys(" ");
  await step("painting only background by keys");
  await keys("o");
  expected.onlyBackground = false;
  await keys("2", "l", "1", "Shift+ArrowLeft");
  expected.locked.add(DIVER);
  expected.brush([await where()], await hand.brushSize, TURTLE);
  await keys(" ");
  await step("a locked class by keys");
  await keys("h", "t", "{", "}", "f", "+", "-");
  await step("looking at it by keys");
  await submitAndCompare("by-keys", page, hand, expected);
});

test("200 strokes are undone and done again, one by one", { skip }, async (t) => {
  const { page, hand, expected } = await begin(t, "undo");
  await hand.key("1");
  const sizes = await hand.brushSize;
  for (let i = 0; i < 200; i++) {
    const at = [(i * 37) % WIDTH, (i * 53) % HEIGHT];
    await hand.key(String(1 + (i % 3)));
    await hand.click(at);
    expected.brush([at], sizes, 1 + (i % 3));
  }
  await hand.holds(expected, "200 strokes");
  const steps = expected.before.length;
  assert.ok(steps >= 200, `${steps} strokes changed something`);
  for (let i = 0; i < 200; i++) {
    await hand.key("Control+z");
    expected.undo();
    if (i % 40 === 39) await hand.holds(expected, `${i + 1} steps back`);
  }
  assert.ok(expected.pixels.every((pixel) => pixel === 0));
  for (let i = 0; i < 170; i++) {
    await hand.key(i % 2 ? "Control+Shift+Z" : "Control+y");
    expected.redo();
  }
  await submitAndCompare("undo", page, hand, expected);
});

test("fingers and a pen paint, two fingers move the view", { skip }, async (t) => {
  const { page, hand, expected } = await begin(t, "touch", 1, { hasTouch: true });
  const session = await page.context().newCDPSession(page);
  const size = await hand.brushSize;
  const touch = (type, ...points) =>
    session.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: points.map((point, id) => {
        const [x, y] = hand.screen(point);
        return { x, y, id };
      }),
    });
  await touch("touchStart", [100, 100]);
  for (const point of [[130, 110], [160, 90]]) await touch("touchMove", point);
  await touch("touchEnd");
  expected.brush([[100, 100], [130, 110], [160, 90]], size, TURTLE);
  await hand.holds(expected, "a finger's stroke");

  // Two fingers: nothing is painted, the view moves and grows.
  await touch("touchStart", [200, 200]);
  await touch("touchStart", [200, 200], [240, 200]);
  await touch("touchMove", [190, 190], [270, 200]);
  await touch("touchMove", [180, 180], [300, 200]);
  await touch("touchEnd");
  await hand.holds(expected, "after two fingers");
  await hand.look();
  assert.ok(hand.scale > 2 && hand.scale < 4, `zoomed to ${hand.scale}`);
  await hand.oneToOne();

  const pen = async (type, point, more = {}) => {
    const [x, y] = hand.screen(point);
    await session.send("Input.dispatchMouseEvent", { type, x, y, pointerType: "pen", button: type === "mouseMoved" ? "none" : "left", buttons: type === "mouseReleased" ? 0 : 1, clickCount: 1, force: 0.5, ...more });
  };
  await hand.key("2");
  await pen("mouseMoved", [50, 200], { buttons: 0 });
  await pen("mousePressed", [50, 200]);
  for (const point of [[70, 240], [110, 250]]) await pen("mouseMoved", point);
  await pen("mouseReleased", [110, 250]);
  expected.brush([[50, 200], [70, 240], [110, 250]], size, DIVER);
  await hand.holds(expected, "a pen's stroke");

  // Where a pen is used, a finger (or the palm) moves the view and paints nothing.
  const [left] = hand.screen([0, 0]);
  await touch("touchStart", [300, 100]);
  await touch("touchMove", [330, 120]);
  await touch("touchEnd");
  await hand.holds(expected, "a finger beside the pen");
  await hand.look();
  assert.equal(hand.screen([0, 0])[0], left + 30);

  await hand.key("p");
  for (const point of [[200, 40], [260, 50], [230, 120]]) {
    await pen("mousePressed", point);
    await pen("mouseReleased", point);
  }
  await hand.key("n");
  expected.polygon([[200, 40], [260, 50], [230, 120]], DIVER);
  await submitAndCompare("touch", page, hand, expected);
});

test("the previous photo's mask is copied, and can be taken back", { skip }, async (t) => {
  const { page, hand: first, expected } = await begin(t, "copy", 2);
  const size = await first.brushSize;
  await first.key("1");
  await first.drag([[100, 100], [200, 150]]);
  expected.brush([[100, 100], [200, 150]], size, TURTLE);
  await first.key("3");
  await first.drag([[150, 100], [150, 200]]);
  expected.brush([[150, 100], [150, 200]], size, CORAL);
  const address = page.url();
  await submitAndCompare("copy", page, first, expected);
  await until("the second photo", () => page.url() !== address);
  const second = await Hand.at(page);
  await second.oneToOne();
  const again = new Expected(WIDTH, HEIGHT);
  await second.holds(again, "a new photo");
  await second.key("2");
  await second.drag([[20, 20], [60, 20]]);
  again.brush([[20, 20], [60, 20]], size, DIVER);
  await second.key("Control+b");
  await until("the mask is copied", async () => (await second.raster()).pixels.equals(expected.pixels));
  await second.key("Control+z");
  await second.holds(again, "copied and taken back");
  await second.button("Redo").click();
  again.replace(expected.pixels);
  await second.drag([[300, 200], [320, 250]]);
  again.brush([[300, 200], [320, 250]], size, DIVER);
  await submitAndCompare("copy", page, second, again, 1);
});

test("a photo on which nothing is painted is submitted only once the worker says so", { skip }, async (t) => {
  const { page, hand, expected } = await begin(t, "unpainted");
  const question = page.getByRole("dialog", { name: "Nothing is painted" });
  await page.keyboard.press("Control+Enter");
  await question.waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "detached" });
  await hand.look();
  await hand.drag([[60, 60], [120, 90]]);
  expected.brush([[60, 60], [120, 90]], 24, TURTLE);
  await hand.holds(expected, "painted after the question");
  await hand.key("Control+z");
  await page.keyboard.press("Control+Enter");
  await question.waitFor();
  const address = page.url();
  await page.keyboard.press("Enter");
  await until("the answer was taken", async () => page.url() !== address || (await page.getByText("All done").count()) > 0);
  assertSame(readPng(await service.mask("unpainted", 0)).pixels, new Expected(WIDTH, HEIGHT), "the mask on disk");
  assert.deepEqual(page.problems, []);
});
