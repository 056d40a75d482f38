// Points and boxes. Two kinds of points that must not be mixed up: those of the screen and those of the photo.

declare const space: unique symbol;

/** CSS pixels of the page. */
export interface ScreenPoint {
  readonly x: number;
  readonly y: number;
  readonly [space]: "screen";
}

/** Stored photo pixels, continuous: pixel (i, j) covers [i, i+1) x [j, j+1). */
export interface ImagePoint {
  readonly x: number;
  readonly y: number;
  readonly [space]: "image";
}

/** Whole pixels x0 <= x < x1, y0 <= y < y1. */
export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** One byte a pixel, row-major: 0 is background, 1..255 are label values. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** A decoded photo: four bytes a pixel (red, green, blue, alpha), row-major. */
export interface PhotoPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export function screenPoint(x: number, y: number): ScreenPoint {
  return { x, y } as ScreenPoint;
}

export function imagePoint(x: number, y: number): ImagePoint {
  return { x, y } as ImagePoint;
}

export function boxOf(size: { readonly width: number; readonly height: number }): Box {
  return { x0: 0, y0: 0, x1: size.width, y1: size.height };
}

export function isEmptyBox(box: Box): boolean {
  return box.x0 >= box.x1 || box.y0 >= box.y1;
}

/** What both cover; empty boxes come out with x1 <= x0 or y1 <= y0. */
export function intersectBoxes(a: Box, b: Box): Box {
  return { x0: Math.max(a.x0, b.x0), y0: Math.max(a.y0, b.y0), x1: Math.min(a.x1, b.x1), y1: Math.min(a.y1, b.y1) };
}

/** The smallest box around both; null stands for nothing. */
export function uniteBoxes(a: Box | null, b: Box | null): Box | null {
  if (!a) return b;
  if (!b) return a;
  return { x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) };
}
