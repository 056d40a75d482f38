import { expect, it } from "vitest";
import { canvasPayload, fieldPayload, readDraft, snapshotPayload } from "../../src/crowd/payload";

it("gives back what was written, in ASCII, with its place in the draft", () => {
  const payloads = [
    canvasPayload("a b", "DELTA1"),
    fieldPayload("note ü", "Schildkröte 🐢\n"),
    canvasPayload("a b", "DELTA2"),
    canvasPayload("other", "X"),
    fieldPayload("note ü", "second"),
  ];
  for (const payload of payloads) expect(payload).toMatch(/^[\x20-\x7e]+$/);
  const draft = readDraft(payloads);
  expect(draft.canvases.get("a b")).toEqual({ texts: ["DELTA1", "DELTA2"], places: [1, 3] });
  expect(draft.canvases.get("other")).toEqual({ texts: ["X"], places: [4] });
  expect(draft.fields.get("note ü")).toBe("second");
  expect(readDraft(payloads.slice(0, 2)).fields.get("note ü")).toBe("Schildkröte 🐢\n");
  expect(draft.unreadable).toBe(0);
});

it("begins a canvas anew from a snapshot and keeps what follows", () => {
  const snapshot = snapshotPayload({ canvases: { a: "SNAP" }, fields: { x: 1, "y=on": true } });
  const draft = readDraft([canvasPayload("a", "old"), snapshot, canvasPayload("a", "new")]);
  expect(draft.canvases.get("a")).toEqual({ texts: ["SNAP", "new"], places: [2, 3] });
  expect(Object.fromEntries(draft.fields)).toEqual({ x: 1, "y=on": true });
});

it("leaves out what it cannot read, and counts it", () => {
  expect(readDraft(["", "?", "c", "f%zz 1", "fa {", "S{", "S{}", canvasPayload("a", "good")])).toMatchObject({ unreadable: 7 });
});
