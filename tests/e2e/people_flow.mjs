// Workers beside each other: nobody sees another's work, nothing painted is lost when a session, the network or a tab goes, nothing stays behind on a shared computer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Hand, assertSame, openTask, submit } from "./hand.mjs";
import { Expected } from "./naive.mjs";
import { readPng, writePhoto } from "./png.mjs";
import { serviceWith } from "./service.mjs";
import { findChromium, until } from "./support.mjs";
import { PASSWORD, openPage } from "./worker.mjs";

const skip = findChromium() ? false : "no Chromium on this machine: install it (script/setup does) to run the browser tests";
const WIDTH = 240, HEIGHT = 180, SIZE = 24;
const photo = writePhoto(WIDTH, HEIGHT, (x, y) => [x % 256, y % 256, 90]);

let shared, browser, service, ann, ben, cleo, lease;
const endings = [];
before(async () => {
  if (skip) return;
  shared = await serviceWith("ann", "ben", "cleo");
  ({ browser, service, workers: [ann, ben, cleo] } = shared);
  await service.job("lease", { "photo.png": photo }, { task_time_limit_s: 60 });
  lease = leaseEnds({ after: (end) => endings.push(end) });
  lease.catch(() => undefined); // the last test tells it
});
after(async () => {
  for (const end of endings) await end();
  await shared?.end();
});

