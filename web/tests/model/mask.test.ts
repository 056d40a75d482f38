/// <reference types="node" />
import { describe, expect, it, vi } from "vitest";
import { kMostDeltaText } from "../../src/model/delta";
import { imagePoint, type Box } from "../../src/model/geometry";
import { Mask, type PaintRules } from "../../src/model/mask";
import { isSnapshot } from "../../src/model/snapshot";
import { Spans } from "../../src/model/spans";
import { polygon, segment } from "../../src/tools/shapes";
import { bitmapOf, expectCounts, expectSame, randomSpans } from "./pictures";
import { Random } from "./random";

vi.setConfig({ testTimeout: 300_000 });

function rulesOf(random: Random): PaintRules {
  const locked = new Set<number>();
  if (random.chance(0.4)) locked.add(random.whole(0, 5));
  if (random.chance(0.2)) locked.add(random.whole(1, 5));
  return { locked, onlyBackground: random.chance(0.25) };
}

// The twin of Edit.paint: pixel for pixel.
function naivePaint(pixels: Uint8Array, bitmap: Uint8Array, value: number, rules: PaintRules): void {
  for (let i = 0; i < pixels.length; ++i) {
    if (!bitmap[i] || rules.locked.has(pixels[i]!)) continue;
    if (rules.onlyBackground && value !== 0 && pixels[i] !== 0) continue;
    pixels[i] = value;
  }
}

function shape(random: Random, width: number, height: number): Spans {
  const point = () => imagePoint(random.between(-20, width + 20), random.between(-20, height + 20));
  if (random.chance(0.5)) return segment(point(), point(), random.pick([1, 3, 12, 60]), width, height);
  if (random.chance(0.6)) return polygon(Array.from({ length: random.whole(3, 7) }, point), width, height);
  return randomSpans(random, width, height).clip({ x0: 0, y0: 0, x1: width, y1: height });
}

function differing(a: Uint8Array, b: Uint8Array, width: number): Box | null {
  let box: Box | null = null;
  a.forEach((value, i) => {
    if (value === b[i]) return;
    const x = i % width;
    const y = Math.floor(i / width);
    box = {
      x0: Math.min(box?.x0 ?? x, x),
      y0: Math.min(box?.y0 ?? y, y),
      x1: Math.max(box?.x1 ?? 0, x + 1),
      y1: Math.max(box?.y1 ?? 0, y + 1),
    };
  });
  return box;
}

