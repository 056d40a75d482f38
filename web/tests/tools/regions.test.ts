import { describe, expect, it, vi } from "vitest";
import { imagePoint, type PhotoPixels, type Raster } from "../../src/model/geometry";
import { enclosedBackground, fill, islands, wand } from "../../src/tools/regions";
import { bitmapOf, expectSame } from "../model/pictures";
import { Random } from "../model/random";

vi.setConfig({ testTimeout: 300_000 });

// The twin: from pixel to pixel with a stack.
function naiveArea(width: number, height: number, seeds: number[], like: (i: number) => boolean): Uint8Array {
  const result = new Uint8Array(width * height);
  const stack = seeds.filter(like);
  while (stack.length > 0) {
    const i = stack.pop()!;
    if (result[i]) continue;
    result[i] = 1;
    const x = i % width;
    if (x > 0 && like(i - 1)) stack.push(i - 1);
    if (x + 1 < width && like(i + 1)) stack.push(i + 1);
    if (i >= width && like(i - width)) stack.push(i - width);
    if (i + width < width * height && like(i + width)) stack.push(i + width);
  }
  return result;
}

// Noise, blocks, spirals: what has many runs and many ways.
function randomRaster(random: Random, values: number): Raster {
  const width = random.whole(1, 80);
  const height = random.whole(1, 60);
  const pixels = new Uint8Array(width * height);
  const kind = random.whole(0, 3);
  const grain = random.whole(1, 9);
  const seed = random.whole(0, 1e6);
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) {
      let value = 0;
      if (kind === 0) value = random.whole(0, values - 1);
      else if (kind === 1) value = new Random(seed + Math.floor(x / grain) * 977 + Math.floor(y / grain)).whole(0, values - 1);
      else if (kind === 2) value = (Math.floor(Math.hypot(x - width / 2, y - height / 2)) >> 1) % values;
      else value = random.chance(0.85) ? 1 % values : 0;
      pixels[y * width + x] = value;
    }
  return { width, height, pixels };
}

function border(width: number, height: number): number[] {
  return Array.from({ length: width * height }, (_, i) => i).filter(
    (i) => i < width || i >= width * (height - 1) || i % width === 0 || i % width === width - 1,
  );
}

describe("fill", () => {
  it("finds the twin's area on 1,500 random masks", () => {
    const random = new Random(11);
    for (let round = 0; round < 1500; ++round) {
      const mask = randomRaster(random, random.whole(1, 4));
      const { width, height, pixels } = mask;
      const [x, y] = [random.whole(0, width - 1), random.whole(0, height - 1)];
      const value = pixels[y * width + x];
      const wanted = naiveArea(width, height, [y * width + x], (i) => pixels[i] === value);
      expectSame(bitmapOf(fill(mask, imagePoint(x + random.unit(), y + random.unit())), width, height), wanted, width, `round ${round}`);
    }
  });

  it("finds nothing off the photo", () => {
    const mask = { width: 4, height: 3, pixels: new Uint8Array(12) };
    for (const [x, y] of [[-0.1, 1], [4, 1], [1, 3], [NaN, 1], [1e9, 1]] as const) expect(fill(mask, imagePoint(x, y)).length).toBe(0);
  });

  it("finds every pixel of a mask with more than 2^24 pixels, and stops at a wall", () => {
    const width = 5000;
    const height = 4000;
    const pixels = new Uint8Array(width * height);
    for (let y = 0; y < height; ++y) pixels[y * width + 4990] = 7;
    const spans = fill({ width, height, pixels }, imagePoint(4995, 3999));
    expect(spans.area()).toBe(9 * height);
    expect(spans.boundingBox()).toEqual({ x0: 4991, y0: 0, x1: 5000, y1: 4000 });
    expect(fill({ width, height, pixels }, imagePoint(0, 0)).area()).toBe(4990 * height);
  });
});

describe("wand", () => {
  it("finds the twin's pixels on 600 random photos", () => {
    const random = new Random(12);
    for (let round = 0; round < 600; ++round) {
      const like = randomRaster(random, 5);
      const { width, height } = like;
      const data = new Uint8Array(width * height * 4);
      for (let i = 0; i < like.pixels.length; ++i) {
        const base = like.pixels[i]! * 20;
        data.set([base + random.whole(0, 9), base + random.whole(0, 9), 255 - base, random.whole(0, 255)], i * 4);
      }
      const photo: PhotoPixels = { width, height, data };
      const [x, y] = [random.whole(0, width - 1), random.whole(0, height - 1)];
      const seed = y * width + x;
      const tolerance = random.pick([0, 3, 9, 20, 29, 255]);
      const near = (i: number): boolean => [0, 1, 2].every((c) => Math.abs(data[i * 4 + c]! - data[seed * 4 + c]!) <= tolerance);
      const apart = Uint8Array.from({ length: width * height }, (_, i) => (near(i) ? 1 : 0));
      const what = `round ${round}`;
      const at = imagePoint(x, y);
      expectSame(bitmapOf(wand(photo, at, tolerance, true), width, height), naiveArea(width, height, [seed], near), width, what);
      expectSame(bitmapOf(wand(photo, at, tolerance, false), width, height), apart, width, what);
    }
  });

  it("finds nothing off the photo or with a tolerance below 0", () => {
    const photo = { width: 2, height: 2, data: new Uint8Array(16) };
    expect(wand(photo, imagePoint(2, 0), 10, true).length).toBe(0);
    expect(wand(photo, imagePoint(0, 0), -1, true).length).toBe(0);
    expect(wand(photo, imagePoint(0, 0), NaN, false).length).toBe(0);
  });
});

describe("enclosedBackground", () => {
  it("finds the twin's holes on 1,500 random masks", () => {
    const random = new Random(13);
    let holes = 0;
    for (let round = 0; round < 1500; ++round) {
      const mask = randomRaster(random, random.whole(2, 4));
      const { width, height, pixels } = mask;
      const value = random.chance(0.5) ? random.whole(1, 3) : undefined;
      const open = (i: number): boolean => (value === undefined ? pixels[i] === 0 : pixels[i] !== value);
      const outside = naiveArea(width, height, border(width, height), open);
      const wanted = pixels.map((pixel, i) => (pixel === 0 && !outside[i] ? 1 : 0));
      holes += wanted.reduce((sum, one) => sum + one, 0);
      expectSame(bitmapOf(enclosedBackground(mask, value), width, height), wanted, width, `round ${round}`);
    }
    expect(holes).toBeGreaterThan(1000);
  });
});

describe("islands", () => {
  it("finds the twin's small areas on 200 random masks", () => {
    const random = new Random(14);
    for (let round = 0; round < 200; ++round) {
      const mask = randomRaster(random, 3);
      const { width, height, pixels } = mask;
      const most = random.whole(0, 12);
      const wanted = new Uint8Array(width * height);
      for (let i = 0; i < pixels.length; ++i) {
        if (pixels[i] !== 1) continue;
        const area = naiveArea(width, height, [i], (k) => pixels[k] === 1);
        if (area.reduce((sum, one) => sum + one, 0) <= most) wanted[i] = 1;
      }
      expectSame(bitmapOf(islands(mask, 1, most), width, height), wanted, width, `round ${round}`);
    }
  });
});
