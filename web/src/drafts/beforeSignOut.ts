// Nothing of a worker stays on a shared computer, except what the server does not have yet: that waits for the same worker.
import { client } from "../api/client";
import { draftServer } from "./server";
import { DraftStore } from "./store";
import { DraftSync } from "./sync";

const kLongestMs = 5000;

/** Sends what is unsent where a lease allows it, then wipes all drafts of this account that the server has. */
export async function beforeSignOut(): Promise<void> {
  const account = client.current?.account.id;
  const store = account ? await DraftStore.open().catch(() => null) : null;
  if (!account || !store) return;
  try {
    const unsent = await store.unsent(account);
    if (unsent.length > 0) {
      const { assignments } = await client.get<{
        assignments: { id: string; job_name: string; object_index: number; state: string }[];
      }>("assignments", { limit: 200 });
      for (const key of unsent) {
        const lease = assignments.find((one) => one.state === "leased" && one.job_name === key.job && one.object_index === key.object);
        if (lease && !key.correction) await send(new DraftSyncHolder(key, lease.id, store));
      }
    }
  } catch {
    // Offline: what is unsent stays.
  }
  await store.wipe(account);
  store.close();
}

class DraftSyncHolder {
  private finish: () => void = () => undefined;
  readonly finished = new Promise<void>((resolve) => (this.finish = resolve));
  readonly sync: DraftSync;
  constructor(key: ConstructorParameters<typeof DraftSync>[0]["key"], assignment: string, store: DraftStore) {
    this.sync = new DraftSync({
      key,
      server: draftServer(client, assignment),
      store,
      onStatus: (status) => {
        if (status.mode !== "editing" || status.unsent === 0) this.finish();
      },
      onWantSnapshot: () => undefined,
    });
  }
}

async function send(holder: DraftSyncHolder): Promise<void> {
  await holder.sync.open();
  if (holder.sync.status.unsent > 0)
    await Promise.race([holder.finished, new Promise<void>((resolve) => setTimeout(resolve, kLongestMs))]);
  holder.sync.close();
}
