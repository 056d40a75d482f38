import { describe, expect, it } from "vitest";
import { classPaint, differenceOf, sharesOf } from "../../src/pages/console/tryOut";

const classes = (...names: string[]) => names.map((name, index) => ({ index, name, color: "#0a0b0c", pixels: 0 }));
const raster = (width: number, ...values: number[]) => ({ width, height: values.length / width, values: Uint8Array.from(values) });

describe("what two models say of a photo", () => {
  it("differs where the classes' names differ, however they are numbered", () => {
    const a = { raster: raster(3, 0, 1, 2, 1, 255, 0), classes: classes("BACKGROUND", "Turtle", "Fish") };
    const b = { raster: raster(3, 0, 2, 1, 1, 255, 3), classes: classes("BACKGROUND", "Fish", "Turtle", "Coral") };
    const { raster: where, pixels } = differenceOf(a, b);
    expect([...where.values]).toEqual([0, 0, 0, 255, 0, 255]);
    expect(pixels).toBe(2);
    expect(differenceOf(a, a).pixels).toBe(0);
  });
  it("agrees with a naive twin on random masks", () => {
    let seed = 7;
    const next = (most: number): number => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8) % most;
    for (let round = 0; round < 50; round++) {
      const names = ["A", "B", "C", "D"];
      const a = { raster: raster(8, ...Array.from({ length: 64 }, () => next(4))), classes: classes(...names) };
      const other = [...names].sort(() => next(3) - 1);
      const b = { raster: raster(8, ...Array.from({ length: 64 }, () => next(4))), classes: classes(...other) };
      const expected = [...a.raster.values].filter((value, at) => names[value] !== other[b.raster.values[at]!]).length;
      expect(differenceOf(a, b).pixels).toBe(expected);
    }
  });
  it("cannot be compared in two sizes", () => {
    expect(() => differenceOf({ raster: raster(2, 0, 0), classes: [] }, { raster: raster(1, 0, 0), classes: [] })).toThrow("size");
  });
});

describe("classes of an answer", () => {
  it("have shares, the largest first", () => {
    const said = [
      { index: 0, name: "BACKGROUND", color: "#ffffff", pixels: 25 },
      { index: 1, name: "Turtle", color: "#2ca02c", pixels: 75 },
      { index: 2, name: "Fish", color: "#ff7f0e", pixels: 0 },
    ];
    expect(sharesOf(said).map(({ name, share }) => [name, share])).toEqual([["Turtle", 0.75], ["BACKGROUND", 0.25]]);
    const paint = classPaint(said);
    expect([...paint.slice(0, 8)]).toEqual([0, 0, 0, 0, 0x2c, 0xa0, 0x2c, 255]);
  });
});
