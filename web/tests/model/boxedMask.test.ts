/// <reference types="node" />
import { describe, expect, it } from "vitest";
import { decodeBoxedMask, encodeBoxedMask, kMostRunText, type BoxedMask } from "../../src/model/boxedMask";
import { Spans } from "../../src/model/spans";
import { bitmapOf, expectSame, randomSpans, spansOfBitmap } from "./pictures";
import { Random } from "./random";

const [width, height] = [60, 25];

/** The code as its page says it: one pixel after the other. */
function naive(bits: Uint8Array): BoxedMask {
  const on = [...bits.keys()].filter((i) => bits[i]);
  if (on.length === 0) return { box: [0, 0, 0, 0], runs: "" };
  const xs = on.map((i) => i % width);
  const ys = on.map((i) => Math.floor(i / width));
  const [x0, y0, x1, y1] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  const lengths = [0];
  for (let y = y0; y <= y1; ++y)
    for (let x = x0; x <= x1; ++x) {
      const isObject = bits[y * width + x]! === 1;
      if (isObject !== (lengths.length % 2 === 0)) lengths.push(0);
      ++lengths[lengths.length - 1]!;
    }
  return { box: [x0, y0, x1 - x0 + 1, y1 - y0 + 1], runs: code(...lengths) };
}

function code(...lengths: number[]): string {
  const bytes: number[] = [];
  for (const length of lengths) {
    let rest = length;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Buffer.from(bytes).toString("base64");
}

describe("a mask of a box", () => {
  it("is what one pixel after the other says, and comes back, for 500 random ones", () => {
    const random = new Random(71);
    for (let round = 0; round < 500; ++round) {
      const spans = randomSpans(random, width, height).clip({ x0: 0, y0: 0, x1: width, y1: height });
      const bits = bitmapOf(spans, width, height);
      const mask = encodeBoxedMask(spans);
      expect(mask).toEqual(naive(bits));
      expectSame(bitmapOf(decodeBoxedMask(mask, width, height), width, height), bits, width, "decoded");
    }
  });

  it("is a few bytes where it is full, nothing where it is empty, and large where a photo is", () => {
    expect(encodeBoxedMask(spansOfBitmap(new Uint8Array(12).fill(1), 4))).toEqual({ box: [0, 0, 4, 3], runs: code(0, 12) });
    expect(encodeBoxedMask(new Spans())).toEqual({ box: [0, 0, 0, 0], runs: "" });
    expect(decodeBoxedMask({ box: [3, 3, 0, 0], runs: "" }, 10, 10).length).toBe(0);
    const large = new Spans();
    for (let y = 0; y < 20_000; ++y) large.push(y, 0, 100_000);
    expect(encodeBoxedMask(large)).toEqual({ box: [0, 0, 100_000, 20_000], runs: code(0, 2_000_000_000) });
    expect(decodeBoxedMask(encodeBoxedMask(large), 100_000, 20_000).area()).toBe(2_000_000_000);
  });

  it("is refused with what is wrong", () => {
    const refused = (box: number[], runs: string): string => {
      try {
        decodeBoxedMask({ box: box as unknown as BoxedMask["box"], runs }, 10, 8);
      } catch (error) {
        return (error as Error).message;
      }
      return "taken";
    };
    expect(refused([2, 3, 4, 5], code(3, 4, 13))).toBe("taken");
    expect(refused([7, 3, 4, 5], code(3, 4, 13))).toBe("the mask's box is 7, 3, 4, 5; it must lie on the photo, which is 10 x 8");
    expect(refused([2, 4, 4, 5], code(3, 4, 13))).toMatch("must lie on the photo");
    expect(refused([-1, 3, 4, 5], code(3, 4, 13))).toMatch("must lie on the photo");
    expect(refused([0.5, 3, 4, 5], code(3, 4, 13))).toMatch("must lie on the photo");
    expect(refused([2, 3, 4], code(3, 4, 13))).toMatch("must lie on the photo");
    expect(refused([2, 3, 4, 5], code(3, 4, 12))).toMatch("has runs of 19 pixels, its box has 20");
    expect(refused([2, 3, 4, 5], "")).toMatch("has runs of 0 pixels, its box has 20");
    expect(refused([2, 3, 4, 5], code(3, 4, 14))).toMatch("more pixels than the 20 of its box");
    expect(refused([2, 3, 4, 5], code(3, 4, 13, 1))).toMatch("more pixels than the 20 of its box");
    expect(refused([2, 3, 4, 5], code(3, 0, 17))).toMatch("a run of no pixels");
    expect(refused([2, 3, 4, 5], code(0, 0, 20))).toMatch("a run of no pixels");
    expect(refused([2, 3, 4, 5], code(3, 4, 13, 0))).toMatch("a run of no pixels");
    expect(refused([2, 3, 0, 5], code(0))).toMatch("runs and a box of no pixels");
    expect(refused([2, 3, 4, 5], Buffer.from([0x83, 0x00, 17]).toString("base64"))).toMatch("bytes that it does not need");
    expect(refused([2, 3, 4, 5], Buffer.from([3, 4, 0x8d]).toString("base64"))).toMatch("ends too early");
    expect(refused([2, 3, 4, 5], Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).toString("base64"))).toMatch("a number that is too large");
    expect(refused([2, 3, 4, 5], "not base64")).toMatch("base64");
    expect(refused([2, 3, 4, 5], "A".repeat(kMostRunText + 4))).toMatch(`at most ${kMostRunText} are allowed`);
  });
});
