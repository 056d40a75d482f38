// The one truth of a labeling task: a raster of label values. Every pixel has exactly one.
import { DeltaWriter, readDelta } from "./delta";
import type { Box, Raster } from "./geometry";
import { History } from "./history";
import { ByteReader, ByteWriter, readRuns, RunWriter } from "./runCode";
import { decodeSnapshot, encodeSnapshot } from "./snapshot";
import type { Spans } from "./spans";
import { restoreTiles, TileCopies } from "./tiles";

/** What an edit must leave alone. */
export interface PaintRules {
  /** Pixels of these values are neither overwritten nor erased. */
  readonly locked: ReadonlySet<number>;
  /** Labels go only onto background. Erasing (value 0) is not held back by it. */
  readonly onlyBackground: boolean;
}

const noRules: PaintRules = { locked: new Set(), onlyBackground: false };

/** The longest side of a photo. */
export const kMostSide = 2 ** 20;
/** The most pixels of a photo. */
export const kMostPixels = 2 ** 31 - 1;
const undoBytes = 256 * 1024 * 1024;

/** Grows around what is told to it. */
class Extent {
  private x0 = Infinity;
  private y0 = Infinity;
  private x1 = -Infinity;
  private y1 = -Infinity;

  add(y: number, x0: number, x1: number): void {
    if (x0 < this.x0) this.x0 = x0;
    if (x1 > this.x1) this.x1 = x1;
    if (y < this.y0) this.y0 = y;
    if (y >= this.y1) this.y1 = y + 1;
  }
  get box(): Box | null {
    return this.x0 < this.x1 ? { x0: this.x0, y0: this.y0, x1: this.x1, y1: this.y1 } : null;
  }
}

/**
 * A mask of width x height pixels, all background at first. Pixels change only through edits, undo, redo, apply and restore;
 * whoever writes into `pixels` breaks counts, undo and deltas.
 */
export class Mask implements Raster {
  readonly pixels: Uint8Array;
  private readonly counts = new Float64Array(256);
  private readonly history: History;
  private readonly changeListeners = new Set<(box: Box) => void>();
  private readonly deltaListeners = new Set<(delta: string) => void>();
  private open: Edit | null = null;

  /** Throws a RangeError for sizes that no photo here has. `mostUndoBytes` bounds the memory of undo and redo. */
  constructor(
    readonly width: number,
    readonly height: number,
    mostUndoBytes = undoBytes,
  ) {
    const side = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= kMostSide;
    if (!side(width) || !side(height) || width * height > kMostPixels)
      throw new RangeError(
        `a photo of ${width} x ${height} pixels: sides of 1 to ${kMostSide} and at most ${kMostPixels} pixels are allowed`,
      );
    this.pixels = new Uint8Array(width * height);
    this.counts[0] = width * height;
    this.history = new History(mostUndoBytes);
  }

  /** How many pixels have the value now. */
  count(value: number): number {
    return this.counts[value] ?? 0;
  }

  get canUndo(): boolean {
    return !this.open && this.history.canUndo;
  }
  get canRedo(): boolean {
    return !this.open && this.history.canRedo;
  }
  /** Whether an edit has begun and is neither committed nor cancelled. */
  get editing(): boolean {
    return this.open !== null;
  }

  /** Begins an edit. One at a time: throws an Error while another is open. */
  begin(rules: PaintRules = noRules): Edit {
    if (this.open) throw new Error("an edit of the mask is open; commit or cancel it first");
    this.open = new Edit(this.access, rules);
    return this.open;
  }

  /** Emits what the open edit has not emitted yet; nothing happens without one. */
  flush(): void {
    this.open?.flush();
  }

  /** Takes the last step back, emits the delta of that and gives the box of what changed; null when there is no step or an edit is open. */
  undo(): Box | null {
    return this.step(this.canUndo ? this.history.undo()?.changes : undefined, true);
  }

  /** Does the step that was undone last again, as undo. */
  redo(): Box | null {
    return this.step(this.canRedo ? this.history.redo()?.changes : undefined, false);
  }

  /**
   * Replays a delta; gives the box of what changed by it, null for nothing. Not undoable: undo and redo begin anew, for their
   * steps were made on other pixels. Emits no delta. Throws an Error, with nothing changed, when the text is no delta for this
   * size, and while an edit is open.
   */
  apply(delta: string): Box | null {
    if (this.open) throw new Error("an edit of the mask is open; commit or cancel it first");
    const extent = new Extent();
    readDelta(delta, this.width, this.height, (y, x0, x1, value) => this.write(y, x0, x1, value, extent));
    if (extent.box) this.history.clear();
    return this.changed(extent);
  }

