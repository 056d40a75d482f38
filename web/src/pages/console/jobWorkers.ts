// Who answered, how much, how reliably.
import { LitElement, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import { hasEnded, part, type JobWorker, type Person, type Progress } from "../../api/facts";
import { ask } from "../../ui/dialog";
import "../../ui/small";
import { sheet } from "../../ui/style";
import "../../ui/table";
import type { Column } from "../../ui/table";
import { problemText, toast } from "../../ui/toast";
import { loading } from "../../ui/waiting";
import { countText, durationText, percentText } from "../../ui/words";

/** What people are called, by id; those of vendors and crowds keep their ids. */
export async function namesOfPeople(): Promise<Map<string, string>> {
  const { people } = await client.get<{ people: Person[] }>("requester/people", { limit: 1000 });
  return new Map(people.map((person) => [person.id, person.display_name || person.name]));
}

class JobWorkers extends LitElement {
  static override styles = sheet;
  @property({ attribute: false }) progress!: Progress;
  @state() private workers: JobWorker[] | null = null;
  @state() private names = new Map<string, string>();
  @state() private problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void namesOfPeople()
      .then((names) => (this.names = names))
      .catch(() => undefined); // ids do, too
  }
  // As often as the job's figures change.
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("progress")) return;
    const before = changed.get("progress");
    if (this.workers && before?.answers === this.progress.answers && before.job.name === this.progress.job.name) return;
    void this.load();
  }
  private async load(): Promise<void> {
    try {
      const path = `requester/jobs/${part(this.progress.job.name)}/workers`;
      this.workers = (await client.get<{ workers: JobWorker[] }>(path)).workers;
      this.problem = "";
    } catch (thrown) {
      this.problem = problemText(thrown);
    }
  }
  private nameOf(worker: JobWorker): string {
    return this.names.get(worker.worker_id) ?? worker.worker_id;
  }
  private async withdraw(worker: JobWorker): Promise<void> {
    const { job } = this.progress;
    await ask({
      heading: `Withdraw the answers of ${this.nameOf(worker)}?`,
      text: `Their ${countText(worker.submitted)} answers no longer count; the photos go out again to others.`,
      action: "Withdraw",
      danger: true,
      perform: async () => {
        await client.post(`requester/jobs/${part(job.name)}/workers/${part(worker.worker_id)}/withdraw`);
        toast("The answers are withdrawn.");
        await this.load();
      },
    });
  }
  private get columns(): Column<JobWorker>[] {
    const columns: Column<JobWorker>[] = [
      { title: "Worker", cell: (one) => html`<strong>${this.nameOf(one)}</strong>`, lead: true },
      { title: "Answers", cell: (one) => countText(one.submitted), number: true },
      {
        title: "Time each",
        cell: (one) => (one.submitted > 0 ? durationText(one.seconds_spent / one.submitted) : "–"),
        number: true,
      },
      { title: "Reliability", cell: (one) => (one.reliability === null ? "–" : percentText(one.reliability)), number: true },
      { title: "Declined", cell: (one) => countText(one.declined), number: true },
      { title: "Given back", cell: (one) => countText(one.returned), number: true },
      { title: "Ran out", cell: (one) => countText(one.expired), number: true },
    ];
    if (!hasEnded(this.progress.job.status))
      columns.push({
        title: "",
        cell: (one) =>
          one.submitted > 0
            ? html`<button class="small danger" @click=${() => void this.withdraw(one)}>Withdraw</button>`
            : nothing,
      });
    return columns;
  }
  override render(): TemplateResult {
    if (this.problem) return html`<p class="note bad" role="alert">${this.problem}</p>`;
    if (this.workers === null) return loading;
    if (this.workers.length === 0)
      return html`<t-empty heading="Nobody has begun yet">
        <p>As soon as somebody takes a photo, they appear here.</p>
        <a class="button" href="/_/console/teams">Look at the teams</a>
      </t-empty>`;
    return html`<div class="stack">
      <p class="quiet">
        Reliability: how often a worker's pixels agree with the truth that all answers together suggest.
      </p>
      <t-table caption="Workers of this job" .columns=${this.columns} .rows=${this.workers}></t-table>
    </div>`;
  }
}
customElements.define("p-job-workers", JobWorkers);
