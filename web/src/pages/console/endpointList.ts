// Endpoints: what serves, how busy it is; a new one of one or several models.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { client } from "../../api/client";
import type { Endpoint, Model } from "../../api/controlFacts";
import { part } from "../../api/facts";
import "../../ui/dialog";
import { selectField, textField } from "../../ui/field";
import { icons } from "../../ui/icons";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { tableOf, type Column } from "../../ui/table";
import { busy } from "../../ui/toast";
import { pollNote } from "../../ui/waiting";
import { countText } from "../../ui/words";
import { navigate } from "../navigation";
import { deleteEndpoint } from "./endpointActions";
import { ageText, endpointBadge, serversOf } from "./trainingFigures";

interface Wanted {
  model: string;
  weight: string;
  count: string;
}

class EndpointList extends LitElement {
  static override styles = [
    sheet,
    css`
      .variant {
        align-items: end;
        display: grid;
        gap: 8px;
        grid-template-columns: minmax(0, 2fr) minmax(0, 1fr) minmax(0, 1fr) auto;
      }
    `,
  ];
  @state() private endpoints: Endpoint[] | null = null;
  @state() private models: Model[] | null = null;
  @state() private making = false;
  @state() private name = "";
  @state() private variants: Wanted[] = [];
  private readonly poll = new Poll(this, 3000, async (signal) => {
    this.endpoints = (await client.get<{ endpoints: Endpoint[] }>("console/endpoints", {}, signal)).endpoints;
  });
  private readonly columns: Column<Endpoint>[] = [
    { title: "Name", lead: true, cell: (one) => html`<a href="/_/console/endpoints/${part(one.name)}"><strong>${one.name}</strong></a>` },
    { title: "Status", cell: (one) => endpointBadge(one.status) },
    { title: "Models", cell: (one) => one.variants.map(({ model }) => model).join(", ") || "–" },
    {
      title: "Servers",
      number: true,
      cell: (one) => {
        const { healthy, wanted } = serversOf(one.variants);
        return `${healthy} of ${wanted}`;
      },
    },
    { title: "Answered", number: true, cell: (one) => countText(serversOf(one.variants).answered) },
    { title: "Created", cell: (one) => ageText(one.created, Date.now()) },
    {
      title: "",
      cell: (one) =>
        html`<button class="small danger" aria-label="Delete ${one.name}" ?disabled=${one.status === "Deleting"} @click=${() => void deleteEndpoint(one.name, () => this.poll.now())}>
          Delete
        </button>`,
    },
  ];
  private async open(): Promise<void> {
    this.models = (await client.get<{ models: Model[] }>("console/models")).models;
    const first = this.models[0]?.name ?? "";
    this.name = first;
    this.variants = [{ model: first, weight: "1", count: "1" }];
    this.making = true;
  }
  private setVariant(at: number, change: Partial<Wanted>): void {
    this.variants = this.variants.map((one, index) => (index === at ? { ...one, ...change } : one));
  }
  private async make(): Promise<void> {
    const { endpoint } = await client.post<{ endpoint: Endpoint }>("console/endpoints", {
      name: this.name.trim(),
      variants: this.variants.map(({ model, weight, count }) => ({ model, weight: Number(weight), count: Number(count) })),
    });
    this.making = false;
    navigate(`/_/console/endpoints/${part(endpoint.name)}`);
  }
  override render(): TemplateResult {
    return html`<div class="page">
      <div class="row between">
        <h1>Endpoints</h1>
        <div class="row">
          ${(this.endpoints?.length ?? 0) > 1 ? html`<a class="button" href="/_/console/compare">Compare two</a>` : nothing}
          <button class="primary" @click=${busy(() => this.open())}>${icons.plus} New endpoint</button>
        </div>
      </div>
      ${pollNote(this.poll)}
      ${tableOf(
        "Endpoints",
        this.columns,
        this.endpoints,
        html`<t-empty heading="No endpoint yet">
          <p>An endpoint answers photos with masks. Open a training job that is completed and press Deploy.</p>
          <a class="button" href="/_/console/training">Look at the training jobs</a>
        </t-empty>`,
      )}
      <t-dialog heading="New endpoint" .open=${this.making} @close=${() => (this.making = false)}>
        ${this.models?.length === 0
          ? html`<p>There is no model yet: deploy a training job, or make a model of a package first.</p>
              <p><a href="/_/console/models">To the models</a></p>`
          : this.form()}
      </t-dialog>
    </div>`;
  }
  private form(): TemplateResult {
    return html`<form class="stack" @submit=${busy(() => this.make())}>
      ${textField({ id: "endpoint-name", label: "Name", required: true, value: this.name, onInput: (value) => (this.name = value) })}
      ${this.variants.map(
        (variant, at) =>
          html`<div class="variant" role="group" aria-label="Variant ${at + 1}">
            ${selectField({
              id: `model-${at}`,
              label: "Model",
              value: variant.model,
              options: (this.models ?? []).map(({ name }) => ({ value: name, label: name })),
              onInput: (model) => this.setVariant(at, { model }),
            })}
            ${textField({ id: `weight-${at}`, label: "Weight", type: "number", min: 0, value: variant.weight, onInput: (weight) => this.setVariant(at, { weight }) })}
            ${textField({ id: `count-${at}`, label: "Servers", type: "number", min: 1, max: 64, value: variant.count, onInput: (count) => this.setVariant(at, { count }) })}
            <button type="button" class="plain" aria-label="Remove variant ${at + 1}" ?disabled=${this.variants.length === 1} @click=${() => (this.variants = this.variants.filter((_, index) => index !== at))}>
              ${icons.close}
            </button>
          </div>`,
      )}
      <div>
        <button type="button" class="small" @click=${() => (this.variants = [...this.variants, { model: this.models?.[0]?.name ?? "", weight: "1", count: "1" }])}>
          ${icons.plus} Add a model
        </button>
      </div>
      <p class="hint">Requests are shared among the models by their weights.</p>
      <div><button class="primary">Make it</button></div>
    </form>`;
  }
}
customElements.define("p-endpoint-list", EndpointList);
