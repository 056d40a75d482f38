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
