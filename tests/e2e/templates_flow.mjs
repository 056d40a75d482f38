// Task templates as the public documentation of semantic segmentation writes them: each is shown, used and submitted, and what lies
// on disk is what AWS would write.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Hand, openTask, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, until } from "./support.mjs";
import { openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const WIDTH = 160, HEIGHT = 120;
const photo = writePhoto(WIDTH, HEIGHT, (x, y) => ((x - 80) ** 2 + (y - 60) ** 2 < 900 ? [200, 160, 60] : [30, 60, 90]));
const SCRIPT = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>';
const COLORS = { Turtle: "#1f77b4", Diver: "#ff7f0e", Coral: "#2ca02c" };

let shared, browser, service, worker;
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann");
  ({ browser, service, workers: [worker] } = shared);
});
after(() => shared?.end());

/** A job of one photo with this template, and its task in a page. */
async function show(t, name, template, more = {}) {
  await service.job(name, { "photo.png": photo }, { template_html: template, ...more });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  t.after(() => context.close());
  await service.signIn(context, worker);
  const page = await openPage(context, service);
  const assignment = await service.accept(worker, name);
  await page.goto(`${service.url}/_/task/${assignment.id}`);
  return { page, assignment };
}
async function paint(t, name, template, more) {
  const { page, assignment } = await show(t, name, template, more);
  const hand = await Hand.at(page);
  await hand.oneToOne();
  assert.equal(await page.getByRole("alert").count(), 0, "nothing is wrong with the template");
  return { page, hand, assignment, expected: new Expected(WIDTH, HEIGHT) };
}
/** The class list as it is read: names in order. */
const names = (hand) => hand.canvas.locator(".classes .class:not(.background) .name > span:first-child").allTextContents();

/** The answer that is on disk is AWS's, its picture shows what is expected in the labels' colours, and so does the mask in the job's indices. */
async function compare(name, expected, labels, element = "crowd-semantic-segmentation") {
  const [answer] = await service.answers(name, 0);
  const content = answer.answerContent[element];
  assert.deepEqual(content.inputImageProperties, { height: HEIGHT, width: WIDTH });
  assert.deepEqual(content.labelMappings, Object.fromEntries(labels.map((label) => [label, { color: COLORS[label] }])));
  const picture = readPng(Buffer.from(content.labeledImage.pngImageData, "base64"));
  assert.deepEqual([picture.width, picture.height], [WIDTH, HEIGHT]);
  const byColor = new Map(labels.map((label, index) => [COLORS[label], index + 1]).concat([["#ffffff", 0]]));
  const mask = readPng(await service.mask(name, 0));
  const order = Object.keys(COLORS);
  for (let at = 0; at < WIDTH * HEIGHT; at++) {
    const value = byColor.get(colorAt(picture, at));
    if (value !== expected.pixels[at]) assert.fail(`pixel ${at % WIDTH}, ${Math.floor(at / WIDTH)} of the answer is ${colorAt(picture, at)}, label ${expected.pixels[at]} was painted`);
    const index = value === 0 ? 0 : order.indexOf(labels[value - 1]) + 1;
    if (mask.pixels[at] !== index) assert.fail(`pixel ${at % WIDTH}, ${Math.floor(at / WIDTH)} of the mask is ${mask.pixels[at]}, not ${index}`);
  }
  return answer.answerContent;
}
function colorAt(picture, at) {
  const from = picture.channels === 1 ? 3 * picture.pixels[at] : picture.channels * at;
  return `#${(picture.channels === 1 ? picture.palette : picture.pixels).toString("hex", from, from + 3)}`;
}

