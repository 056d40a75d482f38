// Deltas: what changed in a mask, as text that is kept and replayed. The format: docs/formats/canvas-delta.md.
import { fromBase64, toBase64 } from "./base64";
import { ByteReader, ByteWriter, readRuns, RunWriter } from "./runCode";

const version = 1;

/** The most characters of one delta; the server takes no longer ones. */
export const kMostDeltaText = 4 * 1024 * 1024;
// What one run and the end of a row can add at most: 4 numbers of 5 bytes, a value, an end.
const mostDeltaBytes = (kMostDeltaText / 4) * 3 - 32;

/** Takes runs in order of rows and starts and makes as many deltas of them as their length asks for. */
export class DeltaWriter {
  private readonly texts: string[] = [];
  private out = new ByteWriter();
  private runs = new RunWriter(this.out, 1);

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {
    this.begin();
  }

  put(y: number, x0: number, x1: number, value: number): void {
    if (this.out.length >= mostDeltaBytes) this.end();
    this.runs.put(y, x0, x1, value);
  }

  /** The deltas in the order in which they are to be replayed; none when there were no runs. */
  finish(): string[] {
    this.end();
    return this.texts;
  }

  private begin(): void {
    this.out = new ByteWriter();
    this.runs = new RunWriter(this.out, 1);
    this.out.byte(version);
    this.out.number(this.width);
    this.out.number(this.height);
  }

  private end(): void {
    if (this.runs.empty) return;
    this.runs.finish();
    this.texts.push(toBase64(this.out.take()));
    this.begin();
  }
}

/** Calls `visit` for each run of a delta, only after all of it was found sound. Throws an Error that says what is wrong, also when it is for a photo of another size. */
export function readDelta(
  text: string,
  width: number,
  height: number,
  visit: (y: number, x0: number, x1: number, value: number) => void,
): void {
  if (text.length > kMostDeltaText)
    throw new Error(`delta: ${text.length} characters; at most ${kMostDeltaText} are allowed`);
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(text);
  } catch (error) {
    throw new Error(`delta: ${(error as Error).message}`);
  }
  const open = (): ByteReader => {
    const reader = new ByteReader(bytes, "delta");
    const found = reader.byte();
    if (found !== version) throw new Error(`delta: version ${found}; this page reads version ${version}`);
    const size = [reader.number(), reader.number()];
    if (size[0] !== width || size[1] !== height)
      throw new Error(`delta: it is for a photo of ${size[0]} x ${size[1]} pixels, this one has ${width} x ${height}`);
    return reader;
  };
  readRuns(open(), 1, width, height, () => undefined);
  readRuns(open(), 1, width, height, visit);
}
