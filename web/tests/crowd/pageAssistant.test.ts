import { beforeEach, describe, expect, it } from "vitest";
import type { FromFrame, ToFrame } from "../../src/bridge/protocol";
import { assistantFor } from "../../src/crowd/pageAssistant";
import { Runtime } from "../../src/crowd/runtime";
import type { Assistance, Prompt } from "../../src/model/prompt";

const prompt: Prompt = { extremes: [[1, 0], [0, 1], [2, 2], [3, 1]], positive: [], negative: [], previous: null, method: "auto" };
const answer = { box: [0, 0, 4, 3] as const, runs: "AAw=", method: "network" as const };

let sent: FromFrame[];
let hear: (message: ToFrame) => void;

function start(assistance: Assistance | null): Runtime {
  return new Runtime({
    labels: [],
    settings: { keys: "terrapin", changedKeys: {}, colorBlindPalette: false, theme: "system", opacity: 0.5, outline: false, brushSize: 24 },
    readOnly: false,
    draft: [],
    answer: null,
    assistance,
    file: () => undefined,
    uri: (address) => (address === "blob:1" ? "s3://photos/1.jpg" : undefined),
    send: (message) => sent.push(message),
    listen: (listener) => (hear = listener),
  });
}

beforeEach(() => {
  sent = [];
});

describe("a canvas's assistant", () => {
  it("is there for photos of the task where the server offers something, with what it offers", () => {
    expect(assistantFor(start({ network: true, classical: true }), "blob:1")?.methods).toEqual(["network", "classical"]);
    expect(assistantFor(start({ network: false, classical: true }), "blob:1")?.methods).toEqual(["classical"]);
    expect(assistantFor(start({ network: false, classical: false }), "blob:1")).toBeNull();
    expect(assistantFor(start(null), "blob:1")).toBeNull();
    expect(assistantFor(start({ network: true, classical: true }), "https://elsewhere/1.jpg")).toBeNull();
    expect(assistantFor(new Runtime(null), "blob:1")).toBeNull();
  });

  it("asks the page, and tells each question its own answer or problem", async () => {
    const assistant = assistantFor(start({ network: true, classical: true }), "blob:1")!;
    assistant.open();
    const first = assistant.segment(prompt);
    const second = assistant.segment({ ...prompt, method: "classical" });
    expect(sent).toEqual([
      { type: "assistOpen", uri: "s3://photos/1.jpg" },
      { type: "assist", id: 1, uri: "s3://photos/1.jpg", prompt },
      { type: "assist", id: 2, uri: "s3://photos/1.jpg", prompt: { ...prompt, method: "classical" } },
    ]);
    hear({ type: "assisted", id: 9, answer });
    hear({ type: "assisted", id: 2, answer });
    hear({ type: "assisted", id: 1, problem: "A newer question took the place of this one." });
    expect(await second).toEqual(answer);
    await expect(first).rejects.toThrow("A newer question took the place of this one.");
  });
});
