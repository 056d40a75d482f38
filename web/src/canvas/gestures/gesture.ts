// What a tool does with the pointer. One gesture lives as long as its tool is chosen.
import type { ImagePoint, ScreenPoint } from "../../model/geometry";
import type { Viewport } from "../../render/viewport";

export interface PointerAt {
  image: ImagePoint;
  screen: ScreenPoint;
  shift: boolean;
}

export interface Gesture {
  /** Something is begun and waits to be finished or cancelled. */
  readonly busy: boolean;
  /** There is something to draw over the photo. */
  readonly hasSketch: boolean;
  press(at: PointerAt): void;
  /** Moves while pressed, oldest first. */
  drag(points: readonly PointerAt[]): void;
  release(at: PointerAt): void;
  /** The press never happened; what it painted is taken back. */
  takeBackPress(): void;
  /** Moves while not pressed. */
  hover(at: PointerAt): void;
  leave(): void;
  finish(): void;
  /** Paints what is begun and complete enough for that; nothing else changes. */
  keep(): void;
  cancel(): void;
  /** Takes the last point back; false if there is none. */
  removeLast(): boolean;
  sketch(context: CanvasRenderingContext2D, view: Viewport): void;
}

/** The line twice, dark below light, so that it is seen on every photo. */
export function strokeVisibly(context: CanvasRenderingContext2D, color: string, width: number, dashed = false): void {
  context.lineJoin = "round";
  context.setLineDash([]);
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.lineWidth = width + 2;
  context.stroke();
  if (dashed) context.setLineDash([width * 4, width * 3]);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}
