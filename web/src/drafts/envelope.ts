// What stands in a draft on the server: docs/formats/draft-text.md. Every part carries the name of the log it comes from and its
// number there, and a snapshot the last numbers it stands for: so a part is known again after any crash, lost answer or change of
// tab, and none is lost or taken twice.

/** How far each log's parts are in: log -> number of its last part. */
export type Marks = Record<string, number>;

export interface Part {
  log: string;
  number: number; // 1, 2, 3, ... in its log
  /** Whether the payload goes on in the next part of the same log. */
  more: boolean;
  text: string;
}

/** Texts a server takes have at most 4 MiB. */
export const kMostPartText = (4 << 20) - 256;

export function writePart(part: Part): string {
  return `1 ${part.log} ${part.number}${part.more ? "+" : ""} ${part.text}`;
}

/** Undefined for what is no part. */
export function readPart(data: string): Part | undefined {
  const found = /^1 ([0-9a-z]{1,40}) ([1-9][0-9]{0,14})(\+?) /.exec(data);
  if (!found) return undefined;
  return { log: found[1]!, number: Number(found[2]), more: found[3] === "+", text: data.slice(found[0].length) };
}

export function writeSnapshot(marks: Marks, payload: string): string {
  return `1 ${Object.entries(marks)
    .map(([log, number]) => `${log}:${number}`)
    .join(",")} ${payload}`;
}

export function readSnapshot(data: string): { marks: Marks; payload: string } | undefined {
  const found = /^1 ((?:[0-9a-z]{1,40}:[0-9]{1,15},?)*) /.exec(data);
  if (!found) return undefined;
  const marks: Marks = {};
  for (const entry of found[1]!.split(",")) {
    const [log, number] = entry.split(":");
    if (log) marks[log] = Number(number);
  }
  return { marks, payload: data.slice(found[0].length) };
}
