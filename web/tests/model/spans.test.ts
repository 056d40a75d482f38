/// <reference types="node" />
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64 } from "../../src/model/base64";
import { Spans } from "../../src/model/spans";
import { bitmapOf, expectSame, randomSpans, spansOfBitmap } from "./pictures";
import { Random } from "./random";

const [width, height] = [60, 25];
const inside = { x0: 0, y0: 0, x1: width, y1: height };

describe("Spans", () => {
  it("are the twin's sets: union, difference, clip, box and area of 500 random ones", () => {
    const random = new Random(41);
    for (let round = 0; round < 500; ++round) {
      const a = randomSpans(random, width, height).clip(inside);
      const b = randomSpans(random, width, height).clip(inside);
      const [bitsA, bitsB] = [bitmapOf(a, width, height), bitmapOf(b, width, height)];
      const both = bitsA.map((bit, i) => bit | bitsB[i]!);
      const union = a.union(b);
      expectSame(bitmapOf(union, width, height), both, width, "union");
      expect(union.area()).toBe(both.reduce((sum, bit) => sum + bit, 0));
      const without = bitsA.map((bit, i) => bit & (1 - bitsB[i]!));
      expectSame(bitmapOf(a.without(b), width, height), without, width, "without");
      const box = { x0: random.whole(-3, 40), y0: random.whole(-3, 20), x1: random.whole(5, 70), y1: random.whole(5, 30) };
      const cut = both.map((bit, i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        return x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1 ? bit : 0;
      });
      const clipped = union.clip(box);
      expectSame(bitmapOf(clipped, width, height), cut, width, "clip");
      const xs = [...cut.keys()].filter((i) => cut[i]).map((i) => i % width);
      const ys = [...cut.keys()].filter((i) => cut[i]).map((i) => Math.floor(i / width));
      expect(clipped.boundingBox()).toEqual(
        xs.length === 0 ? null : { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs) + 1, y1: Math.max(...ys) + 1 },
      );
      expect(Spans.fromArrays(clipped.toArrays())).toMatchObject({ length: clipped.length });
    }
  });

  it("sorts runs of any order", () => {
    const random = new Random(42);
    for (let round = 0; round < 200; ++round) {
      const spans = randomSpans(random, width, height).clip(inside);
      const { y, x0, x1 } = spans.toArrays();
      const order = [...y.keys()].map((i) => [random.unit(), i] as const).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
      const mixed = { y: Int32Array.from(order, (i) => y[i]!), x0: Int32Array.from(order, (i) => x0[i]!), x1: Int32Array.from(order, (i) => x1[i]!) };
      expectSame(bitmapOf(Spans.fromUnsorted(mixed, order.length, height), width, height), bitmapOf(spans, width, height), width, "sorted");
    }
  });

  it("joins what touches and refuses what comes too late", () => {
    const spans = new Spans(1);
    spans.push(1, 2, 4);
    spans.push(1, 4, 6);
    spans.push(1, 5, 5);
    spans.push(1, 5, 9);
    expect([spans.length, spans.x0[0], spans.x1[0]]).toEqual([1, 2, 9]);
    expect(() => spans.push(0, 1, 2)).toThrow(RangeError);
    expect(() => spans.push(1, 1, 3)).toThrow(RangeError);
    expect(spansOfBitmap(Uint8Array.of(1, 1, 0, 1), 4).length).toBe(2);
  });
});

describe("base64", () => {
  it("is node's, both ways, and refuses everything else", () => {
    const random = new Random(43);
    for (let length = 0; length < 300; ++length) {
      const bytes = Uint8Array.from({ length }, () => random.whole(0, 255));
      const text = toBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64"));
      expect([...fromBase64(text)]).toEqual([...bytes]);
    }
    for (const text of ["A", "AAA", "A===", "AA=A", "AA A", "AA\u0141A", "====", "AAAA\n"]) expect(() => fromBase64(text), text).toThrow();
  });
});
