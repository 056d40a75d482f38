// The form for a training job: on a labeling job's output, on data anywhere in buckets, or as an earlier job.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { ApiError, client } from "../../api/client";
import type { TrainingJob, TrainingOptions, TrainingStart } from "../../api/controlFacts";
import { part, type Job } from "../../api/facts";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { sheet } from "../../ui/style";
import { busy, problemText } from "../../ui/toast";
import { plural, sentence } from "../../ui/words";
import { navigate } from "../navigation";
import { withoutMember } from "./jobDraft";
import { kNameHint } from "./names";
import "./swatch";
import {
  again,
  algorithmsFor,
  emptyTraining,
  fromLabeling,
  kBackbones,
  kMainValues,
  memberOfRefusal,
  problemsOfTraining,
  requestOfTraining,
  withBackbone,
  withOptions,
  type DraftChannel,
  type TrainingDraft,
  type TrainingProblems,
} from "./trainingDraft";

const kLabels: Record<string, string> = {
  epochs: "Epochs",
  crop_size: "Crop size",
  mini_batch_size: "Photos at once",
  learning_rate: "Learning rate",
};
// Of the form's own fields; all others are hyperparameters.
const kMembers = ["name", "output_uri", "checkpoint_uri", "max_run_s", "labeling_job", "validation_percent", "channels", "num_classes", "num_training_samples"];

