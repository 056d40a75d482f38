// What the head of a photo's file says: kind, stored size, EXIF orientation. Reads bytes only; pixels are decoded elsewhere.

export interface PhotoFacts {
  readonly type: "jpeg" | "png" | "webp";
  /** Of the stored pixels, before any rotation. */
  readonly width: number;
  readonly height: number;
  /** 1..8 as EXIF numbers them; 1, upright, when the file does not say. */
  readonly orientation: number;
}

interface Found extends PhotoFacts {
  /** Where the orientation's value begins, -1 when there is none. */
  readonly at: number;
  readonly littleEndian: boolean;
  /** The PNG chunk's type and data around it, whose checksum follows. */
  readonly chunk: { start: number; end: number } | null;
}

/** The facts; null when the bytes are no JPEG, PNG or WebP or break off before the size. */
export function readPhotoFacts(bytes: Uint8Array): PhotoFacts | null {
  const found = look(bytes);
  return found && { type: found.type, width: found.width, height: found.height, orientation: found.orientation };
}

const headBytes = 1 << 20;

/** The orientation of a photo's file, 1 when it does not say. Of a JPEG only the beginning is read where that is enough. */
export async function readOrientation(photo: Blob): Promise<number> {
  const head = look(new Uint8Array(await photo.slice(0, headBytes).arrayBuffer()));
  // PNG and WebP may say it behind the pixels.
  if (photo.size <= headBytes || head?.type === "jpeg") return head?.orientation ?? 1;
  return look(new Uint8Array(await photo.arrayBuffer()))?.orientation ?? 1;
}

/**
 * A file with the same pixels that says of itself to be upright: a decoder that applies orientation gives the stored pixels.
 * The very same array when nothing has to change; the given bytes are never written to.
 */
export function withoutOrientation(bytes: Uint8Array): Uint8Array {
  const found = look(bytes);
  if (!found || found.orientation === 1 || found.at < 0) return bytes;
  const result = bytes.slice();
  const view = new DataView(result.buffer);
  view.setUint16(found.at, 1, found.littleEndian);
  if (found.chunk) view.setUint32(found.chunk.end, crc32(result.subarray(found.chunk.start, found.chunk.end)));
  return result;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

/** The checksum of PNG chunks; `start` is that of the bytes before. */
export function crc32(bytes: Uint8Array, start = 0): number {
  let value = ~start;
  for (const byte of bytes) value = crcTable[(value ^ byte) & 255]! ^ (value >>> 8);
  return ~value >>> 0;
}

function look(bytes: Uint8Array): Found | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (text(view, 1, 3) === "PNG" && view.getUint8(0) === 0x89) return png(view);
    if (text(view, 0, 4) === "RIFF" && text(view, 8, 4) === "WEBP") return webp(view);
    if (view.getUint16(0) === 0xffd8) return jpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // beyond the last byte
  }
  return null;
}

function text(view: DataView, at: number, length: number): string {
  let result = "";
  for (let i = 0; i < length; ++i) result += String.fromCharCode(view.getUint8(at + i));
  return result;
}

interface Orientation {
  orientation: number;
  at: number;
  littleEndian: boolean;
}
const upright: Orientation = { orientation: 1, at: -1, littleEndian: false };

// The first directory of a TIFF block from `start` to `end`.
function tiff(view: DataView, start: number, end: number): Orientation {
  if (end > view.byteLength || end - start < 8) return upright;
  const order = view.getUint16(start);
  if (order !== 0x4949 && order !== 0x4d4d) return upright;
  const littleEndian = order === 0x4949;
  if (view.getUint16(start + 2, littleEndian) !== 42) return upright;
  const directory = start + view.getUint32(start + 4, littleEndian);
  if (directory + 2 > end) return upright;
  const entries = view.getUint16(directory, littleEndian);
  for (let i = 0; i < entries; ++i) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > end) break;
    if (view.getUint16(entry, littleEndian) !== 0x0112) continue;
    const short = view.getUint16(entry + 2, littleEndian) === 3 && view.getUint32(entry + 4, littleEndian) >= 1;
    const orientation = view.getUint16(entry + 8, littleEndian);
    return short && orientation >= 1 && orientation <= 8 ? { orientation, at: entry + 8, littleEndian } : upright;
  }
  return upright;
}

function exifBlock(view: DataView, start: number, end: number): Orientation {
  // "Exif\0\0" stands before the block in JPEG, in WebP by mistake of some writers.
  const marked = end - start >= 6 && text(view, start, 4) === "Exif";
  return tiff(view, marked ? start + 6 : start, end);
}

function jpeg(view: DataView): Found | null {
  let found = upright;
  let seen = false;
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return null;
    while (view.getUint8(at) === 0xff) ++at; // fill bytes may stand before a marker
    const marker = view.getUint8(at++);
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === 0xd9 || marker === 0xda) return null; // no frame before the data
    const end = at + view.getUint16(at);
    if (marker === 0xe1 && !seen && end - at >= 8 && text(view, at + 2, 4) === "Exif") {
      found = exifBlock(view, at + 2, end);
      seen = true;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) {
      const height = view.getUint16(at + 3);
      const width = view.getUint16(at + 5);
      return width > 0 && height > 0 ? { type: "jpeg", width, height, ...found, chunk: null } : null;
    }
    if (end <= at + 1) return null;
    at = end;
  }
}

function png(view: DataView): Found | null {
  if (text(view, 12, 4) !== "IHDR") return null;
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  if (width === 0 || height === 0) return null;
  for (let at = 8; at + 12 <= view.byteLength; ) {
    const start = at + 8;
    const end = start + view.getUint32(at);
    const name = text(view, at + 4, 4);
    if (name === "eXIf" && end + 4 <= view.byteLength)
      return { type: "png", width, height, ...exifBlock(view, start, end), chunk: { start: at + 4, end } };
    if (name === "IEND") break;
    at = end + 4;
  }
  return { type: "png", width, height, ...upright, chunk: null };
}

function webp(view: DataView): Found | null {
  let size: { width: number; height: number } | null = null;
  let found = upright;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const name = text(view, at, 4);
    const start = at + 8;
    const end = start + view.getUint32(at + 4, true);
    if (name === "VP8X") {
      const three = (place: number): number => view.getUint16(place, true) + view.getUint8(place + 2) * 65536;
      size = { width: three(start + 4) + 1, height: three(start + 7) + 1 };
    } else if (name === "VP8 " && !size) {
      if (view.getUint8(start + 3) !== 0x9d || view.getUint8(start + 4) !== 0x01 || view.getUint8(start + 5) !== 0x2a) return null;
      size = { width: view.getUint16(start + 6, true) & 0x3fff, height: view.getUint16(start + 8, true) & 0x3fff };
    } else if (name === "VP8L" && !size) {
      if (view.getUint8(start) !== 0x2f) return null;
      const bits = view.getUint32(start + 1, true);
      size = { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    } else if (name === "EXIF" && end <= view.byteLength) {
      found = exifBlock(view, start, end);
    }
    at = end + (end % 2);
  }
  return size && size.width > 0 && size.height > 0 ? { type: "webp", ...size, ...found, chunk: null } : null;
}
