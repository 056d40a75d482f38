// The browser's own zlib streams (RFC 1950), as functions over bytes.

type Bytes = Uint8Array<ArrayBuffer>;

/** Compresses what `chunks` gives; a chunk may be reused only for the next one after it was asked for. */
export async function deflate(chunks: Iterable<Uint8Array>): Promise<Uint8Array[]> {
  const stream = new CompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const write = async (): Promise<void> => {
    for (const chunk of chunks) {
      await writer.ready;
      await writer.write(chunk as Bytes);
    }
    await writer.close();
  };
  const written = write();
  written.catch(() => undefined); // told below
  const out: Uint8Array[] = [];
  const reader = stream.readable.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) out.push(part.value);
  await written;
  return out;
}

/** Hands the content to `take` piece by piece. Throws an Error when the bytes are no zlib stream, and what `take` throws. */
export async function inflate(compressed: Iterable<Uint8Array>, take: (bytes: Uint8Array) => void): Promise<void> {
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const write = async (): Promise<void> => {
    for (const part of compressed)
      for (let at = 0; at < part.length; at += 65536) {
        await writer.ready;
        await writer.write(part.subarray(at, at + 65536) as Bytes);
      }
    await writer.close();
  };
  const written = write();
  written.catch(() => undefined); // the reader fails with the same
  const reader = stream.readable.getReader();
  const next = async (): Promise<ReadableStreamReadResult<Uint8Array>> => {
    try {
      return await reader.read();
    } catch {
      throw new Error("the compressed data are damaged");
    }
  };
  try {
    for (let part = await next(); !part.done; part = await next()) take(part.value);
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error;
  }
  await written;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
