import type { ImagePoint } from "../../model/geometry";
import type { Edit } from "../../model/mask";
import type { Viewport } from "../../render/viewport";
import { segment } from "../../tools/shapes";
import type { Editor } from "../editor";
import { strokeVisibly, type Gesture, type PointerAt } from "./gesture";

/** A stroke that lasts longer than this is handed on in parts, so that little of it can be lost. */
const kFlushAfter_ms = 400;

/**
 * Brush and eraser. Dragging paints; with Shift a straight line goes from the end of the last stroke (or from where the button
 * went down, if there was none) to where it is lifted.
 */
export class BrushGesture implements Gesture {
  private edit: Edit | null = null;
  private value = 0;
  private last: ImagePoint | null = null; // end of the last stroke, or of this one so far
  private line: { from: ImagePoint; to: ImagePoint } | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly editor: Editor,
    private readonly erases: boolean,
  ) {}

  get busy(): boolean {
    return this.edit !== null || this.line !== null;
  }
  get hasSketch(): boolean {
    return this.line !== null;
  }

  press(at: PointerAt): void {
    const { mask } = this.editor;
    if (!mask) return;
    this.value = this.editor.paintValue(this.erases);
    if (at.shift) {
      this.line = { from: this.last ?? at.image, to: at.image };
      return;
    }
    this.edit = mask.begin(this.editor.rules);
    this.paint(at.image, at.image);
    this.last = at.image;
  }

  drag(points: readonly PointerAt[]): void {
    for (const { image } of points) {
      if (this.line) this.line.to = image;
      else if (this.edit && this.last) {
        this.paint(this.last, image);
        this.last = image;
      }
    }
  }

  release(at: PointerAt): void {
    const { mask } = this.editor;
    if (this.line && mask) {
      const { from } = this.line;
      this.line = null;
      this.edit = mask.begin(this.editor.rules);
      this.paint(from, at.image);
      this.last = at.image;
    }
    this.stopTimer();
    this.edit?.commit();
    this.edit = null;
  }

  takeBackPress(): void {
    this.stopTimer();
    this.edit?.cancel();
    this.edit = null;
    this.line = null;
  }

  cancel(): void {
    this.takeBackPress();
    this.last = null;
  }

  finish(): void {}
  keep(): void {}
  hover(): void {}
  leave(): void {}
  removeLast(): boolean {
    return false;
  }

  sketch(context: CanvasRenderingContext2D, view: Viewport): void {
    if (!this.line) return;
    const from = view.toScreen(this.line.from);
    const to = view.toScreen(this.line.to);
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.lineCap = "round";
    context.globalAlpha = 0.5;
    context.strokeStyle = this.editor.color(this.value);
    context.lineWidth = Math.max(1, this.editor.settings.brushSize * view.scale);
    context.stroke();
    context.globalAlpha = 1;
    strokeVisibly(context, "#ffffff", 1, true);
  }

  private paint(from: ImagePoint, to: ImagePoint): void {
    const { mask, settings } = this.editor;
    if (!mask || !this.edit) return;
    if (!this.edit.paint(segment(from, to, settings.brushSize, mask.width, mask.height), this.value)) return;
    this.editor.modified = true;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.edit?.flush();
    }, kFlushAfter_ms);
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
