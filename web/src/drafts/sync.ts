// One draft in one tab: every payload goes to this browser's store at once and to the server within a second. Answers may be lost,
// requests may arrive twice or late, tabs may die, another tab or machine may paint on: what was kept is in the draft exactly once,
// in an order that every tab sees alike.
import { ApiError } from "../api/client";
import { kMostPartText, readPart, readSnapshot, writePart, writeSnapshot, type Marks } from "./envelope";
import { TakenOver, type DraftKey, type DraftStore } from "./store";

export interface OpenedDraft {
  base_sequence: number;
  snapshot: string;
  deltas: { sequence: number; data: string }[];
  next_sequence: number;
}

/** The draft's calls of the server for one assignment; they fail with ApiError. */
export interface DraftServer {
  open(tab: string): Promise<OpenedDraft>;
  /** Gives the next sequence expected. */
  save(tab: string, deltas: { sequence: number; data: string }[]): Promise<number>;
  putSnapshot(tab: string, baseSequence: number, data: string): Promise<void>;
  /** Who owns the draft, and the assignment's state. */
  look(): Promise<{ owner: string; state: string }>;
}

export interface DraftStatus {
  /** takenOver, leaseOver: nothing more may be painted here. */
  mode: "editing" | "takenOver" | "leaseOver";
  /** Payloads kept in this browser that the server does not have yet. */
  unsent: number;
  /** Payloads that are neither on the server nor in this browser's store: leaving the page would lose them. */
  unkept: number;
  /** Why sending waits. */
  waiting: "nothing" | "offline" | "signedOut" | "full";
}

export interface DraftSyncOptions {
  key: DraftKey;
  /** Null: a draft of this browser only (a correction). */
  server: DraftServer | null;
  /** Null: this browser keeps nothing (private windows of some browsers). */
  store: DraftStore | null;
  onStatus: (status: DraftStatus) => void;
  /** Asks for a snapshot, to be given to `offerSnapshot`. */
  onWantSnapshot: () => void;
  after?: (ms: number, call: () => void) => () => void;
  now?: () => number;
  random?: () => number;
}

interface Entry {
  log: string;
  number: number;
  more: boolean;
  text: string;
  stored: boolean;
  sequence: number; // 0: not on the server yet
}

// One thing the canvas was given or gave: the snapshot, or a payload. `last` is null for a snapshot.
interface Item {
  marks: Marks;
  last: Entry | null;
}

const kBatchMs = 250;
const kMostBatchCharacters = 6 << 20;
const kMostBatchParts = 1000;
const kSnapshotAfterCharacters = 2 << 20;
const kSnapshotAfterParts = 400;
const kLongestWaitMs = 30_000;

function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function later(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}

export class DraftSync {
  private readonly name = randomName();
  private opened = 0; // a new name of the tab for each time it takes the draft: requests of before are refused
  private tab = "";
  private log = "";
  private logNext = 1; // only where nothing is stored
  private mode: DraftStatus["mode"] = "editing";
  private waiting: DraftStatus["waiting"] = "nothing";
  private items: Item[] = [];
  private entries: Entry[] = []; // since the snapshot, in the draft's order
  private firstUnsent = 0; // in `entries`
  private arrived = 0; // the last part of `log` that the server had when the draft was opened
  private nextSequence = 1;
  private base: { sequence: number; marks: Marks; data: string } = { sequence: 0, marks: {}, data: "" };
  private restoreBase = false; // the server lost the snapshot that this browser still has
  private inHand = 0; // payloads on their way into the store
  private refused: string[] = []; // of a tab that was taken over before it knew
  private writing: Promise<void> = Promise.resolve();
  private pumping = false;
  private cancelTimer: (() => void) | null = null;
  private failures = 0;
  private offered: { data: string; items: number } | null = null;
  private wanted = false;
  private closed = false;
  private storeFailed = false;
  private readonly after: (ms: number, call: () => void) => () => void;
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(private readonly options: DraftSyncOptions) {
    this.after = options.after ?? later;
    this.now = options.now ?? Date.now;
    this.random = options.random ?? Math.random;
  }

