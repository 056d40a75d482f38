import { describe, expect, it } from "vitest";
import { parseInitialValue, parseOverlay } from "../../src/crowd/coloredMask";

const mask = { src: "blob:null/1-2", labelMappings: { Bird: { color: "#ff7f0e" } } };

describe("a mask that a template names", () => {
  it("is read as documentation writes it", () => {
    expect(parseInitialValue("{ 'src': 'blob:null/1-2', 'labelMappings': { \"Bird\": { 'color': \"#ff7f0e\" }, } }")).toEqual(mask);
    expect(parseOverlay('{ "semanticSegmentation": { "labels": ["Bird"], "labelMappings": { "Bird": { "color": "#ff7f0e" } }, "src": "blob:null/1-2", } }')).toEqual(mask);
    for (const none of [null, "", "  "]) {
      expect(parseInitialValue(none)).toBeUndefined();
      expect(parseOverlay(none)).toBeUndefined();
    }
  });
  it("says what is wrong and where", () => {
    expect(() => parseInitialValue("[1]")).toThrow(/^initial-value: an object like/);
    expect(() => parseOverlay("[1]")).toThrow(/^overlay: an object like \{"semanticSegmentation"/);
    expect(() => parseOverlay('{"boundingBox": {}}')).toThrow(/^overlay: an object like \{"semanticSegmentation"/);
    expect(() => parseOverlay('{"semanticSegmentation": {"src": "a"}}')).toThrow(/^overlay: an object like/);
    expect(() => parseOverlay('{"semanticSegmentation": {"src": "a", "labelMappings": {"Bird": {}}}}')).toThrow("overlay: labelMappings.Bird has no");
  });
});
