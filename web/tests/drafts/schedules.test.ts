// Random schedules of painting, lost requests, crashes, second tabs, second machines, lost leases and snapshots.
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { expect, it } from "vitest";
import { DraftStore } from "../../src/drafts/store";
import { DraftSync } from "../../src/drafts/sync";
import { FakeServer, FakeTimers, randomNumbers, turns } from "./fakeServer";

Object.assign(globalThis, { IDBKeyRange });
const key = { account: "ann", job: "job", object: 3, correction: false };

interface Tab {
  sync: DraftSync;
  timers: FakeTimers;
  machine: number;
  /** What the canvas shows, in order. */
  shown: string[];
  opened: boolean;
  wantsSnapshot: boolean;
  crashed: { now: boolean };
}

class World {
  readonly server = new FakeServer();
  readonly machines = [new IDBFactory(), new IDBFactory()];
  readonly stores: (DraftStore | undefined)[] = [];
  tabs: Tab[] = [];
  painted = 0;
  /** Payloads that the canvas was told are kept. */
  readonly kept: string[] = [];

  constructor(readonly random: () => number) {}

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  async newTab(machine: number): Promise<void> {
    const store = (this.stores[machine] ??= await DraftStore.open(this.machines[machine]!));
    const crashed = { now: false };
    const timers = new FakeTimers();
    const hang = <T>(promise: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        // A dead tab hears nothing any more.
        promise.then((value) => crashed.now || resolve(value), (error) => crashed.now || reject(error));
      });
    const line = this.server.connect();
    const guarded = <A extends unknown[], T>(call: (...given: A) => Promise<T>) => (...given: A): Promise<T> =>
      crashed.now ? new Promise<T>(() => undefined) : hang(call(...given));
    const tab: Tab = {
      machine,
      timers,
      shown: [],
      opened: false,
      wantsSnapshot: false,
      crashed,
      sync: new DraftSync({
        key,
        server: { open: guarded(line.open), save: guarded(line.save), putSnapshot: guarded(line.putSnapshot), look: guarded(line.look) },
        store: new Proxy(store, {
          get: (target, name) => {
            const member = Reflect.get(target, name) as unknown;
            return typeof member === "function" ? guarded(member.bind(target) as (...given: never[]) => Promise<unknown>) : member;
          },
        }),
        onStatus: () => undefined,
        onWantSnapshot: () => (tab.wantsSnapshot = true),
        after: timers.after,
        now: () => 0,
        random: this.random,
      }),
    };
    this.tabs.push(tab);
    this.open(tab);
  }

  open(tab: Tab): void {
    tab.opened = false;
    tab.sync.open().then(
      (payloads) => {
        tab.shown = payloads.flatMap((payload) => (payload.startsWith("S") ? (JSON.parse(payload.slice(1)) as string[]) : [payload]));
        tab.opened = true;
      },
      () => undefined,
    );
  }

  paint(tab: Tab): void {
    const payload = `stroke ${++this.painted}`;
    tab.shown.push(payload);
    tab.sync.add(payload).then(() => {
      // What a tab could not keep, because it was taken over, is counted as unkept and shown as such.
      if (!tab.crashed.now && tab.sync.status.unkept === 0) this.kept.push(payload);
    });
  }

  async step(): Promise<void> {
    const alive = this.tabs.filter((tab) => !tab.crashed.now);
    const tab = alive.length > 0 ? this.pick(alive) : undefined;
    const dice = this.random();
    if (dice < 0.4 && tab?.opened && tab.sync.status.mode === "editing") this.paint(tab);
    else if (dice < 0.62 && tab) tab.timers.run();
    else if (dice < 0.68 && tab) {
      tab.crashed.now = true;
    } else if (dice < 0.76 && alive.length < 4) await this.newTab(this.pick([0, 0, 1]));
    else if (dice < 0.82 && tab && (!tab.opened || tab.sync.status.mode !== "editing")) this.open(tab);
    else if (dice < 0.86) this.server.late.splice(Math.floor(this.random() * this.server.late.length), 1)[0]?.();
    else if (dice < 0.88) this.server.leased = !this.server.leased;
    else if (dice < 0.91 && tab?.opened) tab.sync.resume();
    else if (dice < 0.95 && tab?.opened && tab.sync.status.mode === "editing" && tab.sync.status.unkept === 0) this.snapshot(tab);
    await turns(Math.floor(this.random() * 5));
  }

  snapshot(tab: Tab): void {
    // The canvas stands for all it shows; it was given `shown.length` things unless a snapshot held several.
    const items = (tab.sync as unknown as { items: unknown[] }).items.length;
    tab.sync.offerSnapshot(`S${JSON.stringify(tab.shown)}`, items);
  }

  /** Until nothing is under way and nothing unsent. */
  async settle(tab: Tab): Promise<void> {
    for (let round = 0; round < 200; ++round) {
      await turns(6);
      if (tab.opened && tab.sync.status.mode === "editing" && tab.sync.status.unsent === 0 && tab.timers.count === 0) return;
      if (!tab.opened || tab.sync.status.mode !== "editing") this.open(tab);
      await turns(12);
      tab.timers.run();
    }
    throw new Error(`does not settle: ${JSON.stringify(tab.sync.status)}`);
  }
}

async function run(seed: number): Promise<void> {
  const random = randomNumbers(seed);
  const world = new World(random);
  await world.newTab(0);
  await turns(20);
  world.server.fault = () => {
    const dice = random();
    return dice < 0.72 ? "none" : dice < 0.78 ? "lost" : dice < 0.85 ? "answerLost" : dice < 0.91 ? "late" : dice < 0.95 ? "error" : dice < 0.97 ? "signedOut" : "hangs";
  };
  for (let count = 0; count < 45; ++count) await world.step();
  // All heals: whatever was on its way arrives, the dead stay dead, each machine is opened once more.
  world.server.fault = () => "none";
  world.server.leased = true;
  for (const late of world.server.late.splice(0)) late();
  for (const tab of world.tabs) if (tab.opened) await turns(10);
  for (const tab of world.tabs) tab.crashed.now = true;
  await turns(40);
  for (const machine of [0, 1]) {
    await world.newTab(machine);
    const tab = world.tabs.at(-1)!;
    await world.settle(tab);
    expect(tab.shown, `seed ${seed}: what the canvas shows is what the server has`).toEqual(world.server.content());
  }
  const content = world.server.content();
  expect(new Set(content).size, `seed ${seed}: nothing twice`).toBe(content.length);
  for (const payload of world.kept) expect(content, `seed ${seed}: kept`).toContain(payload);
}

it("loses nothing that was kept and takes nothing twice, in 1,000 random schedules", async () => {
  for (let seed = 1; seed <= 1000; ++seed) await run(seed);
}, 600_000);
