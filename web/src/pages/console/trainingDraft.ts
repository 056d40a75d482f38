// What the form for a training job holds, what is wrong with it, and the request it becomes.
import type { TrainingJob, TrainingOptions, TrainingStart } from "../../api/controlFacts";
import { nextName } from "./jobDraft";
import { placeOf } from "./place";

export interface DraftChannel {
  name: string;
  kind: "prefix" | "manifest" | "augmented-manifest";
  uri: string;
  /** Of an augmented manifest, with commas between them. */
  attributes: string;
}

export interface TrainingDraft {
  name: string;
  source: "labeling" | "channels";
  labelingJob: string;
  validationPercent: string;
  channels: DraftChannel[];
  outputUri: string;
  checkpointUri: string;
  instanceType: string;
  hours: string;
  /** As they are written; "" is left to its default. */
  values: Record<string, string>;
}

export type TrainingProblems = Record<string, string>;

/** Those that stand in the form itself; all others are in the table below it. */
export const kMainValues = ["backbone", "algorithm", "epochs", "crop_size", "mini_batch_size", "learning_rate"];
export const kBackbones = [
  { value: "mobilenet-v2", label: "MobileNetV2 (small, trains without a GPU)" },
  { value: "resnet-50", label: "ResNet-50" },
  { value: "resnet-101", label: "ResNet-101 (largest)" },
];
const kLite = { value: "lite", label: "Lite (fast; for MobileNetV2)" };
const kAlgorithms = [
  { value: "fcn", label: "FCN" },
  { value: "psp", label: "PSP" },
  { value: "deeplab", label: "DeepLabV3" },
];
const kUsualChannels = ["train", "train_annotation", "validation", "validation_annotation"];

/** Lite goes with MobileNetV2 alone. */
export function algorithmsFor(backbone: string): { value: string; label: string }[] {
  return backbone === "mobilenet-v2" ? [kLite, ...kAlgorithms] : kAlgorithms;
}

/** The values with another backbone; an algorithm that does not go with it becomes one that does. */
export function withBackbone(values: Record<string, string>, backbone: string): Record<string, string> {
  const fits = algorithmsFor(backbone).some(({ value }) => value === values["algorithm"]);
  return { ...values, backbone, algorithm: fits ? values["algorithm"]! : backbone === "mobilenet-v2" ? "lite" : "fcn" };
}

export function emptyTraining(): TrainingDraft {
  return {
    name: "",
    source: "labeling",
    labelingJob: "",
    validationPercent: "20",
    channels: kUsualChannels.map((name) => ({ name, kind: "prefix", uri: "", attributes: "" })),
    outputUri: "",
    checkpointUri: "",
    instanceType: "",
    hours: "24",
    values: {},
  };
}

/** Fills in what suits the machine, where nothing else was chosen. */
export function withOptions(draft: TrainingDraft, options: TrainingOptions): TrainingDraft {
  const values = { ...draft.values };
  values["backbone"] ||= options.backbone;
  values["algorithm"] ||= values["backbone"] === options.backbone ? options.algorithm : "fcn";
  return { ...draft, values, instanceType: draft.instanceType || (options.instance_types[0] ?? "") };
}

/** A draft on the output of a labeling job: ready to be sent. */
export function fromLabeling(draft: TrainingDraft, start: TrainingStart): TrainingDraft {
  return {
    ...draft,
    source: "labeling",
    labelingJob: start.labeling_job,
    name: draft.name || start.name,
    outputUri: draft.outputUri || start.output_uri,
  };
}

/** The values of an earlier job, under another name. */
export function again(job: TrainingJob): TrainingDraft {
  const plain = (value: string): string => (/^".*"$/s.test(value) ? value.slice(1, -1) : value);
  return {
    ...emptyTraining(),
    name: nextName(job.name),
    source: "channels",
    channels: job.channels.map(({ name, kind, uri, attributes }) => ({ name, kind, uri, attributes: attributes.join(", ") })),
    outputUri: job.output_uri,
    checkpointUri: "", // those of the other job would be gone on with
    instanceType: job.instance_type,
    hours: String(Math.max(1, Math.ceil(job.max_run_s / 3600))),
    values: Object.fromEntries(Object.entries(job.hyperparameters).map(([name, value]) => [name, plain(value)])),
  };
}

