import { describe, expect, it } from "vitest";
import { colorBlindColors, colorNumber, defaultColors, labelsOf, labelsProblem, parseLabels } from "../../src/model/labels";

describe("parseLabels", () => {
  it("reads every spelling that templates use", () => {
    const cases: [unknown, string[]][] = [
      ['["Cat","Dog"]', ["Cat", "Dog"]],
      ["['Cat', 'Dog']", ["Cat", "Dog"]],
      ["['Cat',\n  'Dog',\n]", ["Cat", "Dog"]],
      ["  [ 'Turtle' ]  ", ["Turtle"]],
      ["[&quot;Cat&quot;,&quot;Dog&quot;]", ["Cat", "Dog"]],
      ["[&amp;quot;Cat&amp;quot;]", ["Cat"]],
      ["[&#34;A &amp; B&#34;, &#x22;C&#x22;]", ["A & B", "C"]],
      ["[&#39;Cat&#39;]", ["Cat"]],
      ['["R&D", "a \\"b\\"", "\\u00e9"]', ["R&D", 'a "b"', "é"]],
      ["['Driver's cap', 'Dogs'']", ["Driver's cap", "Dogs'"]],
      ["['it\\'s', 'a\\nb', '\\u00e9', 'back\\\\slash']", ["it's", "a\nb", "é", "back\\slash"]],
      ["['a,b', \"c]d\"]", ["a,b", "c]d"]],
      ['[{"label":"Cat"},{"label":"Dog","color":"#000000"}]', ["Cat", "Dog"]],
      ["[{label: 'Cat'}, {name: 'Dog', id: 3,},]", ["Cat", "Dog"]],
      ['"[\\"Cat\\"]"', ["Cat"]],
      ["[]", []],
      [["Cat", { label: "Dog" }], ["Cat", "Dog"]],
    ];
    for (const [source, names] of cases) expect(parseLabels(source), String(source)).toEqual(names);
  });

  it("says what is wrong with everything else", () => {
    for (const source of ["", "Cat, Dog", "['Cat'", "{'Cat'}", "[Cat]", "['Cat'] x", "{{ task.input.labels }}"])
      expect(() => parseLabels(source), source).toThrow("labels");
    expect(() => parseLabels("[1]")).toThrow("labels[0]: 1");
    expect(() => parseLabels('["a", {"x": 1}]')).toThrow("labels[1]");
    expect(() => parseLabels(undefined)).toThrow("labels");
    expect(() => parseLabels(`${"[".repeat(5000)}`)).toThrow("labels");
  });
});

describe("colours", () => {
  it("are D3's ten, green for a single label, and then the server's", () => {
    expect(defaultColors(1)).toEqual(["#2ca02c"]);
    expect(defaultColors(3)).toEqual(["#1f77b4", "#ff7f0e", "#2ca02c"]);
    expect(defaultColors(254)[253]).toBe("#5b288c");
    expect(defaultColors(13).slice(9)).toEqual(["#17becf", "#2864f5", "#7bd200", "#af5aa5"]);
  });

  it("are all different and none is white, up to 254 labels", () => {
    for (const make of [defaultColors, colorBlindColors])
      for (const count of [0, 1, 2, 7, 10, 11, 100, 254]) {
        const colors = make(count);
        expect(colors.length).toBe(count);
        expect(new Set([...colors, "#ffffff"]).size).toBe(count + 1);
        for (const color of colors) expect(colorNumber(color)).not.toBeNull();
      }
  });
});

describe("labels", () => {
  it("get values in order, default colours, and what is known of them", () => {
    expect(labelsOf(["Turtle"])).toEqual([{ value: 1, name: "Turtle", color: "#2ca02c", isVoid: false }]);
    expect(labelsOf(["A", "B", "C"], [{ name: "B", color: "#1F77B4", isVoid: true }])).toEqual([
      { value: 1, name: "A", color: "#ff7f0e", isVoid: false },
      { value: 2, name: "B", color: "#1f77b4", isVoid: true },
      { value: 3, name: "C", color: "#2ca02c", isVoid: false },
    ]);
    expect(labelsProblem(labelsOf(Array.from({ length: 254 }, (_, i) => `label ${i}`)))).toBeNull();
  });

  it("are refused with the reason", () => {
    const one = (name: string, color = "#2ca02c") => ({ name, color });
    expect(labelsProblem([])).toMatch("no label");
    expect(labelsProblem([one(" ")])).toMatch("no name");
    expect(labelsProblem([one("a"), one("a", "#000000")])).toMatch('"a" is there twice');
    expect(labelsProblem([one("a"), one("b", "#2CA02C")])).toMatch('of the label "a"');
    expect(labelsProblem([one("a", "#FFFFFF")])).toMatch("background");
    expect(labelsProblem([one("a", "green")])).toMatch('"green"');
    expect(labelsProblem([one("x".repeat(257))])).toMatch("256");
    expect(labelsProblem(labelsOf(Array.from({ length: 255 }, (_, i) => `${i}`)))).toMatch("254");
  });
});
