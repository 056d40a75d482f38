// All training jobs, and how far each is.
import { html } from "lit";
import { trainingEnded, trainingStatuses, type TrainingSummary } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { icons } from "../../ui/icons";
import type { Column } from "../../ui/table";
import { durationText } from "../../ui/words";
import { statusBadge } from "./jobStatus";
import { JobTable } from "./jobTable";
import { ageText, stepText } from "./trainingFigures";

class TrainingList extends JobTable<TrainingSummary> {
  protected readonly path = "console/training-jobs";
  protected readonly heading = "Training jobs";
  protected readonly statuses = trainingStatuses;
  protected readonly create = html`<a class="button primary" href="/_/console/new-training">${icons.plus} New training job</a>`;
  protected readonly noneFits = "No training job fits";
  protected readonly none = html`<t-empty heading="No training job yet">
    <p>A network learns from photos that are labelled: open a labeling job and choose Train on this output, or name your own data.</p>
    <div class="row">
      <a class="button" href="/_/console">Look at the labeling jobs</a>
      ${this.create}
    </div>
  </t-empty>`;
  protected readonly columns: Column<TrainingSummary>[] = [
    {
      title: "Name",
      sort: "name",
      lead: true,
      cell: (job) => html`<a href="/_/console/training/${part(job.name)}"><strong>${job.name}</strong></a>`,
    },
    { title: "Status", sort: "status", cell: (job) => statusBadge(job.status) },
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
}
customElements.define("p-training-list", TrainingList);
