// Long computations on a mask and its photo, away from the page's thread.
import type { Box, ImagePoint, PhotoPixels } from "../model/geometry";
import type { Mask } from "../model/mask";
import { Spans, type SpanArrays } from "../model/spans";
import { doJob, PhotoSource, type FromWorker, type Job, type JobResult, type Patch, type ToWorker } from "./backgroundJobs";
import InlineWorker from "./backgroundWorker?worker&inline";

/** What of Worker is used. */
export interface WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: ToWorker, transfer: Transferable[]): void;
  terminate(): void;
}

interface Waiting {
  job: Job;
  resolve(result: JobResult): void;
  reject(error: unknown): void;
}

const tile = 256; // of what is sent to the worker after changes

function makeInlineWorker(): WorkerLike {
  return new InlineWorker() as unknown as WorkerLike;
}

/**
 * Computes on a mirror of `mask` in a worker, or, where none can be made, on the page's thread. Every result is of the mask as it
 * was when the method was called. Jobs are done one after another. A job whose signal aborts rejects with an AbortError at once;
 * so does everything that is under way at close.
 */
export class Background {
  private worker: WorkerLike | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private photo: Blob | PhotoPixels | null = null;
  private source = new PhotoSource(null);
  private readonly across: number;
  private readonly down: number;
  private readonly dirty: Uint8Array;
  private readonly stopListening: () => void;
  private closed = false;

  constructor(
    private readonly mask: Mask,
    makeWorker: () => WorkerLike = makeInlineWorker,
  ) {
    this.across = Math.ceil(mask.width / tile);
    this.down = Math.ceil(mask.height / tile);
    this.dirty = new Uint8Array(this.across * this.down);
    if (mask.count(0) < mask.pixels.length) this.dirty.fill(1);
    this.stopListening = mask.onChange((box) => this.soil(box));
    try {
      const worker = makeWorker();
      worker.onmessage = (event) => this.hear(event.data);
      worker.onerror = () => this.doWithoutWorker();
      this.worker = worker;
      worker.postMessage({ type: "open", width: mask.width, height: mask.height }, []);
    } catch {
      this.worker = null;
    }
  }

  /** Whether jobs run in a worker. */
  get apart(): boolean {
    return this.worker !== null;
  }

  /** The photo for wand, as a file (decoded when first needed) or as pixels (which are copied to the worker). */
  setPhoto(photo: Blob | PhotoPixels): void {
    this.photo = photo;
    this.source = new PhotoSource(photo);
    this.worker?.postMessage({ type: "photo", photo }, []);
  }

  /** fill of regions.ts. */
  async fill(seed: ImagePoint, signal?: AbortSignal): Promise<Spans> {
    return spansOf(await this.run({ kind: "fill", seed: { x: seed.x, y: seed.y } }, signal));
  }

  /** wand of regions.ts. */
  async wand(seed: ImagePoint, tolerance: number, contiguous: boolean, signal?: AbortSignal): Promise<Spans> {
    return spansOf(await this.run({ kind: "wand", seed: { x: seed.x, y: seed.y }, tolerance, contiguous }, signal));
  }

  /** enclosedBackground of regions.ts. */
  async enclosed(signal?: AbortSignal, value?: number): Promise<Spans> {
    return spansOf(await this.run({ kind: "enclosed", value: value ?? null }, signal));
  }

  /** islands of regions.ts. */
  async islands(value: number, mostPixels: number, signal?: AbortSignal): Promise<Spans> {
    return spansOf(await this.run({ kind: "islands", value, mostPixels }, signal));
  }

  /** Mask.snapshot, of the time of the call: all deltas that were emitted before this returns its promise are in it, none later. */
  async snapshot(signal?: AbortSignal): Promise<string> {
    this.mask.flush();
    return (await this.run({ kind: "snapshot" }, signal)) as string;
  }

  /** encodeAnswerPng of the mask as it is at the time of the call. */
  async png(colors: ReadonlyMap<number, string>, signal?: AbortSignal): Promise<Uint8Array> {
    return (await this.run({ kind: "png", colors: new Map(colors) }, signal)) as Uint8Array;
  }

  /** Ends the worker; whatever is under way rejects with an AbortError. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopListening();
    this.worker?.terminate();
    this.worker = null;
    for (const one of this.waiting.values()) one.reject(aborted());
    this.waiting.clear();
  }

  private run(job: Job, signal: AbortSignal | undefined): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      if (this.closed || signal?.aborted) {
        reject(aborted());
        return;
      }
      const id = ++this.lastId;
      const cancel = (): void => {
        if (!this.waiting.delete(id)) return;
        this.worker?.postMessage({ type: "cancel", id }, []);
        reject(aborted());
      };
      signal?.addEventListener("abort", cancel, { once: true });
      const done = (): void => signal?.removeEventListener("abort", cancel);
      this.waiting.set(id, {
        job,
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      });
      if (this.worker) {
        this.sendChanges(this.worker);
        this.worker.postMessage({ type: "job", id, job }, []);
      } else {
        this.runHere(id, job);
      }
    });
  }

  private runHere(id: number, job: Job): void {
    doJob(job, this.mask, this.source, true).then(
      (result) => this.finish(id, (one) => one.resolve(result)),
      (error: unknown) => this.finish(id, (one) => one.reject(error)),
    );
  }

  private hear(message: FromWorker): void {
    this.finish(message.id, (one) => {
      if (message.type === "done") one.resolve(message.result);
      else one.reject(new Error(message.message));
    });
  }

  private finish(id: number, tell: (one: Waiting) => void): void {
    const one = this.waiting.get(id);
    if (!one) return; // cancelled
    this.waiting.delete(id);
    tell(one);
  }

  // The worker could not be made, or broke: everything that waits is done here, on the mask as it is now.
  private doWithoutWorker(): void {
    this.worker?.terminate();
    this.worker = null;
    this.source = new PhotoSource(this.photo);
    for (const [id, { job }] of this.waiting) this.runHere(id, job);
  }

  private soil(box: Box): void {
    for (let row = Math.floor(box.y0 / tile); row * tile < box.y1; ++row)
      for (let column = Math.floor(box.x0 / tile); column * tile < box.x1; ++column) this.dirty[row * this.across + column] = 1;
  }

  private sendChanges(worker: WorkerLike): void {
    const { width, height, pixels } = this.mask;
    const patches: Patch[] = [];
    for (let row = 0; row < this.down; ++row)
      for (let column = 0; column < this.across; ) {
        const start = column;
        while (column < this.across && this.dirty[row * this.across + column]) ++column;
        if (column === start) {
          ++column;
          continue;
        }
        const box = { x0: start * tile, y0: row * tile, x1: Math.min(column * tile, width), y1: Math.min((row + 1) * tile, height) };
        const across = box.x1 - box.x0;
        const copy = new Uint8Array(across * (box.y1 - box.y0));
        for (let y = box.y0; y < box.y1; ++y) copy.set(pixels.subarray(y * width + box.x0, y * width + box.x1), (y - box.y0) * across);
        patches.push({ box, pixels: copy });
      }
    if (patches.length === 0) return;
    this.dirty.fill(0);
    worker.postMessage({ type: "patches", patches }, patches.map((patch) => patch.pixels.buffer as ArrayBuffer));
  }
}

function aborted(): DOMException {
  return new DOMException("the computation was cancelled", "AbortError");
}

function spansOf(result: JobResult): Spans {
  return Spans.fromArrays(result as SpanArrays);
}