test("the template of the documentation: labels of the task, both instructions", { skip }, async (t) => {
  const template = `${SCRIPT}
<crowd-form>
  <crowd-semantic-segmentation
    name="crowd-semantic-segmentation"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Please segment out all turtles."
    labels="{{ task.input.labels | to_json | escape }}"
  >
    <full-instructions header="How to segment">
      <ol><li><strong>Look</strong> at the photo.</li><li><strong>Paint</strong> what you see.</li></ol>
    </full-instructions>
    <short-instructions>
      <h2><span style="color: rgb(0, 138, 0);">Good</span></h2>
      <p>The shell and the flippers</p>
      <p><br></p><h2><span style="color: rgb(230, 0, 0);">Bad</span></h2>
      <p>The shadow too</p>
    </short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>
`;
  const { page, hand, expected } = await paint(t, "documented", template);
  assert.deepEqual(await names(hand), ["Turtle", "Diver", "Coral"]);
  await hand.canvas.getByRole("heading", { name: "Please segment out all turtles." }).waitFor();
  await hand.frame.getByText("The shell and the flippers").waitFor();
  assert.equal(await hand.frame.getByText("Good").evaluate((element) => getComputedStyle(element).color), "rgb(0, 138, 0)");
  await hand.button("Instructions").click();
  await hand.frame.getByRole("heading", { name: "How to segment" }).waitFor();
  assert.ok(await hand.frame.getByText("Paint what you see.").isVisible());
  await page.keyboard.press("Escape");
  await hand.key("2");
  await hand.drag([[40, 40], [80, 60]]);
  expected.brush([[40, 40], [80, 60]], 24, 2);
  await submit(page);
  const answer = await compare("documented", expected, ["Turtle", "Diver", "Coral"]);
  assert.deepEqual(Object.keys(answer), ["crowd-semantic-segmentation"]);
  assert.deepEqual(page.problems, []);
});

test("labels that stand in the template, in another order than the job's", { skip }, async (t) => {
  const template = `${SCRIPT}<crowd-form>
  <crowd-semantic-segmentation name="annotatedResult" src="{{task.input.taskObject|grant_read_access}}" header="Paint"
    labels="['Coral', 'Turtle']"></crowd-semantic-segmentation></crowd-form>`;
  const { page, hand, expected } = await paint(t, "fixed-labels", template);
  assert.deepEqual(await names(hand), ["Coral", "Turtle"]);
  await hand.key("1");
  await hand.drag([[30, 30], [60, 90]]);
  expected.brush([[30, 30], [60, 90]], 24, 1);
  await hand.key("2");
  await hand.drag([[100, 30], [120, 90]]);
  expected.brush([[100, 30], [120, 90]], 24, 2);
  await submit(page);
  await compare("fixed-labels", expected, ["Coral", "Turtle"], "annotatedResult");
  assert.deepEqual(page.problems, []);
});

test("labels that the worker adds by the template's script", { skip }, async (t) => {
  const template = `${SCRIPT}
<crowd-form>
  <crowd-input id="new-label" label="Another label" name="added"></crowd-input>
  <crowd-button id="add">Add it</crowd-button>
  <crowd-semantic-segmentation id="canvas" name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
    header="Name what you see" labels='["Diver"]'></crowd-semantic-segmentation>
</crowd-form>
<script>
  document.addEventListener("all-crowd-elements-ready", () => {
    const canvas = document.querySelector("#canvas"), text = document.querySelector("#new-label");
    document.querySelector("#add").addEventListener("click", () => {
      canvas.labels = canvas.labels.filter((label) => label !== "Whale").concat(text.value);
    });
  });
</script>`;
  const { page, hand, expected } = await paint(t, "added-labels", template);
  assert.deepEqual(await names(hand), ["Diver"]);
  const add = async (label) => {
    await hand.frame.getByLabel("Another label").fill(label);
    await hand.frame.getByRole("button", { name: "Add it" }).click();
  };
  await hand.drag([[20, 20], [60, 20]]);
  expected.brush([[20, 20], [60, 20]], 24, 1);
  await add("Whale");
  await until("the label is there", async () => (await names(hand)).join() === "Diver,Whale");
  await hand.holds(expected, "after a label was added");
  // Not one of the job's categories: refused, and the worker is told which.
  await page.getByRole("button", { name: "Submit" }).click();
  await page.getByRole("alert").filter({ hasText: "Whale" }).waitFor();
  await add("Coral");
  await until("the label is there", async () => (await names(hand)).join() === "Diver,Coral");
  await hand.look(); // the note above moved the photo
  await hand.canvas.evaluate((element) => element.focus());
  await hand.key("2");
  await hand.drag([[30, 80], [60, 100]]);
  expected.brush([[30, 80], [60, 100]], 24, 2);
  await submit(page);
  const answer = await compare("added-labels", expected, ["Diver", "Coral"]);
  assert.equal(answer.added, "Coral");
  assert.deepEqual(page.problems, []);
});

