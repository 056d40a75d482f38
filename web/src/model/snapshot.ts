// A whole mask as text. The format: docs/formats/canvas-delta.md.
import { fromBase64, toBase64 } from "./base64";
import { deflate, inflate, joined } from "./deflate";
import type { Raster } from "./geometry";
import { ByteReader, ByteWriter } from "./runCode";

const version = 1;
const mark = "S"; // no delta begins with it: their first byte is a small version, so they begin with A

export function isSnapshot(text: string): boolean {
  return text.startsWith(mark);
}

/** The mask as it is at the time of the call; later changes do not get in. */
export async function encodeSnapshot(raster: Raster): Promise<string> {
  const { pixels } = raster;
  const out = new ByteWriter(65536);
  out.byte(version);
  out.number(raster.width);
  out.number(raster.height);
  for (let i = 0; i < pixels.length; ) {
    const value = pixels[i]!;
    let end = i + 1;
    while (end < pixels.length && pixels[end] === value) ++end;
    out.number(end - i);
    out.byte(value);
    i = end;
  }
  return mark + toBase64(joined(await deflate([out.take()])));
}

/** The pixels. Throws an Error that says what is wrong, also when the text is for another size. */
export async function decodeSnapshot(text: string, width: number, height: number): Promise<Uint8Array> {
  if (!isSnapshot(text)) throw new Error(`snapshot: it begins with ${JSON.stringify(text.slice(0, 1))}, not with "${mark}"`);
  const most = 2 * width * height + 16;
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    await inflate([fromBase64(text.slice(mark.length))], (part) => {
      length += part.length;
      if (length > most) throw new Error(`it holds more than ${width} x ${height} pixels need`);
      parts.push(part.slice());
    });
  } catch (error) {
    throw new Error(`snapshot: ${(error as Error).message}`);
  }
  const reader = new ByteReader(joined(parts), "snapshot");
  const found = reader.byte();
  if (found !== version) throw new Error(`snapshot: version ${found}; this page reads version ${version}`);
  const size = [reader.number(), reader.number()];
  if (size[0] !== width || size[1] !== height)
    throw new Error(`snapshot: it is for a photo of ${size[0]} x ${size[1]} pixels, this one has ${width} x ${height}`);
  const pixels = new Uint8Array(width * height);
  let at = 0;
  while (at < pixels.length) {
    const run = reader.number();
    if (run < 1 || run > pixels.length - at) throw reader.broken(`has a run of ${run} pixels at pixel ${at}`);
    pixels.fill(reader.byte(), at, at + run);
    at += run;
  }
  if (!reader.ended) throw reader.broken("goes on after the last pixel");
  return pixels;
}
