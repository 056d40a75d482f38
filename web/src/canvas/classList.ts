// The labels: which one paints, its colour, key and share of the photo, whether it is seen and may be changed.
import { html, nothing, type TemplateResult } from "lit";
import type { CanvasLabel, Editor } from "./editor";
import { icon } from "./icons";

/** Lists longer than this can be searched. */
const kSearchFrom = 13;

/** A share of the photo for people: "12.3 %", "< 0.1 %", "–" for nothing. */
export function shareText(pixels: number, all: number): string {
  if (pixels === 0 || all === 0) return "–";
  const share = (100 * pixels) / all;
  return share < 0.1 ? "< 0.1 %" : `${share.toFixed(1)} %`;
}

export function classList(editor: Editor, search: string, keyOf: (index: number) => string, searched: (text: string) => void): TemplateResult {
  const { labels, mask } = editor;
  const all = mask ? mask.width * mask.height : 0;
  const wanted = search.trim().toLowerCase();
  const row = (label: CanvasLabel, index: number): TemplateResult | typeof nothing => {
    if (wanted && !label.name.toLowerCase().includes(wanted)) return nothing;
    const hidden = editor.hidden.has(label.value);
    const locked = editor.locked.has(label.value);
    const chosen = editor.value === label.value;
    const key = keyOf(index);
    return html`<li class=${chosen ? "class chosen" : "class"}>
      <button class="class-name" aria-pressed=${chosen} @click=${() => editor.selectLabel(label.value)} title=${key ? `${label.name} (${key})` : label.name}>
        <svg class="swatch" aria-hidden="true"><rect width="100%" height="100%" fill=${editor.color(label.value)}></rect></svg>
        <span class="name"><span>${label.name}</span>${label.isVoid ? html`<span class="tag" title="Training leaves these pixels out">ignored</span>` : nothing}</span>
        <span class="share">${shareText(mask?.count(label.value) ?? 0, all)}</span>
        ${key ? html`<kbd>${key}</kbd>` : html`<span></span>`}
      </button>
      <button class="small" aria-pressed=${hidden} aria-label=${`Hide ${label.name}`} title=${hidden ? "Show" : "Hide"} @click=${() => editor.toggleHidden(label.value)}>${icon(hidden ? "eyeOff" : "eye")}</button>
      <button class="small" aria-pressed=${locked} aria-label=${`Lock ${label.name}`} title=${locked ? "Unlock" : "Lock: neither painted over nor erased"} @click=${() => editor.toggleLocked(label.value)}>
        ${icon(locked ? "lock" : "unlock")}
      </button>
    </li>`;
  };
  return html`
    ${labels.length >= kSearchFrom
      ? html`<input type="search" class="search" placeholder="Find a class" aria-label="Find a class" .value=${search} @input=${(event: Event) => searched((event.target as HTMLInputElement).value)} />`
      : nothing}
    <ul class="classes">
      ${labels.map(row)}
      <li class="class background">
        <span class="class-name"><svg class="swatch none" aria-hidden="true"></svg><span class="name"><span>Background</span></span><span class="share">${shareText(mask?.count(0) ?? 0, all)}</span></span>
      </li>
    </ul>
    ${labels.length === 0 ? html`<p class="quiet">This task has no labels yet.</p>` : nothing}
  `;
}