test("plain elements beside the canvas: their answers are in the JSON", { skip }, async (t) => {
  const template = `${SCRIPT}
<crowd-form answer-format="flatten-objects">
  <crowd-alert type="info" dismissible>Photos of one dive</crowd-alert>
  <crowd-instructions link-text="How to answer" link-type="button">
    <short-summary><p>Shortly</p></short-summary><detailed-instructions><p>At length</p></detailed-instructions>
    <positive-example><p>Like this</p></positive-example><negative-example><p>Not so</p></negative-example>
  </crowd-instructions>
  <crowd-semantic-segmentation name="segmentation" src="{{ task.input.taskObject | grant_read_access }}" header="Paint and tell"
    labels="{{ task.input.labels | to_json | escape }}"></crowd-semantic-segmentation>
  <crowd-checkbox name="blurry">Blurry</crowd-checkbox>
  <crowd-checkbox name="seen" value="fish" checked>Fish</crowd-checkbox>
  <crowd-checkbox name="seen" value="boat">Boat</crowd-checkbox>
  <crowd-radio-group>
    <crowd-radio-button name="depth" value="shallow">Shallow</crowd-radio-button>
    <crowd-radio-button name="depth" value="deep">Deep</crowd-radio-button>
  </crowd-radio-group>
  <crowd-text-area name="remarks" label="Remarks" rows="3"></crowd-text-area>
  <crowd-input name="count" label="How many?" type="number" required></crowd-input>
  <crowd-slider name="sure" min="0" max="10" step="1" value="3"></crowd-slider>
  <p><label>Plain <input name="plain" type="text"></label></p>
  <crowd-button form-action="submit" variant="primary">Send it</crowd-button>
</crowd-form>`;
  const { page, hand, expected } = await paint(t, "plain-elements", template);
  const { frame } = hand;
  await hand.key("1");
  await hand.drag([[40, 40], [70, 90]]);
  expected.brush([[40, 40], [70, 90]], 24, 1);
  await frame.getByText("Photos of one dive").waitFor();
  await frame.getByRole("button", { name: "How to answer" }).click();
  await frame.getByText("At length").waitFor();
  await frame.getByRole("button", { name: "Close", exact: true }).last().click();
  await frame.getByRole("checkbox", { name: "Blurry" }).check();
  await frame.getByRole("checkbox", { name: "Boat" }).check();
  await frame.getByRole("checkbox", { name: "Fish" }).uncheck();
  await frame.getByRole("radio", { name: "Shallow" }).check();
  await frame.getByRole("radio", { name: "Deep" }).check();
  await frame.getByLabel("Remarks").fill('two lines\nand "quotes" – ä');
  // A required field that is empty keeps the answer back.
  await frame.getByRole("button", { name: "Send it" }).click();
  assert.equal(await page.locator("terrapin-task-page").evaluate((element) => element.submitting), "");
  await frame.getByLabel("How many?").fill("7");
  await frame.getByLabel("sure").fill("8");
  await frame.getByLabel("Plain").fill("b c d"); // keys of the canvas are text here
  await hand.saved();
  // The draft holds them too.
  await page.reload();
  const again = await Hand.at(page);
  await again.holds(expected, "the canvas after a reload");
  assert.equal(await frame.getByLabel("Remarks").inputValue(), 'two lines\nand "quotes" – ä');
  assert.equal(await frame.getByRole("radio", { name: "Deep" }).isChecked(), true);
  const address = page.url();
  await frame.getByRole("button", { name: "Send it" }).click();
  await until("the answer was taken", async () => page.url() !== address || (await page.getByText("All done").count()) > 0);
  const { segmentation, ...others } = await compare("plain-elements", expected, ["Turtle", "Diver", "Coral"], "segmentation");
  assert.ok(segmentation);
  assert.deepEqual(others, {
    blurry: { on: true },
    seen: { fish: false, boat: true },
    depth: { shallow: false, deep: true },
    remarks: 'two lines\nand "quotes" – ä',
    count: "7",
    sure: 8,
    plain: "b c d",
  });
  assert.deepEqual(page.problems, []);
});

