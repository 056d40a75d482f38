// <crowd-image-classifier>: one choice about a photo, and about an earlier mask that lies over it. AWS's attributes and answer; what is
// judged is shown by <terrapin-canvas>, to look at only.
import { css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import type { ViewSettings } from "../bridge/protocol";
import "../canvas/segmentationCanvas";
import type { SegmentationCanvas } from "../canvas/segmentationCanvas";
import { kDefaultSettings } from "../canvas/editor";
import { keyTexts, type KeyPress } from "../canvas/keys";
import { toBase64 } from "../model/base64";
import { parseLabels, type Label } from "../model/labels";
import type { FieldAnswer } from "./answers";
import { CrowdField } from "./fields";
import { parseOverlay } from "./coloredMask";
import { instructionSlots } from "./instructions";
import { runtime, type ViewMember } from "./runtime";

/** As the service takes: nine workers' comments fit into one line of a manifest. */
const kMostCommentCharacters = 2000;

/** The choice that a key means: 1 to 9, then 0 for the tenth; undefined for another key. */
function choiceOfKey(press: KeyPress, choices: readonly string[]): string | undefined {
  const digit = keyTexts(press).find((text) => /^[0-9]$/.test(text));
  return digit === undefined ? undefined : choices[(Number(digit) + 9) % 10];
}

export class CrowdImageClassifier extends CrowdField implements ViewMember {
  static override styles = [
    ...CrowdField.styles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        height: 100dvh;
        margin: 0;
        min-height: 420px;
      }
      terrapin-canvas {
        flex: 1;
        height: auto;
        min-height: 240px;
      }
      .problem {
        background: #fbe4e2;
        color: #8c1d18;
        margin: 0;
        padding: 10px 14px;
      }
      .answer {
        align-items: flex-start;
        background: #f3f6f5;
        border-top: 1px solid #c5d0cc;
        display: flex;
        flex: none;
        flex-wrap: wrap;
        gap: 8px 24px;
        max-height: 40%;
        overflow: auto;
        padding: 10px 14px;
      }
      fieldset {
        border: 0;
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        margin: 0;
        padding: 0;
      }
      .choice {
        align-items: center;
        background: #fff;
        border: 1px solid #8fa39c;
        border-radius: 8px;
        cursor: pointer;
        display: inline-flex;
        gap: 8px;
        min-height: 40px;
        padding: 2px 14px;
      }
      .choice.chosen {
        border-color: #0b6b58;
        box-shadow: inset 0 0 0 1px #0b6b58;
        font-weight: 600;
      }
      .choice input {
        accent-color: #0b6b58;
        margin: 0;
      }
      kbd {
        color: #4a5f57;
        font: 12px/1 system-ui, sans-serif;
      }
      .comment {
        flex: 1 1 260px;
      }
      .how {
        margin: 0 0 4px;
      }
      .missing {
        color: #8c1d18;
        flex-basis: 100%;
        margin: 0;
      }
      .hidden-text {
        clip-path: inset(50%);
        height: 1px;
        overflow: hidden;
        position: absolute;
        width: 1px;
      }
    `,
  ];
  override name = "crowd-image-classifier";
  @property() src = "";
  @property() header = "";
  @property() categories = "";
  @state() private choices: string[] = [];
  @state() private choice = "";
  @state() private comment = "";
  @state() private missing = false;
  @state() private problem = "";
  @state() private legend: Label[] = [];
  @state() private settings: ViewSettings = runtime().settings ?? kDefaultSettings;
  private shown = false; // what is judged
  private markOpened: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.markOpened = resolve));

  override connectedCallback(): void {
    super.connectedCallback();
    runtime().viewers.add(this);
    addEventListener("keydown", this.keyDown, true);
    document.addEventListener("all-crowd-elements-ready", this.start, { once: true });
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    runtime().viewers.delete(this);
    removeEventListener("keydown", this.keyDown, true);
    this.markOpened();
  }

  get draftKey(): string {
    return this.name;
  }
  get draftValue(): unknown {
    return this.comment === "" ? { label: this.choice } : { label: this.choice, workerComment: this.comment };
  }
  restoreValue(value: unknown): void {
    const { label, workerComment } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
    if (typeof label === "string" && this.choices.includes(label)) this.choice = label;
    if (typeof workerComment === "string") this.comment = workerComment;
  }
  get answers(): FieldAnswer[] {
    return [{ name: this.name, value: this.draftValue }];
  }
  restoreAnswer(answer: unknown): void {
    this.restoreValue(answer);
  }
  override reportValidity(): boolean {
    if (!this.shown) {
      runtime().form?.showProblem(this.problem || "The photo is not shown yet; wait, or load the page again.");
      return false;
    }
    this.missing = this.choice === "";
    if (this.missing) this.focus();
    return !this.missing;
  }

  change(change: { settings?: ViewSettings }): void {
    if (change.settings) this.settings = change.settings;
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("categories")) return;
    try {
      this.choices = this.categories.trim() === "" ? runtime().labels.map((label) => label.name) : parseLabels(this.categories);
      if (!this.choices.includes(this.choice)) this.choice = "";
    } catch (error) {
      this.fail(new Error((error instanceof Error ? error.message : String(error)).replace(/^labels/, "categories")));
    }
  }

  private readonly start = (): void => {
    void this.openPhoto().finally(() => this.markOpened());
  };

  private async openPhoto(): Promise<void> {
    try {
      const shared = runtime();
      const overlay = parseOverlay(this.getAttribute("overlay"));
      this.legend = Object.entries(overlay?.labelMappings ?? {}).map(([name, { color }], index) => ({ value: index + 1, name, color, isVoid: false }));
      const photo = await shared.file(this.src);
      await this.updateComplete;
      await this.canvas.open(photo, []);
      if (overlay) {
        if (overlay.src === "") throw new Error("The mask that is judged is none that this task may show.");
        const image = new Uint8Array(await (await shared.file(overlay.src)).arrayBuffer());
        await this.canvas.applyAnswer(toBase64(image), overlay.labelMappings);
      }
      this.shown = true;
    } catch (error) {
      this.fail(error);
    }
  }

  private get canvas(): SegmentationCanvas {
    return this.renderRoot.querySelector<SegmentationCanvas>("terrapin-canvas")!;
  }

  private fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
    runtime().send({ type: "problem", message: this.problem.slice(0, 1000) });
  }

  private choose(choice: string): void {
    if (this.disabled) return;
    this.choice = choice;
    this.missing = false;
    this.changed();
  }

  // Before the canvas hears it.
  private readonly keyDown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || event.altKey || this.disabled) return;
    if (document.querySelector("dialog[open]") || this.canvas.dialogOpen) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "Enter" || event.repeat) return;
      event.preventDefault();
      void runtime().form?.attemptSubmit();
      return;
    }
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest("textarea, select, input:not([type=radio], [type=range], [type=checkbox])")) return;
    const choice = choiceOfKey(event, this.choices);
    if (choice === undefined) return;
    event.preventDefault();
    this.choose(choice);
  };

  override render(): TemplateResult {
    const asked = this.querySelector("worker-comment");
    return html`${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      <terrapin-canvas
        read-only
        viewing
        .labels=${this.legend}
        .header=${this.header}
        .settings=${this.settings}
        @canvas-delta=${(event: Event) => event.stopPropagation()}
        @canvas-skip=${(event: Event) => {
          event.stopPropagation();
          runtime().send({ type: "skip" });
        }}
        @canvas-settings=${(event: CustomEvent<ViewSettings>) => {
          event.stopPropagation();
          this.settings = event.detail;
          runtime().send({ type: "settings", settings: event.detail });
        }}
      >
        ${instructionSlots(this)}
      </terrapin-canvas>
      <div class="answer">
        <fieldset ?disabled=${this.disabled}>
          <legend class="hidden-text">${this.header || "Choose one"}</legend>
          ${this.choices.map(
            (choice, index) =>
              html`<label class=${choice === this.choice ? "choice chosen" : "choice"}
                ><input type="radio" name="choice" .checked=${choice === this.choice} @change=${(event: Event) => {
                  event.stopPropagation();
                  this.choose(choice);
                }} /><span>${choice}</span>${index < 10 ? html`<kbd aria-hidden="true">${(index + 1) % 10}</kbd>` : nothing}</label
              >`,
          )}
        </fieldset>
        ${asked
          ? html`<div class="comment">
              <label class="above" for="comment">${asked.getAttribute("header") || asked.getAttribute("link-text") || "Comment"}</label>
              ${asked.textContent?.trim() ? html`<p class="how" id="how">${asked.textContent.trim()}</p>` : nothing}
              <textarea
                id="comment"
                rows="2"
                maxlength=${kMostCommentCharacters}
                aria-describedby="how"
                placeholder=${asked.getAttribute("placeholder") ?? nothing}
                .value=${this.comment}
                ?disabled=${this.disabled}
                @input=${(event: Event) => {
                  event.stopPropagation();
                  this.comment = (event.target as HTMLTextAreaElement).value;
                  this.changed();
                }}
              ></textarea>
            </div>`
          : nothing}
        ${this.missing ? html`<p class="missing" role="alert">Choose one of the answers.</p>` : nothing}
      </div>`;
  }
}
