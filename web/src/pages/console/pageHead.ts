// The head of a page about one thing.
import { html, nothing, type TemplateResult } from "lit";

/** The way back, the thing's name, its state, and what can be done with it. */
export function pageHead(back: { href: string; label: string }, name: string, badge: TemplateResult | null, actions: TemplateResult | null): TemplateResult {
  return html`<p><a href=${back.href}>${back.label}</a></p>
    <div class="row between">
      <div class="row">
        <h1>${name}</h1>
        ${badge ?? nothing}
      </div>
      ${actions ?? nothing}
    </div>`;
}
