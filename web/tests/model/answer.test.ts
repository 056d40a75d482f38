/// <reference types="node" />
import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { decodeAnswerPng, encodeAnswerPng } from "../../src/model/answer";
import { crc32 } from "../../src/model/exif";
import { colorNumber, defaultColors } from "../../src/model/labels";
import { expectSame } from "./pictures";
import { Random } from "./random";

vi.setConfig({ testTimeout: 300_000 });

function naiveCrc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; ++bit) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

// A plain PNG reader for RGB files, after the standard, with node's zlib. It shares nothing with the code.
function naiveRead(bytes: Uint8Array): { width: number; height: number; colors: number[] } {
  const file = Buffer.from(bytes);
  expect(file.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  const data: Buffer[] = [];
  const names: string[] = [];
  let [width, height] = [0, 0];
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const name = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    expect(file.readUInt32BE(at + 8 + length)).toBe(naiveCrc(file.subarray(at + 4, at + 8 + length)));
    if (name === "IHDR") {
      [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
      expect([...body.subarray(8)]).toEqual([8, 2, 0, 0, 0]);
    }
    if (name === "IDAT") data.push(body);
    names.push(name);
    at += 12 + length;
  }
  expect(names[0]).toBe("IHDR");
  expect(names.at(-1)).toBe("IEND");
  const raw = inflateSync(Buffer.concat(data));
  const across = width * 3;
  expect(raw.length).toBe((across + 1) * height);
  const rows = Buffer.alloc(across * height);
  for (let y = 0; y < height; ++y)
    for (let i = 0; i < across; ++i) {
      const left = i >= 3 ? rows[y * across + i - 3]! : 0;
      const up = y > 0 ? rows[(y - 1) * across + i]! : 0;
      const corner = i >= 3 && y > 0 ? rows[(y - 1) * across + i - 3]! : 0;
      const guess = left + up - corner;
      const [pa, pb, pc] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      const paeth = pa <= pb && pa <= pc ? left : pb <= pc ? up : corner;
      const added = [0, left, up, (left + up) >> 1, paeth][raw[y * (across + 1)]!]!;
      rows[y * across + i] = raw[y * (across + 1) + 1 + i]! + added;
    }
  return { width, height, colors: Array.from({ length: width * height }, (_, i) => rows.readUIntBE(i * 3, 3)) };
}

interface Made {
  width: number;
  height: number;
  depth: number;
  type: number;
  row: (y: number) => number[]; // samples, packed
  filter?: (y: number) => number;
  extra?: [string, number[]][];
  interlace?: boolean;
}

function chunkOf(name: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, "latin1");
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

// A PNG of rows as they are stored; filters are applied here.
function make({ width, height, depth, type, row, filter = () => 0, extra = [], interlace = false }: Made, rows = height): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, interlace ? 1 : 0], 8);
  const step = Math.max(1, ([1, 0, 3, 1, 2, 0, 4][type]! * depth) >> 3);
  const data: number[] = [];
  let above: number[] = [];
  for (let y = 0; y < rows; ++y) {
    const now = row(y);
    const kind = filter(y);
    data.push(kind);
    now.forEach((byte, i) => {
      const a = now[i - step] ?? 0;
      const b = above[i] ?? 0;
      const c = i >= step ? (above[i - step] ?? 0) : 0;
      const p = a + b - c;
      const paeth = [a, b, c].reduce((best, one) => (Math.abs(p - one) < Math.abs(p - best) ? one : best));
      data.push((byte - [0, a, b, (a + b) >> 1, paeth][kind]!) & 255);
    });
    above = now;
  }
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunkOf("IHDR", header),
    ...extra.map(([name, body]) => chunkOf(name, Uint8Array.from(body))),
    chunkOf("IDAT", deflateSync(Uint8Array.from(data))),
    chunkOf("IEND", new Uint8Array(0)),
  ]);
}

const rgb = (color: string): number[] => [16, 8, 0].map((shift) => (colorNumber(color)! >> shift) & 255);

