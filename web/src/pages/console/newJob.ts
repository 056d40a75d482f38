// Making a labeling job, step by step. What is filled in is kept over a reload.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { ApiError, client } from "../../api/client";
import { part, type Job, type RequesterSettings, type WorkTeam } from "../../api/facts";
import { ask } from "../../ui/dialog";
import { checkField, selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import "../../ui/small";
import type { Chips } from "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, problemText } from "../../ui/toast";
import { sentence } from "../../ui/words";
import { navigate } from "../navigation";
import "./dataPicker";
import type { DataPicker } from "./dataPicker";
import { defaultTemplate, kWords } from "./defaultTemplate";
import {
  attributeFor,
  htmlOf,
  kMemberWords,
  kSteps,
  memberOf,
  nameFrom,
  problemsOf,
  readDraft,
  requestOf,
  withoutMember,
  type JobDraft,
  type Problems,
  type StepId,
} from "./jobDraft";
import { reviewOf } from "./jobReview";
import { placeOf } from "./place";
import "./labelEditor";
import type { LabelEditor } from "./labelEditor";
import "./preview";

const kKey = "terrapin-new-job";
const kClassifiers = [
  { value: "FreeOfPersonallyIdentifiableInformation", label: "The photos show no personal information" },
  { value: "FreeOfAdultContent", label: "The photos show no adult content" },
];

class NewJob extends LitElement {
  static override styles = [
    sheet,
    css`
      .steps {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .steps button {
        background: none;
        border-color: transparent;
        color: var(--text-quiet);
      }
      .steps [aria-current="step"] {
        background: var(--accent-soft);
        color: var(--accent-strong);
      }
      .steps .bad {
        color: var(--danger);
      }
      @media (max-width: 640px) {
        .steps {
          display: grid;
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
        .steps button {
          font-size: 0.88rem;
          padding: 6px 2px;
          width: 100%;
        }
      }
      .problems {
        display: grid;
        gap: 4px;
        margin: 0;
        padding-left: 20px;
      }
      .problems button {
        background: none;
        border: 0;
        color: inherit;
        font-size: 1em;
        min-height: 24px;
        padding: 0;
        text-decoration: underline;
      }
      .tag {
        display: grid;
        gap: 8px;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) auto;
      }
    `,
  ];
  @state() private draft: JobDraft = readDraft(sessionStorage.getItem(kKey));
  @state() private step: StepId = "photos";
  /** Steps that were left: their problems are shown. */
  @state() private left = new Set<StepId>();
  @state() private refused: Problems = {};
  @state() private general = "";
  @state() private settings: RequesterSettings | null = null;
  @state() private teams: WorkTeam[] | null = null;
  private titleNamesJob = this.draft.name === "" || this.draft.name === nameFrom(this.draft.title);

  override connectedCallback(): void {
    super.connectedCallback();
    void client
      .get<RequesterSettings>("requester/settings")
      .then((settings) => (this.settings = settings))
      .catch((thrown: unknown) => (this.general = problemText(thrown)));
    void client
      .get<{ workteams: WorkTeam[] }>("requester/workteams")
      .then(({ workteams }) => {
        this.teams = workteams;
        const own = workteams.filter((team) => team.kind === "private");
        if (!this.draft.workteamArn && own.length === 1) this.set({ workteamArn: own[0]!.arn });
      })
      .catch((thrown: unknown) => (this.general = problemText(thrown)));
  }
  private set(change: Partial<JobDraft>, ...members: string[]): void {
    this.draft = { ...this.draft, ...change };
    sessionStorage.setItem(kKey, JSON.stringify(this.draft));
    if (members.some((member) => this.refused[member]))
      this.refused = Object.fromEntries(Object.entries(this.refused).filter(([member]) => !members.includes(member)));
  }
  private get problems(): Problems {
    return { ...problemsOf(this.draft), ...this.refused };
  }
  private errorOf(member: string): string | undefined {
    const step = kSteps.find((one) => one.members.includes(member))!.id;
    return this.left.has(step) ? this.problems[member] : undefined;
  }
  private go(step: StepId): void {
    const to = kSteps.findIndex((one) => one.id === step);
    // Whatever lies before the step has been seen.
    this.left = new Set([...this.left, ...kSteps.slice(0, to).map((one) => one.id), this.step]);
    if (step === this.step) return;
    this.step = step;
    window.scrollTo(0, 0);
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("h2")?.focus());
  }
  private next(by: number): void {
    const at = kSteps.findIndex((one) => one.id === this.step);
    const here = kSteps[at]!;
    this.left = new Set([...this.left, here.id]);
    if (by > 0 && here.members.some((member) => this.problems[member])) {
      void this.updateComplete.then(() =>
        this.renderRoot.querySelector<HTMLElement>("section:not([hidden]) [aria-invalid='true']")?.focus(),
      );
      return;
    }
    const to = kSteps[at + by];
    if (to) this.go(to.id);
  }
  private async create(): Promise<void> {
    this.general = "";
    try {
      const { job } = await client.post<{ job: Job }>("requester/jobs", requestOf(this.draft));
      sessionStorage.removeItem(kKey);
      navigate(`/_/console/jobs/${part(job.name)}`, { replace: true });
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      const member =
        thrown instanceof ApiError && thrown.code === "AlreadyExists" ? "name" : memberOf(message);
      if (!member) {
        this.general = sentence(message);
        return;
      }
      this.refused = { ...this.refused, [member]: withoutMember(message) };
      this.go(kSteps.find((step) => step.members.includes(member))!.id);
    }
  }
  private async startOver(): Promise<void> {
    await ask({
      heading: "Start over?",
      text: "What you filled in here is dropped. Photos that you uploaded stay in their bucket.",
      action: "Drop it",
      danger: true,
      perform: async () => this.clear(),
    });
  }
  private clear(): void {
    sessionStorage.removeItem(kKey);
    this.draft = readDraft(null);
    this.left = new Set();
    this.refused = {};
    this.titleNamesJob = true;
    this.step = "photos";
  }
  private text(
    name: { [K in keyof JobDraft]: JobDraft[K] extends string ? K : never }[keyof JobDraft],
    member: string,
    label: string,
    more: { hint?: string; rows?: number; type?: "number" | "text"; placeholder?: string } = {},
  ): TemplateResult {
    return textField({
      id: name,
      label,
      value: this.draft[name],
      error: this.errorOf(member),
      onInput: (value) => this.set({ [name]: value }, member),
      ...more,
    });
  }
  private choice<K extends keyof JobDraft>(
    name: K,
    legend: string,
    options: { value: JobDraft[K] & string; label: string }[],
    changed?: () => void,
  ): TemplateResult {
    return html`<fieldset>
      <legend>${legend}</legend>
      <div class="row">
        ${options.map(
          (option) =>
            html`<label class="check"
              ><input
                type="radio"
                name=${name}
                .checked=${this.draft[name] === option.value}
                @change=${() => {
                  this.set({ [name]: option.value } as Partial<JobDraft>);
                  changed?.();
                }}
              />
              ${option.label}</label
            >`,
        )}
      </div>
    </fieldset>`;
  }

  override render(): TemplateResult {
    const at = kSteps.findIndex((one) => one.id === this.step);
    const problems = this.problems;
    return html`<div class="page middle">
      <p><a href="/_/console">Labeling jobs</a></p>
      <div class="row between">
        <h1>New labeling job</h1>
        <button class="small" @click=${() => void this.startOver()}>Start over</button>
      </div>
      <ol class="steps" aria-label="Steps">
        ${kSteps.map((step, index) => {
          const bad = this.left.has(step.id) && step.members.some((member) => problems[member]);
          return html`<li>
            <button
              type="button"
              class=${bad ? "bad" : ""}
              aria-current=${step.id === this.step ? "step" : nothing}
              @click=${() => this.go(step.id)}
            >
              ${index + 1}. ${step.title}${bad ? html`<span aria-label="has problems"> !</span>` : nothing}
            </button>
          </li>`;
        })}
      </ol>
      ${this.general ? html`<p class="note bad" role="alert">${this.general}</p>` : nothing}
      <form
        class="stack"
        @submit=${busy(async () => {
          if (this.step === "review") await this.create();
          else this.next(1);
        })}
      >
        <section class="card" ?hidden=${this.step !== "photos"}>${this.photosStep()}</section>
        ${this.step === "photos" ? nothing : html`<section class="card">${this.otherStep()}</section>`}
        <div class="row">
          ${at > 0
            ? html`<button type="button" @click=${() => this.next(-1)}>${icons.left} Back</button>`
            : nothing}
          ${this.step === "review"
            ? html`<button class="primary" ?disabled=${Object.keys(problems).length > 0}>Create the job</button>`
            : html`<button class="primary">Next ${icons.right}</button>`}
        </div>
      </form>
    </div>`;
  }
  private otherStep(): TemplateResult {
    switch (this.step) {
      case "labels":
        return this.labelsStep();
      case "instructions":
        return this.instructionsStep();
      case "workers":
        return this.workersStep();
      case "more":
        return this.moreStep();
      default:
        return this.reviewStep();
    }
  }

  private photosStep(): TemplateResult {
    const { draft } = this;
    return html`<h2 tabindex="-1">Photos</h2>
      ${textField({
        id: "title",
        label: "Title",
        hint: "What workers see in their list.",
        placeholder: "Paint sea turtles",
        maxLength: 128,
        value: draft.title,
        error: this.errorOf("title"),
        onInput: (title) =>
          this.set({ title, ...(this.titleNamesJob ? { name: nameFrom(title) } : {}) }, "title", "name"),
      })}
      ${textField({
        id: "name",
        label: "Job name",
        hint: "For programs and folders: letters, digits and hyphens.",
        value: draft.name,
        error: this.errorOf("name"),
        onInput: (name) => {
          this.titleNamesJob = false;
          this.set({ name }, "name");
        },
      })}
      ${this.text("description", "description", "Description (optional)", { rows: 2 })}
      ${selectField({
        id: "kind",
        label: "Task",
        value: draft.kind,
        error: this.errorOf("kind"),
        options: [
          { value: "segmentation", label: "Paint: semantic segmentation" },
          { value: "adjustment", label: "Correct the masks of an earlier job" },
          { value: "verification", label: "Judge the masks of an earlier job" },
        ],
        onInput: (kind) =>
          this.set(
            {
              kind: kind as JobDraft["kind"],
              preFunctionArn: "",
              postFunctionArn: "",
              labelAttribute: attributeFor(kind as JobDraft["kind"], draft.labelAttribute),
              ...(kind === "segmentation" ? {} : { inputKind: "manifest" as const }),
            },
            "kind",
          ),
      })}
      ${this.choice(
        "inputKind",
        "Input",
        [
          { value: "folder", label: "A folder of photos" },
          { value: "manifest", label: "A manifest" },
        ],
        () => this.set({ inputUri: "" }, "input_uri"),
      )}
      ${[draft.inputKind].map((mode) => this.picker(mode))}
      ${this.text("inputUri", "input_uri", draft.inputKind === "folder" ? "Folder of the photos" : "Manifest", {
        placeholder: draft.inputKind === "folder" ? "s3://photos/turtles/" : "s3://photos/input.manifest",
      })}
      ${this.text("outputUri", "output_uri", "Where results go", {
        placeholder: "s3://photos/results",
        hint: "Masks and manifests go into a folder with the job's name in there.",
      })}`;
  }
  private picker(mode: JobDraft["inputKind"]): TemplateResult {
    const chosen = (event: Event): void => {
      const uri = (event.target as DataPicker).value;
      const bucket = placeOf(uri)?.bucket;
      const followed = this.draft.outputUri === "" || /^s3:\/\/[^/]+\/results$/.test(this.draft.outputUri);
      this.set(
        { inputUri: uri, ...(followed && bucket ? { outputUri: `s3://${bucket}/results` } : {}) },
        "input_uri",
        "output_uri",
      );
    };
    const most = this.settings?.limits.max_upload_bytes ?? Infinity;
    return mode === "folder"
      ? html`<p-data-picker mode="folder" .value=${this.draft.inputUri} .mostBytes=${most} @change=${chosen}></p-data-picker>`
      : html`<p-data-picker mode="manifest" .value=${this.draft.inputUri} @change=${chosen}></p-data-picker>`;
  }

  private labelsStep(): TemplateResult {
    const { draft } = this;
    return html`<h2 tabindex="-1">Labels</h2>
      ${draft.kind === "verification"
        ? html`<p>What workers may answer about a mask, such as good and bad.</p>`
        : draft.kind === "adjustment"
          ? html`<p>All labels that the masks have; there may be more.</p>`
          : nothing}
      ${this.choice("labelsKind", "Labels are", [
        { value: "list", label: "listed here" },
        { value: "file", label: "in a label category file" },
      ])}
      ${draft.labelsKind === "list"
        ? html`<p-label-editor
            .labels=${draft.labels}
            .problem=${this.errorOf("labels") ?? ""}
            .most=${this.settings?.limits.max_labels ?? 254}
            @change=${(event: Event) => this.set({ labels: (event.target as LabelEditor).labels }, "labels")}
          ></p-label-editor>`
        : this.text("categoriesUri", "categories_uri", "Label category file", {
            placeholder: "s3://photos/label-categories.json",
          })}`;
  }

  private instructionsStep(): TemplateResult {
    const { draft } = this;
    return html`<h2 tabindex="-1">Instructions</h2>
      ${this.choice("templateKind", "What workers see", [
        { value: "instructions", label: "Terrapin's task page with these instructions" },
        { value: "html", label: "A template of your own" },
        { value: "uri", label: "A template in a bucket" },
      ])}
      ${draft.templateKind === "instructions"
        ? html`${this.text("header", "instructions", "In one sentence", {
              placeholder: kWords[draft.kind === "verification" ? "judge" : "paint"].header,
            })}
            ${this.text("shortText", "instructions", "Short instructions, always beside the photo", {
              rows: 4,
              hint: "Plain text or HTML.",
            })}
            ${this.text("fullText", "instructions", "Full instructions, when the worker asks for them", {
              rows: 6,
              hint: "Plain text or HTML.",
            })}`
        : draft.templateKind === "html"
          ? html`${this.text("templateHtml", "template_html", "Template (HTML with Liquid and crowd elements)", {
                rows: 16,
              })}
              <div>
                <button
                  type="button"
                  class="small"
                  @click=${() =>
                    this.set(
                      { templateHtml: defaultTemplate(draft.kind, { header: "", short_html: "", full_html: "" }) },
                      "template_html",
                    )}
                >
                  Begin with Terrapin's own
                </button>
              </div>`
          : this.text("templateUri", "template_uri", "Template", { placeholder: "s3://photos/template.html" })}
      ${draft.templateKind === "uri"
        ? nothing
        : html`<h3>Preview</h3>
            <p-preview
              .template=${this.template}
              .labels=${this.previewLabels}
              .input=${draft.inputUri}
              .isManifest=${draft.inputKind === "manifest"}
            ></p-preview>`}`;
  }
  private get template(): string {
    const { draft } = this;
    if (draft.templateKind === "html") return draft.templateHtml;
    return defaultTemplate(draft.kind, {
      header: draft.header.trim(),
      short_html: htmlOf(draft.shortText),
      full_html: htmlOf(draft.fullText),
    });
  }
  // The same list for the same labels: another one would make the preview anew.
  private shownLabels: { of: JobDraft["labels"]; facts: { name: string; color: string; isVoid: boolean }[] } | null = null;
  private get previewLabels(): { name: string; color: string; isVoid: boolean }[] {
    const { labels } = this.draft;
    if (this.shownLabels?.of !== labels)
      this.shownLabels = {
        of: labels,
        facts: labels.map((one, at) => ({
          name: one.label.trim() || `label ${at + 1}`,
          color: one.color,
          isVoid: one.void,
        })),
      };
    return this.shownLabels.facts;
  }

  private workersStep(): TemplateResult {
    const { draft } = this;
    const teams = this.teams?.filter((team) => team.kind === draft.teamKind) ?? [];
    return html`<h2 tabindex="-1">Workers</h2>
      ${this.choice(
        "teamKind",
        "Who labels",
        [
          { value: "private", label: "Our own people" },
          { value: "vendor", label: "A vendor" },
          { value: "public", label: "The public crowd" },
        ],
        () => {
          const of = this.teams?.filter((team) => team.kind === this.draft.teamKind) ?? [];
          const publicArn = this.settings?.public_crowd_arn ?? "";
          this.set(
            {
              workteamArn: this.draft.teamKind === "public" ? publicArn : of.length === 1 ? of[0]!.arn : "",
              workersPerObject: this.draft.teamKind === "public" && draft.workersPerObject === "1" ? "3" : draft.workersPerObject,
            },
            "workteam_arn",
          );
        },
      )}
      ${draft.teamKind === "public"
        ? html`${this.text("price", "price", "Price for each answer, in dollars")}
            <fieldset>
              <legend>Your word</legend>
              ${kClassifiers.map((one) => this.classifier(one))}
              <p class="error" ?hidden=${!this.errorOf("content_classifiers")}>
                ${this.errorOf("content_classifiers")}
              </p>
            </fieldset>`
        : this.teams !== null && teams.length === 0
          ? html`<t-empty heading=${draft.teamKind === "vendor" ? "No vendor team" : "No work team yet"}>
                <p>Make one first; what you filled in here is kept.</p>
                <a class="button primary" href="/_/console/teams">To the teams</a>
              </t-empty>
              <p class="error" ?hidden=${!this.errorOf("workteam_arn")}>${this.errorOf("workteam_arn")}</p>`
          : selectField({
              id: "team",
              label: "Work team",
              value: draft.workteamArn,
              error: this.errorOf("workteam_arn"),
              options: [
                { value: "", label: "Choose …" },
                ...teams.map((team) => ({
                  value: team.arn,
                  label: `${team.name} (${team.members.length === 1 ? "1 person" : `${team.members.length} people`})`,
                })),
              ],
              onInput: (workteamArn) => this.set({ workteamArn }, "workteam_arn"),
            })}
      <div class="columns">
        ${this.text("workersPerObject", "workers_per_object", "Workers for each photo", {
          type: "number",
          hint: "1 to 9. Several answers are made into one mask.",
        })}
        ${this.text("taskMinutes", "task_time_limit_s", "Minutes for a photo", { type: "number" })}
        ${this.text("availabilityHours", "task_availability_s", "Hours until a photo expires", {
          type: "number",
          hint: "After that it is done with the answers it has.",
        })}
        ${this.text("maxConcurrent", "max_concurrent", "Photos offered at once", { type: "number" })}
      </div>`;
  }
  private classifier(one: { value: string; label: string }): TemplateResult {
    const { classifiers } = this.draft;
    return checkField({
      label: one.label,
      checked: classifiers.includes(one.value),
      onInput: (checked) =>
        this.set(
          { classifiers: checked ? [...classifiers, one.value] : classifiers.filter((name) => name !== one.value) },
          "content_classifiers",
        ),
    });
  }

  private moreStep(): TemplateResult {
    const { draft } = this;
    const functions = (list: RequesterSettings["pre_functions"] | undefined): { value: string; label: string }[] => [
      { value: "", label: "Built in, as the task needs" },
      ...(list ?? [])
        .filter((one) => one.kind === draft.kind || one.kind === "registered")
        .map((one) => ({ value: one.arn, label: one.kind === "registered" ? `${one.name} (registered)` : one.name })),
    ];
    return html`<h2 tabindex="-1">More</h2>
      <p class="quiet">All of this can stay as it is.</p>
      <div class="columns">
        ${this.text("maxObjects", "max_human_labeled_objects", "Stop after so many photos", {
          type: "number",
          hint: "Empty: all.",
        })}
        ${this.text("maxPercent", "max_percent_labeled", "Stop after so many percent", {
          type: "number",
          hint: "Empty: 100.",
        })}
      </div>
      ${this.text("labelAttribute", "label_attribute", "Label attribute", {
        hint:
          draft.kind === "segmentation"
            ? "The name of the masks in the output manifest."
            : "The name of the results in the output manifest; another one than the earlier masks' there.",
      })}
      <t-chips
        label="Keywords"
        hint="At most 5, for workers who look for tasks. Enter adds one."
        .values=${draft.keywords}
        .error=${this.errorOf("keywords") ?? ""}
        @change=${(event: Event) => this.set({ keywords: (event.target as Chips).values }, "keywords")}
      ></t-chips>
      ${selectField({
        id: "pre",
        label: "Function before each task",
        value: draft.preFunctionArn,
        options: functions(this.settings?.pre_functions),
        error: this.errorOf("pre_function_arn"),
        onInput: (preFunctionArn) => this.set({ preFunctionArn }, "pre_function_arn"),
      })}
      ${selectField({
        id: "post",
        label: "Function that makes one answer of several",
        value: draft.postFunctionArn,
        options: functions(this.settings?.post_functions),
        error: this.errorOf("post_function_arn"),
        onInput: (postFunctionArn) => this.set({ postFunctionArn }, "post_function_arn"),
      })}
      ${checkField({
        label: "Plain majority vote",
        hint: "Each answer counts alike; otherwise each worker counts as reliably as they have shown to be.",
        checked: draft.majorityVote,
        onInput: (majorityVote) => this.set({ majorityVote }, "majority_vote"),
      })}
      ${checkField({
        label: "Leave out photos that have a mask already",
        hint: "Lines of the manifest that carry the label attribute pass through as they are.",
        checked: draft.skipLabeled,
        onInput: (skipLabeled) => this.set({ skipLabeled }, "skip_labeled"),
      })}
      ${draft.teamKind === "public"
        ? nothing
        : html`<fieldset>
            <legend>Content</legend>
            ${kClassifiers.map((one) => this.classifier(one))}
          </fieldset>`}
      <fieldset>
        <legend>Tags</legend>
        ${draft.tags.map((tag, at) => this.tag(tag, at))}
        <p class="error" ?hidden=${!this.errorOf("tags")}>${this.errorOf("tags")}</p>
        <div>
          <button type="button" class="small" @click=${() => this.set({ tags: [...draft.tags, { key: "", value: "" }] })}>
            ${icons.plus} Add a tag
          </button>
        </div>
      </fieldset>`;
  }
  private tag(tag: { key: string; value: string }, at: number): TemplateResult {
    const change = (changed: Partial<typeof tag>): void =>
      this.set({ tags: this.draft.tags.map((one, index) => (index === at ? { ...one, ...changed } : one)) }, "tags");
    const input = (name: "key" | "value"): TemplateResult =>
      html`<input
        aria-label="${name === "key" ? "Key" : "Value"} of tag ${at + 1}"
        placeholder=${name === "key" ? "Key" : "Value"}
        .value=${tag[name]}
        @input=${(event: Event) => change({ [name]: (event.target as HTMLInputElement).value })}
      />`;
    return html`<div class="tag">
      ${input("key")} ${input("value")}
      <button
        type="button"
        class="plain"
        aria-label="Remove tag ${at + 1}"
        @click=${() => this.set({ tags: this.draft.tags.filter((_, index) => index !== at) }, "tags")}
      >
        ${icons.close}
      </button>
    </div>`;
  }

  private reviewStep(): TemplateResult {
    const problems = this.problems;
    return html`<h2 tabindex="-1">Review</h2>
      ${Object.keys(problems).length > 0
        ? html`<div class="note bad stack" role="alert">
            <strong>Not yet complete:</strong>
            <ul class="problems">
              ${kSteps.flatMap((step) =>
                step.members
                  .filter((member) => problems[member])
                  .map(
                    (member) =>
                      html`<li>
                        <button type="button" @click=${() => this.go(step.id)}>${kMemberWords[member] ?? member}</button>:
                        ${problems[member]}
                      </li>`,
                  ),
              )}
            </ul>
          </div>`
        : nothing}
      ${reviewOf(this.draft)}`;
  }
}
customElements.define("p-new-job", NewJob);
