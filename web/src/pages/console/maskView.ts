// A photo from the person's own disk with a mask over it; nothing is fetched.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { sheet } from "../../ui/style";
import type { IndexRaster } from "./indexedPng";
import { draw } from "./overlay";
import { painted, type Paint } from "./paint";
import type { LocalPhoto } from "./tryOut";

export interface Layer {
  raster: IndexRaster;
  paint: Paint;
}

/** `<p-mask-view .photo .layer .opacity label>` */
export class MaskView extends LitElement {
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
  @property({ attribute: false }) photo: LocalPhoto | null = null;
  @property({ attribute: false }) layer: Layer | null = null;
  @property({ type: Number }) opacity = 0.6;
  @property({ type: Boolean }) grey = false;
  @property() label = "";

  private get photoCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.photo")!;
  }
  private get layerCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.layer")!;
  }
  protected override updated(changed: Map<string, unknown>): void {
    this.layerCanvas.style.opacity = String(this.opacity);
    const { photo, layer } = this;
    if (changed.has("photo") && photo) draw(this.photoCanvas, photo.bitmap, photo.bitmap.width, photo.bitmap.height, photo.orientation);
    if (!changed.has("layer")) return;
    if (!layer) {
      this.layerCanvas.width = this.layerCanvas.height = 1;
      return;
    }
    const { width, height } = layer.raster;
    const source = new OffscreenCanvas(width, height);
    source.getContext("2d")!.putImageData(new ImageData(painted(layer.raster, layer.paint), width, height), 0, 0);
    draw(this.layerCanvas, source, width, height, photo?.orientation ?? 1);
  }
  /** What is seen, as a PNG of the photo's own size. */
  async png(): Promise<Blob> {
    const canvas = document.createElement("canvas");
    canvas.width = this.photoCanvas.width;
    canvas.height = this.photoCanvas.height;
    const context = canvas.getContext("2d")!;
    context.drawImage(this.photoCanvas, 0, 0);
    context.globalAlpha = this.opacity;
    if (this.layer) context.drawImage(this.layerCanvas, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser cannot make a PNG of this size."))), "image/png"),
    );
  }
  override render(): TemplateResult {
    return html`<canvas class=${this.grey ? "photo grey" : "photo"} width="4" height="3" role="img" aria-label=${this.label || nothing}></canvas
      ><canvas class="layer" width="1" height="1" aria-hidden="true"></canvas>`;
  }
}
customElements.define("p-mask-view", MaskView);
