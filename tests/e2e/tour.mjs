// Every page, with something to see on it: jobs at all stages, people, teams, keys. What looks at pages walks along here.
import path from "node:path";
import { Caller } from "./caller.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { makeScenes, until } from "./support.mjs";
import { PASSWORD, canvasOf, drag } from "./worker.mjs";

export const LABELS = [
  { label: "Turtle", color: "#2ca02c" },
  { label: "Fish", color: "#ff7f0e" },
  { label: "Unclear", color: "#9467bd", void: true },
];

const tokenOf = (link) => new URL(link).hash.slice(1);

async function enter(program, link, name, displayName) {
  return new Caller(program.url).enter("invitation/accept", { token: tokenOf(link), password: PASSWORD, name, display_name: displayName });
}

/** The answer of a worker whose hand was `shift` pixels off. */
export function answerOf(mask, shift) {
  const { width, height, pixels } = readPng(mask);
  const colors = [[255, 255, 255], ...LABELS.map(({ color }) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)))];
  const png = writePhoto(width, height, (x, y) => colors[pixels[y * width + Math.min(width - 1, Math.max(0, x - shift))]]);
  return {
    "crowd-semantic-segmentation": {
      labeledImage: { pngImageData: png.toString("base64") },
      labelMappings: Object.fromEntries(LABELS.map(({ label, color }) => [label, { color }])),
      inputImageProperties: { width, height },
    },
  };
}

/** Lets the worker answer (or, with a reason, decline) the next photo of the job. */
async function work(worker, job, scenes, { shift = 0, decline } = {}) {
  const { assignment } = await worker.post("assignments", { job });
  if (decline) return worker.post(`assignments/${assignment.id}/decline`, { reason: decline });
  return worker.post(`assignments/${assignment.id}/submit`, answerOf(scenes[assignment.object_index].mask, shift));
}

async function describe(caller, job) {
  return (await caller.get(`requester/jobs/${job}`)).job;
}

/** One training that is over and serves twice, and one that failed. */
async function train(admin) {
  const ended = async (name) => ["Completed", "Failed"].includes((await admin.get(`console/training-jobs/${name}`)).job.status);
  const values = { backbone: "mobilenet-v2", algorithm: "lite", epochs: "2", crop_size: "64", base_size: "96", mini_batch_size: "2" };
  await admin.post("console/training-jobs", { name: "pilot-net", output_uri: "s3://reef/training", labeling_job: "pilot", hyperparameters: values });
  const channels = [{ name: "train", uri: "s3://reef/turtles/" }];
  await admin.post("console/training-jobs", { name: "without-masks", output_uri: "s3://reef/training", channels, hyperparameters: { ...values, num_classes: "3", num_training_samples: "8" } });
  for (const name of ["pilot-net", "without-masks"]) await until(`the training ${name} is over`, () => ended(name), 600);
  for (const name of ["pilot-net", "pilot-net-2"]) {
    await admin.post("console/training-jobs/pilot-net/deploy");
    await until(`${name} serves`, async () => (await admin.get(`console/endpoints/${name}`)).endpoint.status === "InService", 300);
  }
}

