// The plain elements with an answer: text, numbers, boxes and radio buttons.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import type { FieldAnswer } from "./answers";
import { runtime } from "./runtime";
import { plain } from "./style";

/** An element of a form that has an answer. */
export abstract class CrowdField extends LitElement {
  static override styles = [plain, css`:host { display: block; margin: 6px 0; }`]; // prettier-ignore
  @property() name = "";
  @property({ type: Boolean, reflect: true }) disabled = false;
  @property({ type: Boolean }) required = false;

  /** Under what the draft keeps the value. */
  abstract get draftKey(): string;
  abstract get draftValue(): unknown;
  abstract restoreValue(value: unknown): void;
  abstract get answers(): FieldAnswer[];
  abstract restoreAnswer(answer: unknown): void;

  override connectedCallback(): void {
    super.connectedCallback();
    runtime().hold(this.updateComplete);
    void runtime().stand();
  }
  /** Shows what is missing; true when nothing is. */
  reportValidity(): boolean {
    const input = this.renderRoot.querySelector<HTMLInputElement | HTMLTextAreaElement>("input, textarea");
    return input?.reportValidity() ?? true;
  }
  override focus(): void {
    this.renderRoot.querySelector<HTMLElement>("input, textarea")?.focus();
  }
  protected changed(): void {
    this.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    this.dispatchEvent(new Event("change", { bubbles: true, composed: true }));
  }
}

abstract class TextField extends CrowdField {
  @property() value = "";
  @property() label = "";
  @property() placeholder = "";
  @property({ type: Number, attribute: "max-length" }) maxLength = 0;
  @property({ type: Boolean, attribute: "auto-focus" }) autoFocus = false;
  get draftKey(): string {
    return this.name;
  }
  get draftValue(): unknown {
    return this.value;
  }
  restoreValue(value: unknown): void {
    if (typeof value === "string") this.value = value;
  }
  get answers(): FieldAnswer[] {
    return [{ name: this.name, value: this.value }];
  }
  restoreAnswer(answer: unknown): void {
    this.restoreValue(answer);
  }
  protected take(event: Event): void {
    event.stopPropagation();
    this.value = (event.target as HTMLInputElement).value;
    this.changed();
  }
  protected override firstUpdated(): void {
    if (this.autoFocus) this.focus();
  }
}

class CrowdInput extends TextField {
  @property() type = "text";
  @property({ attribute: "allowed-pattern" }) allowedPattern = "";
  @property({ attribute: "error-message" }) errorMessage = "";
  @property() min = "";
  @property() max = "";
  override render(): TemplateResult {
    return html`<label class="above" for="input">${this.label}${this.required ? " *" : nothing}</label
      ><input
        id="input"
        type=${["number", "password", "email", "url", "tel", "date"].includes(this.type) ? this.type : "text"}
        .value=${this.value}
        placeholder=${this.placeholder || nothing}
        maxlength=${this.maxLength || nothing}
        min=${this.min || nothing}
        max=${this.max || nothing}
        pattern=${this.allowedPattern ? `(?:${this.allowedPattern})*` : nothing}
        title=${this.errorMessage || nothing}
        ?disabled=${this.disabled}
        ?required=${this.required}
        @input=${(event: Event) => this.take(event)}
      />`;
  }
}

class CrowdTextArea extends TextField {
  @property({ type: Number }) rows = 4;
  override render(): TemplateResult {
    return html`<label class="above" for="input">${this.label}${this.required ? " *" : nothing}</label
      ><textarea
        id="input"
        rows=${this.rows}
        .value=${this.value}
        placeholder=${this.placeholder || nothing}
        maxlength=${this.maxLength || nothing}
        ?disabled=${this.disabled}
        ?required=${this.required}
        @input=${(event: Event) => this.take(event)}
      ></textarea>`;
  }
}

