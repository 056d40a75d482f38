import { describe, expect, it } from "vitest";
import type { ViewSettings } from "../../src/bridge/protocol";
import { checkedSettings, readFromFrame } from "../../src/bridge/untrusted";
import { placeFiles } from "../../src/frame/files";

const usual: ViewSettings = { keys: "terrapin", changedKeys: {}, colorBlindPalette: false, theme: "system", opacity: 0.5, outline: false, brushSize: 24 };

it("puts each file's address in all its places and keeps what is behind it", () => {
  const [one, two] = [new Blob(["1"]), new Blob(["2"])];
  let count = 0;
  const placed = placeFiles(
    "<img src='p-0-'><x src=p-1- alt=p-0->p-10-",
    [
      { placeholder: "p-0-", uri: "s3://b/1", content: one },
      { placeholder: "p-1-", uri: "s3://b/2", content: two },
    ],
    () => `blob:$&${++count}`,
  );
  expect(placed.html).toBe("<img src='blob:$&1'><x src=blob:$&2 alt=blob:$&1>p-10-");
  expect(placed.contents.get("blob:$&1")).toBe(one);
  expect(placed.contents.get("blob:$&2")).toBe(two);
  expect([placed.uris.get("blob:$&1"), placed.uris.get("blob:$&2"), placed.uris.get("s3://b/1")]).toEqual(["s3://b/1", "s3://b/2", undefined]);
});

describe("messages of a hostile template", () => {
  it("become what the protocol knows, or nothing", () => {
    expect(readFromFrame({ type: "ready", more: 1 }, usual)).toEqual({ type: "ready" });
    expect(readFromFrame({ type: "delta", data: "c a" }, usual)).toEqual({ type: "delta", data: "c a" });
    expect(readFromFrame({ type: "snapshot", data: "S{}", deltas: 3 }, usual)).toEqual({ type: "snapshot", data: "S{}", deltas: 3 });
    expect(readFromFrame({ type: "problem", message: "x".repeat(5000) }, usual)).toEqual({ type: "problem", message: "x".repeat(2000) });
    for (const message of [
      null,
      "ready",
      {},
      { type: "open" },
      { type: "fetch", url: "/_/api/me" },
      { type: "delta" },
      { type: "delta", data: 7 },
      { type: "delta", data: "ü" },
      { type: "delta", data: "a\0" },
      { type: "snapshot", data: "S", deltas: -1 },
      { type: "snapshot", data: "S", deltas: 1.5 },
      { type: "submit", answer: {}, unpainted: false },
      { type: "submit", answer: "{}", unpainted: "no" },
    ])
      expect(readFromFrame(message, usual)).toBeNull();
  });
  it("ask about photos in the members and sizes that a question has", () => {
    const ends = [[1, 0], [0, 3], [4, 9], [7, 2]];
    const previous = { box: [2, 3, 4, 5], runs: "AwQN" };
    const prompt = { extremes: ends, positive: [[5, 5]], negative: [], previous: null, method: "auto" };
    const asked = (change: object, uri: unknown = "s3://b/1", id: unknown = 7): unknown => readFromFrame({ type: "assist", id, uri, prompt: { ...prompt, ...change } }, usual);
    expect(asked({})).toEqual({ type: "assist", id: 7, uri: "s3://b/1", prompt });
    expect(asked({ extremes: [], previous, method: "network" })).toEqual({ type: "assist", id: 7, uri: "s3://b/1", prompt: { ...prompt, extremes: [], previous, method: "network" } });
    expect(asked({ image: "s3://other/1", __proto__: 1 })).toEqual({ type: "assist", id: 7, uri: "s3://b/1", prompt });
    expect(asked({ extremes: [], previous: { ...previous, more: "x" } })).toMatchObject({ prompt: { previous } });
    expect(asked({ positive: Array.from({ length: 200 }, () => [0, 0]) })).not.toBeNull();
    const points = (point: unknown): object => ({ positive: [point] });
    for (const wrong of [
      { extremes: ends.slice(1) },
      { extremes: [...ends, [1, 1]] },
      { extremes: [] },
      { extremes: [], previous: { box: [2, 3, 4], runs: "" } },
      { extremes: "none" },
      points([1]),
      points([1, 2, 3]),
      points([1, -1]),
      points([1, 1.5]),
      points([1, 2 ** 21]),
      points([1, NaN]),
      points(["1", 2]),
      points({ x: 1, y: 2 }),
      { positive: Array.from({ length: 201 }, () => [0, 0]) },
      { negative: Array.from({ length: 201 }, () => [0, 0]) },
      { negative: undefined },
      { previous: undefined },
      { previous: "mask" },
      { previous: { ...previous, box: [2, 3, 4, -5] } },
      { previous: { ...previous, box: ["2", 3, 4, 5] } },
      { previous: { ...previous, runs: 7 } },
      { previous: { ...previous, runs: "A\u0000==" } },
      { previous: { ...previous, runs: "A".repeat(100_004) } },
      { method: "magic" },
    ])
      expect(asked(wrong), JSON.stringify(wrong).slice(0, 80)).toBeNull();
    for (const id of [-1, 1.5, "7", null, Infinity]) expect(asked({}, "s3://b/1", id)).toBeNull();
    for (const uri of [null, 7, "s".repeat(2001)]) expect(asked({}, uri)).toBeNull();
    for (const nothing of [null, undefined, "prompt", []]) expect(readFromFrame({ type: "assist", id: 1, uri: "s3://b/1", prompt: nothing }, usual)).toBeNull();
    expect(readFromFrame({ type: "assistOpen", uri: "s3://b/1", more: 1 }, usual)).toEqual({ type: "assistOpen", uri: "s3://b/1" });
    expect(readFromFrame({ type: "assistOpen", uri: ["s3://b/1"] }, usual)).toBeNull();
  });
  it("change only settings that are settings", () => {
    expect(checkedSettings({ keys: "cvat", opacity: 7, brushSize: "9", theme: "<b>", outline: true, extra: 1 }, usual)).toEqual({ ...usual, keys: "cvat", outline: true });
    expect(checkedSettings({ changedKeys: { undo: "U", bad: 1, ["x".repeat(99)]: "y" } }, usual).changedKeys).toEqual({ undo: "U" });
    expect(checkedSettings(null, usual)).toEqual(usual);
  });
});