for (const touched of [true, false]) {
  const name = touched ? "initial-touched" : "initial-untouched";
  test(`a mask that is there before: ${touched ? "changed" : "left as it is"}`, { skip }, async (t) => {
    const expected = new Expected(WIDTH, HEIGHT);
    expected.polygon([[20, 20], [100, 30], [60, 100]], 1);
    expected.brush([[120, 60]], 30, 3);
    const seen = [[255, 255, 255], [0, 255, 0], [9, 9, 9], [255, 0, 0]]; // colours of its own, not the job's
    const before = writePhoto(WIDTH, HEIGHT, (x, y) => seen[expected.pixels[y * WIDTH + x]]);
    const requester = await service.requester();
    await requester.send("PUT", `requester/objects/photos/${name}-mask.png`, before, "image/png");
    const template = `${SCRIPT}<crowd-form>
  <crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}" header="Mend it"
    labels="{{ task.input.labels | to_json | escape }}"
    initial-value='{"src": "{{ "s3://photos/${name}-mask.png" | grant_read_access }}",
                    "labelMappings": {"Turtle": {"color": "#00ff00"}, "Coral": {"color": "#ff0000"}}}'></crowd-semantic-segmentation>
</crowd-form>`;
    const { page, hand } = await paint(t, name, template);
    await hand.holds(expected, "the mask of before");
    if (touched) {
      await hand.key("2");
      await hand.drag([[20, 100], [60, 100]]);
      expected.brush([[20, 100], [60, 100]], 24, 2);
      await hand.saved();
      // The draft goes on, the mask of before does not come over it again.
      await page.reload();
      await (await Hand.at(page)).holds(expected, "the canvas after a reload");
    }
    await submit(page);
    const answer = await compare(name, expected, ["Turtle", "Diver", "Coral"]);
    assert.equal(answer["crowd-semantic-segmentation"].initialValueModified, touched);
    assert.deepEqual(page.problems, []);
  });
}

test("an adjustment job shows the earlier job's mask", { skip }, async (t) => {
  const { page, hand, expected } = await paint(t, "first-pass");
  await hand.key("3");
  await hand.drag([[40, 40], [100, 80]]);
  expected.brush([[40, 40], [100, 80]], 24, 3);
  await submit(page);
  await until("the first job is over", async () => (await (await service.requester()).get("requester/jobs/first-pass")).job.status === "Completed");
  const { pre_functions, post_functions } = await (await service.requester()).get("requester/settings");
  const adjustment = (list) => list.find((one) => one.kind === "adjustment").arn;
  await (await service.requester()).post("requester/jobs/first-pass/chain", {
    new_name: "second-pass",
    label_attribute: "second-ref",
    pre_function_arn: adjustment(pre_functions),
    post_function_arn: adjustment(post_functions),
  });
  const assignment = await service.accept(worker, "second-pass");
  const second = await openTask(page, service, assignment);
  await second.oneToOne();
  await second.holds(expected, "the mask of the first job");
  await second.key("e");
  await second.drag([[70, 20], [70, 110]]);
  expected.brush([[70, 20], [70, 110]], 24, 0);
  await submit(page);
  const answer = await compare("second-pass", expected, ["Turtle", "Diver", "Coral"]);
  assert.equal(answer["crowd-semantic-segmentation"].initialValueModified, true);
  assert.deepEqual(page.problems, []);
});

