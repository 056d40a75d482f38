// The mask as colours on the screen: every screen pixel shows the class of the photo pixel under its centre, so that at a scale of
// one and more each photo pixel is exactly a square of its class.
import { uniteBoxes, type Box } from "../model/geometry";
import type { Spans } from "../model/spans";
import type { Viewport } from "./viewport";

/** Colours of the 256 values as the 32-bit pixels of an ImageData on this machine; 0 is nothing at all. */
export type OverlayPalette = Uint32Array;

/** A palette in which each listed value is opaque; all others, background among them, are clear. Colours are "#rrggbb". */
export function overlayPalette(colors: Iterable<readonly [value: number, color: string]>): OverlayPalette {
  const palette = new Uint32Array(256);
  for (const [value, color] of colors) palette[value] = packColor(color, 255);
  return palette;
}

/** "#rrggbb" and an alpha of 0..255 as one 32-bit pixel of an ImageData. */
export function packColor(color: string, alpha: number): number {
  const rgb = Number.parseInt(color.slice(1), 16);
  const bytes = new Uint8ClampedArray([rgb >> 16, (rgb >> 8) & 255, rgb & 255, alpha]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}

export interface OverlaySource {
  pixels: Uint8Array;
  palette: OverlayPalette;
  /** Only the borders of areas are drawn, two screen pixels wide. */
  outline: boolean;
}

/**
 * Writes the screen pixels of `box` (clipped to the canvas) into `out`, the 32-bit pixels of an ImageData as large as the
 * viewport. Pixels beside the photo become clear.
 */
export function composeOverlay(out: Uint32Array, view: Viewport, source: OverlaySource, box: Box): void {
  const stride = view.width;
  const on = view.photoBox();
  const x0 = Math.max(box.x0, on.x0);
  const x1 = Math.min(box.x1, on.x1);
  const y0 = Math.max(box.y0, on.y0);
  const y1 = Math.min(box.y1, on.y1);
  if (x0 > box.x0 || x1 < box.x1 || y0 > box.y0 || y1 < box.y1) {
    for (let y = box.y0; y < box.y1; ++y) out.fill(0, y * stride + box.x0, y * stride + box.x1);
  }
  if (x0 >= x1 || y0 >= y1) return;
  if (source.outline) {
    composeOutline(out, view, source, { x0, y0, x1, y1 }, on);
    return;
  }
  const { pixels, palette } = source;
  const { across, down } = view.samples({ x0, y0, x1, y1 });
  const wide = x1 - x0;
  for (let y = y0; y < y1; ++y) {
    const row = down[y - y0]!;
    // A row that samples the same photo pixels as the one above is a copy of it.
    if (y > y0 && row === down[y - y0 - 1]) {
      const above = (y - 1) * stride + x0;
      out.copyWithin(y * stride + x0, above, above + wide);
      continue;
    }
    let at = y * stride + x0;
    for (let i = 0; i < wide; ++i) out[at++] = palette[pixels[across[i]! + row]!]!;
  }
}

function composeOutline(out: Uint32Array, view: Viewport, source: OverlaySource, box: Box, on: Box): void {
  const { pixels, palette } = source;
  // One screen pixel around, as far as the photo goes: the borders are found between neighbours on the screen.
  const wider = { x0: Math.max(on.x0, box.x0 - 1), y0: Math.max(on.y0, box.y0 - 1), x1: Math.min(on.x1, box.x1 + 1), y1: Math.min(on.y1, box.y1 + 1) };
  const { across, down } = view.samples(wider);
  const left = box.x0 - wider.x0;
  const lastColumn = across.length - 1;
  const lastRow = down.length - 1;
  for (let y = box.y0; y < box.y1; ++y) {
    const j = y - wider.y0;
    const row = down[j]!;
    const above = down[Math.max(0, j - 1)]!;
    const below = down[Math.min(lastRow, j + 1)]!;
    let at = y * view.width + box.x0;
    for (let x = box.x0; x < box.x1; ++x) {
      const i = left + x - box.x0;
      const column = across[i]!;
      const value = pixels[column + row]!;
      const border =
        pixels[column + above] !== value ||
        pixels[column + below] !== value ||
        pixels[across[Math.max(0, i - 1)]! + row] !== value ||
        pixels[across[Math.min(lastColumn, i + 1)]! + row] !== value;
      out[at++] = border ? palette[value]! : 0;
    }
  }
}

/** Stripes over the screen pixels that show the spans, for previews: nobody takes them for paint. `out` as in composeOverlay. Returns the box that was touched. */
export function drawSpans(out: Uint32Array, view: Viewport, spans: Spans, color: number, between: number): Box | null {
  let touched: Box | null = null;
  for (let i = 0; i < spans.length; ++i) {
    const box = view.screenBox({ x0: spans.x0[i]!, x1: spans.x1[i]!, y0: spans.y[i]!, y1: spans.y[i]! + 1 });
    if (box.x0 >= box.x1 || box.y0 >= box.y1) continue;
    for (let y = box.y0; y < box.y1; ++y) {
      const row = y * view.width;
      for (let x = box.x0; x < box.x1; ++x) out[row + x] = (x + y) & 4 ? color : between;
    }
    touched = uniteBoxes(touched, box);
  }
  return touched;
}
