// One endpoint: what serves, and photos to try it with. Two on the same photos are compared.
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { client } from "../../api/client";
import type { Endpoint, Variant } from "../../api/controlFacts";
import { part } from "../../api/facts";
import { selectField } from "../../ui/field";
import { Poll } from "../../ui/poll";
import "../../ui/small";
import { sheet } from "../../ui/style";
import { busy, toast } from "../../ui/toast";
import { loading, pollNote } from "../../ui/waiting";
import { countText, percentText, plural } from "../../ui/words";
import { navigate } from "../navigation";
import { deleteEndpoint } from "./endpointActions";
import { pageHead } from "./pageHead";
import { ageText, answersPhotos, endpointBadge, serversOf, trafficOf } from "./trainingFigures";
import "./tryPhotos";

class EndpointPage extends LitElement {
  static override styles = [
    sheet,
    css`
      .variant {
        border-top: 1px solid var(--line);
        display: grid;
        gap: 8px 18px;
        grid-template-columns: minmax(0, 2fr) minmax(0, 1fr) minmax(0, 1fr);
        padding-top: 12px;
      }
      .variant:first-of-type {
        border-top: 0;
        padding-top: 0;
      }
      .variant .wide {
        grid-column: 1 / -1;
      }
      .inputs {
        align-items: end;
        display: flex;
        gap: 8px;
      }
      .inputs label {
        display: grid;
        font-weight: 600;
        gap: 4px;
      }
      .inputs input {
        width: 92px;
      }
      @media (max-width: 640px) {
        .variant {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];
  @property() name = "";
  @state() private endpoint: Endpoint | null = null;
  @state() private gone = false;
  private names: string[] = [];
  private readonly poll = new Poll(this, 2000, async (signal) => {
    if (this.gone) return;
    try {
      this.endpoint = (await client.get<{ endpoint: Endpoint }>(this.base, {}, signal)).endpoint;
    } catch (thrown) {
      // What was being deleted is deleted.
      if (this.endpoint?.status !== "Deleting" || signal.aborted) throw thrown;
      this.gone = true;
    }
  });
  private get base(): string {
    return `console/endpoints/${part(this.name)}`;
  }
  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("name")) return;
    this.names = [this.name];
    if (!changed.get("name")) return;
    this.endpoint = null;
    this.gone = false;
    this.poll.now();
  }
  private async save(event: Event, variants: Variant[]): Promise<void> {
    const form = event.target as HTMLFormElement;
    const number = (kind: string, name: string): number => Number(form.querySelector<HTMLInputElement>(`input[name="${kind}-${CSS.escape(name)}"]`)!.value);
    await client.post(`${this.base}/weights`, {
      variants: variants.map(({ name }) => ({ name, weight: number("weight", name), count: number("count", name) })),
    });
    toast("Weights and servers are being changed.");
    this.poll.now();
  }
  override render(): TemplateResult {
    const endpoint = this.endpoint;
    const there = this.gone ? null : endpoint;
    return html`<div class="page">
      ${pageHead({ href: "/_/console/endpoints", label: "Endpoints" }, this.name, there && endpointBadge(there.status), there && this.actions(there))}
      ${pollNote(this.poll)}
      ${this.gone
        ? html`<t-empty heading="The endpoint is deleted"><a class="button" href="/_/console/endpoints">To the endpoints</a></t-empty>`
        : endpoint
          ? this.panel(endpoint)
          : this.poll.problem
            ? nothing
            : loading}
    </div>`;
  }
  private actions(endpoint: Endpoint): TemplateResult {
    return html`<div class="row">
      <a class="button" href="/_/console/compare?with=${part(this.name)}">Compare</a>
      <button class="danger" ?disabled=${endpoint.status === "Deleting"} @click=${() => void deleteEndpoint(this.name, () => this.poll.now())}>Delete</button>
    </div>`;
  }
  private panel(endpoint: Endpoint): TemplateResult {
    const { healthy, wanted, answered, inFlight } = serversOf(endpoint.variants);
    return html`${endpoint.failure
        ? html`<div class="note bad" role="alert">
            <strong>${endpoint.status === "Failed" ? "It cannot serve: " : "The last change did not come about: "}${endpoint.failure}</strong><br />
            ${endpoint.status === "Failed"
              ? html`Delete the endpoint, mend what the message names, and deploy again.`
              : html`What served before goes on serving. Mend what the message names, and change it again.`}
          </div>`
        : nothing}
      <p class="quiet">
        ${healthy} of ${plural(wanted, "server")} ${healthy === 1 ? "answers" : "answer"} · ${plural(answered, "request")} answered${inFlight > 0
          ? ` · ${countText(inFlight)} under way`
          : ""} · created ${ageText(endpoint.created, Date.now())}
      </p>
      <section class="card">
        <h2>Try it</h2>
        ${answersPhotos(endpoint)
          ? html`<p-try-photos .endpoints=${this.names}></p-try-photos>`
          : html`<p class="quiet" role="status">
              ${endpoint.status === "Failed" || endpoint.status === "Deleting" ? "It takes no photos any more." : "The model is being fetched and started; this page shows when it can be asked."}
            </p>`}
      </section>
      <section class="card">
        <h2>Variants</h2>
        ${this.variants(endpoint)}
        ${endpoint.next ? html`<p class="note">Being started in their place: ${endpoint.next.map(({ model, count }) => `${model} on ${plural(count, "server")}`).join(", ")}.</p>` : nothing}
      </section>`;
  }
  private variants(endpoint: Endpoint): TemplateResult {
    const traffic = trafficOf(endpoint.variants);
    const fixed = endpoint.status !== "InService";
    return html`<form class="stack" @submit=${busy((event) => this.save(event, endpoint.variants))}>
      ${endpoint.variants.map(
        (variant, at) =>
          html`<div class="variant" role="group" aria-label="Variant ${variant.name}">
            <div>
              <strong>${variant.name}</strong><br />
              <a href="/_/console/models/${part(variant.model)}">${variant.model}</a>
              <span class="quiet">${percentText(traffic[at]!)} of the requests</span>
            </div>
            <div>
              ${variant.instances.map(
                (one) =>
                  html`<div>
                    <span class="badge ${one.healthy ? "good" : "warn"}">${one.healthy ? "Answers" : one.served ? "Does not answer" : "Starting"}</span>
                    <span class="quiet">${plural(one.answered, "request")}</span>
                  </div>`,
              )}
              ${variant.instances.length === 0 ? html`<span class="quiet">No server</span>` : nothing}
            </div>
            <div class="inputs">
              <label>Weight <input type="number" min="0" step="any" name="weight-${variant.name}" .value=${String(variant.weight)} ?disabled=${fixed} /></label>
              <label>Servers <input type="number" min="1" max="64" name="count-${variant.name}" .value=${String(variant.count)} ?disabled=${fixed} /></label>
            </div>
            ${variant.problem && !endpoint.failure ? html`<p class="note wide">Its last server ended: ${variant.problem}</p>` : nothing}
          </div>`,
      )}
      <div><button ?disabled=${fixed}>Change weights and servers</button></div>
    </form>`;
  }
}
customElements.define("p-endpoint", EndpointPage);

class ComparePage extends LitElement {
  static override styles = sheet;
  @state() private endpoints: Endpoint[] | null = null;
  @state() private chosen: [string, string] = [new URLSearchParams(location.search).get("with") ?? "", new URLSearchParams(location.search).get("and") ?? ""];
  private readonly poll = new Poll(this, 4000, async (signal) => {
    const { endpoints } = await client.get<{ endpoints: Endpoint[] }>("console/endpoints", {}, signal);
    this.endpoints = endpoints.filter(answersPhotos);
    const names = this.endpoints.map(({ name }) => name);
    const first = names.includes(this.chosen[0]) ? this.chosen[0] : (names[0] ?? "");
    const second = names.includes(this.chosen[1]) ? this.chosen[1] : (names.find((name) => name !== first) ?? "");
    if (first !== this.chosen[0] || second !== this.chosen[1]) this.choose([first, second]);
  });
  private choose(chosen: [string, string]): void {
    this.chosen = chosen;
    // The same address shows the same two again.
    navigate(`/_/console/compare?with=${part(chosen[0])}&and=${part(chosen[1])}`, { replace: true });
  }
  override render(): TemplateResult {
    const names = (this.endpoints ?? []).map(({ name }) => name);
    const pick = (at: 0 | 1, label: string): TemplateResult =>
      selectField({
        id: `endpoint-${at}`,
        label,
        value: this.chosen[at],
        options: names.map((name) => ({ value: name, label: name })),
        onInput: (name) => this.choose(at === 0 ? [name, this.chosen[1]] : [this.chosen[0], name]),
      });
    return html`<div class="page">
      <p><a href="/_/console/endpoints">Endpoints</a></p>
      <h1>Compare two endpoints</h1>
      ${pollNote(this.poll)}
      ${this.endpoints === null
        ? loading
        : names.length < 2
          ? html`<t-empty heading="Two endpoints are needed">
              <p>${names.length === 0 ? "None is in service." : `Only ${names[0]} is in service.`} Deploy another training job, then come back.</p>
              <a class="button" href="/_/console/training">Look at the training jobs</a>
            </t-empty>`
          : html`<div class="columns">${pick(0, "First")} ${pick(1, "Second")}</div>
              <section class="card">
                <h2>On the same photos</h2>
                <p-try-photos .endpoints=${this.chosen}></p-try-photos>
              </section>`}
    </div>`;
  }
}
customElements.define("p-compare", ComparePage);
