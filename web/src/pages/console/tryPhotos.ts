// Photos dropped on one endpoint, or on two to compare them: masks over them, classes' shares, where the two differ.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { address, client } from "../../api/client";
import type { PhotoAnswer } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { icons } from "../../ui/icons";
import { sheet } from "../../ui/style";
import { busy, problemText } from "../../ui/toast";
import { countText, percentText } from "../../ui/words";
import type { Layer } from "./layeredPhoto";
import "./maskView";
import type { MaskView } from "./maskView";
import { heatPaint } from "./paint";
import { photoDrop, photoDropStyle } from "./photoDrop";
import "./swatch";
import { differenceOf, openPhoto, readAnswer, sharesOf, type LocalPhoto, type Seen } from "./tryOut";

const kMostPhotos = 12;
const kMostBytes = 64 << 20; // of one photo: what an endpoint takes

interface Tried {
  id: number;
  name: string;
  photo: LocalPhoto | null;
  /** By endpoint: what it said, or why it did not. */
  seen: (Seen | string | null)[];
  layers: (Layer | null)[];
  difference: { layer: Layer; pixels: number } | null;
  problem: string;
}

/** `<p-try-photos .endpoints=${["a", "b"]}>` */
class TryPhotos extends LitElement {
  static override styles = [
    sheet,
    photoDropStyle,
    css`
      .tools {
        align-items: center;
        display: flex;
        gap: 10px;
      }
      .tools input {
        max-width: 200px;
      }
      .tools label {
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      .views {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr));
      }
      figure {
        align-content: start;
        display: grid;
        gap: 6px;
        margin: 0;
        max-width: 760px;
      }
      ul {
        display: grid;
        gap: 2px;
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        display: flex;
        gap: 14px;
        justify-content: space-between;
      }
      li span {
        font-variant-numeric: tabular-nums;
      }
      article {
        border-top: 1px solid var(--line);
        display: grid;
        gap: 10px;
        grid-template-columns: minmax(0, 1fr);
        padding-top: 14px;
      }
    `,
  ];
  @property({ attribute: false }) endpoints: string[] = [];
  @state() private tried: Tried[] = [];
  @state() private opacity = 0.6;
  private next = 1;
  private readonly heat = heatPaint();
  private queue: Promise<void> = Promise.resolve();

