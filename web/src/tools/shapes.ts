// The shapes of brush and polygon as pixels. All of them are exact: coordinates are rounded to 1/16 pixel and limited to
// +-2^20 pixels, so that every comparison below is one of whole numbers that a double holds.
import { boxOf, type Box, type ImagePoint } from "../model/geometry";
import { Spans } from "../model/spans";

const unit = 16; // steps a pixel
const half = unit / 2;
const most = 2 ** 20 * unit;

function steps(value: number): number {
  return Math.max(-most, Math.min(most, Math.round(value * unit)));
}

function finite(...points: ImagePoint[]): boolean {
  return points.every((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}

/**
 * What a round brush covers when it is drawn from a to b, inside a photo of width x height pixels.
 * From a diameter of 2 on: the pixels whose centre is at most diameter / 2 from the segment a-b.
 * Below: one pixel wide, the line from the pixel of a to the pixel of b (both in it, each step to one of the eight
 * neighbours): along its longer direction one pixel each, where the line between the two pixel centres passes; the same in both
 * directions. A diameter that is not above 0, or a point that is no number, covers nothing.
 */
export function segment(a: ImagePoint, b: ImagePoint, diameter: number, width: number, height: number): Spans {
  const within = boxOf({ width, height });
  if (!finite(a, b) || !(diameter > 0)) return new Spans();
  return diameter < 2 ? thinLine(a, b, within) : capsule(a, b, Math.min(diameter, 2 ** 20), within);
}

function capsule(a: ImagePoint, b: ImagePoint, diameter: number, within: Box): Spans {
  const ax = steps(a.x);
  const ay = steps(a.y);
  const bx = steps(b.x);
  const by = steps(b.y);
  const radius = Math.round(diameter * half);
  const dx = bx - ax;
  const dy = by - ay;
  const squaredLength = dx * dx + dy * dy;
  const squaredRadius = radius * radius;
  const strip = squaredRadius * squaredLength;

  const covers = (x: number, y: number): boolean => {
    const px = x - ax;
    const py = y - ay;
    const along = px * dx + py * dy;
    if (along <= 0) return px * px + py * py <= squaredRadius;
    if (along >= squaredLength) return (x - bx) * (x - bx) + (y - by) * (y - by) <= squaredRadius;
    const across = px * dy - py * dx;
    return across * across <= strip;
  };

  const firstRow = Math.max(within.y0, Math.ceil((Math.min(ay, by) - radius - half) / unit));
  const lastRow = Math.min(within.y1 - 1, Math.floor((Math.max(ay, by) + radius - half) / unit));
  const spans = new Spans(Math.max(1, lastRow - firstRow + 1));
  const length = Math.sqrt(squaredLength);
  for (let row = firstRow; row <= lastRow; ++row) {
    const y = row * unit + half;
    // Where the row's line is inside, by real numbers: both discs and the strip between them. What is covered of a row is one run.
    let left = Infinity;
    let right = -Infinity;
    const disc = (cx: number, cy: number): void => {
      const room = squaredRadius - (y - cy) * (y - cy);
      if (room < 0) return;
      const reach = Math.sqrt(room);
      left = Math.min(left, cx - reach);
      right = Math.max(right, cx + reach);
    };
    disc(ax, ay);
    disc(bx, by);
    if (squaredLength > 0) {
      const along = interval(dx, (y - ay) * dy, 0, squaredLength);
      const across = interval(dy, -(y - ay) * dx, -radius * length, radius * length);
      const from = Math.max(along[0], across[0]) + ax;
      const to = Math.min(along[1], across[1]) + ax;
      if (from <= to) {
        left = Math.min(left, from);
        right = Math.max(right, to);
      }
    }
    if (left > right) continue;
    // Roots are rounded; the rule itself has the last word on the pixels at the ends.
    let x0 = Math.ceil((left - half) / unit);
    let x1 = Math.floor((right - half) / unit) + 1;
    while (covers((x0 - 1) * unit + half, y)) --x0;
    while (x0 < x1 && !covers(x0 * unit + half, y)) ++x0;
    while (covers(x1 * unit + half, y)) ++x1;
    while (x1 > x0 && !covers((x1 - 1) * unit + half, y)) --x1;
    spans.push(row, Math.max(x0, within.x0), Math.min(x1, within.x1));
  }
  return spans;
}

// Where low <= factor * t + offset <= high.
function interval(factor: number, offset: number, low: number, high: number): [number, number] {
  if (factor === 0) return offset >= low && offset <= high ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const one = (low - offset) / factor;
  const other = (high - offset) / factor;
  return one < other ? [one, other] : [other, one];
}

function thinLine(a: ImagePoint, b: ImagePoint, within: Box): Spans {
  const pixel = (value: number): number => Math.floor(steps(value) / unit);
  let ax = pixel(a.x);
  let ay = pixel(a.y);
  let bx = pixel(b.x);
  let by = pixel(b.y);
  if (ay > by || (ay === by && ax > bx)) [ax, ay, bx, by] = [bx, by, ax, ay];
  const spans = new Spans();
  const dx = Math.abs(bx - ax);
  const dy = by - ay;
  const toward = bx < ax ? -1 : 1;
  // The whole number nearest to part * short / long; halves go up.
  const nearest = (part: number, short: number, long: number): number =>
    long === 0 ? 0 : Math.floor((2 * part * short + long) / (2 * long));
  if (dy >= dx) {
    for (let y = Math.max(ay, within.y0); y < Math.min(by + 1, within.y1); ++y) {
      const x = ax + toward * nearest(y - ay, dx, dy);
      if (x >= within.x0 && x < within.x1) spans.push(y, x, x + 1);
    }
    return spans;
  }
  // Columns in order of rows; those of one row are a run.
  const first = Math.max(0, toward > 0 ? within.x0 - ax : ax - (within.x1 - 1));
  const last = Math.min(dx, toward > 0 ? within.x1 - 1 - ax : ax - within.x0);
  for (let k = first; k <= last; ) {
    const y = ay + nearest(k, dy, dx);
    let end = k + 1;
    while (end <= last && ay + nearest(end, dy, dx) === y) ++end;
    if (y >= within.y1) break;
    if (y >= within.y0) {
      if (toward > 0) spans.push(y, ax + k, ax + end);
      else spans.push(y, ax - end + 1, ax - k + 1);
    }
    k = end;
  }
  return spans;
}

interface Side {
  x: number; // at its upper end, in steps
  y: number;
  dx: number; // to its lower end
  dy: number; // above 0
  firstRow: number;
  endRow: number;
}

/**
 * The pixels of a photo of width x height pixels whose centre lies in the closed line through `points` by the even-odd rule: a ray from the centre to
 * the left crosses it an odd number of times. A side covers the heights from its upper end to just above its lower end, and a
 * crossing exactly at the centre counts. Fewer than three points, or one that is no number, cover nothing.
 */
export function polygon(points: readonly ImagePoint[], width: number, height: number): Spans {
  const within = boxOf({ width, height });
  const spans = new Spans();
  if (points.length < 3 || !finite(...points)) return spans;
  const sides: Side[] = [];
  for (let i = 0; i < points.length; ++i) {
    const p = points[i]!;
    const q = points[(i + 1) % points.length]!;
    const py = steps(p.y);
    const qy = steps(q.y);
    if (py === qy) continue;
    const [upper, lower] = py < qy ? [p, q] : [q, p];
    const x = steps(upper.x);
    const y = Math.min(py, qy);
    const firstRow = Math.max(within.y0, Math.ceil((y - half) / unit));
    const endRow = Math.min(within.y1, Math.ceil((Math.max(py, qy) - half) / unit));
    if (firstRow < endRow) sides.push({ x, y, dx: steps(lower.x) - x, dy: Math.abs(qy - py), firstRow, endRow });
  }
  sides.sort((a, b) => a.firstRow - b.firstRow);

  let waiting = 0;
  let active: Side[] = [];
  let row = sides.length > 0 ? sides[0]!.firstRow : within.y1;
  while (active.length > 0 || waiting < sides.length) {
    if (active.length === 0) row = sides[waiting]!.firstRow;
    while (waiting < sides.length && sides[waiting]!.firstRow <= row) active.push(sides[waiting++]!);
    const y = row * unit + half;
    // The first pixel whose centre is at or right of the crossing.
    const crossings = active.map((side) => Math.ceil(((side.x - half) * side.dy + (y - side.y) * side.dx) / (unit * side.dy)));
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2)
      spans.push(row, Math.max(crossings[i]!, within.x0), Math.min(crossings[i + 1]!, within.x1));
    ++row;
    if (active.some((side) => side.endRow <= row)) active = active.filter((side) => side.endRow > row);
  }
  return spans;
}
