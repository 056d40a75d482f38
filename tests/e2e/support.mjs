// What the browser tests share: the program with a folder of photos, a browser, and what lies on disk afterwards.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { writePhoto } from "./png.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const { chromium } = createRequire(path.join(root, "web/package.json"))("playwright-core");
export const program = process.env.TERRAPIN ?? path.join(root, "build/terrapin");

export function findChromium() {
  const named = process.env.CHROMIUM ?? "";
  return [named, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) => file && existsSync(file)) ?? null;
}

export async function openBrowser() {
  return chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"] });
}

/** A folder of its own, removed by `remove`. */
export async function temporaryFolder() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "terrapin-e2e-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Photos photo-0.png, ...: a bright blob on a dark ground each. */
export async function makePhotos(folder, count, width, height) {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const cx = width * (0.3 + 0.04 * i), cy = height * 0.5, r = Math.min(width, height) * 0.25;
    const photo = writePhoto(width, height, (x, y) =>
      (x - cx) ** 2 + (y - cy) ** 2 < r * r ? [210, 150 + ((x * 7 + y * 3) % 40), 60] : [30, 60 + ((x + y * i) % 30), 90]);
    await writeFile(path.join(folder, `photo-${i}.png`), photo);
  }
}

/** `terrapin label` on a folder of photos, as a person starts it. */
export class LabelingProgram {
  constructor(photos, options = {}) {
    this.photos = photos;
    this.data = `${photos}.terrapin`;
    this.options = { labels: ["Turtle", "Diver", "Coral"], workers: 1, port: 0, ...options };
    this.output = "";
  }

  /** Resolves once it tells where to go: sets `url` and, the first time, `invitation`. */
  async start() {
    const { labels, workers, port } = this.options;
    this.output = "";
    this.child = spawn(program, ["label", this.photos, "--labels", labels.join(","), "--workers", String(workers), "--port", String(port), "--quiet"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    const link = await new Promise((resolve, reject) => {
      const read = (bytes) => {
        this.output += bytes;
        const found = /(https?:\/\/\S+\/_\/\S*)[\s\S]*Ctrl-C/.exec(this.output);
        if (found) resolve(found[1]);
      };
      this.child.stdout.on("data", read);
      this.child.stderr.on("data", read);
      this.child.once("exit", (code) => reject(new Error(`terrapin label ended with ${code}:\n${this.output}`)));
    });
    if (link.includes("#")) this.invitation = link;
    this.url = new URL(link).origin;
    this.options.port = Number(new URL(link).port); // the same one after a restart
    return this;
  }

  async end(signal) {
    this.child.kill(signal);
    await this.ended;
  }
  stop() {
    return this.end("SIGTERM");
  }
  kill() {
    return this.end("SIGKILL");
  }

  /** Consolidated masks by object index, as bytes; waits until there are `count`. */
  async masks(count, seconds = 60) {
    const folder = path.join(this.data, "objects");
    for (const until = Date.now() + seconds * 1000; ; ) {
      const files = (await readdir(folder, { recursive: true }).catch(() => [])).filter((file) =>
        /consolidated-annotation\/output\/\d+_[^/]*\.png$/.test(file));
      if (files.length >= count) {
        return new Map(await Promise.all(files.map(async (file) => [Number(/output\/(\d+)_/.exec(file)[1]), await readFile(path.join(folder, file))])));
      }
      if (Date.now() > until) throw new Error(`${files.length} of ${count} masks after ${seconds} s\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Waits until `check` gives true; fails with `what` after `seconds`. */
export async function until(what, check, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; ; ) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`after ${seconds} s not yet: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A page that keeps in `problems` what went wrong in it, and whatever it asked of another origin than `origin()`. */
export async function watchedPage(context, origin) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (["blob:", "data:", "about:"].includes(url.protocol) || url.origin === origin()) return;
    page.problems.push(`asked ${request.url()}`);
  });
  page.on("websocket", (socket) => page.problems.push(`opened ${socket.url()}`));
  return page;
}
