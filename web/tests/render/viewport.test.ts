import { describe, expect, it } from "vitest";
import { imagePoint, screenPoint } from "../../src/model/geometry";
import { Spans } from "../../src/model/spans";
import { shift, uncovered } from "../../src/render/layers";
import { composeOverlay, drawSpans, overlayPalette, packColor } from "../../src/render/overlay";
import { levelCount, levelFor, planLevel } from "../../src/render/photoPlan";
import { Viewport } from "../../src/render/viewport";

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}

function randomView(): Viewport {
  const view = new Viewport();
  view.width = 20 + Math.floor(random() * 60);
  view.height = 20 + Math.floor(random() * 60);
  view.imageWidth = 1 + Math.floor(random() * 40);
  view.imageHeight = 1 + Math.floor(random() * 40);
  view.orientation = 1 + Math.floor(random() * 8);
  view.fit();
  view.zoomTo(view.leastScale + random() * 6, screenPoint(random() * view.width, random() * view.height));
  view.moveBy((random() - 0.5) * 60, (random() - 0.5) * 60);
  return view;
}

function randomMask(view: Viewport): Uint8Array {
  return Uint8Array.from({ length: view.imageWidth * view.imageHeight }, () => Math.floor(random() * 4));
}

const palette = overlayPalette([
  [1, "#ff0000"],
  [2, "#00ff00"],
  [3, "#0000ff"],
]);

/** The naive twin: each screen pixel asks for the photo pixel under its centre. */
function naive(view: Viewport, pixels: Uint8Array, outline: boolean): Uint32Array {
  const valueAt = (x: number, y: number): number | null => {
    if (x < 0 || y < 0 || x >= view.width || y >= view.height) return null;
    const p = view.toImage(screenPoint(x + 0.5, y + 0.5));
    const [i, j] = [Math.floor(p.x), Math.floor(p.y)];
    return i < 0 || j < 0 || i >= view.imageWidth || j >= view.imageHeight ? null : pixels[j * view.imageWidth + i]!;
  };
  const out = new Uint32Array(view.width * view.height);
  for (let y = 0; y < view.height; ++y)
    for (let x = 0; x < view.width; ++x) {
      const value = valueAt(x, y);
      if (value === null) continue;
      const neighbours = [valueAt(x - 1, y), valueAt(x + 1, y), valueAt(x, y - 1), valueAt(x, y + 1)];
      if (!outline || neighbours.some((one) => one !== null && one !== value)) out[y * view.width + x] = palette[value]!;
    }
  return out;
}

describe("viewport", () => {
  it("turns a photo as EXIF says: where the first row and column are seen", () => {
    const corner: Record<number, [number, number]> = { 1: [0, 0], 2: [3, 0], 3: [3, 2], 4: [0, 2], 5: [0, 0], 6: [2, 0], 7: [2, 3], 8: [0, 3] };
    const firstRow: Record<number, [number, number]> = { 1: [1, 0], 2: [-1, 0], 3: [-1, 0], 4: [1, 0], 5: [0, 1], 6: [0, 1], 7: [0, -1], 8: [0, -1] };
    for (let orientation = 1; orientation <= 8; ++orientation) {
      const view = new Viewport();
      Object.assign(view, { imageWidth: 3, imageHeight: 2, orientation });
      const at = view.toScreen(imagePoint(0, 0));
      expect([at.x, at.y], `orientation ${orientation}`).toEqual(corner[orientation]);
      const next = view.toScreen(imagePoint(1, 0));
      expect([next.x - at.x, next.y - at.y], `orientation ${orientation}`).toEqual(firstRow[orientation]);
    }
  });

  it("finds back every point of photo and screen", () => {
    for (let i = 0; i < 300; ++i) {
      const view = randomView();
      const p = imagePoint(random() * 40, random() * 40);
      const back = view.toImage(view.toScreen(p));
      expect(back.x).toBeCloseTo(p.x, 8);
      expect(back.y).toBeCloseTo(p.y, 8);
    }
  });

  it("keeps what is under the pointer when it zooms, to within a pixel of the screen", () => {
    const view = new Viewport();
    Object.assign(view, { width: 1000, height: 800, imageWidth: 4000, imageHeight: 3000, orientation: 6 });
    view.fit();
    const at = screenPoint(480, 390);
    const before = view.toImage(at);
    for (let i = 0; i < 10; ++i) view.zoomBy(1.3, at);
    const after = view.toScreen(before);
    expect(Math.abs(after.x - at.x)).toBeLessThan(8);
    expect(Math.abs(after.y - at.y)).toBeLessThan(8);
  });

  it("never lets the photo out of sight", () => {
    for (let i = 0; i < 100; ++i) {
      const view = randomView();
      if (Math.min(view.imageWidth, view.imageHeight) * view.scale < 2) continue; // less than a pixel is not seen anywhere
      view.moveBy((random() - 0.5) * 1e5, (random() - 0.5) * 1e5);
      const box = view.photoBox();
      expect(box.x1 - box.x0).toBeGreaterThan(0);
      expect(box.y1 - box.y0).toBeGreaterThan(0);
    }
  });
});

