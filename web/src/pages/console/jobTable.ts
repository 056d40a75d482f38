// What the lists of labeling and of training jobs share: filter, order, pages, live rows.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import type { JobStatus } from "../../api/facts";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import "../../ui/table";
import type { Column, Sort } from "../../ui/table";
import { loading, pollNote } from "../../ui/waiting";
import { statusText } from "./jobStatus";

const kPage = 25;

export abstract class JobTable<Row> extends LitElement {
  static override styles = [
    sheet,
    css`
      .filters {
        grid-template-columns: minmax(0, 2fr) minmax(0, 1fr);
        max-width: 640px;
      }
    `,
  ];
  @state() private jobs: Row[] | null = null;
  @state() private more = false;
  @state() private offset = 0;
  @state() private name = "";
  @state() private status = "";
  @state() private sort: Sort = { by: "created", descending: true };
  private readonly poll = new Poll(this, 4000, async (signal) => {
    const found = await client.get<{ jobs: Row[]; more: boolean }>(
      this.path,
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

  /** Where the server lists them: answers `{ jobs, more }`. */
  protected abstract readonly path: string;
  protected abstract readonly heading: string;
  protected abstract readonly columns: Column<Row>[];
  /** What the filter offers. */
  protected abstract readonly statuses: JobStatus[];
  /** The link that makes a new one. */
  protected abstract readonly create: TemplateResult;
  /** Heading of what stands there when the filter leaves no row. */
  protected abstract readonly noneFits: string;
  /** What stands there before the first job is made. */
  protected abstract readonly none: TemplateResult;

  private look(change: () => void): void {
    change();
    this.offset = 0;
    this.poll.now();
  }
  private turn(by: number): void {
    this.offset = Math.max(0, this.offset + by);
    this.poll.now();
  }
  override render(): TemplateResult {
    return html`<div class="page">
      <div class="row between">
        <h1>${this.heading}</h1>
        ${this.create}
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
          options: [{ value: "", label: "All" }, ...this.statuses.map((status) => ({ value: status, label: statusText(status) }))],
          onInput: (value) => this.look(() => (this.status = value)),
        })}
      </div>
      ${pollNote(this.poll)} ${this.jobs === null ? loading : this.jobs.length === 0 && this.offset === 0 ? this.empty() : this.table(this.jobs)}
    </div>`;
  }
  private empty(): TemplateResult {
    if (this.name === "" && this.status === "") return this.none;
    return html`<t-empty heading=${this.noneFits}><p>Change the name or the status above.</p></t-empty>`;
  }
  private table(jobs: Row[]): TemplateResult {
    return html`<t-table
        caption=${this.heading}
        .columns=${this.columns}
        .rows=${jobs}
        .sort=${this.sort}
        @sort=${(event: CustomEvent<Sort>) => this.look(() => (this.sort = event.detail))}
      ></t-table>
      ${this.offset > 0 || this.more
        ? html`<div class="row">
            <button ?disabled=${this.offset === 0} @click=${() => this.turn(-kPage)}>${icons.left} Before</button>
            <span class="quiet">${this.offset + 1} to ${this.offset + jobs.length}</span>
            <button ?disabled=${!this.more} @click=${() => this.turn(kPage)}>After ${icons.right}</button>
          </div>`
        : nothing}`;
  }
}
