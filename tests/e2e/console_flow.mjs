// A requester takes photos to a labelled dataset in the browser alone: bucket, team, job, two workers, results, what comes after.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { button, dialog, goTo, heading, makeTeam, shownColors, signIn } from "./console.mjs";
import { readPng } from "./png.mjs";
import { ServingProgram, findChromium, makeScenes, openBrowser, stepsOf, temporaryFolder, until } from "./support.mjs";
import { readTar } from "./tar.mjs";
import { canvasOf, countOf, drag, join, openPage, raster, start } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const JOB = "paint-sea-life";
let browser;
before(async () => {
  if (!skip) browser = await openBrowser();
});
after(async () => browser?.close());

/** Paints strokes of labels given by their keys: [["1", points], ...]. */
async function paint(page, strokes) {
  const canvas = await canvasOf(page);
  await canvas.locator(".stage").first().click({ position: { x: 5, y: 5 } }); // the frame has the keys from now on
  await page.keyboard.press("b");
  for (const [key, points] of strokes) {
    await page.keyboard.press(key);
    await drag(page, canvas, points);
  }
  return canvas;
}

// Values of the canvas are the labels' places; in files the void label is 255.
const asStored = (pixels) => Buffer.from(pixels.map((value) => (value === 3 ? 255 : value)));

