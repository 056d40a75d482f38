// A link that was just made, to be sent to whom it is for.
import { html, nothing, type TemplateResult } from "lit";
import "../../ui/dialog";
import "../../ui/small";
import { timeText } from "../../ui/words";

export interface MadeLink {
  heading: string;
  link: string;
  expires: string;
}

/** Shows `made` until it is closed; nothing for null. */
export function linkDialog(
  made: MadeLink | null,
  close: () => void,
): TemplateResult {
  return html`<t-dialog heading=${made?.heading ?? ""} .open=${made !== null} @close=${close}>
    ${made
      ? html`<div class="stack">
          <p>Send this link to the person it is for. It works once, until ${timeText(made.expires)}.</p>
          <t-copy label="Link" .value=${made.link}></t-copy>
          <div><button class="primary" @click=${close}>Done</button></div>
        </div>`
      : nothing}
  </t-dialog>`;
}
