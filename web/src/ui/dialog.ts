// Questions in front of the page, on the browser's own dialog: focus stays inside, Escape closes.
import { LitElement, css, html, nothing, render, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { icons } from "./icons";
import { sheet } from "./style";
import { problemText } from "./toast";

/** `<t-dialog heading="…" open>`: shows its content and the problems told in it ("problem" events); fires "close" when the person closes it. */
export class Dialog extends LitElement {
  static override styles = [
    sheet,
    css`
      dialog {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: 14px;
        box-shadow: var(--shadow);
        color: var(--text);
        max-height: calc(100vh - 32px);
        max-width: min(var(--dialog-width, 520px), calc(100vw - 28px));
        overflow: auto;
        padding: 18px 20px 20px;
        width: 100%;
      }
      dialog::backdrop {
        background: rgb(0 0 0 / 45%);
      }
      header {
        align-items: center;
        display: flex;
        gap: 12px;
        justify-content: space-between;
        margin-bottom: 12px;
      }
    `,
  ];
  @property() heading = "";
  @property({ type: Boolean, reflect: true }) open = false;
  // What lies behind a dialog can be neither read nor closed.
  @state() private problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener("problem", this.tell);
    this.addEventListener("submit", this.forget);
  }
  private readonly tell = (event: Event): void => {
    event.preventDefault();
    this.problem = String((event as CustomEvent<unknown>).detail);
  };
  private readonly forget = (): void => {
    this.problem = "";
  };
  private get box(): HTMLDialogElement {
    return this.renderRoot.querySelector("dialog")!;
  }
  protected override updated(): void {
    if (this.open && !this.box.open) this.box.showModal();
    if (!this.open && this.box.open) this.box.close();
  }
  private closed(): void {
    this.problem = "";
    if (!this.open) return;
    this.open = false;
    this.dispatchEvent(new Event("close"));
  }
  override render(): TemplateResult {
    return html`<dialog aria-labelledby="heading" @close=${() => this.closed()}>
      <header>
        <h2 id="heading">${this.heading}</h2>
        <button class="plain small" aria-label="Close" @click=${() => this.box.close()}>${icons.close}</button>
      </header>
      <div class="stack">
        <slot></slot>
        <p class="note bad" role="alert" ?hidden=${!this.problem}>${this.problem}</p>
      </div>
    </dialog>`;
  }
}
customElements.define("t-dialog", Dialog);

export interface Question {
  heading: string;
  text?: string | TemplateResult;
  /** Label and first value of a line to be filled in; without it the question is yes or no. */
  input?: { label: string; value: string; hint?: string };
  action: string;
  danger?: boolean;
  /** Does it: the dialog stays open and shows the message when this throws. */
  perform: (value: string) => Promise<void>;
}

class QuestionBox extends LitElement {
  static override styles = sheet;
  @property({ attribute: false }) question!: Question;
  @property({ attribute: false }) done!: () => void;
  @property() private problem = "";
  @property({ type: Boolean }) private working = false;

  private async answer(event: Event): Promise<void> {
    event.preventDefault();
    if (this.working) return;
    this.working = true;
    this.problem = "";
    try {
      await this.question.perform(this.renderRoot.querySelector("input")?.value.trim() ?? "");
      this.done();
    } catch (thrown) {
      this.problem = problemText(thrown);
    } finally {
      this.working = false;
    }
  }
  protected override firstUpdated(): void {
    const { danger, input } = this.question;
    const first = input ? "input" : danger ? "button[type=button]" : "button.primary";
    this.renderRoot.querySelector<HTMLElement>(first)!.focus();
    this.renderRoot.querySelector("input")?.select();
  }
  override render(): TemplateResult {
    const { text, input, action, danger } = this.question;
    return html`<form class="stack" @submit=${(event: Event) => void this.answer(event)}>
      ${text ? html`<p>${text}</p>` : nothing}
      ${input
        ? html`<div class="field">
            <label for="value">${input.label}</label>
            <input id="value" autocomplete="off" .value=${input.value} aria-describedby="hint" autofocus />
            <span class="hint" id="hint" ?hidden=${!input.hint}>${input.hint}</span>
          </div>`
        : nothing}
      <p class="error" role="alert" ?hidden=${!this.problem}>${this.problem}</p>
      <div class="row">
        <button class=${danger ? "danger" : "primary"} aria-busy=${this.working ? "true" : "false"}>${action}</button>
        <button type="button" @click=${() => this.done()}>Cancel</button>
      </div>
    </form>`;
  }
}
customElements.define("t-question", QuestionBox);

/** Asks before something is done, or for one line of text; done when the dialog is gone. */
export function ask(question: Question): Promise<void> {
  return new Promise((resolve) => {
    const place = document.createElement("div");
    document.body.append(place);
    const done = (): void => {
      place.remove();
      resolve();
    };
    render(
      html`<t-dialog heading=${question.heading} open @close=${done}>
        <t-question .question=${question} .done=${done}></t-question>
      </t-dialog>`,
      place,
    );
  });
}
