// Masks and heat maps as the server sends them: PNGs of one value per pixel, read without colour management.

export interface IndexRaster {
  width: number;
  height: number;
  values: Uint8Array; // row by row
}

const kSignature = [137, 80, 78, 71, 13, 10, 26, 10];
const kMostPixels = 256 * 1024 * 1024;

/** The stored values (palette indices or grey levels) of a PNG of 1 to 8 bits; throws an Error for any other file. */
export async function readIndices(bytes: Uint8Array<ArrayBuffer>): Promise<IndexRaster> {
  if (kSignature.some((byte, at) => bytes[at] !== byte)) throw new Error("This is no PNG.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let width = 0;
  let height = 0;
  let depth = 0;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = at + 8;
    if (body + length + 4 > bytes.length) throw new Error("The PNG breaks off.");
    if (type === "IHDR") {
      width = view.getUint32(body);
      height = view.getUint32(body + 4);
      depth = bytes[body + 8]!;
      const color = bytes[body + 9]!;
      if ((color !== 3 && color !== 0) || ![1, 2, 4, 8].includes(depth) || bytes[body + 12] !== 0)
        throw new Error(`The PNG is of colour type ${color} with ${depth} bits: one value of up to 8 bits is expected.`);
      if (width === 0 || height === 0 || width * height > kMostPixels)
        throw new Error(`The PNG is ${width} x ${height}: that size cannot be shown.`);
    } else if (type === "IDAT") {
      parts.push(bytes.subarray(body, body + length));
    } else if (type === "IEND") {
      break;
    }
    at = body + length + 4;
  }
  if (width === 0) throw new Error("The PNG has no header.");
  const rowBytes = Math.ceil((width * depth) / 8);
  const packed = await inflate(parts, (rowBytes + 1) * height);
  return { width, height, values: unpack(unfilter(packed, rowBytes, height), width, height, depth) };
}

async function inflate(parts: Uint8Array<ArrayBuffer>[], size: number): Promise<Uint8Array> {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const out = new Uint8Array(size);
  const reader = stream.getReader();
  let at = 0;
  for (let read = await reader.read(); !read.done && at < size; read = await reader.read()) {
    const chunk = read.value.subarray(0, size - at);
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at < size) throw new Error("The PNG has too few pixels.");
  await reader.cancel().catch(() => undefined);
  return out;
}

// Undoes the row filters; a pixel's left neighbour is one byte back at these depths.
function unfilter(packed: Uint8Array, rowBytes: number, height: number): Uint8Array {
  const rows = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    const filter = packed[y * (rowBytes + 1)]!;
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    for (let x = 0; x < rowBytes; x++) {
      const left = x > 0 ? rows[to + x - 1]! : 0;
      const up = y > 0 ? rows[to + x - rowBytes]! : 0;
      const corner = x > 0 && y > 0 ? rows[to + x - rowBytes - 1]! : 0;
      rows[to + x] = packed[from + x]! + predicted(filter, left, up, corner);
    }
  }
  return rows;
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) throw new Error(`The PNG has a row filter ${filter}, which does not exist.`);
  const guess = left + up - corner;
  const byLeft = Math.abs(guess - left);
  const byUp = Math.abs(guess - up);
  const byCorner = Math.abs(guess - corner);
  return byLeft <= byUp && byLeft <= byCorner ? left : byUp <= byCorner ? up : corner;
}

function unpack(rows: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  if (depth === 8) return rows;
  const rowBytes = rows.length / height;
  const values = new Uint8Array(width * height);
  const most = (1 << depth) - 1;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      values[y * width + x] = (rows[y * rowBytes + (bit >> 3)]! >> (8 - depth - (bit & 7))) & most;
    }
  return values;
}
