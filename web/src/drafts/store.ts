// What this browser keeps of drafts (IndexedDB): every payload at once, also without a network. Keyed by account, job and object:
// an account never reads another's, and the draft of a lost lease is found again by the next one on the same object.

export interface DraftKey {
  account: string;
  job: string;
  object: number;
  /** A correction of a submitted answer is a draft of its own. */
  correction: boolean;
}

/** One draft as this browser knows it. */
export interface DraftHead {
  log: string;
  next: number; // number of the next part
  owner: string; // tab
  /** Parts up to here are on the server. */
  acknowledged: number;
  snapshot: string; // the newest one that the server took, as it stands there; "" = none
  changed: number; // ms since 1970
}

export interface StoredPart {
  number: number;
  more: boolean;
  text: string;
}

/** Another tab of this browser took the draft over. */
export class TakenOver extends Error {
  constructor() {
    super("the draft is open in another tab");
    this.name = "TakenOver";
  }
}

const kHeads = "heads";
const kParts = "parts";

function keyText(key: DraftKey): string {
  return JSON.stringify([key.account, key.job, key.object, key.correction]);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up"));
    transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB failed"));
  });
}

function randomLog(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class DraftStore {
  private constructor(private readonly database: IDBDatabase) {}

  static open(factory: IDBFactory = indexedDB, name = "terrapin-drafts"): Promise<DraftStore> {
    return new Promise((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(kHeads);
        request.result.createObjectStore(kParts);
      };
      request.onsuccess = () => {
        // A newer page may change the format: let it.
        request.result.onversionchange = () => request.result.close();
        resolve(new DraftStore(request.result));
      };
      request.onerror = () => reject(request.error ?? new Error("IndexedDB cannot be opened"));
      request.onblocked = () => reject(new Error("IndexedDB is held by another tab with an older page"));
    });
  }

  close(): void {
    this.database.close();
  }

  /** `tab` owns the draft from now on; gives what is kept of it, parts in order. */
  async take(key: DraftKey, tab: string, now: number): Promise<{ head: DraftHead; parts: StoredPart[] }> {
    const { heads, parts, finished } = this.write();
    const name = keyText(key);
    const found = await result<DraftHead | undefined>(heads.get(name));
    const head: DraftHead = found ?? { log: randomLog(), next: 1, owner: tab, acknowledged: 0, snapshot: "", changed: now };
    head.owner = tab;
    heads.put(head, name);
    const list = await result<StoredPart[]>(parts.getAll(this.range(name)));
    await finished;
    return { head, parts: list };
  }

  /** Keeps `texts` as the next parts of one payload; they are on disk when it returns. TakenOver: nothing was kept. */
  async append(key: DraftKey, tab: string, texts: string[], now: number): Promise<StoredPart[]> {
    const { transaction, heads, parts, finished } = this.write();
    const name = keyText(key);
    const head = await result<DraftHead | undefined>(heads.get(name));
    if (head?.owner !== tab) {
      finished.catch(() => undefined);
      transaction.abort();
      throw new TakenOver();
    }
    const added = texts.map((text, index) => ({ number: head.next + index, more: index + 1 < texts.length, text }));
    for (const part of added) parts.put(part, [name, part.number]);
    head.next += texts.length;
    head.changed = now;
    heads.put(head, name);
    await finished;
    return added;
  }

  /** Remembers that the server has the parts up to `number` of `log`. */
  async acknowledge(key: DraftKey, log: string, number: number): Promise<void> {
    await this.change(key, log, (head) => {
      head.acknowledged = Math.max(head.acknowledged, number);
    });
  }

  /** Keeps a snapshot that the server took; the parts of `log` up to `number` are in it and go. */
  async keepSnapshot(key: DraftKey, log: string, number: number, snapshot: string): Promise<void> {
    await this.change(key, log, (head, parts, name) => {
      head.snapshot = snapshot;
      head.acknowledged = Math.max(head.acknowledged, number);
      parts.delete(IDBKeyRange.bound([name, 0], [name, number]));
    });
  }

  /** Forgets a draft, e.g. once it was submitted. */
  async remove(key: DraftKey): Promise<void> {
    const { heads, parts, finished } = this.write();
    const name = keyText(key);
    heads.delete(name);
    parts.delete(this.range(name));
    await finished;
  }

  /** The drafts of `account` with parts that the server does not have. */
  async unsent(account: string): Promise<DraftKey[]> {
    const { heads, finished } = this.write();
    const [names, values] = await Promise.all([result(heads.getAllKeys()), result<DraftHead[]>(heads.getAll())]);
    await finished;
    return names.flatMap((name, index) => {
      const [owner, job, object, correction] = JSON.parse(String(name)) as [string, string, number, boolean];
      const head = values[index]!;
      return owner === account && head.acknowledged + 1 < head.next ? [{ account: owner, job, object, correction }] : [];
    });
  }

  /** Signing out: forgets every draft of `account` that the server has whole. Returns how many it has not. */
  async wipe(account: string): Promise<number> {
    const { heads, parts, finished } = this.write();
    let kept = 0;
    const [names, values] = await Promise.all([result(heads.getAllKeys()), result<DraftHead[]>(heads.getAll())]);
    names.forEach((name, index) => {
      const head = values[index]!;
      if (JSON.parse(String(name))[0] !== account) return;
      if (head.acknowledged + 1 < head.next) {
        ++kept;
        return;
      }
      heads.delete(name);
      parts.delete(this.range(String(name)));
    });
    await finished;
    return kept;
  }

  private range(name: string): IDBKeyRange {
    return IDBKeyRange.bound([name, 0], [name, Number.MAX_SAFE_INTEGER]);
  }

  private write(): { transaction: IDBTransaction; heads: IDBObjectStore; parts: IDBObjectStore; finished: Promise<void> } {
    const transaction = this.database.transaction([kHeads, kParts], "readwrite", { durability: "strict" });
    return {
      transaction,
      heads: transaction.objectStore(kHeads),
      parts: transaction.objectStore(kParts),
      finished: done(transaction),
    };
  }

  private async change(
    key: DraftKey,
    log: string,
    how: (head: DraftHead, parts: IDBObjectStore, name: string) => void,
  ): Promise<void> {
    const { heads, parts, finished } = this.write();
    const name = keyText(key);
    const head = await result<DraftHead | undefined>(heads.get(name));
    if (head?.log === log) {
      how(head, parts, name);
      heads.put(head, name);
    }
    await finished;
  }
}
