// Who may do what, as people meet it in the pages: roles, vendors, removal, access keys.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { button, dialog, goTo, heading, makeTeam } from "./console.mjs";
import { presigned } from "./signature.mjs";
import { ServingProgram, findChromium, openBrowser, stepsOf, temporaryFolder, until } from "./support.mjs";
import { join, openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
let browser;
before(async () => {
  if (!skip) browser = await openBrowser();
});
after(async () => browser?.close());

async function begin(t) {
  const place = await temporaryFolder();
  t.after(place.remove);
  const program = await new ServingProgram(path.join(place.folder, "data")).start();
  t.after(() => program.kill());
  const pages = [];
  const person = async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    t.after(() => context.close());
    pages.push(await openPage(context, program));
    return pages.at(-1);
  };
  const admin = await person();
  await join(admin, program.invitation, "boss");
  return { program, person, admin, pages, step: stepsOf(t) };
}

const links = (page) => page.getByRole("navigation", { name: "Pages" }).getByRole("link").allTextContents();
/** The status of a call with the page's own session. */
const status = (page, route) => page.evaluate(async (target) => (await fetch(`/_/api/${target}`)).status, route);

async function invite(admin, role) {
  await goTo(admin, "People");
  await button(admin, "Invite").click();
  for (const one of ["worker", "requester", "admin"]) await dialog(admin).getByLabel(one, { exact: true }).setChecked(one === role);
  await button(admin, "Make the link").click();
  const link = await admin.getByLabel("Link").inputValue();
  await button(admin, "Done").click();
  return link;
}

/** Chooses `action` in the menu of the account `name`. */
async function act(admin, name, action) {
  await button(admin, `Actions for ${name}`).click();
  await admin.getByRole("menuitem", { name: action }).click();
}

test("people see the pages of their roles, and no others", { skip }, async (t) => {
  const { program, person, admin, pages, step } = await begin(t);
  const rita = await person();
  const walt = await person();

  await step("a requester has console and teams, nothing of admins", async () => {
    await join(rita, await invite(admin, "requester"), "rita");
    assert.deepEqual(await links(rita), ["Console", "Training", "Models", "Endpoints", "Teams"]);
    await heading(rita, "Labeling jobs").waitFor();
    for (const [page, route] of [["people", "accounts"], ["keys", "keys"]]) {
      await rita.goto(`${program.url}/_/console/${page}`);
      await rita.getByText("This page is for admins").waitFor();
      assert.equal(await status(rita, route), 403);
      assert.equal(await status(admin, route), 200);
    }
    await rita.goto(`${program.url}/_/console/teams`);
    await button(rita, "New team").first().waitFor();
    assert.equal(await button(rita, "New vendor").count(), 0);
    assert.equal(await button(admin, "Invite").count(), 1);
  });

  await step("a worker has tasks alone, until an admin gives them more", async () => {
    const [link] = await makeTeam(rita, "divers", 1);
    await join(walt, link, "walt");
    assert.deepEqual(await links(walt), ["Tasks", "History"]);
    await walt.goto(`${program.url}/_/console`);
    await walt.getByText("This page is for requesters").waitFor();
    assert.equal(await status(walt, "requester/jobs"), 403);
    await admin.reload();
    await act(admin, "walt", "Roles and groups");
    await dialog(admin).getByLabel("requester").check();
    await button(admin, "Save").click();
    await admin.getByText("walt: saved.").waitFor();
    await walt.reload();
    await heading(walt, "Labeling jobs").waitFor();
    assert.deepEqual(await links(walt), ["Tasks", "History", "Console", "Training", "Models", "Endpoints", "Teams"]);
  });

  await step("a vendor's people come in through the vendor's link and are not for requesters to see", async () => {
    await goTo(admin, "Teams");
    await button(admin, "New vendor").click();
    await dialog(admin).getByLabel("Name").fill("acme");
    await dialog(admin).getByLabel("Title").fill("Acme Labeling");
    await button(admin, "Save").click();
    const card = admin.getByRole("article").filter({ hasText: "acme" });
    await card.getByRole("button", { name: "Invite" }).click();
    await button(admin, "Make the link").click();
    const link = await admin.getByLabel("Link").inputValue();
    await button(admin, "Done").click();
    const vera = await person();
    await join(vera, link, "vera");
    assert.deepEqual(await links(vera), ["Tasks", "History"]);
    await rita.reload();
    await heading(rita, "acme").waitFor();
    assert.equal(await rita.getByRole("article").filter({ hasText: "acme" }).getByRole("button", { name: "Invite" }).count(), 0);
    await rita.getByRole("article").filter({ hasText: "divers" }).getByRole("button", { name: "Add a person" }).click();
    const offered = await dialog(rita).getByLabel("Person", { exact: true }).locator("option").allTextContents();
    assert.deepEqual(offered.map((text) => text.trim()).sort(), ["Choose …", "boss", "rita"]);
    await dialog(rita).getByLabel("Person", { exact: true }).selectOption({ label: "rita" });
    await dialog(rita).getByRole("button", { name: "Add", exact: true }).click();
    await rita.getByText("2 people").waitFor();
    await button(rita, "Take rita out of divers").click();
    await button(rita, "Take out", true).click();
    await rita.getByText("1 person", { exact: false }).first().waitFor();
  });

  await step("who is removed is out at once; a reset link lets them in again", async () => {
    await goTo(admin, "People");
    await act(admin, "walt", "Remove");
    await button(admin, "Remove", true).click();
    await admin.getByText("removed", { exact: true }).waitFor();
    await until("walt is signed out", async () => (await status(walt, "me")) === 401);
    await walt.reload();
    await heading(walt, "Sign in").waitFor();
    await act(admin, "walt", "Restore");
    await admin.getByText("removed", { exact: true }).waitFor({ state: "detached" });
    await act(admin, "walt", "Link for a new password");
    const link = await admin.getByLabel("Link").inputValue();
    await button(admin, "Done").click();
    await walt.goto(link);
    await walt.getByLabel("New password").fill("another long phrase");
    await button(walt, "Keep it and sign in").click();
    await walt.getByRole("navigation", { name: "Pages" }).waitFor();
  });

  await step("the last admin stays", async () => {
    await act(admin, "boss", "Remove");
    await button(admin, "Remove", true).click();
    await dialog(admin).getByRole("alert").filter({ hasText: "admin" }).waitFor();
    await button(admin, "Cancel").click();
  });

  for (const page of pages) assert.deepEqual(page.problems, []);
});

