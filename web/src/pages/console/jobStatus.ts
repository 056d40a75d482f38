// A job's state in words and figures.
import { html, type TemplateResult } from "lit";
import type { Job, JobStatus } from "../../api/facts";
import type { Share } from "../../ui/small";

const kWords: Record<JobStatus, [string, string]> = {
  Initializing: ["Starting", "live"],
  InProgress: ["In progress", "live"],
  Completed: ["Completed", "good"],
  Failed: ["Failed", "bad"],
  Stopping: ["Stopping", "warn"],
  Stopped: ["Stopped", "warn"],
};

export function statusText(status: JobStatus): string {
  return kWords[status][0];
}
export function statusBadge(status: JobStatus): TemplateResult {
  return html`<span class="badge ${kWords[status][1]}">${statusText(status)}</span>`;
}

/** Labelled and failed photos, as parts of the progress bar. */
export function sharesOf(job: Job): Share[] {
  return [
    { value: job.counters.total_labeled, label: "labelled", kind: "good" },
    { value: job.counters.failed_non_retryable, label: "failed", kind: "bad" },
  ];
}

/** Seconds until the last answer at the speed of the last hour (`answersLastHour`); null while that cannot be said. */
export function secondsLeft(job: Job, answers: number, answersLastHour: number): number | null {
  const wanted = job.objects * job.spec.workers_per_object;
  const left = wanted - answers;
  if (left <= 0) return 0;
  return answersLastHour > 0 ? (left * 3600) / answersLastHour : null;
}
