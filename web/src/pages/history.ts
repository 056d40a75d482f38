// What the worker has done, with answers that can still be corrected.
import { LitElement, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../api/client";
import type { Assignment } from "../api/facts";
import "../ui/small";
import { sheet } from "../ui/style";
import "../ui/table";
import type { Column } from "../ui/table";
import { busy, problemText } from "../ui/toast";
import { loading } from "../ui/waiting";
import { timeText } from "../ui/words";

const kPage = 50;
const kWords: Record<Assignment["state"], [string, string]> = {
  leased: ["begun", "live"],
  submitted: ["submitted", "good"],
  returned: ["given back", ""],
  declined: ["declined", ""],
  expired: ["time ran out", "warn"],
  withdrawn: ["withdrawn", "warn"],
};

class History extends LitElement {
  static override styles = sheet;
  @state() private assignments: Assignment[] | null = null;
  @state() private more = false;
  @state() private problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load().catch((thrown: unknown) => (this.problem = problemText(thrown)));
  }
  private async load(): Promise<void> {
    const before = this.assignments ?? [];
    const { assignments } = await client.get<{ assignments: Assignment[] }>("assignments", {
      offset: before.length,
      limit: kPage,
    });
    this.assignments = [...before, ...assignments];
    this.more = assignments.length === kPage;
  }
  private readonly columns: Column<Assignment>[] = [
    { title: "Job", cell: (one) => html`<strong>${one.job_name}</strong>`, lead: true },
    { title: "Photo", cell: (one) => one.object_index + 1, number: true },
    { title: "State", cell: (one) => html`<span class="badge ${kWords[one.state][1]}">${kWords[one.state][0]}</span>` },
    { title: "Begun", cell: (one) => timeText(one.accepted) },
    { title: "Submitted", cell: (one) => timeText(one.submitted) },
    {
      title: "",
      cell: (one) =>
        one.state === "leased" && one.remaining_seconds > 0
          ? html`<a class="button small" href="/_/task/${one.id}">Go on</a>`
          : one.correctable
            ? html`<a class="button small" href="/_/task/${one.id}">Edit</a>`
            : nothing,
    },
  ];
  override render(): TemplateResult {
    return html`<div class="page">
      <div>
        <h1>History</h1>
        <p class="quiet">Answers can be edited until all answers of a photo are in and its mask is made.</p>
      </div>
      ${this.problem ? html`<p class="note bad" role="alert">${this.problem}</p>` : nothing}
      ${this.assignments === null
        ? loading
        : this.assignments.length === 0
          ? html`<t-empty heading="Nothing yet">
              <p>Here you find each photo you have labelled.</p>
              <a class="button primary" href="/_/jobs">To the tasks</a>
            </t-empty>`
          : html`<t-table caption="Your assignments" .columns=${this.columns} .rows=${this.assignments}></t-table>
              ${this.more ? html`<div><button @click=${busy(() => this.load())}>Show more</button></div>` : nothing}`}
    </div>`;
  }
}
customElements.define("p-history", History);
