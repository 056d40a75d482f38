// Builds the harness pages into a folder. Usage: node harness/build.mjs --out FOLDER
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = path.dirname(fileURLToPath(import.meta.url));
const at = process.argv.indexOf("--out");
if (at < 0) throw new Error("node harness/build.mjs --out FOLDER");
await build({
  root,
  base: "./",
  configFile: false,
  logLevel: "warn",
  publicDir: false,
  worker: { format: "es" },
  build: { outDir: path.resolve(process.argv[at + 1]), emptyOutDir: true, target: "es2022", rollupOptions: { input: path.join(root, "canvas.html") } },
});