  get status(): DraftStatus {
    return { mode: this.mode, unsent: this.unsentPayloads(), unkept: this.unkeptPayloads(), waiting: this.waiting };
  }

  /**
   * Takes the draft over and gives all that is in it, in order; a snapshot, if there is one, first. Also after `takenOver`: the
   * canvas must then be made anew from what this gives. Fails with ApiError; nothing is lost then, and it may be called again.
   */
  async open(): Promise<string[]> {
    const tab = `${this.name}-${++this.opened}`;
    const server = this.options.server ? await this.options.server.open(tab) : null;
    await this.writing;
    let stored: Entry[] = [];
    let localSnapshot = "";
    if (this.store) {
      const { head, parts } = await this.store.take(this.options.key, tab, this.now());
      this.log = head.log;
      localSnapshot = head.snapshot;
      stored = parts.map((part) => ({ ...part, log: head.log, stored: true, sequence: 0 }));
    } else {
      if (this.log === "") this.log = randomName();
      stored = this.entries;
    }
    // What only this tab's memory holds, e.g. after the browser's disk was full.
    const unstored = this.store ? this.entries.filter((entry) => !entry.stored && entry.sequence === 0) : [];
    const payloads = this.adopt(server, [...stored, ...unstored], localSnapshot);
    // Sent by a tab that did not live to hear so.
    if (this.store && this.arrived > 0) await this.store.acknowledge(this.options.key, this.log, this.arrived).catch(() => undefined);
    this.tab = tab;
    this.mode = "editing";
    this.waiting = "nothing";
    this.failures = 0;
    const refused = this.refused;
    this.refused = [];
    const added = Promise.all(refused.map((payload) => this.add(payload)));
    this.tell();
    await added;
    this.schedule(0);
    return [...payloads, ...refused];
  }

  /** Keeps one payload (ASCII) of the canvas; on disk, if the browser has one for us, when it resolves. Never fails. */
  add(payload: string): Promise<void> {
    ++this.inHand;
    this.tell();
    const texts: string[] = [];
    for (let at = 0; at < payload.length || at === 0; at += kMostPartText) texts.push(payload.slice(at, at + kMostPartText));
    const write = this.writing.then(() => this.keep(payload, texts));
    this.writing = write;
    return write;
  }

  /** A snapshot that stands for the first `items` things of this draft (those `open` gave count). */
  offerSnapshot(data: string, items: number): void {
    if (items < 1 || items > this.items.length || this.mode !== "editing") return;
    this.offered = { data, items };
    this.schedule(0);
  }

  /** Tries at once: the network is back, or someone signed in again. */
  resume(): void {
    if (this.waiting !== "full") this.waiting = "nothing";
    this.failures = 0;
    this.tell();
    this.schedule(0);
  }

  /** The lease is over, as the page learnt. */
  endLease(): void {
    this.settle("leaseOver");
  }

  /** Another tab says that it took the draft. */
  yieldTo(): void {
    this.settle("takenOver");
  }

  /** Forgets the draft here: it was submitted, or declined. */
  async discard(): Promise<void> {
    this.close();
    await this.writing;
    await this.store?.remove(this.options.key);
  }

  /** Ends; what is stored stays. */
  close(): void {
    this.closed = true;
    this.cancelTimer?.();
  }

  private get store(): DraftStore | null {
    return this.storeFailed ? null : this.options.store;
  }

