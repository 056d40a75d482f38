// The list of labels: add, name, colour, order, void.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { icons } from "../../ui/icons";
import { sheet } from "../../ui/style";
import { nextLabel, type DraftLabel } from "./jobDraft";

/** `<p-label-editor .labels .problem .most>`; fires "change". */
export class LabelEditor extends LitElement {
  static override styles = [
    sheet,
    css`
      ol {
        display: grid;
        gap: 8px;
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        align-items: center;
        display: grid;
        gap: 8px;
        grid-template-columns: 48px minmax(0, 1fr) auto auto;
      }
      .buttons {
        display: flex;
      }
      @media (max-width: 640px) {
        li {
          border-bottom: 1px solid var(--line);
          grid-template-columns: 48px minmax(0, 1fr) auto;
          padding-bottom: 8px;
        }
        .buttons {
          grid-column: 2 / -1;
        }
      }
    `,
  ];
  @property({ attribute: false }) labels: DraftLabel[] = [];
  @property() problem = "";
  @property({ type: Number }) most = 254;

  private set(labels: DraftLabel[]): void {
    this.labels = labels;
    this.dispatchEvent(new Event("change"));
  }
  private change(at: number, change: Partial<DraftLabel>): void {
    this.set(this.labels.map((one, index) => (index === at ? { ...one, ...change } : one)));
  }
  private move(at: number, by: number): void {
    const labels = [...this.labels];
    const [moved] = labels.splice(at, 1);
    labels.splice(at + by, 0, moved!);
    this.set(labels);
  }
  private add(): void {
    this.set([...this.labels, nextLabel(this.labels)]);
    void this.updateComplete.then(() =>
      [...this.renderRoot.querySelectorAll<HTMLInputElement>("input[type='text']")].at(-1)?.focus(),
    );
  }
  private key(event: KeyboardEvent, at: number): void {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (at === this.labels.length - 1 && this.labels[at]!.label.trim()) this.add();
  }
  override render(): TemplateResult {
    return html`<div class="stack">
      <ol>
        ${this.labels.map((label, at) => this.row(label, at))}
      </ol>
      <p class="error" role="alert" ?hidden=${!this.problem}>${this.problem}</p>
      <div>
        <button type="button" ?disabled=${this.labels.length >= this.most} @click=${() => this.add()}>
          ${icons.plus} Add a label
        </button>
      </div>
      <p class="hint">
        Their order gives the values in the masks: 1, 2, 3 …; 0 is background, which nobody painted. What is painted
        with the void label becomes 255, and training ignores it.
      </p>
    </div>`;
  }
  private row(label: DraftLabel, at: number): TemplateResult {
    const name = label.label || `label ${at + 1}`;
    return html`<li>
      <input
        type="color"
        aria-label="Colour of ${name}"
        .value=${label.color}
        @input=${(event: Event) => this.change(at, { color: (event.target as HTMLInputElement).value })}
      />
      <input
        type="text"
        aria-label="Name of label ${at + 1}"
        placeholder=${at === 0 ? "Turtle" : nothing}
        autocomplete="off"
        .value=${label.label}
        @input=${(event: Event) => this.change(at, { label: (event.target as HTMLInputElement).value })}
        @keydown=${(event: KeyboardEvent) => this.key(event, at)}
      />
      <label class="check">
        <input
          type="checkbox"
          .checked=${label.void}
          @change=${(event: Event) => this.change(at, { void: (event.target as HTMLInputElement).checked })}
        />
        void</label
      >
      <span class="buttons">
        <button type="button" class="plain small" aria-label="Move ${name} up" ?disabled=${at === 0} @click=${() => this.move(at, -1)}>
          ${icons.up}
        </button>
        <button
          type="button"
          class="plain small"
          aria-label="Move ${name} down"
          ?disabled=${at === this.labels.length - 1}
          @click=${() => this.move(at, 1)}
        >
          ${icons.down}
        </button>
        <button
          type="button"
          class="plain small"
          aria-label="Remove ${name}"
          ?disabled=${this.labels.length === 1}
          @click=${() => this.set(this.labels.filter((_, index) => index !== at))}
        >
          ${icons.close}
        </button>
      </span>
    </li>`;
  }
}
customElements.define("p-label-editor", LabelEditor);
