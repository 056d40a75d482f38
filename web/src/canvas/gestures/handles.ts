// Points that can be taken hold of, as they are drawn: told apart by their signs, not by their colours alone.
import type { ScreenPoint } from "../../model/geometry";

export type HandleKind = "extreme" | "positive" | "negative";

/** The two colours of a handle stand out from one another by 4.5 : 1 and more, and one of them from any photo. */
export const kHandleColors: Readonly<Record<HandleKind, { fill: string; sign: string }>> = {
  extreme: { fill: "#000000", sign: "#ffffff" },
  positive: { fill: "#0b5c2b", sign: "#ffffff" },
  negative: { fill: "#9c1c12", sign: "#ffffff" },
};

/** CSS pixels: of what is seen, and around the point what a press takes hold of. */
const kRadius = 7;
export const kHandleReach = 14;

/** A ring through which the photo is seen, a plus or a minus. `density`: device pixels per CSS pixel. */
export function drawHandle(context: CanvasRenderingContext2D, at: ScreenPoint, kind: HandleKind, density: number, strong: boolean): void {
  const { fill, sign } = kHandleColors[kind];
  const radius = (strong ? kRadius + 2 : kRadius) * density;
  const stroke = (color: string, width: number): void => {
    context.strokeStyle = color;
    context.lineWidth = width * density;
    context.stroke();
  };
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  if (kind === "extreme") {
    stroke(fill, 6);
    stroke(sign, 2.5);
    return;
  }
  stroke("#000000", 5);
  stroke("#ffffff", 2);
  context.fillStyle = fill;
  context.fill();
  const arm = radius * 0.6;
  context.beginPath();
  context.moveTo(at.x - arm, at.y);
  context.lineTo(at.x + arm, at.y);
  if (kind === "positive") {
    context.moveTo(at.x, at.y - arm);
    context.lineTo(at.x, at.y + arm);
  }
  stroke(sign, 2);
}