  // Lines up what the server has and what only this browser has. Gives the payloads in order.
  private adopt(server: OpenedDraft | null, local: Entry[], localSnapshot: string): string[] {
    const onServer = server ? this.serverState(server) : null;
    this.base = { sequence: 0, marks: {}, data: "" };
    this.restoreBase = false;
    const localBase = localSnapshot === "" ? undefined : readSnapshot(localSnapshot);
    if (onServer && (onServer.base.data !== "" || onServer.entries.length > 0)) {
      this.base = onServer.base;
    } else if (localBase) {
      this.base = { sequence: 0, marks: localBase.marks, data: localSnapshot };
      this.restoreBase = server !== null;
    }
    const high: Marks = { ...this.base.marks };
    const entries = onServer?.entries ?? [];
    for (const entry of entries) high[entry.log] = Math.max(high[entry.log] ?? 0, entry.number);
    this.arrived = onServer ? Math.max(onServer.base.marks[this.log] ?? 0, ...entries.map((entry) => (entry.log === this.log ? entry.number : 0))) : 0;
    this.firstUnsent = entries.length;
    this.entries = [...entries, ...local.filter((entry) => entry.number > (high[entry.log] ?? 0)).map((entry) => ({ ...entry, sequence: 0 }))];
    this.nextSequence = server?.next_sequence ?? 1;
    this.logNext = Math.max(this.logNext, ...this.entries.filter((entry) => entry.log === this.log).map((entry) => entry.number + 1));
    this.items = [];
    this.offered = null;
    this.wanted = false;

    const payloads: string[] = [];
    if (this.base.data !== "") {
      this.items.push({ marks: this.base.marks, last: null });
      payloads.push(readSnapshot(this.base.data)?.payload ?? this.base.data);
    }
    const open = new Map<string, string[]>();
    for (const entry of this.entries) {
      const texts = [...(open.get(entry.log) ?? []), entry.text];
      if (entry.more) {
        open.set(entry.log, texts);
        continue;
      }
      open.delete(entry.log);
      this.items.push({ marks: { [entry.log]: entry.number }, last: entry });
      payloads.push(texts.join(""));
    }
    return payloads;
  }

  private serverState(server: OpenedDraft): { base: { sequence: number; marks: Marks; data: string }; entries: Entry[] } {
    const marks = server.snapshot === "" ? {} : (readSnapshot(server.snapshot)?.marks ?? {});
    const entries = server.deltas.map(({ sequence, data }): Entry => {
      // A delta that another program wrote stands for itself.
      const part = readPart(data) ?? { log: `foreign${sequence}`, number: 1, more: false, text: data };
      return { ...part, stored: true, sequence };
    });
    return { base: { sequence: server.base_sequence, marks, data: server.snapshot }, entries };
  }

  private async keep(payload: string, texts: string[]): Promise<void> {
    let parts: { number: number; more: boolean; text: string }[] | null = null;
    if (this.store) {
      try {
        parts = await this.store.append(this.options.key, this.tab, texts, this.now());
      } catch (error) {
        if (error instanceof TakenOver) {
          --this.inHand;
          this.refused.push(payload);
          this.settle("takenOver");
          return;
        }
        // The browser's disk is full or its database is broken: from now on a log of its own in memory.
        this.storeFailed = true;
        this.log = randomName();
        this.logNext = 1;
      }
    }
    const stored = parts !== null;
    if (!parts) {
      parts = texts.map((text, index) => ({ number: this.logNext + index, more: index + 1 < texts.length, text }));
      this.logNext += texts.length;
    }
    --this.inHand;
    for (const part of parts) this.entries.push({ ...part, log: this.log, stored, sequence: 0 });
    const last = this.entries[this.entries.length - 1]!;
    this.items.push({ marks: { [this.log]: last.number }, last });
    this.tell();
    this.schedule(kBatchMs);
  }

  private schedule(ms: number): void {
    if (this.closed || this.pumping || !this.options.server) return;
    if (this.cancelTimer && ms > 0) return; // one is on its way
    this.cancelTimer?.();
    this.cancelTimer = this.after(ms, () => {
      this.cancelTimer = null;
      void this.pump();
    });
  }

