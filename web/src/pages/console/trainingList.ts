// All training jobs: filter, order, pages; how far each is.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import { trainingEnded, trainingStatuses, type TrainingSummary } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import "../../ui/table";
import type { Column, Sort } from "../../ui/table";
import { problemText } from "../../ui/toast";
import { durationText } from "../../ui/words";
import { ageText, stepText, trainingBadge, trainingStatusText } from "./trainingFigures";

const kPage = 25;

class TrainingList extends LitElement {
  static override styles = [
    sheet,
    css`
      .filters {
        align-items: end;
        display: grid;
        gap: var(--gap);
        grid-template-columns: minmax(0, 2fr) minmax(0, 1fr);
        max-width: 640px;
      }
    `,
  ];
  @state() private jobs: TrainingSummary[] | null = null;
  @state() private more = false;
  @state() private offset = 0;
  @state() private name = "";
  @state() private status = "";
  @state() private sort: Sort = { by: "created", descending: true };
  private readonly poll = new Poll(this, 4000, async (signal) => {
    const found = await client.get<{ jobs: TrainingSummary[]; more: boolean }>(
      "console/training-jobs",
      {
        name_contains: this.name || undefined,
        status: this.status || undefined,
        sort: this.sort.by,
        descending: this.sort.descending,
        offset: this.offset,
        limit: kPage,
      },
      signal,
    );
    this.jobs = found.jobs;
    this.more = found.more;
  });

  private look(change: () => void): void {
    change();
    this.offset = 0;
    this.poll.now();
  }
  private turn(by: number): void {
    this.offset = Math.max(0, this.offset + by);
    this.poll.now();
  }
  private readonly columns: Column<TrainingSummary>[] = [
    {
      title: "Name",
      sort: "name",
      lead: true,
      cell: (job) => html`<a href="/_/console/training/${part(job.name)}"><strong>${job.name}</strong></a>`,
    },
    { title: "Status", sort: "status", cell: (job) => trainingBadge(job.status) },
    {
      title: "Now",
      cell: (job) => (trainingEnded(job.status) ? html`<span class="quiet">${job.seconds ? `ran ${durationText(job.seconds)}` : "–"}</span>` : stepText(job.step)),
    },
    {
      title: "Mean IoU",
      number: true,
      cell: (job) => (job.metrics["validation:mIOU"] === undefined ? "–" : job.metrics["validation:mIOU"].toFixed(3)),
    },
    { title: "Created", sort: "created", cell: (job) => ageText(job.created, Date.now()) },
  ];

  override render(): TemplateResult {
    const filtered = this.name !== "" || this.status !== "";
    return html`<div class="page">
      <div class="row between">
        <h1>Training jobs</h1>
        <a class="button primary" href="/_/console/new-training">${icons.plus} New training job</a>
      </div>
      <div class="filters">
        ${textField({
          id: "name",
          label: "Name contains",
          type: "search",
          value: this.name,
          onInput: (value) => this.look(() => (this.name = value.trim())),
        })}
        ${selectField({
          id: "status",
          label: "Status",
          value: this.status,
          options: [
            { value: "", label: "All" },
            ...trainingStatuses.map((status) => ({ value: status, label: trainingStatusText(status) })),
          ],
          onInput: (value) => this.look(() => (this.status = value)),
        })}
      </div>
      ${this.poll.problem ? html`<p class="note" role="status">${problemText(this.poll.problem)}</p>` : nothing}
      ${this.jobs === null
        ? html`<p class="quiet" role="status">Loading …</p>`
        : this.jobs.length === 0 && this.offset === 0
          ? filtered
            ? html`<t-empty heading="No training job fits"><p>Change the name or the status above.</p></t-empty>`
            : html`<t-empty heading="No training job yet">
                <p>A network learns from photos that are labelled: open a labeling job and choose Train on this output, or name your own data.</p>
                <div class="row">
                  <a class="button" href="/_/console">Look at the labeling jobs</a>
                  <a class="button primary" href="/_/console/new-training">${icons.plus} New training job</a>
                </div>
              </t-empty>`
          : html`<t-table
                caption="Training jobs"
                .columns=${this.columns}
                .rows=${this.jobs}
                .sort=${this.sort}
                @sort=${(event: CustomEvent<Sort>) => this.look(() => (this.sort = event.detail))}
              ></t-table>
              ${this.offset > 0 || this.more
                ? html`<div class="row">
                    <button ?disabled=${this.offset === 0} @click=${() => this.turn(-kPage)}>${icons.left} Before</button>
                    <span class="quiet">${this.offset + 1} to ${this.offset + this.jobs.length}</span>
                    <button ?disabled=${!this.more} @click=${() => this.turn(kPage)}>After ${icons.right}</button>
                  </div>`
                : nothing}`}
    </div>`;
  }
}
customElements.define("p-training-list", TrainingList);
