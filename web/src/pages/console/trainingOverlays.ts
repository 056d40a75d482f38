// Photos of the validation as the network sees them, epoch by epoch, beside what was labelled.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { address, client } from "../../api/client";
import type { OverlayIndex } from "../../api/controlFacts";
import { Poll } from "../../ui/poll";
import { sheet } from "../../ui/style";
import { loading, pollNote } from "../../ui/waiting";
import { lastPart } from "../../ui/words";

const kEveryMs = 3000;

/** `<p-training-overlays path="console/training-jobs/…/overlays" ?ended>` */
class TrainingOverlays extends LitElement {
  static override styles = [
    sheet,
    css`
      .photos {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr));
      }
      figure {
        display: grid;
        gap: 4px;
        margin: 0;
      }
      .pair {
        display: grid;
        gap: 4px;
        grid-template-columns: 1fr 1fr;
      }
      img {
        background: var(--surface-sunken);
        border-radius: 6px;
        display: block;
        height: auto;
        width: 100%;
      }
      .slider {
        align-items: center;
        display: flex;
        gap: 12px;
      }
      .slider label {
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      .slider input {
        max-width: 360px;
      }
      figcaption {
        color: var(--text-quiet);
        font-size: 0.92em;
        overflow-wrap: anywhere;
      }
    `,
  ];
  @property() path = "";
  @property({ type: Boolean }) ended = false;
  @state() private index: OverlayIndex | null = null;
  /** Of the list of epochs; null: always the last. */
  @state() private chosen: number | null = null;
  private whole = false;
  private readonly poll = new Poll(this, kEveryMs, async (signal) => {
    if (this.whole || !this.path) return;
    const ended = this.ended;
    this.index = await client.get<OverlayIndex>(this.path, {}, signal);
    this.whole = ended;
  });

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("path") && changed.get("path")) {
      this.index = null;
      this.chosen = null;
      this.whole = false;
      this.poll.now();
    } else if (changed.has("ended") && this.ended) {
      this.poll.now(); // what was just asked for may lack the last epoch
    }
  }
  private choose(event: Event): void {
    const at = Number((event.target as HTMLInputElement).value);
    this.chosen = at === (this.index?.epochs.length ?? 0) - 1 ? null : at;
  }
  override render(): TemplateResult {
    if (this.poll.problem) return html`${pollNote(this.poll)}`;
    if (!this.index) return loading;
    const { photos, epochs } = this.index;
    if (epochs.length === 0)
      return html`<p class="quiet">${this.ended ? "It has left no pictures." : "Pictures come with the first epoch that is validated."}</p>`;
    const at = Math.min(this.chosen ?? epochs.length - 1, epochs.length - 1);
    const epoch = epochs[at]!;
    return html`<div class="stack">
      ${epochs.length > 1
        ? html`<div class="slider">
            <label for="epoch">Epoch ${epoch}</label>
            <input
              id="epoch"
              type="range"
              min="0"
              max=${epochs.length - 1}
              step="1"
              .value=${String(at)}
              aria-valuetext="Epoch ${epoch}"
              @input=${(event: Event) => this.choose(event)}
            />
          </div>`
        : html`<p class="quiet">Epoch ${epoch}</p>`}
      <div class="photos">
        ${photos.map(
          (name, photo) =>
            html`<figure>
              <div class="pair">
                <img src=${address(`${this.path}/0/${photo}`)} alt="${lastPart(name)} as it was labelled" loading="lazy" />
                <img src=${address(`${this.path}/${epoch}/${photo}`)} alt="${lastPart(name)} as the network sees it after epoch ${epoch}" loading="lazy" />
              </div>
              <figcaption>${lastPart(name)}: labelled, predicted</figcaption>
            </figure>`,
        )}
      </div>
      ${this.chosen === null && !this.ended ? html`<p class="quiet">The newest epoch is shown as it comes.</p>` : nothing}
    </div>`;
  }
}
customElements.define("p-training-overlays", TrainingOverlays);
