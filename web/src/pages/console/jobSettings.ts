// What a job was made with.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import { part, type Category, type Job } from "../../api/facts";
import { sheet } from "../../ui/style";
import { busy } from "../../ui/toast";
import { countText, durationText, lastPart, timeText } from "../../ui/words";
import "./swatch";

class JobSettings extends LitElement {
  static override styles = [
    sheet,
    css`
      pre {
        background: var(--surface-sunken);
        border-radius: var(--radius);
        margin: 0;
        max-height: 480px;
        overflow: auto;
        padding: 12px;
        white-space: pre-wrap;
      }
    `,
  ];
  @property({ attribute: false }) job!: Job;
  @property({ attribute: false }) categories: Category[] = [];
  @state() private template: string | null = null;

  private facts(): [string, unknown][] {
    const { spec } = this.job;
    return [
      ["Title", spec.title],
      ["Description", spec.description],
      ["Keywords", spec.keywords.join(", ")],
      ["Created", timeText(this.job.created)],
      ["Input", html`<code>${spec.input_uri}</code>`],
      ["Output", html`<code>${spec.output_uri}</code>`],
      ["Output manifest", this.job.output_dataset_uri ? html`<code>${this.job.output_dataset_uri}</code>` : ""],
      ["Label attribute", html`<code>${spec.label_attribute}</code>`],
      ["Work team", html`${lastPart(spec.workteam_arn)} <span class="quiet mono">${spec.workteam_arn}</span>`],
      ["Workers for each photo", spec.workers_per_object],
      ["Time for a photo", durationText(spec.task_time_limit_s)],
      ["Photos are offered for", durationText(spec.task_availability_s)],
      ["Photos shown at once", countText(spec.max_concurrent)],
      [
        "Stops after",
        [
          spec.max_human_labeled_objects ? `${countText(spec.max_human_labeled_objects)} photos` : "",
          spec.max_percent_labeled ? `${spec.max_percent_labeled} % of the photos` : "",
        ]
          .filter(Boolean)
          .join(" or "),
      ],
      ["Before a task", html`<code>${spec.pre_function_arn}</code>`],
      ["After the answers", html`<code>${spec.post_function_arn}</code>`],
      ["Made from", spec.continues],
      ["Reference", this.job.reference_code],
    ];
  }
  private async showTemplate(): Promise<void> {
    this.template = (
      await client.get<{ template: string }>(`requester/jobs/${part(this.job.name)}/template`)
    ).template;
  }
  override render(): TemplateResult {
    return html`<div class="stack">
      <section class="card">
        <h2>Labels</h2>
        <div class="row">${this.categories.map((category) => html`<p-swatch .category=${category}></p-swatch>`)}</div>
      </section>
      <section class="card">
        <h2>Settings</h2>
        <dl class="facts">
          ${this.facts().map(([title, value]) => (value === "" ? nothing : html`<dt>${title}</dt><dd>${value}</dd>`))}
        </dl>
      </section>
      <section class="card">
        <h2>Task template</h2>
        ${this.template === null
          ? html`<div><button @click=${busy(() => this.showTemplate())}>Show</button></div>`
          : html`<pre tabindex="0"><code>${this.template}</code></pre>`}
      </section>
    </div>`;
  }
}
customElements.define("p-job-settings", JobSettings);
