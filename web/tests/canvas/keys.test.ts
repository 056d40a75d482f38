import { describe, expect, it } from "vitest";
import { kActions } from "../../src/canvas/actions";
import { actionFor, conflicts, keyTexts, kPresets, type KeyPress } from "../../src/canvas/keys";

function press(key: string, code: string, modifiers: Partial<KeyPress> = {}): KeyPress {
  return { key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...modifiers };
}

describe("keys", () => {
  it("names keys as people write them, on any layout", () => {
    expect(keyTexts(press("b", "KeyB"))).toEqual(["B"]);
    expect(keyTexts(press("P", "KeyP", { shiftKey: true }))).toEqual(["Shift+P"]);
    expect(keyTexts(press("z", "KeyZ", { metaKey: true }))).toEqual(["Ctrl+Z"]);
    expect(keyTexts(press("?", "Slash", { shiftKey: true }))).toEqual(["?"]);
    expect(keyTexts(press("и", "KeyB"))).toEqual(["B"]);
    expect(keyTexts(press("!", "Digit1", { shiftKey: true }))).toEqual(["Shift+1", "!"]);
    expect(keyTexts(press("&", "Digit1"))).toContain("1");
    expect(keyTexts(press(" ", "Space", { ctrlKey: true }))).toEqual(["Ctrl+Space"]);
    expect(keyTexts(press("Shift", "ShiftLeft", { shiftKey: true }))).toEqual([]);
  });

  it.each(kPresets.map(({ id }) => id))("of preset %s stand for one action each", (preset) => {
    expect(conflicts(kActions, preset, {})).toEqual([]);
  });

  it("are those that annotators know", () => {
    const id = (preset: "terrapin" | "cvat" | "labelStudio", p: KeyPress): string | undefined => actionFor(kActions, p, preset, {})?.id;
    expect(id("terrapin", press("b", "KeyB"))).toBe("tool.brush");
    expect(id("terrapin", press("P", "KeyP", { shiftKey: true }))).toBe("tool.polygonSubtract");
    expect(id("terrapin", press("0", "Digit0"))).toBe("label.10");
    expect(id("terrapin", press("Z", "KeyZ", { ctrlKey: true, shiftKey: true }))).toBe("redo");
    expect(id("terrapin", press("Enter", "Enter", { ctrlKey: true }))).toBe("submit");
    expect(id("cvat", press("!", "Digit1", { shiftKey: true }))).toBe("tool.brush");
    expect(id("cvat", press("$", "Digit4", { shiftKey: true }))).toBe("tool.polygonSubtract");
    expect(id("cvat", press("n", "KeyN"))).toBe("finish");
    expect(id("labelStudio", press("u", "KeyU"))).toBe("cancel");
    expect(id("labelStudio", press(" ", "Space", { ctrlKey: true }))).toBe("skip");
  });

  it("that were changed count first, free their old key, and conflicts are named", () => {
    const changed = { "tool.eraser": "B" };
    expect(actionFor(kActions, press("b", "KeyB"), "terrapin", changed)?.id).toBe("tool.eraser");
    expect(actionFor(kActions, press("e", "KeyE"), "terrapin", changed)).toBeNull();
    expect(conflicts(kActions, "terrapin", changed)).toEqual([{ key: "B", titles: ["Brush", "Eraser"] }]);
  });

  it("belong to actions with ids of their own", () => {
    expect(new Set(kActions.map((action) => action.id)).size).toBe(kActions.length);
  });
});