describe("Mask", () => {
  it("is the twin's raster through 500 random edits, flushes, cancels, undos and redos; its deltas and a copy fed by them too", () => {
    const random = new Random(21);
    const [width, height] = [301, 277]; // several tiles, none of them whole at the ends
    const mask = new Mask(width, height);
    const copy = new Mask(width, height);
    const deltas: string[] = [];
    mask.onDelta((delta) => {
      deltas.push(delta);
      copy.apply(delta);
    });
    let told: Box | null = null;
    mask.onChange((box) => (told = box));
    const states: Uint8Array[] = [mask.pixels.slice()]; // after 0, 1, 2... steps
    let at = 0;
    for (let round = 0; round < 500; ++round) {
      const what = `round ${round}`;
      const twin = states[at]!.slice();
      if (random.chance(0.25)) {
        const back = random.chance(0.5);
        expect(mask.canUndo).toBe(at > 0);
        expect(mask.canRedo).toBe(at + 1 < states.length);
        const before = mask.pixels.slice();
        const box = back ? mask.undo() : mask.redo();
        at = Math.min(states.length - 1, Math.max(0, at + (back ? -1 : 1)));
        expect(box, what).toEqual(differing(before, mask.pixels, width));
      } else {
        const rules = rulesOf(random);
        const edit = mask.begin(rules);
        for (let i = random.whole(1, 4); i > 0; --i) {
          const spans = shape(random, width, height);
          const value = random.whole(0, 5);
          const before = mask.pixels.slice();
          told = null;
          const box = edit.paint(spans, value);
          naivePaint(twin, bitmapOf(spans, width, height), value, rules);
          expect(box, what).toEqual(differing(before, mask.pixels, width));
          expect(told, what).toEqual(box);
          if (random.chance(0.4)) edit.flush();
          expectSame(mask.pixels, twin, width, what);
        }
        if (random.chance(0.15)) {
          edit.cancel();
        } else {
          edit.commit();
          if (differing(states[at]!, mask.pixels, width)) {
            states.splice(++at);
            states.push(twin);
          }
        }
      }
      expectSame(mask.pixels, states[at]!, width, what);
      expectSame(copy.pixels, states[at]!, width, `${what}, copy`);
      expectCounts(mask, what);
      expectCounts(copy, `${what}, copy`);
    }
    // All the way back, and forth.
    for (; at > 0; --at) {
      expectSame(mask.pixels, states[at]!, width, `undo ${at}`);
      expect(mask.undo()).not.toBeNull();
    }
    expectSame(mask.pixels, states[0]!, width, "undone");
    expect(mask.undo()).toBeNull();
    for (at = 1; at < states.length; ++at) {
      expect(mask.redo()).not.toBeNull();
      expectSame(mask.pixels, states[at]!, width, `redo ${at}`);
    }
    expect(mask.redo()).toBeNull();
    expectSame(copy.pixels, mask.pixels, width, "copy at the end");

    // Each delta twice, and a whole tail again: the same mask.
    const again = new Mask(width, height);
    for (const delta of deltas) {
      again.apply(delta);
      expect(again.apply(delta)).toBeNull();
    }
    expectSame(again.pixels, mask.pixels, width, "each twice");
    for (const delta of deltas.slice(-40)) again.apply(delta);
    expectSame(again.pixels, mask.pixels, width, "the tail again");
    expectCounts(again, "again");
    expect(again.canUndo).toBe(false);
  });

  it("keeps 300 steps on a large photo and forgets the oldest when memory is short", () => {
    const mask = new Mask(4000, 3000);
    for (let i = 0; i < 300; ++i) {
      const edit = mask.begin();
      edit.paint(segment(imagePoint(10 * i, 5 * i), imagePoint(3000, 1500), 80, 4000, 3000), 1 + (i % 9));
      edit.commit();
    }
    let steps = 0;
    while (mask.undo()) ++steps;
    expect(steps).toBeGreaterThan(290);
    expect(mask.count(0)).toBe(12_000_000);

    const small = new Mask(100, 100, 200);
    const random = new Random(22);
    for (let i = 1; i <= 50; ++i) {
      const edit = small.begin();
      edit.paint(randomSpans(random, 100, 100), i);
      edit.commit();
    }
    expect(small.canUndo).toBe(true);
    small.undo();
    expect(small.canUndo).toBe(false);
  });

  it("leaves locked values alone, paints only background when told, and still erases then", () => {
    const mask = new Mask(6, 1);
    const all = segment(imagePoint(0, 0.5), imagePoint(6, 0.5), 1, 6, 1);
    const some = (x0: number, x1: number): Spans => {
      const spans = new Spans();
      spans.push(0, x0, x1);
      return spans;
    };
    let edit = mask.begin();
    edit.paint(some(0, 2), 1);
    edit.paint(some(2, 4), 2);
    edit.commit();
    edit = mask.begin({ locked: new Set([1]), onlyBackground: false });
    edit.paint(all, 3);
    expect([...mask.pixels]).toEqual([1, 1, 3, 3, 3, 3]);
    edit.paint(all, 0);
    expect([...mask.pixels]).toEqual([1, 1, 0, 0, 0, 0]);
    edit.cancel();
    expect([...mask.pixels]).toEqual([1, 1, 2, 2, 0, 0]);
    edit = mask.begin({ locked: new Set(), onlyBackground: true });
    edit.paint(all, 3);
    expect([...mask.pixels]).toEqual([1, 1, 2, 2, 3, 3]);
    edit.paint(some(1, 3), 0);
    expect([...mask.pixels]).toEqual([1, 0, 0, 2, 3, 3]);
    edit.commit();
    edit = mask.begin({ locked: new Set([0]), onlyBackground: false });
    edit.paint(all, 4);
    expect([...mask.pixels]).toEqual([4, 0, 0, 4, 4, 4]);
    edit.commit();
  });

  it("takes a flushed edit back when it is cancelled", () => {
    const mask = new Mask(20, 20);
    const copy = new Mask(20, 20);
    const deltas: string[] = [];
    mask.onDelta((delta) => deltas.push(delta));
    const first = mask.begin();
    first.paint(segment(imagePoint(3, 3), imagePoint(9, 3), 4, 20, 20), 1);
    first.commit();
    const edit = mask.begin();
    edit.paint(segment(imagePoint(0, 9), imagePoint(19, 9), 6, 20, 20), 2);
    edit.flush();
    edit.paint(segment(imagePoint(3, 0), imagePoint(3, 19), 6, 20, 20), 3);
    edit.cancel();
    for (const delta of deltas) copy.apply(delta);
    expectSame(copy.pixels, mask.pixels, 20, "copy");
    expect(mask.count(2) + mask.count(3)).toBe(0);
    expect(mask.canUndo).toBe(true);
    expect(mask.count(1)).toBeGreaterThan(0);
    // Nothing flushed: nothing to take back.
    const before = deltas.length;
    const quiet = mask.begin();
    quiet.paint(segment(imagePoint(3, 0), imagePoint(3, 19), 6, 20, 20), 3);
    quiet.cancel();
    expect(deltas.length).toBe(before);
  });

  it("is one edit at a time, and an ended edit does nothing more", () => {
    const mask = new Mask(5, 5);
    const edit = mask.begin();
    expect(() => mask.begin()).toThrow("open");
    expect(() => mask.apply("AQ==")).toThrow("open");
    edit.paint(segment(imagePoint(1, 1), imagePoint(1, 1), 1, 5, 5), 1);
    expect(mask.canUndo).toBe(false);
    expect(mask.undo()).toBeNull();
    edit.commit();
    expect(mask.canUndo).toBe(true);
    expect(() => edit.paint(new Spans(), 1)).toThrow("ended");
    expect(() => edit.cancel()).toThrow("ended");
    const empty = mask.begin();
    expect(() => empty.paint(new Spans(), 256)).toThrow("256");
    empty.commit();
    mask.undo();
    expect(mask.canUndo).toBe(false); // the empty edit was no step
  });

  it("takes a whole raster over as one step, within the rules", () => {
    const random = new Random(23);
    const mask = new Mask(150, 140);
    const copy = new Mask(150, 140);
    mask.onDelta((delta) => copy.apply(delta));
    const first = mask.begin();
    first.paint(randomSpans(random, 150, 140), 1);
    first.paint(randomSpans(random, 150, 140), 2);
    first.commit();
    const before = mask.pixels.slice();
    const raster = before.map(() => random.whole(0, 4));
    const edit = mask.begin({ locked: new Set([2]), onlyBackground: false });
    edit.replace(raster);
    edit.commit();
    expectSame(mask.pixels, before.map((old, i) => (old === 2 ? 2 : raster[i]!)), 150, "replaced");
    expectSame(copy.pixels, mask.pixels, 150, "copy");
    expectCounts(mask, "replaced");
    mask.undo();
    expectSame(mask.pixels, before, 150, "undone");
    const open = mask.begin();
    expect(() => open.replace(new Uint8Array(3))).toThrow("150 x 140");
  });

  it("splits large changes into deltas of at most 4 MiB that give the same mask", () => {
    const random = new Random(24);
    const [width, height] = [2600, 1300];
    const mask = new Mask(width, height);
    const deltas: string[] = [];
    mask.onDelta((delta) => deltas.push(delta));
    const edit = mask.begin();
    edit.replace(new Uint8Array(width * height).map(() => random.whole(0, 255)));
    edit.commit();
    expect(deltas.length).toBeGreaterThan(2);
    for (const delta of deltas) expect(delta.length).toBeLessThanOrEqual(kMostDeltaText);
    const copy = new Mask(width, height);
    for (const delta of deltas) copy.apply(delta);
    expectSame(copy.pixels, mask.pixels, width, "copy");
  });

  it("counts and finds pixels beyond 2^24 exactly", () => {
    const mask = new Mask(6000, 5000);
    const edit = mask.begin();
    edit.paint(polygon([imagePoint(0, 0), imagePoint(6000, 0), imagePoint(6000, 5000), imagePoint(0, 5000)], 6000, 5000), 1);
    expect(mask.count(1)).toBe(30_000_000);
    const last = new Spans();
    last.push(4999, 5999, 6000);
    expect(edit.paint(last, 2)).toEqual({ x0: 5999, y0: 4999, x1: 6000, y1: 5000 });
    edit.commit();
    expect(mask.count(1)).toBe(29_999_999);
    expect(mask.pixels[29_999_999]).toBe(2);
    mask.undo();
    expect(mask.count(0)).toBe(30_000_000);
  });

  it("refuses sizes that no photo has", () => {
    for (const [width, height] of [[0, 5], [5, -1], [1.5, 2], [NaN, 2], [2 ** 20 + 1, 1], [2 ** 20, 2 ** 12]] as const)
      expect(() => new Mask(width, height)).toThrow(RangeError);
  });
});

