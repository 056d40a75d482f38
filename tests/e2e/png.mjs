// PNG files, small and slow on purpose: the tests' own reader and writer, independent of the pages' and the program's.
import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** One chunk of a PNG. */
export function chunk(type, content) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const head = Buffer.alloc(4), tail = Buffer.alloc(4);
  head.writeUInt32BE(content.length);
  tail.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, tail]);
}

/** An RGB photo; `color(x, y)` gives [r, g, b]. */
export function writePhoto(width, height, color) {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0, at = 0; y < height; y++) {
    rows[at++] = 0;
    for (let x = 0; x < width; x++) for (const value of color(x, y)) rows[at++] = value;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** {width, height, channels, palette, pixels} of an 8-bit PNG without interlace; pixels row by row. */
export function readPng(bytes) {
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error("no PNG");
  const image = { palette: null };
  const data = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at), type = bytes.toString("latin1", at + 4, at + 8);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      image.width = content.readUInt32BE(0);
      image.height = content.readUInt32BE(4);
      if (content[8] !== 8 || content[12] !== 0) throw new Error(`bit depth ${content[8]}, interlace ${content[12]}`);
      image.channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[content[9]];
    } else if (type === "PLTE") image.palette = content;
    else if (type === "IDAT") data.push(content);
    at += 12 + length;
  }
  const { width, height, channels } = image, stride = width * channels;
  const raw = inflateSync(Buffer.concat(data));
  image.pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? image.pixels[y * stride + x - channels] : 0;
      const up = y > 0 ? image.pixels[(y - 1) * stride + x] : 0;
      const corner = x >= channels && y > 0 ? image.pixels[(y - 1) * stride + x - channels] : 0;
      const estimate = left + up - corner;
      const [a, b, c] = [left, up, corner].map((value) => Math.abs(estimate - value));
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      const prediction = [0, left, up, (left + up) >> 1, paeth][filter];
      image.pixels[y * stride + x] = raw[y * (stride + 1) + 1 + x] + prediction;
    }
  }
  return image;
}
