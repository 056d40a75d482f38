// A label's name with its colour.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import type { Category } from "../../api/facts";
import { sheet } from "../../ui/style";

class Swatch extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        align-items: center;
        display: inline-flex;
        gap: 6px;
      }
      i {
        border: 1px solid var(--line);
        border-radius: 4px;
        display: inline-block;
        height: 16px;
        width: 16px;
      }
    `,
  ];
  @property({ attribute: false }) category!: Pick<Category, "label" | "color" | "void">;
  protected override updated(): void {
    this.renderRoot.querySelector("i")!.style.background = this.category.color;
  }
  override render(): TemplateResult {
    return html`<i></i> ${this.category.label}
      ${this.category.void ? html`<span class="badge">void</span>` : nothing}`;
  }
}
customElements.define("p-swatch", Swatch);
