// The colours that values of masks and heat maps are shown in.
import type { Category } from "../../api/facts";
import type { IndexRaster } from "./indexedPng";

/** For each value of a mask its red, green, blue and alpha. */
export type Paint = Uint8ClampedArray; // 256 * 4

/** The labels' own colours; nothing for background. */
export function labelPaint(categories: Category[]): Paint {
  const paint = new Uint8ClampedArray(256 * 4);
  for (const { index, color } of categories) {
    const number = parseInt(color.slice(1), 16);
    paint.set([number >> 16, (number >> 8) & 255, number & 255, 255], index * 4);
  }
  return paint;
}

/** From nothing over yellow to red as answers disagree more. */
export function heatPaint(): Paint {
  const paint = new Uint8ClampedArray(256 * 4);
  for (let value = 1; value < 256; value++) {
    const share = value / 255;
    paint.set([255, Math.round(220 * (1 - share)), 0, Math.round(200 + 55 * share)], value * 4);
  }
  return paint;
}

/** The pixels of a raster in these colours. */
export function painted(raster: IndexRaster, paint: Paint): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(raster.values.length * 4);
  const colors = new Uint32Array(paint.buffer, paint.byteOffset, 256);
  const out = new Uint32Array(pixels.buffer);
  for (let at = 0; at < out.length; at++) out[at] = colors[raster.values[at]!]!;
  return pixels;
}
