// A button that opens a list of actions; arrow keys move, Escape closes.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { icons } from "./icons";
import { sheet } from "./style";

export interface MenuItem {
  label: string;
  /** One of the two. */
  perform?: () => void;
  href?: string;
  danger?: boolean;
  checked?: boolean;
}

/** `<t-menu label="…" .items=${…}>`; the slot is what the button shows (three points unless given). */
export class Menu extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        display: inline-block;
        position: relative;
      }
      .list {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        box-shadow: var(--shadow);
        display: grid;
        min-width: 190px;
        padding: 6px;
        position: absolute;
        right: 0;
        top: calc(100% + 4px);
        z-index: 20;
      }
      .list > * {
        background: none;
        border: 0;
        border-radius: 6px;
        color: var(--text);
        font-weight: 400;
        justify-content: flex-start;
      }
      .list > *:hover,
      .list > *:focus {
        background: var(--surface-sunken);
      }
      .list > .danger {
        color: var(--danger);
      }
    `,
  ];
  @property() label = "";
  @property({ attribute: false }) items: MenuItem[] = [];
  @state() private open = false;

  private readonly outside = (event: Event): void => {
    if (!event.composedPath().includes(this)) this.open = false;
  };
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("pointerdown", this.outside);
  }
  private toggle(open: boolean): void {
    this.open = open;
    if (!open) {
      document.removeEventListener("pointerdown", this.outside);
      this.renderRoot.querySelector<HTMLElement>(".opener")?.focus();
      return;
    }
    document.addEventListener("pointerdown", this.outside);
    void this.updateComplete.then(() => this.entries[0]?.focus());
  }
  private get entries(): HTMLElement[] {
    return [...this.renderRoot.querySelectorAll<HTMLElement>(".list > *")];
  }
  private key(event: KeyboardEvent): void {
    if (!this.open) return;
    const entries = this.entries;
    const at = entries.indexOf((this.renderRoot as ShadowRoot).activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) entries[(to + entries.length) % entries.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.toggle(false);
    else return;
    if (event.key !== "Tab") event.preventDefault();
  }
  override render(): TemplateResult {
    return html`<div @keydown=${(event: KeyboardEvent) => this.key(event)}>
      <button
        class="plain opener"
        aria-haspopup="menu"
        aria-expanded=${this.open ? "true" : "false"}
        aria-label=${this.label || nothing}
        @click=${() => this.toggle(!this.open)}
      >
        <slot>${icons.more}</slot>
      </button>
      ${this.open
        ? html`<div class="list" role="menu" aria-label=${this.label}>
            ${this.items.map((item) =>
              item.href
                ? html`<a class="button" role="menuitem" tabindex="-1" href=${item.href} @click=${() => this.toggle(false)}
                    >${item.label}</a
                  >`
                : html`<button
                    class=${item.danger ? "danger" : ""}
                    role=${item.checked === undefined ? "menuitem" : "menuitemradio"}
                    aria-checked=${item.checked === undefined ? nothing : item.checked ? "true" : "false"}
                    tabindex="-1"
                    @click=${() => {
                      this.toggle(false);
                      item.perform?.();
                    }}
                  >
                    ${item.checked ? "✓ " : ""}${item.label}
                  </button>`,
            )}
          </div>`
        : nothing}
    </div>`;
  }
}
customElements.define("t-menu", Menu);