  /** The whole mask as text (isSnapshot), as it is when this is called; flushes first, so that the deltas emitted so far are all in it. */
  snapshot(): Promise<string> {
    this.flush();
    return encodeSnapshot(this);
  }

  /** Replaces all pixels by those of a snapshot; undo and redo begin anew, no delta is emitted. Rejects, with nothing changed, when the text is none for this size or an edit is open. */
  async restore(text: string): Promise<void> {
    const pixels = await decodeSnapshot(text, this.width, this.height);
    if (this.open) throw new Error("an edit of the mask is open; commit or cancel it first");
    this.pixels.set(pixels);
    this.counts.fill(0);
    for (let i = 0; i < pixels.length; ++i) ++this.counts[pixels[i]!]!;
    this.history.clear();
    this.tell({ x0: 0, y0: 0, x1: this.width, y1: this.height });
  }

  /** Calls `listener` after each change with a box around it, until the function it gives is called. */
  onChange(listener: (box: Box) => void): () => void {
    this.changeListeners.add(listener);
    return () => void this.changeListeners.delete(listener);
  }

  /** Calls `listener` with each delta, in order, until the function it gives is called. */
  onDelta(listener: (delta: string) => void): () => void {
    this.deltaListeners.add(listener);
    return () => void this.deltaListeners.delete(listener);
  }

  private readonly access: EditAccess = {
    raster: this,
    recount: (from, to, pixels) => {
      this.counts[from]! -= pixels;
      this.counts[to]! += pixels;
    },
    changed: (box) => this.tell(box),
    emit: (deltas) => this.emit(deltas),
    closed: (changes) => {
      this.open = null;
      if (changes) this.history.push({ changes });
    },
  };

  private step(changes: Uint8Array | undefined, back: boolean): Box | null {
    if (!changes) return null;
    const extent = new Extent();
    const delta = new DeltaWriter(this.width, this.height);
    readRuns(new ByteReader(changes, "undo step"), 2, this.width, this.height, (y, x0, x1, values) => {
      const value = back ? values >> 8 : values & 255;
      this.write(y, x0, x1, value, extent);
      delta.put(y, x0, x1, value);
    });
    const box = this.changed(extent);
    this.emit(delta.finish());
    return box;
  }

  // Sets a run, whatever was there, and keeps count.
  private write(y: number, x0: number, x1: number, value: number, extent: Extent): void {
    const { pixels, counts } = this;
    const row = y * this.width;
    let first = -1;
    let end = 0;
    for (let i = row + x0; i < row + x1; ++i) {
      const old = pixels[i]!;
      if (old === value) continue;
      --counts[old]!;
      ++counts[value]!;
      pixels[i] = value;
      if (first < 0) first = i - row;
      end = i - row + 1;
    }
    if (first >= 0) extent.add(y, first, end);
  }

  private changed(extent: Extent): Box | null {
    const { box } = extent;
    if (box) this.tell(box);
    return box;
  }

  private tell(box: Box): void {
    for (const listener of [...this.changeListeners]) listener(box);
  }

  private emit(deltas: readonly string[]): void {
    for (const delta of deltas) for (const listener of [...this.deltaListeners]) listener(delta);
  }
}

// What an edit may do to its mask.
interface EditAccess {
  readonly raster: Raster;
  recount(from: number, to: number, pixels: number): void;
  changed(box: Box): void;
  emit(deltas: readonly string[]): void;
  closed(changes: Uint8Array | null): void;
}

/** Changes that belong together, e.g. one stroke: one undo step. After commit or cancel every method throws an Error. */
export class Edit {
  private readonly before: TileCopies; // as at the beginning
  private atFlush: TileCopies | null = null; // as at the last flush, of what changed since; null before the first flush
  private readonly mayPaint = new Uint8Array(256).fill(1); // 1: a label may go over the value
  private readonly mayErase = new Uint8Array(256).fill(1);
  private isOpen = true;

  /** Mask.begin makes edits. */
  constructor(
    private readonly mask: EditAccess,
    rules: PaintRules,
  ) {
    this.before = new TileCopies(mask.raster);
    if (rules.onlyBackground) this.mayPaint.fill(0, 1);
    for (const value of rules.locked) this.mayPaint[value] = this.mayErase[value] = 0;
  }

