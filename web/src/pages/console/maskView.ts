// A photo from the person's own disk with a mask over it; nothing is fetched.
import type { PropertyValues } from "lit";
import { property } from "lit/decorators.js";
import { LayeredPhoto, type Layer } from "./layeredPhoto";
import type { LocalPhoto } from "./tryOut";

/** `<p-mask-view .photo .layer .opacity label>` */
export class MaskView extends LayeredPhoto {
  @property({ attribute: false }) photo: LocalPhoto | null = null;
  @property({ attribute: false }) layer: Layer | null = null;

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { photo, layer } = this;
    if (changed.has("photo") && photo) this.showPhoto(photo.bitmap, photo.orientation);
    if (changed.has("layer")) this.showLayer(layer, photo?.orientation ?? 1);
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
}
customElements.define("p-mask-view", MaskView);
