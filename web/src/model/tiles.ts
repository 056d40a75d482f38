// Copies of the parts of a raster that are about to change, tile by tile: what an edit needs to know what it changed.
import type { Raster } from "./geometry";

const side = 128;

export class TileCopies {
  private readonly across: number;
  private readonly copies = new Map<number, Uint8Array>();

  constructor(private readonly raster: Raster) {
    this.across = Math.ceil(raster.width / side);
  }

  /** Copies the tiles of a run that have no copy yet. To be called before the run changes. */
  touch(y: number, x0: number, x1: number): void {
    const row = Math.floor(y / side) * this.across;
    const last = Math.floor((x1 - 1) / side);
    for (let column = Math.floor(x0 / side); column <= last; ++column) this.keep(row + column);
  }

  /** Copies one tile if it has no copy yet. */
  keep(tile: number): void {
    if (this.copies.has(tile)) return;
    const { pixels, width } = this.raster;
    const { x0, y0, x1, y1 } = this.place(tile);
    const copy = new Uint8Array((x1 - x0) * (y1 - y0));
    for (let y = y0; y < y1; ++y) copy.set(pixels.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
    this.copies.set(tile, copy);
  }

  forEachTile(visit: (tile: number, copy: Uint8Array) => void): void {
    this.copies.forEach((copy, tile) => visit(tile, copy));
  }

  place(tile: number): { x0: number; y0: number; x1: number; y1: number } {
    const x0 = (tile % this.across) * side;
    const y0 = Math.floor(tile / this.across) * side;
    return { x0, y0, x1: Math.min(x0 + side, this.raster.width), y1: Math.min(y0 + side, this.raster.height) };
  }

  /** Calls `visit` with each run that differs from its copy and is of one old and one new value, in order of rows and starts. A run ends at the latest where its tile does. */
  differences(visit: (y: number, x0: number, x1: number, old: number, value: number) => void): void {
    const { pixels, width } = this.raster;
    const tiles = [...this.copies.keys()].sort((a, b) => a - b);
    for (let first = 0; first < tiles.length; ) {
      const tileRow = Math.floor(tiles[first]! / this.across);
      let end = first + 1;
      while (end < tiles.length && Math.floor(tiles[end]! / this.across) === tileRow) ++end;
      const row = tiles.slice(first, end).map((tile) => ({ ...this.place(tile), copy: this.copies.get(tile)! }));
      for (let y = row[0]!.y0; y < row[0]!.y1; ++y)
        for (const { x0, y0, x1, copy } of row) {
          const here = y * width;
          const there = (y - y0) * (x1 - x0) - x0;
          for (let x = x0; x < x1; ) {
            const value = pixels[here + x]!;
            const old = copy[there + x]!;
            if (value === old) {
              ++x;
              continue;
            }
            let next = x + 1;
            while (next < x1 && pixels[here + next] === value && copy[there + next] === old) ++next;
            visit(y, x, next, old, value);
            x = next;
          }
        }
      first = end;
    }
  }
}

/** Puts the copies back. */
export function restoreTiles(raster: Raster, copies: TileCopies): void {
  const { pixels, width } = raster;
  copies.forEachTile((tile, copy) => {
    const { x0, y0, x1, y1 } = copies.place(tile);
    for (let y = y0; y < y1; ++y) pixels.set(copy.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), y * width + x0);
  });
}