class NewTraining extends LitElement {
  static override styles = [
    sheet,
    css`
      .channel {
        align-items: end;
        display: grid;
        gap: 8px;
        grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr) minmax(0, 2.4fr) auto;
      }
      .channel .attributes {
        grid-column: 2 / 4;
      }
      .values {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr));
      }
      .all {
        display: grid;
        gap: 14px;
        grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr));
        margin-top: 14px;
      }
      summary {
        cursor: pointer;
        font-weight: 600;
        padding: 4px 0;
      }
      .labels {
        display: flex;
        flex-wrap: wrap;
        gap: 6px 18px;
      }
      @media (max-width: 640px) {
        .channel {
          border-bottom: 1px solid var(--line);
          grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
          padding-bottom: 12px;
        }
        .channel .uri,
        .channel .attributes {
          grid-column: 1 / -1;
        }
      }
    `,
  ];
  @state() private draft: TrainingDraft = emptyTraining();
  @state() private options: TrainingOptions | null = null;
  @state() private jobs: Job[] | null = null;
  @state() private start: TrainingStart | null = null;
  @state() private refused: TrainingProblems = {};
  @state() private general = "";
  @state() private tried = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load().catch((thrown: unknown) => (this.general = problemText(thrown)));
  }
  private async load(): Promise<void> {
    const query = new URLSearchParams(location.search);
    const from = query.get("from");
    const labeling = query.get("labeling-job");
    if (from) {
      const { job } = await client.get<{ job: TrainingJob }>(`console/training-jobs/${part(from)}`);
      this.draft = again(job);
    }
    this.options = await client.get<TrainingOptions>("console/training-options");
    this.draft = withOptions(this.draft, this.options);
    if (labeling) await this.chooseLabeling(labeling);
    const { jobs } = await client.get<{ jobs: Job[] }>("requester/jobs", { limit: 100 });
    this.jobs = jobs.filter((job) => job.output_dataset_uri !== "" && job.counters.total_labeled >= 2);
  }
  private async chooseLabeling(name: string): Promise<void> {
    this.start = null;
    this.set({ labelingJob: name }, "labeling_job");
    if (name === "") return;
    const start = await client.get<TrainingStart>(`requester/jobs/${part(name)}/training-draft`);
    if (this.draft.labelingJob !== name) return;
    this.start = start;
    this.draft = fromLabeling(this.draft, start);
  }
  private set(change: Partial<TrainingDraft>, ...members: string[]): void {
    this.draft = { ...this.draft, ...change };
    if (members.some((member) => this.refused[member]))
      this.refused = Object.fromEntries(Object.entries(this.refused).filter(([member]) => !members.includes(member)));
  }
  private setValue(name: string, value: string): void {
    this.set({ values: { ...this.draft.values, [name]: value } }, name, "hyperparameters");
  }
  private setChannel(at: number, change: Partial<DraftChannel>): void {
    this.set({ channels: this.draft.channels.map((one, index) => (index === at ? { ...one, ...change } : one)) }, "channels");
  }
  private errorOf(member: string): string | undefined {
    return this.refused[member] ?? (this.tried ? problemsOfTraining(this.draft)[member] : undefined);
  }
  private async create(): Promise<void> {
    this.tried = true;
    this.general = "";
    this.refused = {};
    if (Object.keys(problemsOfTraining(this.draft)).length > 0) {
      await this.updateComplete;
      this.renderRoot.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
      return;
    }
    try {
      const { job } = await client.post<{ job: TrainingJob }>("console/training-jobs", requestOfTraining(this.draft));
      navigate(`/_/console/training/${part(job.name)}`, { replace: true });
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      const member = thrown instanceof ApiError ? memberOfRefusal(message) : "";
      if (kMembers.includes(member)) this.refused = { [member]: withoutMember(message) };
      else this.general = sentence(member === "hyperparameters" ? withoutMember(message) : message);
      await this.updateComplete;
      this.renderRoot.querySelector<HTMLElement>("[aria-invalid='true'], [role='alert']")?.scrollIntoView({ block: "center" });
    }
  }
  private meaningOf(name: string): string {
    const row = this.options?.hyperparameters.find((one) => one.name === name);
    if (!row) return "";
    const text = row.meaning.charAt(0).toUpperCase() + row.meaning.slice(1);
    return `${text}${text.endsWith(".") ? "" : "."} Allowed: ${row.allowed}.`;
  }

  override render(): TemplateResult {
    return html`<div class="page middle">
      <p><a href="/_/console/training">Training jobs</a></p>
      <h1>New training job</h1>
      ${this.general ? html`<p class="note bad" role="alert">${this.general}</p>` : nothing}
      <form class="stack" novalidate @submit=${busy(() => this.create())}>
        <section class="card">
          <h2>Data</h2>
          <fieldset>
            <legend class="visually-hidden">Where the data come from</legend>
            <div class="row">
              ${this.sourceChoice("labeling", "A labeling job's output")} ${this.sourceChoice("channels", "Photos and masks in buckets")}
            </div>
          </fieldset>
          ${this.draft.source === "labeling" ? this.labelingPart() : this.channelsPart()}
        </section>
        <section class="card">
          <h2>Network</h2>
          <div class="columns">
            ${selectField({
              id: "backbone",
              label: "Backbone",
              hint: "What looks at the photo first; pretrained.",
              value: this.draft.values["backbone"] ?? "",
              options: kBackbones,
              onInput: (value) => this.set({ values: withBackbone(this.draft.values, value) }, "backbone", "algorithm"),
            })}
            ${selectField({
              id: "algorithm",
              label: "Algorithm",
              hint: "What makes a mask of that.",
              value: this.draft.values["algorithm"] ?? "",
              options: algorithmsFor(this.draft.values["backbone"] ?? ""),
              onInput: (value) => this.setValue("algorithm", value),
            })}
          </div>
          ${this.options?.gpus === 0 && this.draft.values["backbone"] !== "mobilenet-v2"
            ? html`<p class="note">This server has no GPU: a ResNet takes hours here. MobileNetV2 takes minutes.</p>`
            : nothing}
          <div class="values">${Object.keys(kLabels).map((name) => this.valueField(name, kLabels[name]!))}</div>
          <details>
            <summary>All hyperparameters</summary>
            <div class="all">${this.otherValues()}</div>
          </details>
        </section>
        <section class="card">
          <h2>Name and place</h2>
          ${textField({
            id: "name",
            label: "Name",
            hint: kNameHint,
            value: this.draft.name,
            error: this.errorOf("name"),
            onInput: (name) => this.set({ name }, "name"),
          })}
          ${textField({
            id: "output",
            label: "Where results go",
            hint: "The model goes into a folder with the job's name in there.",
            placeholder: "s3://photos/training",
            value: this.draft.outputUri,
            error: this.errorOf("output_uri"),
            onInput: (outputUri) => this.set({ outputUri }, "output_uri"),
          })}
          <div class="columns">
            ${textField({
              id: "hours",
              label: "Ends after, in hours",
              type: "number",
              min: 1,
              max: 672,
              value: this.draft.hours,
              error: this.errorOf("max_run_s"),
              onInput: (hours) => this.set({ hours }, "max_run_s"),
            })}
            ${textField({
              id: "checkpoints",
              label: "Checkpoints (optional)",
              hint: "A training that ends early goes on from there.",
              placeholder: "s3://photos/checkpoints",
              value: this.draft.checkpointUri,
              error: this.errorOf("checkpoint_uri"),
              onInput: (checkpointUri) => this.set({ checkpointUri }, "checkpoint_uri"),
            })}
            ${(this.options?.instance_types.length ?? 0) > 0
              ? selectField({
                  id: "instance",
                  label: "Machine",
                  value: this.draft.instanceType,
                  options: this.options!.instance_types.map((type) => ({ value: type, label: type })),
                  onInput: (instanceType) => this.set({ instanceType }),
                })
              : nothing}
          </div>
        </section>
        <div class="row"><button class="primary">Start training</button></div>
      </form>
    </div>`;
  }
  private sourceChoice(source: TrainingDraft["source"], label: string): TemplateResult {
    return html`<label class="check"
      ><input type="radio" name="source" .checked=${this.draft.source === source} @change=${() => this.set({ source })} /> ${label}</label
    >`;
  }
  private labelingPart(): TemplateResult {
    if (this.jobs?.length === 0)
      return html`<p class="note">
        No labeling job has two labelled photos yet. <a href="/_/console">Look at the labeling jobs</a>, or name photos and masks in buckets.
      </p>`;
    const names = new Set([...(this.jobs ?? []).map((job) => job.name), ...(this.draft.labelingJob ? [this.draft.labelingJob] : [])]);
    return html`<div class="columns">
        ${selectField({
          id: "labeling",
          label: "Labeling job",
          value: this.draft.labelingJob,
          error: this.errorOf("labeling_job"),
          options: [{ value: "", label: "Choose one …" }, ...[...names].map((name) => ({ value: name, label: name }))],
          onInput: (name) => void this.chooseLabeling(name).catch((thrown: unknown) => (this.general = problemText(thrown))),
        })}
        ${textField({
          id: "validation",
          label: "Kept for validation, in %",
          hint: "The network is judged by these; it never learns from them.",
          type: "number",
          min: 1,
          max: 90,
          value: this.draft.validationPercent,
          error: this.errorOf("validation_percent"),
          onInput: (validationPercent) => this.set({ validationPercent }, "validation_percent"),
        })}
      </div>
      ${this.start
        ? html`<p>
              ${plural(this.start.photos, "labelled photo")}, ${plural(this.start.labels.length, "label")}; with the background that is
              num_classes = ${this.start.num_classes}.
            </p>
            <div class="labels">
              ${this.start.labels.map(({ label, color }) => html`<p-swatch .category=${{ label, color, void: false }}></p-swatch>`)}
            </div>`
        : nothing}`;
  }
  private channelsPart(): TemplateResult {
    const error = this.errorOf("channels");
    return html`<p class="quiet">
        Needed are train and validation with train_annotation and validation_annotation, or train and validation as augmented manifests.
        Also known: label_map, and model to go on from an earlier model.
      </p>
      ${error ? html`<p class="error" role="alert">${error}</p>` : nothing}
      ${this.draft.channels.map(
        (channel, at) =>
          html`<div class="channel" role="group" aria-label="Channel ${at + 1}">
            ${textField({
              id: `channel-${at}`,
              label: "Channel",
              value: channel.name,
              onInput: (name) => this.setChannel(at, { name }),
            })}
            ${selectField({
              id: `kind-${at}`,
              label: "What it is",
              value: channel.kind,
              options: [
                { value: "prefix", label: "A folder" },
                { value: "augmented-manifest", label: "Augmented manifest" },
                { value: "manifest", label: "Manifest" },
              ],
              onInput: (kind) => this.setChannel(at, { kind: kind as DraftChannel["kind"] }),
            })}
            <div class="uri">
              ${textField({
                id: `uri-${at}`,
                label: "Address",
                placeholder: "s3://photos/train/",
                value: channel.uri,
                onInput: (uri) => this.setChannel(at, { uri }),
              })}
            </div>
            <button
              type="button"
              class="plain"
              aria-label="Remove channel ${channel.name || at + 1}"
              @click=${() => this.set({ channels: this.draft.channels.filter((_, index) => index !== at) }, "channels")}
            >
              ${icons.close}
            </button>
            ${channel.kind === "augmented-manifest"
              ? html`<div class="attributes">
                  ${textField({
                    id: `attributes-${at}`,
                    label: "Attributes",
                    placeholder: "source-ref, turtles-ref",
                    value: channel.attributes,
                    onInput: (attributes) => this.setChannel(at, { attributes }),
                  })}
                </div>`
              : nothing}
          </div>`,
      )}
      <div>
        <button
          type="button"
          class="small"
          @click=${() => this.set({ channels: [...this.draft.channels, { name: "", kind: "prefix", uri: "", attributes: "" }] })}
        >
          ${icons.plus} Add a channel
        </button>
      </div>
      <div class="columns">
        ${this.valueField("num_classes", "Classes, background included", this.errorOf("num_classes"))}
        ${this.valueField("num_training_samples", "Photos to learn from", this.errorOf("num_training_samples"))}
      </div>`;
  }
  private valueField(name: string, label: string, error?: string): TemplateResult {
    const row = this.options?.hyperparameters.find((one) => one.name === name);
    return textField({
      id: `value-${name}`,
      label,
      hint: this.meaningOf(name),
      placeholder: row?.default ?? "",
      value: this.draft.values[name] ?? "",
      error,
      onInput: (value) => this.setValue(name, value),
    });
  }
  private otherValues(): TemplateResult[] {
    const shown = new Set([...kMainValues, "num_classes", "num_training_samples"]);
    return (this.options?.hyperparameters ?? []).filter(({ name }) => !shown.has(name)).map(({ name }) => this.valueField(name, name));
  }
}
customElements.define("p-new-training", NewTraining);
