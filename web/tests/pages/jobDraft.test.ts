import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parsePrice, priceText } from "../../src/pages/price";
import { defaultTemplate } from "../../src/pages/console/defaultTemplate";
import { render } from "../../src/template/render";
import {
  attributeFor,
  emptyDraft,
  htmlOf,
  kMemberWords,
  kSteps,
  labelsProblem,
  memberOf,
  nameFrom,
  nextLabel,
  nextName,
  problemsOf,
  readDraft,
  requestOf,
  withoutMember,
  type JobDraft,
} from "../../src/pages/console/jobDraft";

function complete(change: Partial<JobDraft> = {}): JobDraft {
  return {
    ...emptyDraft(),
    name: "turtles",
    title: "Paint turtles",
    inputUri: "s3://photos/turtles/",
    outputUri: "s3://photos/results",
    labels: [{ label: "Turtle", color: "#2ca02c", void: false }],
    workteamArn: "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/divers",
    ...change,
  };
}

describe("a new job", () => {
  it("names each member that is missing", () => {
    expect(Object.keys(problemsOf(emptyDraft())).sort()).toEqual(["input_uri", "labels", "name", "output_uri", "title", "workteam_arn"]);
    expect(problemsOf(complete())).toEqual({});
  });
  it("shows each member's problem in one step, under a name", () => {
    const members = kSteps.flatMap((step) => step.members);
    expect(new Set(members).size).toBe(members.length);
    expect(members.filter((member) => !kMemberWords[member])).toEqual([]);
    const bad = complete({ name: "-", labelAttribute: "label", workersPerObject: "10", maxPercent: "0", keywords: ["x".repeat(31)], tags: [{ key: "", value: "" }] });
    for (const member of Object.keys(problemsOf(bad))) expect(members).toContain(member);
    expect(Object.keys(problemsOf(bad))).toHaveLength(6);
  });
  it("takes the limits as they are", () => {
    for (const [change, fine] of [
      [{ workersPerObject: "9" }, true],
      [{ workersPerObject: "0" }, false],
      [{ workersPerObject: "1.5" }, false],
      [{ workersPerObject: "" }, false],
      [{ maxObjects: "" }, true],
      [{ maxPercent: "100" }, true],
      [{ maxPercent: "101" }, false],
      [{ name: "a".repeat(63) }, true],
      [{ name: "a".repeat(64) }, false],
      [{ name: "a-" }, false],
      [{ name: "a--b" }, true],
      [{ labelAttribute: "judged", kind: "verification" }, true],
      [{ title: "ä".repeat(65) }, false],
      [{ inputUri: "photos/turtles" }, false],
      [{ inputUri: "s3://photos/in.manifest", inputKind: "manifest" }, true],
      [{ inputUri: "s3://photos/turtles/", inputKind: "manifest" }, false],
    ] as [Partial<JobDraft>, boolean][])
      expect([change, Object.keys(problemsOf(complete(change))).length === 0]).toEqual([change, fine]);
  });
  it("asks for price and word with the public crowd only", () => {
    const draft = complete({ teamKind: "public", price: "free" });
    expect(Object.keys(problemsOf(draft)).sort()).toEqual(["content_classifiers", "price"]);
    expect(requestOf(complete({ teamKind: "private", price: "free" }))).not.toHaveProperty("price");
    expect(requestOf(complete({ teamKind: "public", price: "0.036" }))["price"]).toEqual({ dollars: 0, cents: 3, tenth_fractions_of_a_cent: 6 });
  });
  it("becomes a request with seconds, and without what was left alone", () => {
    expect(requestOf(complete({ taskMinutes: "15", availabilityHours: "24", maxPercent: "50" }))).toEqual({
      name: "turtles",
      title: "Paint turtles",
      description: "Paint turtles",
      kind: "segmentation",
      label_attribute: "label-ref",
      input_uri: "s3://photos/turtles/",
      output_uri: "s3://photos/results",
      labels: [{ label: "Turtle", color: "#2ca02c" }],
      workteam_arn: "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/divers",
      workers_per_object: 1,
      task_time_limit_s: 900,
      task_availability_s: 86_400,
      max_concurrent: 1000,
      max_percent_labeled: 50,
    });
  });
  it("says of a folder that it is one, however it was typed", () => {
    expect(requestOf(complete({ inputUri: "s3://photos/turtles" }))["input_uri"]).toBe("s3://photos/turtles/");
    expect(requestOf(complete({ inputUri: "s3://photos" }))["input_uri"]).toBe("s3://photos/");
    expect(requestOf(complete({ inputUri: "s3://photos/in.manifest", inputKind: "manifest" }))["input_uri"]).toBe("s3://photos/in.manifest");
  });
  it("gives one way of labels and one of templates", () => {
    const both = complete({ categoriesUri: "s3://b/c.json", templateUri: "s3://b/t.html", templateHtml: "<p>", header: "Paint" });
    expect(Object.keys(requestOf(both)).filter((name) => /^(labels|categories|template|instructions)/.test(name))).toEqual(["labels", "instructions"]);
    const other = requestOf({ ...both, labelsKind: "file", templateKind: "uri" });
    expect(Object.keys(other).filter((name) => /^(labels|categories|template|instructions)/.test(name))).toEqual(["categories_uri", "template_uri"]);
  });
  it("finds the member that a refusal names", () => {
    expect(memberOf("'label_attribute' is 'label': it must end in '-ref'")).toBe("label_attribute");
    expect(memberOf("'labels[3]': 'label' must be a string")).toBe("labels");
    expect(memberOf("the team 'name-of-a-team' is not here")).toBe("");
  });
  it("shows a refusal beside its member without repeating the name", () => {
    expect(withoutMember("'name': there is a labeling job 'a'")).toBe("There is a labeling job 'a'.");
    expect(withoutMember("'output_uri' is 's3://': s3://bucket/prefix is expected")).toBe("s3://bucket/prefix is expected.");
    expect(withoutMember("'keywords' has more than 5")).toBe("'keywords' has more than 5.");
  });
  it("is kept over a reload, but not in a shape that is not known", () => {
    const draft = complete({ keywords: ["a"] });
    expect(readDraft(JSON.stringify(draft))).toEqual(draft);
    expect(readDraft(null)).toEqual(emptyDraft());
    expect(readDraft("{")).toEqual(emptyDraft());
    expect(readDraft(JSON.stringify({ ...draft, labels: {} }))).toEqual(emptyDraft());
  });
});