describe("deltas", () => {
  function aDelta(width: number, height: number): string {
    const mask = new Mask(width, height);
    let text = "";
    mask.onDelta((delta) => (text = delta));
    const edit = mask.begin();
    edit.paint(segment(imagePoint(1, 1), imagePoint(width, height), 5, width, height), 3);
    edit.commit();
    return text;
  }

  it("are what docs/formats/canvas-delta.md says, byte for byte", () => {
    const mask = new Mask(300, 2);
    let text = "";
    mask.onDelta((delta) => (text = delta));
    const edit = mask.begin();
    const spans = new Spans();
    spans.push(1, 2, 202);
    spans.push(1, 203, 204);
    edit.paint(spans, 7);
    edit.commit();
    expect([...Buffer.from(text, "base64")]).toEqual([1, 0xac, 2, 2, 2, 0x91, 3, 2, 7, 2, 1, 0]);
    expect(text).toBe("AawCAgKRAwIHAgEA");
  });

  it("for another size, of another version, cut off or not base64 are refused and change nothing", () => {
    const mask = new Mask(40, 30);
    const good = aDelta(40, 30);
    expect(() => mask.apply(aDelta(30, 40))).toThrow("30 x 40");
    const bytes = Buffer.from(good, "base64");
    expect(() => mask.apply(Buffer.from([2, ...bytes.subarray(1)]).toString("base64"))).toThrow("version 2");
    expect(() => mask.apply(`${good.slice(0, -1)}!`)).toThrow("character");
    expect(() => mask.apply(good.slice(1))).toThrow("base64");
    expect(() => mask.apply("")).toThrow("delta");
    expect(() => mask.apply("A".repeat(kMostDeltaText + 4))).toThrow("at most");
    for (let length = 1; length < bytes.length; ++length) {
      const cut = bytes.subarray(0, length).toString("base64");
      try {
        mask.apply(cut); // whole rows are a delta of their own
        mask.apply(good);
        const back = new Mask(40, 30);
        back.apply(good);
        expectSame(mask.pixels, back.pixels, 40, "cut between rows");
      } catch (error) {
        expect((error as Error).message).toMatch(/^delta/);
      }
    }
  });

  it("of random bytes never write outside, never break the counts", () => {
    const random = new Random(25);
    const mask = new Mask(50, 40);
    const good = [...Buffer.from(aDelta(50, 40), "base64")];
    let taken = 0;
    for (let round = 0; round < 20_000; ++round) {
      const bytes = good.slice();
      for (let i = random.whole(1, 3); i > 0; --i) bytes[random.whole(3, bytes.length - 1)] = random.whole(0, 255);
      const before = mask.pixels.slice();
      try {
        mask.apply(Buffer.from(bytes).toString("base64"));
        ++taken;
      } catch (error) {
        expect((error as Error).message).toMatch(/^delta/);
        expectSame(mask.pixels, before, 50, "refused");
      }
    }
    expectCounts(mask, "after all");
    expect(taken).toBeGreaterThan(0);
  });
});

