// The photo on the page: canvases over one another, and the pointer on them. Draws at most once a frame, and only what changed.
import type { Box, ImagePoint, ScreenPoint } from "../model/geometry";
import { OverlayLayer, PhotoLayer } from "../render/layers";
import { overlayPalette, type OverlayPalette } from "../render/overlay";
import type { Photo } from "../render/photo";
import type { Editor } from "./editor";
import type { PointerAt } from "./gestures/gesture";

/** The elements of a stage, all in `root` and as large as it. */
export interface StageParts {
  root: HTMLElement; // takes the focus and the pointer
  photo: HTMLCanvasElement;
  overlay: HTMLCanvasElement;
  sketch: HTMLCanvasElement;
  cursor: HTMLElement;
}

/** More device pixels per CSS pixel than this are not drawn: nobody sees them, and they cost time. */
const kMostDensity = 2;
/** A stroke of a finger that is shorter than this and then becomes two fingers was no stroke. */
const kPinchAfter_ms = 300;

interface Finger {
  x: number;
  y: number;
}

export class Stage {
  private readonly photoLayer: PhotoLayer;
  private readonly overlayLayer: OverlayLayer;
  private palette: OverlayPalette = overlayPalette([]);
  private photo: Photo | null = null;
  private readonly observer: ResizeObserver;
  private readonly stopListening: () => void;
  private readonly stopScheme: () => void;
  private frameAsked = 0;
  private density = 1;
  private corner: { left: number; top: number } | null = null;
  private sized = false;

  // The pointer: who is down, and what a drag does.
  private drag: "tool" | "view" | null = null;
  private dragPointer = -1;
  private pressedSince = 0;
  private viewDraggedFrom: Finger = { x: 0, y: 0 };
  private readonly fingers = new Map<number, Finger>();
  private penSeen = false;
  private kind = "mouse";

  /** Called after each drawn frame. */
  drawn: () => void = () => {};

  constructor(
    private readonly editor: Editor,
    private readonly parts: StageParts,
  ) {
    this.photoLayer = new PhotoLayer(parts.photo);
    this.overlayLayer = new OverlayLayer(parts.overlay);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(parts.root);
    const stopEditor = editor.onChange((change) => {
      if (change === "colors") this.colors();
      this.requestFrame();
    });
    const { root } = parts;
    const events: [string, (event: never) => void, AddEventListenerOptions?][] = [
      ["pointerdown", (event: PointerEvent) => this.down(event)],
      ["pointermove", (event: PointerEvent) => this.move(event)],
      ["pointerup", (event: PointerEvent) => this.up(event, false)],
      ["pointercancel", (event: PointerEvent) => this.up(event, true)],
      ["pointerleave", (event: PointerEvent) => this.left(event)],
      ["dblclick", () => this.editor.tool !== "assist" && this.editor.finish()], // points may be set fast and close together
      ["contextmenu", (event: Event) => event.preventDefault()],
      ["wheel", (event: WheelEvent) => this.wheel(event), { passive: false }],
    ];
    for (const [name, listener, options] of events) root.addEventListener(name, listener as EventListener, options);
    const scrolled = (): void => void (this.corner = null);
    addEventListener("scroll", scrolled, { capture: true, passive: true });
    this.stopListening = () => {
      stopEditor();
      for (const [name, listener, options] of events) root.removeEventListener(name, listener as EventListener, options);
      removeEventListener("scroll", scrolled, { capture: true });
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const themed = (): void => this.themeChanged();
    scheme.addEventListener("change", themed);
    this.stopScheme = () => scheme.removeEventListener("change", themed);
    this.themeChanged();
    this.resize();
  }

  close(): void {
    this.observer.disconnect();
    this.stopListening();
    this.stopScheme();
    if (this.frameAsked) cancelAnimationFrame(this.frameAsked);
    this.frameAsked = -1;
  }

  /** Shows another photo, or none. */
  show(photo: Photo | null): void {
    this.photo = photo;
    this.photoLayer.invalidate();
    this.overlayLayer.invalidate();
    this.requestFrame();
  }

  /** The colours of the page changed. */
  themeChanged(): void {
    const ground = getComputedStyle(this.parts.root).getPropertyValue("--stage-ground").trim();
    if (!ground || ground === this.photoLayer.ground) return;
    this.photoLayer.ground = ground;
    this.photoLayer.invalidate();
    this.requestFrame();
  }

  /** More of the photo has been decoded. */
  photoChanged(): void {
    this.photoLayer.invalidate();
    this.requestFrame();
  }

  maskChanged(box: Box): void {
    this.overlayLayer.touch(box);
    this.requestFrame();
  }

  /** Device pixels per CSS pixel that are drawn. */
  get drawnDensity(): number {
    return this.density;
  }

  requestFrame(): void {
    if (this.frameAsked === 0) this.frameAsked = requestAnimationFrame(() => this.frame());
  }

  private colors(): void {
    const { editor } = this;
    this.palette = overlayPalette([...editor.shownColors].filter(([value]) => !editor.hidden.has(value)));
    this.overlayLayer.invalidate();
  }

  private resize(): void {
    const { root } = this.parts;
    const { view } = this.editor;
    this.corner = null;
    this.density = Math.min(kMostDensity, devicePixelRatio || 1);
    this.editor.density = this.density;
    const width = Math.max(1, Math.round(root.clientWidth * this.density));
    const height = Math.max(1, Math.round(root.clientHeight * this.density));
    if (width === view.width && height === view.height) return;
    const fitted = Math.abs(view.scale - view.fitScale) < 1e-9;
    view.resize(width, height);
    if (fitted || !this.sized) view.fit();
    this.sized = width > 1 && height > 1;
    this.requestFrame();
  }

  private frame(): void {
    this.frameAsked = 0;
    const { editor, parts } = this;
    const { view, mask } = editor;
    this.photoLayer.draw(view, this.photo);
    this.overlayLayer.draw(view, mask ? { pixels: mask.pixels, palette: this.palette, outline: editor.settings.outline } : null);
    const { style } = parts.overlay;
    set(style, "opacity", editor.settings.outline ? "1" : String(editor.settings.opacity));
    set(style, "visibility", editor.overlayHidden ? "hidden" : "visible");
    const plain = editor.brightness === 1 && editor.contrast === 1;
    set(parts.photo.style, "filter", plain ? "" : `brightness(${editor.brightness}) contrast(${editor.contrast})`);
    this.drawSketch();
    this.placeCursor();
    this.drawn();
  }

  private drawSketch(): void {
    const { sketch } = this.parts;
    const { view } = this.editor;
    const shown = this.editor.hasSketch;
    set(sketch.style, "display", shown ? "block" : "none");
    if (!shown) return;
    if (sketch.width !== view.width || sketch.height !== view.height) {
      sketch.width = view.width;
      sketch.height = view.height;
    }
    const context = sketch.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, view.width, view.height);
    this.editor.drawSketch(context);
  }

