/// <reference types="node" />
import { describe, expect, it } from "vitest";
import { decodeAnswerPng } from "../../src/model/answer";
import { imagePoint } from "../../src/model/geometry";
import { Mask } from "../../src/model/mask";
import { Background, type WorkerLike } from "../../src/tools/background";
import { JobServer, type FromWorker, type ToWorker } from "../../src/tools/backgroundJobs";
import { enclosedBackground, fill, islands, wand } from "../../src/tools/regions";
import { segment } from "../../src/tools/shapes";
import { bitmapOf, expectSame, randomSpans } from "../model/pictures";
import { Random } from "../model/random";

// A worker's inside in this thread: messages are cloned and come later, in order.
class NearWorker implements WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  jobs = 0;
  readonly server = new JobServer(
    (message, transfer) => {
      ++this.jobs;
      const data = structuredClone(message, { transfer });
      setImmediate(() => this.onmessage?.({ data } as MessageEvent<FromWorker>));
    },
    () => new Promise((resolve) => setImmediate(resolve)),
  );
  postMessage(message: ToWorker, transfer: Transferable[]): void {
    const data = structuredClone(message, { transfer });
    setImmediate(() => this.server.take(data));
  }
  terminate(): void {
    this.onmessage = null;
  }
}

// One that takes messages and breaks, as a blocked script does.
class BrokenWorker extends NearWorker {
  override postMessage(message: ToWorker): void {
    if (message.type === "job") setImmediate(() => this.onerror?.({} as ErrorEvent));
  }
}

const makers: [string, () => WorkerLike, boolean][] = [
  ["in a worker", () => new NearWorker(), true],
  ["on the page's thread, when none can be made", () => { throw new Error("no worker"); }, false], // prettier-ignore
  ["on the page's thread, when it breaks", () => new BrokenWorker(), true],
];

describe.each(makers)("Background %s", (_name, make, apart) => {
  it("gives what the direct calls give, through 40 random edits", async () => {
    const random = new Random(51);
    const [width, height] = [620, 530];
    const mask = new Mask(width, height);
    const first = mask.begin();
    first.paint(randomSpans(random, width, height), 3);
    first.commit();
    const background = new Background(mask, make);
    expect(background.apart).toBe(apart);
    const photo = { width, height, data: Uint8Array.from({ length: width * height * 4 }, () => random.whole(0, 40)) };
    background.setPhoto(photo);
    const colors = new Map([1, 2, 3, 4, 5].map((value) => [value, `#0000${value}0`]));
    for (let round = 0; round < 40; ++round) {
      const step = random.unit();
      if (step < 0.2) mask.undo();
      else if (step < 0.3) mask.redo();
      else {
        const edit = mask.begin();
        edit.paint(
          random.chance(0.8)
            ? segment(imagePoint(random.between(0, width), random.between(0, height)), imagePoint(random.between(0, width), random.between(0, height)), 40, width, height)
            : randomSpans(random, width, height),
          random.whole(0, 5),
        );
        edit.commit();
      }
      const seed = imagePoint(random.between(0, width), random.between(0, height));
      const same = (found: { length: number }, wanted: ReturnType<typeof fill>): void =>
        expectSame(bitmapOf(found as typeof wanted, width, height), bitmapOf(wanted, width, height), width, `round ${round}`);
      same(await background.fill(seed), fill(mask, seed));
      if (round % 4 === 0) {
        same(await background.wand(seed, 20, true), wand(photo, seed, 20, true));
        same(await background.wand(seed, 2, false), wand(photo, seed, 2, false));
        same(await background.enclosed(), enclosedBackground(mask));
        same(await background.enclosed(undefined, 3), enclosedBackground(mask, 3));
        same(await background.islands(0, 9), islands(mask, 0, 9));
        const png = await background.png(colors);
        expectSame(await decodeAnswerPng(png, colors, width, height), mask.pixels, width, "png");
        const back = new Mask(width, height);
        await back.restore(await background.snapshot());
        expectSame(back.pixels, mask.pixels, width, "snapshot");
      }
    }
    background.close();
  });

  it("passes on what is wrong, and rejects at once when cancelled or closed", async () => {
    const background = new Background(new Mask(30, 30), make);
    await expect(background.wand(imagePoint(1, 1), 5, true)).rejects.toThrow("no photo");
    background.setPhoto({ width: 2, height: 2, data: new Uint8Array(16) });
    await expect(background.wand(imagePoint(1, 1), 5, true)).rejects.toThrow("2 x 2");
    const stop = new AbortController();
    const cancelled = background.fill(imagePoint(1, 1), stop.signal);
    const kept = background.fill(imagePoint(2, 2));
    stop.abort();
    await expect(cancelled).rejects.toMatchObject({ name: "AbortError" });
    expect((await kept).area()).toBe(900);
    await expect(background.fill(imagePoint(1, 1), stop.signal)).rejects.toMatchObject({ name: "AbortError" });
    const left = background.fill(imagePoint(1, 1));
    background.close();
    await expect(left).rejects.toMatchObject({ name: "AbortError" });
    await expect(background.fill(imagePoint(1, 1))).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("Background in a worker", () => {
  it("sees the mask as it was at the call, whatever is painted after it", async () => {
    const mask = new Mask(300, 300);
    const paint = (value: number): void => {
      const edit = mask.begin();
      edit.paint(segment(imagePoint(150, 0), imagePoint(150, 300), 4, 300, 300), value);
      edit.commit();
    };
    const background = new Background(mask, () => new NearWorker());
    const results = [background.fill(imagePoint(0, 0))];
    paint(1);
    results.push(background.fill(imagePoint(0, 0)));
    const snapshot = background.snapshot();
    const png = background.png(new Map([[1, "#000000"]]));
    mask.undo();
    results.push(background.fill(imagePoint(0, 0)));
    expect((await Promise.all(results)).map((spans) => spans.area())).toEqual([90_000, 148 * 300, 90_000]);
    const back = new Mask(300, 300);
    await back.restore(await snapshot);
    expect(back.count(1)).toBe(4 * 300);
    expect((await decodeAnswerPng(await png, new Map([[1, "#000000"]]), 300, 300)).reduce((a, b) => a + b, 0)).toBe(1200);
    background.close();
  });

  it("does not do jobs that were cancelled before their turn", async () => {
    const worker = new NearWorker();
    const background = new Background(new Mask(30, 30), () => worker);
    const stop = new AbortController();
    const jobs = Array.from({ length: 9 }, () => background.fill(imagePoint(1, 1), stop.signal).catch(() => null));
    stop.abort();
    await Promise.all(jobs);
    await background.fill(imagePoint(1, 1));
    expect(worker.jobs).toBe(1);
    background.close();
  });
});
