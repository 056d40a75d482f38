// How a photo lies on the screen: turned by its EXIF orientation, scaled, moved. Screen coordinates are device pixels of the
// canvas, image coordinates are stored pixels of the photo. Offsets are whole device pixels, so that a moved view can be copied
// instead of drawn anew.
import type { Box, ImagePoint, ScreenPoint } from "../model/geometry";

/** The most device pixels one photo pixel may cover. */
export const kMostScale = 64;

/** Where samples of stored pixels lie for a run of screen pixels: pixels[across[i] + down[j]]. */
export interface SampleTable {
  across: Int32Array; // one entry a column of the screen box
  down: Int32Array; // one entry a row
}

export class Viewport {
  /** Size of the canvas in device pixels. */
  width = 1;
  height = 1;
  /** Stored size of the photo. */
  imageWidth = 1;
  imageHeight = 1;
  /** EXIF orientation, 1..8. */
  orientation = 1;
  /** Device pixels per photo pixel. */
  scale = 1;
  /** Screen position of the turned photo's upper left corner; whole numbers. */
  offsetX = 0;
  offsetY = 0;

  /** Size of the photo as it is seen, turned. */
  get turnedWidth(): number {
    return this.orientation > 4 ? this.imageHeight : this.imageWidth;
  }
  get turnedHeight(): number {
    return this.orientation > 4 ? this.imageWidth : this.imageHeight;
  }

  /** The scale at which the whole photo is seen with a margin. */
  get fitScale(): number {
    const margin = Math.min(24, this.width / 20, this.height / 20);
    return Math.min(kMostScale, (this.width - 2 * margin) / this.turnedWidth, (this.height - 2 * margin) / this.turnedHeight);
  }

  get leastScale(): number {
    return Math.min(1, this.fitScale) / 4;
  }

  /** Shows the whole photo, centred. */
  fit(): void {
    this.setScale(this.fitScale);
    this.offsetX = Math.round((this.width - this.turnedWidth * this.scale) / 2);
    this.offsetY = Math.round((this.height - this.turnedHeight * this.scale) / 2);
  }

  /** Changes the scale to at most kMostScale and at least leastScale; the photo's point under `at` stays there. */
  zoomTo(scale: number, at: ScreenPoint): void {
    const u = (at.x - this.offsetX) / this.scale;
    const v = (at.y - this.offsetY) / this.scale;
    this.setScale(scale);
    this.offsetX = Math.round(at.x - u * this.scale);
    this.offsetY = Math.round(at.y - v * this.scale);
    this.keepInSight();
  }

  zoomBy(factor: number, at: ScreenPoint): void {
    this.zoomTo(this.scale * factor, at);
  }

  /** Moves the view by device pixels; some of the photo always stays in sight. */
  moveBy(dx: number, dy: number): void {
    this.offsetX += Math.round(dx);
    this.offsetY += Math.round(dy);
    this.keepInSight();
  }

  /** The canvas has another size; what was in the middle stays there. */
  resize(width: number, height: number): void {
    this.offsetX += Math.round((width - this.width) / 2);
    this.offsetY += Math.round((height - this.height) / 2);
    this.width = width;
    this.height = height;
    this.keepInSight();
  }

  private setScale(scale: number): void {
    this.scale = Math.min(kMostScale, Math.max(this.leastScale, scale));
  }

  private keepInSight(): void {
    const least = 48;
    const wide = this.turnedWidth * this.scale;
    const high = this.turnedHeight * this.scale;
    this.offsetX = Math.round(Math.min(this.width - Math.min(least, wide), Math.max(Math.min(least, wide) - wide, this.offsetX)));
    this.offsetY = Math.round(Math.min(this.height - Math.min(least, high), Math.max(Math.min(least, high) - high, this.offsetY)));
  }

