// Runs of pixels with a value each, as a row of bytes: the ground of deltas and of the undo steps.
//
//   rows := row*                     to the end of the bytes
//   row  := gap run+ 0               gap: this row minus the row before (before the first: row -1), at least 1
//   run  := token gap [value]        token: 2 * length + (1 when a value follows, 0 for the value of the run before; the first run has one)
//                                    gap: this start minus the end of the run before in this row (0 at the row's beginning)
// Numbers are little-endian base 128, at most kMostNumber; a value is `valueBytes` bytes, the highest first.

export const kMostNumber = 2 ** 32;

/** Bytes that grow. */
export class ByteWriter {
  private bytes: Uint8Array;
  private used = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }
  get length(): number {
    return this.used;
  }
  byte(value: number): void {
    if (this.used === this.bytes.length) {
      const longer = new Uint8Array(this.bytes.length * 2);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes[this.used++] = value;
  }
  /** A whole number from 0 to kMostNumber. */
  number(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }
  /** A copy of exactly what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.used);
  }
}

export class ByteReader {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
  ) {}
  get ended(): boolean {
    return this.at >= this.bytes.length;
  }
  byte(): number {
    const value = this.bytes[this.at];
    if (value === undefined) throw this.broken("ends too early");
    ++this.at;
    return value;
  }
  /** `shortest`: in as few bytes as it can have. */
  number(shortest = false): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; ++i) {
      const part = this.byte();
      value += (part & 127) * scale;
      if (part < 128) {
        if (value > kMostNumber) break;
        if (shortest && part === 0 && i > 0) throw this.broken("has a number with bytes that it does not need");
        return value;
      }
      scale *= 128;
    }
    throw this.broken("has a number that is too large");
  }
  broken(how: string): Error {
    return new Error(`${this.what} ${how} (byte ${this.at} of ${this.bytes.length})`);
  }
}

/** Writes runs given in order of rows and starts; runs that touch and have the same value become one. */
export class RunWriter {
  private row = -1;
  private end = 0; // of the last run that is written, in its row
  private inRow = false;
  private written = -1; // the last value, -1 before the first
  private y = -1; // the run that is not written yet
  private x0 = 0;
  private x1 = 0;
  private value = -1;

  constructor(
    private readonly out: ByteWriter,
    private readonly valueBytes: 1 | 2,
  ) {}

  get empty(): boolean {
    return this.written < 0 && this.y < 0;
  }

  put(y: number, x0: number, x1: number, value: number): void {
    if (y === this.y && x0 === this.x1 && value === this.value) {
      this.x1 = x1;
      return;
    }
    if (this.y >= 0) this.write();
    this.y = y;
    this.x0 = x0;
    this.x1 = x1;
    this.value = value;
  }

  finish(): void {
    if (this.y >= 0) this.write();
    if (this.inRow) this.out.byte(0);
    this.y = -1;
    this.inRow = false;
  }

  private write(): void {
    const { out } = this;
    if (this.y !== this.row) {
      if (this.inRow) out.byte(0);
      out.number(this.y - this.row);
      this.row = this.y;
      this.end = 0;
      this.inRow = true;
    }
    const fresh = this.value !== this.written;
    out.number(2 * (this.x1 - this.x0) + (fresh ? 1 : 0));
    out.number(this.x0 - this.end);
    if (fresh) {
      if (this.valueBytes === 2) out.byte(this.value >> 8);
      out.byte(this.value & 255);
      this.written = this.value;
    }
    this.end = this.x1;
  }
}

/** Calls `visit` for each run. Throws an Error that begins with the reader's name for what is read when the bytes are not runs inside width x height. */
export function readRuns(
  reader: ByteReader,
  valueBytes: 1 | 2,
  width: number,
  height: number,
  visit: (y: number, x0: number, x1: number, value: number) => void,
): void {
  let y = -1;
  let value = -1;
  while (!reader.ended) {
    const rows = reader.number();
    if (rows < 1 || y + rows >= height) throw reader.broken(`names row ${y + rows} of ${height}`);
    y += rows;
    let x = 0;
    let token = reader.number();
    if (token === 0) throw reader.broken(`has a row ${y} without runs`);
    for (; token !== 0; token = reader.number()) {
      const length = Math.floor(token / 2);
      const x0 = x + reader.number();
      x = x0 + length;
      if (length < 1 || x > width) throw reader.broken(`has a run from ${x0} to ${x} in row ${y}, the width is ${width}`);
      if (token % 2 === 1) {
        value = reader.byte();
        if (valueBytes === 2) value = value * 256 + reader.byte();
      } else if (value < 0) {
        throw reader.broken("begins with a run without a value");
      }
      visit(y, x0, x, value);
    }
  }
}