describe("snapshots", () => {
  it("give back the very pixels, flush the open edit first, and are told from deltas", async () => {
    const random = new Random(26);
    for (const [width, height] of [[1, 1], [130, 129], [300, 200], [70_000, 3]] as const) {
      const mask = new Mask(width, height);
      const deltas: string[] = [];
      mask.onDelta((delta) => deltas.push(delta));
      const edit = mask.begin();
      for (let i = 1; i < 6; ++i) edit.paint(randomSpans(random, width, height), i * 50);
      const pixels = mask.pixels.slice();
      const taken = mask.snapshot();
      const copy = new Mask(width, height);
      for (const delta of deltas) copy.apply(delta);
      expectSame(copy.pixels, pixels, width, "the deltas so far");
      edit.cancel(); // does not get in any more
      const text = await taken;
      expect(isSnapshot(text)).toBe(true);
      for (const delta of deltas) expect(isSnapshot(delta)).toBe(false);
      const back = new Mask(width, height);
      const boxes: Box[] = [];
      back.onChange((box) => boxes.push(box));
      await back.restore(text);
      expectSame(back.pixels, pixels, width, "restored");
      expectCounts(back, "restored");
      expect(boxes).toEqual([{ x0: 0, y0: 0, x1: width, y1: height }]);
    }
  });

  it("for another size or damaged are refused and change nothing", async () => {
    const mask = new Mask(30, 20);
    const edit = mask.begin();
    edit.paint(segment(imagePoint(2, 2), imagePoint(20, 15), 7, 30, 20), 9);
    edit.commit();
    const text = await mask.snapshot();
    const other = new Mask(20, 30);
    await expect(other.restore(text)).rejects.toThrow("30 x 20");
    await expect(mask.restore(text.slice(1))).rejects.toThrow("begins with");
    await expect(mask.restore(`${text.slice(0, 12)}${text.slice(16)}`)).rejects.toThrow("snapshot");
    await expect(mask.restore(text.slice(0, 13))).rejects.toThrow("snapshot");
    const many = await new Mask(2000, 2000).snapshot();
    await expect(mask.restore(many)).rejects.toThrow("2000 x 2000");
    expect(other.count(0)).toBe(600);
    expect(mask.canUndo).toBe(true);
    await mask.restore(text);
    expect(mask.canUndo).toBe(false);
    expectCounts(mask, "restored");
  });
});
