// Made-up photos, masks and heat maps for the mock server.
import * as zlib from "node:zlib";

// Node 18 has no zlib.crc32.
const table = Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});
const checksum =
  zlib.crc32 ??
  ((bytes) => {
    let value = 0xffffffff;
    for (const byte of bytes) value = table[(value ^ byte) & 255] ^ (value >>> 8);
    return (value ^ 0xffffffff) >>> 0;
  });

function chunk(type, body) {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, "latin1");
  body.copy(out, 8);
  out.writeUInt32BE(checksum(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

function png(width, height, colorType, rows, palette) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, colorType, 0, 0, 0], 8);
  const parts = [Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head)];
  if (palette) parts.push(chunk("PLTE", Buffer.from(palette)));
  parts.push(chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0)));
  return Buffer.concat(parts);
}

// An animal's outline, somewhere else in each photo.
function inside(seed, x, y, grow = 0) {
  const cx = 0.3 + 0.4 * ((seed * 37) % 10) / 10;
  const cy = 0.35 + 0.3 * ((seed * 53) % 10) / 10;
  const body = ((x - cx) / (0.2 + grow)) ** 2 + ((y - cy) / (0.16 + grow)) ** 2 < 1;
  const head = ((x - cx - 0.22) / (0.07 + grow)) ** 2 + ((y - cy) / (0.07 + grow)) ** 2 < 1;
  return head ? 2 : body ? 1 : 0;
}

export function photo(seed, width = 480) {
  const height = Math.round(width * 0.75);
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const part = inside(seed, x / width, y / height);
      const wave = 20 * Math.sin((x / width) * 40 + seed) * Math.sin((y / height) * 30);
      const base = part === 2 ? [150, 120, 60] : part === 1 ? [90, 120, 70] : [30, 110 + seed * 3, 150];
      const at = y * (width * 3 + 1) + 1 + x * 3;
      for (let c = 0; c < 3; c++) rows[at + c] = Math.max(0, Math.min(255, base[c] + wave));
    }
  return png(width, height, 2, rows);
}

export function mask(seed, width = 480, grow = 0) {
  const height = Math.round(width * 0.75);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = inside(seed, x / width, y / height, grow);
  return png(width, height, 3, rows, [255, 255, 255, 44, 160, 44, 255, 127, 14]);
}

export function disagreement(seed, width = 480) {
  const height = Math.round(width * 0.75);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const answers = [0, 0.02, 0.04].map((grow) => inside(seed, x / width, y / height, grow));
      const most = Math.max(...[0, 1, 2].map((value) => answers.filter((one) => one === value).length));
      rows[y * (width + 1) + 1 + x] = Math.round(255 * (1 - most / 3));
    }
  return png(width, height, 0, rows);
}
