// What a page shows until the server's answer is there, and when none comes.
import { html, nothing, type TemplateResult } from "lit";
import type { Poll } from "./poll";
import { problemText } from "./toast";

export const loading = html`<p class="quiet" role="status">Loading …</p>`;

/** Why the poll's last try failed; nothing after a success. */
export function pollNote(poll: Pick<Poll, "problem">): TemplateResult | typeof nothing {
  return poll.problem ? html`<p class="note" role="status">${problemText(poll.problem)}</p>` : nothing;
}
