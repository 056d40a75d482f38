// The server's drafts as docs/formats/worker-http.md describes them, with a network that loses, repeats and delays.
import { ApiError } from "../../src/api/client";
import { readPart, readSnapshot } from "../../src/drafts/envelope";
import type { DraftServer, OpenedDraft } from "../../src/drafts/sync";

export class FakeServer {
  owner = "";
  base = 0;
  snapshot = "";
  deltas: { sequence: number; data: string }[] = [];
  next = 1;
  leased = true;
  /** Requests that the network still holds: they arrive when called. */
  late: (() => void)[] = [];
  /** What happens to the next request; "late": the caller hears that it failed, and it arrives later. */
  fault: () => "none" | "lost" | "answerLost" | "late" | "error" | "signedOut" | "hangs" = () => "none";

  /** The draft's calls as one tab sees them. */
  connect(): DraftServer {
    return {
      open: (tab) => this.call(() => this.open(tab)),
      save: (tab, deltas) => this.call(() => this.save(tab, structuredClone(deltas))),
      putSnapshot: (tab, base, data) => this.call(() => this.putSnapshot(tab, base, data)),
      look: () => this.call(() => ({ owner: this.owner, state: this.leased ? "leased" : "expired" })),
    };
  }

  /** Every payload in the draft, in order; snapshots in these tests are lists of payloads. */
  content(): string[] {
    const list: string[] = this.snapshot === "" ? [] : (JSON.parse(readSnapshot(this.snapshot)!.payload.slice(1)) as string[]);
    const open = new Map<string, string>();
    for (const { data } of this.deltas) {
      const part = readPart(data)!;
      const text = (open.get(part.log) ?? "") + part.text;
      if (part.more) {
        open.set(part.log, text);
      } else {
        open.delete(part.log);
        list.push(text);
      }
    }
    return list;
  }

  private call<T>(perform: () => T): Promise<T> {
    const arrive = (): { value: T } | { error: unknown } => {
      try {
        return { value: structuredClone(perform()) };
      } catch (error) {
        return { error };
      }
    };
    const offline = (): Promise<never> => Promise.reject(new ApiError(0, "Offline", "The server cannot be reached."));
    switch (this.fault()) {
      case "lost":
        return offline();
      case "answerLost":
        arrive();
        return offline();
      case "late":
        this.late.push(() => void arrive());
        return offline();
      case "error":
        return Promise.reject(new ApiError(503, "Busy", "busy"));
      case "signedOut":
        return Promise.reject(new ApiError(401, "NotSignedIn", "no session"));
      case "hangs":
        arrive();
        return new Promise(() => undefined);
      case "none": {
        const answer = arrive();
        return "value" in answer ? Promise.resolve(answer.value) : Promise.reject(answer.error as Error);
      }
    }
  }

  private conflict(message: string): never {
    throw new ApiError(409, "Conflict", message);
  }

  private open(tab: string): OpenedDraft {
    if (!this.leased) this.conflict("the lease is over");
    this.owner = tab;
    return { base_sequence: this.base, snapshot: this.snapshot, deltas: this.deltas, next_sequence: this.next };
  }

  private save(tab: string, deltas: { sequence: number; data: string }[]): number {
    if (!this.leased) this.conflict("the lease is over");
    if (this.owner !== tab) this.conflict("another tab");
    let next = this.next;
    const added: typeof deltas = [];
    for (const delta of deltas) {
      if (delta.sequence < next) {
        if (delta.sequence <= this.base) continue;
        if (this.deltas.find((one) => one.sequence === delta.sequence)?.data !== delta.data) this.conflict("other data");
        continue;
      }
      if (delta.sequence !== next) this.conflict("a gap");
      added.push(delta);
      ++next;
    }
    this.deltas.push(...added);
    this.next = next;
    return next;
  }

  private putSnapshot(tab: string, base: number, data: string): void {
    if (!this.leased) this.conflict("the lease is over");
    if (this.owner !== tab) this.conflict("another tab");
    if (base < this.base || base >= this.next) this.conflict("does not fit");
    this.base = base;
    this.snapshot = data;
    this.deltas = this.deltas.filter((delta) => delta.sequence > base);
  }
}

/** Timers that run when told. */
export class FakeTimers {
  private waiting: { call: () => void; ms: number }[] = [];
  readonly after = (ms: number, call: () => void): (() => void) => {
    const entry = { call, ms };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((one) => one !== entry);
    };
  };
  get count(): number {
    return this.waiting.length;
  }
  get longest(): number {
    return Math.max(0, ...this.waiting.map((one) => one.ms));
  }
  run(): void {
    const due = this.waiting;
    this.waiting = [];
    for (const { call } of due) call();
  }
}

declare const setImmediate: (call: () => void) => void;

/** Lets what is under way in memory (fake IndexedDB, promises) go on for `turns` turns. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; ++turn) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Numbers that look random and are the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
