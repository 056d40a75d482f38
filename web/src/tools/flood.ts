// Connected areas, row run by row run.
import { Spans } from "../model/spans";

/** Collects the connected areas (four neighbours) of pixels equal to `value` that hold given pixels. Memory: one bit a pixel, and the runs. */
export class Flood {
  private readonly words: number; // of 32 pixels, a row
  private readonly seen: Int32Array;
  private readonly prepared: Uint8Array | null;
  private ys: Int32Array = new Int32Array(1024);
  private starts: Int32Array = new Int32Array(1024);
  private ends: Int32Array = new Int32Array(1024);
  private count = 0;

  /** `prepareRow`, if there is one, is called once for each row before `pixels` is read there. */
  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly pixels: Uint8Array,
    private readonly value: number,
    private readonly prepareRow?: (y: number) => void,
  ) {
    this.words = Math.ceil(width / 32);
    this.seen = new Int32Array(this.words * height);
    this.prepared = prepareRow ? new Uint8Array(height) : null;
  }

  /** Whether the pixel is in an area that was collected or, for being too large, dropped. */
  has(x: number, y: number): boolean {
    return ((this.seen[y * this.words + (x >>> 5)]! >>> (x & 31)) & 1) === 1;
  }

  /** The first x at or after the given one for which `has` is false; the width if there is none. */
  nextOutside(x: number, y: number): number {
    const row = y * this.words;
    let at = x;
    while (at < this.width) {
      const rest = ~this.seen[row + (at >>> 5)]! >>> (at & 31);
      if (rest !== 0) {
        while (((this.seen[row + (at >>> 5)]! >>> (at & 31)) & 1) === 1) ++at;
        return Math.min(at, this.width);
      }
      at = (at | 31) + 1;
    }
    return this.width;
  }

  /** Adds the area that holds the pixel, unless it is there already, the pixel has another value, or the area has more than `mostPixels` pixels. */
  from(x: number, y: number, mostPixels = Infinity): void {
    const first = this.count;
    this.ready(y);
    if (this.pixels[y * this.width + x] !== this.value || this.has(x, y)) return;
    let area = this.take(x, y);
    // The runs found so far are the queue: each one looks at the rows above and below it.
    for (let i = first; i < this.count; ++i) {
      const row = this.ys[i]!;
      const start = this.starts[i]!;
      const end = this.ends[i]!;
      if (row > 0) area += this.look(row - 1, start, end);
      if (row + 1 < this.height) area += this.look(row + 1, start, end);
    }
    if (area > mostPixels) this.count = first;
  }

  /** All that was collected. */
  spans(): Spans {
    return Spans.fromUnsorted({ y: this.ys, x0: this.starts, x1: this.ends }, this.count, this.height);
  }

  private look(y: number, start: number, end: number): number {
    this.ready(y);
    const { pixels, value } = this;
    const row = y * this.width;
    let area = 0;
    for (let x = this.nextOutside(start, y); x < end; x = this.nextOutside(x, y)) {
      if (pixels[row + x] === value) area += this.take(x, y);
      else ++x;
    }
    return area;
  }

  // Collects the run around a pixel that was not seen yet; its length.
  private take(x: number, y: number): number {
    const { pixels, value } = this;
    const row = y * this.width;
    let start = row + x;
    let end = start + 1;
    while (start > row && pixels[start - 1] === value) --start;
    while (end < row + this.width && pixels[end] === value) ++end;
    const x0 = start - row;
    const x1 = end - row;
    if (this.count === this.ys.length) this.grow();
    this.ys[this.count] = y;
    this.starts[this.count] = x0;
    this.ends[this.count++] = x1;
    const from = y * this.words + (x0 >>> 5);
    const to = y * this.words + ((x1 - 1) >>> 5);
    const head = -1 << (x0 & 31);
    const tail = -1 >>> (31 - ((x1 - 1) & 31));
    if (from === to) {
      this.seen[from]! |= head & tail;
    } else {
      this.seen[from]! |= head;
      this.seen.fill(-1, from + 1, to);
      this.seen[to]! |= tail;
    }
    return x1 - x0;
  }

  private ready(y: number): void {
    if (!this.prepared || this.prepared[y]) return;
    this.prepared[y] = 1;
    this.prepareRow!(y);
  }

  private grow(): void {
    const longer = (array: Int32Array): Int32Array => {
      const result = new Int32Array(array.length * 2);
      result.set(array);
      return result;
    };
    this.ys = longer(this.ys);
    this.starts = longer(this.starts);
    this.ends = longer(this.ends);
  }
}
