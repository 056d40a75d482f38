// A person labels photos in a real browser; what they painted is what lies on disk, pixel for pixel, whatever dies in between.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { readPng } from "./png.mjs";
import { LabelingProgram, findChromium, makePhotos, openBrowser, temporaryFolder, until } from "./support.mjs";
import { canvasOf, countOf, drag, join, openPage, raster, start } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
let browser;
before(async () => {
  if (!skip) browser = await openBrowser();
});
after(async () => browser?.close());

test("what a worker paints is what the masks hold, pixel for pixel", { skip }, async (t) => {
  const place = await temporaryFolder();
  t.after(place.remove);
  const photos = path.join(place.folder, "photos");
  await makePhotos(photos, 3, 320, 240);
  const program = await new LabelingProgram(photos).start();
  t.after(() => program.kill());
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  const page = await openPage(context, program);
  await join(page, program.invitation, "ann");
  await start(page);
  const painted = [];
  for (let i = 0; i < 3; i++) {
    const canvas = await canvasOf(page);
    await page.locator(".cover").waitFor({ state: "detached" }); // the canvas has the keys from now on
    await page.keyboard.press("1");
    await page.keyboard.press("b");
    await drag(page, canvas, [[0.3, 0.3], [0.5, 0.35 + 0.05 * i], [0.6, 0.3]]);
    await page.keyboard.press("2");
    await page.keyboard.press("p");
    const box = await canvas.locator(".stage").first().boundingBox();
    for (const [x, y] of [[0.4, 0.5], [0.6, 0.55], [0.5, 0.7]]) await page.mouse.click(box.x + box.width * x, box.y + box.height * y);
    await page.keyboard.press("Enter");
    await page.keyboard.press("3");
    await page.keyboard.press("b");
    await drag(page, canvas, [[0.45, 0.55], [0.55, 0.6]]);
    await page.keyboard.press("e");
    await drag(page, canvas, [[0.5, 0.3], [0.5, 0.65]]);
    await page.keyboard.press("b");
    await drag(page, canvas, [[0.35, 0.7], [0.4, 0.72]]);
    await page.keyboard.press("Control+z");
    const shown = await raster(canvas);
    assert.deepEqual([shown.width, shown.height], [320, 240]);
    for (const value of [1, 2, 3]) assert.ok(countOf(shown.pixels, value) > 20, `photo ${i} has ${countOf(shown.pixels, value)} pixels of label ${value}`);
    painted.push(shown.pixels);
    const address = page.url();
    await page.keyboard.press("Control+Enter");
    if (i < 2) await until(`the task after photo ${i}`, async () => page.url() !== address);
  }
  const masks = await program.masks(3);
  for (let i = 0; i < 3; i++) {
    const mask = readPng(masks.get(i));
    assert.deepEqual([mask.width, mask.height, mask.channels], [320, 240, 1]);
    assert.ok(painted.some((pixels) => pixels.equals(mask.pixels)), `mask ${i} is what was painted`);
  }
  assert.deepEqual(page.problems, []);
});

test("a stroke outlives the server and the tab", { skip }, async (t) => {
  const place = await temporaryFolder();
  t.after(place.remove);
  const photos = path.join(place.folder, "photos");
  await makePhotos(photos, 1, 320, 240);
  const program = await new LabelingProgram(photos).start();
  t.after(() => program.kill());
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  let page = await openPage(context, program);
  await join(page, program.invitation, "bob");
  await start(page);
  const task = page.url();
  let canvas = await canvasOf(page);
  await canvas.locator(".stage").first().click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("1");
  await drag(page, canvas, [[0.3, 0.3], [0.6, 0.4]]);
  await program.kill();
  await page.keyboard.press("2");
  await drag(page, canvas, [[0.4, 0.6], [0.6, 0.6], [0.5, 0.7]]);
  const before = await raster(canvas);
  assert.ok(countOf(before.pixels, 2) > 20);
  // What is in the browser's own store is safe; the page says when.
  await until("the stroke is kept", () => page.locator("terrapin-task-page").evaluate(({ status }) => status.unkept === 0 && status.unsent > 0));
  await page.close({ runBeforeUnload: false });
  await program.start();
  page = await openPage(context, program);
  await page.goto(task);
  canvas = await canvasOf(page);
  await until("the strokes are back", async () => (await raster(canvas)).pixels.equals(before.pixels));
  await canvas.locator(".stage").first().click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("Control+Enter");
  const mask = readPng((await program.masks(1)).get(0));
  assert.ok(before.pixels.equals(mask.pixels));
  assert.deepEqual(page.problems, []);
});
