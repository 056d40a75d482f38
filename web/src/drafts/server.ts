// The draft's calls for one assignment.
import type { Client } from "../api/client";
import type { DraftServer, OpenedDraft } from "./sync";

export function draftServer(client: Client, assignment: string): DraftServer {
  const path = `assignments/${encodeURIComponent(assignment)}`;
  return {
    open: (tab) => client.post<OpenedDraft>(`${path}/draft/open`, { tab }),
    save: async (tab, deltas) => (await client.post<{ next_sequence: number }>(`${path}/draft/deltas`, { tab, deltas })).next_sequence,
    putSnapshot: async (tab, base, snapshot) => {
      await client.put(`${path}/draft/snapshot`, { tab, base_sequence: base, snapshot });
    },
    look: async () => {
      const { assignment: lease } = await client.get<{ assignment: { state: string } }>(path);
      if (lease.state !== "leased") return { owner: "", state: lease.state };
      return { owner: (await client.get<{ owner: string }>(`${path}/draft`)).owner, state: lease.state };
    },
  };
}
