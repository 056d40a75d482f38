// <short-instructions> and <full-instructions> of an element, where <terrapin-canvas> shows them.
import { html, nothing, type TemplateResult } from "lit";

/** Gives the element's instructions their slots; what to put into its canvas. */
export function instructionSlots(element: Element): TemplateResult {
  for (const child of element.children) {
    const tag = child.tagName.toLowerCase();
    if (tag === "short-instructions" || tag === "full-instructions") child.slot = tag;
  }
  const full = element.querySelector("full-instructions");
  const header = full?.getAttribute("header") ?? "";
  return html`${element.querySelector("short-instructions") ? html`<slot name="short-instructions" slot="short-instructions"></slot>` : nothing}
  ${full ? html`<div slot="full-instructions">${header ? html`<h3>${header}</h3>` : nothing}<slot name="full-instructions"></slot></div>` : nothing}`;
}
