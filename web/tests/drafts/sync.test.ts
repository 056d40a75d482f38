import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { beforeEach, describe, expect, it } from "vitest";
import { kMostPartText, readPart, readSnapshot, writePart, writeSnapshot } from "../../src/drafts/envelope";
import { DraftStore, type DraftKey } from "../../src/drafts/store";
import { DraftSync, type DraftStatus, type DraftSyncOptions } from "../../src/drafts/sync";
import { FakeServer, FakeTimers, turns } from "./fakeServer";

Object.assign(globalThis, { IDBKeyRange });
const key: DraftKey = { account: "ann", job: "job", object: 0, correction: false };
let factory: IDBFactory;
let server: FakeServer;
let timers: FakeTimers;
let statuses: DraftStatus[];

beforeEach(() => {
  factory = new IDBFactory();
  server = new FakeServer();
  timers = new FakeTimers();
  statuses = [];
});

async function tab(options: Partial<DraftSyncOptions> = {}): Promise<DraftSync> {
  return new DraftSync({
    key,
    server: server.connect(),
    store: "store" in options ? options.store! : await DraftStore.open(factory),
    onStatus: (status) => statuses.push(status),
    onWantSnapshot: () => undefined,
    after: timers.after,
    random: () => 0.5,
    ...options,
  });
}
async function run(): Promise<void> {
  for (let round = 0; round < 6; ++round) {
    timers.run();
    await turns(10);
  }
}

describe("the text of a draft", () => {
  it("is read as it was written", () => {
    for (const part of [{ log: "0af", number: 12, more: false, text: "a b" }, { log: "z", number: 1, more: true, text: "" }]) expect(readPart(writePart(part))).toEqual(part);
    expect(readSnapshot(writeSnapshot({ a: 1, b2: 30 }, "S x y"))).toEqual({ marks: { a: 1, b2: 30 }, payload: "S x y" });
    expect(readSnapshot(writeSnapshot({}, "S"))).toEqual({ marks: {}, payload: "S" });
    for (const text of ["", "1 a 0 x", "2 a 1 x", "1 A 1 x", "1 a 1", "stroke"]) expect(readPart(text)).toBeUndefined();
  });
});

describe("a draft in one tab", () => {
  it("is in the browser when add resolves, sent soon after in one batch, and given back by the next tab", async () => {
    const sync = await tab();
    expect(await sync.open()).toEqual([]);
    await Promise.all([sync.add("one"), sync.add("two")]);
    expect(sync.status).toMatchObject({ unsent: 2, unkept: 0 });
    expect(timers.longest).toBeLessThanOrEqual(1000);
    await run();
    expect(sync.status).toEqual({ mode: "editing", unsent: 0, unkept: 0, waiting: "nothing" });
    expect(server.content()).toEqual(["one", "two"]);
    expect(await (await tab()).open()).toEqual(["one", "two"]);
  });
  it("keeps what it cannot send, waits longer each time, and sends it after a reload", async () => {
    const sync = await tab();
    await sync.open();
    server.fault = () => "lost";
    await sync.add("one");
    const waits: number[] = [];
    for (let round = 0; round < 9; ++round) {
      timers.run();
      await turns(10);
      waits.push(timers.longest);
    }
    expect(sync.status).toMatchObject({ unsent: 1, unkept: 0, waiting: "offline" });
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBeLessThanOrEqual(30_000);
    sync.close();
    server.fault = () => "none";
    const after = await tab();
    expect(await after.open()).toEqual(["one"]);
    await run();
    expect(server.content()).toEqual(["one"]);
  });
  it("waits for a session, and goes on at once", async () => {
    const sync = await tab();
    await sync.open();
    server.fault = () => "signedOut";
    await sync.add("one");
    await run();
    expect(sync.status.waiting).toBe("signedOut");
    expect(timers.count).toBe(0);
    server.fault = () => "none";
    sync.resume();
    await run();
    expect(server.content()).toEqual(["one"]);
  });
  it("splits what is larger than the server takes", async () => {
    const large = "x".repeat(kMostPartText + 5);
    const sync = await tab();
    await sync.open();
    await sync.add(large);
    await run();
    expect(server.deltas).toHaveLength(2);
    expect(Math.max(...server.deltas.map(({ data }) => data.length))).toBeLessThanOrEqual(4 << 20);
    expect(await (await tab({ store: null })).open()).toEqual([large]);
  });
  it("works without a store, and says that it is not kept until the server has it", async () => {
    const sync = await tab({ store: null });
    await sync.open();
    await sync.add("one");
    expect(sync.status.unkept).toBe(1);
    await run();
    expect(sync.status).toMatchObject({ unkept: 0, unsent: 0 });
    expect(server.content()).toEqual(["one"]);
  });
  it("keeps a correction in this browser only", async () => {
    const sync = await tab({ server: null, key: { ...key, correction: true } });
    await sync.open();
    await sync.add("one");
    await run();
    expect(server.next).toBe(1);
    expect(await (await tab({ server: null, key: { ...key, correction: true } })).open()).toEqual(["one"]);
    expect(await (await tab()).open()).toEqual([]);
  });
});

