import type { ImagePoint } from "../../model/geometry";
import type { Viewport } from "../../render/viewport";
import { polygon } from "../../tools/shapes";
import type { Editor } from "../editor";
import { strokeVisibly, type Gesture, type PointerAt } from "./gesture";

/** Screen pixels between the points of a freehand line; and how near the first point a press closes. */
const kFreehandStep = 3;
const kCloseDistance = 9;

/**
 * A polygon, point by point, or freehand by dragging; both may be mixed. A drag that begins the polygon closes it where it ends.
 */
export class PolygonGesture implements Gesture {
  private points: ImagePoint[] = [];
  private ahead: ImagePoint | null = null; // where the pointer is
  private pressedAt = 0; // number of points before this press
  private dragged = false;
  private closes = false;

  constructor(
    private readonly editor: Editor,
    private readonly subtracts: boolean,
  ) {}

  get busy(): boolean {
    return this.points.length > 0;
  }
  get hasSketch(): boolean {
    return this.points.length > 0;
  }

  press(at: PointerAt): void {
    this.pressedAt = this.points.length;
    this.dragged = false;
    this.closes = this.points.length >= 3 && this.near(at, this.points[0]!, kCloseDistance);
    if (!this.closes) this.points.push(at.image);
    this.ahead = at.image;
  }

  drag(points: readonly PointerAt[]): void {
    for (const at of points) {
      this.ahead = at.image;
      const last = this.points[this.points.length - 1];
      if (this.closes || !last || this.near(at, last, kFreehandStep)) continue;
      this.points.push(at.image);
      this.dragged = true;
    }
  }

  release(): void {
    if (this.closes || (this.dragged && this.pressedAt === 0 && this.points.length >= 8)) this.finish();
  }

  takeBackPress(): void {
    this.points.length = Math.min(this.points.length, this.pressedAt);
    this.closes = false;
  }

  hover(at: PointerAt): void {
    this.ahead = at.image;
  }
  leave(): void {
    this.ahead = null;
  }

  finish(): void {
    const { mask } = this.editor;
    const points = this.points.splice(0);
    this.closes = false;
    if (!mask || points.length < 3) {
      if (points.length > 0) this.editor.say("A polygon needs three points.");
      return;
    }
    this.editor.paint(polygon(points, mask.width, mask.height), this.editor.paintValue(this.subtracts));
    this.editor.say(this.subtracts ? "Polygon subtracted" : "Polygon painted");
  }

  keep(): void {}

  cancel(): void {
    this.points.length = 0;
    this.closes = false;
  }

  removeLast(): boolean {
    return this.points.pop() !== undefined;
  }

  sketch(context: CanvasRenderingContext2D, view: Viewport): void {
    const seen = this.points.map((point) => view.toScreen(point));
    const first = seen[0];
    if (!first) return;
    const color = this.editor.paintValue(this.subtracts) === 0 ? "#ffffff" : this.editor.color(this.editor.value);
    const ahead = this.ahead && !this.editor.isPressed ? view.toScreen(this.ahead) : null;
    context.beginPath();
    for (const { x, y } of seen) context.lineTo(x, y);
    if (ahead) context.lineTo(ahead.x, ahead.y);
    context.globalAlpha = 0.25;
    context.fillStyle = color;
    context.fill("evenodd");
    context.globalAlpha = 1;
    strokeVisibly(context, color, 2, this.subtracts);
    // Handles only where there is room for them: a freehand line has a point every few pixels.
    for (const [index, { x, y }] of seen.entries()) {
      const before = seen[index - 1];
      if (index > 0 && before && Math.hypot(x - before.x, y - before.y) < 8) continue;
      context.beginPath();
      context.arc(x, y, index === 0 ? 5 : 3, 0, 2 * Math.PI);
      context.fillStyle = index === 0 ? "#ffffff" : color;
      context.fill();
      context.strokeStyle = "#000000";
      context.lineWidth = 1;
      context.stroke();
    }
  }

  private near(at: PointerAt, point: ImagePoint, distance: number): boolean {
    const seen = this.editor.view.toScreen(point);
    return Math.hypot(at.screen.x - seen.x, at.screen.y - seen.y) < distance;
  }
}