test("photos become a labelled dataset without a terminal", { skip }, async (t) => {
  const place = await temporaryFolder();
  t.after(place.remove);
  const scenes = await makeScenes(path.join(place.folder, "scenes"), 3, "240x180");
  const program = await new ServingProgram(path.join(place.folder, "data")).start();
  t.after(() => program.kill());
  const person = async (width = 1440) => {
    const context = await browser.newContext({ viewport: { width, height: 900 }, acceptDownloads: true });
    t.after(() => context.close());
    return openPage(context, program);
  };
  const step = stepsOf(t);
  const admin = await person();
  let links = [];
  let ann, bob;

  await step("an admin takes the invitation, leaves, and signs in again where they were", async () => {
    await join(admin, program.invitation, "boss");
    await admin.getByText("No labeling job yet").waitFor();
    await button(admin, "Account of boss").click();
    await admin.getByRole("menuitem", { name: "Sign out" }).click();
    await heading(admin, "Sign in").waitFor();
    await signIn(admin, program, "boss");
    await heading(admin, "Labeling jobs").waitFor();
  });

  await step("makes a team; two workers come in through its links", async () => {
    links = await makeTeam(admin, "divers", 2);
    assert.match(links[0], new RegExp(`^${program.url}/_/join#`));
    ann = await person();
    bob = await person();
    await join(ann, links[0], "ann");
    await join(bob, links[1], "bob");
    await ann.getByText("No tasks right now").waitFor();
    await ann.goto(links[1]);
    await ann.getByText("This link does not lead anywhere").waitFor();
    await ann.goto(`${program.url}/_/`);
    await admin.reload();
    await admin.getByText("2 people").waitFor();
  });

  await step("makes a bucket and uploads photos into it in the form", async () => {
    await goTo(admin, "Console");
    await admin.getByRole("link", { name: "New job" }).first().click();
    await heading(admin, "New labeling job").waitFor();
    await button(admin, "New bucket").click();
    await dialog(admin).getByLabel("Name").fill("No");
    await button(admin, "Make it").click();
    await dialog(admin).getByRole("alert").filter({ hasText: "3 to 63" }).waitFor();
    await dialog(admin).getByLabel("Name").fill("reef");
    await button(admin, "Make it").click();
    await dialog(admin).waitFor({ state: "detached" });
    await admin.locator("input[type=file]").setInputFiles(scenes.map(({ name, photo }) => ({ name, mimeType: "image/jpeg", buffer: photo })));
    await admin.getByText("3 photos in this folder").waitFor();
    assert.equal(await admin.getByLabel("Folder of the photos").inputValue(), "s3://reef/photos/");
    const [stored] = await program.objectFiles(new RegExp(`reef/photos/${scenes[1].name}$`));
    assert.ok(scenes[1].photo.equals(await readFile(stored)), "what is stored is what was chosen");
  });

  await step("fills in the rest, sees a preview, and makes the job", async () => {
    await button(admin, "Next").click();
    assert.equal(await admin.getByLabel("Title").getAttribute("aria-invalid"), "true");
    await admin.getByLabel("Title").fill("Paint sea life");
    assert.equal(await admin.getByLabel("Job name").inputValue(), JOB);
    await button(admin, "Next").click();
    await admin.getByLabel("Name of label 1").fill("Turtle");
    for (const [number, name] of [[2, "Fish"], [3, "Unclear"]]) {
      await admin.keyboard.press("Enter");
      await admin.getByLabel(`Name of label ${number}`).fill(name);
    }
    await admin.getByRole("listitem").filter({ has: admin.getByLabel("Name of label 3") }).getByRole("checkbox").check();
    await button(admin, "Next").click();
    await admin.getByLabel("In one sentence").fill("Paint {{ each }} animal");
    const frame = admin.frameLocator("iframe");
    await frame.getByText("Paint {{ each }} animal").first().waitFor();
    await frame.getByText("Turtle").first().waitFor();
    await button(admin, "Next").click();
    await admin.getByText("divers (2 people)").waitFor({ state: "attached" });
    await admin.getByLabel("Workers for each photo").fill("2");
    await button(admin, "6. Review").click();
    await button(admin, "Create the job").click();
    await heading(admin, JOB).waitFor();
    await admin.getByText("In progress", { exact: true }).waitFor();
    assert.equal(await admin.evaluate(() => sessionStorage.getItem("terrapin-new-job")), null);
  });

  const answers = new Map(); // "worker index": what the canvas held
  const stroke = { fish: [[0.55, 0.35], [0.7, 0.45]], turtle: [[0.3, 0.3], [0.45, 0.5], [0.5, 0.35]], unclear: [[0.3, 0.7], [0.6, 0.72]] };
  const submit = async (page, key, more) => {
    const canvas = await canvasOf(page);
    const shown = await raster(canvas);
    answers.set(key, asStored(shown.pixels));
    const address = page.url();
    await canvas.locator(".stage").first().click({ position: { x: 5, y: 5 } });
    await page.keyboard.press("Control+Enter");
    if (more) await until("the next task", async () => page.url() !== address);
    else await heading(page, "All done").waitFor();
  };

  await step("both paint; who looks on sees the figures change without a reload", async () => {
    await admin.getByText("0 of 6").waitFor();
    await heading(ann, "Paint sea life").waitFor(); // by itself
    await start(ann);
    await start(bob);
    await paint(ann, [["1", stroke.turtle], ["2", stroke.fish], ["3", stroke.unclear]]);
    await paint(bob, [["1", stroke.turtle.map(([x, y]) => [x + 0.1, y + 0.05])], ["2", stroke.fish]]);
    const marker = await admin.evaluate(() => (window.notReloaded = 1));
    await submit(ann, "ann 0", true);
    await admin.getByText("1 of 6").waitFor();
    await submit(bob, "bob 0", true);
    await admin.getByText("1 of 3").first().waitFor();
    await admin.getByText("2 of 6").waitFor();
    assert.equal(await admin.evaluate(() => window.notReloaded), marker);
  });

  await step("the mask of the photo before can be copied", async () => {
    const canvas = await canvasOf(ann);
    await canvas.locator(".stage").first().click({ position: { x: 5, y: 5 } });
    await canvas.getByRole("button", { name: "Copy the previous photo's mask" }).click();
    await until("the mask is copied", async () => asStored((await raster(canvas)).pixels).equals(answers.get("ann 0")));
    await submit(ann, "ann 1", true);
  });

  await step("where two paint alike, the mask on disk is what both saw, pixel for pixel", async () => {
    await paint(bob, [["1", stroke.turtle], ["2", stroke.fish], ["3", stroke.unclear]]);
    await submit(bob, "bob 1", true);
    assert.ok(answers.get("ann 1").equals(answers.get("bob 1")), "both have painted the same");
    const mask = readPng((await program.masks(2, JOB)).get(1));
    assert.deepEqual([mask.width, mask.height, mask.channels], [240, 180, 1]);
    for (const value of [1, 2, 255]) assert.ok(countOf(mask.pixels, value) > 20, `label value ${value} is in the mask`);
    assert.ok(mask.pixels.equals(answers.get("ann 1")));
  });

  await step("each answer is kept as it was painted", async () => {
    const files = await program.objectFiles(new RegExp(`${JOB}/intermediate/answers/.*\\.png$`));
    const stored = await Promise.all(files.map(async (file) => readPng(await readFile(file)).pixels));
    assert.equal(stored.length, 4);
    for (const [key, pixels] of answers) assert.ok(stored.some((one) => one.equals(pixels)), `the answer "${key}" is there`);
  });

  await step("the gallery shows masks over photos, and filters them", async () => {
    await admin.getByRole("tab", { name: "Photos" }).click();
    const tiles = admin.locator("p-job-gallery li");
    await until("three photos", async () => (await tiles.count()) === 3);
    await until("a mask lies over a photo", async () => Object.keys(await shownColors(tiles.nth(1))).length === 3);
    const show = admin.getByLabel("Show", { exact: true });
    await show.selectOption("labeled");
    await until("two labelled", async () => (await tiles.count()) === 2);
    await show.selectOption("failed");
    await admin.getByText("No photos here").waitFor();
    await show.selectOption("disagreeing");
    await until("one disputed", async () => (await tiles.count()) === 1);
    await tiles.first().getByText(/% disputed/).waitFor();
    await tiles.first().click();
  });

  await step("a photo's page shows both answers side by side, and where they differ", async () => {
    await heading(admin, "Photo 1").waitFor();
    const figures = admin.getByRole("figure");
    await until("two answers", async () => (await figures.count()) === 2);
    for (const name of ["ann", "bob"]) {
      const figure = figures.filter({ hasText: name });
      await figure.scrollIntoViewIfNeeded(); // pictures are fetched when they come into view
      await until(`the answer of ${name} is shown`, async () => Object.keys(await shownColors(figure)).length > 1);
    }
    await admin.getByLabel("Disagreement").check();
    const large = admin.locator("p-overlay.large");
    // Half of two answers disagree, or none: the heat map has one colour.
    await until("the heat map is shown", async () => Object.keys(await shownColors(large)).join() === "255,110,0");
    const expected = answers.get("ann 0").reduce((sum, value, at) => sum + (value !== answers.get("bob 0")[at] ? 1 : 0), 0);
    assert.equal((await shownColors(large))["255,110,0"], expected);
  });

  await step("a photo can be opened again", async () => {
    await button(admin, "Reopen").click();
    await admin.getByLabel("Throw away the answers it has").check();
    await dialog(admin).getByRole("button", { name: "Reopen" }).click();
    await admin.getByText("being labelled").waitFor();
    await until("the answers count no more", async () => (await admin.getByText("withdrawn", { exact: true }).count()) === 2);
  });

  await step("per-worker figures name the people", async () => {
    await admin.getByRole("link", { name: JOB }).click();
    await admin.getByRole("tab", { name: "Workers" }).click();
    await admin.getByRole("row").filter({ hasText: "ann" }).waitFor();
    await admin.getByRole("row").filter({ hasText: "bob" }).waitFor();
  });

  await step("stops the job; what is labelled can be taken away", async () => {
    await button(admin, "Stop", true).click();
    await button(admin, "Stop the job").click();
    await admin.getByText("Stopped", { exact: true }).waitFor();
    const take = async (name) => {
      const [download] = await Promise.all([admin.waitForEvent("download"), admin.getByRole("link", { name, exact: true }).click()]);
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const manifest = await take("Manifest");
    assert.equal(manifest.name, `${JOB}-manifest.jsonl`);
    const lines = manifest.bytes.toString().trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, 3);
    assert.deepEqual(lines.filter((line) => line["label-ref"]).map((line) => path.basename(line["source-ref"])), [scenes[1].name]);
    assert.equal(lines[1]["label-ref-metadata"]["job-name"], `labeling-job/${JOB}`);
    const dataset = await take("Dataset");
    assert.equal(dataset.name, `${JOB}-dataset.tar`);
    const files = readTar(dataset.bytes);
    assert.deepEqual([...files.keys()].sort(), ["classes.json", "label_map.json", "masks/1.png", "output.manifest"]);
    assert.ok(files.get("output.manifest").equals(manifest.bytes));
    assert.ok(readPng(files.get("masks/1.png")).pixels.equals(answers.get("ann 1")));
    assert.deepEqual(JSON.parse(files.get("classes.json")).classes.map((one) => one["class-name"] ?? one.name), ["BACKGROUND", "Turtle", "Fish"]);
  });

  await step("clones, continues and chains it", async () => {
    const follow = async (from, way, name) => {
      await admin.goto(`${program.url}/_/console/jobs/${from}`);
      await button(admin, "More for this job").click();
      await admin.getByRole("menuitem", { name: way }).click();
      await admin.getByLabel("Name of the new job").fill(name);
      await button(admin, "Make the job").click();
    };
    await follow(JOB, "Clone", "sea-cloned");
    await heading(admin, "sea-cloned").waitFor();
    await admin.getByText("0 of 6").waitFor();
    await follow(JOB, "Continue", "sea-cloned");
    await dialog(admin).getByRole("alert").filter({ hasText: "sea-cloned" }).waitFor();
    await admin.getByLabel("Name of the new job").fill("sea-continued");
    await button(admin, "Make the job").click();
    await heading(admin, "sea-continued").waitFor();
    await admin.getByRole("tab", { name: "Photos" }).click();
    await admin.getByText("passed through").waitFor(); // what has its mask already
    await follow(JOB, "Chain", "sea-chained");
    await heading(admin, "sea-chained").waitFor();
    await admin.getByRole("tab", { name: "Settings" }).click();
    await admin.locator("dt:text-is('Made from') + dd").filter({ hasText: JOB }).waitFor();
    await goTo(admin, "Console");
    for (const name of [JOB, "sea-cloned", "sea-continued", "sea-chained"]) await admin.getByRole("link", { name, exact: true }).waitFor();
  });

  for (const page of [admin, ann, bob].filter(Boolean)) assert.deepEqual(page.problems, []);
});