/** Fills the installation; gives the sessions of `admin` (all roles) and `worker`, and an invitation that nobody took. */
export async function settle(program, folder) {
  const scenes = await makeScenes(path.join(folder, "scenes"), 8, "640x480");
  const admin = await enter(program, program.invitation, "ann@example.org", "Ann Berg");
  await admin.put(`accounts/${admin.account.id}`, { roles: ["worker", "requester", "admin"], groups: ["divers"] });
  for (const [name, description] of [["divers", "Marine biologists of the reef station"], ["students", "Summer course 2026"]])
    await admin.post("requester/workteams", { name, description });
  const linkInto = async (workteam) => (await admin.post("requester/invitations", { workteam })).link;
  const bob = await enter(program, await linkInto("divers"), "bob@example.org", "Bob Reef");
  const cleo = await enter(program, await linkInto("divers"), "cleo@example.org", "Cleo Marin");
  await enter(program, await linkInto("students"), "dana", "");
  await admin.post("vendors", { name: "acme", title: "Acme Labeling", description: "Pixel work, by contract" });
  await admin.post("invitations", { name: "eve@example.org", roles: ["requester"], groups: [] });
  await admin.post("keys", { name: "nightly-upload", scope: "requester", buckets: ["reef"] });
  await admin.post("requester/buckets", { name: "reef" });
  await admin.post("requester/buckets", { name: "shore" });
  const upload = (key, bytes, type) => admin.send("PUT", `requester/objects/reef/${key}`, bytes, type);
  for (const { name, photo } of scenes) await upload(`turtles/${name}`, photo, "image/jpeg");
  for (const { name, photo } of scenes.slice(0, 3)) await upload(`turtles/summer/${name}`, photo, "image/jpeg");
  await upload("broken.manifest", Buffer.from("this is no manifest\n"), "text/plain");
  const manifest = (count) => scenes.slice(0, count).map(({ name }) => JSON.stringify({ "source-ref": `s3://reef/turtles/${name}` })).join("\n");
  await upload("few.manifest", Buffer.from(manifest(3)), "application/json");
  await upload("all.manifest", Buffer.from(manifest(8)), "application/json");
  const team = (await admin.get("requester/workteams")).workteams.find((one) => one.name === "divers");
  const make = (name, title, input, more = {}) =>
    admin.post("requester/jobs", {
      name,
      title,
      description: "Paint each animal up to its edge; leave shadows out.",
      input_uri: `s3://reef/${input}`,
      output_uri: "s3://reef/results",
      labels: LABELS,
      workteam_arn: team.arn,
      instructions: { header: "Paint every turtle and every fish", short_html: "<p>Turtles green, fish orange. Whatever nobody can tell: <b>Unclear</b>.</p>", full_html: "<p>Begin with the largest animal.</p><ul><li>Up to the edge</li><li>No shadows</li></ul>" },
      ...more,
    });
  const running = (name) => until(`${name} runs`, async () => (await describe(admin, name)).status === "InProgress");
  const labeled = (name, count) => until(`${name} has ${count} masks`, async () => (await describe(admin, name)).counters.total_labeled >= count, 60);

  await make("broken-input", "Paint turtles of the north reef", "broken.manifest");
  await make("pilot", "Pilot: first three photos", "few.manifest");
  await running("pilot");
  for (let i = 0; i < 3; i++) await work(bob, "pilot", scenes);
  await until("the pilot is over", async () => (await describe(admin, "pilot")).status === "Completed", 60);
  await make("stopped-early", "Paint night dives", "few.manifest");
  await running("stopped-early");
  await work(cleo, "stopped-early", scenes);
  await labeled("stopped-early", 1);
  await admin.post("requester/jobs/stopped-early/stop");
  await make("sea-turtles", "Paint sea turtles", "all.manifest", { workers_per_object: 2, keywords: ["turtle", "reef"] });
  await running("sea-turtles");
  for (let i = 0; i < 5; i++) await work(bob, "sea-turtles", scenes, { shift: i * 4 });
  for (let i = 0; i < 5; i++) await work(cleo, "sea-turtles", scenes);
  for (const worker of [bob, cleo]) await work(worker, "sea-turtles", scenes, { decline: "Too dark to see anything" });
  await labeled("sea-turtles", 5);
  const { assignment } = await admin.post("assignments", { job: "sea-turtles" });
  await until("the job with the broken input is over", async () => (await describe(admin, "broken-input")).status === "Failed");
  await train(admin);
  const open = (await admin.post("invitations", { roles: ["worker"], groups: ["divers"] })).link;
  return { admin, worker: bob, task: assignment.id, invitation: open, scenes };
}

