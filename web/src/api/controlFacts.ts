// What the server says of training jobs, models and endpoints (docs/formats/console-http.md).

export type TrainingStatus = "InProgress" | "Stopping" | "Completed" | "Failed" | "Stopped";
export const trainingStatuses: TrainingStatus[] = ["InProgress", "Stopping", "Completed", "Failed", "Stopped"];

export interface TrainingSummary {
  name: string;
  status: TrainingStatus;
  step: string;
  created: string;
  modified: string;
  started: string | null;
  ended: string | null;
  seconds: number;
  epochs: string;
  failure_reason: string;
  model_uri: string;
  metrics: Record<string, number>;
  parent: string;
}

export interface TrainingChannel {
  name: string;
  kind: "prefix" | "manifest" | "augmented-manifest";
  uri: string;
  attributes: string[];
  content_type: string;
}

export interface TrainingTransition {
  step: string;
  start: string;
  end: string | null;
  message: string;
}

export interface TrainingJob extends TrainingSummary {
  transitions: TrainingTransition[];
  channels: TrainingChannel[];
  hyperparameters: Record<string, string>;
  output_uri: string;
  checkpoint_uri: string;
  instance_type: string;
  max_run_s: number;
  image: string;
}

/** A number of a training over its epochs: points are [epoch, value]. */
export interface MetricSeries {
  name: string;
  points: [number, number][];
}

export interface LogLine {
  time: string;
  /** 1: standard output, 2: standard error, 0: a remark of the keeper's. */
  stream: number;
  text: string;
}
export interface LogPage {
  lines: LogLine[];
  next: number;
}

export interface OverlayIndex {
  photos: string[];
  epochs: number[];
}

export interface Hyperparameter {
  name: string;
  allowed: string;
  default: string;
  meaning: string;
}
export interface TrainingOptions {
  gpus: number;
  cores: number;
  backbone: string;
  algorithm: string;
  instance_types: string[];
  hyperparameters: Hyperparameter[];
}

/** What a training on a labeling job's output begins with. */
export interface TrainingStart {
  labeling_job: string;
  name: string;
  photos: number;
  labels: { label: string; color: string }[];
  num_classes: number;
  label_attribute: string;
  validation_percent: number;
  output_uri: string;
}

export interface Model {
  name: string;
  data: string;
  environment: Record<string, string>;
  created: string;
  /** Of the package; null if it is gone. Told of one model, not in lists. */
  bytes?: number | null;
}

export interface Instance {
  id: string;
  made: string;
  served: string | null;
  healthy: boolean;
  in_flight: number;
  answered: number;
}
export interface Variant {
  name: string;
  model: string;
  data: string;
  weight: number;
  count: number;
  instance_type: string;
  problem: string;
  instances: Instance[];
}
export type EndpointStatus = "Creating" | "InService" | "Updating" | "RollingBack" | "Deleting" | "Failed";
export interface Endpoint {
  name: string;
  status: EndpointStatus;
  created: string;
  modified: string;
  config: string;
  failure: string;
  variants: Variant[];
  /** What takes the place of `variants` once it can. */
  next: Variant[] | null;
}

/** What a model says of a photo (docs/formats/hosting.md). */
export interface PhotoAnswer {
  shape: [number, number];
  classes: { index: number; name: string; color: string; pixels: number }[];
  mask_png_base64: string;
}

export function trainingEnded(status: TrainingStatus): boolean {
  return status === "Completed" || status === "Failed" || status === "Stopped";
}
