// Elements without an answer: buttons, messages, cards, instructions.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { runtime, type FormMember } from "./runtime";
import { plain } from "./style";

class CrowdButton extends LitElement {
  static override styles = [plain, css`:host { display: inline-block; margin: 8px 0; }`]; // prettier-ignore
  @property({ attribute: "form-action" }) formAction = "";
  @property() variant = "normal";
  @property({ type: Boolean, reflect: true }) disabled = false;
  @property() href = "";
  override connectedCallback(): void {
    super.connectedCallback();
    runtime().hold(this.updateComplete);
  }
  override focus(): void {
    this.renderRoot.querySelector("button")?.focus();
  }
  override click(): void {
    this.renderRoot.querySelector("button")?.click();
  }
  private press(event: Event): void {
    // After the template's own listeners, which may prevent it.
    queueMicrotask(() => {
      if (event.defaultPrevented) return;
      const form = this.closest<HTMLElement & FormMember>("crowd-form");
      if (this.formAction === "submit") void (form ?? runtime().form)?.attemptSubmit();
      else if (this.formAction === "reset")
        form?.querySelectorAll<HTMLInputElement>("input, textarea, crowd-input, crowd-text-area").forEach((field) => {
          field.value = field.getAttribute("value") ?? "";
          field.dispatchEvent(new Event("input", { bubbles: true }));
        });
    });
  }
  override render(): TemplateResult {
    const primary = this.variant === "primary" || this.formAction === "submit";
    return html`<button
      type="button"
      class=${primary ? "primary" : ""}
      ?disabled=${this.disabled}
      @click=${(event: Event) => this.press(event)}
    >
      <slot></slot>
    </button>`;
  }
}

class CrowdAlert extends LitElement {
  static override styles = [
    plain,
    css`
      :host {
        display: block;
        margin: 8px 0;
      }
      div {
        align-items: flex-start;
        background: #d8efe8;
        border-radius: 8px;
        display: flex;
        gap: 12px;
        justify-content: space-between;
        padding: 10px 14px;
      }
      .error {
        background: #fbe4e2;
        color: #8c1d18;
      }
      .warning {
        background: #fdeed3;
        color: #6b4000;
      }
      .success {
        background: #dcf2e0;
        color: #124a1f;
      }
      button {
        background: none;
        border: 0;
        color: inherit;
        min-height: 0;
        padding: 0 4px;
      }
    `,
  ];
  @property() type = "info";
  @property({ type: Boolean }) dismissible = false;
  override render(): TemplateResult {
    return html`<div class=${this.type} role=${this.type === "error" ? "alert" : "status"}>
      <span><slot></slot></span>
      ${this.dismissible ? html`<button type="button" aria-label="Close" @click=${() => (this.hidden = true)}>✕</button>` : nothing}
    </div>`;
  }
}

class CrowdToast extends CrowdAlert {
  @property({ type: Number }) duration = 0;
  @property({ type: Boolean, reflect: true }) opened = false;
  protected override firstUpdated(): void {
    if (this.duration > 0) setTimeout(() => (this.hidden = true), this.duration);
  }
}

class CrowdCard extends LitElement {
  static override styles = [
    plain,
    css`
      :host {
        background: #fff;
        border: 1px solid #c9d4d0;
        border-radius: 10px;
        display: block;
        margin: 8px 0;
        overflow: hidden;
        padding: 12px 14px;
      }
      img {
        display: block;
        max-width: 100%;
      }
    `,
  ];
  @property() heading = "";
  @property() image = "";
  override render(): TemplateResult {
    return html`${this.image ? html`<img src=${this.image} alt="" />` : nothing}${this.heading ? html`<h3>${this.heading}</h3>` : nothing}<slot></slot>`;
  }
}

class CrowdIconButton extends CrowdButton {
  @property() icon = "";
  override render(): TemplateResult {
    return html`<button type="button" ?disabled=${this.disabled} aria-label=${this.icon || nothing}><slot>${this.icon}</slot></button>`;
  }
}

class CrowdInstructions extends LitElement {
  static override styles = [
    plain,
    css`
      :host {
        display: inline-block;
      }
      dialog {
        border: 1px solid #c9d4d0;
        border-radius: 14px;
        max-height: 85vh;
        max-width: min(760px, 92vw);
        overflow: auto;
        padding: 18px 20px;
      }
    `,
  ];
  @property({ attribute: "link-text" }) linkText = "View instructions";
  @property({ attribute: "link-type" }) linkType = "button";
  override render(): TemplateResult {
    const box = (): HTMLDialogElement => this.renderRoot.querySelector("dialog")!;
    return html`<button type="button" @click=${() => box().showModal()}>${this.linkText}</button>
      <dialog aria-label=${this.linkText}>
        <slot></slot>
        <p><button type="button" class="primary" @click=${() => box().close()}>Close</button></p>
      </dialog>`;
  }
}

/** Registers the elements, unless another script did. */
export function defineFurniture(): void {
  for (const [name, element] of [
    ["crowd-button", CrowdButton],
    ["crowd-alert", CrowdAlert],
    ["crowd-toast", CrowdToast],
    ["crowd-card", CrowdCard],
    ["crowd-icon-button", CrowdIconButton],
    ["crowd-instructions", CrowdInstructions],
  ] as const)
    if (!customElements.get(name)) customElements.define(name, element);
}
