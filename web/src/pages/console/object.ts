// One photo of a job: its mask, each worker's answer, where they disagree.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import { hasEnded, part, type Category, type Job, type JobObject, type ObjectAnswer } from "../../api/facts";
import "../../ui/dialog";
import { checkField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, problemText, toast } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { durationText, lastPart, percentText, timeText } from "../../ui/words";
import { navigate } from "../navigation";
import { stateBadge } from "./jobGallery";
import { namesOfPeople } from "./jobWorkers";
import "./overlay";
import { heatPaint, labelPaint, type Paint } from "./paint";
import "./swatch";

type View = "mask" | "disagreement" | "photo";
const kViews: { id: View; label: string }[] = [
  { id: "mask", label: "Mask" },
  { id: "disagreement", label: "Disagreement" },
  { id: "photo", label: "Photo only" },
];

class ObjectPage extends LitElement {
  static override styles = [
    sheet,
    css`
      .answers {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr));
      }
      figure {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: 10px;
        display: grid;
        gap: 6px;
        margin: 0;
        padding: 8px;
      }
      .large {
        margin: 0 auto;
        max-width: 1000px;
        width: 100%;
      }
      .tools {
        align-items: center;
        display: flex;
        flex-wrap: wrap;
        gap: 10px 28px;
      }
      .slider {
        align-items: center;
        display: flex;
        gap: 10px;
      }
      .slider label {
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      .slider input {
        width: 150px;
      }
      .labels {
        gap: 6px 18px;
      }
      .heat {
        background: linear-gradient(to right, rgb(255 219 0), rgb(255 110 0), rgb(255 0 0));
        border: 1px solid var(--line);
        border-radius: 99px;
        display: inline-block;
        height: 12px;
        width: 140px;
      }
    `,
  ];
  @property() name = "";
  @property({ type: Number }) index = 0;
  @state() private job: Job | null = null;
  @state() private object: JobObject | null = null;
  @state() private answers: ObjectAnswer[] = [];
  @state() private categories: Category[] = [];
  @state() private names = new Map<string, string>();
  @state() private view: View = "mask";
  @state() private opacity = 0.6;
  @state() private reopening = false;
  @state() private discard = false;
  private paint: Paint = labelPaint([]);
  private readonly heat = heatPaint();
  private readonly poll = new Poll(this, 5000, (signal) => this.load(signal));