describe("two tabs", () => {
  it("the newer one owns the draft; the other turns read-only, and takes over with what it could not keep", async () => {
    const first = await tab();
    await first.open();
    await first.add("one");
    await run();
    const second = await tab();
    expect(await second.open()).toEqual(["one"]);
    await first.add("late");
    expect(first.status).toMatchObject({ mode: "takenOver", unkept: 1 });
    await second.add("two");
    await run();
    expect(await first.open()).toEqual(["one", "two", "late"]);
    await run();
    expect(server.content()).toEqual(["one", "two", "late"]);
    expect(first.status).toMatchObject({ mode: "editing", unkept: 0, unsent: 0 });
    await second.add("three");
    expect(second.status.mode).toBe("takenOver");
  });
  it("on two computers: the one that comes back later learns of it and adds its own on top", async () => {
    const here = await tab();
    await here.open();
    server.fault = () => "lost";
    await here.add("here");
    await run();
    server.fault = () => "none";
    const there = await tab({ store: await DraftStore.open(new IDBFactory()) });
    await there.open();
    await there.add("there");
    await run();
    expect(here.status.mode).toBe("takenOver");
    expect(await here.open()).toEqual(["there", "here"]);
    await run();
    expect(server.content()).toEqual(["there", "here"]);
  });
});

describe("the lease", () => {
  it("may end: what is unsent waits for the next lease on the same object", async () => {
    const sync = await tab();
    await sync.open();
    server.leased = false;
    await sync.add("one");
    await run();
    expect(sync.status).toMatchObject({ mode: "leaseOver", unsent: 1, unkept: 0 });
    server.leased = true;
    const next = await tab();
    expect(await next.open()).toEqual(["one"]);
    await run();
    expect(server.content()).toEqual(["one"]);
  });
});

describe("snapshots", () => {
  it("are asked for when much was painted, and stand for the parts they cover", async () => {
    let wanted = 0;
    const sync = await tab({ onWantSnapshot: () => ++wanted });
    await sync.open();
    for (let stroke = 0; stroke < 450; ++stroke) void sync.add(`s${stroke}`);
    await sync.add("last");
    await run();
    expect(wanted).toBe(1);
    sync.offerSnapshot(`S${JSON.stringify(["all of 450"])}`, 450);
    await run();
    expect(server.base).toBe(450);
    expect(server.content()).toEqual(["all of 450", "last"]);
    expect(await (await tab()).open()).toEqual([`S${JSON.stringify(["all of 450"])}`, "last"]);
  });
  it("and parts are sent again to a server that lost the draft", async () => {
    const sync = await tab();
    await sync.open();
    await sync.add("one");
    await run();
    sync.offerSnapshot('S["one"]', 1);
    await run();
    await sync.add("two");
    await run();
    server = new FakeServer();
    const after = await tab();
    expect(await after.open()).toEqual(['S["one"]', "two"]);
    await run();
    expect(server.content()).toEqual(["one", "two"]);
  });
  it("a gap is closed without a reload", async () => {
    const sync = await tab();
    await sync.open();
    await sync.add("one");
    await sync.add("two");
    await run();
    server.deltas.pop(); // as after a backup was put back
    server.next = 2;
    await sync.add("three");
    await run();
    expect(server.content()).toEqual(["one", "two", "three"]);
    expect(sync.status).toMatchObject({ mode: "editing", unsent: 0 });
  });
});

describe("a shared computer", () => {
  it("never shows an account another's draft, and keeps at sign-out only what the server has not", async () => {
    const store = await DraftStore.open(factory);
    const ann = await tab({ store });
    await ann.open();
    await ann.add("ann's");
    const bob = await tab({ store, key: { ...key, account: "bob" }, server: new FakeServer().connect() });
    expect(await bob.open()).toEqual([]);
    expect(await store.unsent("ann")).toEqual([key]);
    expect(await store.wipe("ann")).toBe(1);
    expect(await (await tab({ store, server: null })).open()).toEqual(["ann's"]);
    const again = await tab({ store });
    await again.open();
    await run();
    expect(await store.unsent("ann")).toEqual([]);
    expect(await store.wipe("ann")).toBe(0);
    expect(await (await tab({ store, server: null })).open()).toEqual([]);
    await again.discard();
  });
  it("keeps nothing at sign-out that a tab sent which did not live to hear so", async () => {
    const store = await DraftStore.open(factory);
    server.fault = () => "none";
    const first = await tab({ store });
    await first.open();
    server.fault = () => "answerLost";
    await first.add("one");
    await run();
    first.close();
    server.fault = () => "none";
    expect(server.content()).toEqual(["one"]);
    expect(await store.unsent("ann")).toEqual([key]);
    const second = await tab({ store });
    expect(await second.open()).toEqual(["one"]);
    expect(await store.unsent("ann")).toEqual([]);
    second.close();
    expect(await store.wipe("ann")).toBe(0);
  });
});
