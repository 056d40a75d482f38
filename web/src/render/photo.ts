// A photo ready to be drawn at any scale.
import type { Box } from "../model/geometry";
import { decodePhoto, type PhotoNews } from "./photoDecode";
import { levelCount, levelFor, planLevel, type TilePlan } from "./photoPlan";
import PhotoWorker from "./photoWorker?worker&inline";
import type { Viewport } from "./viewport";

interface Tile {
  plan: TilePlan;
  bitmap: ImageBitmap;
}

export class Photo {
  private readonly levels: Tile[][];
  private readonly complete: boolean[];
  private stop: () => void = () => {};
  /** Share of the tiles that are there, 0..1. */
  progress = 0;

  private constructor(
    readonly width: number,
    readonly height: number,
  ) {
    const count = levelCount(width, height);
    this.levels = Array.from({ length: count }, () => []);
    this.complete = Array.from({ length: count }, () => false);
  }

  /**
   * Decodes off the page's thread. Resolves once something of the whole photo can be drawn; finer tiles follow, each told to
   * `changed`. Rejects with a sentence for people if the file is no photo that this browser knows.
   */
  static open(file: Blob, changed: () => void): Promise<Photo> {
    return new Promise((resolve, reject) => {
      let photo: Photo | null = null;
      let closed = false;
      let worker: Worker | null = null;
      const end = (): void => {
        closed = true;
        worker?.terminate();
      };
      const take = (news: PhotoNews): void => {
        if (closed) return;
        if (news.type === "problem") {
          end();
          reject(new Error(news.message));
        } else if (news.type === "size") {
          photo = new Photo(news.width, news.height);
          photo.stop = end;
        } else if (photo) {
          photo.add(news.plan, news.bitmap);
          photo.progress = news.done / news.total;
          if (photo.complete[photo.levels.length - 1]) resolve(photo);
          if (news.done === news.total) {
            worker?.terminate();
            worker = null;
          }
          changed();
        }
      };
      const here = (): void => void decodePhoto(file, take);
      try {
        worker = new PhotoWorker();
      } catch {
        here();
        return;
      }
      worker.onmessage = (event: MessageEvent<PhotoNews>) => take(event.data);
      // A worker that never started (a content policy forbids it) is replaced by this thread.
      worker.onerror = () => {
        worker?.terminate();
        worker = null;
        if (!closed && !photo) here();
      };
      worker.postMessage(file);
    });
  }

  private add(plan: TilePlan, bitmap: ImageBitmap): void {
    const tiles = this.levels[plan.level]!;
    tiles.push({ plan, bitmap });
    this.complete[plan.level] = tiles.length === planLevel(this.width, this.height, plan.level).length;
  }

  /** Draws what of the photo lies in `box` (screen pixels); the context's transform is left as the identity. */
  draw(context: CanvasRenderingContext2D, view: Viewport, box: Box): void {
    const wanted = levelFor(view.scale, this.levels.length);
    context.save();
    context.beginPath();
    context.rect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
    context.clip();
    context.imageSmoothingEnabled = view.scale < 3;
    context.imageSmoothingQuality = "low";
    context.setTransform(...view.matrix());
    if (!this.complete[wanted]) {
      let under = wanted + 1;
      while (under < this.levels.length && !this.complete[under]) ++under;
      for (const tile of this.levels[under] ?? []) drawTile(context, view, tile, box);
    }
    for (const tile of this.levels[wanted]!) drawTile(context, view, tile, box);
    context.restore();
  }

  /** Frees the bitmaps; nothing more is decoded. */
  close(): void {
    this.stop();
    for (const tiles of this.levels) for (const tile of tiles.splice(0)) tile.bitmap.close();
    this.complete.fill(false);
  }
}

function drawTile(context: CanvasRenderingContext2D, view: Viewport, tile: Tile, clip: Box): void {
  const { plan, bitmap } = tile;
  const onScreen = view.screenBox({ x0: plan.x, y0: plan.y, x1: plan.x + plan.width, y1: plan.y + plan.height });
  const x0 = Math.max(onScreen.x0, clip.x0);
  const y0 = Math.max(onScreen.y0, clip.y0);
  const x1 = Math.min(onScreen.x1, clip.x1);
  const y1 = Math.min(onScreen.y1, clip.y1);
  if (x0 >= x1 || y0 >= y1) return;
  // Only the part in sight is handed over, cut at whole screen pixels (so that neighbours meet without a seam).
  const p = view.toImage({ x: x0, y: y0 } as Parameters<Viewport["toImage"]>[0]);
  const q = view.toImage({ x: x1, y: y1 } as Parameters<Viewport["toImage"]>[0]);
  const left = Math.max(plan.x, Math.min(p.x, q.x));
  const top = Math.max(plan.y, Math.min(p.y, q.y));
  const right = Math.min(plan.x + plan.width, Math.max(p.x, q.x));
  const bottom = Math.min(plan.y + plan.height, Math.max(p.y, q.y));
  if (left >= right || top >= bottom) return;
  const fx = bitmap.width / plan.width;
  const fy = bitmap.height / plan.height;
  context.drawImage(bitmap, (left - plan.x) * fx, (top - plan.y) * fy, (right - left) * fx, (bottom - top) * fy, left, top, right - left, bottom - top);
}
