// The worker's first page: what was begun, then what can be done.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../api/client";
import type { Assignment, WorkerJob } from "../api/facts";
import { Poll } from "../ui/poll";
import "../ui/small";
import { sheet } from "../ui/style";
import { busy, toast } from "../ui/toast";
import { loading, pollNote } from "../ui/waiting";
import { durationText, plural } from "../ui/words";
import { navigate } from "./navigation";
import { priceText } from "./price";

/** Leases that are still the worker's, the one that ends first in front. */
export function openLeases(assignments: Assignment[]): Assignment[] {
  return assignments
    .filter((one) => one.state === "leased" && one.remaining_seconds > 0)
    .sort((a, b) => a.remaining_seconds - b.remaining_seconds);
}

class Jobs extends LitElement {
  static override styles = [
    sheet,
    css`
      .job {
        align-items: center;
        grid-template-columns: minmax(0, 1fr) auto;
      }
      .job h2 {
        margin-bottom: 4px;
      }
      @media (max-width: 640px) {
        .job {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];
  @state() private jobs: WorkerJob[] | null = null;
  @state() private leases: Assignment[] = [];
  private readonly poll = new Poll(this, 5000, async (signal) => {
    await client.leaving; // what the page before this one gave back counts
    const [jobs, assignments] = await Promise.all([
      client.get<{ jobs: WorkerJob[] }>("jobs", {}, signal),
      client.get<{ assignments: Assignment[] }>("assignments", { limit: 50 }, signal),
    ]);
    this.jobs = jobs.jobs;
    this.leases = openLeases(assignments.assignments);
  });

  private async begin(job: string): Promise<void> {
    const { assignment } = await client.post<{ assignment: Assignment | null }>("assignments", { job });
    if (assignment) navigate(`/_/task/${assignment.id}`);
    else {
      toast("There is nothing to do in this job just now: others have its last photos.");
      this.poll.now();
    }
  }
  private titleOf(lease: Assignment): string {
    return this.jobs?.find((job) => job.job_name === lease.job_name)?.title || lease.job_name;
  }
  override render(): TemplateResult {
    return html`<div class="page middle">
      <h1>Tasks</h1>
      ${pollNote(this.poll)}
      ${this.leases.length > 0
        ? html`<section class="stack" aria-label="Begun">
            ${this.leases.map(
              (lease) =>
                html`<article class="card job">
                  <div>
                    <h2>${this.titleOf(lease)}</h2>
                    <p class="quiet">
                      Photo ${lease.object_index + 1}, begun; ${durationText(lease.remaining_seconds)} left. What you
                      painted is kept.
                    </p>
                  </div>
                  <a class="button primary" href="/_/task/${lease.id}">Go on</a>
                </article>`,
            )}
          </section>`
        : nothing}
      ${this.jobs === null
        ? loading
        : this.jobs.length === 0
          ? html`<t-empty heading="No tasks right now">
              <p>This page looks for new ones by itself. Tasks appear when a job is sent to a team you are in.</p>
              <a class="button" href="/_/history">See what you have done</a>
            </t-empty>`
          : html`<section class="stack" aria-label="Jobs">${this.jobs.map((job) => this.job(job))}</section>`}
    </div>`;
  }
  private job(job: WorkerJob): TemplateResult {
    return html`<article class="card job">
      <div>
        <h2>${job.title || job.job_name}</h2>
        ${job.description && job.description !== job.title ? html`<p>${job.description}</p>` : nothing}
        <p class="quiet">
          ${plural(job.available, "photo")} for you · ${durationText(job.task_time_limit_s)} each
          ${job.price ? html` · ${priceText(job.price)} each` : nothing}
        </p>
      </div>
      <button class="primary" ?disabled=${job.available === 0} @click=${busy(() => this.begin(job.job_name))}>
        Start
      </button>
    </article>`;
  }
}
customElements.define("p-jobs", Jobs);