describe("overlay", () => {
  it.each([false, true])("equals a naive twin for random views and orientations (outline %s)", (outline) => {
    for (let i = 0; i < 150; ++i) {
      const view = randomView();
      const pixels = randomMask(view);
      const out = new Uint32Array(view.width * view.height).fill(7);
      composeOverlay(out, view, { pixels, palette, outline }, { x0: 0, y0: 0, x1: view.width, y1: view.height });
      expect(out).toEqual(naive(view, pixels, outline));
    }
  });

  it("makes a part of the screen as it makes the whole, and leaves the rest alone", () => {
    for (let i = 0; i < 100; ++i) {
      const view = randomView();
      const pixels = randomMask(view);
      const box = { x0: Math.floor(random() * view.width), y0: Math.floor(random() * view.height), x1: view.width, y1: view.height };
      const whole = naive(view, pixels, true);
      const out = new Uint32Array(whole.length).fill(7);
      composeOverlay(out, view, { pixels, palette, outline: true }, box);
      expect(out).toEqual(whole.map((one, i) => (i % view.width >= box.x0 && i >= box.y0 * view.width ? one : 7)));
    }
  });

  it("covers with a changed box every screen pixel that shows it", () => {
    for (let i = 0; i < 200; ++i) {
      const view = randomView();
      const before = randomMask(view);
      const after = before.slice();
      const x = Math.floor(random() * view.imageWidth);
      const y = Math.floor(random() * view.imageHeight);
      after[y * view.imageWidth + x] = (before[y * view.imageWidth + x]! + 1) % 4;
      const out = naive(view, before, false);
      composeOverlay(out, view, { pixels: after, palette, outline: false }, view.screenBox({ x0: x, y0: y, x1: x + 1, y1: y + 1 }));
      expect(out).toEqual(naive(view, after, false));
    }
  });

  it("at a scale of one and more shows each photo pixel as one square", () => {
    const view = new Viewport();
    Object.assign(view, { width: 40, height: 30, imageWidth: 4, imageHeight: 3, scale: 10 });
    const pixels = Uint8Array.from([0, 1, 2, 3, 1, 2, 3, 0, 2, 3, 0, 1]);
    const out = new Uint32Array(1200);
    composeOverlay(out, view, { pixels, palette, outline: false }, { x0: 0, y0: 0, x1: 40, y1: 30 });
    for (let y = 0; y < 30; ++y)
      for (let x = 0; x < 40; ++x) expect(out[y * 40 + x]).toBe(palette[pixels[Math.floor(y / 10) * 4 + Math.floor(x / 10)]!]);
  });

  it("moved and completed at its edges equals composed anew", () => {
    for (let i = 0; i < 100; ++i) {
      const view = randomView();
      const pixels = randomMask(view);
      const source = { pixels, palette, outline: false };
      const out = new Uint32Array(view.width * view.height);
      composeOverlay(out, view, source, { x0: 0, y0: 0, x1: view.width, y1: view.height });
      const { offsetX, offsetY } = view;
      view.moveBy((random() - 0.5) * 30, (random() - 0.5) * 30);
      const [dx, dy] = [view.offsetX - offsetX, view.offsetY - offsetY];
      if (Math.abs(dx) >= view.width || Math.abs(dy) >= view.height) continue;
      shift(out, view.width, dx, dy);
      for (const box of uncovered(view.width, view.height, dx, dy)) composeOverlay(out, view, source, box);
      expect(out).toEqual(naive(view, pixels, false));
    }
  });

  it("draws spans where they are seen", () => {
    const view = new Viewport();
    Object.assign(view, { width: 20, height: 20, imageWidth: 10, imageHeight: 10, scale: 2 });
    const spans = new Spans();
    spans.push(3, 2, 5);
    const out = new Uint32Array(400);
    const color = packColor("#123456", 130);
    const between = packColor("#123456", 60);
    expect(drawSpans(out, view, spans, color, between)).toEqual({ x0: 4, y0: 6, x1: 10, y1: 8 });
    expect(out.filter((one) => one === color || one === between).length).toBe(12);
    expect([...out.subarray(6 * 20 + 4, 6 * 20 + 10)]).toEqual([between, between, color, color, color, color]);
    expect([...new Uint8Array(new Uint32Array([color]).buffer)]).toEqual([0x12, 0x34, 0x56, 130]);
  });
});

describe("photo plan", () => {
  it.each([
    [1, 1],
    [4000, 3000],
    [12000, 9000],
    [30001, 17],
  ])("covers %i x %i once on every level, large ones in tiles", (width, height) => {
    for (let level = 0; level < levelCount(width, height); ++level) {
      const tiles = planLevel(width, height, level);
      expect(tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0)).toBe(width * height);
      for (const tile of tiles) {
        expect(tile.x + tile.width).toBeLessThanOrEqual(width);
        expect(tile.y + tile.height).toBeLessThanOrEqual(height);
        expect(tile.bitmapWidth).toBe(Math.ceil(tile.width / 2 ** level));
        expect(tile.bitmapWidth * tile.bitmapHeight).toBeLessThanOrEqual(17_000_000);
      }
    }
  });

  it("draws from a level that is at least as fine as the screen", () => {
    for (const scale of [0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.9, 1, 2, 40]) {
      const level = levelFor(scale, 20);
      expect(2 ** level * scale).toBeLessThanOrEqual(Math.max(1, scale) + 1e-6);
      expect(2 ** (level + 1) * scale).toBeGreaterThan(1);
    }
  });
});
