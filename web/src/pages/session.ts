// Signing out, with what this browser keeps.
import { client } from "../api/client";
import { navigate } from "./navigation";

/** Wipes drafts that the server has, ends the session, and shows the sign-in. Throws if drafts could not be saved. */
export async function signOut(): Promise<void> {
  await wipeDrafts();
  await client.post("sign-out").catch(() => undefined);
  client.adopt(null);
  sessionStorage.clear();
  navigate("/_/", { replace: true });
}

// The code of drafts is loaded only here and in the task page.
async function wipeDrafts(): Promise<void> {
  const modules = import.meta.glob<{ beforeSignOut: () => Promise<void> }>("../drafts/beforeSignOut.ts");
  for (const load of Object.values(modules)) await (await load()).beforeSignOut();
}
