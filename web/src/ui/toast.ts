// Short messages at the edge of the page, read out by screen readers.
import { LitElement, css, html, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { icons } from "./icons";
import { sheet } from "./style";
import { sentence } from "./words";

export type ToastKind = "done" | "problem";
interface Toast {
  id: number;
  text: string;
  kind: ToastKind;
}

const kShownMs = 6000;
const kMost = 4;

/** Shows `text` for some seconds; problems stay until they are closed. */
export function toast(text: string, kind: ToastKind = "done"): void {
  let place = document.querySelector<Toasts>("t-toasts");
  if (!place) {
    place = new Toasts();
    document.body.append(place);
  }
  place.add(text, kind);
}

/** The text of whatever was thrown. */
export function problemText(thrown: unknown): string {
  return sentence(thrown instanceof Error ? thrown.message : String(thrown));
}

/** A handler that keeps its button busy until `work` is done, and shows what went wrong: in the dialog it belongs to, if there is one. */
export function busy(work: (event: Event) => Promise<unknown>): (event: Event) => Promise<void> {
  return async (event) => {
    event.preventDefault();
    const place = event.currentTarget as HTMLElement | null;
    const submitter = event instanceof SubmitEvent ? event.submitter : place;
    const button = submitter instanceof HTMLButtonElement ? submitter : null;
    if (button?.getAttribute("aria-busy") === "true") return;
    button?.setAttribute("aria-busy", "true");
    try {
      await work(event);
    } catch (thrown) {
      const told = new CustomEvent("problem", { bubbles: true, composed: true, cancelable: true, detail: problemText(thrown) });
      if (place?.dispatchEvent(told) ?? true) toast(problemText(thrown), "problem");
    } finally {
      button?.removeAttribute("aria-busy");
    }
  };
}

export class Toasts extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        bottom: 16px;
        display: grid;
        gap: 8px;
        justify-items: end;
        left: 16px;
        pointer-events: none;
        position: fixed;
        right: 16px;
        z-index: 50;
      }
      .toast {
        align-items: center;
        background: var(--text);
        border-radius: var(--radius);
        box-shadow: var(--shadow);
        color: var(--ground);
        display: flex;
        gap: 8px;
        max-width: 520px;
        overflow-wrap: anywhere;
        padding: 6px 6px 6px 14px;
        pointer-events: auto;
      }
      .problem {
        background: var(--danger-soft);
        border: 1px solid var(--danger);
        color: var(--danger);
      }
      button.plain {
        background: none;
        color: inherit;
      }
    `,
  ];
  @state() private shown: Toast[] = [];
  private next = 1;

  add(text: string, kind: ToastKind): void {
    const made = { id: this.next++, text, kind };
    this.shown = [...this.shown.filter((one) => one.text !== text), made].slice(-kMost);
    if (kind === "done") setTimeout(() => this.remove_(made.id), kShownMs);
  }
  private remove_(id: number): void {
    this.shown = this.shown.filter((one) => one.id !== id);
  }
  override render(): TemplateResult {
    return html`<div role="status" aria-live="polite" class="stack">
      ${this.shown.map(
        (one) =>
          html`<div class="toast ${one.kind}">
            <span class="grow">${one.text}</span>
            <button class="plain small" aria-label="Close message" @click=${() => this.remove_(one.id)}>
              ${icons.close}
            </button>
          </div>`,
      )}
    </div>`;
  }
}
customElements.define("t-toasts", Toasts);
