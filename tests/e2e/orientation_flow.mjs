// Photos that say how they want to be turned: the worker sees them upright, the mask lies on the stored pixels, and transform keeps the two together.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { Hand, assertSame, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { chunk, readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium } from "./support.mjs";
import { openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const WIDTH = 240, HEIGHT = 160; // as stored
const SPOT = [60, 50], RADIUS = 18; // what is red in the stored photo
const color = (x, y) => ((x + 0.5 - SPOT[0]) ** 2 + (y + 0.5 - SPOT[1]) ** 2 < RADIUS ** 2 ? [230, 20, 20] : [40, 60, 70 + Math.floor(x / 4)]);

// EXIF's table: the point of the stored photo that is seen at [u, v] of the upright one, and back.
const STORED = {
  1: (u, v) => [u, v],
  2: (u, v) => [WIDTH - u, v],
  3: (u, v) => [WIDTH - u, HEIGHT - v],
  4: (u, v) => [u, HEIGHT - v],
  5: (u, v) => [v, u],
  6: (u, v) => [v, HEIGHT - u],
  7: (u, v) => [WIDTH - v, HEIGHT - u],
  8: (u, v) => [WIDTH - v, u],
};
const SEEN = {
  ...STORED, // 1 to 5 and 7 are their own inverses, as far as sides stay
  6: (x, y) => [HEIGHT - y, x],
  7: (x, y) => [HEIGHT - y, WIDTH - x],
  8: (x, y) => [y, WIDTH - x],
};

function tiff(orientation, little) {
  const bytes = Buffer.alloc(26);
  bytes.write(little ? "II" : "MM", "latin1");
  const put16 = (value, at) => (little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at));
  const put32 = (value, at) => (little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at));
  put16(42, 2);
  put32(8, 4);
  put16(1, 8); // one entry: orientation, one short
  put16(0x0112, 10);
  put16(3, 12);
  put32(1, 14);
  put16(orientation, 18);
  return bytes;
}
/** The JPEG with an APP1 segment that tells its orientation. */
function turnedJpeg(jpeg, orientation) {
  const content = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff(orientation, orientation % 2 === 0)]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, content, jpeg.subarray(2)]);
}
function turnedPng(png, orientation) {
  const afterHeader = 8 + 25;
  return Buffer.concat([png.subarray(0, afterHeader), chunk("eXIf", tiff(orientation, false)), png.subarray(afterHeader)]);
}

let shared, browser, service, worker;
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann");
  ({ browser, service, workers: [worker] } = shared);
});
after(() => shared?.end());

/** Where red is seen in the window: the middle of it. */
async function redSpot(hand) {
  const box = await hand.stage.boundingBox();
  const picture = readPng(await hand.page.screenshot({ clip: box }));
  let count = 0, sumX = 0, sumY = 0;
  for (let at = 0; at < picture.width * picture.height; at++) {
    const [red, green, blue] = picture.pixels.subarray(at * picture.channels, at * picture.channels + 3);
    if (red < 180 || green > 90 || blue > 90) continue;
    count++;
    sumX += (at % picture.width) + 0.5;
    sumY += Math.floor(at / picture.width) + 0.5;
  }
  assert.ok(count > 500, `${count} red pixels are seen`);
  return [box.x + sumX / count, box.y + sumY / count];
}

test("turned photos are painted upright and saved as they are stored", { skip }, async (t) => {
  const plain = writePhoto(WIDTH, HEIGHT, color);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  await service.signIn(context, worker);
  const page = await openPage(context, service);
  await page.goto(`${service.url}/_/account`);
  const jpeg = Buffer.from(
    await page.evaluate(async (address) => {
      const image = new Image();
      image.src = address;
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas.toDataURL("image/jpeg", 0.95).split(",")[1];
    }, `data:image/png;base64,${plain.toString("base64")}`),
    "base64",
  );
  const photos = { "turned-0.jpg": jpeg };
  for (let orientation = 1; orientation <= 8; orientation++) photos[`turned-${orientation}.jpg`] = turnedJpeg(jpeg, orientation);
  photos["png-6.png"] = turnedPng(plain, 6);
  await service.job("turned", photos);

  const painted = new Map();
  await page.goto(`${service.url}/_/task/${(await service.accept(worker, "turned")).id}`);
  while (painted.size < Object.keys(photos).length) {
    const { assignment, task_input } = await worker.get(`assignments/${path.basename(page.url())}/content`);
    const file = path.basename(task_input.taskObject);
    const orientation = Math.max(1, Number(/\d/.exec(file)[0]));
    const hand = await Hand.at(page);
    await hand.oneToOne();
    // The red spot is where an upright view has it.
    const [seenX, seenY] = await redSpot(hand);
    const [u, v] = SEEN[orientation](...SPOT);
    const [x, y] = hand.screen([u, v]);
    assert.ok(Math.hypot(seenX - x, seenY - y) < 1, `${file}: red is seen at ${seenX}, ${seenY}, not at ${x}, ${y}`);
    // Painted where it is seen, with a stroke to one side and a polygon, so that no turn or mirror looks like another.
    const expected = new Expected(WIDTH, HEIGHT);
    const size = await hand.brushSize;
    const stored = (points) => points.map((point) => STORED[orientation](...point));
    const right = orientation > 4 ? HEIGHT : WIDTH;
    const stroke = [[u, v], [right - 30, v], [right - 30, v + 20]];
    await hand.key("1");
    await hand.drag(stroke);
    expected.brush(stored(stroke), size, 1);
    const corners = [[u - 20, v - 20], [u + 30, v - 25], [u - 10, v + 30]];
    await hand.key("2");
    await hand.key("p");
    for (const corner of corners) await hand.click(corner);
    await hand.key("n");
    expected.polygon(stored(corners), 2);
    await hand.key("b");
    const { width, height } = await hand.raster();
    assert.deepEqual([width, height], [WIDTH, HEIGHT], `${file}: the raster is the stored photo's`);
    await hand.holds(expected, file);
    painted.set(file, { expected, index: assignment.object_index });
    await submit(page);
  }
  const requester = await service.requester();
  for (const [file, { expected, index }] of painted) {
    const mask = readPng(await service.mask("turned", index));
    assert.deepEqual([mask.width, mask.height], [WIDTH, HEIGHT], `${file}: the mask is of the stored size`);
    assertSame(mask.pixels, expected, `the mask of ${file}`);
    assert.notEqual(mask.pixels[SPOT[1] * WIDTH + SPOT[0]], 0, `${file}: the stored photo's red spot is painted`);
  }

  // On to training channels: each photo with its mask, pixel on pixel.
  for (let status = ""; status !== "Completed"; ) status = (await requester.get("requester/jobs/turned")).job.status;
  const dataset = path.join(shared.folder, "dataset");
  const objects = path.join(service.data, "objects");
  service.command("transform", path.join(objects, "photos/output/turned/manifests/output/output.manifest"), "--s3-root", `photos=${path.join(objects, "photos")}`, "--output", dataset, "--photos", "copy", "--train-fraction", "0.6", "--quiet");
  let found = 0;
  for (const split of ["train", "validation"]) {
    for (const name of await readdir(path.join(dataset, split))) {
      assert.ok((await readFile(path.join(dataset, split, name))).equals(photos[name]), `${name} is the photo as it was`);
      const mask = readPng(await readFile(path.join(dataset, `${split}_annotation`, `${path.parse(name).name}.png`)));
      assertSame(mask.pixels, painted.get(name).expected, `the training mask of ${name}`);
      found++;
    }
  }
  assert.equal(found, painted.size);
  assert.deepEqual(page.problems, []);
});
