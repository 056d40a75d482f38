// Tar files (ustar), small and slow on purpose: the tests' own reader.

/** The regular files of an archive by name; throws for what is no whole archive. */
export function readTar(bytes) {
  const files = new Map();
  const text = (from, length) => bytes.toString("utf8", from, from + length).replace(/\0.*$/s, "");
  let at = 0;
  for (; at + 512 <= bytes.length && bytes[at] !== 0; ) {
    const head = bytes.subarray(at, at + 512);
    const sum = head.reduce((total, byte, place) => total + (place >= 148 && place < 156 ? 32 : byte), 0);
    if (sum !== parseInt(text(at + 148, 8), 8)) throw new Error(`block ${at / 512}: the checksum is wrong`);
    const size = parseInt(text(at + 124, 12), 8);
    const prefix = text(at + 345, 155);
    files.set((prefix ? `${prefix}/` : "") + text(at, 100), bytes.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  if (at + 1024 > bytes.length || bytes.subarray(at).some((byte) => byte !== 0)) throw new Error("the archive has no end");
  return files;
}
