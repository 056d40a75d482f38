import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/api/client";
import { UploadQueue, worthAnotherTry, type Send } from "../../src/api/upload";

// A blob named like a file: Node 18 has no File.
function file(name: string, size = 10): File {
  return Object.assign(new Blob([new Uint8Array(size)]), { name, lastModified: 0, webkitRelativePath: "" }) as File;
}

interface Run {
  queue: UploadQueue;
  ended: Promise<void>;
  pauses: [number, number | undefined][];
}
function queue(send: Send, atOnce = 2, tries = 3): Run {
  const pauses: [number, number | undefined][] = [];
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const made = new UploadQueue(send, () => !made.busy && end(), {
    atOnce,
    tries,
    pause: async (tried, wait) => void pauses.push([tried, wait]),
  });
  return { queue: made, ended, pauses };
}

describe("UploadQueue", () => {
  it("sends all, a few at once", async () => {
    let running = 0;
    let most = 0;
    const sent: string[] = [];
    const { queue: made, ended } = queue(async (_file, key, progress) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      progress(5);
      sent.push(key);
      running--;
    });
    for (let at = 0; at < 7; at++) made.add(file(`${at}.jpg`), `photos/${at}.jpg`);
    await ended;
    expect(sent.sort()).toEqual(Array.from({ length: 7 }, (_, at) => `photos/${at}.jpg`));
    expect(most).toBe(2);
    expect(made.count("done")).toBe(7);
    expect(made.uploads.every((one) => one.sent === 10)).toBe(true);
  });
  it("tries again after the network failed, as long as the server asks", async () => {
    let calls = 0;
    const { queue: made, ended, pauses } = queue(async () => {
      calls++;
      if (calls === 1) throw new ApiError(0, "Offline", "no network");
      if (calls === 2) throw new ApiError(429, "TooManyRequests", "slower", 7);
    });
    made.add(file("a.jpg"), "a.jpg");
    await ended;
    expect(made.count("done")).toBe(1);
    expect(pauses).toEqual([
      [1, undefined],
      [2, 7],
    ]);
  });
  it("gives up at last, and goes on with the others; a retry sends the failed ones once more", async () => {
    let online = false;
    let calls = 0;
    const { queue: made, ended } = queue(async (_file, key) => {
      if (key !== "bad" || online) return;
      calls++;
      throw new ApiError(0, "Offline", "no network");
    });
    made.add(file("bad"), "bad");
    made.add(file("good"), "good");
    await ended;
    expect(calls).toBe(3);
    expect(made.uploads.map((one) => one.state)).toEqual(["failed", "done"]);
    expect(made.uploads[0]!.problem).toBe("no network");
    online = true;
    made.retry();
    while (made.busy) await Promise.resolve();
    expect(made.count("done")).toBe(2);
  });
  it("does not repeat what the server refused", async () => {
    let calls = 0;
    const { queue: made, ended } = queue(async () => {
      calls++;
      throw new ApiError(413, "TooLarge", "too large");
    });
    made.add(file("a"), "a");
    await ended;
    expect(calls).toBe(1);
    expect(worthAnotherTry(new ApiError(503, "Busy", ""))).toBe(true);
    expect(worthAnotherTry(new Error("x"))).toBe(false);
  });
});
