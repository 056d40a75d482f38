// What the tests of model and tools share: pixel sets as plain arrays of bytes.
import { expect } from "vitest";
import type { Mask } from "../../src/model/mask";
import { Spans } from "../../src/model/spans";
import type { Random } from "./random";

/** 1 for each pixel of the spans; fails when they are not sorted, joined and inside. */
export function bitmapOf(spans: Spans, width: number, height: number): Uint8Array {
  const bitmap = new Uint8Array(width * height);
  let lastY = -1;
  let lastEnd = -1;
  for (let i = 0; i < spans.length; ++i) {
    const [y, x0, x1] = [spans.y[i]!, spans.x0[i]!, spans.x1[i]!];
    if (y < lastY || (y === lastY && x0 <= lastEnd) || x0 >= x1 || x0 < 0 || x1 > width || y < 0 || y >= height)
      expect.fail(`run ${i}: y ${y}, ${x0} to ${x1} after y ${lastY} up to ${lastEnd}, in ${width} x ${height}`);
    bitmap.fill(1, y * width + x0, y * width + x1);
    lastY = y;
    lastEnd = x1;
  }
  return bitmap;
}

export function spansOfBitmap(bitmap: Uint8Array, width: number): Spans {
  const spans = new Spans();
  bitmap.forEach((bit, i) => {
    if (bit) spans.push(Math.floor(i / width), i % width, (i % width) + 1);
  });
  return spans;
}

/** Fails unless both are the same; says where they differ. */
export function expectSame(found: Uint8Array, wanted: Uint8Array, width: number, what: string): void {
  if (found.length !== wanted.length) expect.fail(`${what}: ${found.length} pixels, wanted ${wanted.length}`);
  for (let i = 0; i < wanted.length; ++i)
    if (found[i] !== wanted[i])
      expect.fail(`${what}: pixel (${i % width}, ${Math.floor(i / width)}) is ${found[i]}, wanted ${wanted[i]}`);
}

export function expectCounts(mask: Mask, what: string): void {
  const counts = new Array<number>(256).fill(0);
  for (const value of mask.pixels) ++counts[value]!;
  for (let value = 0; value < 256; ++value)
    if (mask.count(value) !== counts[value]) expect.fail(`${what}: count(${value}) is ${mask.count(value)}, there are ${counts[value]}`);
}

/** Random runs, some of them off the photo. */
export function randomSpans(random: Random, width: number, height: number): Spans {
  const spans = new Spans();
  const rows = random.whole(0, height);
  for (let y = random.whole(-3, height); y < rows + 3; ++y)
    for (let x = random.whole(-5, width); x < width + 4; ) {
      const end = x + random.whole(1, Math.max(1, width >> random.whole(0, 4)));
      if (random.chance(0.7)) spans.push(y, x, end);
      x = end + random.whole(1, 6);
    }
  return spans;
}
