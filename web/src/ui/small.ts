// Small elements: progress bar, empty state, copy field, chips, tabs.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { icons } from "./icons";
import { sheet } from "./style";
import { toast } from "./toast";

export interface Share {
  value: number;
  label: string;
  kind: "good" | "bad" | "live";
}

/** `<t-progress label="…" .shares .total>`: parts of a whole as one bar. */
export class Progress extends LitElement {
  static override styles = css`
    :host {
      display: block;
      min-width: 60px;
    }
    .bar {
      background: var(--surface-sunken);
      border: 1px solid var(--line);
      border-radius: 99px;
      display: flex;
      height: var(--bar-height, 10px);
      overflow: hidden;
    }
    .good {
      background: var(--success);
    }
    .bad {
      background: var(--danger);
    }
    .live {
      background: var(--accent);
    }
  `;
  @property() label = "";
  @property({ attribute: false }) shares: Share[] = [];
  @property({ type: Number }) total = 0;

  protected override updated(): void {
    this.renderRoot.querySelectorAll<HTMLElement>(".bar > *").forEach((part, at) => {
      const share = this.shares[at];
      part.style.width = share && this.total > 0 ? `${(100 * share.value) / this.total}%` : "0";
    });
  }
  override render(): TemplateResult {
    const done = this.shares.reduce((sum, share) => sum + share.value, 0);
    return html`<div
      class="bar"
      role="progressbar"
      aria-label=${this.label}
      aria-valuemin="0"
      aria-valuemax=${this.total}
      aria-valuenow=${done}
      aria-valuetext=${this.shares.map((share) => `${share.value} ${share.label}`).join(", ") + ` of ${this.total}`}
    >
      ${this.shares.map((share) => html`<div class=${share.kind} title="${share.value} ${share.label}"></div>`)}
    </div>`;
  }
}
customElements.define("t-progress", Progress);

/** `<t-empty heading="…">what to do next</t-empty>` */
export class Empty extends LitElement {
  static override styles = [
    sheet,
    css`
      div {
        border: 1px dashed var(--line);
        border-radius: 12px;
        color: var(--text-quiet);
        display: grid;
        gap: 10px;
        justify-items: center;
        padding: 36px 18px;
        text-align: center;
      }
      h2 {
        color: var(--text);
      }
    `,
  ];
  @property() heading = "";
  override render(): TemplateResult {
    return html`<div>
      <h2>${this.heading}</h2>
      <slot></slot>
    </div>`;
  }
}
customElements.define("t-empty", Empty);

/** `<t-copy label="…" value="…">`: a text and a button that copies it. */
export class Copy extends LitElement {
  static override styles = [
    sheet,
    css`
      .row {
        flex-wrap: nowrap;
      }
      input {
        font-family: var(--mono);
      }
    `,
  ];
  @property() label = "";
  @property() value = "";
  private async copy(): Promise<void> {
    const input = this.renderRoot.querySelector("input")!;
    input.select();
    try {
      await navigator.clipboard.writeText(this.value);
      toast("Copied.");
    } catch {
      toast("The browser does not allow copying: the text is selected, press Ctrl+C.", "problem");
    }
  }
  override render(): TemplateResult {
    return html`<div class="field">
      <label for="value">${this.label}</label>
      <div class="row">
        <input id="value" readonly .value=${this.value} />
        <button type="button" @click=${() => void this.copy()}>${icons.copy} Copy</button>
      </div>
    </div>`;
  }
}
customElements.define("t-copy", Copy);

/** `<t-chips label="…" .values>`: a list of short texts; Enter or a comma adds one. Fires "change". */
export class Chips extends LitElement {
  static override styles = [
    sheet,
    css`
      .chips {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
      }
      .chip {
        align-items: center;
        display: inline-flex;
        gap: 2px;
        padding: 2px 2px 2px 10px;
        white-space: normal;
      }
      .chip button {
        min-height: 24px;
        padding: 2px;
      }
    `,
  ];
  @property() label = "";
  @property() hint = "";
  @property() error = "";
  @property({ attribute: false }) values: string[] = [];

  private set(values: string[]): void {
    this.values = values;
    this.dispatchEvent(new Event("change"));
  }
  private take(input: HTMLInputElement): void {
    const added = input.value
      .split(",")
      .map((text) => text.trim())
      .filter((text) => text !== "" && !this.values.includes(text));
    input.value = "";
    if (added.length > 0) this.set([...this.values, ...added]);
  }
  private key(event: KeyboardEvent): void {
    const input = event.target as HTMLInputElement;
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      this.take(input);
    } else if (event.key === "Backspace" && input.value === "" && this.values.length > 0) {
      this.set(this.values.slice(0, -1));
    }
  }
  override render(): TemplateResult {
    return html`<div class="field">
      <label for="value">${this.label}</label>
      ${this.values.length > 0
        ? html`<div class="chips">
            ${this.values.map(
              (value) =>
                html`<span class="badge chip"
                  >${value}<button
                    type="button"
                    class="plain"
                    aria-label="Remove ${value}"
                    @click=${() => this.set(this.values.filter((one) => one !== value))}
                  >
                    ${icons.close}
                  </button></span
                >`,
            )}
          </div>`
        : nothing}
      <input
        id="value"
        autocomplete="off"
        aria-describedby="hint error"
        aria-invalid=${this.error ? "true" : "false"}
        @keydown=${(event: KeyboardEvent) => this.key(event)}
        @change=${(event: Event) => this.take(event.target as HTMLInputElement)}
      />
      <span class="error" id="error" ?hidden=${!this.error}>${this.error}</span>
      <span class="hint" id="hint" ?hidden=${!this.hint}>${this.hint}</span>
    </div>`;
  }
}
customElements.define("t-chips", Chips);

/** `<t-tabs label="…" .tabs .selected>`: fires "change"; the page shows the panel itself. */
export class Tabs extends LitElement {
  static override styles = [
    sheet,
    css`
      [role="tablist"] {
        border-bottom: 1px solid var(--line);
        display: flex;
        gap: 4px;
        overflow-x: auto;
      }
      button {
        background: none;
        border: 0;
        border-bottom: 3px solid transparent;
        border-radius: 0;
        color: var(--text-quiet);
      }
      button[aria-selected="true"] {
        border-bottom-color: var(--accent);
        color: var(--text);
      }
      button:focus-visible {
        outline-offset: -3px;
      }
      @media (max-width: 640px) {
        [role="tablist"] {
          gap: 0;
        }
        button {
          padding: 6px 9px;
        }
      }
    `,
  ];
  @property() label = "";
  @property({ attribute: false }) tabs: { id: string; label: string }[] = [];
  @property() selected = "";

  private choose(id: string): void {
    if (id === this.selected) return;
    this.selected = id;
    this.dispatchEvent(new Event("change"));
  }
  private key(event: KeyboardEvent): void {
    const at = this.tabs.findIndex((tab) => tab.id === this.selected);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(this.tabs[(to + this.tabs.length) % this.tabs.length]!.id);
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>("[aria-selected='true']")?.focus(),
    );
  }
  override render(): TemplateResult {
    return html`<div role="tablist" aria-label=${this.label} @keydown=${(event: KeyboardEvent) => this.key(event)}>
      ${this.tabs.map(
        (tab) =>
          html`<button
            role="tab"
            aria-selected=${tab.id === this.selected ? "true" : "false"}
            tabindex=${tab.id === this.selected ? "0" : "-1"}
            @click=${() => this.choose(tab.id)}
          >
            ${tab.label}
          </button>`,
      )}
    </div>`;
  }
}
customElements.define("t-tabs", Tabs);
