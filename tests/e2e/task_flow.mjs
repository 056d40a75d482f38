// What happens around a task: a session that ends, templates with faults, full screen, a tab that is closed.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { Caller } from "./caller.mjs";
import { ServingProgram, findChromium, makeScenes, openBrowser, temporaryFolder, until } from "./support.mjs";
import { PASSWORD, canvasOf, countOf, drag, openPage, raster } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
let browser, program, place, admin, scenes, team;
before(async () => {
  if (skip) return;
  browser = await openBrowser();
  place = await temporaryFolder();
  scenes = await makeScenes(path.join(place.folder, "scenes"), 3, "240x180");
  program = await new ServingProgram(path.join(place.folder, "data")).start();
  admin = await enter(program.invitation, "boss");
  await admin.post("requester/buckets", { name: "reef" });
  for (const { name, photo } of scenes) await admin.send("PUT", `requester/objects/reef/photos/${name}`, photo, "image/jpeg");
  team = (await admin.post("requester/workteams", { name: "divers" })).workteam;
});
after(async () => {
  await browser?.close();
  await program?.kill();
  await place?.remove();
});

const enter = (link, name) => new Caller(program.url).enter("invitation/accept", { token: new URL(link).hash.slice(1), password: PASSWORD, name });
const worker = async (name) => enter((await admin.post("requester/invitations", { workteam: "divers" })).link, name);

/** A job of its own for each test; `more`: members of the request. */
async function makeJob(name, more = {}) {
  await admin.post("requester/jobs", {
    name,
    title: name,
    input_uri: "s3://reef/photos/",
    output_uri: "s3://reef/results",
    labels: [{ label: "Turtle" }, { label: "Fish" }],
    workteam_arn: team.arn,
    ...more,
  });
  await until(`${name} runs`, async () => (await admin.get(`requester/jobs/${name}`)).job.status === "InProgress");
}

/** The worker's next task of the job in a page. */
async function openTask(t, caller, job) {
  const { assignment } = await caller.post("assignments", { job });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  t.after(() => context.close());
  await context.addCookies([caller.browserCookie()]);
  const page = await openPage(context, program);
  const images = new Set();
  page.ahead = page.waitForResponse((answer) => answer.url().includes("/_/api/images/") && images.add(answer.url()).size === 2);
  page.ahead.catch(() => undefined); // not every job has a second photo
  await page.goto(`${program.url}/_/task/${assignment.id}`);
  return page;
}

test("a session that ends is begun again over the task, and no stroke is lost", { skip }, async (t) => {
  await makeJob("ended-session");
  const ann = await worker("ann");
  const page = await openTask(t, ann, "ended-session");
  const canvas = await canvasOf(page);
  await page.ahead; // the next call is then that of the stroke
  await page.context().clearCookies();
  await drag(page, canvas, [[0.3, 0.3], [0.6, 0.4]]);
  const painted = (await raster(canvas)).pixels;
  assert.ok(countOf(painted, 1) > 20);
  await page.getByRole("dialog", { name: "Sign in" }).waitFor();
  const inside = () => page.evaluate(() => {
    let at = document.activeElement;
    const way = [];
    for (; at; at = at.shadowRoot?.activeElement) way.push(at.localName);
    return way.includes("p-sign-in") || way.at(-1) === "body"; // between the last and the first the browser's own bar may have it
  });
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press(i % 3 === 2 ? "Shift+Tab" : "Tab");
    assert.ok(await inside(), "the keys stay in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Sign in" }).waitFor();
  await page.getByLabel("Name or e-mail").fill("ann");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Sign in" }).waitFor({ state: "detached" });
  await page.getByText("Saved", { exact: true }).waitFor();
  await page.reload();
  const again = await canvasOf(page);
  await until("the strokes are back", async () => (await raster(again)).pixels.equals(painted));
  assert.deepEqual(page.problems, []);
});

const template = (script) => `<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-semantic-segmentation name="crowd-semantic-segmentation" src="{{ task.input.taskObject | grant_read_access }}"
  header="Paint" labels="{{ task.input.labels | to_json | escape }}"><full-instructions header="I">F</full-instructions>
  <short-instructions>S</short-instructions></crowd-semantic-segmentation></crowd-form>
<script>${script}</script>`;

test("what a template's scripts throw is told with its message", { skip }, async (t) => {
  const bob = await worker("bob");
  const faults = {
    "at-once": ["throw new Error('no colours given');", "no colours given"],
    "later": ["document.addEventListener('all-crowd-elements-ready', () => { missing.call(); });", "missing is not defined"],
    "in-an-element": ["document.addEventListener('all-crowd-elements-ready', () => document.querySelector('crowd-form').submit.call(null));", "a call of a crowd element failed"],
    "unreadable": ["let = = 3;", "Unexpected token"],
    "in-an-attribute": ["</script><img src='data:,' alt='' onerror='brokenHandler()'><script>", "brokenHandler is not defined"],
    "promised": ["Promise.reject(new Error('never came'));", "never came"],
  };
  for (const [name, [script, message]] of Object.entries(faults)) {
    await makeJob(`fault-${name}`, { template_html: template(script) });
    const page = await openTask(t, bob, `fault-${name}`);
    await page.getByRole("alert").filter({ hasText: message }).waitFor();
    await canvasOf(page); // the task can be done all the same
    await page.close(); // a worker holds few tasks at once
  }
});

test("the task fills the screen and leaves it again", { skip }, async (t) => {
  await makeJob("whole-screen");
  const page = await openTask(t, await worker("cleo"), "whole-screen");
  const canvas = await canvasOf(page);
  const inFrame = () => canvas.evaluate(() => document.fullscreenElement !== null);
  await canvas.getByRole("button", { name: /full.?screen/i }).click();
  await until("it fills the screen", inFrame);
  await canvas.getByRole("button", { name: /full.?screen/i }).click();
  await until("it is a page again", async () => !(await inFrame()));
  assert.deepEqual(page.problems, []);
});

test("what was loaded ahead goes to others when the tab is closed", { skip }, async (t) => {
  await makeJob("closed-tab");
  const dora = await worker("dora");
  const emil = await worker("emil");
  const available = async () => (await emil.get("jobs")).jobs.find((job) => job.job_name === "closed-tab").available;
  const page = await openTask(t, dora, "closed-tab");
  await canvasOf(page);
  await page.ahead;
  assert.equal(await available(), 1);
  await page.close();
  await until("it is given back", async () => (await available()) === 2);
});
