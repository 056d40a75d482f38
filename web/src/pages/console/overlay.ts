// A photo with a mask or heat map over it.
import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { ApiError, address, client } from "../../api/client";
import { problemText } from "../../ui/toast";
import { readIndices, type IndexRaster } from "./indexedPng";
import { LayeredPhoto } from "./layeredPhoto";
import { heatPaint, type Paint } from "./paint";

/**
 * `<p-overlay .photo="requester/jobs/…/photo" .layer="requester/jobs/…/mask" .paint .opacity .width>`; loads when it comes into
 * view. A layer that is not there (404) leaves the photo alone.
 */
export class Overlay extends LayeredPhoto {
  static override styles = [
    ...LayeredPhoto.styles,
    css`
      :host {
        min-height: 60px;
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
  /** Of the reduced photo, in stored pixels. */
  @property({ type: Number }) width = 640;
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
  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    if (!this.inView) return;
    if (changed.has("photo") || changed.has("width")) void this.loadPhoto();
    else if (changed.has("layer") || changed.has("version")) void this.loadLayer();
    else if (changed.has("paint")) this.drawLayer();
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
      this.showPhoto(image, this.orientation);
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
    this.showLayer(this.raster && { raster: this.raster, paint: this.paint }, this.orientation);
  }
  override render(): TemplateResult {
    return html`${super.render()}
      ${this.problem ? html`<span class="note bad">${this.problem}</span>` : nothing}
      ${this.noLayer ? html`<span class="note">No mask yet</span>` : nothing}`;
  }
}
customElements.define("p-overlay", Overlay);
