// Where things are in buckets.

export interface Place {
  bucket: string;
  key: string; // of a folder: ends in "/" or is ""
}
export function placeOf(uri: string): Place | null {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(uri);
  return match ? { bucket: match[1]!, key: match[2] ?? "" } : null;
}

/** "source-ref" of a manifest's first line; null if there is none. */
export function firstSource(head: string): string | null {
  const line = head.split("\n", 1)[0] ?? "";
  try {
    const source = (JSON.parse(line) as Record<string, unknown>)["source-ref"];
    return typeof source === "string" ? source : null;
  } catch {
    return null;
  }
}
