// Signing out, with what this browser keeps.
import { ApiError, client } from "../api/client";
import { navigate } from "./navigation";

/** Wipes drafts that the server has, ends the session, and shows the sign-in. Throws when the server was not reached: one is then still signed in. */
export async function signOut(): Promise<void> {
  // The code of drafts is loaded only here and in the task page.
  const { beforeSignOut } = await import("../drafts/beforeSignOut");
  await beforeSignOut();
  await client.post("sign-out").catch((thrown: unknown) => {
    if (!(thrown instanceof ApiError && thrown.status === 401)) throw thrown; // the session lives on: say so
  });
  client.adopt(null);
  sessionStorage.clear();
  navigate("/_/", { replace: true });
}
