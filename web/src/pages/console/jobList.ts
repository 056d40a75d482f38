// All labeling jobs, with live counters.
import { html, nothing } from "lit";
import { jobStatuses, part, type Job } from "../../api/facts";
import { icons } from "../../ui/icons";
import type { Column } from "../../ui/table";
import { countText, lastPart, timeText } from "../../ui/words";
import { sharesOf, statusBadge } from "./jobStatus";
import { JobTable } from "./jobTable";

class JobList extends JobTable<Job> {
  protected readonly path = "requester/jobs";
  protected readonly heading = "Labeling jobs";
  protected readonly statuses = jobStatuses;
  protected readonly create = html`<a class="button primary" href="/_/console/new">${icons.plus} New job</a>`;
  protected readonly noneFits = "No job fits";
  protected readonly none = html`<t-empty heading="No labeling job yet">
    <p>Make one: choose photos, name the labels, choose who paints.</p>
    ${this.create}
  </t-empty>`;
  protected readonly columns: Column<Job>[] = [
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
}
customElements.define("p-job-list", JobList);