  /** Gives the pixels of `spans` (parts off the photo are left out) the value, as far as the rules allow; the box of what changed, null for nothing. */
  paint(spans: Spans, value: number): Box | null {
    this.mustBeOpen();
    if (!Number.isInteger(value) || value < 0 || value > 255) throw new RangeError(`label value ${value}; 0 to 255 are allowed`);
    const { width, height } = this.mask.raster;
    const extent = new Extent();
    for (let i = 0; i < spans.length; ++i) {
      const y = spans.y[i]!;
      if (y >= 0 && y < height) this.run(y, Math.max(spans.x0[i]!, 0), Math.min(spans.x1[i]!, width), value, extent);
    }
    if (extent.box) this.mask.changed(extent.box);
    return extent.box;
  }

  /** Takes over a whole raster of the mask's size, as far as the rules allow; the box of what changed, null for nothing. */
  replace(pixels: Uint8Array): Box | null {
    this.mustBeOpen();
    const { width, height, pixels: own } = this.mask.raster;
    if (pixels.length !== own.length)
      throw new RangeError(`a raster of ${pixels.length} pixels for a mask of ${width} x ${height}`);
    const extent = new Extent();
    for (let y = 0; y < height; ++y) {
      const row = y * width;
      for (let x = 0; x < width; ) {
        const value = pixels[row + x]!;
        let end = x + 1;
        while (end < width && pixels[row + end] === value) ++end;
        this.run(y, x, end, value, extent);
        x = end;
      }
    }
    if (extent.box) this.mask.changed(extent.box);
    return extent.box;
  }

  /** Emits deltas of what changed since the last flush; none when nothing did. */
  flush(): void {
    this.mustBeOpen();
    const writer = this.deltaWriter();
    (this.atFlush ?? this.before).differences((y, x0, x1, _old, value) => writer.put(y, x0, x1, value));
    const deltas = writer.finish();
    if (deltas.length === 0) return;
    this.atFlush = new TileCopies(this.mask.raster);
    this.mask.emit(deltas);
  }

  /** Flushes and ends the edit: one undo step, or none when no pixel differs from the beginning. */
  commit(): void {
    this.mustBeOpen();
    const out = new ByteWriter();
    const runs = new RunWriter(out, 2);
    const delta = this.deltaWriter();
    const all = this.atFlush === null; // never flushed: the delta and the step are of the same pixels
    this.before.differences((y, x0, x1, old, value) => {
      runs.put(y, x0, x1, old * 256 + value);
      if (all) delta.put(y, x0, x1, value);
    });
    this.atFlush?.differences((y, x0, x1, _old, value) => delta.put(y, x0, x1, value));
    const some = !runs.empty;
    runs.finish();
    this.isOpen = false;
    this.mask.closed(some ? out.take() : null);
    this.mask.emit(delta.finish());
  }

  /** Ends the edit with every pixel as at the beginning; what was flushed is taken back by further deltas. */
  cancel(): void {
    this.mustBeOpen();
    const flushed = this.atFlush;
    if (flushed) this.before.forEachTile((tile) => flushed.keep(tile));
    const extent = new Extent();
    this.before.differences((y, x0, x1, old, value) => {
      this.mask.recount(value, old, x1 - x0);
      extent.add(y, x0, x1);
    });
    restoreTiles(this.mask.raster, this.before);
    const delta = this.deltaWriter();
    flushed?.differences((y, x0, x1, _old, value) => delta.put(y, x0, x1, value));
    this.isOpen = false;
    this.mask.closed(null);
    if (extent.box) this.mask.changed(extent.box);
    this.mask.emit(delta.finish());
  }

  private mustBeOpen(): void {
    if (!this.isOpen) throw new Error("the edit has ended");
  }

  private deltaWriter(): DeltaWriter {
    return new DeltaWriter(this.mask.raster.width, this.mask.raster.height);
  }

  private run(y: number, x0: number, x1: number, value: number, extent: Extent): void {
    const { pixels, width } = this.mask.raster;
    const free = value === 0 ? this.mayErase : this.mayPaint;
    const row = y * width;
    const end = row + x1;
    for (let i = row + x0; i < end; ) {
      const old = pixels[i]!;
      let next = i + 1;
      while (next < end && pixels[next] === old) ++next;
      if (old !== value && free[old]) {
        this.before.touch(y, i - row, next - row);
        this.atFlush?.touch(y, i - row, next - row);
        if (next - i > 16) pixels.fill(value, i, next);
        else for (let k = i; k < next; ++k) pixels[k] = value;
        this.mask.recount(old, value, next - i);
        extent.add(y, i - row, next - row);
      }
      i = next;
    }
  }
}