  protected override willUpdate(changed: Map<string, unknown>): void {
    const before = changed.get("endpoints") as string[] | undefined;
    if (!before || before.join() === this.endpoints.join()) return;
    // Others are asked about the photos that are here.
    const photos = this.tried.flatMap(({ photo }) => photo ?? []);
    this.tried = photos.map((photo) => this.fresh(photo.name, photo));
    for (const one of this.tried) this.enqueue(one.id);
  }
  private fresh(name: string, photo: LocalPhoto | null): Tried {
    const none = this.endpoints.map(() => null);
    return { id: this.next++, name, photo, seen: none, layers: none, difference: null, problem: "" };
  }
  private change(id: number, change: Partial<Tried>): void {
    this.tried = this.tried.map((one) => (one.id === id ? { ...one, ...change } : one));
  }
  private take(files: File[]): void {
    for (const file of files) {
      const made = this.fresh(file.name, null);
      this.tried = [made, ...this.tried].slice(0, kMostPhotos);
      if (file.size > kMostBytes) {
        this.change(made.id, { problem: "It has more than 64 MiB; an endpoint takes no more." });
        continue;
      }
      void openPhoto(file).then(
        (photo) => {
          this.change(made.id, { photo });
          this.enqueue(made.id);
        },
        (thrown: unknown) => this.change(made.id, { problem: problemText(thrown) }),
      );
    }
  }
  // One photo after the other: many would only wait for each other.
  private enqueue(id: number): void {
    this.queue = this.queue.then(() => this.look(id)).catch(() => undefined);
  }
  private async look(id: number): Promise<void> {
    const one = this.tried.find((tried) => tried.id === id);
    if (!one?.photo || !this.isConnected) return;
    const { blob } = one.photo;
    const endpoints = this.endpoints;
    const seen = await Promise.all(endpoints.map((name) => this.ask(name, blob)));
    if (endpoints !== this.endpoints) return;
    const layers = seen.map((answer) => (typeof answer === "string" ? null : { raster: answer.raster, paint: answer.paint }));
    let difference: Tried["difference"] = null;
    const [a, b] = seen;
    if (a && b && typeof a !== "string" && typeof b !== "string") {
      const { raster, pixels } = differenceOf(a, b);
      difference = { layer: { raster, paint: this.heat }, pixels };
    }
    this.change(id, { seen, layers, difference });
  }
  private async ask(endpoint: string, photo: Blob): Promise<Seen | string> {
    const begun = performance.now();
    try {
      const answer = await client.send("POST", address(`console/endpoints/${part(endpoint)}/photo`), photo);
      const milliseconds = performance.now() - begun;
      return await readAnswer((await answer.json()) as PhotoAnswer, answer.headers.get("X-Variant") ?? "", milliseconds);
    } catch (thrown) {
      return problemText(thrown);
    }
  }
  override render(): TemplateResult {
    return html`<div class="stack">
      ${photoDrop(
        { heading: "Drop photos here, or choose them", hint: "JPEG, PNG or WebP. They go to the model and are not kept." },
        (files) => this.take(files),
      )}
      ${this.tried.length > 0
        ? html`<div class="tools">
            <label for="opacity">Mask ${Math.round(100 * this.opacity)} %</label>
            <input
              id="opacity"
              type="range"
              min="0"
              max="100"
              step="5"
              .value=${String(Math.round(100 * this.opacity))}
              @input=${(event: Event) => (this.opacity = Number((event.target as HTMLInputElement).value) / 100)}
            />
          </div>`
        : nothing}
      ${this.tried.map((one) => this.photo(one))}
    </div>`;
  }
  private photo(one: Tried): TemplateResult {
    return html`<article aria-label=${one.name}>
      <div class="row between">
        <h3>${one.name}</h3>
        <button class="plain small" aria-label="Remove ${one.name}" @click=${() => (this.tried = this.tried.filter(({ id }) => id !== one.id))}>
          ${icons.close}
        </button>
      </div>
      ${one.problem ? html`<p class="note bad" role="alert">${one.problem}</p>` : nothing}
      ${one.photo
        ? html`<div class="views">
            ${this.endpoints.map((endpoint, at) => this.view(one, endpoint, at))} ${one.difference ? this.difference(one, one.difference) : nothing}
          </div>`
        : nothing}
    </article>`;
  }
  private view(one: Tried, endpoint: string, at: number): TemplateResult {
    const seen = one.seen[at] ?? null;
    const answer = seen !== null && typeof seen !== "string" ? seen : null;
    return html`<figure>
      ${this.endpoints.length > 1 ? html`<strong>${endpoint}</strong>` : nothing}
      <p-mask-view
        data-endpoint=${endpoint}
        .photo=${one.photo}
        .layer=${one.layers[at] ?? null}
        .opacity=${this.opacity}
        label="${one.name} with the mask of ${endpoint}"
      ></p-mask-view>
      ${seen === null ? html`<p class="quiet" role="status">The model is looking …</p>` : nothing}
      ${typeof seen === "string" ? html`<p class="note bad" role="alert">${seen}</p>` : nothing}
      ${answer ? this.figures(one, answer) : nothing}
    </figure>`;
  }
  private figures(one: Tried, answer: Seen): TemplateResult {
    const name = one.name.replace(/\.[^.]*$/, "");
    return html`<ul aria-label="Shares of the classes">
        ${sharesOf(answer.classes).map(
          ({ name: label, color, share }) =>
            html`<li><p-swatch .category=${{ label, color, void: false }}></p-swatch><span>${percentText(share)}</span></li>`,
        )}
      </ul>
      <div class="row">
        <button class="small" @click=${busy((event) => this.savePicture(event, `${name}-overlay.png`))}>${icons.download} Overlay</button>
        <button class="small" @click=${() => save(answer.mask, `${name}.png`)}>${icons.download} Mask</button>
        <span class="quiet">${Math.round(answer.milliseconds)} ms${answer.variant && answer.variant !== "AllTraffic" ? `, variant ${answer.variant}` : ""}</span>
      </div>`;
  }
  private difference(one: Tried, { layer, pixels }: NonNullable<Tried["difference"]>): TemplateResult {
    const all = layer.raster.width * layer.raster.height;
    return html`<figure>
      <strong>Where they differ</strong>
      <p-mask-view data-difference .photo=${one.photo} .layer=${layer} .opacity=${0.85} grey label="Where the two masks of ${one.name} differ"></p-mask-view>
      <p>${pixels === 0 ? "They agree on every pixel." : `${countText(pixels)} pixels differ, ${percentText(pixels / all)}.`}</p>
    </figure>`;
  }
  private async savePicture(event: Event, name: string): Promise<void> {
    const view = (event.currentTarget as HTMLElement).closest("figure")!.querySelector<MaskView>("p-mask-view")!;
    save(await view.png(), name);
  }
}
customElements.define("p-try-photos", TryPhotos);

function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The download has its own hold on the content once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
