// All labeling jobs: filter, order, pages, live counters.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import { jobStatuses, part, type Job } from "../../api/facts";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import "../../ui/table";
import type { Column, Sort } from "../../ui/table";
import { problemText } from "../../ui/toast";
import { countText, lastPart, timeText } from "../../ui/words";
import { sharesOf, statusBadge, statusText } from "./jobStatus";

const kPage = 25;

class JobList extends LitElement {
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
  @state() private jobs: Job[] | null = null;
  @state() private more = false;
  @state() private offset = 0;
  @state() private name = "";
  @state() private status = "";
  @state() private sort: Sort = { by: "created", descending: true };
  private readonly poll = new Poll(this, 4000, async (signal) => {
    const found = await client.get<{ jobs: Job[]; more: boolean }>(
      "requester/jobs",
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
  private readonly columns: Column<Job>[] = [
    {
      title: "Name",
      sort: "name",
      lead: true,
      cell: (job) => html`<a href="/_/console/jobs/${part(job.name)}"><strong>${job.name}</strong></a>`,
    },
    { title: "Status", sort: "status", cell: (job) => statusBadge(job.status) },
    {
      title: "Labelled",
      number: true,
      cell: (job) =>
        html`<span
          >${countText(job.counters.total_labeled)} of ${countText(job.objects)}${job.counters.failed_non_retryable > 0
            ? html`, <span class="error">${countText(job.counters.failed_non_retryable)} failed</span>`
            : nothing}</span
        >`,
    },
    {
      title: "Progress",
      cell: (job) =>
        html`<t-progress class="grow" label="Progress of ${job.name}" .shares=${sharesOf(job)} .total=${job.objects}></t-progress>`,
    },
    { title: "Team", cell: (job) => lastPart(job.spec.workteam_arn) },
    { title: "Created", sort: "created", cell: (job) => timeText(job.created) },
  ];

  override render(): TemplateResult {
    const filtered = this.name !== "" || this.status !== "";
    return html`<div class="page">
      <div class="row between">
        <h1>Labeling jobs</h1>
        <a class="button primary" href="/_/console/new">${icons.plus} New job</a>
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
            ...jobStatuses.map((status) => ({ value: status, label: statusText(status) })),
          ],
          onInput: (value) => this.look(() => (this.status = value)),
        })}
      </div>
      ${this.poll.problem ? html`<p class="note" role="status">${problemText(this.poll.problem)}</p>` : nothing}
      ${this.jobs === null
        ? html`<p class="quiet" role="status">Loading …</p>`
        : this.jobs.length === 0 && this.offset === 0
          ? filtered
            ? html`<t-empty heading="No job fits">
                <p>Change the name or the status above.</p>
              </t-empty>`
            : html`<t-empty heading="No labeling job yet">
                <p>Make one: choose photos, name the labels, choose who paints.</p>
                <a class="button primary" href="/_/console/new">${icons.plus} New job</a>
              </t-empty>`
          : html`<t-table
                caption="Labeling jobs"
                .columns=${this.columns}
                .rows=${this.jobs}
                .sort=${this.sort}
                @sort=${(event: CustomEvent<Sort>) => this.look(() => (this.sort = event.detail))}
              ></t-table>
              ${this.offset > 0 || this.more
                ? html`<div class="row">
                    <button ?disabled=${this.offset === 0} @click=${() => this.turn(-kPage)}>
                      ${icons.left} Before
                    </button>
                    <span class="quiet">${this.offset + 1} to ${this.offset + this.jobs.length}</span>
                    <button ?disabled=${!this.more} @click=${() => this.turn(kPage)}>After ${icons.right}</button>
                  </div>`
                : nothing}`}
    </div>`;
  }
}
customElements.define("p-job-list", JobList);
