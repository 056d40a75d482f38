// Sets of pixels as horizontal runs, held in three arrays of integers.
import type { Box } from "./geometry";

/** What a Spans looks like in a message to a worker and back. */
export interface SpanArrays {
  y: Int32Array;
  x0: Int32Array;
  x1: Int32Array;
}

/** Runs {y, x0, x1}, x1 not included, sorted by y and then x0; runs of a row neither overlap nor touch. */
export class Spans {
  // Run i is y[i], x0[i], x1[i] for i below `length`; the arrays may be longer. To be changed by push alone.
  y: Int32Array;
  x0: Int32Array;
  x1: Int32Array;
  private count = 0;

  constructor(capacity = 16) {
    const most = Math.max(capacity, 1);
    this.y = new Int32Array(most);
    this.x0 = new Int32Array(most);
    this.x1 = new Int32Array(most);
  }

  get length(): number {
    return this.count;
  }

  /** Appends a run. It must not begin before the end of the last one; one that touches or overlaps the last is joined to it, an empty one is left out. */
  push(y: number, x0: number, x1: number): void {
    if (x0 >= x1) return;
    const last = this.count - 1;
    if (last >= 0) {
      const lastY = this.y[last]!;
      if (y < lastY || (y === lastY && x0 < this.x0[last]!))
        throw new RangeError(`run (${x0}, ${y}) comes before the last run (${this.x0[last]}, ${lastY})`);
      if (y === lastY && x0 <= this.x1[last]!) {
        if (x1 > this.x1[last]!) this.x1[last] = x1;
        return;
      }
    }
    if (this.count === this.y.length) this.grow();
    this.y[this.count] = y;
    this.x0[this.count] = x0;
    this.x1[this.count] = x1;
    ++this.count;
  }

  /** A new set: the pixels of this one, the other one or both. */
  union(other: Spans): Spans {
    const result = new Spans(this.count + other.count);
    let i = 0;
    let j = 0;
    while (i < this.count || j < other.count) {
      const mine =
        j >= other.count ||
        (i < this.count &&
          (this.y[i]! < other.y[j]! || (this.y[i]! === other.y[j]! && this.x0[i]! <= other.x0[j]!)));
      if (mine) {
        result.push(this.y[i]!, this.x0[i]!, this.x1[i]!);
        ++i;
      } else {
        result.push(other.y[j]!, other.x0[j]!, other.x1[j]!);
        ++j;
      }
    }
    return result;
  }

  /** A new set: the pixels of this one that are not in the other one. */
  without(other: Spans): Spans {
    const result = new Spans(this.count);
    let first = 0; // of the other's runs, the first one that does not end before this run
    for (let i = 0; i < this.count; ++i) {
      const y = this.y[i]!;
      const x1 = this.x1[i]!;
      let x = this.x0[i]!;
      while (first < other.count && (other.y[first]! < y || (other.y[first]! === y && other.x1[first]! <= x))) ++first;
      for (let k = first; k < other.count && other.y[k]! === y && other.x0[k]! < x1; ++k) {
        result.push(y, x, other.x0[k]!);
        x = other.x1[k]!;
      }
      result.push(y, x, x1);
    }
    return result;
  }

  /** A new set: the pixels that lie in `box`. */
  clip(box: Box): Spans {
    const result = new Spans(this.count);
    for (let i = 0; i < this.count; ++i) {
      const y = this.y[i]!;
      if (y >= box.y0 && y < box.y1) result.push(y, Math.max(this.x0[i]!, box.x0), Math.min(this.x1[i]!, box.x1));
    }
    return result;
  }

  /** The smallest box around all pixels, null when there are none. */
  boundingBox(): Box | null {
    if (this.count === 0) return null;
    let x0 = this.x0[0]!;
    let x1 = this.x1[0]!;
    for (let i = 1; i < this.count; ++i) {
      if (this.x0[i]! < x0) x0 = this.x0[i]!;
      if (this.x1[i]! > x1) x1 = this.x1[i]!;
    }
    return { x0, y0: this.y[0]!, x1, y1: this.y[this.count - 1]! + 1 };
  }

  /** How many pixels. */
  area(): number {
    let sum = 0;
    for (let i = 0; i < this.count; ++i) sum += this.x1[i]! - this.x0[i]!;
    return sum;
  }

  /** Copies as exactly long arrays, fit to be handed to another thread. */
  toArrays(): SpanArrays {
    return {
      y: this.y.slice(0, this.count),
      x0: this.x0.slice(0, this.count),
      x1: this.x1.slice(0, this.count),
    };
  }

  /** Takes the arrays over; they must be sorted as the class says. */
  static fromArrays(arrays: SpanArrays): Spans {
    const spans = new Spans(1);
    spans.y = arrays.y;
    spans.x0 = arrays.x0;
    spans.x1 = arrays.x1;
    spans.count = arrays.y.length;
    return spans;
  }

  /** Pixels whose runs come in any order, as long as no two of them share a pixel. */
  static fromUnsorted(arrays: SpanArrays, count: number, height: number): Spans {
    // Rows by counting. Runs of a row are disjoint, so their starts and their ends, sorted apart, still belong together.
    const first = new Int32Array(height + 1);
    for (let i = 0; i < count; ++i) ++first[arrays.y[i]! + 1]!;
    for (let y = 0; y < height; ++y) first[y + 1]! += first[y]!;
    const at = first.slice();
    const starts = new Int32Array(count);
    const ends = new Int32Array(count);
    for (let i = 0; i < count; ++i) {
      const place = at[arrays.y[i]!]!++;
      starts[place] = arrays.x0[i]!;
      ends[place] = arrays.x1[i]!;
    }
    const result = new Spans(count);
    for (let y = 0; y < height; ++y) {
      const begin = first[y]!;
      const end = first[y + 1]!;
      if (end - begin > 1) {
        starts.subarray(begin, end).sort();
        ends.subarray(begin, end).sort();
      }
      for (let i = begin; i < end; ++i) result.push(y, starts[i]!, ends[i]!);
    }
    return result;
  }

  private grow(): void {
    const longer = (array: Int32Array): Int32Array => {
      const result = new Int32Array(array.length * 2);
      result.set(array);
      return result;
    };
    this.y = longer(this.y);
    this.x0 = longer(this.x0);
    this.x1 = longer(this.x1);
  }
}