test("a verification job asks for a judgement of the earlier job's mask", { skip }, async (t) => {
  const { page, hand, expected } = await paint(t, "to-judge");
  await hand.key("3");
  await hand.drag([[40, 40], [100, 80]]);
  expected.brush([[40, 40], [100, 80]], 24, 3);
  await submit(page);
  const requester = await service.requester();
  await until("the first job is over", async () => (await requester.get("requester/jobs/to-judge")).job.status === "Completed");
  await service.job("judged", {}, {
    kind: "verification",
    input_uri: "s3://photos/output/to-judge/manifests/output/output.manifest",
    label_attribute: "judgement",
    labels: [{ label: "good" }, { label: "too tight" }, { label: "wrong" }],
    instructions: { header: "Is the mask right?", short_html: "<p>Look at its edges</p>", full_html: "" },
  });
  const assignment = await service.accept(worker, "judged");
  const judge = await openTask(page, service, assignment);
  const { frame } = judge;
  await frame.getByRole("heading", { name: "Is the mask right?" }).waitFor();
  await judge.holds(expected, "the mask of the first job");
  assert.deepEqual(await names(judge), ["Turtle", "Diver", "Coral"]);
  assert.equal(await judge.canvas.getByRole("toolbar").count(), 0, "there is nothing to paint with");
  // Whatever is pressed, the hand moves the photo.
  const place = () => judge.canvas.evaluate((element) => element.editor.view.offsetX);
  const before = await place();
  await judge.key("b");
  await judge.canvas.locator(".classes").getByText("Coral").click();
  await judge.drag([[20, 20], [60, 20]]);
  assert.notEqual(await place(), before);
  await judge.holds(expected, "after a drag");
  // Nothing chosen: it stays, and says so.
  await page.getByRole("button", { name: "Submit" }).click();
  await frame.getByText("Choose one of the answers.").waitFor();
  await judge.canvas.evaluate((element) => element.focus());
  await page.keyboard.press("1");
  await until("the first answer is chosen", () => frame.getByRole("radio", { name: "good" }).isChecked());
  // What lies over the answers has the keys.
  await judge.button("Instructions").click();
  await page.keyboard.press("3");
  await page.keyboard.press("Escape");
  assert.equal(await frame.getByRole("radio", { name: "good" }).isChecked(), true);
  // Keys and help: of what can be done here.
  await judge.canvas.evaluate((element) => element.focus());
  await page.keyboard.press("?");
  const help = frame.getByRole("dialog", { name: "Keys" });
  await help.waitFor();
  assert.deepEqual(await help.getByRole("heading", { level: 3 }).allTextContents(), ["Mouse and touch", "View", "Task"]);
  assert.equal(await help.getByText("Change the brush").count(), 0);
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await frame.getByText("too tight").click();
  await frame.getByLabel("What is wrong?").fill("2 flippers are cut"); // keys of the choices are text here
  assert.equal(await frame.getByRole("radio", { name: "too tight" }).isChecked(), true);
  if (process.env.TERRAPIN_SCREENSHOTS) await page.screenshot({ path: `${process.env.TERRAPIN_SCREENSHOTS}/verification.png` });
  await judge.saved();
  await page.reload();
  await Hand.at(page);
  await until("the draft is back", async () => frame.getByRole("radio", { name: "too tight" }).isChecked());
  assert.equal(await frame.getByLabel("What is wrong?").inputValue(), "2 flippers are cut");
  await submit(page);
  const [answer] = await service.answers("judged", 0);
  assert.deepEqual(answer.answerContent, { "crowd-image-classifier": { label: "too tight", workerComment: "2 flippers are cut" } });
  await until("the job is over", async () => (await requester.get("requester/jobs/judged")).job.status === "Completed");
  const [line] = await service.outputManifest("judged");
  assert.equal(line["judgement"], "1");
  assert.equal(line["judgement-metadata"]["class-name"], "too tight");
  assert.equal(line["judgement-metadata"].type, "groundtruth/label-verification");
  assert.deepEqual(line["judgement-metadata"]["worker-feedback"], [{ comment: "2 flippers are cut" }]);
  assert.deepEqual(page.problems, []);
});