const kName = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

function whole(text: string, least: number, most: number): boolean {
  return /^\d+$/.test(text.trim()) && Number(text) >= least && Number(text) <= most;
}

export function problemsOfTraining(draft: TrainingDraft): TrainingProblems {
  const problems: TrainingProblems = {};
  if (!kName.test(draft.name)) problems["name"] = "Write 1 to 63 letters, digits and hyphens between them.";
  if (!placeOf(draft.outputUri)) problems["output_uri"] = "Write an address such as s3://photos/training.";
  if (draft.checkpointUri && !placeOf(draft.checkpointUri)) problems["checkpoint_uri"] = "Write an address such as s3://photos/checkpoints, or nothing.";
  if (!whole(draft.hours, 1, 672)) problems["max_run_s"] = "Write whole hours, from 1 to 672.";
  if (draft.source === "labeling") {
    if (draft.labelingJob === "") problems["labeling_job"] = "Choose a labeling job whose photos are labelled.";
    if (!whole(draft.validationPercent, 1, 90)) problems["validation_percent"] = "Write a whole number from 1 to 90.";
  } else {
    const given = draft.channels.filter(({ uri }) => uri.trim() !== "");
    const wrong = given.find(({ uri }) => !placeOf(uri.trim()));
    const names = given.map(({ name }) => name);
    if (wrong) problems["channels"] = `The address of ${wrong.name || "a channel"} is '${wrong.uri}': write one such as s3://photos/train/.`;
    else if (given.some(({ name }) => name.trim() === "")) problems["channels"] = "Every channel needs a name.";
    else if (new Set(names).size < names.length) problems["channels"] = "Two channels have the same name.";
    else if (!names.includes("train") || !names.includes("validation")) problems["channels"] = "The channels train and validation are needed.";
    else if (given.some(({ kind, attributes }) => kind === "augmented-manifest" && attributesOf(attributes).length === 0))
      problems["channels"] = "An augmented manifest needs its attributes: source-ref and the label's, such as turtles-ref.";
    for (const name of ["num_classes", "num_training_samples"])
      if (!whole(draft.values[name] ?? "", name === "num_classes" ? 2 : 1, 1e9)) problems[name] = "Write a whole number: the algorithm needs it.";
  }
  return problems;
}

function attributesOf(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
}

/** The body of POST console/training-jobs. */
export function requestOfTraining(draft: TrainingDraft): Record<string, unknown> {
  const values = Object.fromEntries(
    Object.entries(draft.values)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([name, value]) => value !== "" && (draft.source === "channels" || name !== "num_training_samples")),
  );
  return {
    name: draft.name,
    output_uri: draft.outputUri.trim(),
    ...(draft.checkpointUri.trim() ? { checkpoint_uri: draft.checkpointUri.trim() } : {}),
    ...(draft.instanceType ? { instance_type: draft.instanceType } : {}),
    max_run_s: Number(draft.hours) * 3600,
    hyperparameters: values,
    ...(draft.source === "labeling"
      ? { labeling_job: draft.labelingJob, validation_percent: Number(draft.validationPercent) }
      : {
          channels: draft.channels
            .filter(({ uri }) => uri.trim() !== "")
            .map(({ name, kind, uri, attributes }) => ({
              name: name.trim(),
              kind,
              uri: uri.trim(),
              ...(kind === "augmented-manifest" ? { attributes: attributesOf(attributes) } : {}),
            })),
        }),
  };
}

/** The field that a refusal names ("'output_uri': there is no bucket"); "" if it names none. */
export function memberOfRefusal(message: string): string {
  const named = /^'([a-z_]+)(?:\[\d+\])?'/.exec(message)?.[1] ?? "";
  return named;
}
