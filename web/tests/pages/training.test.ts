import { describe, expect, it } from "vitest";
import type { MetricSeries, TrainingJob, TrainingOptions, TrainingStart, Variant } from "../../src/api/controlFacts";
import { aligned } from "../../src/pages/console/curveData";
import { linesWith } from "../../src/pages/console/logLines";
import {
  again,
  algorithmsFor,
  emptyTraining,
  fromLabeling,
  memberOfRefusal,
  problemsOfTraining,
  requestOfTraining,
  withBackbone,
  withOptions,
} from "../../src/pages/console/trainingDraft";
import { adviceFor, ageText, bestOf, progressOf, serversOf, trafficOf } from "../../src/pages/console/trainingFigures";

const options: TrainingOptions = { gpus: 0, cores: 2, backbone: "mobilenet-v2", algorithm: "lite", instance_types: [], hyperparameters: [] };
const start: TrainingStart = {
  labeling_job: "turtles",
  name: "turtles-1",
  photos: 8,
  labels: [{ label: "Turtle", color: "#2ca02c" }],
  num_classes: 2,
  label_attribute: "turtles-ref",
  validation_percent: 20,
  output_uri: "s3://reef/training",
};
const job: TrainingJob = {
  name: "reef-1",
  status: "Failed",
  step: "Failed",
  created: "2026-01-01T00:00:00.000Z",
  modified: "2026-01-01T00:00:00.000Z",
  started: null,
  ended: null,
  seconds: 0,
  epochs: '"4"',
  failure_reason: "",
  model_uri: "",
  metrics: {},
  parent: "",
  transitions: [],
  channels: [{ name: "train", kind: "augmented-manifest", uri: "s3://reef/t.manifest", attributes: ["source-ref", "turtles-ref"], content_type: "" }],
  hyperparameters: { backbone: '"resnet-50"', epochs: "4", num_classes: "2", num_training_samples: "9" },
  output_uri: "s3://reef/training",
  checkpoint_uri: "s3://reef/checkpoints",
  instance_type: "ml.p3.2xlarge",
  max_run_s: 5400,
  image: "semantic-segmentation",
};
const series: MetricSeries[] = [
  { name: "train:loss", points: [[1, 2], [2, 1.5], [3, 1.2]] },
  { name: "validation:mIOU", points: [[1, 0.4], [2, 0.7], [3, 0.6]] },
];

describe("the form for a training job", () => {
  it("is ready to be sent on a labeling job's output, with what suits the machine", () => {
    const draft = fromLabeling(withOptions(emptyTraining(), options), start);
    expect(problemsOfTraining(draft)).toEqual({});
    expect(requestOfTraining(draft)).toEqual({
      name: "turtles-1",
      output_uri: "s3://reef/training",
      max_run_s: 86_400,
      hyperparameters: { backbone: "mobilenet-v2", algorithm: "lite" },
      labeling_job: "turtles",
      validation_percent: 20,
    });
  });
  it("keeps what was chosen when the machine's choice comes", () => {
    const draft = withOptions({ ...emptyTraining(), values: { backbone: "resnet-50" } }, options);
    expect(draft.values).toEqual({ backbone: "resnet-50", algorithm: "fcn" });
    expect(withOptions(emptyTraining(), { ...options, instance_types: ["ml.big"] }).instanceType).toBe("ml.big");
  });
  it("offers no algorithm that the backbone does not go with", () => {
    expect(withBackbone({ backbone: "mobilenet-v2", algorithm: "lite", epochs: "3" }, "resnet-50")).toEqual({ backbone: "resnet-50", algorithm: "fcn", epochs: "3" });
    expect(withBackbone({ algorithm: "psp" }, "resnet-50")["algorithm"]).toBe("psp");
    expect(withBackbone({}, "mobilenet-v2")["algorithm"]).toBe("lite");
    expect(algorithmsFor("resnet-101").map(({ value }) => value)).not.toContain("lite");
  });
  it("names what is missing", () => {
    expect(Object.keys(problemsOfTraining(emptyTraining())).sort()).toEqual(["labeling_job", "name", "output_uri"]);
    for (const name of ["", "-a", "a-", "a b", "ä", "a".repeat(64)])
      expect(problemsOfTraining({ ...fromLabeling(emptyTraining(), start), name })["name"]).toBeTruthy();
    const channels = { ...emptyTraining(), source: "channels" as const, name: "a", outputUri: "s3://b/c" };
    expect(problemsOfTraining(channels)["channels"]).toContain("train and validation");
    expect(problemsOfTraining(channels)["num_classes"]).toBeTruthy();
    const given = (uri: string, kind: "prefix" | "augmented-manifest" = "prefix") => ({
      ...channels,
      channels: [
        { name: "train", kind, uri, attributes: "" },
        { name: "validation", kind, uri: "s3://b/v/", attributes: "" },
      ],
    });
    expect(problemsOfTraining(given("C:\\photos"))["channels"]).toContain("C:\\photos");
    expect(problemsOfTraining(given("s3://b/t", "augmented-manifest"))["channels"]).toContain("attributes");
    expect(problemsOfTraining(given("s3://b/t"))["channels"]).toBeUndefined();
  });
  it("takes over an earlier job, and not its checkpoints", () => {
    const draft = again(job);
    expect(draft.name).toBe("reef-2");
    expect(draft.checkpointUri).toBe("");
    expect(draft.hours).toBe("2");
    expect(draft.values["backbone"]).toBe("resnet-50");
    expect(requestOfTraining({ ...draft, channels: [...draft.channels, { name: "x", kind: "prefix", uri: " ", attributes: "" }] })["channels"]).toEqual([
      { name: "train", kind: "augmented-manifest", uri: "s3://reef/t.manifest", attributes: ["source-ref", "turtles-ref"] },
    ]);
  });
  it("finds the field that a refusal names", () => {
    expect(memberOfRefusal("'output_uri': there is no bucket 'x'")).toBe("output_uri");
    expect(memberOfRefusal("'channels[1]': 'uri': no")).toBe("channels");
    expect(memberOfRefusal("you may not use bucket 'x'")).toBe("");
  });
});

