// What is computed away from the page's thread, and the messages for it.
import { encodeAnswerPng } from "../model/answer";
import { withoutOrientation } from "../model/exif";
import { imagePoint, type Box, type PhotoPixels, type Raster } from "../model/geometry";
import { encodeSnapshot } from "../model/snapshot";
import type { SpanArrays, Spans } from "../model/spans";
import { enclosedBackground, fill, islands, wand } from "./regions";

interface Place {
  x: number;
  y: number;
}

export type Job =
  | { kind: "fill"; seed: Place }
  | { kind: "wand"; seed: Place; tolerance: number; contiguous: boolean }
  | { kind: "enclosed"; value: number | null }
  | { kind: "islands"; value: number; mostPixels: number }
  | { kind: "snapshot" }
  | { kind: "png"; colors: ReadonlyMap<number, string> };

export type JobResult = SpanArrays | string | Uint8Array;

/** A part of the mask as it is now, its rows one after another. */
export interface Patch {
  box: Box;
  pixels: Uint8Array;
}

export type ToWorker =
  | { type: "open"; width: number; height: number }
  | { type: "photo"; photo: Blob | PhotoPixels | null }
  | { type: "patches"; patches: Patch[] }
  | { type: "job"; id: number; job: Job }
  | { type: "cancel"; id: number };

export type FromWorker = { type: "done"; id: number; result: JobResult } | { type: "failed"; id: number; message: string };

/** The photo of the wand: decoded when it is first asked for, and once. */
export class PhotoSource {
  private decoded: Promise<PhotoPixels> | null = null;

  constructor(private readonly photo: Blob | PhotoPixels | null) {}

  pixels(): Promise<PhotoPixels> {
    return (this.decoded ??= this.decode());
  }

  private async decode(): Promise<PhotoPixels> {
    const { photo } = this;
    if (!photo) throw new Error("there is no photo to look at yet");
    return photo instanceof Blob ? await decodePhoto(photo) : photo;
  }
}

async function decodePhoto(photo: Blob): Promise<PhotoPixels> {
  const stored = withoutOrientation(new Uint8Array(await photo.arrayBuffer())) as Uint8Array<ArrayBuffer>;
  const bitmap = await createImageBitmap(new Blob([stored], { type: photo.type }), {
    imageOrientation: "none",
    premultiplyAlpha: "none",
  });
  const { width, height } = bitmap;
  try {
    const context = canvasContext(width, height);
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: context.getImageData(0, 0, width, height).data };
  } finally {
    bitmap.close();
  }
}

function canvasContext(width: number, height: number): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  let context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
  if (typeof OffscreenCanvas !== "undefined") {
    context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  } else {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    context = canvas.getContext("2d", { willReadFrequently: true });
  }
  if (!context) throw new Error(`this browser cannot read the pixels of a photo of ${width} x ${height}`);
  return context;
}

/** Does one job on the mask. What it needs of the mask after its first pause is a copy when `mask` may change meanwhile. */
export async function doJob(job: Job, mask: Raster, photo: PhotoSource, mayChange: boolean): Promise<JobResult> {
  const arrays = (spans: Spans): SpanArrays => spans.toArrays();
  switch (job.kind) {
    case "fill":
      return arrays(fill(mask, imagePoint(job.seed.x, job.seed.y)));
    case "wand": {
      const pixels = await photo.pixels();
      if (pixels.width !== mask.width || pixels.height !== mask.height)
        throw new Error(`the photo has ${pixels.width} x ${pixels.height} pixels, the mask ${mask.width} x ${mask.height}`);
      return arrays(wand(pixels, imagePoint(job.seed.x, job.seed.y), job.tolerance, job.contiguous));
    }
    case "enclosed":
      return arrays(enclosedBackground(mask, job.value ?? undefined));
    case "islands":
      return arrays(islands(mask, job.value, job.mostPixels));
    case "snapshot":
      return encodeSnapshot(mask);
    case "png":
      return encodeAnswerPng(
        mayChange ? { width: mask.width, height: mask.height, pixels: mask.pixels.slice() } : mask,
        job.colors,
      );
  }
}

/** The other end of Background in its worker: takes messages in order, one after another, and skips jobs cancelled in time. */
export class JobServer {
  private mask: { width: number; height: number; pixels: Uint8Array } = { width: 0, height: 0, pixels: new Uint8Array(0) };
  private photo = new PhotoSource(null);
  private readonly queue: ToWorker[] = [];
  private readonly cancelled = new Set<number>();
  private running = false;

  /** `pause` lets messages come in that are waiting. */
  constructor(
    private readonly send: (message: FromWorker, transfer: Transferable[]) => void,
    private readonly pause: () => Promise<void>,
  ) {}

  take(message: ToWorker): void {
    if (message.type === "cancel") this.cancelled.add(message.id);
    else this.queue.push(message);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let message = this.queue.shift(); message; message = this.queue.shift()) {
      if (message.type === "open") {
        const { width, height } = message;
        this.mask = { width, height, pixels: new Uint8Array(width * height) };
      } else if (message.type === "photo") {
        this.photo = new PhotoSource(message.photo);
      } else if (message.type === "patches") {
        for (const patch of message.patches) this.patch(patch);
      } else if (message.type === "job") {
        await this.pause();
        if (!this.cancelled.delete(message.id)) await this.answer(message.id, message.job);
      }
    }
    this.cancelled.clear(); // of jobs that were done by then
    this.running = false;
  }

  private patch({ box, pixels }: Patch): void {
    const across = box.x1 - box.x0;
    for (let y = box.y0; y < box.y1; ++y)
      this.mask.pixels.set(pixels.subarray((y - box.y0) * across, (y - box.y0 + 1) * across), y * this.mask.width + box.x0);
  }

  private async answer(id: number, job: Job): Promise<void> {
    try {
      const result = await doJob(job, this.mask, this.photo, false);
      this.send({ type: "done", id, result }, buffersOf(result));
    } catch (error) {
      this.send({ type: "failed", id, message: error instanceof Error ? error.message : String(error) }, []);
    }
  }
}

function buffersOf(result: JobResult): Transferable[] {
  if (typeof result === "string") return [];
  if (result instanceof Uint8Array) return [result.buffer as ArrayBuffer];
  return [result.y, result.x0, result.x1].map((array) => array.buffer as ArrayBuffer);
}
