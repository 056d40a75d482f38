import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../src/api/client";
import type { ToFrame } from "../../src/bridge/protocol";
import type { Assistance, Prompt } from "../../src/model/prompt";
import { TaskAssistance, assistProblem } from "../../src/pages/taskAssistance";

const photo = "s3://photos/a photo.jpg";
const prompt = (x: number): Prompt => ({ extremes: [[x, 0], [0, 1], [2, 2], [3, 1]], positive: [], negative: [], previous: null, method: "auto" });
const answer = { box: [0, 0, 4, 3] as const, runs: "AAw=", method: "network" as const };

// The server: calls wait until the test answers them.
interface Call {
  path: string;
  body: unknown;
  signal: AbortSignal | undefined;
  answer: (value: unknown) => void;
  fail: (error: Error) => void;
}
let calls: Call[];
let replies: ToFrame[];

const client = {
  post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      calls.push({ path, body, signal, answer: resolve as (value: unknown) => void, fail: reject });
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
  },
};
const kBoth: Assistance = { network: true, classical: true };
function make({ offered }: { offered: Assistance | null | undefined } = { offered: kBoth }): TaskAssistance {
  return new TaskAssistance({ assignment: "a/1", offered, photos: [photo, "s3://photos/b.jpg"], client, reply: (message) => replies.push(message) });
}
const settled = async (): Promise<void> => {
  for (let i = 0; i < 8; ++i) await Promise.resolve();
};

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  replies = [];
});
afterEach(() => {
  vi.useRealTimers();
});

describe("questions of a task", () => {
  it("go to the server as the page's interface says, and the answer back", async () => {
    const one = make();
    one.open(photo);
    one.open(photo);
    void one.ask(5, photo, prompt(1));
    expect(calls.map(({ path, body }) => [path, body])).toEqual([
      ["assignments/a%2F1/assist/open", { image: photo }],
      ["assignments/a%2F1/assist", { image: photo, ...prompt(1) }],
    ]);
    calls[0]!.fail(new ApiError(503, "Busy", "later"));
    calls[1]!.answer({ ...answer, milliseconds: 12 });
    await settled();
    expect(replies).toEqual([{ type: "assisted", id: 5, answer }]);
  });

  it("are not asked about other objects, nor of a server that offers nothing", async () => {
    for (const offered of [null, undefined, { network: false, classical: false }]) {
      const none = make({ offered });
      expect(none.offered).toBeNull();
      none.open(photo);
      await none.ask(1, photo, prompt(1));
    }
    const one = make();
    one.open("s3://secret/1.jpg");
    await one.ask(2, "s3://secret/1.jpg", prompt(1));
    expect(calls).toEqual([]);
    expect(replies.map((reply) => reply.type === "assisted" && "problem" in reply && reply.problem)).toEqual(Array(4).fill("Assistance is not offered for this photo; paint by hand."));
  });

  it("in a flood are two at the server and the newest behind them; each has one reply", async () => {
    const one = make();
    for (let id = 1; id <= 50; ++id) void one.ask(id, photo, prompt(id));
    expect(calls.length).toBe(2);
    expect(replies.length).toBe(47);
    calls[0]!.fail(new ApiError(409, "superseded", "A newer question came."));
    await settled();
    expect(calls.length).toBe(3);
    expect(calls[2]!.body).toMatchObject(prompt(50));
    calls[1]!.answer(answer);
    calls[2]!.answer(answer);
    await settled();
    expect(calls.length).toBe(3);
    expect(replies.map((reply) => reply.type === "assisted" && reply.id).sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(replies.at(-1)).toEqual({ type: "assisted", id: 50, answer });
  });

  it("that overtook an older one on the way are asked once more", async () => {
    const one = make();
    void one.ask(1, photo, prompt(1));
    void one.ask(2, photo, prompt(2));
    calls[1]!.fail(new ApiError(409, "superseded", "A newer question came."));
    await settled();
    expect(calls[2]!.body).toMatchObject(prompt(2));
    calls[0]!.fail(new ApiError(409, "superseded", "A newer question came."));
    calls[2]!.fail(new ApiError(409, "superseded", "A newer question came."));
    await settled();
    expect(calls.length).toBe(3);
    expect(replies.map((reply) => "problem" in reply && reply.problem)).toEqual(["A newer question came.", "A newer question came."]);
  });

  it("have words for what goes wrong", async () => {
    expect(assistProblem(new ApiError(0, "Offline", "The server cannot be reached."))).toBe("Assistance needs the server; paint by hand or try again.");
    expect(assistProblem(new ApiError(400, "InvalidArgument", "positive point 2 at 90,1 lies outside the photo"))).toBe("positive point 2 at 90,1 lies outside the photo");
    expect(assistProblem(new ApiError(409, "Conflict", "The lease is over."))).toBe("The lease is over.");
    for (const [error, words] of [
      [new ApiError(401, "NotSignedIn", ""), "signed out"],
      [new ApiError(429, "TooManyRequests", ""), "no more questions for a moment"],
      [new ApiError(503, "Busy", ""), "cannot answer now"],
      [new SyntaxError("no JSON"), "cannot answer now"],
    ] as const)
      expect(assistProblem(error)).toMatch(words);
    const one = make();
    void one.ask(1, photo, prompt(1));
    calls[0]!.fail(new ApiError(0, "Offline", ""));
    await settled();
    expect(replies).toEqual([{ type: "assisted", id: 1, problem: "Assistance needs the server; paint by hand or try again." }]);
  });

  it("are given up when the server is silent", async () => {
    const one = make();
    void one.ask(1, photo, prompt(1));
    vi.advanceTimersByTime(29_999);
    await settled();
    expect(replies).toEqual([]);
    vi.advanceTimersByTime(2);
    await settled();
    expect(replies).toEqual([{ type: "assisted", id: 1, problem: "The server has not answered for 30 seconds; paint by hand or try again." }]);
  });

  it("end with the task: nothing is asked or replied any more", async () => {
    const one = make();
    for (let id = 1; id <= 3; ++id) void one.ask(id, photo, prompt(id));
    one.close();
    await settled();
    void one.ask(4, photo, prompt(4));
    one.open(photo);
    await settled();
    expect(calls.length).toBe(2);
    expect(calls.every(({ signal }) => signal?.aborted)).toBe(true);
    expect(replies).toEqual([]);
  });
});
