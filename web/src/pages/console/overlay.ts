// A photo with a mask or heat map over it.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { ApiError, address, client } from "../../api/client";
import { sheet } from "../../ui/style";
import { problemText } from "../../ui/toast";
import { readIndices, type IndexRaster } from "./indexedPng";
import { turnedSize, turning } from "./orientation";
import { heatPaint, painted, type Paint } from "./paint";

/**
 * `<p-overlay .photo="requester/jobs/…/photo" .layer="requester/jobs/…/mask" .paint .opacity .width>`; loads when it comes into
 * view. A layer that is not there (404) leaves the photo alone.
 */
export class Overlay extends LitElement {
  static override styles = [
    sheet,
    css`
      :host {
        background: var(--surface-sunken);
        border-radius: var(--radius);
        display: block;
        min-height: 60px;
        overflow: hidden;
        position: relative;
      }
      canvas {
        display: block;
        height: auto;
        image-rendering: auto;
        max-width: 100%;
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
      .note {
        bottom: 6px;
        left: 6px;
        padding: 3px 8px;
        position: absolute;
        right: 6px;
      }
    `,
  ];
  @property() photo = "";
  @property() layer: string | null = null;
  @property({ attribute: false }) paint: Paint = heatPaint();
  @property({ type: Number }) opacity = 0.6;
  /** The photo without its colours: those of the layer then mean something wherever they are. */
  @property({ type: Boolean }) grey = false;
  /** Of the reduced photo, in stored pixels. */
  @property({ type: Number }) width = 640;
  @property() label = "";
  /** Changes when the layer should be fetched again. */
  @property() version: string | number = "";
  @state() private problem = "";
  @state() private noLayer = false;

  private raster: IndexRaster | null = null;
  private orientation = 1;
  private inView = false;
  private loads = new AbortController();
  private readonly watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.watch.disconnect();
      this.inView = true;
      void this.loadPhoto();
    },
    { rootMargin: "300px" },
  );

  override connectedCallback(): void {
    super.connectedCallback();
    this.loads = new AbortController();
    this.watch.observe(this);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.watch.disconnect();
    this.loads.abort();
  }
  protected override updated(changed: PropertyValues<this>): void {
    this.layerCanvas.style.opacity = String(this.opacity);
    if (!this.inView) return;
    if (changed.has("photo") || changed.has("width")) void this.loadPhoto();
    else if (changed.has("layer") || changed.has("version")) void this.loadLayer();
    else if (changed.has("paint")) this.drawLayer();
  }
  private get photoCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.photo")!;
  }
  private get layerCanvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector<HTMLCanvasElement>("canvas.layer")!;
  }
  private async fetchBytes(path: string): Promise<Response> {
    return client.send("GET", address(path, { width: this.width }), undefined, this.loads.signal);
  }
  private async loadPhoto(): Promise<void> {
    const photo = this.photo;
    if (!photo) return;
    try {
      const answer = await this.fetchBytes(photo);
      const image = await createImageBitmap(await answer.blob());
      if (photo !== this.photo) return;
      this.problem = "";
      this.orientation = Number(answer.headers.get("X-Orientation")) || 1;
      draw(this.photoCanvas, image, image.width, image.height, this.orientation);
      await this.loadLayer();
    } catch (thrown) {
      if (!this.loads.signal.aborted) this.problem = problemText(thrown);
    }
  }
  private async loadLayer(): Promise<void> {
    const layer = this.layer;
    this.noLayer = false;
    if (!layer) {
      this.raster = null;
      this.drawLayer();
      return;
    }
    try {
      const answer = await this.fetchBytes(layer);
      const raster = await readIndices(new Uint8Array(await answer.arrayBuffer()));
      if (layer !== this.layer) return;
      this.raster = raster;
    } catch (thrown) {
      if (this.loads.signal.aborted || layer !== this.layer) return;
      this.raster = null;
      if (thrown instanceof ApiError && thrown.status === 404) this.noLayer = true;
      else this.problem = problemText(thrown);
    }
    this.drawLayer();
  }
  private drawLayer(): void {
    const canvas = this.layerCanvas;
    const raster = this.raster;
    if (!raster) {
      canvas.width = canvas.height = 1;
      return;
    }
    const source = new OffscreenCanvas(raster.width, raster.height);
    source.getContext("2d")!.putImageData(new ImageData(painted(raster, this.paint), raster.width, raster.height), 0, 0);
    draw(canvas, source, raster.width, raster.height, this.orientation);
  }
  override render(): TemplateResult {
    return html`<canvas class=${this.grey ? "photo grey" : "photo"} width="4" height="3" role="img" aria-label=${this.label || nothing}></canvas
      ><canvas class="layer" width="1" height="1" aria-hidden="true"></canvas>
      ${this.problem ? html`<span class="note bad">${this.problem}</span>` : nothing}
      ${this.noLayer ? html`<span class="note">No mask yet</span>` : nothing}`;
  }
}
customElements.define("p-overlay", Overlay);

/** The stored pixels, turned as they are looked at. */
export function draw(
  canvas: HTMLCanvasElement,
  image: CanvasImageSource,
  width: number,
  height: number,
  orientation: number,
): void {
  const size = turnedSize(orientation, width, height);
  canvas.width = size.width;
  canvas.height = size.height;
  const context = canvas.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.setTransform(...turning(orientation, width, height));
  context.drawImage(image, 0, 0);
}
