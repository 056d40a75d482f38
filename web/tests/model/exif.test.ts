import { describe, expect, it } from "vitest";
import { crc32, readOrientation, readPhotoFacts, withoutOrientation } from "../../src/model/exif";

const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

// A TIFF block with three entries, the orientation in their middle.
function tiff(order: "II" | "MM", orientation: number, type = 3): number[] {
  const two = (value: number): number[] => (order === "II" ? [value & 255, value >> 8] : [value >> 8, value & 255]);
  const four = (value: number): number[] => (order === "II" ? [...two(value & 0xffff), ...two(value >>> 16)] : [...two(value >>> 16), ...two(value & 0xffff)]);
  const entry = (tag: number, kind: number, value: number[]): number[] => [...two(tag), ...two(kind), ...four(1), ...value, 0, 0].slice(0, 12);
  return [
    ...ascii(order), ...two(42), ...four(10), 0, 0, // the directory stands two bytes further on
    ...two(3), ...entry(0x0100, 4, four(5)), ...entry(0x0112, type, two(orientation)), ...entry(0x0128, 3, two(2)),
    ...four(0),
  ]; // prettier-ignore
}

const segmentOf = (marker: number, body: number[]): number[] => [0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body];
const frame = (marker: number, width: number, height: number): number[] =>
  segmentOf(marker, [8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0]);
const jpeg = (...segments: number[][]): Uint8Array => Uint8Array.from([0xff, 0xd8, ...segments.flat(), 0xff, 0xda, 0, 2, 0xff, 0xd9]);
const exif = (block: number[]): number[] => segmentOf(0xe1, [...ascii("Exif"), 0, 0, ...block]);

function pngChunk(name: string, body: number[]): number[] {
  const named = Uint8Array.from([...ascii(name), ...body]);
  const four = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return [...four(body.length), ...named, ...four(crc32(named))];
}
const png = (...more: number[][]): Uint8Array =>
  Uint8Array.from([0x89, ...ascii("PNG\r\n\x1a\n"), ...pngChunk("IHDR", [0, 0, 1, 44, 0, 1, 0, 2, 8, 2, 0, 0, 0]), ...more.flat(), ...pngChunk("IEND", [])]);

function webp(...chunks: [string, number[]][]): Uint8Array {
  const body = chunks.flatMap(([name, data]) => [...ascii(name), data.length & 255, data.length >> 8, 0, 0, ...data, ...(data.length % 2 ? [0] : [])]);
  return Uint8Array.from([...ascii("RIFF"), (body.length + 4) & 255, (body.length + 4) >> 8, 0, 0, ...ascii("WEBP"), ...body]);
}

