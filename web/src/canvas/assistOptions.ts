// The settings of the tool of four clicks, and what it says.
import { html, nothing, type TemplateResult } from "lit";
import { kExtremes, type AssistMethod } from "../model/prompt";
import type { Editor } from "./editor";
import type { AssistGesture } from "./gestures/assist";

const methodTitles: Readonly<Record<AssistMethod, string>> = { auto: "Automatic", network: "Network", classical: "Classical" };

function hint(assist: AssistGesture): string {
  if (assist.correcting) return "Click to add or remove; drag points to move them.";
  return "Click the object's top-most, left-most, bottom-most and right-most point, in any order.";
}

/** `key` tells the key of an action. */
export function assistOptions(editor: Editor, assist: AssistGesture, key: (id: string) => string): TemplateResult {
  const methods = editor.assistant?.methods ?? [];
  const mode = (removes: boolean, text: string): TemplateResult =>
    html`<button class="plain" aria-pressed=${editor.assistRemoves === removes} title=${`${removes ? "Alt + click or the right button removes" : "Click"} (${key("assist.remove")} changes)`} @click=${() => editor.setAssistRemoves(removes)}>${text}</button>`;
  const withKey = (text: string, id: string): TemplateResult => html`${text}<span class="wide-only">${key(id) ? ` (${key(id)})` : nothing}</span>`;
  return html`
    ${assist.problem ? html`<span class="option trouble" role="alert">${assist.problem}</span>` : nothing}
    ${assist.problem && assist.correcting ? html`<button class="plain" @click=${() => assist.askAgain()}>Try again</button>` : nothing}
    ${assist.correcting ? nothing : html`<span class="option">${assist.extremes} of ${kExtremes} points</span>`}
    ${assist.canRefine ? html`<button class="plain" title="The mask of what is painted there, made better" @click=${() => assist.refine()}>${withKey("Refine this object", "assist.refine")}</button>` : nothing}
    ${assist.hasMask || (assist.correcting && assist.asking) ? html`<button class="strong" @click=${() => editor.finish()}>${withKey("Keep", "cursor.pen")}</button>` : nothing}
    ${assist.busy ? html`<button class="plain" @click=${() => editor.cancel()}>${withKey("Drop", "cancel")}</button>` : nothing}
    ${assist.correcting ? html`<span class="option" role="group" aria-label="What clicks do">${mode(false, "Add")}${mode(true, "Remove")}</span>` : nothing}
    ${methods.length > 1
      ? html`<label class="option"
          >Method
          <select @change=${(event: Event) => editor.setAssistMethod((event.target as HTMLSelectElement).value as AssistMethod)}>
            ${(["auto", ...methods] as const).map((method) => html`<option value=${method} ?selected=${editor.assistMethod === method}>${methodTitles[method]}</option>`)}
          </select></label
        >`
      : nothing}
    ${assist.problem ? nothing : html`<span class="option hint last wide-only">${hint(assist)}</span>`}
    ${assist.asking ? html`<span class="option quiet wide-only">Looking…</span>` : nothing}
  `;
}
