// <terrapin-canvas>: the whole tool for labelling one photo pixel by pixel. What it does is in editor.ts (choices, painting, view)
// and stage.ts (canvases, pointer); here are its buttons, its keys and what it tells the page.
import { LitElement, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";
import type { ViewSettings } from "../bridge/protocol";
import { decodeAnswerPng } from "../model/answer";
import { fromBase64, toBase64 } from "../model/base64";
import { readOrientation } from "../model/exif";
import { colorBlindColors } from "../model/labels";
import { Mask } from "../model/mask";
import { isSnapshot } from "../model/snapshot";
import { Photo } from "../render/photo";
import { Background } from "../tools/background";
import { actionOf, actionsOf, type Action, type ActionTarget } from "./actions";
import type { Assistant } from "./assistant";
import { assistOptions } from "./assistOptions";
import { canvasStyles } from "./canvasStyles";
import { classList } from "./classList";
import { Editor, kDefaultSettings, kMostBrushSize, kToolTitles, type CanvasLabel } from "./editor";
import { icon } from "./icons";
import { KeyHelp } from "./keyHelp";
import { actionFor, keysOf } from "./keys";
import { Stage } from "./stage";

export type { CanvasLabel } from "./editor";

/** AWS's answer of the element for semantic segmentation. */
export interface CrowdAnswer {
  inputImageProperties: { height: number; width: number };
  labelMappings: Record<string, { color: string }>;
  labeledImage: { pngImageData: string };
}

const toolIds = ["tool.brush", "tool.eraser", "tool.polygon", "tool.polygonSubtract", "tool.fill", "tool.wand", "tool.assist", "tool.pan"] as const;
const paintIds = ["onlyBackground", "enclosed", "previousMask"] as const;

/** How long counts in the class list may lag behind a stroke. */
const kCountsAfter_ms = 250;

void KeyHelp; // its element is used in the template

export class SegmentationCanvas extends LitElement implements ActionTarget {
  static override styles = canvasStyles;

  @property({ attribute: false }) labels: readonly CanvasLabel[] = [];
  @property() header = "";
  @property({ attribute: false }) settings: ViewSettings = kDefaultSettings;
  @property({ type: Boolean, attribute: "read-only" }) readOnly = false;
  /** Beside `readOnly`: only to look at, without tools; the labels are a legend. */
  @property({ type: Boolean, reflect: true }) viewing = false;
  /** Whether all that was painted is safe; null shows nothing. */
  @property({ attribute: false }) saved: boolean | null = null;

  /** Who turns points into masks; null: there is no such tool. */
  @property({ attribute: false }) assistant: Assistant | null = null;

  readonly editor = new Editor();

  @state() private progress: number | null = null; // of opening a photo; null when done
  @state() private problem = "";
  @state() private spoken = "";
  @state() private search = "";
  @state() private panelOpen = false; // on narrow screens
  @state() private lightOpen = false;
  @state() private hasShort = false;
  @state() private hasFull = false;

  @query(".stage") private stageElement!: HTMLElement;
  @query("terrapin-key-help") private help!: KeyHelp;
  @query(".full-instructions") private fullInstructions!: HTMLDialogElement;
  @query(".coordinates") private coordinates!: HTMLElement;
  @query(".zoom-text") private zoomText!: HTMLElement;

  private stage: Stage | null = null;
  private photo: Photo | null = null;
  private readonly stopMask: (() => void)[] = [];
  private work: Background | null = null;
  private deltas = 0;
  private countsTimer: ReturnType<typeof setTimeout> | null = null;
  private held: Action | null = null; // an action that lasts while its key is down
  private heldCode = "";
  private opening = 0;
  private askedPrevious = false;

  constructor() {
    super();
    this.editor.onChange((change) => {
      if (change === "settings") {
        this.settings = this.editor.settings;
        this.dispatchEvent(new CustomEvent("canvas-settings", { detail: this.settings, bubbles: true, composed: true }));
      }
      if (change === "state") this.requestUpdate();
      if (change === "state" || change === "colors") this.applyColors();
    });
    this.editor.onSay((text) => (this.spoken = text));
  }

  // -- for the page

  /**
   * Shows a photo with what was painted on it before: deltas in order, a snapshot may be the first. Resolves when it can be
   * painted on; finer detail of a large photo may still follow. Rejects with a sentence for people when the photo cannot be
   * decoded or a delta does not fit it; nothing can be painted then.
   */
  async open(photo: Blob, deltas: readonly string[]): Promise<void> {
    const turn = ++this.opening;
    await this.updateComplete;
    this.closePhoto();
    this.problem = "";
    this.progress = 0;
    try {
      const [orientation, shown] = await Promise.all([
        readOrientation(photo),
        Photo.open(photo, () => this.photoArrived(turn)),
      ]);
      if (turn !== this.opening) {
        shown.close();
        return;
      }
      const mask = new Mask(shown.width, shown.height);
      for (const [index, delta] of deltas.entries()) {
        try {
          if (isSnapshot(delta)) await mask.restore(delta);
          else mask.apply(delta);
        } catch (error) {
          throw new Error(`Part ${index + 1} of ${deltas.length} of the saved work cannot be read: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      if (turn !== this.opening) {
        shown.close();
        return;
      }
      this.photo = shown;
      this.deltas = deltas.length;
      this.askedPrevious = false;
      this.work = new Background(mask);
      this.work.setPhoto(photo);
      this.stopMask.push(
        mask.onChange((box) => {
          this.stage?.maskChanged(box);
          this.countLater();
        }),
        mask.onDelta((delta) => {
          ++this.deltas;
          this.dispatchEvent(new CustomEvent("canvas-delta", { detail: delta, bubbles: true, composed: true }));
        }),
      );
      this.editor.open(mask, this.work, orientation);
      this.editor.modified = deltas.length > 0;
      this.stage?.show(shown);
      this.photoArrived(turn);
    } catch (error) {
      if (turn === this.opening) {
        this.progress = null;
        this.problem = error instanceof Error ? error.message : String(error);
      }
      throw error;
    }
  }

  /**
   * Replaces the mask by an answer's image, as one step that can be undone and is sent as deltas. Colours are those of
   * `mappings` (label name -> {color}); labels that this canvas does not have are refused. Rejects with nothing changed.
   */
  async applyAnswer(pngBase64: string, mappings: Record<string, { color: string }>): Promise<void> {
    const { mask } = this.editor;
    if (!mask) throw new Error("There is no photo to put the mask on.");
    const colors = new Map<number, string>();
    for (const [name, { color }] of Object.entries(mappings)) {
      const label = this.labels.find((one) => one.name === name);
      if (!label) throw new Error(`The mask has the label "${name}", which this task does not have.`);
      colors.set(label.value, color);
    }
    const pixels = await decodeAnswerPng(fromBase64(pngBase64), colors, mask.width, mask.height);
    if (this.editor.mask !== mask) return;
    this.editor.endPress();
    const edit = mask.begin();
    const changed = edit.replace(pixels);
    edit.commit();
    // What was there before the worker came is not the worker's change; a mask the worker asked for is.
    if (changed && this.askedPrevious) this.editor.modified = true;
    this.askedPrevious = false;
    this.editor.changed("state");
  }

  /** What was painted, when all that is being computed is in it. A polygon that is still open is not. */
  async answer(): Promise<CrowdAnswer> {
    const { mask } = this.editor;
    await this.editor.settle();
    if (!mask || !this.work) throw new Error("There is no photo that could be answered.");
    const png = await this.work.png(new Map(this.labels.map((label) => [label.value, label.color])));
    return {
      inputImageProperties: { height: mask.height, width: mask.width },
      labelMappings: Object.fromEntries(this.labels.map((label) => [label.name, { color: label.color }])),
      labeledImage: { pngImageData: toBase64(png) },
    };
  }

  /** The whole mask as one text, and how many deltas (those given to open among them) it stands for. */
  async snapshot(): Promise<{ data: string; deltas: number }> {
    const { mask } = this.editor;
    if (!mask) throw new Error("There is no photo.");
    mask.flush(); // what this emits is counted
    const { deltas, work } = this;
    return { data: await (work ?? mask).snapshot(), deltas };
  }

  /** Whether a photo is open and no pixel of it has a label. */
  get unpainted(): boolean {
    const { mask } = this.editor;
    return mask !== null && mask.count(0) === mask.width * mask.height;
  }

  /** The worker changed the mask, or opened work that was begun before. */
  get modified(): boolean {
    return this.editor.modified;
  }

  /** Whether a dialog lies over the photo. */
  get dialogOpen(): boolean {
    return this.renderRoot.querySelector("dialog[open]") !== null || this.help?.isOpen === true;
  }

  /** Puts the focus where painting is done. */
  override focus(): void {
    this.stageElement?.focus({ preventScroll: true });
  }

  // -- for the actions

  send(event: "canvas-submit" | "canvas-skip" | "canvas-previous"): void {
    this.editor.endPress();
    if (event === "canvas-previous") this.askedPrevious = true;
    this.dispatchEvent(new CustomEvent(event, { bubbles: true, composed: true }));
  }
  get fullscreenAllowed(): boolean {
    return document.fullscreenEnabled;
  }
  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void this.requestFullscreen().catch(() => (this.spoken = "This page may not fill the screen."));
  }
  showHelp(): void {
    this.help.show();
  }

  // -- life

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.keyDown);
    document.addEventListener("keyup", this.keyUp);
    addEventListener("blur", this.lostFocus);
    if (this.hasUpdated) this.makeStage();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.keyDown);
    document.removeEventListener("keyup", this.keyUp);
    removeEventListener("blur", this.lostFocus);
    this.stage?.close();
    this.stage = null;
  }

  protected override firstUpdated(): void {
    this.makeStage();
  }

  private makeStage(): void {
    const part = <T extends HTMLElement>(selector: string): T => this.renderRoot.querySelector<T>(selector)!;
    this.stage = new Stage(this.editor, {
      root: this.stageElement,
      photo: part(".photo"),
      overlay: part(".overlay"),
      sketch: part(".sketch"),
      cursor: part(".cursor"),
    });
    this.stage.drawn = () => this.tell();
    this.applyColors();
    this.editor.changed("colors");
    this.stage.show(this.photo);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("labels")) this.editor.setLabels(this.labels);
    if (changed.has("settings") && this.settings !== this.editor.settings) {
      this.editor.settings = this.settings;
      this.editor.changed("colors");
    }
    if (changed.has("viewing")) {
      this.editor.viewing = this.viewing;
      if (this.viewing) this.editor.selectTool("pan");
    }
    if (changed.has("assistant")) this.editor.setAssistant(this.assistant);
    if (changed.has("readOnly")) {
      if (this.readOnly) this.editor.cancelAll();
      this.editor.readOnly = this.readOnly;
    }
  }

  protected override updated(): void {
    const { theme } = this.settings;
    if (this.dataset["theme"] !== theme) {
      this.dataset["theme"] = theme;
      this.stage?.themeChanged();
    }
  }

  private applyColors(): void {
    const { editor } = this;
    const safe = editor.settings.colorBlindPalette ? colorBlindColors(this.labels.length) : null;
    editor.shownColors = new Map(this.labels.map((label, index) => [label.value, safe?.[index] ?? label.color]));
  }

  private photoArrived(turn: number): void {
    if (turn !== this.opening || !this.photo) return;
    this.progress = this.photo.progress < 1 ? this.photo.progress : null;
    this.stage?.photoChanged();
  }

  private closePhoto(): void {
    for (const stop of this.stopMask.splice(0)) stop();
    this.editor.close();
    this.work = null;
    this.stage?.show(null);
    this.photo?.close();
    this.photo = null;
  }

  private countLater(): void {
    this.countsTimer ??= setTimeout(() => {
      this.countsTimer = null;
      this.requestUpdate();
    }, kCountsAfter_ms);
  }

  // Texts that change with every move of the pointer are written directly, once a frame.
  private tell(): void {
    const { editor } = this;
    const { view, pointer, mask } = editor;
    const percent = `${Math.round((view.scale / (this.stage?.drawnDensity ?? 1)) * 1000) / 10} %`;
    if (this.zoomText.textContent !== percent) this.zoomText.textContent = percent;
    let text = "";
    if (mask && pointer) {
      const x = Math.floor(pointer.x);
      const y = Math.floor(pointer.y);
      if (x >= 0 && y >= 0 && x < mask.width && y < mask.height) {
        const value = mask.pixels[y * mask.width + x]!;
        text = `${x}, ${y} · ${editor.label(value)?.name ?? "Background"}`;
      }
    }
    if (this.coordinates.textContent !== text) this.coordinates.textContent = text;
  }

  // -- keys

  private readonly keyDown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]") || this.dialogOpen) return;
    const target = event.composedPath()[0];
    const mine = event.composedPath().includes(this);
    if (event.key === "Alt") {
      this.setAlt(true);
      if (mine) event.preventDefault(); // else the browser's menu takes the focus
    }
    const action = actionFor(actionsOf(this.editor.assistant !== null, this.viewing), event, this.settings.keys, this.settings.changedKeys);
    if (!action || !this.mayTake(action, target, event)) return;
    event.preventDefault();
    if (event.repeat && !action.repeats) return;
    if (action.enabled?.(this.editor, this) === false) return;
    if (action.release) {
      this.held?.release?.(this);
      this.held = action;
      this.heldCode = event.code;
    }
    action.perform(this);
  };

  private readonly keyUp = (event: KeyboardEvent): void => {
    if (event.key === "Alt") this.setAlt(false);
    if (this.held && event.code === this.heldCode) this.letGo();
  };

  private readonly lostFocus = (): void => {
    this.letGo();
    this.setAlt(false);
  };

  private letGo(): void {
    this.held?.release?.(this);
    this.held = null;
  }

  private setAlt(held: boolean): void {
    if (this.editor.altHeld === held || this.editor.isPressed) return;
    this.editor.altHeld = held;
    this.editor.changed("view");
  }

  // Controls keep the keys they need: what is typed into a field is text, what a focused button or slider understands is its own.
  private mayTake(action: Action, target: EventTarget | undefined, event: KeyboardEvent): boolean {
    if (!(target instanceof Element) || target === this.stageElement || target === document.body || target === document.documentElement) return true;
    if (action.id === "submit") return true;
    const field = target.closest("input, textarea, select, [contenteditable]");
    if (field instanceof HTMLInputElement && ["range", "checkbox", "radio", "button", "submit"].includes(field.type)) {
      return !["Space", "Enter", "Home", "End", "PageUp", "PageDown"].includes(event.code) && action.group !== "Keyboard cursor";
    }
    if (field) return false;
    if (target.closest("button, a, summary, [role=button]")) return event.code !== "Space" && event.key !== "Enter" && action.group !== "Keyboard cursor";
    return true;
  }

  private keyText(action: Action): string {
    return keysOf(action, this.settings.keys, this.settings.changedKeys)[0] ?? "";
  }

  // -- what is seen

  private button(id: string, options: { text?: string; hold?: boolean } = {}): TemplateResult {
    const action = actionOf(id);
    const key = this.keyText(action);
    const tip = key ? `${action.title} (${key})` : action.title;
    const pressed = action.checked ? (action.checked(this.editor) ? "true" : "false") : nothing;
    const end = (): void => action.release?.(this);
    return html`<button
      class=${id.startsWith("zoom.") ? "square-button zoom-step" : "square-button"}
      title=${tip}
      aria-label=${action.title}
      aria-keyshortcuts=${key ? key.replace("Ctrl", "Control") : nothing}
      aria-pressed=${pressed}
      ?disabled=${action.enabled?.(this.editor, this) === false}
      @click=${options.hold ? nothing : () => action.perform(this)}
      @pointerdown=${options.hold ? () => action.perform(this) : nothing}
      @pointerup=${options.hold ? end : nothing}
      @pointerleave=${options.hold ? end : nothing}
      @keydown=${options.hold ? (event: KeyboardEvent) => (event.key === " " || event.key === "Enter") && action.perform(this) : nothing}
      @keyup=${options.hold ? end : nothing}
      @blur=${options.hold ? end : nothing}
    >
      ${action.icon ? icon(action.icon) : options.text}
    </button>`;
  }

  private toolOptions(): TemplateResult {
    const { editor } = this;
    const { tool } = editor;
    const chosen = editor.label(editor.value);
    const erases = tool === "eraser" || tool === "polygonSubtract";
    const key = (id: string): string => this.keyText(actionOf(id));
    return html`
      <span class="tool-name">
        ${tool === "pan" || erases
          ? nothing
          : html`<svg class="swatch" aria-hidden="true"><rect width="100%" height="100%" fill=${chosen ? editor.color(chosen.value) : "none"}></rect></svg>`}
        <span>${kToolTitles[tool]}${tool === "pan" || erases || !chosen ? "" : `: ${chosen.name}`}</span>
      </span>
      ${tool === "brush" || tool === "eraser"
        ? html`<label class="option" title=${`${key("brush.smaller")} smaller, ${key("brush.larger")} larger`}
            >Size
            <input type="range" min="0" max="1" step="0.005" aria-valuetext=${`${this.settings.brushSize} pixels`} .value=${String(Math.log(this.settings.brushSize) / Math.log(kMostBrushSize))} @input=${(event: Event) => editor.setBrushSize(kMostBrushSize ** Number((event.target as HTMLInputElement).value))} />
            <input type="number" min="1" max=${kMostBrushSize} aria-label="Brush size in pixels" .value=${String(this.settings.brushSize)} @change=${(event: Event) => editor.setBrushSize(Number((event.target as HTMLInputElement).value) || 1)} />
            px</label
          ><span class="option hint wide-only">${erases ? "Drag over the photo to erase." : "Drag over the photo to paint."} With Shift: a straight line.</span>`
        : nothing}
      ${tool === "wand"
        ? html`<label class="option"
              >Tolerance
              <input type="range" min="0" max="128" .value=${String(editor.tolerance)} @input=${(event: Event) => editor.setTolerance(Number((event.target as HTMLInputElement).value))} />
              <output>${editor.tolerance}</output></label
            ><label class="option"><input type="checkbox" .checked=${editor.contiguous} @change=${(event: Event) => editor.setContiguous((event.target as HTMLInputElement).checked)} /> Connected only</label><span class="option hint wide-only">Click to paint what is striped.</span>`
        : nothing}
      ${tool === "polygon" || tool === "polygonSubtract"
        ? html`<span class="option hint wide-only">Click points or drag a line; click the first point to close it.</span>
            ${editor.busy ? html`<button class="plain" @click=${() => editor.finish()}>Close (${key("finish")})</button><button class="plain" @click=${() => editor.cancel()}>Cancel</button>` : nothing}`
        : nothing}
      ${tool === "fill" ? html`<span class="option hint wide-only">Click an area to give it the class.</span>` : nothing}
      ${editor.assist ? assistOptions(editor, editor.assist, key) : nothing}
      ${editor.leftLack
        ? html`<span class="option trouble" role="alert">The mask of an object is missing: ${editor.leftLack}</span><button class="plain" @click=${() => editor.selectTool("assist")}>Show it</button>`
        : nothing}
      ${editor.working > 0 && tool !== "assist" ? html`<span class="option quiet" role="status">Working…</span>` : nothing}
    `;
  }

  private setting(change: Partial<ViewSettings>): void {
    this.editor.change(change);
  }

  private viewPanel(): TemplateResult {
    const { editor, settings } = this;
    const percent = (value: number): string => `${Math.round(value * 100)} %`;
    const slider = (text: string, value: number, least: number, most: number, changed: (value: number) => void): TemplateResult =>
      html`<label class="row"
        ><span>${text}</span><input type="range" min=${least} max=${most} step="0.05" .value=${String(value)} @input=${(event: Event) => changed(Number((event.target as HTMLInputElement).value))} /><output>${percent(value)}</output></label
      >`;
    return html`
      ${slider("Opacity", settings.opacity, 0.1, 1, (opacity) => this.setting({ opacity }))}
      ${slider("Brightness", editor.brightness, 0.4, 2.5, (brightness) => editor.setLight(brightness, editor.contrast))}
      ${slider("Contrast", editor.contrast, 0.4, 2.5, (contrast) => editor.setLight(editor.brightness, contrast))}
      ${editor.brightness !== 1 || editor.contrast !== 1 ? html`<button class="plain small-text" @click=${() => editor.setLight(1, 1)}>As the photo is</button>` : nothing}
      <label class="row check"><input type="checkbox" .checked=${settings.outline} @change=${(event: Event) => this.setting({ outline: (event.target as HTMLInputElement).checked })} /> Outlines only</label>
      <label class="row check"><input type="checkbox" .checked=${settings.colorBlindPalette} @change=${(event: Event) => this.setting({ colorBlindPalette: (event.target as HTMLInputElement).checked })} /> Colours safe for colour blindness</label>
      <label class="row"
        ><span>Theme</span>
        <select @change=${(event: Event) => this.setting({ theme: (event.target as HTMLSelectElement).value as ViewSettings["theme"] })}>
          ${(["system", "light", "dark"] as const).map((theme) => html`<option value=${theme} ?selected=${settings.theme === theme}>${theme === "system" ? "As the system" : theme === "light" ? "Light" : "Dark"}</option>`)}
        </select></label
      >
    `;
  }

  private slotFilled(event: Event): boolean {
    return (event.target as HTMLSlotElement).assignedNodes({ flatten: true }).some((node) => node.nodeType === Node.ELEMENT_NODE || (node.textContent ?? "").trim() !== "");
  }

  override render(): TemplateResult {
    const { editor, settings } = this;
    const labelKey = (index: number): string => (index < 10 && !this.viewing ? this.keyText(actionOf(`label.${index + 1}`)) : "");
    const state = this.viewing ? "" : this.readOnly ? "Read only" : this.saved === null ? "" : this.saved ? "All saved" : "Saving…";
    return html`<div class=${this.panelOpen ? "frame panel-open" : "frame"}>
      <header>
        <div class="title">
          <h1 title=${this.header}>${this.header || "Label the photo"}</h1>
          <button class="plain" ?hidden=${!this.hasFull} @click=${() => this.fullInstructions.showModal()}>Instructions</button>
        </div>
        <div class="group" role="group" aria-label="History">${this.button("undo")}${this.button("redo")}</div>
        <div class="group" role="group" aria-label="View">
          ${this.button("zoom.out")}<button class="zoom-text" title=${`One to one (${this.keyText(actionOf("zoom.one"))})`} @click=${() => editor.zoomTo(this.stage?.drawnDensity ?? 1)}>100 %</button>${this.button("zoom.in")}${this.button("fit")}
        </div>
        <div class="group last" role="group" aria-label="More">
          ${this.button("hide", { hold: true })}${this.button("outline")}${this.fullscreenAllowed ? this.button("fullscreen") : nothing}${this.button("help")}
          <button class="square-button panel-button" aria-label="Classes and view" aria-expanded=${this.panelOpen} title="Classes and view" @click=${() => (this.panelOpen = !this.panelOpen)}>${icon("classes")}</button>
        </div>
      </header>
      <div class=${editor.assist || editor.leftLack ? "options wraps" : "options"} role="region" aria-label="Settings of the tool">${this.toolOptions()}</div>
      <div class="tools" role="toolbar" aria-label="Tools" aria-orientation="vertical">
        ${toolIds.filter((id) => !actionOf(id).assists || editor.assistant).map((id) => this.button(id))}
        <span class="divider" role="separator"></span>
        ${paintIds.map((id) => this.button(id))}
      </div>
      <div class="stage" tabindex="0" role="application" aria-label="Photo" aria-describedby="how" aria-busy=${this.progress !== null}>
        <canvas class="photo" aria-hidden="true"></canvas>
        <canvas class="overlay" aria-hidden="true"></canvas>
        <canvas class="sketch" aria-hidden="true"></canvas>
        <div class="cursor" aria-hidden="true"></div>
        ${this.progress !== null ? html`<div class=${this.photo ? "progress small" : "progress"}><span>${this.photo ? "Loading detail" : "Opening the photo"}</span><progress max="1" .value=${this.progress || 0.03}></progress></div>` : nothing}
        ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      </div>
      <p id="how" class="hidden-text">${this.viewing ? "Drag to move the photo." : "Arrow keys move a cursor. Space uses the tool at the cursor, Enter puts the pen down or lifts it."} The question mark shows all keys.</p>
      <aside aria-label="Classes and view">
        <section ?hidden=${this.viewing && this.labels.length === 0}>
          <h2>Classes</h2>
          ${classList(editor, this.search, labelKey, (text) => (this.search = text))}
        </section>
        <section ?hidden=${!this.hasShort}>
          <h2>Instructions</h2>
          <div class="short"><slot name="short-instructions" @slotchange=${(event: Event) => (this.hasShort = this.slotFilled(event))}></slot></div>
        </section>
        <details ?open=${this.lightOpen} @toggle=${(event: Event) => (this.lightOpen = (event.target as HTMLDetailsElement).open)}>
          <summary>View</summary>
          ${this.viewPanel()}
        </details>
        <button class="plain panel-close" @click=${() => (this.panelOpen = false)}>Done</button>
      </aside>
      <footer>
        <span class="coordinates"></span>
        <span class="size wide-only">${editor.mask ? `${editor.mask.width} × ${editor.mask.height}` : ""}</span>
        <span class=${this.saved === false ? "saved waiting" : "saved"} role="status">${this.saved === true && !this.readOnly ? icon("check") : nothing}${state}</span>
      </footer>
      <div class="hidden-text" role="status" aria-live="polite">${this.spoken}</div>
      <dialog class="full-instructions" aria-label="Instructions">
        <div class="dialog-head">
          <h2>Instructions</h2>
          <button class="square-button" aria-label="Close" @click=${() => this.fullInstructions.close()}>${icon("close")}</button>
        </div>
        <div class="dialog-body" tabindex="0"><slot name="full-instructions" @slotchange=${(event: Event) => (this.hasFull = this.slotFilled(event))}></slot></div>
      </dialog>
      <terrapin-key-help .settings=${settings} .assisted=${editor.assistant !== null} .viewing=${this.viewing} data-theme=${settings.theme} @change-keys=${(event: CustomEvent<Pick<ViewSettings, "keys" | "changedKeys">>) => this.setting(event.detail)}></terrapin-key-help>
    </div>`;
  }
}
// The script may stand in a document twice: in the frame's own and in the template.
if (!customElements.get("terrapin-canvas")) customElements.define("terrapin-canvas", SegmentationCanvas);
