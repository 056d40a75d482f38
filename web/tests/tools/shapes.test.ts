import { describe, expect, it, vi } from "vitest";
import { imagePoint, type ImagePoint } from "../../src/model/geometry";
import { polygon, segment } from "../../src/tools/shapes";
import { bitmapOf, expectSame } from "../model/pictures";
import { Random } from "../model/random";

vi.setConfig({ testTimeout: 300_000 });

// The twins look at every pixel, and count in whole numbers of any length: their unit is 1/16 pixel.
const limit = 2 ** 20;
function units(value: number): bigint {
  return BigInt(Math.max(-limit * 16, Math.min(limit * 16, Math.round(value * 16))));
}

function naiveCapsule(a: ImagePoint, b: ImagePoint, diameter: number, width: number, height: number): Uint8Array {
  const [ax, ay, bx, by] = [units(a.x), units(a.y), units(b.x), units(b.y)];
  const radius = BigInt(Math.round(Math.min(diameter, limit) * 8));
  const result = new Uint8Array(width * height);
  const length = (bx - ax) ** 2n + (by - ay) ** 2n;
  for (let j = 0; j < height; ++j)
    for (let i = 0; i < width; ++i) {
      const x = BigInt(16 * i + 8);
      const y = BigInt(16 * j + 8);
      const along = (x - ax) * (bx - ax) + (y - ay) * (by - ay);
      let inside: boolean;
      if (along <= 0n) inside = (x - ax) ** 2n + (y - ay) ** 2n <= radius ** 2n;
      else if (along >= length) inside = (x - bx) ** 2n + (y - by) ** 2n <= radius ** 2n;
      else inside = ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) ** 2n <= radius ** 2n * length;
      if (inside) result[j * width + i] = 1;
    }
  return result;
}

// Walks the whole line pixel by pixel with Bresenham's error term, from the upper end.
function naiveLine(a: ImagePoint, b: ImagePoint, width: number, height: number): Uint8Array {
  const pixel = (value: number): number => Math.floor(Number(units(value)) / 16);
  let [x, y, endX, endY] = [pixel(a.x), pixel(a.y), pixel(b.x), pixel(b.y)];
  if (y > endY || (y === endY && x > endX)) [x, y, endX, endY] = [endX, endY, x, y];
  const result = new Uint8Array(width * height);
  const [dx, dy, toward] = [Math.abs(endX - x), endY - y, endX < x ? -1 : 1];
  const long = Math.max(dx, dy);
  let error = long;
  for (let k = 0; k <= long; ++k) {
    if (x >= 0 && y >= 0 && x < width && y < height) result[y * width + x] = 1;
    error += 2 * Math.min(dx, dy);
    const step = long > 0 && error >= 2 * long;
    if (step) error -= 2 * long;
    if (dx > dy || step) x += toward;
    if (dx <= dy || step) y += 1;
  }
  return result;
}

function naivePolygon(points: readonly ImagePoint[], width: number, height: number): Uint8Array {
  const result = new Uint8Array(width * height);
  const corners = points.map((point) => [units(point.x), units(point.y)] as const);
  if (corners.length < 3) return result;
  for (let j = 0; j < height; ++j)
    for (let i = 0; i < width; ++i) {
      const x = BigInt(16 * i + 8);
      const y = BigInt(16 * j + 8);
      let inside = false;
      corners.forEach(([px, py], k) => {
        const [qx, qy] = corners[(k + 1) % corners.length]!;
        if (py <= y === qy <= y) return;
        // Is the crossing at or left of the centre?
        const side = (x - px) * (qy - py) - (y - py) * (qx - px);
        if (qy > py ? side >= 0n : side <= 0n) inside = !inside;
      });
      if (inside) result[j * width + i] = 1;
    }
  return result;
}

// Somewhere on, near or far off the photo; often on the corners and middles of pixels.
function place(random: Random, size: number): number {
  const kind = random.unit();
  if (kind < 0.35) return random.between(0, size);
  if (kind < 0.6) return random.whole(0, 2 * size) / 2;
  if (kind < 0.75) return random.whole(0, 16 * size) / 16;
  if (kind < 0.92) return random.between(-size, 2 * size);
  if (kind < 0.98) return random.between(-3000, 3000);
  return random.between(-4e6, 4e6);
}
function point(random: Random, width: number, height: number): ImagePoint {
  return imagePoint(place(random, width), place(random, height));
}

