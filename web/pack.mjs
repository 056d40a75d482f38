// Puts the files of a built folder into one, each also gzipped. Usage: node pack.mjs FOLDER FILE
// The format: docs/formats/pages-pack.md.
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

const [folder, file] = process.argv.slice(2);
if (!folder || !file) {
  console.error("usage: node pack.mjs FOLDER FILE");
  process.exit(2);
}
const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)).split(path.sep).join("/"))
  .sort();
const index = [];
const contents = [];
let offset = 0;
for (const name of names) {
  const plain = await readFile(path.join(folder, name));
  const small = gzipSync(plain, { level: 9 });
  const gzip = small.length < plain.length ? small : Buffer.alloc(0);
  index.push({ name, offset, bytes: plain.length, gzip_bytes: gzip.length });
  contents.push(plain, gzip);
  offset += plain.length + gzip.length;
}
const text = Buffer.from(JSON.stringify(index));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(text.length));
await writeFile(`${file}.new`, Buffer.concat([length, text, ...contents]));
await rename(`${file}.new`, file);
