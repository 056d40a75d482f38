// The work on one photo: what is chosen, how it is seen, what the hand is doing. Knows no elements of the page; buttons, keys and
// pointer events all end here.
import type { ViewSettings } from "../bridge/protocol";
import type { ImagePoint, ScreenPoint } from "../model/geometry";
import type { Mask, PaintRules } from "../model/mask";
import type { AssistMethod } from "../model/prompt";
import type { Spans } from "../model/spans";
import { Viewport } from "../render/viewport";
import type { Assistant } from "./assistant";
import { AssistGesture } from "./gestures/assist";
import { BrushGesture } from "./gestures/brush";
import type { Gesture, PointerAt } from "./gestures/gesture";
import { PolygonGesture } from "./gestures/polygon";
import { FillGesture, WandGesture } from "./gestures/region";
import type { Regions } from "./regions";

export interface CanvasLabel {
  value: number; // 1..255
  name: string;
  color: string; // "#2ca02c"
  isVoid: boolean;
}

export type ToolId = "brush" | "eraser" | "polygon" | "polygonSubtract" | "fill" | "wand" | "assist" | "pan";

export const kMostBrushSize = 1000;

export const kDefaultSettings: ViewSettings = {
  keys: "terrapin",
  changedKeys: {},
  colorBlindPalette: false,
  theme: "system",
  opacity: 0.55,
  outline: false,
  brushSize: 24,
};

/** What changed: "view" needs a frame, "state" also other controls, "colors" another palette, "settings" is to be kept. */
export type EditorChange = "view" | "state" | "colors" | "settings";

const noPaint: PaintRules = { locked: new Set(), onlyBackground: false };

export class Editor {
  readonly view = new Viewport();
  /** Device pixels per CSS pixel. */
  density = 1;
  mask: Mask | null = null;
  regions: Regions | null = null;
  /** Null where nobody assists; then there is no tool for it either. */
  assistant: Assistant | null = null;
  labels: readonly CanvasLabel[] = [];
  settings: ViewSettings = kDefaultSettings;
  readOnly = false;
  /** Only looked at: the one tool moves the photo. */
  viewing = false;

  tool: ToolId = "brush";
  /** Value of the chosen label; 0 while there is none. */
  value = 0;
  tolerance = 24; // of the wand
  contiguous = true; // of the wand: only what hangs together
  assistMethod: AssistMethod = "auto";
  assistRemoves = false; // clicks on an object whose four points are set remove from it
  onlyBackground = false;
  /** Values that are not shown; those that neither painting nor erasing changes. */
  readonly hidden = new Set<number>();
  readonly locked = new Set<number>();
  /** All of the mask is hidden while this is set. */
  overlayHidden = false;
  brightness = 1;
  contrast = 1;
  /** Set while a key or button of the mouse makes every drag move the view. */
  panning = false;
  /** Where the pointer or the keyboard's cursor is, if over the photo's canvas. */
  pointer: ImagePoint | null = null;
  pointerIsKeyboard = false;
  penDown = false; // of the keyboard's cursor
  altHeld = false;
  /** How many computations of areas are on their way. */
  working = 0;
  /** The worker changed something since the photo was opened, or reopened changed work. */
  modified = false;

  private gesture: Gesture;
  private left: AssistGesture | null = null; // was finished and put away before its mask came
  private pressed = false;
  private lastDrawingTool: ToolId = "brush";
  private readonly listeners = new Set<(change: EditorChange) => void>();
  private readonly speakers = new Set<(text: string) => void>();
  private readonly waiting: (() => void)[] = [];
  private readonly afterStroke: (() => void)[] = [];

  constructor() {
    this.gesture = new BrushGesture(this, false);
  }

  // -- who is told