  private get base(): string {
    return `requester/jobs/${part(this.name)}/objects/${this.index}`;
  }
  private async load(signal: AbortSignal): Promise<void> {
    const job = `requester/jobs/${part(this.name)}`;
    const [{ objects }, { answers }] = await Promise.all([
      client.get<{ objects: JobObject[] }>(`${job}/objects`, { offset: this.index, limit: 1 }, signal),
      client.get<{ answers: ObjectAnswer[] }>(`${this.base}/answers`, {}, signal),
    ]);
    this.object = objects.find((one) => one.index === this.index) ?? null;
    this.answers = answers;
    if (this.categories.length > 0) return;
    const [described, { labels }] = await Promise.all([
      client.get<{ job: Job }>(job, {}, signal),
      client.get<{ labels: Category[] }>(`${job}/categories`, {}, signal),
    ]);
    this.job = described.job;
    this.categories = labels;
    this.paint = labelPaint(labels);
    this.names = await namesOfPeople().catch(() => new Map<string, string>());
  }
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("index") || changed.get("index") === undefined || !this.isConnected || !this.object) return;
    this.object = null;
    this.answers = [];
    this.poll.now();
  }
  private async reopen(): Promise<void> {
    await client.post(`${this.base}/reopen`, { discard_answers: this.discard });
    this.reopening = false;
    toast("The photo goes out again.");
    this.poll.now();
  }
  private go(by: number): void {
    const to = this.index + by;
    if (to >= 0 && (!this.job || to < this.job.objects))
      navigate(`/_/console/jobs/${part(this.name)}/objects/${to}`, { replace: true });
  }
  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.keys);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.keys);
  }
  private readonly keys = (event: KeyboardEvent): void => {
    const at = event.composedPath()[0];
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (at instanceof HTMLInputElement || at instanceof HTMLSelectElement) return;
    if (at instanceof HTMLElement && at.closest('[role="tablist"]')) return;
    if (event.key === "ArrowLeft") this.go(-1);
    if (event.key === "ArrowRight") this.go(1);
  };
  private get layer(): string | null {
    if (this.view === "mask") return this.object?.mask_uri ? `${this.base}/mask` : null;
    return this.view === "disagreement" && this.counted.length > 1 ? `${this.base}/disagreement` : null;
  }
  private get counted(): ObjectAnswer[] {
    return this.answers.filter((answer) => !answer.withdrawn);
  }
  override render(): TemplateResult {
    const object = this.object;
    const name = object ? lastPart(object.source_uri) : "";
    return html`<div class="page">
      <p>
        <a href="/_/console">Labeling jobs</a> / <a href="/_/console/jobs/${part(this.name)}/gallery">${this.name}</a>
      </p>
      <div class="row between">
        <div class="row">
          <h1>Photo ${this.index + 1}</h1>
          ${object ? stateBadge(object.state) : nothing}
        </div>
        <div class="row">
          <button aria-label="Photo before" ?disabled=${this.index === 0} @click=${() => this.go(-1)}>
            ${icons.left}
          </button>
          <button
            aria-label="Next photo"
            ?disabled=${this.job !== null && this.index + 1 >= this.job.objects}
            @click=${() => this.go(1)}
          >
            ${icons.right}
          </button>
          ${object && this.job && !hasEnded(this.job.status) && (object.state === "labeled" || object.state === "failed")
            ? html`<button @click=${() => (this.reopening = true)}>Reopen</button>`
            : nothing}
        </div>
      </div>
      ${this.poll.problem ? html`<p class="note bad" role="alert">${problemText(this.poll.problem)}</p>` : nothing}
      ${object ? this.content(object, name) : this.poll.problem ? nothing : loading}
      <t-dialog heading="Reopen this photo?" .open=${this.reopening} @close=${() => (this.reopening = false)}>
        <form class="stack" @submit=${busy(() => this.reopen())}>
          <p>It goes out for another answer, and its mask is made again then.</p>
          ${checkField({
            label: "Throw away the answers it has",
            checked: this.discard,
            onInput: (checked) => (this.discard = checked),
          })}
          <div class="row">
            <button class="primary">Reopen</button>
            <button type="button" @click=${() => (this.reopening = false)}>Cancel</button>
          </div>
        </form>
      </t-dialog>
    </div>`;
  }
  private content(object: JobObject, name: string): TemplateResult {
    const facts: [string, unknown][] = [
      ["File", html`<code>${object.source_uri}</code>`],
      ["Answers", object.answers],
      ["Confidence", object.mask_uri ? percentText(object.confidence) : "–"],
      ["Disagreement", this.counted.length > 1 ? percentText(object.disagreement) : "–"],
    ];
    if (object.declines > 0) facts.push(["Declined", object.declines]);
    return html`${object.failure_reason ? html`<p class="note bad">${object.failure_reason}</p>` : nothing}
      <div class="tools">
        <fieldset>
          <legend class="visually-hidden">What lies over the photo</legend>
          <div class="row">
            ${kViews.map(
              (view) =>
                html`<label class="check"
                  ><input
                    type="radio"
                    name="view"
                    .checked=${this.view === view.id}
                    @change=${() => (this.view = view.id)}
                  />
                  ${view.label}</label
                >`,
            )}
          </div>
        </fieldset>
        <div class="slider">
          <label for="opacity">Strength: ${Math.round(this.opacity * 100)} %</label>
          <input
            id="opacity"
            type="range"
            min="0"
            max="100"
            .value=${String(this.opacity * 100)}
            @input=${(event: Event) => (this.opacity = Number((event.target as HTMLInputElement).value) / 100)}
          />
        </div>
      </div>
      <div class="row labels">
        ${this.view === "disagreement"
          ? html`<span class="row">few disagree <i class="heat"></i> all disagree</span>`
          : this.categories.map((category) => html`<p-swatch .category=${category}></p-swatch>`)}
      </div>
      ${this.view === "disagreement" && this.counted.length < 2
        ? html`<p class="note">Disagreement needs two answers or more.</p>`
        : nothing}
      <p-overlay
        class="large"
        photo="${this.base}/photo"
        .layer=${this.layer}
        .version="${object.mask_uri} ${this.counted.length}"
        .paint=${this.view === "disagreement" ? this.heat : this.paint}
        .opacity=${this.opacity}
        .grey=${this.view === "disagreement"}
        .width=${1280}
        label="${name}, ${this.view}"
      ></p-overlay>
      <dl class="facts">
        ${facts.map(([title, value]) => html`<dt>${title}</dt><dd>${value}</dd>`)}
      </dl>
      <h2>Answers</h2>
      ${this.answers.length === 0
        ? html`<t-empty heading="No answers yet">
            <p>Each worker's answer stands here as soon as it is in.</p>
            <a class="button" href="/_/console/jobs/${part(this.name)}/gallery">Other photos</a>
          </t-empty>`
        : html`<div class="answers">${this.answers.map((answer) => this.answer(answer))}</div>`}`;
  }
  private answer(answer: ObjectAnswer): TemplateResult {
    const seconds = (Date.parse(answer.submitted) - Date.parse(answer.accepted)) / 1000;
    const who = this.names.get(answer.worker_id) ?? answer.worker_id;
    return html`<figure>
      <p-overlay
        photo="${this.base}/photo"
        layer="${this.base}/answers/${part(answer.assignment_id)}/mask"
        .version=${answer.submitted}
        .paint=${this.paint}
        .opacity=${this.opacity}
        .width=${480}
        label="Answer of ${who}"
      ></p-overlay>
      <figcaption>
        <strong>${who}</strong> ${answer.withdrawn ? html`<span class="badge warn">withdrawn</span>` : nothing}<br />
        <span class="quiet">${timeText(answer.submitted)}, in ${durationText(seconds)}</span>
      </figcaption>
    </figure>`;
  }
}
customElements.define("p-object", ObjectPage);
