// The canvases that lie over one another: the photo below, the mask above it. Each is drawn only where something changed; a view
// that was only moved is copied and completed at its edges.
import { uniteBoxes, type Box } from "../model/geometry";
import { composeOverlay, type OverlaySource } from "./overlay";
import type { Photo } from "./photo";
import type { Viewport } from "./viewport";

/** Device pixels per photo pixel from which on a grid separates the photo's pixels. */
const kGridScale = 14;

/** What a layer showed when it was drawn last. */
interface Drawn {
  width: number;
  height: number;
  scale: number;
  orientation: number;
  offsetX: number;
  offsetY: number;
}

function drawn(view: Viewport): Drawn {
  const { width, height, scale, orientation, offsetX, offsetY } = view;
  return { width, height, scale, orientation, offsetX, offsetY };
}

/** How far the view was moved since, or null if more than that is different. */
function moved(last: Drawn | null, view: Viewport): { dx: number; dy: number } | null {
  if (!last || last.width !== view.width || last.height !== view.height) return null;
  if (last.scale !== view.scale || last.orientation !== view.orientation) return null;
  const dx = view.offsetX - last.offsetX;
  const dy = view.offsetY - last.offsetY;
  return Math.abs(dx) < view.width && Math.abs(dy) < view.height ? { dx, dy } : null;
}

/** The parts of the screen that came into sight when all was moved by (dx, dy). */
export function uncovered(width: number, height: number, dx: number, dy: number): Box[] {
  const boxes: Box[] = [];
  if (dy > 0) boxes.push({ x0: 0, y0: 0, x1: width, y1: dy });
  if (dy < 0) boxes.push({ x0: 0, y0: height + dy, x1: width, y1: height });
  const y0 = Math.max(0, dy);
  const y1 = Math.min(height, height + dy);
  if (dx > 0) boxes.push({ x0: 0, y0, x1: dx, y1 });
  if (dx < 0) boxes.push({ x0: width + dx, y0, x1: width, y1 });
  return boxes;
}

function context2d(canvas: HTMLCanvasElement, alpha: boolean): CanvasRenderingContext2D {
  // What is painted need not wait for the rest of the page.
  const context = canvas.getContext("2d", { alpha, desynchronized: true });
  if (!context) throw new Error("This browser gives no 2D canvas, which painting needs.");
  return context;
}

function whole(view: Viewport): Box {
  return { x0: 0, y0: 0, x1: view.width, y1: view.height };
}

export class PhotoLayer {
  private readonly context: CanvasRenderingContext2D;
  private last: Drawn | null = null;
  /** Colour beside the photo. */
  ground = "#20262a";

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = context2d(canvas, false);
  }

  /** All is drawn again next time: another photo, more of it, another ground. */
  invalidate(): void {
    this.last = null;
  }

  draw(view: Viewport, photo: Photo | null): void {
    const { canvas, context } = this;
    if (canvas.width !== view.width || canvas.height !== view.height) {
      canvas.width = view.width;
      canvas.height = view.height;
      this.last = null;
    }
    const by = moved(this.last, view);
    if (by && by.dx === 0 && by.dy === 0) return;
    if (by) {
      context.globalCompositeOperation = "copy";
      context.drawImage(canvas, by.dx, by.dy);
      context.globalCompositeOperation = "source-over";
      for (const box of uncovered(view.width, view.height, by.dx, by.dy)) this.drawBox(view, photo, box);
    } else {
      this.drawBox(view, photo, whole(view));
    }
    this.last = drawn(view);
  }

  private drawBox(view: Viewport, photo: Photo | null, box: Box): void {
    const { context } = this;
    context.fillStyle = this.ground;
    context.fillRect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
    if (!photo) return;
    photo.draw(context, view, box);
    if (view.scale >= kGridScale) drawGrid(context, view, box);
  }
}