describe("labels", () => {
  const label = (name: string, color = "#2ca02c", isVoid = false): JobDraft["labels"][number] => ({ label: name, color, void: isVoid });
  it("are unique in name and colour, none white, at most one void", () => {
    expect(labelsProblem([label("a"), label("b", "#111111")])).toBe("");
    expect(labelsProblem([])).not.toBe("");
    expect(labelsProblem([label(" ")])).toContain("1");
    expect(labelsProblem([label("a"), label("a ", "#111111")])).toContain('"a"');
    expect(labelsProblem([label("a"), label("b", "#2CA02C")])).toContain('"b"');
    expect(labelsProblem([label("a", "#ffffff")])).toContain("white");
    expect(labelsProblem([label("a"), label("b", "#000001", true), label("c", "#000002", true)])).toContain("void");
    expect(labelsProblem([label("a", "#000001", true)])).not.toBe("");
    expect(labelsProblem([label("BACKGROUND")])).toContain("BACKGROUND");
  });
  it("get colours that are free, up to the last", () => {
    const labels = [label("1")];
    while (labels.length < 254) labels.push({ ...nextLabel(labels), label: String(labels.length + 1) });
    expect(labelsProblem(labels)).toContain("253");
    labels[253]!.void = true;
    expect(labelsProblem(labels)).toBe("");
  });
});

describe("names", () => {
  it("come from words", () => {
    expect(["Sea turtles, 2nd", "  Größe! ", "---", "x".repeat(90)].map(nameFrom)).toEqual(["sea-turtles-2nd", "gro-e", "", "x".repeat(63)]);
  });
  it("of the next job count on", () => {
    expect(["turtles", "turtles-2", "turtles9", "a".repeat(63)].map(nextName)).toEqual(["turtles-2", "turtles-3", "turtles-10", `${"a".repeat(60)}-2`]);
  });
});

describe("instructions", () => {
  it("make paragraphs of plain text and leave HTML alone", () => {
    expect(htmlOf("a < b\nc\n\nd")).toBe("<p>a &lt; b<br />c</p>\n<p>d</p>");
    expect(htmlOf(" <b>x</b> ")).toBe("<b>x</b>");
    expect(htmlOf("  ")).toBe("");
  });
  it("cannot become Liquid or end an attribute", () => {
    const liquid = (html: string): string[] => html.match(/\{\{.*?\}\}|\{%.*?%\}/g) ?? [];
    for (const kind of ["segmentation", "adjustment", "verification"] as const) {
      const own = liquid(defaultTemplate(kind, { header: "", short_html: "", full_html: "" }));
      expect(own.slice(0, 2)).toEqual(["{{ task.input.taskObject | grant_read_access }}", "{{ task.input.labels | to_json | escape }}"]);
      const html = defaultTemplate(kind, { header: 'a"{{x}}', short_html: "{{ secret }}{% raw %} { }", full_html: "" });
      expect(liquid(html)).toEqual(own);
      expect(html).toContain('header="a&quot;&#123;&#123;x}}"');
    }
  });
});

