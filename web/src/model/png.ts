// PNG (ISO/IEC 15948) of our own, for no canvas comes between: a canvas may change pixels by colour management and alpha.
import { deflate, inflate, joined } from "./deflate";
import { crc32 } from "./exif";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function chunk(name: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; ++i) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/**
 * An RGB PNG, 8 bits a channel, of pixels given as indices into `colors` (0xrrggbb each). Reads `pixels` after the call too:
 * they must stay as they are until the promise is settled.
 */
export async function writeRgbPng(width: number, height: number, pixels: Uint8Array, colors: Uint32Array): Promise<Uint8Array> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 2, 0, 0, 0], 8);
  const data = joined(await deflate(filteredRows(width, height, pixels, colors)));
  return joined([Uint8Array.from(signature), chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))]);
}

// Rows with the filter "up": masks differ little from one row to the next, and nothing but zeros is quickest to compress.
function* filteredRows(width: number, height: number, pixels: Uint8Array, colors: Uint32Array): Generator<Uint8Array> {
  const rowBytes = 1 + 3 * width;
  const rows = Math.max(1, Math.floor((1 << 20) / rowBytes));
  const none = new Uint8Array(width); // above the first row all bytes count as 0
  for (let first = 0; first < height; first += rows) {
    const out = new Uint8Array(Math.min(rows, height - first) * rowBytes);
    let at = 0;
    for (let y = first; y < Math.min(first + rows, height); ++y) {
      const row = pixels.subarray(y * width, (y + 1) * width);
      out[at++] = 2;
      if (y === 0) {
        for (let x = 0; x < width; ++x, at += 3) put(out, at, colors[row[x]!]!, none[x]!);
        continue;
      }
      const above = pixels.subarray((y - 1) * width, y * width);
      for (let x = 0; x < width; ++x, at += 3) if (row[x] !== above[x]) put(out, at, colors[row[x]!]!, colors[above[x]!]!);
    }
    yield out;
  }
}

function put(out: Uint8Array, at: number, color: number, above: number): void {
  out[at] = (color >> 16) - (above >> 16);
  out[at + 1] = (color >> 8) - (above >> 8);
  out[at + 2] = color - above;
}

/** What a PNG's header says. */
export interface PngHeader {
  width: number;
  height: number;
  depth: number;
  colorType: number;
  interlaced: boolean;
}

interface Parts {
  header: PngHeader;
  palette: Uint8Array | null;
  transparency: Uint8Array | null;
  data: Uint8Array[];
}

const samplesOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const depthsOf: Record<number, readonly number[]> = { 0: [1, 2, 4, 8], 2: [8], 3: [1, 2, 4, 8], 4: [8], 6: [8] };

function parts(bytes: Uint8Array): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || signature.some((byte, i) => bytes[i] !== byte)) throw new Error("PNG: these bytes are no PNG");
  let header: PngHeader | null = null;
  let palette: Uint8Array | null = null;
  let transparency: Uint8Array | null = null;
  const data: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new Error("PNG: it breaks off before its end");
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) throw new Error("PNG: it breaks off before its end");
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (view.getUint32(at + 8 + length) !== crc32(bytes.subarray(at + 4, at + 8 + length)))
      throw new Error(`PNG: the chunk ${name} is damaged`);
    at += 12 + length;
    if (name === "IHDR" && length === 13) {
      const start = at - 4 - length;
      const [depth, colorType, , , interlace] = [body[8]!, body[9]!, body[10]!, body[11]!, body[12]!];
      header = { width: view.getUint32(start), height: view.getUint32(start + 4), depth, colorType, interlaced: interlace === 1 };
      if (!depthsOf[colorType]?.includes(depth))
        throw new Error(`PNG: colour type ${colorType} with ${depth} bits; masks have 8 bits a channel, or fewer with grey or palette`);
    } else if (!header) {
      throw new Error(`PNG: it begins with the chunk ${name}, not with its header`);
    } else if (name === "PLTE") {
      palette = body;
    } else if (name === "tRNS") {
      transparency = body;
    } else if (name === "IDAT") {
      data.push(body);
    } else if (name === "IEND") {
      break;
    }
  }
  if (!header || data.length === 0) throw new Error("PNG: it has no pixels");
  if (header.colorType === 3 && !palette) throw new Error("PNG: its palette is missing");
  return { header, palette, transparency, data };
}

/** A pixel's colour: 0xrrggbb, and its alpha of 0 to 255. */
export type PixelValue = (x: number, y: number, color: number, alpha: number) => number;

/**
 * The pixels of a PNG of width x height, each as the byte that `valueOf` gives for its exact colour (asked once for equal
 * neighbours). Throws an Error for other sizes, for damaged files, for 16 bits a channel, and what `valueOf` throws.
 */
