// Training jobs and endpoints in words.
import { html, type TemplateResult } from "lit";
import type { Endpoint, EndpointStatus, MetricSeries, TrainingSummary, Variant } from "../../api/controlFacts";
import { durationText } from "../../ui/words";

const kEndpoint: Record<EndpointStatus, [string, string]> = {
  Creating: ["Starting", "live"],
  InService: ["In service", "good"],
  Updating: ["Updating", "live"],
  RollingBack: ["Rolling back", "warn"],
  Deleting: ["Deleting", "warn"],
  Failed: ["Failed", "bad"],
};
// What a job does now, for those that have not ended.
const kSteps: Record<string, string> = {
  Pending: "Waits for its turn",
  Starting: "Starting",
  Downloading: "Fetching its data",
  Training: "Training",
  Uploading: "Storing the model",
  Stopping: "Stopping",
  Completed: "Completed",
  Failed: "Failed",
  Stopped: "Stopped",
  MaxRuntimeExceeded: "Ended: its time was up",
};

export function endpointBadge(status: EndpointStatus): TemplateResult {
  const [text, kind] = kEndpoint[status] ?? [status, ""];
  return html`<span class="badge ${kind}">${text}</span>`;
}
export function stepText(step: string): string {
  return kSteps[step] ?? step;
}

/** How long ago that was: "3 min ago". */
export function ageText(time: string, now: number): string {
  const seconds = (now - Date.parse(time)) / 1000;
  return Number.isNaN(seconds) ? "–" : seconds < 5 ? "just now" : `${durationText(seconds)} ago`;
}

/** The epoch that a job is at, of how many; null before the first is over. */
export function progressOf(job: Pick<TrainingSummary, "epochs">, series: MetricSeries[]): { done: number; of: number } | null {
  const done = Math.max(0, ...series.flatMap(({ points }) => points.map(([epoch]) => epoch)));
  const of = Number(job.epochs.replaceAll('"', "")) || done;
  return done > 0 ? { done, of: Math.max(of, done) } : null;
}

export function seriesOf(series: MetricSeries[], name: string): [number, number][] {
  return series.find((one) => one.name === name)?.points ?? [];
}

/** The epoch with the highest mean IoU so far. */
export function bestOf(series: MetricSeries[]): { epoch: number; value: number } | null {
  let best: { epoch: number; value: number } | null = null;
  for (const [epoch, value] of seriesOf(series, "validation:mIOU")) if (!best || value > best.value) best = { epoch, value };
  return best;
}

// From the words of a failure to what helps; the first that fits counts.
const kAdvice: [RegExp, string][] = [
  [/no space left|NoSpace/i, "Make room on the server's disk, then train again."],
  [/out of memory|signal 9|SIGKILL/i, "It needed more memory than there is. Train again with a smaller batch or crop."],
  [/pretrained|weights|\.pth|safetensors/i, "Choose the backbone mobilenet-v2, whose weights come with the program, or bring the weights that the message names to the server."],
  [/channel|no S3 objects|there is no object|Data download/i, "Look at the addresses of the channels, and whether photos and masks lie there. Then train again."],
  [/num_classes|class list|class \d|label/i, "Look at the masks' values and at num_classes: labels and background together. Then train again."],
  [/MaxRuntime|runtime/i, "Give it more time, or fewer epochs, and train again."],
  [/^InternalServerError/, "This is the server's fault, not the data's: look at its disk and its log, then train again."],
  [/allowed (?:are|is|values)|did you mean|hyperparameter/i, "Train again with a value that is allowed."],
  [/^AlgorithmError/, "The end of the log below says more. Train again with other values."],
];

/** What to do about a failed job. */
export function adviceFor(reason: string): string {
  return kAdvice.find(([pattern]) => pattern.test(reason))?.[1] ?? "The end of the log below says more. Mend what it names, then train again.";
}

/** How many servers answer, of how many there should be. */
export function serversOf(variants: Variant[]): { healthy: number; wanted: number; answered: number; inFlight: number } {
  const all = variants.flatMap(({ instances }) => instances);
  return {
    healthy: all.filter(({ healthy }) => healthy).length,
    wanted: variants.reduce((sum, { count }) => sum + count, 0),
    answered: all.reduce((sum, { answered }) => sum + answered, 0),
    inFlight: all.reduce((sum, { in_flight }) => sum + in_flight, 0),
  };
}

/** Each variant's part of the requests; by weight. */
export function trafficOf(variants: Pick<Variant, "weight">[]): number[] {
  const sum = variants.reduce((all, { weight }) => all + weight, 0);
  return variants.map(({ weight }) => (sum > 0 ? weight / sum : 0));
}

/** Whether photos can be sent to it. */
export function answersPhotos(endpoint: Pick<Endpoint, "status">): boolean {
  return endpoint.status === "InService" || endpoint.status === "Updating" || endpoint.status === "RollingBack";
}
