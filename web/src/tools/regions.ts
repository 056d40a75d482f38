// Areas of a mask or photo: fill, magic wand, holes, islands. "Connected" is to the four neighbours at a side.
import type { ImagePoint, PhotoPixels, Raster } from "../model/geometry";
import { Spans } from "../model/spans";
import { Flood } from "./flood";

function pixelAt(raster: { width: number; height: number }, point: ImagePoint): { x: number; y: number } | null {
  const x = Math.floor(point.x);
  const y = Math.floor(point.y);
  return x >= 0 && y >= 0 && x < raster.width && y < raster.height ? { x, y } : null;
}

/** The connected area of equal value around the pixel of `seed`; nothing when it is off the photo. */
export function fill(mask: Raster, seed: ImagePoint): Spans {
  const at = pixelAt(mask, seed);
  if (!at) return new Spans();
  const flood = new Flood(mask.width, mask.height, mask.pixels, mask.pixels[at.y * mask.width + at.x]!);
  flood.from(at.x, at.y);
  return flood.spans();
}

/**
 * The pixels whose colour is at most `tolerance` (0..255) from that of the pixel of `seed`; with `contiguous` only those in its
 * connected area. The distance of two colours is the largest difference of their red, green and blue; alpha does not count.
 */
export function wand(photo: PhotoPixels, seed: ImagePoint, tolerance: number, contiguous: boolean): Spans {
  const at = pixelAt(photo, seed);
  if (!at || !(tolerance >= 0)) return new Spans();
  const { width, height, data } = photo;
  const center = (at.y * width + at.x) * 4;
  const red = data[center]!;
  const green = data[center + 1]!;
  const blue = data[center + 2]!;
  const near = (i: number): boolean =>
    Math.abs(data[i]! - red) <= tolerance &&
    Math.abs(data[i + 1]! - green) <= tolerance &&
    Math.abs(data[i + 2]! - blue) <= tolerance;
  if (!contiguous) {
    const spans = new Spans();
    for (let y = 0; y < height; ++y)
      for (let x = 0; x < width; ) {
        const row = y * width;
        while (x < width && !near((row + x) * 4)) ++x;
        const start = x;
        while (x < width && near((row + x) * 4)) ++x;
        spans.push(y, start, x);
      }
    return spans;
  }
  const like = new Uint8Array(width * height); // rows are filled when the flood reaches them
  const flood = new Flood(width, height, like, 1, (y) => {
    for (let i = y * width; i < (y + 1) * width; ++i) if (near(i * 4)) like[i] = 1;
  });
  flood.from(at.x, at.y);
  return flood.spans();
}

/**
 * Background pixels from which no path over background leads to the edge of the photo. With `value` only pixels of that value
 * are in the way of a path, not those of other labels; the result is background all the same.
 */
export function enclosedBackground(mask: Raster, value?: number): Spans {
  const { width, height, pixels } = mask;
  let flood: Flood;
  if (value === undefined) {
    flood = new Flood(width, height, pixels, 0);
  } else {
    const open = new Uint8Array(width * height);
    flood = new Flood(width, height, open, 1, (y) => {
      for (let i = y * width; i < (y + 1) * width; ++i) open[i] = pixels[i] === value ? 0 : 1;
    });
  }
  for (let x = 0; x < width; ++x) {
    flood.from(x, 0);
    flood.from(x, height - 1);
  }
  for (let y = 0; y < height; ++y) {
    flood.from(0, y);
    flood.from(width - 1, y);
  }
  const spans = new Spans();
  for (let y = 0; y < height; ++y) {
    const row = y * width;
    for (let x = 0; x < width; ) {
      x = flood.nextOutside(x, y);
      const start = x;
      while (x < width && pixels[row + x] === 0 && !flood.has(x, y)) ++x;
      spans.push(y, start, x);
      if (x === start) ++x;
    }
  }
  return spans;
}

/** The pixels of the value in connected areas of at most `mostPixels` pixels. */
export function islands(mask: Raster, value: number, mostPixels: number): Spans {
  const { width, height, pixels } = mask;
  const flood = new Flood(width, height, pixels, value);
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x)
      if (pixels[y * width + x] === value && !flood.has(x, y)) flood.from(x, y, mostPixels);
  return flood.spans();
}
