// What the browser tests share: the program with a folder of photos, a browser, and what lies on disk afterwards.
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
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

/** Ends what a killed server leaves running on purpose: the keepers of its endpoints and jobs, and with them their work. */
async function endWhatWorksIn(folder) {
  for (const pid of await readdir("/proc")) {
    const command = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "") : "";
    if (!command.includes(`${folder}/`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}

/** A folder of its own; `remove` ends what still works in it and deletes it. */
export async function temporaryFolder() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "terrapin-e2e-"));
  const remove = async () => {
    await endWhatWorksIn(folder);
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, remove };
}

/** Steps of one story: subtests of `t`; after one that failed the others are not tried. */
export function stepsOf(t) {
  let failed = false;
  return (name, work) =>
    t.test(name, { skip: failed ? "an earlier step failed" : false }, async () => {
      failed = true;
      await work();
      failed = false;
    });
}

/** Waits for what only the program's or the browser's own pace brings about. */
export async function until(what, check, seconds = 120) {
  for (const end = Date.now() + seconds * 1000; ; ) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`after ${seconds} s not yet: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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

/** The program as a child of the test. */
class Program {
  constructor() {
    this.output = "";
  }

  /** Starts it with `args` and resolves with the match of `ready` in what it prints; rejects when it ends before. */
  async run(args, ready) {
    this.output = "";
    this.child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    return new Promise((resolve, reject) => {
      const read = (bytes) => {
        this.output += bytes;
        const found = ready.exec(this.output);
        if (found) resolve(found);
      };
      this.child.stdout.on("data", read);
      this.child.stderr.on("data", read);
      this.child.once("error", reject);
      this.child.once("exit", (code) => reject(new Error(`terrapin ${args[0]} ended with ${code}:\n${this.output}`)));
    });
  }

  async end(signal) {
    this.child?.kill(signal);
    await this.ended;
  }
  stop() {
    return this.end("SIGTERM");
  }
  kill() {
    return this.end("SIGKILL");
  }

  /** Files of objects whose names within the store fit `pattern`. */
  async objectFiles(pattern) {
    const folder = path.join(this.data, "objects");
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    return files.filter((file) => pattern.test(file)).map((file) => path.join(folder, file));
  }

  /** Consolidated masks by object index, as bytes; waits until there are `count`. Of one job only if it is named. */
  async masks(count, job = "[^/]*") {
    const pattern = new RegExp(`/${job}/annotations/consolidated-annotation/output/(\\d+)_[^/]*\\.png$`);
    let files = [];
    await until(`${count} masks`, async () => (files = await this.objectFiles(pattern)).length >= count).catch((error) => {
      throw new Error(`${error.message}; there are ${files.length}\n${this.output}`);
    });
    return new Map(await Promise.all(files.map(async (file) => [Number(pattern.exec(file)[1]), await readFile(file)])));
  }
}

/** `terrapin label` on a folder of photos, as a person starts it. */
export class LabelingProgram extends Program {
  constructor(photos, options = {}) {
    super();
    this.photos = photos;
    this.data = `${photos}.terrapin`;
    this.options = { labels: ["Turtle", "Diver", "Coral"], workers: 1, port: 0, ...options };
  }

  /** Resolves once it tells where to go: sets `url` and, the first time, `invitation`. */
  async start() {
    const { labels, workers, port } = this.options;
    const [, link] = await this.run(
      ["label", this.photos, "--labels", labels.join(","), "--workers", String(workers), "--port", String(port), "--quiet"],
      /(https?:\/\/\S+\/_\/\S*)[\s\S]*Ctrl-C/,
    );
    if (link.includes("#")) this.invitation = link;
    this.url = new URL(link).origin;
    this.options.port = Number(new URL(link).port); // the same one after a restart
    return this;
  }
}

/** `terrapin serve` on a data folder. TERRAPIN_PAGES names built pages to serve in place of those compiled in. */
export class ServingProgram extends Program {
  /** `more`: further arguments of serve. */
  constructor(data, more = []) {
    super();
    this.data = data;
    this.port = 0;
    this.more = more;
  }

  /** Sets `url` and, the first time, `invitation`: the one for the first admin. */
  async start() {
    const pages = process.env.TERRAPIN_PAGES ? ["--pages", process.env.TERRAPIN_PAGES] : [];
    const ready = this.invitation ? /terrapin serve: (https?:\/\/\S+)/ : /terrapin serve: (https?:\/\/\S+)\s[\s\S]*?(https?:\/\/\S+\/_\/join#\S+)\s/;
    const [, url, invitation] = await this.run(["serve", "--data-dir", this.data, "--port", String(this.port), "--quiet", ...pages, ...this.more], ready);
    this.invitation ??= invitation;
    this.url = url;
    this.port = Number(new URL(url).port);
    return this;
  }
}

/** Photo-like pictures with their true masks: `photos` are [{name, photo: JPEG's bytes, mask: PNG's bytes}]; labels Turtle 1 and Fish 2. */
export async function makeScenes(folder, count, size) {
  await promisify(execFile)(program, ["scenes", folder, "--count", String(count), "--size", size, "--classes", "3", "--seed", "4"]);
  const lines = (await readFile(path.join(folder, "labelscenes/manifests/output/output.manifest"), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
  const local = (uri) => path.join(folder, uri.replace("s3://scenes/", ""));
  return Promise.all(
    lines.map(async (line) => ({
      name: path.basename(line["source-ref"]),
      photo: await readFile(local(line["source-ref"])),
      mask: await readFile(local(line["labelscenes-ref"])),
    })),
  );
}
