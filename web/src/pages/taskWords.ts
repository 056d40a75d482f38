// What the task's page says.
import type { DraftStatus } from "../drafts/sync";

export interface Sign {
  text: string;
  kind: "good" | "busy" | "warning";
}

/** Whether the work is safe, in words. */
export function saveSign(status: DraftStatus, local: boolean): Sign {
  if (status.unkept > 0 && status.waiting !== "nothing") return { text: "Not saved: keep this page open", kind: "warning" };
  if (status.unsent === 0 && status.unkept === 0)
    return { text: local ? "Kept on this computer until you submit" : "Saved", kind: "good" };
  if (local && status.unkept === 0) return { text: "Kept on this computer until you submit", kind: "good" };
  switch (status.waiting) {
    case "offline":
      return { text: "Offline: kept on this computer", kind: "warning" };
    case "signedOut":
      return { text: "Signed out: kept on this computer", kind: "warning" };
    case "full":
      return { text: "No room on the server: kept on this computer", kind: "warning" };
    case "nothing":
      return { text: "Saving…", kind: "busy" };
  }
}

/** "1:05:09", "5:09" */
export function clockText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