describe("segment", () => {
  it("covers what the twin covers on 6,000 random strokes", () => {
    const random = new Random(1);
    for (let round = 0; round < 6000; ++round) {
      const width = random.whole(1, 40);
      const height = random.whole(1, 40);
      const a = point(random, width, height);
      const b = random.chance(0.15) ? a : random.chance(0.2) ? imagePoint(a.x, place(random, height)) : point(random, width, height);
      const diameter = random.pick([2, 3, 4, 5, 6.5, 10, 25, 60, 5000, random.between(2, 30)]);
      const found = bitmapOf(segment(a, b, diameter, width, height), width, height);
      const what = `round ${round}: (${a.x}, ${a.y}) to (${b.x}, ${b.y}), diameter ${diameter}, ${width} x ${height}`;
      expectSame(found, naiveCapsule(a, b, diameter, width, height), width, what);
    }
  });

  it("draws the twin's thin line on 4,000 random strokes", () => {
    const random = new Random(2);
    for (let round = 0; round < 4000; ++round) {
      const width = random.whole(1, 50);
      const height = random.whole(1, 50);
      const near = (): ImagePoint => imagePoint(random.between(-60, 110), random.between(-60, 110));
      const a = near();
      const b = random.chance(0.1) ? a : near();
      const found = bitmapOf(segment(a, b, random.pick([1, 0.1, 1.9]), width, height), width, height);
      expectSame(found, naiveLine(a, b, width, height), width, `round ${round}: (${a.x}, ${a.y}) to (${b.x}, ${b.y})`);
    }
  });

  it("draws a connected line of one pixel a step that reaches both ends, the same both ways", () => {
    const random = new Random(3);
    for (let round = 0; round < 500; ++round) {
      const a = imagePoint(random.between(0, 64), random.between(0, 64));
      const b = imagePoint(random.between(0, 64), random.between(0, 64));
      const spans = segment(a, b, 1, 64, 64);
      const line = bitmapOf(spans, 64, 64);
      expectSame(bitmapOf(segment(b, a, 1, 64, 64), 64, 64), line, 64, "backwards");
      expect(line[Math.floor(Math.round(a.y * 16) / 16) * 64 + Math.floor(Math.round(a.x * 16) / 16)]).toBe(1);
      expect(line[Math.floor(Math.round(b.y * 16) / 16) * 64 + Math.floor(Math.round(b.x * 16) / 16)]).toBe(1);
      for (let i = 1; i < spans.length; ++i) {
        expect(spans.y[i]! - spans.y[i - 1]!).toBe(1);
        expect(spans.x0[i]! <= spans.x1[i - 1]! && spans.x1[i]! >= spans.x0[i - 1]!).toBe(true);
      }
    }
  });

  it("covers nothing for what is no stroke", () => {
    const at = imagePoint(3, 3);
    for (const diameter of [0, -1, NaN]) expect(segment(at, at, diameter, 9, 9).length).toBe(0);
    expect(segment(at, imagePoint(NaN, 1), 5, 9, 9).length).toBe(0);
    expect(segment(imagePoint(Infinity, 1), at, 5, 9, 9).length).toBe(0);
    expect(segment(at, at, Infinity, 9, 9).area()).toBe(81);
  });

  it("is exact on the far end of a photo with more than 2^24 pixels", () => {
    const spans = segment(imagePoint(99_990.5, 998.5), imagePoint(99_999.5, 998.5), 2, 100_000, 1000);
    expect([...spans.y.slice(0, spans.length)]).toEqual([997, 998, 999]);
    expect([...spans.x0.slice(0, 3)]).toEqual([99_990, 99_989, 99_990]);
    expect([...spans.x1.slice(0, 3)]).toEqual([100_000, 100_000, 100_000]);
  });
});

describe("polygon", () => {
  it("covers what the twin covers on 3,000 random polygons", () => {
    const random = new Random(4);
    for (let round = 0; round < 3000; ++round) {
      const width = random.whole(1, 36);
      const height = random.whole(1, 36);
      const count = random.pick([0, 1, 2, 3, 3, 4, 5, 8, 20]);
      const points = Array.from({ length: count }, () => point(random, width, height));
      if (count > 3 && random.chance(0.3)) points[2] = points[1]!;
      const found = bitmapOf(polygon(points, width, height), width, height);
      const what = `round ${round}: ${points.map(({ x, y }) => `(${x}, ${y})`).join(" ")}`;
      expectSame(found, naivePolygon(points, width, height), width, what);
    }
  });

  it("shares out the pixels of two neighbours: none twice, none missing", () => {
    const random = new Random(5);
    for (let round = 0; round < 200; ++round) {
      const middle = [imagePoint(place(random, 30), 0), imagePoint(random.between(0, 30), random.between(0, 30)), imagePoint(place(random, 30), 30)];
      const left = bitmapOf(polygon([imagePoint(-9e5, 0), ...middle, imagePoint(-9e5, 30)], 30, 30), 30, 30);
      const right = bitmapOf(polygon([imagePoint(9e5, 0), ...middle, imagePoint(9e5, 30)], 30, 30), 30, 30);
      for (let i = 0; i < left.length; ++i) expect(left[i]! + right[i]!).toBe(1);
    }
  });

  it("covers nothing when a point is no number", () => {
    expect(polygon([imagePoint(0, 0), imagePoint(9, 0), imagePoint(NaN, 9)], 9, 9).length).toBe(0);
  });
});
