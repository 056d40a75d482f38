// A mask that covers a box of the photo, as the server's assistance writes and reads it (docs/formats/worker-http.md, "Assistance").
import { fromBase64, toBase64 } from "./base64";
import { ByteReader, ByteWriter } from "./runCode";
import { Spans } from "./spans";

/**
 * `runs` is the base64 of lengths in base 128, lowest bits first: background, object, background, ... over the box's pixels, row
 * after row. A box of no pixels has none.
 */
export interface BoxedMask {
  readonly box: readonly [x: number, y: number, width: number, height: number];
  readonly runs: string;
}

/** The most characters of the runs of one mask. */
export const kMostRunText = 100_000;

/** The box is the smallest one; 0, 0, 0, 0 for no pixels. */
export function encodeBoxedMask(spans: Spans): BoxedMask {
  const around = spans.boundingBox();
  if (!around) return { box: [0, 0, 0, 0], runs: "" };
  const width = around.x1 - around.x0;
  const height = around.y1 - around.y0;
  const out = new ByteWriter();
  let written = 0; // pixels of the box
  let start = 0; // of the object's run that is not written yet
  let end = 0;
  const writeRun = (): void => {
    if (start === end) return;
    out.number(start - written);
    out.number(end - start);
    written = end;
  };
  for (let i = 0; i < spans.length; ++i) {
    const row = (spans.y[i]! - around.y0) * width - around.x0;
    if (row + spans.x0[i]! !== end || start === end) {
      writeRun();
      start = row + spans.x0[i]!;
    }
    end = row + spans.x1[i]!; // a run that goes on in the next row is one
  }
  writeRun();
  if (written < width * height) out.number(width * height - written);
  return { box: [around.x0, around.y0, width, height], runs: toBase64(out.take()) };
}

/** The object's pixels on a photo of width x height. Throws an Error that says what is wrong with the mask. */
export function decodeBoxedMask(mask: BoxedMask, width: number, height: number): Spans {
  const [x, y, wide, high] = mask.box;
  if (mask.box.length !== 4 || !mask.box.every((value) => Number.isInteger(value) && value >= 0) || x + wide > width || y + high > height)
    throw new Error(`the mask's box is ${mask.box.join(", ")}; it must lie on the photo, which is ${width} x ${height}`);
  if (mask.runs.length > kMostRunText) throw new Error(`the mask's runs have ${mask.runs.length} characters, at most ${kMostRunText} are allowed`);
  const reader = new ByteReader(fromBase64(mask.runs), "the mask");
  const all = wide * high;
  if (all === 0 && !reader.ended) throw reader.broken("has runs and a box of no pixels");
  const spans = new Spans();
  let at = 0;
  for (let run = 0; !reader.ended; ++run) {
    const length = reader.number(true);
    if (length === 0 && run > 0) throw reader.broken("has a run of no pixels");
    if (length > all - at) throw reader.broken(`has runs of more pixels than the ${all} of its box`);
    const stop = at + length;
    if (run % 2 === 0) at = stop; // background
    while (at < stop) {
      const column = at % wide;
      const part = Math.min(stop - at, wide - column);
      spans.push(y + (at - column) / wide, x + column, x + column + part);
      at += part;
    }
  }
  if (at < all) throw reader.broken(`has runs of ${at} pixels, its box has ${all}`);
  return spans;
}
