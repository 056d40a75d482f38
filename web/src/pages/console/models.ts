// Models: trained packages under a name, ready to be deployed.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import type { Model } from "../../api/controlFacts";
import { part } from "../../api/facts";
import "../../ui/dialog";
import { textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { tableOf, type Column } from "../../ui/table";
import { busy, toast } from "../../ui/toast";
import { loading, pollNote } from "../../ui/waiting";
import { sizeText, timeText } from "../../ui/words";
import { navigate } from "../navigation";
import { deleteModel, deployModel } from "./endpointActions";
import { pageHead } from "./pageHead";
import { ageText } from "./trainingFigures";

class ModelList extends LitElement {
  static override styles = [
    sheet,
    css`
      .actions {
        display: flex;
        gap: 6px;
        justify-content: flex-end;
      }
    `,
  ];
  @state() private models: Model[] | null = null;
  @state() private making = false;
  @state() private name = "";
  @state() private data = "";
  private readonly poll = new Poll(this, 10_000, async (signal) => {
    this.models = (await client.get<{ models: Model[] }>("console/models", {}, signal)).models;
  });
  private readonly columns: Column<Model>[] = [
    { title: "Name", lead: true, cell: (model) => html`<a href="/_/console/models/${part(model.name)}"><strong>${model.name}</strong></a>` },
    { title: "Package", cell: (model) => html`<code>${model.data}</code>` },
    { title: "Created", cell: (model) => ageText(model.created, Date.now()) },
    {
      title: "",
      cell: (model) =>
        html`<div class="actions">
          <button class="small" aria-label="Deploy ${model.name}" @click=${() => void deployModel(model.name)}>Deploy</button>
          <button class="small danger" aria-label="Delete ${model.name}" @click=${() => void deleteModel(model.name, () => this.poll.now())}>Delete</button>
        </div>`,
    },
  ];
  private async make(): Promise<void> {
    const { model } = await client.post<{ model: Model }>("console/models", { name: this.name.trim(), data: this.data.trim() });
    this.making = false;
    this.name = this.data = "";
    toast(`The model ${model.name} is there.`);
    this.poll.now();
  }
  override render(): TemplateResult {
    return html`<div class="page">
      <div class="row between">
        <h1>Models</h1>
        <button class="primary" @click=${() => (this.making = true)}>${icons.plus} New model</button>
      </div>
      ${pollNote(this.poll)}
      ${tableOf(
        "Models",
        this.columns,
        this.models,
        html`<t-empty heading="No model yet">
          <p>Deploy makes one of a training job that is completed. A package from elsewhere gets a name here.</p>
          <div class="row">
            <a class="button" href="/_/console/training">Look at the training jobs</a>
            <button class="primary" @click=${() => (this.making = true)}>${icons.plus} New model</button>
          </div>
        </t-empty>`,
      )}
      <t-dialog heading="New model" .open=${this.making} @close=${() => (this.making = false)}>
        <form class="stack" @submit=${busy(() => this.make())}>
          ${textField({ id: "model-name", label: "Name", required: true, value: this.name, onInput: (value) => (this.name = value) })}
          ${textField({
            id: "model-data",
            label: "Package",
            hint: "The address of a model.tar.gz that a training has stored.",
            placeholder: "s3://photos/training/turtles/output/model.tar.gz",
            required: true,
            value: this.data,
            onInput: (value) => (this.data = value),
          })}
          <div><button class="primary">Make it</button></div>
        </form>
      </t-dialog>
    </div>`;
  }
}
customElements.define("p-model-list", ModelList);

class ModelPage extends LitElement {
  static override styles = sheet;
  @property() name = "";
  @state() private model: Model | null = null;
  private readonly poll = new Poll(this, 15_000, async (signal) => {
    this.model = (await client.get<{ model: Model }>(`console/models/${part(this.name)}`, {}, signal)).model;
  });
  override render(): TemplateResult {
    const model = this.model;
    return html`<div class="page middle">
      ${pageHead({ href: "/_/console/models", label: "Models" }, this.name, null, model && this.actions(model))}
      ${pollNote(this.poll)}
      ${model?.bytes === null ? html`<p class="note bad">Its package is gone from the bucket: train again, or delete the model.</p>` : nothing}
      ${model
        ? html`<section class="card">
            <dl class="facts">
              <dt>Package</dt>
              <dd><code>${model.data}</code></dd>
              <dt>Size</dt>
              <dd>${typeof model.bytes === "number" ? sizeText(model.bytes) : "–"}</dd>
              <dt>Created</dt>
              <dd>${timeText(model.created)}</dd>
              ${Object.entries(model.environment).map(([name, value]) => html`<dt><code>${name}</code></dt><dd>${value}</dd>`)}
            </dl>
          </section>`
        : this.poll.problem
          ? nothing
          : loading}
    </div>`;
  }
  private actions(model: Model): TemplateResult {
    return html`<div class="row">
      <button class="primary" ?disabled=${model.bytes === null} @click=${() => void deployModel(model.name)}>Deploy</button>
      <button class="danger" @click=${() => void deleteModel(model.name, () => navigate("/_/console/models"))}>Delete</button>
    </div>`;
  }
}
customElements.define("p-model", ModelPage);
