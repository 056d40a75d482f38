// What the server's answers look like (docs/formats/worker-http.md).

export interface Job {
  id: string;
  name: string;
  status: JobStatus;
  failure_reason: string;
  created: string;
  modified: string;
  objects: number;
  counters: {
    total_labeled: number;
    human_labeled: number;
    machine_labeled: number;
    failed_non_retryable: number;
    unlabeled: number;
  };
  output_dataset_uri: string;
  reference_code: string;
  spec: JobSpec;
}
export type JobStatus = "Initializing" | "InProgress" | "Completed" | "Failed" | "Stopping" | "Stopped";
export const jobStatuses: JobStatus[] = ["Initializing", "InProgress", "Completed", "Failed", "Stopping", "Stopped"];

export interface JobSpec {
  name: string;
  label_attribute: string;
  input_uri: string;
  output_uri: string;
  categories_uri: string;
  template_uri: string;
  workteam_arn: string;
  pre_function_arn: string;
  post_function_arn: string;
  keywords: string[];
  title: string;
  description: string;
  workers_per_object: number;
  task_time_limit_s: number;
  task_availability_s: number;
  max_concurrent: number;
  max_human_labeled_objects?: number;
  max_percent_labeled?: number;
  owner: string;
  continues: string;
  skip_labeled: boolean;
  majority_vote: boolean;
}

export interface Progress {
  job: Job;
  answers: number;
  answers_last_hour: number;
  median_seconds_per_answer: number | null;
  assistance_learned: {
    photos: number;
    held_out: number;
    iou_before: number;
    iou_after: number;
    time: string;
  } | null;
  series: { time: string; answers: number }[];
}

export type ObjectState = "waiting" | "open" | "ready" | "labeled" | "failed" | "passed";
export interface JobObject {
  index: number;
  source_uri: string;
  state: ObjectState;
  answers: number;
  declines: number;
  mask_uri: string;
  failure_reason: string;
  confidence: number;
  disagreement: number;
}
export interface ObjectAnswer {
  assignment_id: string;
  worker_id: string;
  answer_uri: string;
  accepted: string;
  submitted: string;
  withdrawn: boolean;
}
export interface JobWorker {
  worker_id: string;
  submitted: number;
  declined: number;
  returned: number;
  expired: number;
  seconds_spent: number;
  reliability: number | null;
}
/** `index` is the value in masks; void is 255. */
export interface Category {
  label: string;
  color: string;
  void: boolean;
  index: number;
}

export interface WorkerJob {
  job_name: string;
  title: string;
  description: string;
  workteam_arn: string;
  keywords: string[];
  task_time_limit_s: number;
  created: string;
  available: number;
  price?: Price;
}
export interface Price {
  dollars: number;
  cents: number;
  tenth_fractions_of_a_cent: number;
}
export interface Assignment {
  id: string;
  job_name: string;
  object_index: number;
  state: "leased" | "submitted" | "returned" | "declined" | "expired" | "withdrawn";
  accepted: string;
  deadline: string;
  remaining_seconds: number;
  submitted: string | null;
  correctable: boolean;
}

export interface WorkTeam {
  name: string;
  arn: string;
  description: string;
  kind: "private" | "vendor" | "public";
  groups: string[];
  members: { id: string; name: string; display_name: string }[];
  in_use: boolean;
}
export interface Person {
  id: string;
  name: string;
  display_name: string;
  roles: string[];
  groups: string[];
  active: boolean;
}
export interface Invitation {
  id: string;
  name: string;
  roles: string[];
  groups: string[];
  made_by: string;
  created: string;
  expires: string;
}
export interface Vendor {
  name: string;
  arn: string;
  title: string;
  description: string;
  seller: string;
  subscribed: boolean;
  created: string;
}
export interface Key {
  access_key_id: string;
  scope: string;
  name: string;
  buckets: string[]; // empty: all
  created: string;
}
export interface AnnotationFunction {
  arn: string;
  name: string;
  kind: "segmentation" | "adjustment" | "verification" | "registered";
}
export interface RequesterSettings {
  region: string;
  account_id: string;
  public_crowd_arn: string;
  job_arn_prefix: string;
  pre_functions: AnnotationFunction[];
  post_functions: AnnotationFunction[];
  limits: { max_labels: number; max_upload_bytes: number };
}
export interface Listing {
  folders: string[];
  objects: { key: string; size: number; modified: string }[];
  next: string | null;
}

export function hasEnded(status: JobStatus): boolean {
  return status === "Completed" || status === "Failed" || status === "Stopped";
}

/** An address's part, with everything in it that means something encoded. */
export function part(text: string | number): string {
  return encodeURIComponent(String(text));
}

/** A bucket's key in an address: its slashes stay. */
export function keyPath(bucket: string, key: string): string {
  return `${part(bucket)}/${key.split("/").map(part).join("/")}`;
}
