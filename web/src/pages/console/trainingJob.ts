// One training job: curves while it runs, what it sees, what it wrote, and what comes next.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import { trainingEnded, type Endpoint, type MetricSeries, type TrainingJob } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { ask } from "../../ui/dialog";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, toast } from "../../ui/toast";
import { loading, pollNote } from "../../ui/waiting";
import { durationText, timeText } from "../../ui/words";
import { navigate } from "../navigation";
import "./curves";
import { statusBadge } from "./jobStatus";
import { pageHead } from "./pageHead";
import { adviceFor, ageText, bestOf, progressOf, seriesOf, stepText } from "./trainingFigures";
import "./trainingLog";
import "./trainingOverlays";

const kEveryMs = 2000;

class TrainingPage extends LitElement {
  static override styles = [
    sheet,
    css`
      .charts {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr));
      }
      ol {
        display: grid;
        gap: 6px;
        list-style: none;
        margin: 0;
        padding: 0;
      }
      ol li {
        border-left: 3px solid var(--line);
        display: grid;
        gap: 0 14px;
        grid-template-columns: minmax(0, 1fr) auto;
        padding: 2px 0 2px 12px;
      }
      ol li[data-now] {
        border-color: var(--accent);
      }
      ol .quiet {
        font-size: 0.92em;
        font-variant-numeric: tabular-nums;
      }
      ol .message {
        grid-column: 1 / -1;
        overflow-wrap: anywhere;
      }
      .two {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr));
      }
      .two .card {
        align-content: start;
      }
      .failed {
        display: grid;
        gap: 6px;
      }
    `,
  ];
  @property() name = "";
  @state() private job: TrainingJob | null = null;
  @state() private series: MetricSeries[] = [];
  private whole = false;
  private readonly poll = new Poll(this, kEveryMs, async (signal) => {
    if (this.whole) return;
    const [{ job }, { series }] = await Promise.all([
      client.get<{ job: TrainingJob }>(this.base, {}, signal),
      client.get<{ series: MetricSeries[] }>(`${this.base}/metrics`, {}, signal),
    ]);
    // Its last numbers were asked for at the same time as its end: once more.
    this.whole = trainingEnded(job.status) && this.job !== null && trainingEnded(this.job.status);
    this.job = job;
    this.series = series;
  });