  // Sends what is unsent, then the snapshot offered. One at a time.
  private async pump(): Promise<void> {
    const server = this.options.server;
    if (this.pumping || !server) return;
    this.pumping = true;
    let again = -1;
    try {
      while (!this.closed && this.mode === "editing") {
        if (this.restoreBase) {
          await server.putSnapshot(this.tab, this.base.sequence, this.base.data);
          this.restoreBase = false;
        } else if (this.firstUnsent < this.entries.length) {
          await this.sendBatch(server);
        } else if (this.offered) {
          if (!(await this.sendSnapshot(server))) break;
        } else {
          break;
        }
        this.failures = 0;
        this.waiting = "nothing";
        this.tell();
      }
    } catch (error) {
      again = await this.settleFailure(error, server);
    } finally {
      this.pumping = false;
    }
    if (again >= 0) this.schedule(again);
    this.tell();
  }

  private async sendBatch(server: DraftServer): Promise<void> {
    const tab = this.tab;
    const batch: Entry[] = [];
    let characters = 0;
    for (let at = this.firstUnsent; at < this.entries.length && batch.length < kMostBatchParts; ++at) {
      const entry = this.entries[at]!;
      characters += entry.text.length + 100;
      if (batch.length > 0 && characters > kMostBatchCharacters) break;
      batch.push(entry);
    }
    const first = this.nextSequence;
    const next = await server.save(
      tab,
      batch.map((entry, index) => ({ sequence: first + index, data: writePart(entry) })),
    );
    if (tab !== this.tab || this.entries[this.firstUnsent] !== batch[0]) return; // opened anew meanwhile
    if (next < first + batch.length) throw new ApiError(500, "Internal", "The server acknowledged less than it was sent.");
    batch.forEach((entry, index) => {
      entry.sequence = first + index;
    });
    this.firstUnsent += batch.length;
    this.nextSequence = first + batch.length;
    const own = batch.filter((entry) => entry.stored && entry.log === this.log).at(-1);
    if (own) await this.store?.acknowledge(this.options.key, own.log, own.number).catch(() => undefined);
    this.considerSnapshot();
  }

  private considerSnapshot(): void {
    if (this.wanted) return;
    let characters = 0;
    for (let at = 0; at < this.firstUnsent; ++at) characters += this.entries[at]!.text.length;
    if (characters < kSnapshotAfterCharacters && this.firstUnsent < kSnapshotAfterParts) return;
    this.wanted = true;
    this.options.onWantSnapshot();
  }

  // False: it waits for deltas that come first.
  private async sendSnapshot(server: DraftServer): Promise<boolean> {
    const tab = this.tab;
    const { data, items } = this.offered!;
    const last = this.items[items - 1]!.last;
    const sequence = last ? last.sequence : this.base.sequence;
    if (last && last.sequence === 0) return false;
    const marks: Marks = {};
    for (const item of this.items.slice(0, items))
      for (const [log, number] of Object.entries(item.marks)) marks[log] = Math.max(marks[log] ?? 0, number);
    this.offered = null;
    const text = writeSnapshot(marks, data);
    await server.putSnapshot(tab, sequence, text);
    if (tab !== this.tab) return true;
    this.wanted = false;
    this.base = { sequence, marks, data: text };
    const covered = this.entries.findIndex((entry) => entry.sequence === 0 || entry.sequence > sequence);
    const count = covered < 0 ? this.entries.length : covered;
    for (const entry of this.entries.splice(0, count)) entry.text = "";
    this.firstUnsent -= count;
    await this.store?.keepSnapshot(this.options.key, this.log, marks[this.log] ?? 0, text).catch(() => undefined);
    return true;
  }

  // How long to wait before trying again; negative: not at all.
  private async settleFailure(error: unknown, server: DraftServer): Promise<number> {
    if (this.closed || this.mode !== "editing") return -1;
    const status = error instanceof ApiError ? error.status : 500;
    const told = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    if (status === 401) {
      this.waiting = "signedOut";
      return -1;
    }
    if (status === 404) {
      this.settle("leaseOver");
      return -1;
    }
    if (status === 409) {
      try {
        return await this.settleConflict(server);
      } catch (other) {
        if (other instanceof ApiError && other.status === 409) {
          this.settle("leaseOver");
          return -1;
        }
        return await this.settleFailure(other instanceof ApiError && other.status !== 409 ? other : new ApiError(500, "Internal", ""), server);
      }
    }
    this.waiting = status === 413 || status === 507 ? "full" : "offline";
    if (this.waiting === "full" && !this.wanted && this.firstUnsent > 0) {
      this.wanted = true;
      this.options.onWantSnapshot();
    }
    const wait = Math.min(kLongestWaitMs, 500 * 2 ** Math.min(this.failures++, 8));
    return Math.max(told, wait * (0.5 + this.random() / 2));
  }

