// A photo's canvas with a layer's over it: what shows a mask on a photo, wherever the two come from.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { sheet } from "../../ui/style";
import type { IndexRaster } from "./indexedPng";
import { turnedSize, turning } from "./orientation";
import { painted, type Paint } from "./paint";

export interface Layer {
  raster: IndexRaster;
  paint: Paint;
}

export abstract class LayeredPhoto extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        background: var(--surface-sunken);
        border-radius: var(--radius);
        display: block;
        overflow: hidden;
        position: relative;
      }
      canvas {
        display: block;
        height: auto;
        width: 100%;
      }
      canvas.grey {
        filter: grayscale(1);
      }
      canvas.layer {
        height: 100%;
        inset: 0;
        position: absolute;
      }
    `,
  ];
  @property({ type: Number }) opacity = 0.6;
  /** The photo without its colours: those of the layer then mean something wherever they are. */
  @property({ type: Boolean }) grey = false;
  @property() label = "";

  protected get photoCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.photo")!;
  }
  protected get layerCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.layer")!;
  }
  protected override updated(_changed: PropertyValues): void {
    this.layerCanvas.style.opacity = String(this.opacity);
  }
  protected showPhoto(image: ImageBitmap, orientation: number): void {
    draw(this.photoCanvas, image, image.width, image.height, orientation);
  }
  /** Without a layer the photo stands alone. */
  protected showLayer(layer: Layer | null, orientation: number): void {
    const canvas = this.layerCanvas;
    if (!layer) {
      canvas.width = canvas.height = 1;
      return;
    }
    const { width, height } = layer.raster;
    const source = new OffscreenCanvas(width, height);
    source.getContext("2d")!.putImageData(new ImageData(painted(layer.raster, layer.paint), width, height), 0, 0);
    draw(canvas, source, width, height, orientation);
  }
  override render(): TemplateResult {
    return html`<canvas class=${this.grey ? "photo grey" : "photo"} width="4" height="3" role="img" aria-label=${this.label || nothing}></canvas
      ><canvas class="layer" width="1" height="1" aria-hidden="true"></canvas>`;
  }
}

/** The stored pixels, turned as they are looked at. */
function draw(canvas: HTMLCanvasElement, image: CanvasImageSource, width: number, height: number, orientation: number): void {
  const size = turnedSize(orientation, width, height);
  canvas.width = size.width;
  canvas.height = size.height;
  const context = canvas.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.setTransform(...turning(orientation, width, height));
  context.drawImage(image, 0, 0);
}
