// Counters, speed, time left, and answers over time.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { hasEnded, part, type Progress } from "../../api/facts";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { countText, durationText } from "../../ui/words";
import "./chart";
import { secondsLeft } from "./jobFigures";
import { sharesOf } from "./jobStatus";

class JobOverview extends LitElement {
  static override styles = [
    sheet,
    css`
      .figures {
        display: grid;
        gap: 12px;
        grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
      }
      .figures div {
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: 10px;
        align-content: space-between;
        display: grid;
        padding: 10px 14px;
      }
      dt {
        color: var(--text-quiet);
      }
      dd {
        font-size: 1.35rem;
        font-variant-numeric: tabular-nums;
        font-weight: 700;
        margin: 0;
      }
      t-progress {
        --bar-height: 16px;
      }
    `,
  ];
  @property({ attribute: false }) progress!: Progress;

  override render(): TemplateResult {
    const {
      job,
      answers,
      answers_last_hour,
      median_seconds_per_answer,
      assistance_learned: learned,
      series,
    } = this.progress;
    const left = secondsLeft(job, answers, answers_last_hour);
    const figures: [string, string][] = [
      ["Labelled", `${countText(job.counters.total_labeled)} of ${countText(job.objects)}`],
      ["Failed", countText(job.counters.failed_non_retryable)],
      ["Left", countText(job.counters.unlabeled)],
      ["Answers", `${countText(answers)} of ${countText(job.objects * job.spec.workers_per_object)}`],
      ["In the last hour", countText(answers_last_hour)],
      ["Median time", median_seconds_per_answer === null ? "–" : durationText(median_seconds_per_answer)],
    ];
    if (!hasEnded(job.status)) figures.push(["Time left, about", left === null ? "–" : durationText(left)]);
    return html`<div class="stack">
      <t-progress label="Labelled photos" .shares=${sharesOf(job)} .total=${job.objects}></t-progress>
      <dl class="figures">
        ${figures.map(
          ([title, value]) =>
            html`<div>
              <dt>${title}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      ${answers === 0
        ? hasEnded(job.status)
          ? html`<t-empty heading="No answers">
              <p>
                ${job.objects === 0
                  ? "The job ended before there was a photo to label. Mend what it says above, then clone it from the menu."
                  : "The job ended before anybody answered. Continue or clone it from the menu above."}
              </p>
            </t-empty>`
          : html`<t-empty heading="No answers yet">
              <p>People in the job's team find it under Tasks. Is somebody in the team?</p>
              <a class="button" href="/_/console/teams">Look at the teams</a>
            </t-empty>`
        : html`<section class="card">
            <h2>Answers over time</h2>
            <p-chart .series=${series}></p-chart>
          </section>`}
      ${learned
        ? html`<p>
            Assistance learned from ${countText(learned.photos)} photos: IoU
            ${learned.iou_before.toFixed(3)} → ${learned.iou_after.toFixed(3)} on
            ${countText(learned.held_out)} later photos.
          </p>`
        : nothing}
      ${job.counters.failed_non_retryable > 0
        ? html`<p>
            <a href="/_/console/jobs/${part(job.name)}/gallery#failed">See why photos failed</a>
          </p>`
        : nothing}
    </div>`;
  }
}
customElements.define("p-job-overview", JobOverview);