async function contextOf(t, person) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  t.after(() => context.close());
  const session = await service.signIn(context, person);
  return { context, session };
}
async function start(t, person, job) {
  const { context, session } = await contextOf(t, person);
  const page = await openPage(context, service);
  const assignment = await service.accept(person, job);
  const hand = await openTask(page, service, assignment);
  await hand.oneToOne();
  return { context, session, page, hand, assignment, expected: new Expected(WIDTH, HEIGHT) };
}
async function stroke(one, value, points) {
  await one.hand.key(String(value));
  await one.hand.drag(points);
  one.expected.brush(points, SIZE, value);
}
async function signIn(page, name, scope = page) {
  await scope.getByLabel("Name or e-mail address").fill(name);
  await scope.getByLabel("Password").fill(PASSWORD);
  await scope.getByRole("button", { name: "Sign in", exact: true }).click();
}
/** What the browser keeps of drafts. */
const keptDrafts = (page) =>
  page.evaluate(async () => {
    if (!(await indexedDB.databases()).some(({ name }) => name === "terrapin-drafts")) return [];
    const database = await new Promise((resolve, reject) => {
      const asked = indexedDB.open("terrapin-drafts");
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
    const all = (store) => new Promise((resolve) => (database.transaction(store).objectStore(store).getAllKeys().onsuccess = ({ target }) => resolve(target.result)));
    const found = [...(await all("heads")), ...(await all("parts"))].map((key) => JSON.stringify(key));
    database.close();
    return found;
  });

// A lease takes a minute: it runs beside the other tests.
async function leaseEnds(t) {
  const one = await start(t, cleo, "lease");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.hand.saved();
  await one.page.getByText("Your time for this photo is nearly over").waitFor({ timeout: 120_000 });
  await one.page.getByRole("heading", { name: "Your time for this photo is over" }).waitFor({ timeout: 120_000 });
  await one.page.getByRole("button", { name: "Go on" }).click();
  await one.page.waitForURL((url) => !url.pathname.endsWith(one.assignment.id));
  one.hand = await Hand.at(one.page);
  await one.hand.holds(one.expected, "the draft in the next lease");
  await submit(one.page);
  assertSame(readPng(await service.mask("lease", 0)).pixels, one.expected, "the mask on disk");
}

test("two workers on one photo see nothing of each other", { skip }, async (t) => {
  await service.job("pair", { "photo.png": photo }, { workers_per_object: 2 });
  const one = await start(t, ann, "pair"), other = await start(t, ben, "pair");
  assert.notEqual(one.assignment.id, other.assignment.id);
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.hand.saved();
  await other.hand.holds(other.expected, "ben's canvas while ann paints");
  await other.page.reload();
  other.hand = await Hand.at(other.page);
  await other.hand.oneToOne();
  await other.hand.holds(other.expected, "ben's canvas after a reload");

  // From ben's own page, with ben's session: every door to ann's work is a wall.
  const forge = (method, target, body) =>
    other.page.evaluate(
      async ({ method, target, body, csrf }) => {
        const answer = await fetch(`/_/api/assignments/${target}`, {
          method,
          headers: method === "GET" ? {} : { "content-type": "application/json", "x-csrf-token": csrf },
          body: method === "GET" ? undefined : JSON.stringify(body),
        });
        return { status: answer.status, text: await answer.text() };
      },
      { method, target, body: body ?? {}, csrf: other.session.csrf },
    );
  const id = one.assignment.id;
  const walls = [
    ["GET", id], ["GET", `${id}/content`], ["GET", `${id}/draft`], ["GET", `${id}/answer`],
    ["POST", `${id}/heartbeat`], ["POST", `${id}/draft/open`, { tab: "mine" }],
    ["POST", `${id}/draft/deltas`, { tab: "mine", deltas: [{ sequence: 1, data: "x" }] }],
    ["PUT", `${id}/draft/snapshot`, { tab: "mine", base_sequence: 1, snapshot: "x" }], ["DELETE", `${id}/draft`],
    ["POST", `${id}/submit`, { "crowd-semantic-segmentation": {} }], ["PUT", `${id}/answer`, {}], ["POST", `${id}/return`],
    ["POST", `${id}/decline`, { reason: "because" }],
  ]; // prettier-ignore
  const nobody = (await forge("GET", "there-is-no-such-one")).text.replace("there-is-no-such-one", id);
  const check = async () => {
    for (const [method, target, body] of walls) {
      const answer = await forge(method, target, body);
      assert.equal(answer.status, 404, `${method} ${target}: ${answer.status} ${answer.text}`);
      if (target === id) assert.equal(answer.text, nobody, "another's task and none at all look the same");
    }
    const list = await (await other.session.send("GET", "assignments?limit=200")).text();
    assert.ok(!list.includes(id));
  };
  await check();
  // Nor is there a link to the photo of somebody else's task, and the page says in words that there is none.
  const { images } = await ann.get(`assignments/${id}/content`);
  assert.equal(await other.page.evaluate(async (link) => (await fetch(link)).status, Object.values(images)[0]), 403);
  await submit(one.page);
  await check();
  const stranger = await openPage(other.context, service);
  await stranger.goto(`${service.url}/_/task/${id}`);
  await stranger.getByRole("heading", { name: "There is no such task" }).waitFor();
  await stranger.close();
  await other.hand.holds(other.expected, "ben's canvas after ann's answer");
  await stroke(other, 2, [[40, 120], [100, 140]]);
  await submit(other.page);
  const answers = await service.answers("pair", 0, 2);
  assert.equal(new Set(answers.map((answer) => answer.workerId)).size, 2);
  assert.deepEqual([...one.page.problems, ...other.page.problems], []);
});

test("a session that ends while painting: signed in again on the page, nothing is lost", { skip }, async (t) => {
  await service.job("expiry", { "photo.png": photo });
  const one = await start(t, ann, "expiry");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.hand.saved();
  await one.session.post("sign-out");
  await stroke(one, 2, [[60, 120], [140, 120]]);
  const dialog = one.page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByText("Your session ended. Sign in to go on; nothing is lost.").waitFor();
  await one.page.getByText("Signed out: kept on this computer").waitFor();
  await signIn(one.page, "ann", dialog);
  await dialog.waitFor({ state: "detached" });
  await one.hand.saved();
  await one.hand.canvas.evaluate((element) => element.focus());
  await stroke(one, 3, [[20, 150], [40, 150]]);
  await submit(one.page);
  assertSame(readPng(await service.mask("expiry", 0)).pixels, one.expected, "the mask on disk");
  assert.deepEqual(one.page.problems, []);
});

test("an answer that is sent when the session has ended goes out after signing in", { skip }, async (t) => {
  await service.job("late", { "photo.png": photo });
  const one = await start(t, ann, "late");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.hand.saved();
  await one.session.post("sign-out");
  await one.page.keyboard.press("Control+Enter");
  const dialog = one.page.getByRole("dialog", { name: "Sign in" });
  await dialog.waitFor();
  await signIn(one.page, "ann", dialog);
  await one.page.getByText("All done").waitFor();
  assertSame(readPng(await service.mask("late", 0)).pixels, one.expected, "the mask on disk");
});

test("offline, then online; the answer too", { skip }, async (t) => {
  await service.job("offline", { "photo.png": photo });
  const one = await start(t, ann, "offline");
  await one.context.setOffline(true);
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.page.getByText("Offline: kept on this computer").waitFor();
  await one.context.setOffline(false);
  await one.hand.saved();
  await one.page.getByText("Saved", { exact: true }).waitFor();
  await one.context.setOffline(true);
  await stroke(one, 2, [[40, 100], [100, 100]]);
  await one.page.keyboard.press("Control+Enter");
  await one.page.getByText("The answer has not reached the server yet").waitFor();
  await one.context.setOffline(false);
  await one.page.getByText("All done").waitFor();
  assertSame(readPng(await service.mask("offline", 0)).pixels, one.expected, "the mask on disk");
  assert.deepEqual(one.page.problems, []);
});

test("signing out leaves nothing on a shared computer once the server has it; what it has not stays, for its painter alone", { skip }, async (t) => {
  await service.job("shared", { "photo.png": photo });
  const one = await start(t, ann, "shared");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await one.hand.saved();
  assert.ok((await keptDrafts(one.page)).length > 0);
  await one.page.getByRole("link", { name: "To the tasks" }).click();
  const signOut = async () => {
    await one.page.getByRole("button", { name: /^Account of/ }).click();
    await one.page.getByRole("menuitem", { name: "Sign out" }).click();
    await one.page.getByRole("heading", { name: "Sign in" }).waitFor();
  };
  await signOut();
  assert.deepEqual(await keptDrafts(one.page), []);
  assert.equal((await one.context.cookies()).length, 0);

  // The draft comes back from the server.
  await signIn(one.page, "ann");
  await one.page.getByRole("article").filter({ hasText: "Paint shared" }).getByRole("link", { name: "Go on" }).click();
  one.hand = await Hand.at(one.page);
  await one.hand.oneToOne();
  await one.hand.holds(one.expected, "the draft on the server");
  // Now a stroke that the server does not get, and the session ends behind the page's back.
  const session = await service.signIn(one.context, ann);
  await one.page.reload();
  one.hand = await Hand.at(one.page);
  await one.hand.oneToOne();
  await session.post("sign-out");
  await stroke(one, 2, [[60, 120], [140, 120]]);
  await one.page.getByText("Signed out: kept on this computer").waitFor();
  const before = await keptDrafts(one.page);
  assert.ok(before.length > 0);
  // Ben sits down at this computer: he gets his own tasks and nothing of hers.
  await service.signIn(one.context, ben);
  await one.page.goto(`${service.url}/_/`);
  await one.page.getByRole("heading", { name: "Tasks" }).waitFor();
  assert.equal(await one.page.getByRole("article").filter({ hasText: "Paint shared" }).getByRole("link", { name: "Go on" }).count(), 0);
  await signOut();
  assert.deepEqual(await keptDrafts(one.page), before, "ben's signing out leaves ann's unsent stroke");
  await signIn(one.page, "ann");
  await one.page.getByRole("article").filter({ hasText: "Paint shared" }).getByRole("link", { name: "Go on" }).click();
  one.hand = await Hand.at(one.page);
  await one.hand.holds(one.expected, "ann's stroke, after ben");
  await one.hand.saved();
  await submit(one.page);
  assertSame(readPng(await service.mask("shared", 0)).pixels, one.expected, "the mask on disk");
  assert.deepEqual(await keptDrafts(one.page), [], "a submitted draft is gone");
  assert.deepEqual(one.page.problems, []);
});

test("another tab takes the photo over, and gives it back", { skip }, async (t) => {
  await service.job("tabs", { "photo.png": photo });
  const one = await start(t, ann, "tabs");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  const second = await openPage(one.context, service);
  const tab = { page: second, expected: one.expected };
  tab.hand = await openTask(second, service, one.assignment);
  await tab.hand.oneToOne();
  await tab.hand.holds(one.expected, "the second tab");
  const note = one.page.getByText("open in another tab");
  await note.waitFor();
  // Nothing can be painted in the first tab, nor submitted.
  await one.page.bringToFront();
  await one.hand.look();
  await one.hand.key("2");
  await one.hand.drag([[150, 50], [180, 100]]);
  await one.hand.holds(one.expected, "the first tab after a try");
  assert.equal(await one.page.getByRole("button", { name: "Submit" }).isDisabled(), true);
  await tab.page.bringToFront();
  await stroke(tab, 2, [[60, 120], [140, 120]]);
  await tab.hand.kept();
  await one.page.bringToFront();
  await one.page.getByRole("button", { name: "Take over" }).click();
  await note.waitFor({ state: "detached" });
  one.hand = await Hand.at(one.page);
  await one.hand.oneToOne();
  await one.hand.holds(one.expected, "what the second tab painted, in the first");
  await stroke(one, 3, [[200, 20], [200, 150]]);
  await submit(one.page);
  assertSame(readPng(await service.mask("tabs", 0)).pixels, one.expected, "the mask on disk");
  await tab.page.bringToFront();
  await tab.page.getByText("open in another tab").or(tab.page.getByRole("heading", { name: "This photo is submitted" })).first().waitFor();
  assert.deepEqual([...one.page.problems, ...second.problems], []);
});

test("an own answer is corrected from the history until its mask is made", { skip }, async (t) => {
  await service.job("history", { "photo.png": photo }, { workers_per_object: 2, title: "Own answers" });
  const one = await start(t, ann, "history");
  await stroke(one, 1, [[40, 40], [100, 60]]);
  await submit(one.page);
  await one.page.goto(`${service.url}/_/history`);
  await one.page.getByRole("row").filter({ hasText: "history" }).getByRole("link", { name: "Edit" }).click();
  one.hand = await Hand.at(one.page);
  await one.hand.oneToOne();
  await until("the own answer is shown", async () => (await one.hand.raster()).pixels.equals(one.expected.pixels));
  await stroke(one, 3, [[60, 120], [140, 120]]);
  await one.hand.kept();
  await one.page.getByText("Kept on this computer until you submit").waitFor();
  // The correction itself survives a reload before it is sent.
  await one.page.reload();
  one.hand = await Hand.at(one.page);
  await one.hand.holds(one.expected, "the correction after a reload");
  await one.page.getByRole("button", { name: "Save correction" }).click();
  await one.page.getByRole("heading", { name: "History" }).waitFor();
  const answer = await ann.get(`assignments/${one.assignment.id}/answer`);
  const picture = readPng(Buffer.from(answer["crowd-semantic-segmentation"].labeledImage.pngImageData, "base64"));
  assert.equal(picture.width, WIDTH);

  const other = await start(t, ben, "history");
  await stroke(other, 1, [[40, 40], [100, 60]]);
  await submit(other.page);
  await service.mask("history", 0);
  const [first] = (await service.answers("history", 0, 2)).filter((found) => found.workerId !== other.session.account.id);
  const stored = readPng(Buffer.from(first.answerContent["crowd-semantic-segmentation"].labeledImage.pngImageData, "base64"));
  assert.ok(stored.pixels.equals(picture.pixels), "the corrected answer is what counts");
  // From now on it is only looked at.
  await one.page.reload();
  await one.page.getByRole("row").filter({ hasText: "history" }).first().waitFor();
  assert.equal(await one.page.getByRole("row").filter({ hasText: "history" }).getByRole("link", { name: "Edit" }).count(), 0);
  await one.page.goto(`${service.url}/_/task/${one.assignment.id}`);
  await one.page.getByText("This answer was used already and can no longer be changed.").waitFor();
  const looking = await Hand.at(one.page);
  await until("the own answer is shown", async () => (await looking.raster()).pixels.equals(one.expected.pixels));
  assert.deepEqual([...one.page.problems, ...other.page.problems], []);
});

test("a lease that ends is told before, and what was painted comes back with the next one", { skip }, async () => {
  await lease;
});