  private placeCursor(): void {
    const { cursor, root } = this.parts;
    const { editor, density } = this;
    const { pointer, view } = editor;
    const inView = pointer !== null && (editor.pointerIsKeyboard || this.kind !== "touch" || this.drag === "tool");
    const brush = editor.brushIsShown && this.drag !== "view";
    let size = (editor.settings.brushSize * view.scale) / density;
    const visible = brush && size >= 4;
    const point = editor.panning || editor.tool === "pan" || this.drag === "view" ? (this.drag === "view" ? "grabbing" : "grab") : visible ? "none" : editor.canPaint ? "crosshair" : "default";
    set(root.style, "cursor", point);
    const shown = inView && (visible || editor.pointerIsKeyboard);
    set(cursor.style, "display", shown ? "block" : "none");
    if (!shown || !pointer) return;
    const onePixel = editor.settings.brushSize === 1 && brush;
    let at = view.toScreen(pointer);
    if (onePixel) at = view.toScreen({ x: Math.floor(pointer.x) + 0.5, y: Math.floor(pointer.y) + 0.5 } as ImagePoint);
    if (!brush) size = 0;
    const wide = `${size.toFixed(2)}px`;
    set(cursor.style, "width", wide);
    set(cursor.style, "height", wide);
    set(cursor.style, "transform", `translate(${(at.x / density - size / 2).toFixed(2)}px, ${(at.y / density - size / 2).toFixed(2)}px)`);
    cursor.classList.toggle("square", onePixel);
    cursor.classList.toggle("keyboard", editor.pointerIsKeyboard);
    cursor.classList.toggle("down", editor.penDown);
  }

  // -- the pointer

  private at(event: MouseEvent): PointerAt {
    const { parts, density, editor } = this;
    if (!this.corner) {
      const { left, top } = parts.root.getBoundingClientRect();
      this.corner = { left: left + parts.root.clientLeft, top: top + parts.root.clientTop };
    }
    const screen = { x: (event.clientX - this.corner.left) * density, y: (event.clientY - this.corner.top) * density } as ScreenPoint;
    return { screen, image: editor.view.toImage(screen), shift: event.shiftKey };
  }

