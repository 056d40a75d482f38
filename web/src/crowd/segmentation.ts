// <crowd-semantic-segmentation>: AWS's attributes and answer around <terrapin-canvas>.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import type { ViewSettings } from "../bridge/protocol";
import type { Assistant } from "../canvas/assistant";
import "../canvas/segmentationCanvas";
import type { CrowdAnswer, SegmentationCanvas } from "../canvas/segmentationCanvas";
import { toBase64 } from "../model/base64";
import { labelsOf, labelsProblem, parseLabels, type Label } from "../model/labels";
import { parseInitialValue } from "./coloredMask";
import { instructionSlots } from "./instructions";
import { assistantFor } from "./pageAssistant";
import { runtime, type CanvasMember } from "./runtime";

export class CrowdSemanticSegmentation extends LitElement implements CanvasMember {
  static override styles = css`
    :host {
      display: block;
    }
    terrapin-canvas {
      display: block;
    }
    .problem {
      background: #fbe4e2;
      color: #8c1d18;
      font: 15px/1.45 system-ui, sans-serif;
      margin: 0;
      padding: 10px 14px;
    }
  `;
  @property() name = "";
  @property() src = "";
  @property() header = "";
  @state() private shownLabels: Label[] = [];
  @state() private problem = "";
  @state() private readOnly = runtime().readOnly;
  @state() private saved: boolean | null = runtime().connected ? true : null;
  @state() private assistant: Assistant | null = null;
  @state() private settings: ViewSettings | null = runtime().settings;
  private given: unknown = undefined; // what a script set `labels` to
  private isOpen = false;
  private settingUp = false;
  private markOpened: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.markOpened = resolve));
  /** The answer of the last attempt to submit, for scripts in "submit" listeners. */
  value: unknown = null;

  get canvasName(): string {
    return this.name || "crowd-semantic-segmentation";
  }

  /** Set to a list or to text as in the attribute; always gives a list, so that scripts may add to it. */
  get labels(): unknown {
    return Array.isArray(this.given) ? this.given : this.shownLabels.map((label) => label.name);
  }
  set labels(value: unknown) {
    this.given = value;
    this.readLabels();
  }
  static override get observedAttributes(): string[] {
    return [...super.observedAttributes, "labels"];
  }
  override attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (name === "labels") {
      this.given = now ?? undefined;
      this.readLabels();
    } else {
      super.attributeChangedCallback(name, before, now);
    }
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.given === undefined) this.readLabels();
    runtime().canvases.add(this);
    runtime().hold(this.updateComplete);
    document.addEventListener("all-crowd-elements-ready", this.start, { once: true });
    void runtime().stand();
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    runtime().canvases.delete(this);
    this.markOpened();
  }

  private get canvas(): SegmentationCanvas {
    return this.renderRoot.querySelector<SegmentationCanvas>("terrapin-canvas")!;
  }

  private readLabels(): void {
    try {
      const facts = runtime().labels;
      const names = this.given === undefined || this.given === "" ? facts.map((fact) => fact.name) : parseLabels(this.given);
      const labels = labelsOf(names, facts);
      const wrong = labelsProblem(labels);
      if (wrong) throw new Error(wrong);
      this.shownLabels = labels;
      this.problem = "";
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
    runtime().send({ type: "problem", message: this.problem.slice(0, 1000) });
  }

  private readonly start = (): void => {
    void this.openPhoto().finally(() => this.markOpened());
  };

  private async openPhoto(): Promise<void> {
    try {
      const shared = runtime();
      const draft = shared.draftOf(this.canvasName);
      const photo = await shared.file(this.src);
      await this.updateComplete;
      await this.canvas.open(photo, draft);
      this.isOpen = true;
      this.assistant = assistantFor(shared, this.src);
      await this.begin();
    } catch (error) {
      this.fail(error);
    }
  }

  // What the mask begins as: the answer that is corrected, or the initial value. Once; the draft remembers it.
  private async begin(): Promise<void> {
    const shared = runtime();
    const begun = this.key("begun");
    const corrected = shared.answer?.[this.canvasName] as Partial<CrowdAnswer> | undefined;
    // An answer that can only be looked at is shown too.
    if (shared.fields.get(begun) === true || (shared.readOnly && !corrected)) return;
    const initial = parseInitialValue(this.getAttribute("initial-value"));
    this.settingUp = true;
    try {
      if (corrected?.labeledImage && corrected.labelMappings) {
        await this.canvas.applyAnswer(corrected.labeledImage.pngImageData, corrected.labelMappings);
      } else if (initial && initial.src !== "") {
        const image = new Uint8Array(await (await shared.file(initial.src)).arrayBuffer());
        await this.canvas.applyAnswer(toBase64(image), initial.labelMappings);
      } else {
        return;
      }
    } finally {
      this.settingUp = false;
    }
    shared.fieldChanged(begun, true);
  }

  private key(what: string): string {
    return `${what} ${this.canvasName}`;
  }

  async takeAnswer(): Promise<unknown> {
    if (!this.isOpen) throw new Error("The photo is not shown yet; wait, or load the page again.");
    const answer: Record<string, unknown> = { ...(await this.canvas.answer()) };
    if (this.getAttribute("initial-value")?.trim()) answer["initialValueModified"] = runtime().fields.get(this.key("touched")) === true;
    this.value = answer;
    return answer;
  }

  get unpainted(): boolean {
    return this.canvas.unpainted;
  }

  async takeSnapshot(): Promise<{ data: string; deltas: number } | null> {
    return this.isOpen ? await this.canvas.snapshot() : null;
  }

  takePrevious(answer: Record<string, unknown> | null): void {
    const found = (answer?.[this.canvasName] ?? Object.values(answer ?? {}).find((one) => typeof one === "object" && one !== null && "labeledImage" in one)) as
      | Partial<CrowdAnswer>
      | undefined;
    if (!found?.labeledImage || !found.labelMappings || !this.isOpen || this.readOnly) return;
    this.canvas.applyAnswer(found.labeledImage.pngImageData, found.labelMappings).catch((error: unknown) => this.fail(error));
  }

  change(change: { readOnly?: boolean; saved?: boolean; settings?: ViewSettings }): void {
    if (change.readOnly !== undefined) this.readOnly = change.readOnly;
    if (change.saved !== undefined) this.saved = change.saved;
    if (change.settings) this.settings = change.settings;
  }

  private readonly delta = (event: CustomEvent<string>): void => {
    event.stopPropagation();
    if (!this.settingUp) runtime().fieldChanged(this.key("touched"), true);
    runtime().canvasDelta(this.canvasName, event.detail);
  };

  override render(): TemplateResult {
    const send = (type: "skip" | "askPrevious") => (event: Event) => {
      event.stopPropagation();
      runtime().send({ type });
    };
    return html`${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      <terrapin-canvas
        .labels=${this.shownLabels}
        .header=${this.header}
        .readOnly=${this.readOnly}
        .saved=${this.saved}
        .settings=${this.settings ?? kNoSettings}
        .assistant=${this.assistant}
        @canvas-delta=${this.delta}
        @canvas-submit=${(event: Event) => {
          event.stopPropagation();
          void runtime().form?.attemptSubmit();
        }}
        @canvas-skip=${send("skip")}
        @canvas-previous=${send("askPrevious")}
        @canvas-settings=${(event: CustomEvent<ViewSettings>) => {
          event.stopPropagation();
          this.settings = event.detail;
          runtime().send({ type: "settings", settings: event.detail });
        }}
      >
        ${instructionSlots(this)}
      </terrapin-canvas>`;
  }
}

const kNoSettings: ViewSettings = {
  keys: "terrapin",
  changedKeys: {},
  colorBlindPalette: false,
  theme: "system",
  opacity: 0.55,
  outline: false,
  brushSize: 24,
};