const dialog = (page) => page.locator("t-dialog[open]");
const button = (page, name) => page.getByRole("button", { name });
const next = (page) => button(page, "Next").click();
const photosStep = async (page) => {
  await page.getByLabel("Title").fill("Paint sea turtles");
  await page.getByLabel("Job name").fill("sea-turtles-2");
  await button(page, "turtles").first().click();
  await page.getByText("8 photos in this folder").waitFor();
};
const labelsStep = async (page) => {
  await photosStep(page);
  await next(page);
  for (const [number, name] of [[1, "Turtle"], [2, "Fish"], [3, "Unclear"]]) {
    if (number > 1) await button(page, "Add a label").click();
    await page.getByLabel(`Name of label ${number}`).fill(name);
  }
  await page.getByLabel("void").last().check();
};
const instructionsStep = async (page) => {
  await labelsStep(page);
  await next(page);
  await page.getByLabel("In one sentence").fill("Paint every turtle and every fish");
  await page.frameLocator("iframe").getByText("Paint every turtle").first().waitFor();
  await canvasOf(page);
};

const tryPhoto = async (page) => {
  const buffer = writePhoto(320, 240, (x, y) => ((x - 160) ** 2 + (y - 120) ** 2 < 4000 ? [90, 150, 70] : [40, 90 + ((x + y) % 40), 150]));
  await page.locator("input[type=file]").setInputFiles([{ name: "reef.png", mimeType: "image/png", buffer }]);
  await page.getByLabel("Shares of the classes").last().waitFor();
};