  private down(event: PointerEvent): void {
    const { editor, parts } = this;
    this.corner = null;
    const at = this.at(event);
    this.kind = event.pointerType;
    editor.pointerIsKeyboard = false;
    if (editor.penDown) editor.toggleCursorPen();
    parts.root.focus({ preventScroll: true });
    if (event.pointerType === "pen") this.penSeen = true;
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, at.screen);
      if (this.fingers.size === 2) {
        if (this.drag === "tool") {
          if (event.timeStamp - this.pressedSince < kPinchAfter_ms) editor.takeBackPress();
          else editor.endPress();
        }
        this.drag = null;
      }
      if (this.fingers.size > 1) return;
    }
    if (this.drag) return;
    parts.root.setPointerCapture(event.pointerId);
    event.preventDefault();
    // The second button, or on a Mac the first with Control, removes where points are set; elsewhere it does nothing.
    const second = editor.tool === "assist" && (event.button === 2 || (event.button === 0 && event.ctrlKey));
    editor.altHeld = event.altKey || event.button === 5 || second; // 5: the other end of a pen
    const movesView = event.button === 1 || editor.panning || editor.tool === "pan" || (event.pointerType === "touch" && this.penSeen);
    if (!movesView && !second && event.button !== 0 && event.button !== 5) return;
    this.drag = movesView ? "view" : "tool";
    this.dragPointer = event.pointerId;
    this.pressedSince = event.timeStamp;
    this.viewDraggedFrom = at.screen;
    if (this.drag === "tool") editor.press(at);
    this.requestFrame();
  }

  private move(event: PointerEvent): void {
    const { editor } = this;
    const at = this.at(event);
    this.kind = event.pointerType;
    if (event.pointerType === "touch" && this.fingers.size > 1) {
      this.pinch(event.pointerId, at.screen);
      return;
    }
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, at.screen);
    if (event.pointerType === "mouse" && event.movementX === 0 && event.movementY === 0 && editor.pointerIsKeyboard) return;
    editor.pointerIsKeyboard = false;
    if (this.drag && event.pointerId !== this.dragPointer) return;
    if (this.drag === "view") {
      const dx = Math.round(at.screen.x - this.viewDraggedFrom.x);
      const dy = Math.round(at.screen.y - this.viewDraggedFrom.y);
      this.viewDraggedFrom = { x: this.viewDraggedFrom.x + dx, y: this.viewDraggedFrom.y + dy };
      if (dx !== 0 || dy !== 0) editor.moveBy(dx, dy);
      return;
    }
    if (this.drag !== "tool" || event.pointerType !== "pen") editor.altHeld = event.altKey || (event.buttons & 32) !== 0;
    const all = this.drag === "tool" ? (event.getCoalescedEvents?.() ?? []) : [];
    editor.move(all.length > 0 ? all.map((one) => this.at(one)) : [at]);
  }

  private pinch(id: number, to: Finger): void {
    const before = [...this.fingers.values()];
    this.fingers.set(id, to);
    const after = [...this.fingers.values()];
    const [a, b] = before;
    const [c, d] = after;
    if (!a || !b || !c || !d) return;
    const from = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const now = { x: (c.x + d.x) / 2, y: (c.y + d.y) / 2 } as ScreenPoint;
    const apart = Math.hypot(a.x - b.x, a.y - b.y);
    this.editor.moveBy(now.x - from.x, now.y - from.y);
    if (apart > 0) this.editor.zoomBy(Math.hypot(c.x - d.x, c.y - d.y) / apart, now);
  }

  private up(event: PointerEvent, cancelled: boolean): void {
    const { editor } = this;
    this.fingers.delete(event.pointerId);
    if (event.pointerId !== this.dragPointer) return;
    if (this.drag === "tool") {
      if (cancelled) editor.endPress();
      else editor.release(this.at(event));
    }
    editor.altHeld = event.altKey;
    this.drag = null;
    this.dragPointer = -1;
    if (event.pointerType === "touch") editor.leave();
    this.requestFrame();
  }

  private left(event: PointerEvent): void {
    if (!this.drag && !this.editor.pointerIsKeyboard && event.pointerType !== "touch") this.editor.leave();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 32 : event.deltaMode === 2 ? 400 : 1;
    const amount = (event.deltaY || event.deltaX) * lines;
    if (event.altKey) {
      this.editor.stepBrushSize(amount > 0 ? -1 : 1);
      return;
    }
    const strength = event.ctrlKey ? 0.01 : 0.002;
    this.editor.zoomBy(Math.exp(-Math.max(-300, Math.min(300, amount)) * strength), this.at(event).screen);
  }
}

/** Writes a style only where it differs: an unchanged one costs nothing. */
function set(style: CSSStyleDeclaration, name: "opacity" | "visibility" | "filter" | "display" | "cursor" | "width" | "height" | "transform", value: string): void {
  if (style[name] !== value) style[name] = value;
}