function drawGrid(context: CanvasRenderingContext2D, view: Viewport, box: Box): void {
  const on = view.photoBox();
  const x0 = Math.max(box.x0, on.x0);
  const x1 = Math.min(box.x1, on.x1);
  const y0 = Math.max(box.y0, on.y0);
  const y1 = Math.min(box.y1, on.y1);
  context.fillStyle = "rgb(128 128 128 / 40%)";
  const first = (from: number, offset: number): number => Math.max(1, Math.ceil((from - offset) / view.scale));
  for (let i = first(x0, view.offsetX); ; ++i) {
    const x = Math.round(view.offsetX + i * view.scale);
    if (x >= x1) break;
    context.fillRect(x, y0, 1, y1 - y0);
  }
  for (let i = first(y0, view.offsetY); ; ++i) {
    const y = Math.round(view.offsetY + i * view.scale);
    if (y >= y1) break;
    context.fillRect(x0, y, x1 - x0, 1);
  }
}

export class OverlayLayer {
  private readonly context: CanvasRenderingContext2D;
  private image: ImageData | null = null;
  private words = new Uint32Array(0);
  private last: Drawn | null = null;
  private dirty: Box | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = context2d(canvas, true);
  }

  /** All is composed again next time: other colours, another mask. */
  invalidate(): void {
    this.last = null;
  }

  /** The mask changed in these photo pixels. */
  touch(box: Box): void {
    this.dirty = uniteBoxes(this.dirty, box);
  }

  // The screen pixels to compose again; the border of an outline may lie one pixel beside what changed.
  private dirtyOnScreen(view: Viewport): Box | null {
    if (!this.dirty) return null;
    const at = view.screenBox(this.dirty);
    const wider = { x0: Math.max(0, at.x0 - 1), y0: Math.max(0, at.y0 - 1), x1: Math.min(view.width, at.x1 + 1), y1: Math.min(view.height, at.y1 + 1) };
    return wider.x0 < wider.x1 && wider.y0 < wider.y1 ? wider : null;
  }

  draw(view: Viewport, source: OverlaySource | null): void {
    const { canvas, context } = this;
    if (canvas.width !== view.width || canvas.height !== view.height || !this.image) {
      canvas.width = view.width;
      canvas.height = view.height;
      this.image = context.createImageData(view.width, view.height);
      this.words = new Uint32Array(this.image.data.buffer);
      this.last = null;
    }
    if (!source) {
      context.clearRect(0, 0, view.width, view.height);
      this.last = null;
      return;
    }
    const by = moved(this.last, view);
    const dirty = this.dirtyOnScreen(view);
    if (!by) {
      composeOverlay(this.words, view, source, whole(view));
      context.putImageData(this.image, 0, 0);
    } else if (by.dx !== 0 || by.dy !== 0) {
      shift(this.words, view.width, by.dx, by.dy);
      for (const box of uncovered(view.width, view.height, by.dx, by.dy)) composeOverlay(this.words, view, source, box);
      if (source.outline) this.seams(view, source, by.dx, by.dy);
      if (dirty) composeOverlay(this.words, view, source, dirty);
      context.putImageData(this.image, 0, 0);
    } else if (dirty) {
      const { x0, y0, x1, y1 } = dirty;
      composeOverlay(this.words, view, source, dirty);
      context.putImageData(this.image, 0, 0, x0, y0, x1 - x0, y1 - y0);
    }
    this.dirty = null;
    this.last = drawn(view);
  }

  // An outline at the old edge of the screen was found without its neighbours beyond.
  private seams(view: Viewport, source: OverlaySource, dx: number, dy: number): void {
    for (const box of uncovered(view.width, view.height, dx, dy)) {
      const wider = { x0: Math.max(0, box.x0 - 2), y0: Math.max(0, box.y0 - 2), x1: Math.min(view.width, box.x1 + 2), y1: Math.min(view.height, box.y1 + 2) };
      composeOverlay(this.words, view, source, wider);
    }
  }
}

/** Moves all pixels of an image by (dx, dy); what comes into sight holds what happens to be there. */
export function shift(words: Uint32Array, width: number, dx: number, dy: number): void {
  const by = dy * width + dx;
  if (by > 0) words.copyWithin(by, 0, words.length - by);
  else if (by < 0) words.copyWithin(0, -by);
}