/** Every page: name, address, who looks (null: nobody signed in), and what is done there first. */
export function pagesOf({ invitation, task }) {
  const admin = "admin";
  const job = "/_/console/jobs/sea-turtles";
  return [
    ["sign-in", "/_/", null],
    ["sign-in-wrong", "/_/", null, async (page) => {
      await page.getByLabel("Name or e-mail").fill("ann@example.org");
      await page.getByLabel("Password").fill("nonsense here");
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.getByRole("alert").waitFor();
    }],
    ["join", new URL(invitation).pathname + new URL(invitation).hash, null],
    ["join-ended", "/_/join#nothing", null],
    ["reset", "/_/reset#token", null],
    ["tasks", "/_/", admin],
    ["history", "/_/history", admin],
    ["account", "/_/account", admin],
    ["account-menu", "/_/jobs", admin, (page) => button(page, "Account of").click()],
    ["task", `/_/task/${task}`, admin, async (page) => {
      const canvas = await canvasOf(page);
      await page.locator("iframe").scrollIntoViewIfNeeded();
      await page.keyboard.press("Escape");
      await drag(page, canvas, [[0.35, 0.4], [0.5, 0.5], [0.6, 0.42]]);
    }],
    ["task-decline", `/_/task/${task}`, admin, async (page) => {
      await canvasOf(page);
      await button(page, "Decline").click();
      await dialog(page).getByLabel("Reason").waitFor();
    }],
    ["console", "/_/console", admin],
    ["console-none-fits", "/_/console", admin, async (page) => {
      await page.getByLabel("Name contains").fill("nothing like this");
      await page.getByText("No job fits").waitFor();
    }],
    ["job-overview", job, admin],
    ["job-failed", "/_/console/jobs/broken-input", admin],
    ["job-completed", "/_/console/jobs/pilot", admin],
    ["job-photos", `${job}/gallery`, admin],
    ["job-workers", `${job}/workers`, admin],
    ["job-settings", `${job}/settings`, admin, async (page) => {
      await button(page, "Show").click();
      await page.getByText("crowd-form").first().waitFor();
    }],
    ["job-menu", "/_/console/jobs/pilot", admin, (page) => button(page, "More for this job").click()],
    ["job-stop", job, admin, (page) => page.getByRole("button", { name: "Stop", exact: true }).click()],
    ["job-chain", "/_/console/jobs/pilot", admin, async (page) => {
      await button(page, "More for this job").click();
      await page.getByRole("menuitem", { name: "Chain" }).click();
    }],
    ["object", `${job}/objects/2`, admin],
    ["object-heat", `${job}/objects/2`, admin, (page) => page.getByLabel("Disagreement").check()],
    ["object-waiting", `${job}/objects/7`, admin],
    ["object-reopen", `${job}/objects/2`, admin, (page) => button(page, "Reopen").click()],
    ["new-1-photos", "/_/console/new", admin, photosStep],
    ["new-1-refused", "/_/console/new", admin, next],
    ["new-2-labels", "/_/console/new", admin, labelsStep],
    ["new-3-instructions", "/_/console/new", admin, instructionsStep],
    ["new-4-workers", "/_/console/new", admin, (page) => button(page, "4. Workers").click()],
    ["new-4-public", "/_/console/new", admin, async (page) => {
      await button(page, "4. Workers").click();
      await page.getByLabel("The public crowd").check();
    }],
    ["new-5-more", "/_/console/new", admin, (page) => button(page, "5. More").click()],
    ["new-6-review", "/_/console/new", admin, async (page) => {
      await labelsStep(page);
      await button(page, "4. Workers").click();
      await page.getByLabel("Work team").selectOption({ index: 1 });
      await button(page, "6. Review").click();
    }],
    ["new-6-incomplete", "/_/console/new", admin, (page) => button(page, "6. Review").click()],
    ["training", "/_/console/training", admin],
    ["training-none-fits", "/_/console/training", admin, async (page) => {
      await page.getByLabel("Name contains").fill("nothing like this");
      await page.getByText("No training job fits").waitFor();
    }],
    ["training-job", "/_/console/training/pilot-net", admin, (page) => page.locator("p-training-overlays img").first().waitFor()],
    ["training-failed", "/_/console/training/without-masks", admin, (page) => page.getByText("It failed:").waitFor()],
    ["training-new", "/_/console/new-training?labeling-job=pilot", admin, (page) => page.getByText("3 labelled photos").waitFor()],
    ["training-new-channels", "/_/console/new-training?from=pilot-net", admin, async (page) => {
      await page.getByText("All hyperparameters").click();
      await page.getByLabel("ema_decay").waitFor();
    }],
    ["training-new-refused", "/_/console/new-training", admin, (page) => button(page, "Start training").click()],
    ["models", "/_/console/models", admin],
    ["models-new", "/_/console/models", admin, (page) => button(page, "New model").first().click()],
    ["model", "/_/console/models/pilot-net", admin],
    ["endpoints", "/_/console/endpoints", admin],
    ["endpoints-new", "/_/console/endpoints", admin, (page) => button(page, "New endpoint").click()],
    ["endpoint", "/_/console/endpoints/pilot-net", admin, tryPhoto],
    ["compare", "/_/console/compare?with=pilot-net&and=pilot-net-2", admin, tryPhoto],
    ["teams", "/_/console/teams", admin],
    ["teams-new", "/_/console/teams", admin, (page) => button(page, "New team").click()],
    ["teams-vendor", "/_/console/teams", admin, (page) => button(page, "New vendor").click()],
    ["teams-add", "/_/console/teams", admin, (page) => button(page, "Add a person").first().click()],
    ["people", "/_/console/people", admin],
    ["people-edit", "/_/console/people", admin, async (page) => {
      await button(page, "Actions for bob@example.org").click();
      await page.getByRole("menuitem", { name: "Roles and groups" }).click();
    }],
    ["people-invite", "/_/console/people", admin, (page) => button(page, "Invite").click()],
    ["people-link", "/_/console/people", admin, async (page) => {
      await button(page, "Actions for bob@example.org").click();
      await page.getByRole("menuitem", { name: "Link for a new password" }).click();
      await page.getByLabel("Link").waitFor();
    }],
    ["keys", "/_/console/keys", admin],
    ["keys-new", "/_/console/keys", admin, (page) => button(page, "New key").click()],
    ["nothing-here", "/_/console/nowhere", admin],
    ["refused", "/_/console", "worker"],
  ];
}

/** Opens a page of `pagesOf` and waits until all that it shows is there. */
export async function visit(page, url, [, address, , first]) {
  await page.goto(url + address);
  await page.getByRole("heading", { level: 1 }).first().waitFor();
  await page.waitForLoadState("networkidle");
  if (first) await first(page);
  // Pictures are fetched, and frames drawn, when they come into view.
  for (const shown of await page.locator("p-overlay, iframe").all()) await shown.scrollIntoViewIfNeeded();
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.waitForLoadState("networkidle", { timeout: 8000 }).catch(() => undefined); // a list that is asked for again and again may keep it busy
}
