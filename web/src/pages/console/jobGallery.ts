// A job's photos with their masks: filters, more while scrolling.
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { client } from "../../api/client";
import { part, type Category, type Job, type JobObject, type ObjectState } from "../../api/facts";
import { checkField, selectField } from "../../ui/field";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, problemText } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { lastPart, percentText } from "../../ui/words";
import "./overlay";
import { labelPaint, type Paint } from "./paint";
import "./swatch";

const kPage = 24;
/** From here on answers count as disagreeing. */
const kDisagreeing = 0.05;

const kStates: Record<ObjectState, [string, string]> = {
  waiting: ["waiting", ""],
  open: ["being labelled", "live"],
  ready: ["answers are in", "live"],
  labeled: ["labelled", "good"],
  failed: ["failed", "bad"],
  passed: ["passed through", ""],
};
export function stateBadge(state: ObjectState): TemplateResult {
  return html`<span class="badge ${kStates[state][1]}">${kStates[state][0]}</span>`;
}

const kFilters = [
  { value: "", label: "All photos" },
  { value: "labeled", label: "Labelled" },
  { value: "failed", label: "Failed" },
  { value: "disagreeing", label: "Answers disagree" },
  { value: "open", label: "Being labelled" },
  { value: "waiting", label: "Waiting" },
];

class JobGallery extends LitElement {
  static override styles = [
    sheet,
    css`
      .filters {
        column-gap: 20px;
        grid-template-columns: repeat(auto-fit, minmax(min(200px, 100%), 1fr));
      }
      .photos {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fill, minmax(min(220px, 46%), 1fr));
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .photos li {
        display: grid;
      }
      .photos a {
        align-content: start;
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: 10px;
        color: var(--text);
        display: grid;
        gap: 6px;
        overflow: hidden;
        padding: 8px;
        text-decoration: none;
      }
      .photos a:hover {
        border-color: var(--accent);
      }
      .name {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .photos .row {
        gap: 6px;
      }
      .filters .check,
      .filters input[type="range"] {
        align-items: center;
        min-height: 40px;
      }
      .filters .check input {
        margin: 0;
      }
      .labels {
        gap: 6px 18px;
      }
    `,
  ];
  @property({ attribute: false }) job!: Job;
  /** Of the job so far; when it changes, what is shown is fetched again. */
  @property({ type: Number }) answers = 0;
  @property({ attribute: false }) categories: Category[] = [];
  @state() private objects: JobObject[] | null = null;
  @state() private more = false;
  @state() private filter = location.hash.slice(1);
  @state() private disputedFirst = false;
  @state() private opacity = 0.6;
  @state() private problem = "";
  private paint: Paint = labelPaint([]);
  private turn = 0;
  private readonly end = new IntersectionObserver(
    (entries) => {
      if (this.more && entries.some((entry) => entry.isIntersecting)) void this.load(false);
    },
    { rootMargin: "600px" },
  );

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.end.disconnect();
  }
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("categories")) this.paint = labelPaint(this.categories);
    const before = changed.get("job");
    if (changed.has("answers") || (changed.has("job") && (!before || counted(before) !== counted(this.job)))) void this.load(true);
  }
  protected override updated(): void {
    const button = this.renderRoot.querySelector(".more");
    this.end.disconnect();
    if (button) this.end.observe(button);
  }
  /** All that is shown once more, or the next page. */
  private async load(again: boolean): Promise<void> {
    const turn = ++this.turn;
    const shown = this.objects ?? [];
    const limit = again ? Math.min(1000, Math.max(kPage, shown.length)) : kPage;
    const disagreeing = this.filter === "disagreeing";
    try {
      const { objects } = await client.get<{ objects: JobObject[] }>(
        `requester/jobs/${part(this.job.name)}/objects`,
        {
          state: disagreeing ? undefined : this.filter || undefined,
          min_disagreement: disagreeing ? kDisagreeing : undefined,
          most_disputed_first: this.disputedFirst || disagreeing || undefined,
          offset: again ? 0 : shown.length,
          limit,
        },
      );
      if (turn !== this.turn) return;
      this.objects = again ? objects : [...shown, ...objects];
      this.more = objects.length === limit;
      this.problem = "";
    } catch (thrown) {
      if (turn === this.turn) this.problem = problemText(thrown);
    }
  }
  private look(change: () => void): void {
    change();
    this.objects = null;
    void this.load(true);
  }
  private tile(object: JobObject): TemplateResult {
    const base = `requester/jobs/${part(this.job.name)}/objects/${object.index}`;
    const name = lastPart(object.source_uri);
    return html`<li>
      <a href="/_/console/jobs/${part(this.job.name)}/objects/${object.index}">
        <p-overlay
          photo="${base}/photo"
          .layer=${object.mask_uri ? `${base}/mask` : null}
          .version=${object.mask_uri}
          .paint=${this.paint}
          .opacity=${this.opacity}
          .width=${320}
          label=${name}
        ></p-overlay>
        <span class="name">${name}</span>
        <span class="row">
          ${stateBadge(object.state)}
          ${object.disagreement > 0
            ? html`<span class="badge ${object.disagreement >= kDisagreeing ? "warn" : ""}"
                >${percentText(object.disagreement)} disputed</span
              >`
            : nothing}
        </span>
        ${object.failure_reason ? html`<span class="error">${object.failure_reason}</span>` : nothing}
      </a>
    </li>`;
  }
  override render(): TemplateResult {
    return html`<div class="stack">
      <div class="filters">
        ${selectField({
          id: "filter",
          label: "Show",
          value: this.filter,
          options: kFilters,
          onInput: (value) => this.look(() => (this.filter = value)),
        })}
        ${checkField({
          label: "Most disputed first",
          checked: this.disputedFirst || this.filter === "disagreeing",
          onInput: (checked) => this.look(() => (this.disputedFirst = checked)),
        })}
        <div class="field">
          <label for="opacity">Mask: ${Math.round(this.opacity * 100)} %</label>
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
      <div class="row labels">${this.categories.map((category) => html`<p-swatch .category=${category}></p-swatch>`)}</div>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing}
      ${this.objects === null
        ? loading
        : this.objects.length === 0
          ? html`<t-empty heading="No photos here">
              <p>${this.filter ? "No photo of the job fits this choice; take another above." : "The job is still reading its input."}</p>
            </t-empty>`
          : html`<ul class="photos">
              ${repeat(this.objects, (object) => object.index, (object) => this.tile(object))}
            </ul>`}
      ${this.more
        ? html`<div><button class="more" @click=${busy(() => this.load(false))}>Show more</button></div>`
        : nothing}
    </div>`;
  }
}
customElements.define("p-job-gallery", JobGallery);

function counted(job: Job): string {
  return `${job.modified} ${job.status} ${job.counters.total_labeled} ${job.counters.failed_non_retryable}`;
}