class CrowdSlider extends CrowdField {
  @property({ type: Number }) value = 0;
  @property({ type: Number }) min = 0;
  @property({ type: Number }) max = 100;
  @property({ type: Number }) step = 1;
  @property({ type: Boolean }) pin = false;
  get draftKey(): string {
    return this.name;
  }
  get draftValue(): unknown {
    return this.value;
  }
  restoreValue(value: unknown): void {
    if (typeof value === "number") this.value = value;
  }
  get answers(): FieldAnswer[] {
    return [{ name: this.name, value: this.value }];
  }
  restoreAnswer(answer: unknown): void {
    this.restoreValue(answer);
  }
  override render(): TemplateResult {
    return html`<label class="line"
      ><slot></slot
      ><input
        type="range"
        aria-label=${this.getAttribute("aria-label") ?? this.name}
        min=${this.min}
        max=${this.max}
        step=${this.step}
        .value=${String(this.value)}
        ?disabled=${this.disabled}
        @input=${(event: Event) => {
          event.stopPropagation();
          this.value = Number((event.target as HTMLInputElement).value);
          this.changed();
        }} /><output>${this.value}</output></label
    >`;
  }
}

abstract class Choice extends CrowdField {
  static override styles = [plain, css`:host { display: inline-block; margin-right: 14px; }`]; // prettier-ignore
  @property({ type: Boolean }) checked = false;
  @property() value = "on";
  get draftKey(): string {
    return `${this.name}=${this.value}`;
  }
  get draftValue(): unknown {
    return this.checked;
  }
  restoreValue(value: unknown): void {
    if (typeof value === "boolean") this.checked = value;
  }
  get answers(): FieldAnswer[] {
    return [{ name: this.name, choice: this.value, checked: this.checked }];
  }
  restoreAnswer(answer: unknown): void {
    this.restoreValue((answer as Record<string, unknown> | null)?.[this.value]);
  }
}

class CrowdCheckbox extends Choice {
  override render(): TemplateResult {
    return html`<label class="line"
      ><input
        type="checkbox"
        .checked=${this.checked}
        ?disabled=${this.disabled}
        ?required=${this.required}
        @change=${(event: Event) => {
          this.checked = (event.target as HTMLInputElement).checked;
          this.changed();
        }}
      /><span><slot></slot></span
    ></label>`;
  }
}

class CrowdRadioButton extends Choice {
  override render(): TemplateResult {
    return html`<label class="line"
      ><input
        type="radio"
        .checked=${this.checked}
        ?disabled=${this.disabled}
        @change=${() => {
          this.checked = true;
          this.changed();
        }}
        @keydown=${(event: KeyboardEvent) => this.move(event)}
      /><span><slot></slot></span
    ></label>`;
  }
  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("checked") && this.checked)
      for (const other of this.group()) if (other !== this) other.checked = false;
  }
  private group(): CrowdRadioButton[] {
    return [...(this.closest("crowd-radio-group")?.querySelectorAll<CrowdRadioButton>("crowd-radio-button") ?? [])];
  }
  private move(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const group = this.group().filter((one) => !one.disabled);
    if (step === undefined || group.length === 0) return;
    event.preventDefault();
    const next = group[(group.indexOf(this) + step + group.length) % group.length]!;
    next.checked = true;
    next.focus();
    next.changed();
  }
}

class CrowdRadioGroup extends LitElement {
  static override styles = [plain, css`:host { display: block; }`]; // prettier-ignore
  @property({ type: Boolean }) required = false;
  override connectedCallback(): void {
    super.connectedCallback();
    this.setAttribute("role", "radiogroup");
  }
  override render(): TemplateResult {
    return html`<slot></slot>`;
  }
}

/** Registers the elements, unless another script did. */
export function defineFields(): void {
  for (const [name, element] of [
    ["crowd-input", CrowdInput],
    ["crowd-text-area", CrowdTextArea],
    ["crowd-slider", CrowdSlider],
    ["crowd-checkbox", CrowdCheckbox],
    ["crowd-radio-button", CrowdRadioButton],
    ["crowd-radio-group", CrowdRadioGroup],
  ] as const)
    if (!customElements.get(name)) customElements.define(name, element);
}