describe("the task page of the kind", () => {
  const words = { header: "", short_html: "", full_html: "" };
  const color = (name: string, hex: string): object => ({ "class-name": name, "hex-color": hex, confidence: 0.9 });
  const masked = (name: string, when: string): object => ({
    [`${name}-ref`]: `s3://bucket/${name}.png`,
    [`${name}-ref-metadata`]: { "creation-date": when, "internal-color-map": { "0": color("BACKGROUND", "#ffffff"), "1": color("Dog's & <co>", "#2ca02c") } },
  });
  const judged = { "judged-ref": "0", "judged-ref-metadata": { "class-name": "good", "creation-date": "2026-03-03T00:00:00" } };
  const shown = async (kind: JobDraft["kind"], line: object): Promise<string> => {
    const images = Object.fromEntries(["photo.jpg", "old.png", "new.png"].map((name) => [`s3://bucket/${name}`, `/_/api/images/${name}`]));
    const taskInput = { taskObject: "s3://bucket/photo.jpg", labels: ["good", "bad"], manifestLine: { "source-ref": "s3://bucket/photo.jpg", ...line } };
    const { html, files, problems } = await render({ template: defaultTemplate(kind, words), taskInput, images }, "S");
    expect(problems).toEqual([]);
    return files.reduce((text, file) => text.replaceAll(file.placeholder, file.uri), html);
  };
  it("shows the newest mask, whatever else the line has", async () => {
    for (const [kind, attribute] of [["verification", "overlay"], ["adjustment", "initial-value"]] as const) {
      const html = await shown(kind, { ...masked("new", "2026-02-02T00:00:00"), ...masked("old", "2026-01-01T00:00:00"), ...judged });
      const value = new RegExp(`${attribute}='([^']*)'`).exec(html)![1]!;
      expect(value).toContain("new.png");
      expect(value).not.toContain("old.png");
      expect(value).toContain("&quot;Dog&#39;s &amp; &lt;co&gt;&quot;: {\"color\": \"#2ca02c\"}");
      expect(value).not.toContain("BACKGROUND");
    }
    expect(await shown("verification", judged)).not.toContain("overlay");
  });
  it("finds it as the server's own template does", () => {
    const server = readFileSync(new URL("../../../src/labeling/tasks/template.cpp", import.meta.url), "utf8");
    const own = defaultTemplate("adjustment", words);
    const found = own.slice(own.indexOf("\n    {%- for entry"), own.indexOf("\n    {%- if mask %}"));
    const mask = own.slice(own.indexOf('{"src"'), own.indexOf("'\n    {%- endif %}"));
    expect(found.length).toBeGreaterThan(400);
    expect(server).toContain(`R"html(${found})html"`);
    expect(server).toContain(`R"html(${mask})html"`);
    for (const kind of ["segmentation", "verification"] as const)
      for (const text of defaultTemplate(kind, words).match(/<p>.*?<\/p>/g)!) expect(server.replace(/"\s*"/g, "")).toContain(text);
  });
  it("does not write over the masks that it is about", () => {
    expect(attributeFor("verification", "label-ref")).toBe("verification");
    expect(attributeFor("adjustment", "verification")).toBe("adjusted-ref");
    expect(attributeFor("segmentation", "adjusted-ref")).toBe("label-ref");
    expect(attributeFor("verification", "mine-ref")).toBe("mine-ref");
  });
});

describe("prices", () => {
  it("are read and written to a tenth of a cent", () => {
    for (const text of ["0.036", "1", "2.5", "0.01", "2.999"]) {
      const price = parsePrice(text);
      expect(Number(priceText(price!).slice(1))).toBe(Number(text));
    }
    expect(["", "x", "1.2345", "-1", "1e3"].map(parsePrice)).toEqual([null, null, null, null, null]);
    expect(priceText({ dollars: 0, cents: 3, tenth_fractions_of_a_cent: 0 })).toBe("$0.03");
  });
});
