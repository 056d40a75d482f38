import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readIndices } from "../../src/pages/console/indexedPng";
import { turnedSize, turning } from "../../src/pages/console/orientation";
import { heatPaint, labelPaint, painted } from "../../src/pages/console/paint";
import { firstSource, placeOf } from "../../src/pages/console/place";

function chunk(type: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length); // readers here do not look at checksums
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, "latin1");
  out.set(body, 8);
  return out;
}
function png(width: number, height: number, depth: number, color: number, rows: Uint8Array, parts = 1): Uint8Array<ArrayBuffer> {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([depth, color, 0, 0, 0], 8);
  const data = deflateSync(rows);
  const cut = Math.ceil(data.length / parts);
  const pieces = Array.from({ length: parts }, (_, at) => chunk("IDAT", data.subarray(at * cut, (at + 1) * cut)));
  return new Uint8Array(Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head), ...pieces, chunk("IEND", new Uint8Array())]));
}
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
}
// The specification's filters, forwards, byte by byte.
function filtered(values: Uint8Array, width: number, height: number, filters: number[]): Uint8Array {
  const out: number[] = [];
  const at = (x: number, y: number): number => (x < 0 || y < 0 ? 0 : values[y * width + x]!);
  for (let y = 0; y < height; y++) {
    const filter = filters[y % filters.length]!;
    out.push(filter);
    for (let x = 0; x < width; x++) {
      const [left, up, corner] = [at(x - 1, y), at(x, y - 1), at(x - 1, y - 1)];
      const guess = left + up - corner;
      const paeth = [left, up, corner].reduce((best, one) => (Math.abs(guess - one) < Math.abs(guess - best) ? one : best));
      out.push((at(x, y) - [0, left, up, Math.floor((left + up) / 2), paeth][filter]! + 512) % 256);
    }
  }
  return Uint8Array.from(out);
}

describe("readIndices", () => {
  it("gives back random values through every filter", async () => {
    const next = random(7);
    for (const [width, height] of [[1, 1], [5, 9], [64, 33]] as const) {
      const values = Uint8Array.from({ length: width * height }, () => Math.floor(next() * 256));
      const read = await readIndices(png(width, height, 8, 3, filtered(values, width, height, [4, 2, 3, 1, 0]), 3));
      expect(read).toEqual({ width, height, values });
    }
  });
  it("reads values of fewer bits, and grey ones", async () => {
    const one = await readIndices(png(10, 2, 1, 3, Uint8Array.from([0, 0b10110000, 0b01000000, 0, 0xff, 0xff])));
    expect([...one.values]).toEqual([1, 0, 1, 1, 0, 0, 0, 0, 0, 1, ...Array<number>(10).fill(1)]);
    const four = await readIndices(png(3, 1, 4, 0, Uint8Array.from([0, 0x12, 0xf0])));
    expect([...four.values]).toEqual([1, 2, 15]);
  });
  it("refuses other files", async () => {
    await expect(readIndices(new Uint8Array([1, 2, 3]))).rejects.toThrow("no PNG");
    await expect(readIndices(png(1, 1, 8, 2, Uint8Array.from([0, 1, 2, 3])))).rejects.toThrow("colour type 2");
    await expect(readIndices(png(4, 4, 8, 3, Uint8Array.from([0, 1])))).rejects.toThrow("too few");
    await expect(readIndices(png(1, 1, 8, 3, Uint8Array.from([9, 1])))).rejects.toThrow("row filter 9");
    await expect(readIndices(png(70_000, 70_000, 8, 3, Uint8Array.from([0])))).rejects.toThrow("70000");
    await expect(readIndices(png(9, 9, 8, 3, new Uint8Array(90)).subarray(0, 50))).rejects.toThrow();
  });
});

describe("turning", () => {
  // Where EXIF says that the stored photo's first row and first column are.
  const expected: Record<number, [string, string]> = {
    1: ["top", "left"],
    2: ["top", "right"],
    3: ["bottom", "right"],
    4: ["bottom", "left"],
    5: ["left", "top"],
    6: ["right", "top"],
    7: ["right", "bottom"],
    8: ["left", "bottom"],
  };
  it("puts row and column 0 where EXIF says, and stays within the page", () => {
    const [width, height] = [7, 4];
    for (let orientation = 1; orientation <= 8; orientation++) {
      const [a, b, c, d, e, f] = turning(orientation, width, height);
      const size = turnedSize(orientation, width, height);
      const to = (x: number, y: number): [number, number] => [a * x + c * y + e, b * x + d * y + f];
      const sideOf = (points: [number, number][]): string => {
        if (points.every(([x]) => x < 1)) return "left";
        if (points.every(([x]) => x > size.width - 1)) return "right";
        if (points.every(([, y]) => y < 1)) return "top";
        if (points.every(([, y]) => y > size.height - 1)) return "bottom";
        return "inside";
      };
      const row = sideOf(Array.from({ length: width }, (_, x) => to(x + 0.5, 0.5)));
      const column = sideOf(Array.from({ length: height }, (_, y) => to(0.5, y + 0.5)));
      expect([orientation, row, column]).toEqual([orientation, ...expected[orientation]!]);
    }
  });
});

describe("paint", () => {
  it("shows labels in their colours, background not at all, void by its value", () => {
    const paint = labelPaint([
      { label: "a", color: "#2ca02c", void: false, index: 1 },
      { label: "v", color: "#010203", void: true, index: 255 },
    ]);
    const pixels = painted({ width: 4, height: 1, values: Uint8Array.from([0, 1, 255, 7]) }, paint);
    expect([...pixels]).toEqual([0, 0, 0, 0, 44, 160, 44, 255, 1, 2, 3, 255, 0, 0, 0, 0]);
  });
  it("shows no heat where all agree, more where they disagree more", () => {
    const heat = heatPaint();
    expect(heat[3]).toBe(0);
    for (let value = 2; value < 256; value++) expect(heat[value * 4 + 1]!).toBeLessThanOrEqual(heat[(value - 1) * 4 + 1]!);
  });
});

describe("places", () => {
  it("are bucket and key", () => {
    expect(placeOf("s3://b/a/c.png")).toEqual({ bucket: "b", key: "a/c.png" });
    expect(placeOf("s3://b")).toEqual({ bucket: "b", key: "" });
    expect(placeOf("b/a")).toBeNull();
  });
  it("of a manifest's first photo stand in its first line", () => {
    expect(firstSource('{"source-ref":"s3://b/1.jpg"}\n{"source-ref":"s3://b/2.jpg"}')).toBe("s3://b/1.jpg");
    expect([firstSource(""), firstSource("{"), firstSource('{"source":"text"}')]).toEqual([null, null, null]);
  });
});