  // Another tab, the end of the lease, or a server that has other deltas than we thought.
  private async settleConflict(server: DraftServer): Promise<number> {
    const tab = this.tab;
    const { owner, state } = await server.look();
    if (tab !== this.tab) return 0;
    if (state !== "leased") {
      this.settle("leaseOver");
      return -1;
    }
    if (!owner.startsWith(`${this.name}-`)) {
      this.settle("takenOver");
      return -1;
    }
    const renamed = `${this.name}-${++this.opened}`;
    const found = await server.open(renamed);
    if (tab !== this.tab) return 0;
    const state2 = this.serverState(found);
    const known = new Set(this.entries.map((entry) => `${entry.log} ${entry.number}`));
    const baseKnown = Object.entries(state2.base.marks).every(([log, number]) => this.knows(log, number));
    if (!baseKnown || state2.entries.some((entry) => !known.has(`${entry.log} ${entry.number}`) && !this.knows(entry.log, entry.number))) {
      // Someone painted on: this canvas does not show it.
      this.settle("takenOver");
      return -1;
    }
    let alone = true;
    this.writing = this.writing.then(async () => {
      if (tab !== this.tab) return;
      if (this.store) {
        const { head, parts } = await this.store.take(this.options.key, renamed, this.now());
        alone = head.log === this.log && parts.every((part) => this.knows(head.log, part.number) || known.has(`${head.log} ${part.number}`));
      }
      this.tab = renamed;
    });
    await this.writing;
    if (!alone) {
      this.settle("takenOver");
      return -1;
    }
    const high: Marks = { ...state2.base.marks };
    const sequences = new Map<string, number>();
    for (const entry of state2.entries) {
      high[entry.log] = Math.max(high[entry.log] ?? 0, entry.number);
      sequences.set(`${entry.log} ${entry.number}`, entry.sequence);
    }
    const covered = (entry: Entry): boolean => entry.number <= (high[entry.log] ?? 0);
    const lostBase = this.base.data !== "" && Object.entries(this.base.marks).some(([log, number]) => (high[log] ?? 0) < number);
    for (const entry of this.entries) {
      entry.sequence = covered(entry) ? (sequences.get(`${entry.log} ${entry.number}`) ?? found.base_sequence) : 0;
    }
    // What the server has stands before what it has not.
    this.entries = [...this.entries.filter((entry) => entry.sequence > 0), ...this.entries.filter((entry) => entry.sequence === 0)];
    this.firstUnsent = this.entries.filter((entry) => entry.sequence > 0).length;
    this.nextSequence = found.next_sequence;
    this.base.sequence = found.base_sequence;
    this.restoreBase = lostBase;
    this.offered = null;
    this.wanted = false;
    return 0;
  }

  private knows(log: string, number: number): boolean {
    return this.items.some((item) => (item.marks[log] ?? 0) >= number);
  }

  private settle(mode: DraftStatus["mode"]): void {
    if (this.mode === "editing") this.mode = mode;
    this.tell();
  }

  private unsentPayloads(): number {
    let count = 0;
    for (let at = this.firstUnsent; at < this.entries.length; ++at) if (!this.entries[at]!.more) ++count;
    return count;
  }

  private unkeptPayloads(): number {
    let count = this.inHand + this.refused.length;
    for (let at = this.firstUnsent; at < this.entries.length; ++at) if (!this.entries[at]!.more && !this.entries[at]!.stored) ++count;
    return count;
  }

  private tell(): void {
    if (!this.closed) this.options.onStatus(this.status);
  }
}