  /** The matrix a, b, c, d, e, f of CanvasRenderingContext2D.setTransform from stored pixels to the screen. */
  matrix(): [number, number, number, number, number, number] {
    const s = this.scale;
    const right = this.offsetX + this.turnedWidth * s;
    const bottom = this.offsetY + this.turnedHeight * s;
    const left = this.offsetX;
    const top = this.offsetY;
    switch (this.orientation) {
      case 2:
        return [-s, 0, 0, s, right, top];
      case 3:
        return [-s, 0, 0, -s, right, bottom];
      case 4:
        return [s, 0, 0, -s, left, bottom];
      case 5:
        return [0, s, s, 0, left, top];
      case 6:
        return [0, s, -s, 0, right, top];
      case 7:
        return [0, -s, -s, 0, right, bottom];
      case 8:
        return [0, -s, s, 0, left, bottom];
      default:
        return [s, 0, 0, s, left, top];
    }
  }

  toScreen(p: ImagePoint): ScreenPoint {
    const [a, b, c, d, e, f] = this.matrix();
    return { x: a * p.x + c * p.y + e, y: b * p.x + d * p.y + f } as ScreenPoint;
  }

  toImage(p: ScreenPoint): ImagePoint {
    const [a, b, c, d, e, f] = this.matrix();
    const determinant = a * d - b * c;
    const x = p.x - e;
    const y = p.y - f;
    return { x: (d * x - c * y) / determinant, y: (a * y - b * x) / determinant } as ImagePoint;
  }

  /** The screen pixels, clipped to the canvas, that show any of these photo pixels. */
  screenBox(box: Box): Box {
    const p = this.toScreen({ x: box.x0, y: box.y0 } as ImagePoint);
    const q = this.toScreen({ x: box.x1, y: box.y1 } as ImagePoint);
    return {
      x0: Math.max(0, Math.floor(Math.min(p.x, q.x))),
      y0: Math.max(0, Math.floor(Math.min(p.y, q.y))),
      x1: Math.min(this.width, Math.ceil(Math.max(p.x, q.x))),
      y1: Math.min(this.height, Math.ceil(Math.max(p.y, q.y))),
    };
  }

  /** The screen pixels whose centres lie on the photo. */
  photoBox(): Box {
    const edge = (n: number): number => Math.ceil(n - 0.5);
    return {
      x0: Math.max(0, edge(this.offsetX)),
      y0: Math.max(0, edge(this.offsetY)),
      x1: Math.min(this.width, edge(this.offsetX + this.turnedWidth * this.scale)),
      y1: Math.min(this.height, edge(this.offsetY + this.turnedHeight * this.scale)),
    };
  }

  /** The photo pixels that are in sight, half-open and clipped to the photo. */
  visibleImageBox(): Box {
    const p = this.toImage({ x: 0, y: 0 } as ScreenPoint);
    const q = this.toImage({ x: this.width, y: this.height } as ScreenPoint);
    return {
      x0: Math.max(0, Math.floor(Math.min(p.x, q.x))),
      y0: Math.max(0, Math.floor(Math.min(p.y, q.y))),
      x1: Math.min(this.imageWidth, Math.ceil(Math.max(p.x, q.x))),
      y1: Math.min(this.imageHeight, Math.ceil(Math.max(p.y, q.y))),
    };
  }

  /** Which photo pixel lies under the centre of each screen pixel of `box`, which must lie within photoBox(). */
  samples(box: Box): SampleTable {
    const turned = this.orientation > 4;
    const alongX = (this.orientation & 3) === 2 || (this.orientation & 3) === 3; // 2, 3, 6, 7: the seen x runs against the stored axis
    const alongY = this.orientation === 3 || this.orientation === 4 || this.orientation === 7 || this.orientation === 8;
    const across = this.axis(box.x0, box.x1, this.offsetX, this.turnedWidth, alongX, turned ? this.imageWidth : 1);
    const down = this.axis(box.y0, box.y1, this.offsetY, this.turnedHeight, alongY, turned ? 1 : this.imageWidth);
    return { across, down };
  }

  private axis(from: number, to: number, offset: number, length: number, against: boolean, stride: number): Int32Array {
    const table = new Int32Array(Math.max(0, to - from));
    for (let i = 0; i < table.length; ++i) {
      const at = Math.min(length - 1, Math.max(0, Math.floor((from + i + 0.5 - offset) / this.scale)));
      table[i] = (against ? length - 1 - at : at) * stride;
    }
    return table;
  }
}
