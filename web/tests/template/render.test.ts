import { describe, expect, it } from "vitest";
import { kDefaultLimits, render } from "../../src/template/render";
import { pointToOwnElements } from "../../src/template/scripts";
import { renderTemplate, TemplateError } from "../../src/template/template";

const photo = "s3://bucket/a photo.jpg";
const input = (template: string, taskInput: unknown = { taskObject: photo, labels: ["Turtle", "Dog's & <co>"] }) => ({
  template,
  taskInput,
  images: { [photo]: "/_/api/images/x", "s3://secret/key": null },
});
const html = async (template: string, taskInput?: unknown): Promise<string> => (await render(input(template, taskInput), "S")).html;

describe("AWS's filters", () => {
  it("escapes all output once, whether the template asks for it or not", async () => {
    expect(await html("{{ task.input.x }}", { x: `<b a="1">&'` })).toBe("&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
    expect(await html("{{ task.input.x | escape }}", { x: "<&>" })).toBe("&lt;&amp;&gt;");
    expect(await html("{{ task.input.x | escape_once }}", { x: "&lt;<&" })).toBe("&lt;&lt;&amp;");
    expect(await html("{{ task.input.x | skip_autoescape }}", { x: "<b>" })).toBe("<b>");
  });
  it("writes JSON that stands in an attribute", async () => {
    expect(await html('labels="{{ task.input.labels | to_json | escape }}"')).toBe(
      'labels="[&quot;Turtle&quot;,&quot;Dog&#39;s &amp; &lt;co&gt;&quot;]"',
    );
    expect(await html("{{ task.input.nothing | to_json }}")).toBe("null");
    expect(await html("{{ task.input | to_json | skip_autoescape }}", { a: [1] })).toBe('{"a":[1]}');
  });
  it("gives a placeholder for what may be read, and nothing but a named problem for the rest", async () => {
    const rendered = await render(
      input("<img src='{{ task.input.taskObject | grant_read_access }}'>{{ task.input.taskObject | grant_read_access }}"),
      "S",
    );
    expect(rendered.files).toEqual([{ placeholder: "terrapin-file-S-0-", uri: photo }]);
    expect(rendered.html).toBe("<img src='terrapin-file-S-0-'>terrapin-file-S-0-");
    const refused = await render(input("[{{ 's3://secret/key' | grant_read_access }}{{ 's3://b/k' | grant_read_access }}{{ 'toString' | grant_read_access }}]"), "S");
    expect(refused.html).toBe("[]");
    expect(refused.files).toEqual([]);
    expect(refused.problems).toHaveLength(3);
    expect(refused.problems[0]).toContain("s3://secret/key");
  });
  it("walks a colour map as the documentation's adjustment template does", async () => {
    const line = { "label-metadata": { "internal-color-map": { 0: { "class-name": "BACKGROUND" }, 1: { "class-name": "Dog", "hex-color": "#2ca02c" } } } };
    const out = await html(
      `{% for box in task.input.manifestLine.label-metadata.internal-color-map %}{% if box[1]['class-name'] != 'BACKGROUND' %}{{ box[1]['class-name'] | to_json }}: {'color': {{ box[1]['hex-color'] | to_json }}},{% endif %}{% endfor %}`,
      { manifestLine: line },
    );
    expect(out).toBe("&quot;Dog&quot;: {'color': &quot;#2ca02c&quot;},");
  });
});

describe("limits", () => {
  it("refuses templates, loops and texts that are too large, and includes", async () => {
    await expect(render(input("x".repeat(200)), "S", { ...kDefaultLimits, templateCharacters: 100 })).rejects.toThrow(/parse/);
    await expect(render(input("{% for i in (1..100000000) %}{{ i }}{% endfor %}"), "S", { ...kDefaultLimits, memory: 1e5 })).rejects.toThrow(/memory/);
    await expect(
      render(input("{% for i in (1..9000) %}{% for j in (1..9000) %}x{% endfor %}{% endfor %}"), "S", { ...kDefaultLimits, renderMilliseconds: 20 }),
    ).rejects.toThrow(/render/);
    await expect(render(input("{% for i in (1..1000) %}xxxxxxxxxx{% endfor %}"), "S", { ...kDefaultLimits, htmlCharacters: 99 })).rejects.toThrow(/10000 characters/);
    for (const tag of ["{% include '/etc/passwd' %}", "{% render 'https://example.org/x' %}", "{% layout 'x' %}"])
      await expect(html(tag)).rejects.toThrow(/ENOENT/);
  });
  it("gives no way to prototypes and names unknown filters", async () => {
    expect(await html("{{ task.constructor }}{{ task.input.__proto__ | to_json | skip_autoescape }}")).toBe("null");
    await expect(html("{{ 1 | no_such_filter }}")).rejects.toThrow(/no_such_filter.*line:1/s);
  });
  it("ends a worker that takes too long, and says why a template is wrong", async () => {
    const ended: string[] = [];
    const worker = (reply?: unknown) =>
      ({
        onmessage: null,
        postMessage(this: Worker) {
          if (reply) queueMicrotask(() => this.onmessage?.({ data: reply } as MessageEvent));
        },
        terminate: () => ended.push("ended"),
      }) as unknown as Worker;
    await expect(renderTemplate(input("x"), 1, () => worker())).rejects.toThrow(TemplateError);
    await expect(renderTemplate(input("x"), 1e6, () => worker({ failed: "line 3" }))).rejects.toThrow("line 3");
    expect(await renderTemplate(input("x"), 1e6, () => worker({ rendered: { html: "x" } }))).toEqual({ html: "x" });
    expect(ended).toHaveLength(3);
  });
});

describe("the elements' script", () => {
  it("comes from our own server, whatever host the template names", () => {
    const own = (source: string) => pointToOwnElements(`<script ${source}></script>`);
    expect(own('src="https://assets.crowd.aws/crowd-html-elements.js"')).toBe('<script src="/_/crowd-html-elements.js"></script>');
    expect(own("async src=https://s3.amazonaws.com/mturk/crowd-html-elements.js")).toBe('<script async src="/_/crowd-html-elements.js"></script>');
    expect(own("src='//x/crowd-html-elements.js?v=2' integrity='sha256-x' crossorigin")).toBe('<script src="/_/crowd-html-elements.js"></script>');
    for (const other of ['src="https://x/other.js"', 'src="https://x/crowd-html-elements.js.evil"', "data-a='>' src=\"a.js\""])
      expect(own(other)).toBe(`<script ${other}></script>`);
    const text = "<p>crowd-html-elements.js</p><script>const src = 'https://assets.crowd.aws/crowd-html-elements.js';</script>";
    expect(pointToOwnElements(text)).toBe(text);
  });
});

it("renders a whole template", async () => {
  const rendered = await render(
    input(`<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
    header="Paint all turtles." labels="{{ task.input.labels | to_json | escape }}">
    <short-instructions><p style="color: red">Every turtle</p></short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>`),
    "S",
  );
  expect(rendered.problems).toEqual([]);
  expect(rendered.html).toBe(`<script src="/_/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation name="crowd-semantic-segmentation" src="terrapin-file-S-0-"
    header="Paint all turtles." labels="[&quot;Turtle&quot;,&quot;Dog&#39;s &amp; &lt;co&gt;&quot;]">
    <short-instructions><p style="color: red">Every turtle</p></short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>`);
});
