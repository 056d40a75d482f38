import { describe, expect, it } from "vitest";
import { gather } from "../../src/crowd/answers";
import { parseLoose } from "../../src/crowd/loose";

describe("values as templates write them", () => {
  it("reads JSON, and what is nearly JSON", () => {
    expect(parseLoose('{"a": [1, true, null]}')).toEqual({ a: [1, true, null] });
    expect(parseLoose("['Cat', 'It\\'s', \"Dog\",]")).toEqual(["Cat", "It's", "Dog"]);
    expect(parseLoose("{ 'src' : 'blob:null/1-2', 'labelMappings': { \"Bird\": { 'color': \"#ff7f0e\" }, } }")).toEqual({
      src: "blob:null/1-2",
      labelMappings: { Bird: { color: "#ff7f0e" } },
    });
    expect(parseLoose('{"labelMappings": {}, "src": blob:null/7f-1 }')).toEqual({ labelMappings: {}, src: "blob:null/7f-1" });
    expect(parseLoose("{&quot;a&quot;: &quot;x &amp;amp; y&quot;}")).toEqual({ a: "x &amp; y" });
    expect(parseLoose("{a: 'u\\u0041\\n'}")).toEqual({ a: "uA\n" });
  });
  it("says when it cannot, and makes no prototypes", () => {
    for (const text of ["", "{", "[1", "{'a' 1}", "{'a':}", "'open", "[1 2]", "{a: 1} x", "[".repeat(40)]) expect(parseLoose(text), text).toBeUndefined();
    const value = parseLoose("{'__proto__': {'x': 1}, }") as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect((value as { x?: unknown }).x).toBeUndefined();
  });
});

describe("AWS's answer of a form", () => {
  it("gathers choices of one name, and takes the last text of one name", () => {
    expect(
      gather([
        { name: "colour", choice: "Red", checked: true },
        { name: "colour", choice: "Green", checked: false },
        { name: "note", value: "a" },
        { name: "note", value: "b" },
        { name: "agree", choice: "on", checked: false },
        { name: "", value: "not asked for" },
        { name: "size", value: 7 },
      ]),
    ).toEqual({ colour: { Red: true, Green: false }, note: "b", agree: { on: false }, size: 7 });
  });
  it("keeps names like __proto__ as names", () => {
    expect(JSON.stringify(gather([{ name: "__proto__", value: "x" }, { name: "c", choice: "__proto__", checked: true }]))).toBe(
      '{"__proto__":"x","c":{"__proto__":true}}',
    );
  });
});