  onChange(listener: (change: EditorChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  /** Sentences for screen readers. */
  onSay(listener: (text: string) => void): () => void {
    this.speakers.add(listener);
    return () => this.speakers.delete(listener);
  }
  changed(change: EditorChange): void {
    for (const listener of this.listeners) listener(change);
  }
  say(text: string): void {
    for (const speaker of this.speakers) speaker(text);
  }

  // -- the photo

  /** Another photo: nothing of the last one stays but choices. */
  open(mask: Mask, regions: Regions, orientation: number): void {
    this.close();
    this.mask = mask;
    this.regions = regions;
    this.view.imageWidth = mask.width;
    this.view.imageHeight = mask.height;
    this.view.orientation = orientation;
    this.view.fit();
    this.modified = false;
    this.changed("colors");
    this.changed("state");
  }

  close(): void {
    this.gesture.cancel();
    this.left?.cancel();
    this.left = null;
    this.pressed = false;
    this.regions?.close();
    this.regions = null;
    this.mask = null;
    this.pointer = null;
    this.penDown = false;
  }

  get canPaint(): boolean {
    return this.mask !== null && !this.readOnly;
  }

  // -- labels

  setLabels(labels: readonly CanvasLabel[]): void {
    this.labels = labels;
    if (!labels.some((label) => label.value === this.value)) this.value = labels[0]?.value ?? 0;
    for (const set of [this.hidden, this.locked]) {
      for (const value of set) if (value !== 0 && !labels.some((label) => label.value === value)) set.delete(value);
    }
    this.changed("colors");
    this.changed("state");
  }

  label(value: number): CanvasLabel | null {
    return this.labels.find((label) => label.value === value) ?? null;
  }

  selectLabel(value: number): void {
    const label = this.label(value);
    if (!label) return;
    this.value = value;
    // Whoever chooses a class wants to paint with it.
    if (this.tool === "eraser" || this.tool === "pan") this.selectTool(this.lastDrawingTool === "eraser" ? "brush" : this.lastDrawingTool);
    if (this.hidden.delete(value)) this.changed("colors");
    this.say(`Label ${label.name}`);
    this.changed("state");
  }

  selectNextLabel(step: number): void {
    const count = this.labels.length;
    if (count === 0) return;
    const at = this.labels.findIndex((label) => label.value === this.value);
    this.selectLabel(this.labels[(at + step + count) % count]!.value);
  }

  toggleHidden(value: number): void {
    if (!this.hidden.delete(value)) this.hidden.add(value);
    this.changed("colors");
    this.changed("state");
  }

  toggleLocked(value: number): void {
    if (!this.locked.delete(value)) this.locked.add(value);
    this.say(`${this.label(value)?.name ?? "Background"} ${this.locked.has(value) ? "locked" : "unlocked"}`);
    this.changed("state");
  }

  hideOverlay(hide: boolean): void {
    if (this.overlayHidden === hide) return;
    this.overlayHidden = hide;
    this.changed("view");
  }

  // -- tools

  setOnlyBackground(only: boolean): void {
    this.onlyBackground = only;
    this.say(only ? "Painting only background" : "Painting over other labels");
    this.changed("state");
  }

  setTolerance(tolerance: number): void {
    this.tolerance = Math.min(255, Math.max(0, Math.round(tolerance)));
    this.gesture.leave();
    this.changed("state");
  }

  setContiguous(contiguous: boolean): void {
    this.contiguous = contiguous;
    this.gesture.leave();
    this.changed("state");
  }

  /** Who assists from now on; with nobody the tool is put away. */
  setAssistant(assistant: Assistant | null): void {
    this.assistant = assistant;
    if (assistant && this.assistMethod !== "auto" && !assistant.methods.includes(this.assistMethod)) this.assistMethod = "auto";
    if (!assistant) {
      if (this.tool === "assist") {
        this.endPress();
        this.selectTool("brush");
      }
      this.left?.cancel(); // nobody could take it up again
      if (this.lastDrawingTool === "assist") this.lastDrawingTool = "brush";
    }
    this.changed("state");
  }

  setAssistMethod(method: AssistMethod): void {
    if (method === this.assistMethod) return;
    this.assistMethod = method;
    if (this.assist?.correcting) this.assist.askAgain();
    this.changed("state");
  }

  setAssistRemoves(removes: boolean): void {
    if (!this.assist?.correcting) return; // four points come first
    this.assistRemoves = removes;
    this.say(removes ? "Clicks remove from the mask" : "Clicks add to the mask");
    this.changed("state");
  }

  /** The tool of four clicks, while it is chosen. */
  get assist(): AssistGesture | null {
    return this.gesture instanceof AssistGesture ? this.gesture : null;
  }

  setPanning(panning: boolean): void {
    if (this.panning === panning) return;
    this.panning = panning;
    this.changed("view");
    this.changed("state");
  }

  selectTool(tool: ToolId): void {
    if (this.pressed || (tool === "assist" && !this.assistant) || (this.viewing && tool !== "pan")) return;
    if (tool !== this.tool) {
      // Whoever goes on before the mask is there means it all the same.
      if (this.assist?.correcting && this.assist.asking) this.assist.finish();
      if (this.assist?.promised) {
        this.left = this.assist; // it paints when its mask comes
        this.left.leave();
      } else {
        this.gesture.keep();
        this.gesture.cancel();
      }
      this.tool = tool;
      if (tool !== "pan") this.lastDrawingTool = tool;
      this.gesture = this.gestureOf(tool);
      this.say(kToolTitles[tool]);
    }
    this.changed("state");
  }

  private gestureOf(tool: ToolId): Gesture {
    switch (tool) {
      case "eraser":
        return new BrushGesture(this, true);
      case "polygon":
        return new PolygonGesture(this, false);
      case "polygonSubtract":
        return new PolygonGesture(this, true);
      case "fill":
        return new FillGesture(this);
      case "wand":
        return new WandGesture(this);
      case "assist":
        return this.takeUp() ?? new AssistGesture(this);
      case "brush":
      case "pan":
        return new BrushGesture(this, false);
    }
  }

  // What was left and has its mask by now is over.
  private takeUp(): AssistGesture | null {
    const { left } = this;
    this.left = null;
    return left?.busy ? left : null;
  }

  /** Why an object that was finished and put away has no mask, for people; empty while one may come. */
  get leftLack(): string {
    return this.left?.lack ?? "";
  }

  change(settings: Partial<ViewSettings>): void {
    this.settings = { ...this.settings, ...settings };
    if (settings.colorBlindPalette !== undefined || settings.outline !== undefined || settings.opacity !== undefined) this.changed("colors");
    this.changed("settings");
    this.changed("state");
  }

  setBrushSize(size: number): void {
    const brushSize = Math.min(kMostBrushSize, Math.max(1, Math.round(size)));
    if (brushSize !== this.settings.brushSize) this.change({ brushSize });
  }

  /** One step larger or smaller: about an eighth, at least one pixel. */
  stepBrushSize(step: 1 | -1): void {
    const size = this.settings.brushSize;
    const by = Math.max(1, Math.round(size / 8));
    this.setBrushSize(step > 0 ? size + by : size - Math.max(1, Math.round(size / 9)));
  }

  get brushIsShown(): boolean {
    return (this.tool === "brush" || this.tool === "eraser") && !this.panning && this.canPaint;
  }

  /** What a tool paints with now: the label, or background for what erases. */
  paintValue(erases: boolean): number {
    return erases || this.altHeld ? 0 : this.value;
  }

  get rules(): PaintRules {
    return this.locked.size === 0 && !this.onlyBackground ? noPaint : { locked: this.locked, onlyBackground: this.onlyBackground };
  }

  /** The colour in which a value is seen. */
  color(value: number): string {
    return this.shownColors.get(value) ?? "#ffffff";
  }
  /** Colours as they are seen, the colour-blind-safe ones where these are asked for. */
  shownColors: ReadonlyMap<number, string> = new Map();

  // -- the hand

  /** The hand has begun something that is not finished: a stroke, a polygon. */
  get busy(): boolean {
    return this.pressed || this.gesture.busy;
  }
  get isPressed(): boolean {
    return this.pressed;
  }

  press(at: PointerAt): void {
    if (!this.canPaint || this.tool === "pan") return;
    if (this.value === 0 && this.paintValue(this.tool === "eraser" || this.tool === "polygonSubtract") === 0 && this.tool !== "eraser" && this.tool !== "polygonSubtract") {
      this.say("There is no label to paint with.");
      return;
    }
    this.pressed = true;
    this.pointer = at.image;
    this.gesture.press(at);
    this.changed("view");
  }

  move(points: readonly PointerAt[]): void {
    const last = points[points.length - 1];
    if (!last) return;
    this.pointer = last.image;
    if (this.pressed) this.gesture.drag(points);
    else this.gesture.hover(last);
    this.changed("view");
  }

  release(at: PointerAt): void {
    if (!this.pressed) return;
    this.pressed = false;
    this.gesture.release(at);
    this.strokeEnded();
  }

  /** A second finger came down or the system took the pointer: what was begun with this press never happened. */
  takeBackPress(): void {
    if (!this.pressed) return;
    this.pressed = false;
    this.gesture.takeBackPress();
    this.strokeEnded();
  }

  /** Ends a stroke in progress, as if the pointer was lifted, so that an answer holds it. A polygon stays open. */
  endPress(): void {
    if (!this.pressed || !this.pointer) return;
    this.release(this.pointerAt(this.pointer));
  }

  leave(): void {
    this.pointer = null;
    this.gesture.leave();
    this.changed("view");
  }

  finish(): void {
    if (this.gesture.busy && !this.pressed) {
      this.gesture.finish();
      this.changed("state");
    }
  }

  /** "Starts and finishes": closes what is open, else takes up the drawing tool that was used last. */
  startOrFinish(): void {
    if (this.gesture.busy) this.finish();
    else this.selectTool(this.lastDrawingTool);
  }

  /** Drops what was begun. */
  cancel(): void {
    this.pressed = false;
    this.penDown = false;
    this.gesture.cancel();
    this.strokeEnded();
  }

  /** Drops also what was finished and still waits for its mask. */
  cancelAll(): void {
    this.left?.cancel();
    this.left = null;
    this.cancel();
  }

  removeLastPoint(): void {
    if (this.gesture.removeLast()) this.changed("view");
  }

  drawSketch(context: CanvasRenderingContext2D): void {
    this.gesture.sketch(context, this.view);
  }
  get hasSketch(): boolean {
    return this.gesture.hasSketch;
  }

  undo(): void {
    if (!this.canPaint || this.pressed) return;
    if (this.gesture.removeLast()) {
      this.changed("view");
      return;
    }
    if (this.mask?.undo()) {
      this.modified = true;
      this.say("Undone");
    }
    this.changed("state");
  }

  redo(): void {
    if (!this.canPaint || this.busy) return;
    if (this.mask?.redo()) {
      this.modified = true;
      this.say("Redone");
    }
    this.changed("state");
  }

  /**
   * Paints an area, and erases `gone` before, as a step of its own, after the stroke that may be going on. False if nothing
   * changes by it.
   */
  paint(spans: Spans, value: number, gone: Spans | null = null): boolean {
    const { mask } = this;
    if (!mask || !this.canPaint) return false;
    if (mask.editing) {
      this.afterStroke.push(() => {
        if (this.mask === mask) this.paint(spans, value, gone);
      });
      return true;
    }
    const edit = mask.begin(this.rules);
    const erased = gone ? edit.paint(gone, 0) : null;
    const changed = edit.paint(spans, value) !== null || erased !== null;
    if (changed) this.modified = true;
    edit.commit();
    this.changed("state");
    return changed;
  }

  private strokeEnded(): void {
    for (const paint of this.afterStroke.splice(0)) paint();
    this.changed("state");
  }

  // -- areas that are computed

  /** Counts a computation and what `use` does with its result; answers wait for both. A failure is told to the worker. */
  async during<T>(work: Promise<T>, use: (result: T) => void): Promise<void> {
    ++this.working;
    this.changed("state");
    try {
      use(await work);
    } catch (error) {
      if (!(error instanceof Error && error.name === "AbortError")) this.say(error instanceof Error ? error.message : String(error));
    } finally {
      --this.working;
      if (this.working === 0) for (const go of this.waiting.splice(0)) go();
      this.changed("state");
    }
  }

  /**
   * Resolves when what was begun and has, or waits for, its result is painted. A polygon that is open stays so. Rejects with a
   * message for people where an object's mask did not come: an answer without it is not what the worker means.
   */
  async settle(): Promise<void> {
    this.endPress();
    this.assist?.putDown();
    await this.idle();
    const lack = this.leftLack || this.assist?.lack;
    if (lack) throw new Error(`The mask of an object is missing: ${lack} Under "${kToolTitles.assist}" it can be asked for again or dropped.`);
    this.gesture.keep();
  }

  /** Resolves when no computation is on its way. */
  idle(): Promise<void> {
    return this.working === 0 ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Gives the chosen label to all background that it, or any label, encloses. */
  async fillEnclosed(): Promise<void> {
    const { mask, regions } = this;
    if (!mask || !regions || !this.canPaint || this.value === 0 || this.busy) return;
    const { value } = this;
    await this.during(regions.enclosed(), (spans) => {
      if (this.mask !== mask) return;
      if (spans.length === 0) {
        this.say("No background is enclosed.");
        return;
      }
      this.paint(spans, value);
      this.say("Enclosed background filled");
    });
  }

  // -- the view

  get middle(): ScreenPoint {
    return { x: this.view.width / 2, y: this.view.height / 2 } as ScreenPoint;
  }

  zoomBy(factor: number, at: ScreenPoint = this.middle): void {
    this.view.zoomBy(factor, at);
    this.changed("view");
  }
  zoomTo(scale: number): void {
    this.view.zoomTo(scale, this.pointer ? this.view.toScreen(this.pointer) : this.middle);
    this.changed("view");
  }
  fit(): void {
    this.view.fit();
    this.changed("view");
  }
  moveBy(dx: number, dy: number): void {
    this.view.moveBy(dx, dy);
    this.changed("view");
  }
  setLight(brightness: number, contrast: number): void {
    this.brightness = brightness;
    this.contrast = contrast;
    this.changed("state");
  }

  // -- the keyboard's cursor

  private pointerAt(image: ImagePoint): PointerAt {
    return { image, screen: this.view.toScreen(image), shift: false };
  }

  /** Moves the cursor by steps as they are seen; with the pen down it paints. `far` is about a tenth of the view. */
  moveCursor(dx: number, dy: number, far: boolean): void {
    if (!this.mask) return;
    const { view } = this;
    const from = this.pointer ?? view.toImage(this.middle);
    const screen = view.toScreen({ x: Math.floor(from.x) + 0.5, y: Math.floor(from.y) + 0.5 } as ImagePoint);
    const step = far ? Math.max(1, Math.round(view.width / 12 / view.scale)) : Math.max(1, Math.round(2 / view.scale));
    const moved = view.toImage({ x: screen.x + dx * step * view.scale, y: screen.y + dy * step * view.scale } as ScreenPoint);
    const image = {
      x: Math.min(view.imageWidth - 0.5, Math.max(0.5, Math.floor(moved.x) + 0.5)),
      y: Math.min(view.imageHeight - 0.5, Math.max(0.5, Math.floor(moved.y) + 0.5)),
    } as ImagePoint;
    this.pointerIsKeyboard = true;
    this.move([this.pointerAt(image)]);
    this.keepInView(image);
  }

  private keepInView(image: ImagePoint): void {
    const at = this.view.toScreen(image);
    const edge = Math.min(40, this.view.width / 4, this.view.height / 4);
    const dx = at.x < edge ? edge - at.x : at.x > this.view.width - edge ? this.view.width - edge - at.x : 0;
    const dy = at.y < edge ? edge - at.y : at.y > this.view.height - edge ? this.view.height - edge - at.y : 0;
    if (dx !== 0 || dy !== 0) this.moveBy(dx, dy);
  }

  /** Uses the tool once where the keyboard's cursor is. */
  tapCursor(): void {
    if (!this.pointer || this.penDown) return;
    const at = this.pointerAt(this.pointer);
    this.press(at);
    this.release(at);
  }

  /** Puts the keyboard's pen down or lifts it; tools without strokes are used once. */
  toggleCursorPen(): void {
    if (!this.pointer) return;
    if (this.tool !== "brush" && this.tool !== "eraser") {
      this.tapCursor();
      return;
    }
    const at = this.pointerAt(this.pointer);
    if (this.penDown) {
      this.penDown = false;
      this.release(at);
    } else {
      this.press(at);
      this.penDown = this.pressed;
    }
    this.say(this.penDown ? "Pen down" : "Pen up");
  }

}

export const kToolTitles: Readonly<Record<ToolId, string>> = {
  brush: "Brush",
  eraser: "Eraser",
  polygon: "Polygon",
  polygonSubtract: "Subtract polygon",
  fill: "Fill area",
  wand: "Magic wand",
  assist: "Four clicks",
  pan: "Move view",
};
