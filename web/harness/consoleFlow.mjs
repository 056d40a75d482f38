// The console as a requester uses it, against the mock server: from an empty bucket to a job, then what one does with jobs,
// teams, people and keys. Fails at the first thing that is not as expected. Usage: node harness/consoleFlow.mjs --pages FOLDER
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { startMock } from "./mockServer.mjs";
import { photo } from "./pictures.mjs";

const at = process.argv.indexOf("--pages");
const mock = await startMock(at > 0 ? process.argv[at + 1] : "dist");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(15_000);
const problems = [];
page.on("pageerror", (error) => problems.push(error.message));
const called = (call) => mock.state.calls.filter(([name]) => name === call).map(([, body]) => body);
const button = (name, exact = false) => page.getByRole("button", { name, exact });
const heading = (name) => page.getByRole("heading", { name }).first().waitFor();
async function step(name, work) {
  await work();
  console.log(`ok  ${name}`);
}

try {
  await step("signs in where it was asked to be", async () => {
    mock.state.signedIn = false;
    await page.goto(`${mock.address}/_/console/new`);
    await page.getByLabel("Name or e-mail").fill("ann");
    await page.getByLabel("Password").fill("correct horse battery");
    await page.keyboard.press("Enter");
    await heading("New labeling job");
    assert.equal(new URL(page.url()).pathname, "/_/console/new");
  });
  await step("makes a bucket, uploads photos, again after refusals", async () => {
    mock.state.failUploads = 1;
    await button("New bucket").click();
    await page.locator("t-dialog[open]").getByLabel("Name").fill("reef");
    await button("Make it").click();
    await page.locator("t-dialog[open]").waitFor({ state: "detached" });
    await page.locator("input[type=file]").setInputFiles(
      [1, 2, 3].map((seed) => ({ name: `fish ${seed}.png`, mimeType: "image/png", buffer: photo(seed, 64) })),
    );
    await page.getByText("3 photos in this folder").waitFor();
    assert.deepEqual([...mock.state.objects.keys()].filter((key) => key.startsWith("reef/")).sort(), [1, 2, 3].map((seed) => `reef/photos/fish ${seed}.png`));
    assert.equal(await page.getByLabel("Folder of the photos").inputValue(), "s3://reef/photos/");
    assert.equal(await page.getByLabel("Where results go").inputValue(), "s3://reef/results");
  });
  await step("does not go on without a title, and says why", async () => {
    await button("Next").click();
    assert.equal(await page.getByLabel("Title").getAttribute("aria-invalid"), "true");
    await page.getByLabel("Title").fill("Paint fish");
    assert.equal(await page.getByLabel("Job name").inputValue(), "paint-fish");
    await button("Next").click();
  });
  await step("edits labels: adds by Enter, moves, removes", async () => {
    await page.getByLabel("Name of label 1").fill("Fish");
    for (const [number, name] of [[2, "Coral"], [3, "Unclear"], [4, "Nothing"]]) {
      await page.keyboard.press("Enter");
      await page.getByLabel(`Name of label ${number}`).fill(name);
    }
    await button("Remove Nothing").click();
    await button("Move Coral up").click();
    await page.getByRole("listitem").filter({ has: page.getByLabel("Name of label 3") }).getByRole("checkbox").check();
    await button("Next").click();
  });
  await step("keeps all of it over a reload", async () => {
    await page.reload();
    await heading("New labeling job");
    await button("2. Labels").click();
    assert.equal(await page.getByLabel("Name of label 1").inputValue(), "Coral");
    await button("3. Instructions").click();
  });
  await step("previews the instructions as they are typed", async () => {
    await page.getByLabel("In one sentence").fill("Paint {{ each }} fish");
    const frame = page.frameLocator("iframe");
    await frame.getByText("Paint {{ each }} fish").first().waitFor();
    await frame.getByText("Coral").first().waitFor();
    await button("Next").click();
  });
  await step("chooses a team and reviews", async () => {
    await page.getByLabel("Work team").selectOption({ label: "divers (3 people)" });
    await page.getByLabel("Workers for each photo").fill("3");
    await button("6. Review").click();
  });
  await step("shows a refusal of the server where it belongs", async () => {
    mock.state.jobs.push({ ...mock.state.jobs[0], name: "paint-fish" });
    await button("Create the job").click();
    await page.getByText("A job paint-fish exists.").waitFor();
    assert.equal(await page.getByLabel("Job name").getAttribute("aria-invalid"), "true");
    await page.getByLabel("Job name").fill("paint-fish-2");
    await button("6. Review").click();
    await button("Create the job").click();
    await heading("paint-fish-2");
    const body = called("POST requester/jobs").at(-1);
    assert.deepEqual(body.labels.map((one) => [one.label, one.void ?? false]), [["Coral", false], ["Fish", false], ["Unclear", true]]);
    assert.equal(new Set(body.labels.map((one) => one.color)).size, 3);
    assert.equal(body.instructions.header, "Paint {{ each }} fish");
    assert.equal(body.workers_per_object, 3);
    assert.equal(body.input_uri, "s3://reef/photos/");
  });
  await step("filters photos, opens one, goes to the next by key, reopens", async () => {
    await page.goto(`${mock.address}/_/console/jobs/sea-turtles/gallery`);
    await page.getByLabel("Show", { exact: true }).selectOption("failed");
    await page.getByText("Three workers declined it").first().waitFor();
    await page.getByLabel("Show", { exact: true }).selectOption("disagreeing");
    await page.getByText("19.0 % disputed").first().click();
    await heading("Photo");
    const first = new URL(page.url()).pathname;
    await page.getByText("Ann Berg").last().waitFor();
    await page.keyboard.press("ArrowRight");
    await page.waitForURL((url) => url.pathname !== first);
    await button("Reopen").click();
    await page.getByLabel("Throw away the answers it has").check();
    await page.locator("t-dialog[open]").getByRole("button", { name: "Reopen" }).click();
    await page.getByText("The photo goes out again.").waitFor();
    assert.deepEqual(mock.state.calls.at(-1)[1], { discard_answers: true });
  });
  await step("stops a job after asking, and sees it without a reload", async () => {
    await page.goto(`${mock.address}/_/console/jobs/sea-turtles`);
    await button("Stop").click();
    await button("Cancel").click();
    assert.equal(called("POST requester/jobs/sea-turtles/stop").length, 0);
    await button("Stop").click();
    await button("Stop the job").click();
    await page.getByText("Stopped", { exact: true }).waitFor();
  });
  await step("continues the stopped job by the keyboard alone", async () => {
    await button("More for this job").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByLabel("Name of the new job").waitFor();
    await page.keyboard.press("Enter");
    await heading("sea-turtles-2");
    assert.deepEqual(called("POST requester/jobs/sea-turtles/continue"), [{ new_name: "sea-turtles-2" }]);
  });
  await step("makes a team, invites into it", async () => {
    await page.getByRole("link", { name: "Teams", exact: true }).click();
    await button("New team").click();
    await page.locator("t-dialog[open]").getByLabel("Name").fill("night");
    await button("Save").click();
    await page.getByRole("heading", { name: "night" }).waitFor();
    await page.getByRole("article").filter({ hasText: "night" }).getByRole("button", { name: "Invite" }).click();
    await button("Make the link").click();
    assert.match(await page.getByLabel("Link").inputValue(), /\/_\/join#/);
    assert.deepEqual(called("POST requester/invitations"), [{ workteam: "night" }]);
    await button("Done").click();
  });
  await step("changes roles", async () => {
    await page.getByRole("link", { name: "People", exact: true }).click();
    await button("Actions for bob@example.org").click();
    await page.getByRole("menuitem", { name: "Roles and groups" }).click();
    await page.locator("t-dialog[open]").getByLabel("requester").check();
    await button("Save").click();
    await page.getByText("bob@example.org: saved.").waitFor();
    assert.deepEqual(called("PUT accounts/person-bob")[0].roles, ["worker", "requester"]);
  });
  await step("shows a new key's secret once", async () => {
    await page.getByRole("link", { name: "Keys", exact: true }).click();
    await button("New key").click();
    await page.getByLabel("What it is for").fill("nightly upload");
    await button("Make the key").click();
    assert.match(await page.getByLabel("Secret access key").inputValue(), /^example/);
    await button("I have kept it").click();
    await page.getByText("TKEXAMPLE000000002").waitFor();
    assert.equal(await page.getByLabel("Secret access key").count(), 0);
  });
  await step("signs out", async () => {
    await button("Account of Ann Berg").click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await heading("Sign in");
    assert.equal(mock.state.signedIn, false);
    assert.equal(await page.evaluate(() => sessionStorage.getItem("terrapin-new-job")), null);
  });
  assert.deepEqual(problems, []);
} catch (error) {
  console.log(`not as expected: ${error.message}`);
  console.log(problems.join("\n"));
  await page.screenshot({ path: "console-flow-failed.png" });
  process.exitCode = 1;
} finally {
  await browser.close();
  mock.close();
}