test("an access key opens the S3 interface until it is revoked", { skip }, async (t) => {
  const { program, admin, pages, step } = await begin(t);
  let key;
  const bucketsSeen = async (bucket) => {
    const answer = await fetch(presigned(`${program.url}/${bucket}?list-type=2`, key));
    return [answer.status, await answer.text()];
  };

  await step("is made, and its secret shown once", async () => {
    await goTo(admin, "Console");
    await admin.getByRole("link", { name: "New job" }).first().click();
    for (const name of ["reef", "shore"]) {
      await button(admin, "New bucket").click();
      await dialog(admin).getByLabel("Name").fill(name);
      await button(admin, "Make it").click();
      await dialog(admin).waitFor({ state: "detached" });
    }
    await goTo(admin, "Keys");
    await button(admin, "New key").click();
    await dialog(admin).getByLabel("What it is for").fill("nightly-upload");
    await dialog(admin).getByLabel("Only these buckets").fill("reef");
    await admin.keyboard.press("Enter");
    await button(admin, "Make the key").click();
    key = { id: await admin.getByLabel("Access key id").inputValue(), secret: await admin.getByLabel("Secret access key").inputValue() };
    assert.ok(key.secret.length >= 40);
    await button(admin, "I have kept it").click();
    const row = admin.getByRole("row").filter({ hasText: key.id });
    await row.getByText("nightly-upload").waitFor();
    await row.getByText("reef").waitFor();
    assert.ok(!(await admin.content()).includes(key.secret));
    assert.equal(await admin.getByLabel("Secret access key").count(), 0);
  });

  await step("opens its bucket and no other", async () => {
    const [seen, text] = await bucketsSeen("reef");
    assert.equal(seen, 200, text);
    assert.match(text, /<Name>reef<\/Name>/);
    assert.equal((await bucketsSeen("shore"))[0], 403);
  });

  await step("is refused once it is revoked", async () => {
    await admin.getByRole("row").filter({ hasText: key.id }).getByRole("button", { name: "Revoke" }).click();
    await dialog(admin).getByRole("button", { name: "Revoke" }).click();
    await admin.getByText("The key is revoked.").waitFor();
    const [refused, text] = await bucketsSeen("reef");
    assert.equal(refused, 403);
    assert.match(text, /InvalidAccessKeyId/);
    assert.equal(await admin.getByRole("row").filter({ hasText: key.id }).count(), 0);
  });

  for (const page of pages) assert.deepEqual(page.problems, []);
});
