// A place that photos are dropped on, or chosen with.
import { css, html, type TemplateResult } from "lit";
import { icons } from "../../ui/icons";

export const photoDropStyle = css`
  .drop {
    align-items: center;
    border: 2px dashed var(--line);
    border-radius: 12px;
    cursor: pointer;
    display: grid;
    gap: 4px;
    justify-items: center;
    padding: 22px;
    text-align: center;
  }
  .drop[data-over],
  .drop:hover,
  .drop:focus-within {
    background: var(--accent-soft);
    border-color: var(--accent);
  }
`;

/** Gives whatever files come, photos or not, to `take`; in a root with `photoDropStyle`. */
export function photoDrop(words: { heading: string; hint: string }, take: (files: File[]) => void): TemplateResult {
  const mark = (event: DragEvent, over: boolean): void => {
    (event.currentTarget as HTMLElement).toggleAttribute("data-over", over);
  };
  return html`<label
    class="drop"
    @dragover=${(event: DragEvent) => {
      event.preventDefault();
      mark(event, true);
    }}
    @dragleave=${(event: DragEvent) => mark(event, false)}
    @drop=${(event: DragEvent) => {
      event.preventDefault();
      mark(event, false);
      take([...(event.dataTransfer?.files ?? [])]);
    }}
  >
    ${icons.upload}
    <strong>${words.heading}</strong>
    <span class="quiet">${words.hint}</span>
    <input
      class="visually-hidden"
      type="file"
      multiple
      accept="image/jpeg,image/png,image/webp"
      @change=${(event: Event) => {
        const input = event.target as HTMLInputElement;
        take([...(input.files ?? [])]);
        input.value = "";
      }}
    />
  </label>`;
}