  private get base(): string {
    return `console/training-jobs/${part(this.name)}`;
  }
  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("name") || !changed.get("name")) return;
    this.job = null;
    this.series = [];
    this.whole = false;
    this.poll.now();
  }
  private async stop(): Promise<void> {
    await ask({
      heading: `Stop ${this.name}?`,
      text: "It stores the model of the epochs that are done, if there is one, and ends. It cannot go on afterwards.",
      action: "Stop the training",
      danger: true,
      perform: async () => {
        await client.post(`${this.base}/stop`);
        toast("The training is being stopped.");
        this.whole = false;
        this.poll.now();
      },
    });
  }
  private async deploy(): Promise<void> {
    const { endpoint } = await client.post<{ endpoint: Endpoint }>(`${this.base}/deploy`);
    toast(`The endpoint ${endpoint.name} is starting.`);
    navigate(`/_/console/endpoints/${part(endpoint.name)}`);
  }

  override render(): TemplateResult {
    const job = this.job;
    const ended = job !== null && trainingEnded(job.status);
    return html`<div class="page">
      ${pageHead({ href: "/_/console/training", label: "Training jobs" }, this.name, job && statusBadge(job.status), job && this.actions(job, ended))}
      ${pollNote(this.poll)}
      ${job === null ? (this.poll.problem ? nothing : loading) : this.panel(job, ended)}
    </div>`;
  }
  private actions(job: TrainingJob, ended: boolean): TemplateResult {
    return html`<div class="row">
      ${job.model_uri ? html`<button class="primary" @click=${busy(() => this.deploy())}>Deploy</button>` : nothing}
      <a class="button" href="/_/console/new-training?from=${part(job.name)}">Train again</a>
      ${ended || job.status === "Stopping" ? nothing : html`<button class="danger" @click=${() => void this.stop()}>Stop</button>`}
    </div>`;
  }
  private panel(job: TrainingJob, ended: boolean): TemplateResult {
    return html`${job.status === "Failed"
        ? html`<div class="note bad failed" role="alert">
            <strong>It failed: ${job.failure_reason || "it did not say why."}</strong>
            <span>${adviceFor(job.failure_reason)}</span>
          </div>`
        : nothing}
      ${this.summary(job, ended)}
      ${this.series.some(({ points }) => points.length > 0) ? this.charts() : ended ? nothing : html`<p class="quiet">The curves begin with the first epoch that is over.</p>`}
      <section class="card">
        <h2>Validation photos</h2>
        <p-training-overlays path="${this.base}/overlays" ?ended=${ended}></p-training-overlays>
      </section>
      <section class="card">
        <h2>Log</h2>
        <p-training-log path="${this.base}/log" ?ended=${ended}></p-training-log>
      </section>
      <div class="two">
        <section class="card">
          <h2>Steps</h2>
          <ol>
            ${job.transitions.map(
              (one) =>
                html`<li ?data-now=${one.end === null && !ended}>
                  <span>${stepText(one.step)}</span>
                  <span class="quiet">${timeText(one.start)}${one.end ? `, ${durationText((Date.parse(one.end) - Date.parse(one.start)) / 1000)}` : nothing}</span>
                  ${one.message ? html`<span class="quiet message">${one.message}</span>` : nothing}
                </li>`,
            )}
          </ol>
        </section>
        <section class="card">
          <h2>Hyperparameters</h2>
          <dl class="facts">
            ${Object.entries(job.hyperparameters).map(([name, value]) => html`<dt><code>${name}</code></dt><dd>${value}</dd>`)}
          </dl>
          ${Object.keys(job.hyperparameters).length === 0 ? html`<p class="quiet">None was given.</p>` : nothing}
        </section>
        <section class="card">
          <h2>Channels</h2>
          <dl class="facts">
            ${job.channels.map(
              (channel) =>
                html`<dt>${channel.name}</dt>
                  <dd><code>${channel.uri}</code>${channel.attributes.length > 0 ? html`<br /><span class="quiet">${channel.attributes.join(", ")}</span>` : nothing}</dd>`,
            )}
          </dl>
        </section>
        <section class="card">
          <h2>Where things are</h2>
          <dl class="facts">
            <dt>Results</dt>
            <dd><code>${job.output_uri}</code></dd>
            ${job.model_uri ? html`<dt>Model</dt><dd><code>${job.model_uri}</code></dd>` : nothing}
            ${job.checkpoint_uri ? html`<dt>Checkpoints</dt><dd><code>${job.checkpoint_uri}</code></dd>` : nothing}
            <dt>Machine</dt>
            <dd>${job.instance_type}, for at most ${durationText(job.max_run_s)}</dd>
          </dl>
        </section>
      </div>`;
  }
  private charts(): TemplateResult {
    return html`<div class="charts">
        <section class="card">
          <h2>Loss</h2>
          <p-curves .curves=${[{ label: "Training", points: seriesOf(this.series, "train:loss") }]}></p-curves>
        </section>
        <section class="card">
          <h2>Scores on the validation photos</h2>
          <p-curves
            .most=${1}
            .curves=${[
              { label: "Mean IoU", points: seriesOf(this.series, "validation:mIOU") },
              { label: "Pixel accuracy", points: seriesOf(this.series, "validation:pixel_accuracy") },
            ]}
          ></p-curves>
        </section>
        <section class="card">
          <h2>Images a second</h2>
          <p-curves
            .digits=${1}
            .curves=${[
              { label: "Training", points: seriesOf(this.series, "train:throughput") },
              { label: "Validation", points: seriesOf(this.series, "validation:throughput") },
            ]}
          ></p-curves>
        </section>
      </div>`;
  }
  private summary(job: TrainingJob, ended: boolean): TemplateResult {
    const progress = progressOf(job, this.series);
    const best = bestOf(this.series);
    const words = [
      ended ? `${job.seconds ? `Ran ${durationText(job.seconds)}` : "Never ran"}, created ${ageText(job.created, Date.now())}` : `${stepText(job.step)}, created ${ageText(job.created, Date.now())}`,
      progress ? `epoch ${progress.done} of ${progress.of}` : "",
      best ? `best mean IoU ${best.value.toFixed(3)} after epoch ${best.epoch}` : "",
    ].filter(Boolean);
    return html`<div class="stack">
      <p class="quiet">${words.join(" · ")}</p>
      ${progress && !ended
        ? html`<t-progress label="Epochs done" .shares=${[{ value: progress.done, label: "done", kind: "live" as const }]} .total=${progress.of}></t-progress>`
        : nothing}
    </div>`;
  }
}
customElements.define("p-training-job", TrainingPage);
