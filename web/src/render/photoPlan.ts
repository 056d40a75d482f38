// How a photo is kept for drawing: itself and halved copies of it, large ones cut into tiles.

/** A rectangle of stored photo pixels and the size of the bitmap that shows it. */
export interface TilePlan {
  level: number; // the bitmap holds every 2^level-th pixel in both directions
  x: number;
  y: number;
  width: number;
  height: number;
  bitmapWidth: number;
  bitmapHeight: number;
}

/** Photos with more pixels than this are cut into tiles. */
export const kMostWholePixels = 16_000_000;
const kTile = 2048;
const kSmallestSide = 640;

/** How many levels a photo of this size has; the last fits into a small square. */
export function levelCount(width: number, height: number): number {
  let levels = 1;
  while (Math.max(width, height) / 2 ** (levels - 1) > kSmallestSide) ++levels;
  return levels;
}

/** The tiles of one level, row by row; together they cover the photo once. */
export function planLevel(width: number, height: number, level: number): TilePlan[] {
  const factor = 2 ** level;
  const whole = (width / factor) * (height / factor) <= kMostWholePixels;
  const step = whole ? Math.max(width, height) : kTile * factor;
  const tiles: TilePlan[] = [];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      const w = Math.min(step, width - x);
      const h = Math.min(step, height - y);
      tiles.push({ level, x, y, width: w, height: h, bitmapWidth: Math.ceil(w / factor), bitmapHeight: Math.ceil(h / factor) });
    }
  }
  return tiles;
}

/** The level to draw at a scale: its pixels are no larger on the screen than one device pixel, if there is such a level. */
export function levelFor(scale: number, levels: number): number {
  return Math.min(levels - 1, Math.max(0, Math.floor(Math.log2(1 / scale) + 1e-9)));
}