export async function readPng(bytes: Uint8Array, width: number, height: number, valueOf: PixelValue): Promise<Uint8Array> {
  const { header, palette, transparency, data } = parts(bytes);
  if (header.width !== width || header.height !== height)
    throw new Error(`PNG: ${header.width} x ${header.height} pixels; the photo has ${width} x ${height}`);
  const { depth, colorType } = header;
  const bits = samplesOf[colorType]! * depth;
  const step = Math.max(1, bits >> 3);
  const out = new Uint8Array(width * height);

  let last = -1;
  let lastAlpha = -1;
  let lastValue = 0;
  const look = (x: number, y: number, color: number, alpha: number): number => {
    if (color !== last || alpha !== lastAlpha) {
      lastValue = valueOf(x, y, color, alpha);
      last = color;
      lastAlpha = alpha;
    }
    return lastValue;
  };
  const short = (at: number): number => (transparency && at + 1 < transparency.length ? transparency[at]! * 256 + transparency[at + 1]! : -1);
  const clearGrey = colorType === 0 ? short(0) : -1;
  const clearColor = colorType === 2 && short(4) >= 0 ? [short(0), short(2), short(4)] : null;

  // One row of one pass: pixel i of it is (x0 + i * dx, y).
  const take = (row: Uint8Array, count: number, x0: number, dx: number, y: number): void => {
    for (let i = 0; i < count; ++i) {
      const x = x0 + i * dx;
      let color: number;
      let alpha = 255;
      if (colorType === 2 || colorType === 6) {
        const at = i * step;
        color = (row[at]! << 16) | (row[at + 1]! << 8) | row[at + 2]!;
        if (colorType === 6) alpha = row[at + 3]!;
        else if (clearColor && row[at] === clearColor[0] && row[at + 1] === clearColor[1] && row[at + 2] === clearColor[2]) alpha = 0;
      } else {
        const sample = colorType === 4 ? row[i * 2]! : (row[(i * depth) >> 3]! >> (8 - depth - ((i * depth) & 7))) & ((1 << depth) - 1);
        if (colorType === 3) {
          const at = sample * 3;
          if (at + 2 >= palette!.length) throw new Error(`PNG: pixel (${x}, ${y}) has index ${sample}; the palette has ${palette!.length / 3} colours`);
          color = (palette![at]! << 16) | (palette![at + 1]! << 8) | palette![at + 2]!;
          alpha = transparency?.[sample] ?? 255;
        } else {
          color = ((sample * 255) / ((1 << depth) - 1)) * 0x010101;
          if (colorType === 4) alpha = row[i * 2 + 1]!;
          else if (sample === clearGrey) alpha = 0;
        }
      }
      out[y * width + x] = look(x, y, color, alpha);
    }
  };

  const whole = [[0, 0, 1, 1]];
  const adam7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]; // prettier-ignore
  const passes = (header.interlaced ? adam7 : whole)
    .map(([x0, y0, dx, dy]) => ({ x0: x0!, y: y0!, dx: dx!, dy: dy!, count: Math.ceil((width - x0!) / dx!) }))
    .filter((pass) => pass.count > 0 && pass.y < height);

  let pass = passes[0];
  let next = 1;
  let filter = -1;
  let filled = 0;
  const rowBytes = (): number => Math.ceil((pass!.count * bits) / 8);
  let row = new Uint8Array(pass ? rowBytes() : 0);
  let above = new Uint8Array(row.length);
  await inflate(data, (part) => {
    for (let at = 0; at < part.length; ) {
      if (!pass) return; // more data than pixels: of no meaning
      if (filter < 0) {
        filter = part[at++]!;
        if (filter > 4) throw new Error(`PNG: row filter ${filter}; 0 to 4 are allowed`);
        continue;
      }
      const some = Math.min(row.length - filled, part.length - at);
      row.set(part.subarray(at, at + some), filled);
      filled += some;
      at += some;
      if (filled < row.length) continue;
      unfilter(filter, row, above, step);
      take(row, pass.count, pass.x0, pass.dx, pass.y);
      [row, above] = [above, row];
      filter = -1;
      filled = 0;
      pass.y += pass.dy;
      if (pass.y >= height) {
        pass = passes[next++];
        if (pass) {
          row = new Uint8Array(rowBytes());
          above = new Uint8Array(row.length);
        }
      }
    }
  }).catch((error: unknown) => {
    const message = (error as Error).message;
    throw message.startsWith("the compressed") ? new Error(`PNG: ${message}`) : error;
  });
  if (pass) throw new Error("PNG: its pixels break off");
  return out;
}

function unfilter(filter: number, row: Uint8Array, above: Uint8Array, step: number): void {
  if (filter === 1) {
    for (let i = step; i < row.length; ++i) row[i]! += row[i - step]!;
  } else if (filter === 2) {
    for (let i = 0; i < row.length; ++i) row[i]! += above[i]!;
  } else if (filter === 3) {
    for (let i = 0; i < row.length; ++i) row[i]! += ((i < step ? 0 : row[i - step]!) + above[i]!) >> 1;
  } else if (filter === 4) {
    for (let i = 0; i < row.length; ++i) {
      const a = i < step ? 0 : row[i - step]!;
      const b = above[i]!;
      const c = i < step ? 0 : above[i - step]!;
      const pa = Math.abs(b - c);
      const pb = Math.abs(a - c);
      const pc = Math.abs(a + b - 2 * c);
      row[i]! += pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }
  }
}
