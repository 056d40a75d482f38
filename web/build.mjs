// Builds every page and script into one folder. Usage: node build.mjs [--out FOLDER]   (default: dist)
//
// What comes out (the server embeds it, see cmake/Pages.cmake):
//   index.html              the portal's and the console's page; its scripts and styles in assets/, named by their hash
//   frame.html, frame.js    the document inside the sandboxed frame of a task
//   crowd-html-elements.js  AWS's elements for task templates: one classic script
import { copyFile, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = path.dirname(fileURLToPath(import.meta.url));
const at = process.argv.indexOf("--out");
const out = path.resolve(at > 0 ? process.argv[at + 1] : path.join(root, "dist"));

const common = {
  root,
  configFile: false,
  logLevel: "warn",
  publicDir: false,
  // esbuild reads tsconfig.json; one license comment a file is enough.
  esbuild: { legalComments: "none" },
};

// One classic script without imports: documents with an opaque origin cannot load modules. `intro` stands before all else in it.
function classic(entry, name, intro = "") {
  return build({
    ...common,
    build: {
      outDir: out,
      emptyOutDir: false,
      target: "es2022",
      lib: { entry: path.join(root, entry), formats: ["iife"], name: "terrapin", fileName: () => name },
      rollupOptions: { output: { inlineDynamicImports: true, intro } },
    },
  });
}

await rm(out, { recursive: true, force: true });
await build({
  ...common,
  base: "/_/",
  worker: { format: "es" },
  build: { outDir: out, target: "es2022", assetsDir: "assets", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
await classic("src/frame/frame.ts", "frame.js");
// The frame loads it before the template does: then it has nothing left to do.
await classic("src/crowd/crowdHtmlElements.ts", "crowd-html-elements.js", 'if (customElements.get("crowd-form")) return;');
await copyFile(path.join(root, "frame.html"), path.join(out, "frame.html"));