test("what is wrong with a template is told in words", { skip }, async (t) => {
  const element = (more = "") => `<crowd-semantic-segmentation name="s" src="{{ task.input.taskObject | grant_read_access }}" ${more}></crowd-semantic-segmentation>`;
  const told = async (name, template, text) => {
    const { page } = await show(t, name, template);
    await until(`the page says ${text}`, async () => (await page.getByText(text).count()) + (await page.frameLocator("iframe").getByText(text).count()) > 0);
    return page;
  };
  // A script that throws: the canvas stands all the same, and the worker reads what to pass on.
  const page = await told("script-throws", `${SCRIPT}<crowd-form>${element()}</crowd-form><script>thereIsNoSuchName();</script>`, /template's script: .*thereIsNoSuchName is not defined/);
  const hand = await Hand.at(page);
  await hand.drag([[40, 40], [80, 60]]);
  await submit(page);
  assert.ok(await service.mask("script-throws", 0));
  await told("no-form", `${SCRIPT}${element()}`, "The template has no <crowd-form>: it cannot be submitted.");
  await told("bad-labels", `${SCRIPT}<crowd-form>${element('labels="Turtle"')}</crowd-form>`, /labels: "Turtle" is not a list/);
  await told("two-labels", `${SCRIPT}<crowd-form>${element("labels=\"['Turtle', 'Turtle']\"")}</crowd-form>`, 'The label "Turtle" is there twice.');
  await told("bad-initial", `${SCRIPT}<crowd-form>${element('initial-value="[1]"')}</crowd-form>`, /initial-value: an object like/);
  await told("wrong-photo", `${SCRIPT}<crowd-form><crowd-semantic-segmentation name="s" src="{{ task.input.nothing | grant_read_access }}"></crowd-semantic-segmentation></crowd-form>`, /grant_read_access: '' is no s3:\/\/ address/);
  await told("endless", `{% for i in (1..99999999) %}{{ i }}{% endfor %}${SCRIPT}<crowd-form>${element()}</crowd-form>`, /The task's template: memory alloc limit exceeded|not rendered within/);
});

test("a template reaches neither the page, nor cookies, nor other servers", { skip }, async (t) => {
  const template = `${SCRIPT}
<crowd-form>
  <crowd-semantic-segmentation name="s" src="{{ task.input.taskObject | grant_read_access }}"></crowd-semantic-segmentation>
  <crowd-text-area name="tried" label="Tried"></crowd-text-area>
</crowd-form>
<script>
  const tries = {
    page: () => parent.document.body.innerHTML,
    cookie: () => document.cookie,
    storage: () => localStorage.length,
    databases: () => new Promise((resolve, reject) => { const asked = indexedDB.open("terrapin-drafts"); asked.onsuccess = resolve; asked.onerror = () => reject(asked.error); }),
    service: () => fetch("/_/api/me", { credentials: "include" }).then((answer) => answer.text()),
    elsewhere: () => fetch("https://example.com/?photo=1"),
    picture: () => new Promise((resolve, reject) => { const image = new Image(); image.onload = resolve; image.onerror = reject; image.src = "https://example.com/a.png"; document.body.append(image); }),
    socket: () => new Promise((resolve, reject) => { const socket = new WebSocket("wss://example.com/"); socket.onopen = resolve; socket.onerror = reject; }),
    script: () => new Promise((resolve, reject) => { const one = document.createElement("script"); one.onload = resolve; one.onerror = reject; one.src = "https://example.com/a.js"; document.body.append(one); }),
    navigation: () => { top.location = "https://example.com/"; },
    popup: () => { if (window.open("https://example.com/") === null) throw new Error("no window"); },
  };
  document.addEventListener("all-crowd-elements-ready", async () => {
    const told = {};
    for (const [name, attempt] of Object.entries(tries)) {
      try { await attempt(); told[name] = "done"; } catch { told[name] = "refused"; }
    }
    document.querySelector("crowd-text-area").value = JSON.stringify(told);
  });
</script>`;
  const { page } = await show(t, "hostile", template);
  const failures = [];
  page.context().on("requestfailed", (request) => failures.push(`${new URL(request.url()).host} ${request.failure().errorText}`));
  const hand = await Hand.at(page);
  await until("it has tried everything", async () => (await hand.frame.getByLabel("Tried").inputValue()) !== "");
  const told = JSON.parse(await hand.frame.getByLabel("Tried").inputValue());
  assert.deepEqual([...new Set(Object.values(told))], ["refused"], JSON.stringify(told));
  // What the browser tells as asked for was stopped by the page's policy before it left.
  assert.deepEqual(page.problems.filter((problem) => !problem.startsWith("asked https://example.com/")), []);
  assert.deepEqual([...new Set(failures)].filter((failure) => failure.startsWith("example.com")), ["example.com csp"]);
  assert.equal(page.context().pages().length, 1);
});