describe("a training job's figures", () => {
  it("tell how far it is and which epoch was best", () => {
    expect(progressOf(job, series)).toEqual({ done: 3, of: 4 });
    expect(progressOf(job, [])).toBeNull();
    expect(progressOf({ epochs: "" }, series)).toEqual({ done: 3, of: 3 });
    expect(bestOf(series)).toEqual({ epoch: 2, value: 0.7 });
    expect(bestOf([])).toBeNull();
  });
  it("put curves on one row of epochs", () => {
    expect(aligned([{ label: "a", points: [[1, 5], [2, 6]] }, { label: "b", points: [[2, 7]] }])).toEqual([[1, 2], [5, 6], [null, 7]]);
    expect(aligned([{ label: "a", points: [] }])).toEqual([[], []]);
  });
  it("say how old it is", () => {
    const now = Date.parse("2026-01-01T00:03:00Z");
    expect(ageText("2026-01-01T00:00:00Z", now)).toBe("3 min ago");
    expect(ageText("2026-01-01T00:02:58Z", now)).toBe("just now");
    expect(ageText("", now)).toBe("–");
  });
  it("give advice for every failure", () => {
    expect(adviceFor("AlgorithmError: pretrained weights for resnet-50 are missing: resnet50.pth")).toContain("mobilenet-v2");
    expect(adviceFor("InternalServerError: disk: no space left")).toContain("room");
    expect(adviceFor("ClientError: epochs is 0: allowed are whole numbers from 1")).toContain("allowed");
    expect(adviceFor("ClientError: Data download failed: channel train: there is no object")).toContain("channels");
    expect(adviceFor("")).toContain("log");
  });
  it("find lines of the log whatever their case", () => {
    const lines = ["Epoch 1", "loss 2", "EPOCH 2"].map((text) => ({ time: "", stream: 1, text }));
    expect(linesWith(lines, " epoch").map(({ text }) => text)).toEqual(["Epoch 1", "EPOCH 2"]);
    expect(linesWith(lines, "")).toHaveLength(3);
  });
});

describe("an endpoint's figures", () => {
  const variant = (weight: number, healthy: boolean[], count: number): Variant => ({
    name: "v",
    model: "m",
    data: "",
    weight,
    count,
    instance_type: "",
    problem: "",
    instances: healthy.map((one, at) => ({ id: String(at), made: "", served: null, healthy: one, in_flight: 1, answered: 10 })),
  });
  it("count servers and requests", () => {
    expect(serversOf([variant(1, [true, false], 2), variant(1, [true], 1)])).toEqual({ healthy: 2, wanted: 3, answered: 30, inFlight: 3 });
  });
  it("share requests by weight", () => {
    expect(trafficOf([variant(3, [], 1), variant(1, [], 1)])).toEqual([0.75, 0.25]);
    expect(trafficOf([variant(0, [], 1)])).toEqual([0]);
  });
});
