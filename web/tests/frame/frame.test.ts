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
  it("change only settings that are settings", () => {
    expect(checkedSettings({ keys: "cvat", opacity: 7, brushSize: "9", theme: "<b>", outline: true, extra: 1 }, usual)).toEqual({ ...usual, keys: "cvat", outline: true });
    expect(checkedSettings({ changedKeys: { undo: "U", bad: 1, ["x".repeat(99)]: "y" } }, usual).changedKeys).toEqual({ undo: "U" });
    expect(checkedSettings(null, usual)).toEqual(usual);
  });
});