describe("the answer's PNG", () => {
  it("has exactly the labels' colours, as an independent reader sees it, and comes back as the same mask", async () => {
    const random = new Random(31);
    for (const [width, height, count] of [[1, 1, 1], [7, 5, 2], [200, 150, 11], [1000, 700, 254], [3, 400_001, 3]] as const) {
      const colors = new Map(defaultColors(count).map((color, i) => [i + 1, color]));
      let value = 0;
      const pixels = Uint8Array.from({ length: width * height }, () => (random.chance(0.2) ? (value = random.whole(0, count)) : value));
      const png = await encodeAnswerPng({ width, height, pixels }, colors);
      const seen = naiveRead(png);
      expect([seen.width, seen.height]).toEqual([width, height]);
      for (let i = 0; i < pixels.length; ++i) {
        const wanted = pixels[i] === 0 ? 0xffffff : colorNumber(colors.get(pixels[i]!)!);
        if (seen.colors[i] !== wanted) expect.fail(`pixel ${i}: ${seen.colors[i]}, wanted ${wanted}`);
      }
      expectSame(await decodeAnswerPng(png, colors, width, height), pixels, width, "back");
    }
  });

  it("is refused for a value without a colour and for colours that are not different", async () => {
    const mask = { width: 2, height: 1, pixels: Uint8Array.of(0, 3) };
    await expect(encodeAnswerPng(mask, new Map([[1, "#000000"]]))).rejects.toThrow("value 3");
    await expect(encodeAnswerPng(mask, new Map([[3, "#FFFFFF"]]))).rejects.toThrow("background");
    await expect(encodeAnswerPng(mask, new Map([[3, "#abcdef"], [4, "#ABCDEF"]]))).rejects.toThrow("value 3");
    await expect(encodeAnswerPng(mask, new Map([[3, "red"]]))).rejects.toThrow("red");
  });

  it("is read in every form that PNG has for it", async () => {
    const random = new Random(32);
    const colors = new Map([[1, "#2ca02c"], [2, "#000000"], [3, "#555555"]]);
    const shades = ["#ffffff", "#2ca02c", "#000000", "#555555"];
    for (let round = 0; round < 300; ++round) {
      const [width, height] = [random.whole(1, 20), random.whole(1, 20)];
      const pixels = Uint8Array.from({ length: width * height }, () => random.whole(0, 3));
      const at = (x: number, y: number): number => pixels[y * width + x]!;
      const filter = (): number => random.whole(0, 4);
      const line = (y: number): number[] => Array.from({ length: width }, (_, x) => at(x, y));
      const packed = (samples: number[], depth: number): number[] => {
        const bytes = new Array<number>(Math.ceil((samples.length * depth) / 8)).fill(0);
        samples.forEach((sample, i) => (bytes[(i * depth) >> 3]! |= sample << (8 - depth - ((i * depth) & 7))));
        return bytes;
      };
      const palette: [string, number[]] = ["PLTE", shades.flatMap(rgb)];
      const kinds: Record<string, Made> = {
        rgb: { width, height, depth: 8, type: 2, filter, row: (y) => line(y).flatMap((v) => rgb(shades[v]!)) },
        rgba: { width, height, depth: 8, type: 6, filter, row: (y) => line(y).flatMap((v) => (v === 0 ? [9, 9, 9, 0] : [...rgb(shades[v]!), 255])) },
        palette8: { width, height, depth: 8, type: 3, filter, extra: [palette], row: line },
        palette4: { width, height, depth: 4, type: 3, filter, extra: [palette], row: (y) => packed(line(y), 4) },
        palette2: { width, height, depth: 2, type: 3, filter, extra: [palette], row: (y) => packed(line(y), 2) },
        clear: {
          width, height, depth: 8, type: 3, filter, row: line,
          extra: [["PLTE", ["#123456", ...shades.slice(1)].flatMap(rgb)], ["tRNS", [0, 255]]],
        }, // prettier-ignore
      };
      for (const [name, made] of Object.entries(kinds))
        expectSame(await decodeAnswerPng(make(made), colors, width, height), pixels, width, `round ${round}, ${name}`);

      const grey = pixels.map((v) => (v === 1 ? 2 : v));
      const level = [255, 0, 0, 85];
      const greyLine = (y: number): number[] => Array.from({ length: width }, (_, x) => grey[y * width + x]!);
      const greys: Record<string, Made> = {
        grey8: { width, height, depth: 8, type: 0, filter, row: (y) => greyLine(y).map((v) => level[v]!) },
        grey2: { width, height, depth: 2, type: 0, filter, row: (y) => packed(greyLine(y).map((v) => [3, 0, 0, 1][v]!), 2) },
        greyAlpha: { width, height, depth: 8, type: 4, filter, row: (y) => greyLine(y).flatMap((v) => (v === 0 ? [7, 0] : [level[v]!, 255])) },
      };
      for (const [name, made] of Object.entries(greys))
        expectSame(await decodeAnswerPng(make(made), colors, width, height), grey, width, `round ${round}, ${name}`);

      // Interlaced: the seven passes' rows one after another; no filter looks beyond its pass here.
      const rows: number[][] = [];
      for (const [x0, y0, dx, dy] of [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]] as const)
        for (let y = y0; y < height; y += dy) {
          const some: number[] = [];
          for (let x = x0; x < width; x += dx) some.push(at(x, y));
          if (some.length > 0) rows.push(some);
        }
      const interlaced = make({ width, height, depth: 8, type: 3, extra: [palette], interlace: true, row: (y) => rows[y]! }, rows.length);
      expectSame(await decodeAnswerPng(interlaced, colors, width, height), pixels, width, `round ${round}, interlaced`);
    }
  });

  it("is refused with the reason: size, colours, half transparency, damage", async () => {
    const colors = new Map([[1, "#2ca02c"]]);
    const plain = (row: number[], type = 2): Uint8Array => make({ width: 2, height: 1, depth: 8, type, row: () => row });
    const good = plain([...rgb("#2ca02c"), 255, 255, 255]);
    const read = (bytes: Uint8Array, width = 2): Promise<Uint8Array> => decodeAnswerPng(bytes, colors, width, 1);
    expect([...(await read(good))]).toEqual([1, 0]);
    await expect(read(good, 3)).rejects.toThrow("2 x 1 pixels; the photo has 3 x 1");
    await expect(read(plain([44, 160, 44, 44, 160, 45]))).rejects.toThrow("pixel (1, 0) has the colour #2ca02d");
    await expect(read(plain([44, 160, 44, 255, 44, 160, 44, 128], 6))).rejects.toThrow("alpha 128");
    await expect(read(good.subarray(0, good.length - 13))).rejects.toThrow("breaks off");
    const broken = good.slice();
    broken[broken.length - 20]! ^= 1;
    await expect(read(broken)).rejects.toThrow("damaged");
    await expect(read(Uint8Array.of(1, 2, 3))).rejects.toThrow("no PNG");
    await expect(read(make({ width: 2, height: 1, depth: 8, type: 3, row: () => [0, 0] }))).rejects.toThrow("palette");
    await expect(read(make({ width: 2, height: 1, depth: 8, type: 3, row: () => [0, 1], extra: [["PLTE", [44, 160, 44]]] }))).rejects.toThrow("index 1");
    await expect(read(make({ width: 2, height: 1, depth: 16, type: 2, row: () => new Array<number>(12).fill(0) }))).rejects.toThrow("16 bits");
    await expect(read(make({ width: 2, height: 1, depth: 8, type: 2, row: () => [] }, 1))).rejects.toThrow("break off");
    const wrong = Buffer.concat([good.subarray(0, 33), chunkOf("IDAT", Uint8Array.of(1, 2, 3, 4, 5)), chunkOf("IEND", new Uint8Array(0))]);
    await expect(read(wrong)).rejects.toThrow("damaged");
  });
});
