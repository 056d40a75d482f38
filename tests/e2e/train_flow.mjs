// From labelled photos to masks of new ones in the browser alone: train, watch, deploy, try, compare, delete.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { button, dialog, goTo, heading, shownColors } from "./console.mjs";
import { readPng } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, makeScenes, stepsOf, until } from "./support.mjs";
import { LABELS, answerOf } from "./tour.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const JOB = "sea-life";
const MOST_S = 600; // seconds of training are minutes on a machine that is busy
const COLORS = new Map(LABELS.map(({ color }, at) => [[1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16)).join(), at + 1]));
let all;
before(async () => {
  if (skip) return;
  // Trainings share the cores with browser and server.
  process.env.OMP_WAIT_POLICY ??= "passive";
  all = await serviceWith("painter");
});
after(async () => all?.end());

/** What the endpoint itself says of a photo: its mask's class indices. */
async function maskOf(caller, endpoint, photo) {
  const answer = await (await caller.send("POST", `console/endpoints/${endpoint}/photo`, photo, "image/jpeg")).json();
  return { ...readPng(Buffer.from(answer.mask_png_base64, "base64")), classes: answer.classes };
}

test("labelled photos become a model that answers photos", { skip }, async (t) => {
  const { browser, service, workers, folder } = all;
  const [painter] = workers;
  const boss = await service.requester();
  const scenes = (await makeScenes(path.join(folder, "scenes"), 7, "128x96")).sort((a, b) => (a.name < b.name ? -1 : 1));
  const labelled = scenes.slice(0, 6);
  const unseen = scenes[6];
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  t.after(() => context.close());
  const session = await service.signIn(context, boss);
  const page = await context.newPage();
  const elsewhere = [];
  page.on("request", (request) => {
    if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== service.url) elsewhere.push(request.url());
  });
  const step = stepsOf(t);
  const mark = () => page.evaluate(() => (window.notReloaded = 1));
  const notReloaded = async () => assert.equal(await page.evaluate(() => window.notReloaded), 1, "the page was not loaded again");
  const curve = (title) => page.locator("section").filter({ has: heading(page, title) }).locator("p-curves");
  const firstNumbers = (title) => curve(title).locator("strong").filter({ hasText: /\d/ }).first().waitFor({ timeout: MOST_S * 1000 });
  const badge = (text) => page.getByText(text, { exact: true }).first().waitFor({ timeout: MOST_S * 1000 });
  const put = async (label, value) => page.getByLabel(label, { exact: true }).fill(value);

  await step("six photos are labelled", async () => {
    await service.job(JOB, Object.fromEntries(labelled.map(({ name, photo }) => [name, photo])), { labels: LABELS });
    for (let i = 0; i < labelled.length; i++) {
      const assignment = await service.accept(painter, JOB);
      await painter.post(`assignments/${assignment.id}/submit`, answerOf(labelled[assignment.object_index].mask, 0));
    }
    await until("the labeling job is over", async () => (await boss.get(`requester/jobs/${JOB}`)).job.status === "Completed");
  });

  await step("Train on this output fills the form in", async () => {
    await page.goto(`${service.url}/_/console/jobs/${JOB}`);
    await page.getByRole("link", { name: "Train on this output" }).click();
    await heading(page, "New training job").waitFor();
    await page.getByText("6 labelled photos").waitFor();
    await page.getByText("num_classes = 3").waitFor();
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), JOB);
    assert.equal(await page.getByLabel("Where results go").inputValue(), "s3://photos/training");
    assert.equal(await page.getByLabel("Algorithm").inputValue(), "lite");
  });

  await step("what is not allowed is said in words and starts nothing", async () => {
    await put("Epochs", "none");
    await button(page, "Start training").click();
    await page.getByRole("alert").filter({ hasText: "epochs" }).waitFor();
    assert.deepEqual((await boss.get("console/training-jobs")).jobs, []);
  });

  await step("the training is watched as it goes, without a reload", async () => {
    await put("Epochs", "3");
    await put("Crop size", "64");
    await put("Photos at once", "4");
    await page.getByText("All hyperparameters").click();
    await put("base_size", "96");
    await put("crops_per_photo", "24");
    await button(page, "Start training").click();
    await heading(page, JOB).waitFor();
    await badge("In progress");
    await mark();
    await firstNumbers("Loss");
    await firstNumbers("Scores on the validation photos");
    await page.getByText(/epoch \d of 3/).waitFor();
    await badge("Completed");
    await notReloaded();
    const { series } = await boss.get(`console/training-jobs/${JOB}/metrics`);
    assert.deepEqual(series.find(({ name }) => name === "train:loss").points.map(([epoch]) => epoch), [1, 2, 3]);
    const last = series.find(({ name }) => name === "validation:mIOU").points.at(-1)[1].toFixed(3);
    await until("the last number is shown", async () => (await curve("Scores on the validation photos").locator("strong").first().innerText()) === last);
    const drawn = await curve("Loss").locator("canvas").evaluate((canvas) => new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size);
    assert.ok(drawn > 4, "the curve is drawn");
  });

  await step("pictures of validation photos are there for every epoch", async () => {
    const pictures = page.locator("p-training-overlays img");
    await until("the pictures are loaded", async () => (await pictures.count()) > 0 && (await pictures.evaluateAll((images) => images.every((one) => one.complete && one.naturalWidth > 0))));
    const slider = page.getByLabel(/^Epoch \d$/);
    await until("the last epoch is shown", async () => (await slider.inputValue()) === "2");
    await slider.focus();
    await page.keyboard.press("Home");
    await page.getByText("Epoch 1", { exact: true }).waitFor();
    assert.match(await pictures.nth(1).getAttribute("src"), /overlays\/1\/0$/);
  });

  await step("the log is there and can be searched", async () => {
    const lines = page.locator("p-training-log .line");
    await until("lines are shown", async () => (await lines.count()) > 3);
    await page.getByLabel("Search the log").fill("VALIDATION:miou");
    await until("three lines fit", async () => (await lines.count()) === 3);
    await page.getByLabel("Search the log").fill("nothing like it");
    await page.getByText("No line holds that text.").waitFor();
  });

  await step("Deploy makes model and endpoint, which comes into service", async () => {
    await button(page, "Deploy", true).click();
    await page.waitForURL(`**/_/console/endpoints/${JOB}`);
    await mark();
    await badge("In service");
    await notReloaded();
    assert.deepEqual((await boss.get("console/models")).models.map(({ name }) => name), [JOB]);
  });

  const drop = (file) => page.locator("input[type=file]").setInputFiles([file]);
  const asFile = { name: "unseen.jpg", mimeType: "image/jpeg", buffer: unseen.photo };
  await step("a photo dropped on it gets its mask, pixel for pixel", async () => {
    await drop(asFile);
    await page.getByLabel("Shares of the classes").waitFor();
    const mask = await maskOf(session, JOB, unseen.photo);
    assert.deepEqual([mask.width, mask.height], [128, 96]);
    const colored = Object.entries(await shownColors(page.locator("p-mask-view")));
    assert.ok(colored.length > 0, "the model sees something");
    let pixels = 0;
    for (const [color, count] of colored) {
      const index = COLORS.get(color);
      assert.equal(count, mask.pixels.filter((value) => value === index).length, `pixels of ${color}`);
      pixels += count;
    }
    assert.equal(pixels, mask.pixels.filter((value) => value !== 0).length);
    await page.getByLabel(/^Mask \d+ %$/).fill("100");
    assert.equal(await page.locator("p-mask-view canvas.layer").evaluate((canvas) => canvas.style.opacity), "1");
    const saved = page.waitForEvent("download");
    await button(page, "Mask").click();
    assert.equal((await saved).suggestedFilename(), "unseen.png");
    const overlay = page.waitForEvent("download");
    await button(page, "Overlay").click();
    assert.equal((await overlay).suggestedFilename(), "unseen-overlay.png");
    await page.getByText(/[1-9]\d* requests? answered/).waitFor();
  });

  await step("what is no photo is refused in words", async () => {
    await drop({ name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo at all") });
    await page.getByRole("alert").filter({ hasText: "notes.jpg is no photo" }).waitFor();
  });

  await step("Train again takes the values over; Stop asks, and keeps the model of the epochs that are done", async () => {
    await page.goto(`${service.url}/_/console/training/${JOB}`);
    await page.getByRole("link", { name: "Train again" }).click();
    await until("the values are there", async () => (await page.getByLabel("Name", { exact: true }).inputValue()) === `${JOB}-2`);
    assert.equal(await page.getByLabel("Crop size", { exact: true }).inputValue(), "64");
    await put("Epochs", "10000");
    await button(page, "Start training").click();
    await heading(page, `${JOB}-2`).waitFor();
    await firstNumbers("Scores on the validation photos");
    await button(page, "Stop", true).click();
    await dialog(page).getByRole("button", { name: "Stop the training" }).click();
    await badge("Stopped");
    await button(page, "Deploy", true).click();
    await page.waitForURL(`**/_/console/endpoints/${JOB}-2`);
    await badge("In service");
  });

  await step("two endpoints are compared on the same photo", async () => {
    await page.getByRole("link", { name: "Compare" }).click();
    await heading(page, "Compare two endpoints").waitFor();
    await until("both are chosen", async () => (await page.getByLabel("First").inputValue()) === `${JOB}-2` && (await page.getByLabel("Second").inputValue()) === JOB);
    await drop(asFile);
    await until("both have answered", async () => (await page.getByLabel("Shares of the classes").count()) === 2);
    const [a, b] = await Promise.all([maskOf(session, JOB, unseen.photo), maskOf(session, `${JOB}-2`, unseen.photo)]);
    const expected = a.pixels.reduce((sum, value, at) => sum + (value === b.pixels[at] ? 0 : 1), 0);
    const shown = Object.values(await shownColors(page.locator("p-mask-view[data-difference]"))).reduce((sum, count) => sum + count, 0);
    assert.equal(shown, expected);
    await page.getByText(expected === 0 ? "They agree on every pixel." : `${expected.toLocaleString("en-US")} pixels differ`).waitFor();
  });

  await step("a failed job says first why, and what to do", async () => {
    const channels = [{ name: "train", uri: `s3://photos/${JOB}/` }];
    await boss.post("console/training-jobs", { name: "no-masks", output_uri: "s3://photos/training", channels, hyperparameters: { backbone: "mobilenet-v2", algorithm: "lite", num_classes: "3", num_training_samples: "6" } });
    await page.goto(`${service.url}/_/console/training/no-masks`);
    await badge("Failed");
    const reason = page.getByRole("alert").filter({ hasText: "It failed: ClientError" });
    await reason.waitFor();
    assert.match(await reason.innerText(), /channel[\s\S]*Look at the addresses/);
  });

  await step("endpoints and models are deleted", async () => {
    await goTo(page, "Endpoints");
    for (const name of [JOB, `${JOB}-2`]) {
      await button(page, `Delete ${name}`, true).click();
      await dialog(page).getByRole("button", { name: "Delete the endpoint" }).click();
      await dialog(page).waitFor({ state: "detached" });
    }
    await heading(page, "No endpoint yet").waitFor({ timeout: 120_000 });
    await goTo(page, "Models");
    for (const name of [JOB, `${JOB}-2`]) {
      await button(page, `Delete ${name}`, true).click();
      await dialog(page).getByRole("button", { name: "Delete the model" }).click();
      await dialog(page).waitFor({ state: "detached" });
    }
    await heading(page, "No model yet").waitFor();
    assert.deepEqual(elsewhere, [], "no request left the origin");
  });
});
