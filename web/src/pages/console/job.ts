// One labeling job: how far it is, what came out, who painted.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { address, client } from "../../api/client";
import { hasEnded, part, type Category, type Job, type Progress } from "../../api/facts";
import { icons } from "../../ui/icons";
import "../../ui/menu";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import type { Tabs } from "../../ui/small";
import { sheet } from "../../ui/style";
import { loading, pollNote } from "../../ui/waiting";
import { navigate } from "../navigation";
import { jobActions, stopJob } from "./jobActions";
import "./jobGallery";
import "./jobOverview";
import "./jobSettings";
import { statusBadge } from "./jobStatus";
import "./jobWorkers";
import { pageHead } from "./pageHead";

const kLeastLabeled = 2; // one to learn from, one to validate

const kTabs = [
  { id: "overview", label: "Overview" },
  { id: "gallery", label: "Photos" },
  { id: "workers", label: "Workers" },
  { id: "settings", label: "Settings" },
];

class JobPage extends LitElement {
  static override styles = [
    sheet,
    css`
      .tools {
        align-items: center;
        display: flex;
        flex-wrap: wrap;
        gap: 10px;
      }
      @media (max-width: 640px) {
        .tools {
          gap: 6px;
        }
        .tools button,
        .tools .button {
          padding: 6px 10px;
        }
      }
    `,
  ];
  @property() name = "";
  @property() tab = "overview";
  @state() private progress: Progress | null = null;
  @state() private categories: Category[] = [];
  private readonly poll = new Poll(this, 3000, async (signal) => {
    if (this.categories.length === 0) void this.loadCategories();
    this.progress = await client.get<Progress>(`requester/jobs/${part(this.name)}/progress`, {}, signal);
  });

  private async loadCategories(): Promise<void> {
    const found = await client
      .get<{ labels: Category[] }>(`requester/jobs/${part(this.name)}/categories`)
      .catch(() => null);
    if (found) this.categories = found.labels;
  }
  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("name") || changed.get("name") === undefined || changed.get("name") === "") return;
    this.progress = null;
    this.categories = [];
    this.poll.now();
  }
  override render(): TemplateResult {
    const job = this.progress?.job;
    return html`<div class="page">
      ${pageHead({ href: "/_/console", label: "Labeling jobs" }, this.name, job ? statusBadge(job.status) : null, job ? this.actions(job) : null)}
      ${pollNote(this.poll)}
      ${job?.failure_reason ? html`<p class="note bad">${job.failure_reason}</p>` : nothing}
      <t-tabs
        label="Parts of this page"
        .tabs=${kTabs}
        .selected=${this.tab}
        @change=${(event: Event) =>
          navigate(`/_/console/jobs/${part(this.name)}/${(event.target as Tabs).selected}`, { replace: true })}
      ></t-tabs>
      ${this.progress ? this.panel(this.progress) : loading}
    </div>`;
  }
  private actions(job: Job): TemplateResult {
    const base = `requester/jobs/${part(this.name)}`;
    return html`<div class="tools">
      ${hasEnded(job.status) || job.status === "Stopping"
        ? nothing
        : html`<button class="danger" @click=${() => void stopJob(job, () => this.poll.now())}>Stop</button>`}
      ${job.objects > 0
        ? html`<a class="button" download href=${address(`${base}/download`, { what: "manifest" })}>${icons.download} Manifest</a>
            <a class="button" download href=${address(`${base}/download`, { what: "dataset" })}>${icons.download} Dataset</a>`
        : nothing}
      ${job.output_dataset_uri && job.counters.total_labeled >= kLeastLabeled
        ? html`<a class="button primary" href="/_/console/new-training?labeling-job=${part(job.name)}">Train on this output</a>`
        : nothing}
      <t-menu label="More for this job" .items=${jobActions(job)}></t-menu>
    </div>`;
  }
  private panel(progress: Progress): TemplateResult {
    if (this.tab === "gallery")
      return html`<p-job-gallery .job=${progress.job} .answers=${progress.answers} .categories=${this.categories}></p-job-gallery>`;
    if (this.tab === "workers") return html`<p-job-workers .progress=${progress}></p-job-workers>`;
    if (this.tab === "settings")
      return html`<p-job-settings .job=${progress.job} .categories=${this.categories}></p-job-settings>`;
    return html`<p-job-overview .progress=${progress}></p-job-overview>`;
  }
}
customElements.define("p-job", JobPage);