describe("readPhotoFacts", () => {
  it("reads JPEG sizes of every kind of frame, and all orientations in both byte orders", () => {
    for (const marker of [0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca])
      expect(readPhotoFacts(jpeg(frame(marker, 4000, 3001)))).toEqual({ type: "jpeg", width: 4000, height: 3001, orientation: 1 });
    for (const order of ["II", "MM"] as const)
      for (let orientation = 1; orientation <= 8; ++orientation) {
        const bytes = jpeg(segmentOf(0xe0, ascii("JFIF\0")), exif(tiff(order, orientation)), segmentOf(0xc4, [0, 1]), frame(0xc0, 640, 480));
        expect(readPhotoFacts(bytes)).toEqual({ type: "jpeg", width: 640, height: 480, orientation });
      }
  });

  it("takes the first EXIF block, passes over XMP and fill bytes, and doubts what is no orientation", () => {
    const xmp = segmentOf(0xe1, ascii("http://ns.adobe.com/xap/1.0/\0<x/>"));
    expect(readPhotoFacts(jpeg(xmp, exif(tiff("MM", 6)), exif(tiff("MM", 3)), [0xff, 0xff], frame(0xc2, 9, 8)))?.orientation).toBe(6);
    for (const orientation of [0, 9, 65535]) expect(readPhotoFacts(jpeg(exif(tiff("II", orientation)), frame(0xc0, 9, 8)))?.orientation).toBe(1);
    expect(readPhotoFacts(jpeg(exif(tiff("II", 6, 4)), frame(0xc0, 9, 8)))?.orientation).toBe(1);
    expect(readPhotoFacts(jpeg(exif(tiff("II", 6).slice(0, 20)), frame(0xc0, 9, 8)))?.orientation).toBe(1);
    expect(readPhotoFacts(jpeg(exif(ascii("IInonsense")), frame(0xc0, 9, 8)))?.orientation).toBe(1);
  });

  it("reads PNG and the three kinds of WebP", () => {
    expect(readPhotoFacts(png())).toEqual({ type: "png", width: 300, height: 65538, orientation: 1 });
    expect(readPhotoFacts(png(pngChunk("tEXt", [65, 0, 66]), pngChunk("eXIf", tiff("II", 8))))?.orientation).toBe(8);
    expect(readPhotoFacts(webp(["VP8 ", [0, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x41, 0x20, 0x03]]))).toEqual({ type: "webp", width: 320, height: 800, orientation: 1 });
    expect(readPhotoFacts(webp(["VP8L", [0x2f, 0xff, 0xc0, 0x01, 0x00]]))).toEqual({ type: "webp", width: 256, height: 8, orientation: 1 });
    const extended: [string, number[]] = ["VP8X", [8, 0, 0, 0, 0x0f, 0x27, 1, 99, 0, 0]];
    expect(readPhotoFacts(webp(extended, ["ICCP", [1, 2, 3]], ["EXIF", tiff("MM", 5)]))).toEqual({ type: "webp", width: 75536, height: 100, orientation: 5 });
    expect(readPhotoFacts(webp(extended, ["EXIF", [...ascii("Exif"), 0, 0, ...tiff("II", 7)]]))?.orientation).toBe(7);
  });

  it("gives null for everything else, wherever a file breaks off", () => {
    expect(readPhotoFacts(new Uint8Array(0))).toBeNull();
    expect(readPhotoFacts(Uint8Array.from(ascii("GIF89a  ")))).toBeNull();
    expect(readPhotoFacts(jpeg())).toBeNull();
    expect(readPhotoFacts(jpeg(frame(0xc0, 0, 5)))).toBeNull();
    const whole = jpeg(exif(tiff("II", 6)), frame(0xc0, 640, 480));
    const size = whole.length - 13; // up to the frame's width
    for (let length = 0; length < size; ++length) expect(readPhotoFacts(whole.subarray(0, length))).toBeNull();
  });
});

describe("withoutOrientation", () => {
  it("changes the orientation and nothing else", () => {
    for (const order of ["II", "MM"] as const) {
      const bytes = jpeg(exif(tiff(order, 6)), frame(0xc0, 640, 480));
      const before = bytes.slice();
      expect([...withoutOrientation(bytes)]).toEqual([...jpeg(exif(tiff(order, 1)), frame(0xc0, 640, 480))]);
      expect([...bytes]).toEqual([...before]);
    }
    expect([...withoutOrientation(png(pngChunk("eXIf", tiff("MM", 3))))]).toEqual([...png(pngChunk("eXIf", tiff("MM", 1)))]);
    const extended: [string, number[]] = ["VP8X", [8, 0, 0, 0, 9, 0, 0, 9, 0, 0]];
    expect([...withoutOrientation(webp(extended, ["EXIF", tiff("II", 2)]))]).toEqual([...webp(extended, ["EXIF", tiff("II", 1)])]);
  });

  it("gives the same bytes back when there is nothing to change", () => {
    for (const bytes of [jpeg(frame(0xc0, 4, 4)), png(), new Uint8Array(3)]) expect(withoutOrientation(bytes)).toBe(bytes);
  });
});

describe("readOrientation", () => {
  it("finds it wherever it stands in a large file", async () => {
    const profiles = Array.from({ length: 40 }, () => segmentOf(0xe2, new Array<number>(60_000).fill(7)));
    const blob = (bytes: Uint8Array): Blob => new Blob([bytes as Uint8Array<ArrayBuffer>]);
    expect(await readOrientation(blob(jpeg(exif(tiff("II", 6)), frame(0xc0, 9, 8))))).toBe(6);
    expect(await readOrientation(blob(jpeg(exif(tiff("MM", 3)), ...profiles, frame(0xc0, 9, 8))))).toBe(3);
    expect(await readOrientation(blob(jpeg(...profiles, exif(tiff("II", 8)), frame(0xc0, 9, 8))))).toBe(8);
    const pixels: number[][] = Array.from({ length: 20 }, () => pngChunk("IDAT", new Array<number>(70_000).fill(1)));
    expect(await readOrientation(blob(png(...pixels, pngChunk("eXIf", tiff("MM", 5)))))).toBe(5);
    expect(await readOrientation(blob(png()))).toBe(1);
    expect(await readOrientation(new Blob(["no photo"]))).toBe(1);
  });
});
